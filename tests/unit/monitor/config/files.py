"""Configuration files for these tests, and the short way to load or to refuse one."""

from monitor.config import Config, ConfigError, Overrides
from monitor.config.loader import Loaded, load_octets
from monitor.errors import ConfigProblem

GOOD = """\
node: node-a17                # default: $NODE_NAME, else the host name
mode: dry-run                 # dry-run (default) | approve | auto
netns: /proc/1/ns/net         # target namespace; default: the daemon's own
state_dir: /var/lib/bgpmon    # journal, frozen plans, pending roll-back
run_dir: /run/bgpmon          # read.sock, admin.sock, lock
protocol: 196                 # owner mark on every route and rule
protect: [10.96.0.0/12, 10.244.0.0/16]
encapsulation: false          # true: the CNI tunnels pod traffic; anything overlapping `protect` is refused

sources:                      # where BGP comes from; each is a speaker with its peers
  fabric: {gobgp: "unix:///run/gobgp/gobgpd.sock"}

domains:
  storage:
    source: fabric
    peers: [198.51.100.1, 198.51.100.128/25]
    interfaces: [eth1]
    table: 101
    metric: 200
    families: [ipv4, ipv6]
    multipath: 4
    default_route: deny       # deny (default) | accept
    preferred_source: {ipv4: 10.8.0.5}
    import:
      - accept: {prefix: 10.8.0.0/14, ge: 16, le: 28}
      - deny: {community: "65001:666"}
    rules:
      - {from: 10.244.0.0/16, to: 10.8.0.0/14, priority: 1200}
    limit:       {ipv4: {routes: 1000, warn_percent: 80, action: freeze}}
    peer_limit:  {ipv4: {paths: 2000, warn_percent: 80, action: teardown, restart: 5m, attempts: 3}}
    removal_budget: {percent: 20, routes: 100, hold: 10m}
    stale_after: 10m          # longest that stale or unknown BGP state keeps routes in place

approval:
  expires: 1h
  max_drift: {operations: 10, percent: 5}
"""

DOMAIN = """\
sources: {fabric: {gobgp: "127.0.0.1:50051"}}
domains:
  storage:
    source: fabric
    peers: [198.51.100.1]
    interfaces: [eth1]
    table: 101
    import: [{accept: any}]
"""
"""The shortest file that loads without a warning; tests append keys of the domain to it, from line 9 on."""

BMP = DOMAIN.replace('{gobgp: "127.0.0.1:50051"}', '{bmp: "127.0.0.1:11019"}')
"""The same with a source that hears BMP."""

BOTH = GOOD.replace(
    """
domains:
""",
    """  cilium:
    bmp: "192.0.2.1:11019"
    view: post
    allow_uids: [0, 1000]
    allow_addresses: [192.0.2.7]

domains:
  pods:
    source: cilium
    peers: ["2001:db8::1"]
    interfaces: [eth2]
    table: 102
    import: [{accept: any}]
""",
)
"""The design's example with a BMP source and its domain."""

CHANGE = (
    BOTH
    + """\
  rules:
    - {match: "op=- and state=dead-next-hop", decision: auto, per_minute: 1000}
    - {name: many, match: "class=mass-delete", approve: 1, ticket: "^CHG-[0-9]+$", risk: high}
    - {match: "class=add-small", decision: auto, in_window: true}
    - {match: "class=protect-node", decision: deny}
    - {match: "*", approve: 1}
  allow_local: true
  self_approve: false
  soak:
    duration: 5m
    most: 15m
    probes:
      - {name: api, tcp: "10.96.0.1:443", domain: storage, interval: 5s, timeout: 2s, failures: 2, warn_factor: 5}
      - {name: gw, icmp: 198.51.100.1, source: 198.51.100.7, interface: eth1, mark: 7}
      - {name: web, http: "https://127.0.0.1:8443/healthz", statuses: [200, 399], host: shop.example, insecure: true}
      - {name: sessions, bgp: storage}
windows:
  - {name: nightly, cron: "0 22 * * 1-4", duration: 1h, timezone: Europe/Berlin}
  - {name: freeze, kind: deny, cron: "0 0 20 12 *", duration: 14d, timezone: UTC}
journal: {keep: 30d}
"""
)
"""The same with change control that needs no signers."""

SIGNERS = """\
# Who may sign.
alice@corp ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF9saQSc3m/EslcTgqscDQc1Q4hpHevefu0u+1gR/Ll3
bob@corp namespaces="bgpmon-plan@v1,file" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICucL9GcARX/PyZqB3zleiKaeH63eQJMqBdeRr5QMwDj
carol@corp valid-after="20200101Z" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBjur1nkJnxOAR8Vk05hrDgBE5cO6pYuk9omCIAn12jV
"""
"""A signers file with three people; the keys were made for it, and nobody has their private halves."""


def loaded(text: str, overrides: Overrides | None = None, environment: dict[str, str] | None = None) -> Loaded:
    """Load *text* as the file ``bgpmon.yaml``."""
    return load_octets("bgpmon.yaml", text.encode(), overrides or Overrides(), environment or {"NODE_NAME": "node-a17"})


def config_of(text: str, overrides: Overrides | None = None, environment: dict[str, str] | None = None) -> Config:
    """Return the configuration in *text*."""
    return loaded(text, overrides, environment).config


def problems_of(text: str, overrides: Overrides | None = None) -> list[ConfigProblem]:
    """Return everything that is wrong with *text*; nothing if it loads."""
    try:
        loaded(text, overrides)
    except ConfigError as error:
        found = list(error.problems)
    else:
        return []
    assert found, "refused without a reason"
    return found


def only_problem(text: str) -> ConfigProblem:
    """Return the one thing that is wrong with *text*."""
    found = problems_of(text)
    assert len(found) == 1, [problem.text for problem in found]
    return found[0]


def underlined(problem: ConfigProblem) -> str:
    """Return the text over the carets."""
    return problem.excerpt[problem.column - 1 : problem.column - 1 + problem.width]


def check(marked: str, key: str, message: str, hint: str = "") -> None:
    """Load a file with one marked mistake, and compare what is said about it; «…» marks what must be underlined."""
    before, rest = marked.split("«")
    wrong, after = rest.split("»")
    problem = only_problem(before + wrong + after)
    line = before.count("\n") + 1
    column = len(before) - before.rfind("\n")
    assert (problem.line, problem.column, underlined(problem)) == (line, column, wrong)
    assert (problem.file, problem.key) == ("bgpmon.yaml", key)
    assert message in problem.message
    assert hint in problem.hint
