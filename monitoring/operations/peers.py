"""Who may connect to the brokers, and from where. Pure.

A principal is expected if it is declared, is a broker or the network watch's canary, or stands in HUB_PEERS. Its
address is expected if HUB_PEERS lists it; where HUB_PEERS says nothing of the principal, the first address of each of
its instances is learned, and any other one is unexpected until an administrator lists it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hub.control_certificates import CANARY
from monitoring.operations.settings import Peers

BROKERS: Final = frozenset({"broker", *(f"broker-{number}" for number in range(1, 10))})
"""whose certificates brokers connect to each other with: one alone, or the members of a cluster"""
OURS: Final = BROKERS | {CANARY}
"""who is in no declaration, and expected: brokers, and the certificate that the network watch is refused with"""


class Peer(StrEnum):
    """What a connection is; the unexpected ones are the codes of their lines."""

    KNOWN = "known"
    NEW = "new"
    """the first one from there, and that is learned"""
    UNDECLARED = "undeclared"
    """a good certificate of a name that nobody has declared"""
    ADDRESS = "address"
    """a declared name, from an address that is not its own"""

    @property
    def unexpected(self) -> bool:
        """Whether a person must look."""
        return self in (Peer.UNDECLARED, Peer.ADDRESS)


@dataclass(frozen=True, slots=True)
class Expected:
    """What is declared now: principals with the number of their instances, and the networks of HUB_PEERS."""

    instances: Mapping[str, int]
    networks: Peers


def judge_peer(principal: str, address: str, expected: Expected, learned: Collection[str]) -> Peer:
    """Judge one connection; `learned` are the addresses that the principal has come from before."""
    if principal not in expected.instances and principal not in expected.networks and principal not in OURS:
        return Peer.UNDECLARED
    networks = expected.networks.get(principal)
    if networks is not None:
        try:
            at = ipaddress.ip_address(address)
        except ValueError:
            return Peer.ADDRESS
        inside = any(at.version == network.version and at in network for network in networks)
        if not inside:
            return Peer.ADDRESS
        return Peer.KNOWN if address in learned else Peer.NEW
    if address in learned:
        return Peer.KNOWN
    return Peer.NEW if len(learned) < max(1, expected.instances.get(principal, 1)) else Peer.ADDRESS
