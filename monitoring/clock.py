"""What the kernel knows of the difference between this machine's clock and true time: adjtimex(2), read only.

The kernel is told by whatever keeps the clock (chrony, ntpd, systemd-timesyncd, a hypervisor's tools). Kafka's protocol
has no clock that could be asked, and times in records are their senders'; so this is the honest source (decision 0212).
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Final

_UNSYNCHRONISED: Final = 0x0040
_NANOSECONDS: Final = 0x2000


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("sec", ctypes.c_long),
        ("usec", ctypes.c_long),
        ("tick", ctypes.c_long),
        ("rest", ctypes.c_byte * 256),
    )


@dataclass(frozen=True, slots=True)
class ClockState:
    """By how much the clock is still to be corrected, how wrong it may be at most, and whether anybody keeps it."""

    offset_seconds: float
    max_error_seconds: float
    synchronised: bool


def clock_state() -> ClockState | None:
    """Ask the kernel; None where it cannot be asked. Changes nothing, needs no privilege."""
    if not sys.platform.startswith("linux"):
        return None
    said = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(said)) < 0:
        return None
    return read_state(said.offset, said.maxerror, said.status)


def read_state(offset: int, max_error_us: int, status: int) -> ClockState:
    """Make sense of the kernel's numbers: the offset is in nanoseconds or microseconds, as the status says."""
    unit = 1e-9 if status & _NANOSECONDS else 1e-6
    return ClockState(offset * unit, max_error_us * 1e-6, not status & _UNSYNCHRONISED)
