"""What BGP says: paths, peers, domains, and the choice among paths.  Pure: no I/O, no clock.

attribute   path attributes in one interned form
path        a path: who said it, with which attributes, since when
peer        a peer, its session and counters
update      the closed set of things that a source can tell
reason      why a path is, or is not, a route in the kernel (closed list)
adjribin    Adj-RIB-In: one peer's paths
decision    the BGP decision process within one domain
policy      the domain's import policy
nexthop     next hops against the domain's own interfaces
protect     prefixes that no peer may take over
domain      one routing domain: candidates in, forwarding and verdicts out
view        what faces show
"""
