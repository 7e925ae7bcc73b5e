"""BGP in, desired routes out: the half of bgpmon that knows BGP, its peers and its operators.

rib      what BGP says, and the choice among paths (pure)
filter   the filter language (pure)
config   the configuration file
ports    what parts may ask of each other
engine   sources in, domains kept, desired routes to the programmer, views out
gobgp    a source: gobgpd over gRPC
api      the daemon's own gRPC API, both ends
daemon   the process: tasks, signals, sockets
cli      the command line
"""

__version__ = "0.1.0"
