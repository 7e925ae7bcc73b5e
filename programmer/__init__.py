"""Routes in, plan out, kernel changed: the half of bgpmon that knows the kernel and nothing of BGP.

route       what a route is: families, prefix keys, next hops
plan        one operation, a plan of them, its digest
codec       RTM_*ROUTE messages to values and back, in bulk
diff        desired against installed
guards      what holds a change back: removal budget, limits
approval    which changes wait for a person, and what a frozen plan goes through
fib         what a kernel must be able to do (a port)
netlink     the Linux kernel behind that port
memory      a dictionary behind that port
journal     what was done, why, and by whom (SQLite)
reconciler  the loop that makes installed equal desired
"""
