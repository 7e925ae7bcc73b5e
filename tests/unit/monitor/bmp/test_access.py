"""Who may connect to the station."""

from dataclasses import dataclass
from ipaddress import ip_address

import pytest

from monitor.bmp.access import Admission, refusal


@dataclass(frozen=True)
class User:
    """A user that holds the far end."""

    uid: int


ADMISSION = Admission(frozenset({0, 991}), frozenset({ip_address("192.0.2.7"), ip_address("2001:db8::7")}))
LOOPBACK = ip_address("127.0.0.1")
NOT_LISTED = "its address is not in `allow_addresses`"
NOBODY = "it closed before the kernel could say whose it was, or is in another namespace"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.0.2.1", "192.0.2.7"])
@pytest.mark.parametrize("uid", [0, 991])
def test_users_of_this_machine_that_may(uid: int, address: str) -> None:
    assert refusal(ADMISSION, ip_address(address), User(uid)) == ""


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "192.0.2.1", "192.0.2.7"])
def test_another_user_of_this_machine_may_not_whatever_its_address(address: str) -> None:
    why = refusal(ADMISSION, ip_address(address), User(1000))
    assert why == "user 1000 of this machine may not; `allow_uids` has 0, 991"


def test_no_user_may_where_none_is_allowed() -> None:
    admission = Admission(frozenset(), frozenset({LOOPBACK}))
    assert refusal(admission, LOOPBACK, User(0)) == "user 0 of this machine may not; `allow_uids` has nobody"


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "2001:DB8:0::7"])
def test_other_machines_that_may(address: str) -> None:
    assert refusal(ADMISSION, ip_address(address), None) == ""


@pytest.mark.parametrize("address", ["192.0.2.8", "2001:db8::8", "::ffff:192.0.2.7", "::"])
def test_other_machines_that_may_not(address: str) -> None:
    assert refusal(ADMISSION, ip_address(address), None) == NOT_LISTED


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_a_loopback_address_that_nobody_holds_is_never_another_machine(address: str) -> None:
    admission = ADMISSION._replace(addresses=frozenset({ip_address(address)}))
    assert refusal(admission, ip_address(address), None) == NOBODY
