"""Probes that a soak runs after a change, from inside the node's target network namespace.

opener  the port through which sockets of that namespace come, and the kernel's words for people
tcp     a connection is made, and closed
icmp    an echo request is answered
http    a web server answers (aiohttp)
run     one probe, or several at once, with a deadline

What a result means is said in ``monitor.change.probe``.
"""
