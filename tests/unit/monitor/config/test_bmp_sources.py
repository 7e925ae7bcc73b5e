"""Sources that hear BMP: their values, what is wrong with them, and what is only doubtful.

In these files «…» marks the text that must be underlined.
"""

from ipaddress import ip_address

import pytest

from monitor.config import BmpView, SourceConfig
from monitor.config.parse import Unacceptable, bmp_listen, listen_place
from monitor.config.show import settings
from tests.unit.monitor.config.files import BMP, BOTH, DOMAIN, check, config_of, loaded, only_problem, problems_of

FILES = "{ca: /etc/ca.pem, cert: /etc/c.pem, key: /etc/k.pem}"


def source(keys: str) -> str:
    """Return a good file whose source has these keys in place of its own."""
    return DOMAIN.replace('{gobgp: "127.0.0.1:50051"}', f"{{{keys}}}")


def two(first: str, second: str) -> str:
    """Return a file whose two sources listen at these places, open to an address of the family."""
    sender = {place: "2001:db8::9" if place.startswith("[") else "192.0.2.9" for place in (first, second)}
    texts = [
        f'{name}: {{bmp: "{place}"}}'
        if place.startswith(("127.", "[::1]", "[0:0::1]"))
        else f'{name}: {{bmp: "{place}", allow_addresses: "{sender[place]}"}}'
        for name, place in (("fabric", first), ("b", second))
    ]
    return DOMAIN.replace('{fabric: {gobgp: "127.0.0.1:50051"}}', f"\n  {{{texts[0]},\n   {texts[1]}}}")


def test_a_bmp_source_has_safe_values_where_the_file_has_none() -> None:
    config = config_of(BMP)
    assert config.sources == (SourceConfig(name="fabric", bmp="127.0.0.1:11019"),)
    found = config.source("fabric")
    assert (found.view, found.allow_uids, found.allow_addresses) == (BmpView.PRE, (0,), ())
    assert (found.gobgp, found.target) == ("", "127.0.0.1:11019")
    assert config.warnings == ()


def test_every_key_reaches_its_field() -> None:
    found = config_of(BOTH).source("cilium")
    assert (found.target, found.view, found.allow_uids) == ("192.0.2.1:11019", BmpView.POST, (0, 1000))
    assert found.allow_addresses == (ip_address("192.0.2.7"),)
    assert config_of(BOTH).source("fabric").target == "unix:///run/gobgp/gobgpd.sock"


def test_a_single_value_is_a_list_of_one() -> None:
    found = config_of(source('bmp: "[::]:11019", allow_uids: 991, allow_addresses: "2001:DB8::9"')).sources[0]
    assert (found.allow_uids, found.allow_addresses) == ((991,), (ip_address("2001:db8::9"),))


def test_users_may_be_kept_out_where_other_hosts_may_connect() -> None:
    found = config_of(source('bmp: "192.0.2.1:11019", allow_uids: [], allow_addresses: 192.0.2.9')).sources[0]
    assert found.allow_uids == ()


def test_defaults_may_be_written_out() -> None:
    text = source('bmp: "127.0.0.1:11019", view: pre, allow_uids: [0], allow_addresses: []')
    assert config_of(text) == config_of(BMP)


@pytest.mark.parametrize(
    ("text", "canonical", "address", "port"),
    [
        ("127.0.0.1:11019", "127.0.0.1:11019", "127.0.0.1", 11019),
        ("[0:0::0001]:00179", "[::1]:179", "::1", 179),
        ("0.0.0.0:65535", "0.0.0.0:65535", "0.0.0.0", 65535),
        ("[::]:1", "[::]:1", "::", 1),
        ("169.254.1.1:11019", "169.254.1.1:11019", "169.254.1.1", 11019),
    ],
)
def test_a_place_to_listen_has_one_way_of_writing(text: str, canonical: str, address: str, port: int) -> None:
    assert bmp_listen(text) == canonical
    assert listen_place(canonical) == (ip_address(address), port)


