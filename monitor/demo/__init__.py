"""``bgpmon demo``: the real daemon over a simulated GoBGP and a kernel in memory.

run       the process: builds the simulation, runs the daemon on it, opens a shell
network   the node: routers, links, configuration, kernel
table     what each router announces, and which of it is restless
roa       who may originate what on the simulated Internet
session   one BGP session: what the router announces, and what the speaker holds of it
speaker   the simulated GoBGP: sessions, and who watches them
message   sessions and paths in the messages of GoBGP's API, generation 4
server    that API on a unix socket, over real gRPC
churn     what happens in the network while one looks on
label     the word "simulated" in every answer
shell     a shell in which bgpmon finds the demo
"""

NOTICE = "simulated routers, in-memory kernel; nothing here touches this machine"
"""What this is, in the words of every face."""
