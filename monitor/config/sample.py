"""A file to start from: what ``bgpmon config init`` prints.  It passes the check as it stands."""

SAMPLE = """\
# Configuration of bgpmon.  Every key is described in docs/configuration.md.
# Check this file:     bgpmon config check FILE
# See what is in force: bgpmon config show FILE
# Editor support:      bgpmon config schema > bgpmon.schema.json
# yaml-language-server: $schema=bgpmon.schema.json

# What may write to the kernel: dry-run (nothing), approve (plans that a person released), auto.
mode: dry-run

# The network namespace whose tables are programmed.  Left out: the daemon's own.
# In a pod with hostPID this is the host's:
# netns: /proc/1/ns/net

# Prefixes that no peer may take over: the cluster's pod and service ranges.
protect: [10.96.0.0/12, 10.244.0.0/16]

# Where BGP comes from: gobgpd's gRPC API, on a unix socket or on this host's loopback, or BMP.
sources:
  fabric: {gobgp: "unix:///run/gobgp/gobgpd.sock"}
  # Over the network only with mutual TLS:
  # remote:
  #   gobgp: "gobgp.example.net:50051"
  #   tls: {ca: /etc/bgpmon/ca.pem, cert: /etc/bgpmon/cert.pem, key: /etc/bgpmon/key.pem}
  # Cilium, FRR, BIRD and GoBGP connect to bgpmon and send BMP:
  # cilium: {bmp: "127.0.0.1:11019"}

# Routing domains.  Each has peers, interfaces, and a kernel table of its own.
domains:
  storage:
    source: fabric
    # Addresses, prefixes of addresses, or interfaces of unnumbered peers.
    peers: [198.51.100.1, 198.51.100.128/25]
    # Next hops must lie on a connected prefix of one of these.
    interfaces: [eth1]
    table: 101
    metric: 200
    families: [ipv4]
    # Up to four next hops for a route.
    multipath: 4
    # The first rule that matches decides.  What no rule matches is denied.
    import:
      - deny: {community: "65001:666"}
      - accept: {prefix: 10.8.0.0/14, ge: 16, le: 28}
    # Send pod traffic for the storage network into the domain's table.
    rules:
      - {from: 10.244.0.0/16, to: 10.8.0.0/14, priority: 1200}
    # Above 1000 routes: keep what is there, add nothing, raise an alarm.
    limit: {ipv4: {routes: 1000, warn_percent: 80, action: freeze}}
    # A peer that sends more than 2000 paths is shut, and opened again after five minutes, three times in a row at most.
    peer_limit: {ipv4: {paths: 2000, warn_percent: 80, action: teardown, restart: 5m, attempts: 3}}
    # Removals beyond this wait for ten minutes, or for a person.
    removal_budget: {percent: 20, routes: 100, hold: 10m}
    # Routes stay for this long when BGP falls silent.
    stale_after: 10m

# Who releases what in mode approve, and how long a frozen plan can be approved while the network moves on.
approval:
  expires: 1h
  max_drift: {operations: 10, percent: 5}
  # The first rule that matches an operation decides.  Left out: the standard rules of docs/configuration.md.
  # rules:
  #   - {name: no-way-out, match: "op=- and state=dead-next-hop", decision: auto, per_minute: 1000}
  #   - {name: node, match: "class=protect-node", decision: deny}
  #   - {name: many-removals, match: "class=mass-delete", approve: 1, ticket: "CHG-[0-9]+", risk: high}
  #   - {name: few-adds, match: "class=add-small", decision: auto, in_window: true}
  #   - {match: "*", approve: 1}
  # Rules that ask for two people need the file of their public keys, one line for each: NAME KEY-TYPE KEY
  # allowed_signers: /etc/bgpmon/allowed_signers
  # After a change, five minutes to confirm it; else, or when a probe fails, it is rolled back.  Left out: it stays.
  # soak:
  #   duration: 5m
  #   probes:
  #     - {name: api, tcp: "10.96.0.1:443", interval: 5s, timeout: 2s, failures: 2}
  #     - {name: sessions, bgp: storage}

# When approved plans are applied.  Left out: at any time.
# windows:
#   - {name: nightly, cron: "0 22 * * 1-4", duration: 1h, timezone: Europe/Berlin}
#   - {name: freeze, kind: deny, cron: "0 0 20 12 *", duration: 14d, timezone: UTC}

# How long the record of what was done stays.
journal: {keep: 90d}
"""