@pytest.mark.parametrize(
    ("listen", "message", "hint"),
    [
        ('"127.0.0.1"', "does not end in a port", "127.0.0.1:11019"),
        ('"127.0.0.1:0"', "does not end in a port", "[::1]:11019"),
        ('"127.0.0.1:65536"', "does not end in a port", ""),
        ('"::1:11019"', "is not host:port", "[::1]:11019"),
        ('"localhost:11019"', "'localhost' is not an address", "127.0.0.1:11019"),
        ('"bgpmon.example.net:5000"', "is not an address", "127.0.0.1:5000"),
        ('"127.0.0.300:1"', "does not name a host", "127.0.0.1:11019"),
        ('":11019"', "does not name a host", ""),
        ('"[fe80::1%eth1]:11019"', "has a zone", "127.0.0.1:11019"),
        ('"[fe80::1]:11019"', "fe80::1 is no address to listen at", "[::1]:11019"),
        ('"224.0.0.1:11019"', "224.0.0.1 is no address to listen at", "127.0.0.1:11019"),
        ('"[::ffff:127.0.0.1]:11019"', "is an IPv4 address", "write 127.0.0.1"),
        ('"unix:///run/bmp.sock"', "BMP comes over TCP", "127.0.0.1:11019"),
        ('"/run/bmp.sock"', "BMP comes over TCP", ""),
        ("11019", "11019 is not an address and a port", "write 127.0.0.1:11019"),
        ("true", "true is not an address and a port", ""),
    ],
)
def test_a_place_that_nothing_can_listen_at_is_refused(listen: str, message: str, hint: str) -> None:
    check(source(f"bmp: «{listen}»"), "sources.fabric.bmp", message, hint)


@pytest.mark.parametrize(
    ("keys", "key", "message", "hint"),
    [
        ('gobgp: "127.0.0.1:1", «bmp»: "127.0.0.1:2"', ".bmp", "either gobgp or bmp", "two sources"),
        (f'bmp: "127.0.0.1:2", «tls»: {FILES}', ".tls", "tls is used with gobgp only", ""),
        ('bmp: "127.0.0.1:2", «resync»: 1h', ".resync", "resync is used with gobgp only", ""),
        ('gobgp: "127.0.0.1:1", «view»: pre', ".view", "view is used with bmp only", ""),
        ('gobgp: "127.0.0.1:1", «allow_uids»: 0', ".allow_uids", "allow_uids is used with bmp only", ""),
        ('gobgp: "127.0.0.1:1", «allow_addresses»: []', ".allow_addresses", "is used with bmp only", ""),
        (
            'bmp: «"0.0.0.0:11019"»',
            ".bmp",
            "0.0.0.0:11019 is open to other hosts; whoever reaches it could inject routes",
            "give the speaker's address in allow_addresses, or listen at 127.0.0.1:11019",
        ),
        ('bmp: «"[2001:db8::1]:1"», allow_addresses: []', ".bmp", "is open to other hosts", "[::1]:1"),
        (
            'bmp: "127.0.0.1:2", «allow_addresses»: 192.0.2.9',
            ".allow_addresses",
            "allow_addresses does nothing: no other host can connect to 127.0.0.1:2",
            "remove it",
        ),
        ('bmp: "[::1]:2", allow_uids: «[]»', ".allow_uids", "nobody may connect to [::1]:2", "root is 0"),
        ('bmp: "[::1]:2", allow_uids: [5, 0, «5»]', ".allow_uids[2]", "5 is listed twice", "remove one"),
        (
            'bmp: "[::]:2", allow_addresses: ["2001:db8::9", «"2001:DB8:0::9"»]',
            ".allow_addresses[1]",
            "2001:db8::9 is listed twice",
            "remove one",
        ),
        (
            'bmp: "[::]:2", allow_addresses: ["2001:db8::9", «192.0.2.9»]',
            ".allow_addresses[1]",
            "192.0.2.9 cannot connect to [::]:2",
            "one family",
        ),
        ('bmp: "[::1]:2", view: «adj»', ".view", "'adj' is none of pre, post", ""),
        ('bmp: "[::1]:2", view: «past»', ".view", "'past' is none of pre, post", "did you mean post?"),
    ],
)
def test_keys_of_a_source_that_contradict_each_other_are_an_error(keys: str, key: str, message: str, hint: str) -> None:
    check(source(keys), f"sources.fabric{key}", message, hint)


def test_a_source_of_neither_kind_is_shown_at_its_name() -> None:
    for keys in ("", f"tls: {FILES}", "view: pre"):
        text = source(keys).replace("{fabric:", "{«fabric»:")
        check(text, "sources.fabric", "a source needs gobgp or bmp", 'bmp: "127.0.0.1:11019"')


def test_a_kind_without_its_value_is_one_mistake() -> None:
    check(source("«bmp»: ~"), "sources.fabric.bmp", "there is no value", "give one")


