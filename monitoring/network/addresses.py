"""Where somebody listens, as settings and brokers write it. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MAX_PORTS: Final = 512
"""of all ranges together: a sweep is a look at the usual places, no scan"""
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?|\[?[0-9A-Fa-f:]{2,45}\]?")
_RANGE: Final = re.compile(r"([0-9]{1,5})(-([0-9]{1,5}))?")
_MOST: Final = 65_535


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A host's name or number, without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """`host:port`, as a label and a line of the log name a listener."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine is meant."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def address(text: str) -> Address:
    """Read `host:port`. Raises ValueError."""
    host, _, port = text.strip().rpartition(":")
    return checked(host, int(port) if port.isascii() and port.isdecimal() and len(port) <= len(str(_MOST)) else 0)


def checked(host: str, port: int) -> Address:
    """An address of a text that a stranger may have written. Raises ValueError."""
    if not _HOST.fullmatch(host) or not 0 < port <= _MOST:
        raise ValueError("an address is host:port")
    return Address(host.strip("[]"), port)


def addresses(text: str) -> tuple[Address, ...]:
    """Read `host:port[,host:port...]`, each once, in order. Raises ValueError."""
    return tuple(dict.fromkeys(address(each) for each in text.split(",") if each.strip()))


def ports(text: str) -> tuple[int, ...]:
    """Read `9092,9090-9099`, ascending. Raises ValueError, also for more than 512 ports."""
    found: set[int] = set()
    for each in filter(None, (part.strip() for part in text.split(","))):
        read = _RANGE.fullmatch(each)
        first = int(read[1]) if read else 0
        last = int(read[3] or first) if read else 0
        if not 0 < first <= last <= _MOST or last - first >= MAX_PORTS:
            raise ValueError("ports are numbers and ranges, as 9092,9090-9099")
        found.update(range(first, last + 1))
    if len(found) > MAX_PORTS:
        raise ValueError(f"{MAX_PORTS} ports at most")
    return tuple(sorted(found))


def hosts(known: Iterable[Address]) -> tuple[str, ...]:
    """The hosts of listeners, each once."""
    return tuple(dict.fromkeys(each.host for each in known))
