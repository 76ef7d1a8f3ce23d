"""What brokers' logs said in one interval, counted: a flood of lines becomes a few. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.control_certificates import CANARY
from hub.envelope.operations import Kind, Operation
from monitoring.operations.broker_lines import OTHER, Connected, Denied, HandshakeRefused, Seen, Unread
from monitoring.operations.facts import BrokerSeen
from monitoring.operations.peers import Expected, Peer, judge_peer

MAX_KEYS: Final = 200
"""different lines of an interval; what is beyond is counted in one of its kind that names nobody"""
SUMMARY_SECONDS: Final = 600.0
"""how often it is said again that a known peer connected; a super-user's connections are said in every interval"""
MAX_PAIRS: Final = 2_000
_Key = tuple[Kind, str, str, str, str, str]
"""kind, outcome, actor, address, about, code"""


@dataclass(slots=True)
class _Count:
    at: datetime
    count: int = 0


class Tally:
    """One interval. `add` what was seen, then ask once for `operations` and `fact`."""

    def __init__(
        self, now: datetime, expected: Expected, learned: dict[str, set[str]], declared: Collection[str]
    ) -> None:
        """`learned` is not changed; `declared` are the names of topics, groups and transactional ids."""
        self._now, self._expected, self._declared = now, expected, frozenset(declared)
        self._learned = learned
        self.met: dict[tuple[str, str], None] = {}
        """(principal, address) that are learned from now on"""
        self.unexpected: Counter[tuple[str, str, Peer]] = Counter()
        self.connected: Counter[tuple[str, str]] = Counter()
        self._counts: dict[_Key, _Count] = {}
        self._denials: Counter[str] = Counter()
        self._handshakes: Counter[str] = Counter()
        self._unread = 0

    def add(self, seen: Seen) -> None:
        """Count one line."""
        if isinstance(seen, Denied):
            known = seen.principal in self._expected.instances or seen.principal == CANARY
            self._denials[seen.principal if known else OTHER] += 1
            resource = seen.resource if seen.resource in self._declared else OTHER
            about = f"{seen.kind}:{resource}"
            self._count((Kind.DENIED, "denied", _named(seen.principal), seen.address, about, seen.operation), seen.at)
        elif isinstance(seen, HandshakeRefused):
            self._handshakes[seen.reason] += 1
            self._count((Kind.HANDSHAKE_REFUSED, "refused", "", seen.address, "", seen.reason), seen.at)
        elif isinstance(seen, Connected):
            self._connection(seen)
        elif isinstance(seen, Unread):
            self._unread += 1

    def _connection(self, seen: Connected) -> None:
        learned = self._learned.get(seen.principal, set()) | {
            address for principal, address in self.met if principal == seen.principal
        }
        peer = judge_peer(seen.principal, seen.address, self._expected, learned)
        if peer.unexpected:
            key = (Kind.PEER_UNEXPECTED, "unexpected", _named(seen.principal), seen.address, "", peer.value)
            self._count(key, seen.at)
            self.unexpected[seen.principal, seen.address, peer] += 1
            return
        if peer is Peer.NEW:
            self.met[seen.principal, seen.address] = None
        if len(self.connected) < MAX_KEYS or (seen.principal, seen.address) in self.connected:
            self.connected[seen.principal, seen.address] += 1

    def _count(self, key: _Key, at: datetime | None) -> None:
        if key not in self._counts and len(self._counts) >= MAX_KEYS:
            key = (key[0], key[1], "", OTHER, "", OTHER)
        found = self._counts.setdefault(key, _Count(at or self._now))
        found.count += 1

    def operations(self) -> list[Operation]:
        """The lines of the interval, but those of expected connections."""
        return [
            Operation(kind, each.at, outcome, actor, address, about=about, code=code, count=each.count)
            for (kind, outcome, actor, address, about, code), each in self._counts.items()
        ]

    def fact(self) -> BrokerSeen:
        """The numbers of the interval."""
        return BrokerSeen(dict(self._denials), dict(self._handshakes), sum(self.unexpected.values()), self._unread)


def _named(principal: str) -> str:
    return "" if principal == OTHER else principal


class Connections:
    """Says that a peer connected: at once the first time, then once in a while with a count. Bounded."""

    def __init__(self) -> None:
        """Nobody has connected yet."""
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def take(
        self, connected: Counter[tuple[str, str]], always: Collection[str], at: datetime, clock: float
    ) -> list[Operation]:
        """Return the lines to write now, `clock` seconds after some moment; `always` names super-users."""
        found = []
        for pair, count in connected.items():
            told, held = self._said.get(pair, (float("-inf"), 0))
            if pair[0] in always or clock - told >= SUMMARY_SECONDS:
                found.append(_line(pair, held + count, at))
                self._said.pop(pair, None)
                self._said[pair] = (clock, 0)
            else:
                self._said[pair] = (told, held + count)
        late = [pair for pair, (told, held) in self._said.items() if held and clock - told >= SUMMARY_SECONDS]
        for pair in late:
            found.append(_line(pair, self._said[pair][1], at))
            self._said[pair] = (clock, 0)
        for pair in list(self._said)[: max(0, len(self._said) - MAX_PAIRS)]:
            del self._said[pair]
        return found


def _line(pair: tuple[str, str], count: int, at: datetime) -> Operation:
    return Operation(Kind.CONNECTED, at, actor=_named(pair[0]), address=pair[1], about="brokers", count=count)