def test_a_source_that_is_no_mapping_is_one_mistake() -> None:
    problem = only_problem(DOMAIN.replace('{gobgp: "127.0.0.1:50051"}', '"127.0.0.1:11019"'))
    assert problem.message == "'127.0.0.1:11019' is not a mapping"
    assert "gobgp, tls, resync, bmp" in problem.hint


@pytest.mark.parametrize(
    ("uid", "hint"),
    [("-1", ""), ("4294967295", ""), ("true", ""), ("1.5", ""), ("frr", "id -u frr prints it"), ('"0"', "")],
)
def test_a_user_is_a_number(uid: str, hint: str) -> None:
    check(source(f'bmp: "127.0.0.1:2", allow_uids: «{uid}»'), "sources.fabric.allow_uids", "a user's number", hint)


def test_the_largest_user_is_one() -> None:
    assert config_of(source('bmp: "127.0.0.1:2", allow_uids: 4294967294')).sources[0].allow_uids == (4294967294,)


@pytest.mark.parametrize(
    ("address", "message", "hint"),
    [
        ("192.0.2.0/24", "is not an address", "without a length"),
        ("node-b", "'node-b' is not an address", ""),
        ("127.0.0.2", "127.0.0.2 is this host itself", "allow_uids"),
        ("0.0.0.0", "not an address that a host connects from", ""),
        ("224.0.0.5", "not an address that a host connects from", ""),
        ("'fe80::9'", "fe80::9 is link-local", "global address"),
        ("'fe80::9%eth1'", "has a zone", ""),
        ("'::ffff:192.0.2.9'", "is an IPv4 address", "write 192.0.2.9"),
        ("5", "5 is not an address", ""),
    ],
)
def test_a_sender_is_the_address_of_another_host(address: str, message: str, hint: str) -> None:
    text = source(f'bmp: "192.0.2.1:2", allow_addresses: [192.0.2.8, «{address}»]')
    check(text, "sources.fabric.allow_addresses[1]", message, hint)


@pytest.mark.parametrize(
    ("first", "second", "ok"),
    [
        ("127.0.0.1:11019", "127.0.0.1:11019", False),
        ("[::1]:11019", "[0:0::1]:11019", False),
        ("0.0.0.0:11019", "127.0.0.1:11019", False),
        ("[2001:db8::1]:11019", "[::]:11019", False),
        ("127.0.0.1:11019", "127.0.0.1:11020", True),
        ("127.0.0.1:11019", "192.0.2.1:11019", True),
        ("0.0.0.0:11019", "[::]:11019", True),
    ],
)
def test_two_sources_cannot_listen_at_one_place(first: str, second: str, *, ok: bool) -> None:
    found = [(item.key, item.line, item.message, item.hint) for item in problems_of(two(first, second))]
    if ok:
        assert found == []
        return
    message = f"{bmp_listen(second)} is taken by source fabric in line 2"
    assert found == [("sources.b.bmp", 3, message, "each BMP source needs its own port")]


def test_bmp_from_other_hosts_is_warned_about() -> None:
    (warning,) = config_of(source('bmp: "192.0.2.1:2", allow_addresses: 192.0.2.9')).warnings
    assert warning == (
        "bgpmon.yaml:1:25: sources.fabric.bmp: BMP to 192.0.2.1:2 is neither encrypted nor authenticated"
        " (use a network that you trust)"
    )


def test_only_the_keys_of_a_kind_are_shown() -> None:
    shown = {item.key: (item.value, item.line) for item in settings(loaded(BOTH)) if item.key.startswith("sources.")}
    assert shown == {
        "sources.fabric.gobgp": ("unix:///run/gobgp/gobgpd.sock", 11),
        "sources.fabric.tls": (None, 0),
        "sources.fabric.resync": ("15m", 0),
        "sources.cilium.bmp": ("192.0.2.1:11019", 13),
        "sources.cilium.view": ("post", 14),
        "sources.cilium.allow_uids": ([0, 1000], 15),
        "sources.cilium.allow_addresses": (["192.0.2.7"], 16),
    }
    left_out = {item.key: (item.value, item.origin) for item in settings(loaded(BMP))}
    assert left_out["sources.fabric.allow_uids"] == ([0], "default")


def test_the_digest_tells_policies_apart_and_not_sources() -> None:
    assert config_of(BMP).digest == config_of(DOMAIN).digest


@pytest.mark.parametrize("value", ["", "[]:1", "[127.0.0.1]:1", "a:b:c", "1:1"])
def test_what_is_no_place_is_unacceptable(value: str) -> None:
    with pytest.raises(Unacceptable):
        bmp_listen(value)
