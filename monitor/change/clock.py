"""Whether the kernel holds its clock for right: windows and signed times are worth no more than the clock is."""

import ctypes
import os
from typing import NamedTuple

_STA_UNSYNC = 0x0040
_STA_CLOCKERR = 0x1000
_TIME_ERROR = 5
"""linux/timex.h, adjtimex(2)."""


class ClockState(NamedTuple):
    """What the kernel says of its clock: whether something keeps it right, and how far off it may be, for people."""

    synchronised: bool
    text: str


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2), bits/timex.h; ``max_error`` is in microseconds whatever the status says."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("max_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("fraction", ctypes.c_long),
        ("tick", ctypes.c_long),
        ("pps_frequency", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stability", ctypes.c_long),
        ("jitter_count", ctypes.c_long),
        ("calibrations", ctypes.c_long),
        ("calibration_errors", ctypes.c_long),
        ("stability_errors", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


def read_clock() -> ClockState:
    """Ask the kernel by adjtimex(2), which changes nothing and does not block.

    Where the question is not allowed (a seccomp profile) or not known, the clock counts as not synchronised.
    """
    timex = _Timex()
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError) as error:
        return refused(str(error))
    state = adjtimex(ctypes.byref(timex))
    if state < 0:
        return refused(os.strerror(ctypes.get_errno()))
    return decode(state, timex.status, timex.max_error)


def decode(state: int, status: int, max_error: int) -> ClockState:
    """Return what adjtimex(2) said: its result, the STA_ bits and the maximum error in microseconds."""
    if status & _STA_UNSYNC:
        return ClockState(
            synchronised=False, text="the kernel says that its clock is not synchronised (adjtimex: STA_UNSYNC)"
        )
    if state == _TIME_ERROR:
        why = "STA_CLOCKERR" if status & _STA_CLOCKERR else f"TIME_ERROR, status 0x{status:04x}"
        return ClockState(synchronised=False, text=f"the kernel says that its clock is in error (adjtimex: {why})")
    return ClockState(synchronised=True, text=f"synchronised, maximum error {_milliseconds(max_error)} ms")


def refused(reason: str) -> ClockState:
    """Return the state of a clock that the kernel says nothing about, and why it does not."""
    return ClockState(
        synchronised=False, text=f"the kernel does not say whether its clock is synchronised (adjtimex: {reason})"
    )


def _milliseconds(microseconds: int) -> str:
    return f"{microseconds / 1000:.0f}" if microseconds >= 1000 else f"{microseconds / 1000:g}"
