"""A role's own way to the brokers, tried by the role itself: nobody else has its certificate, and nobody should.

Every interval, at every broker: TCP, a verified TLS 1.3 handshake with the role's certificate, and one request whose
answer also says what topics Kafka shows to this role. What it is shown and was never declared is a right too many.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from hub.facts import Alarm, Observer
from hub.transport import TlsIdentity
from monitoring.network.addresses import Address, addresses
from monitoring.network.aside import Aside, pause
from monitoring.network.deeds import beyond, excess
from monitoring.network.facts import PathProbed, RoundEnded, TlsSeen
from monitoring.network.line import Came, Ended
from monitoring.network.reach import Visit, visit
from topics.layout import Topology

SECONDS: Final = 5.0
"""the deadline of one visit"""
MAX_BROKERS: Final = 64
_FIRST_WITHIN: Final = 3.0
"""seconds after its start in which a role probes for the first time"""
_SPREAD: Final = 0.1
HEARING_SECONDS: Final = 10.0
"""in which a role has heard of the declaration that goes with its rights"""
EXPIRED: Final = f"{Came.UNVERIFIED.value}-expired"
EXCESS: Final = "rights-excess"


class PathRole(Protocol):
    """What is needed of a `hub.role.Role`."""

    @property
    def principal(self) -> str: ...
    @property
    def bootstrap(self) -> str: ...
    @property
    def tls(self) -> TlsIdentity: ...
    @property
    def topology(self) -> Topology: ...


@dataclass(frozen=True, slots=True)
class Path:
    """What was seen of one listener: the visit, and topics beyond what is declared."""

    visit: Visit
    beyond: tuple[str, ...] = ()

    @property
    def problem(self) -> str:
        """What is wrong, as a code; empty if nothing is."""
        return self.visit.problem or (EXCESS if self.beyond else "")


Paths = dict[Address, Path]


def paths(bootstrap: Sequence[Address], tls: TlsIdentity, topology: Topology, principal: str) -> Paths:
    """Visit every broker of the bootstrap and of the metadata, one after another. Never raises."""
    declared = beyond(topology, principal).shown
    found: Paths = {}
    todo = list(bootstrap)
    while todo and len(found) < MAX_BROKERS:
        address = todo.pop(0)
        if address not in found:
            seen = visit(address, tls, seconds=SECONDS, metadata=True)
            found[address] = Path(seen, excess(seen.cluster.topics, declared) if seen.cluster else ())
            todo += seen.cluster.brokers if seen.cluster else ()
    return found


class OwnPath:
    """`await OwnPath(role, observer, seconds).run(stop)` beside the role's work, which it cannot disturb."""

    def __init__(
        self,
        role: PathRole,
        observer: Observer,
        interval_seconds: float,
        *,
        hearing_seconds: float = HEARING_SECONDS,
        now: Callable[[], float] = lambda: datetime.now(UTC).timestamp(),
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Nothing is connected before `run`; with an interval of 0 nothing ever. `now` is Unix time."""
        self._role = role
        self._observe = observer
        self._interval = interval_seconds
        self._patience = hearing_seconds
        self._now = now
        self._chance = chance
        self._bootstrap: tuple[Address, ...] = ()
        with contextlib.suppress(ValueError):  # `run` says so; the role itself may still make sense of it
            self._bootstrap = addresses(role.bootstrap)
        self._aside = Aside("own-path")
        self._last: dict[Address, str] = {}
        self._tls: dict[Address, tuple[str, str]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Probe until `stop`. Raises nothing: a watcher must not stop the work."""
        if not self._interval:
            return
        if not self._bootstrap:
            self._observe(Alarm("watch.settings", "HUB_BOOTSTRAP"))
            return
        await pause(stop, self._chance() * min(_FIRST_WITHIN, self._interval))
        while not stop.is_set():
            await self.once(stop)
            await pause(stop, self._interval * (1 + _SPREAD * (2 * self._chance() - 1)))

    async def once(self, stop: asyncio.Event) -> Paths:
        """Probe now and tell what was seen."""
        found = await self._look()
        if any(path.beyond for path in found.values()) and await self._declared_anew(stop):
            found = await self._look()
        for address, path in found.items():
            self.tell(address, path)
        self._observe(RoundEnded(self._now(), len(found), sum(1 for path in found.values() if not path.visit.good)))
        return found

    async def _look(self) -> Paths:
        role = self._role
        longest = SECONDS * max(2, len(self._bootstrap), len(self._last)) * 2
        try:
            return await self._aside.run(
                lambda: paths(self._bootstrap, role.tls, role.topology, role.principal), longest
            )
        except Ended as end:
            gone = Path(Visit(end.came, end.code))
        except Exception:  # noqa: BLE001 - whatever it is: that path was not seen to be good
            gone = Path(Visit(Came.UNTRIED, "failed"))
        return dict.fromkeys(self._bootstrap, gone)

    async def _declared_anew(self, stop: asyncio.Event) -> bool:
        """Say whether another topology holds in a moment: rights come before the declaration that gives them."""
        before, until = self._role.topology, time.monotonic() + self._patience
        while self._role.topology is before and not stop.is_set() and time.monotonic() < until:
            await pause(stop, 0.5)
        return self._role.topology is not before

    def tell(self, address: Address, path: Path) -> None:
        """Tell what was seen of one listener."""
        seen, code = path.visit, path.problem
        changed = self._last.get(address, "") != code
        self._last[address] = code
        until = seen.certificate.not_after.timestamp() if seen.certificate else 0.0
        self._observe(
            PathProbed(
                self._role.principal,
                str(address),
                seen.good,
                code,
                seen.connect_seconds,
                seen.handshake_seconds,
                until,
                changed,
            )
        )
        if seen.protocol:
            spoken, before = (seen.protocol, seen.cipher), self._tls.get(address)
            if before not in (None, spoken):
                self._observe(TlsSeen(str(address), *before, present=False))
            self._tls[address] = spoken
            self._observe(TlsSeen(str(address), *spoken, present=True))
        if changed and code:
            kind = {EXPIRED: "watch.certificate-expired", EXCESS: "watch.rights-excess"}.get(code, "watch.path-down")
            self._observe(Alarm(kind, str(address)))
