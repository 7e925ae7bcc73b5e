"""The kernel's word on its clock: decoded from given values, and asked for on the machine that runs the test."""

import ctypes
import errno
import os
import re

import pytest

from monitor.change import clock
from monitor.change.clock import ClockState, decode, read_clock, refused

TIME_OK, TIME_INS, TIME_ERROR = 0, 1, 5
STA_PLL, STA_UNSYNC, STA_CLOCKERR, STA_NANO = 0x0001, 0x0040, 0x1000, 0x2000


def test_a_clock_that_is_kept_right_says_its_maximum_error() -> None:
    assert decode(TIME_OK, STA_PLL | STA_NANO, 12_345) == ClockState(True, "synchronised, maximum error 12 ms")
    assert decode(TIME_OK, STA_PLL, 250) == ClockState(True, "synchronised, maximum error 0.25 ms")


def test_a_leap_second_that_is_announced_is_no_error() -> None:
    assert decode(TIME_INS, STA_PLL, 1000).synchronised


def test_a_clock_that_nothing_keeps_right_is_not_synchronised() -> None:
    state = decode(TIME_ERROR, STA_UNSYNC | STA_NANO, 16_000_000)
    assert state == ClockState(False, "the kernel says that its clock is not synchronised (adjtimex: STA_UNSYNC)")
    assert decode(TIME_OK, STA_UNSYNC, 0) == state


def test_an_error_of_the_clock_itself_is_named() -> None:
    state = decode(TIME_ERROR, STA_CLOCKERR, 500)
    assert state == ClockState(False, "the kernel says that its clock is in error (adjtimex: STA_CLOCKERR)")
    assert decode(TIME_ERROR, 0x0201, 500).text.endswith("(adjtimex: TIME_ERROR, status 0x0201)")


def test_a_kernel_that_refuses_to_answer_is_not_taken_for_synchronised(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        @staticmethod
        def adjtimex(_timex: object) -> int:
            ctypes.set_errno(errno.EPERM)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_options: Library)
    assert read_clock() == refused(os.strerror(errno.EPERM))
    assert read_clock() == ClockState(
        False, "the kernel does not say whether its clock is synchronised (adjtimex: Operation not permitted)"
    )


def test_a_library_without_the_call_is_not_taken_for_synchronised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_options: object())
    state = read_clock()
    assert not state.synchronised
    assert "adjtimex" in state.text


def test_this_machine_answers_one_way_or_the_other() -> None:
    state = read_clock()
    if state.synchronised:
        assert re.fullmatch(r"synchronised, maximum error [\d.]+ ms", state.text)
    else:
        assert re.fullmatch(r"the kernel (says|does not say) .*\(adjtimex: .+\)", state.text)


def test_the_structure_holds_what_the_kernel_writes() -> None:
    """208 bytes where a long has 64 bits, 128 where it has 32; the result agrees with the bits that were read."""
    assert ctypes.sizeof(clock._Timex) == {8: 208, 4: 128}[ctypes.sizeof(ctypes.c_long)]
    timex = clock._Timex()
    result = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if result < 0:
        assert ctypes.get_errno() in {errno.EPERM, errno.ENOSYS}
        return
    assert 0 <= result <= TIME_ERROR
    assert not timex.status & STA_UNSYNC or result == TIME_ERROR
    assert timex.max_error >= 0
    assert 9_000 <= timex.tick <= 11_000
    assert timex.precision == 1
