"""BGP in, desired routes out: the half of bgpmon that knows BGP, its peers and its operators.

rib      what BGP says, and the choice among paths (pure)
filter   the filter language (pure)
config   the configuration file
ports    what parts may ask of each other
engine   sources in, domains kept, desired routes to the programmer, views out
flow     between a source's reader and the engine
gobgp    a source: gobgpd over gRPC
bmp      a source: Cilium, or any speaker that exports BMP
api      the daemon's own gRPC API, both ends
daemon   the process: tasks, signals, sockets
cli      the command line
"""

__version__ = "0.1.0"
