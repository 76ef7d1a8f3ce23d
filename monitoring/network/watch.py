"""The monitor's part of the network watch: a round of all controls every interval, and what to make of it.

A control that lets somebody in rings at once. One that could not be tried rings when that happens twice in a row, and
is told as unknown from the first time on: it never counts as refused.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Final, Protocol

from hub.control_certificates import PROBES
from hub.envelope.trust import Trust
from hub.facts import Alarm, Observer, Ready
from hub.settings import WatchSettings
from hub.transport import TlsIdentity
from monitoring.network.addresses import Address, addresses, ports
from monitoring.network.aside import Aside, pause
from monitoring.network.controls import Places, Round, certificates, one_round, scraped, side_by_side
from monitoring.network.facts import ControlJudged, ListenerUndeclared, PathHeard, RoundEnded
from monitoring.network.heard import Hearing, Page, expected, pages, told
from monitoring.network.judgement import Control, Tried, Verdict, by_control, worst
from monitoring.network.line import Ended
from monitoring.network.own_path import HEARING_SECONDS, OwnPath
from monitoring.network.own_path import Path as OwnWay
from schemas.errors import HubError
from topics.layout import Topology

SECONDS: Final = 5.0
"""the deadline of one attempt"""
SILENT_ROUNDS: Final = 3
"""after so many intervals without a word somebody is silent"""
SCRAPES: Final = 1
"""a process that is asked for metrics by who may not, in each round: below what its own alert takes for an attack"""
FIRST_SCRAPES: Final = 64
"""and of those that were never asked"""
_REFUSED: Final = Verdict.REFUSED
_LONGEST_ROUND: Final = 120.0


class WatchSettingsInvalid(HubError):
    """A setting of the network watch cannot be read."""

    code: ClassVar[str] = "watch.settings"
    hint: ClassVar[str] = "Addresses are host:port[,host:port...], ports are 9092,9090-9099: docs/network-watch.md."


class WatchingRole(Protocol):
    """What is needed of the monitor's `hub.role.Role`."""

    @property
    def principal(self) -> str: ...
    @property
    def bootstrap(self) -> str: ...
    @property
    def directory(self) -> Path: ...
    @property
    def tls(self) -> TlsIdentity: ...
    @property
    def topology(self) -> Topology: ...
    @property
    def trust(self) -> Trust: ...


def places(bootstrap: str, settings: WatchSettings) -> Places:
    """Where to try: the declared brokers, or the bootstrap where none are declared. Raises WatchSettingsInvalid."""
    try:
        return Places(
            addresses(settings.watch_brokers or bootstrap),
            addresses(settings.watch_also),
            ports(settings.watch_ports),
            settings.watch_here,
        )
    except ValueError as problem:
        raise WatchSettingsInvalid(str(problem)) from None


@dataclass(frozen=True, slots=True)
class Found:
    """What a round found: attempts, visits as ourselves, and who of those expected was heard (None: nobody asked)."""

    tried: tuple[Tried, ...]
    round: Round | None
    heard: dict[str, bool] | None


class NetworkWatch:
    """`await NetworkWatch(role, observer, settings).run(stop)`, or `once` for a look now."""

    def __init__(
        self,
        role: WatchingRole,
        observer: Observer,
        settings: WatchSettings,
        *,
        seconds: float = SECONDS,
        hearing_seconds: float = HEARING_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is connected before `run`. Raises WatchSettingsInvalid.

        `seconds` is the deadline of an attempt; so many `hearing_seconds` rights may be ahead of their declaration.
        """
        self._role = role
        self._observe = observer
        self._settings = settings
        self._seconds = seconds
        self._patience = hearing_seconds
        self._now = now
        self._places = places(role.bootstrap, settings)
        self._aside = Aside("network-watch")
        self._turn = 0
        self._hearing = Hearing(SILENT_ROUNDS * settings.watch_seconds + 2 * SECONDS, clock)
        self._open: set[tuple[Control, str]] = set()
        self._verdicts: dict[Control, Verdict] = {}
        self._rang_unknown: set[Control] = set()
        self._silent: dict[str, bool] = {}
        self._unheard = False
        self._scratch: Path | None = None
        self._scrapes: dict[Address, list[Tried]] = {}
        self._own = OwnPath(role, observer, 0)

    async def run(self, stop: asyncio.Event) -> None:
        """A round every interval until `stop`; with an interval of 0 none."""
        if not self._settings.watch_seconds:
            self._observe(Ready("network", True))
            return
        ready = False
        try:
            while not stop.is_set():
                began = time.monotonic()
                await self.once(stop)
                if not ready:
                    self._observe(Ready("network", True))
                ready = True
                spread = self._settings.watch_seconds * random.uniform(0.95, 1.05)  # noqa: S311 - no secret
                await pause(stop, max(0.1, spread - (time.monotonic() - began)))
        finally:
            self.close()

    def close(self) -> None:
        """Throw away what was made for the attempts."""
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    async def once(self, stop: asyncio.Event | None = None) -> Found:
        """Do one round now, tell what it found, and return it."""
        found = await self._look()
        if _may_be_new(found.tried) and await self._declared_anew(stop or asyncio.Event()):
            found = await self._look()
        self._turn += 1
        self._tell(found)
        return found

    async def _look(self) -> Found:
        topology, trust = self._role.topology, self._role.trust
        try:
            return await self._aside.run(lambda: self._round(topology, trust), _LONGEST_ROUND)
        except Ended as end:
            code = f"{end.came.value}-{end.code}" if end.code else end.came.value
        except Exception:  # noqa: BLE001 - a round that failed has refused nothing, and the watch goes on
            code = "failed"
        nothing = [
            Tried(control, str(address), Verdict.UNKNOWN, code)
            for address in self._places.brokers
            for control in Control
            if control is not Control.SCRAPE
        ]
        return Found(tuple(nothing), None, None)

    def _round(self, topology: Topology, trust: Trust) -> Found:
        """The whole round; blocks."""
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="eltax-hub-watch-"))
        known = certificates(self._role.tls, self._role.directory / PROBES, self._scratch)
        done = one_round(self._places, known, topology, self._turn, seconds=self._seconds)
        if self._settings.watch_targets is None:
            return Found(done.tried, done, None)
        try:
            where = pages(self._settings.watch_targets)
        except Ended:
            where = {}
        said = dict(zip(where, side_by_side(self._asked, list(where.items())), strict=True))
        wanted = expected(topology, trust, _names(self._settings.watch_expected)) - {self._role.principal}
        heard = self._hearing.judge(wanted, {name: moment for name, moment in said.items() if moment})
        ends = self._whom_to_scrape(list(dict.fromkeys(page.address for page in where.values())))
        for end, each in zip(
            ends, side_by_side(lambda end: scraped(end, known, seconds=self._seconds), ends), strict=True
        ):
            failed = [Tried(Control.SCRAPE, str(end), Verdict.UNKNOWN, "failed")]
            self._scrapes[end] = failed if each is None else each
        return Found((*done.tried, *(one for each in self._scrapes.values() for one in each)), done, heard)

    def _whom_to_scrape(self, ends: list[Address]) -> list[Address]:
        """A few in turn, for each attempt is a line in the log of a process; and again all that did not refuse."""
        self._scrapes = {end: found for end, found in self._scrapes.items() if end in ends}
        never = [end for end in ends if end not in self._scrapes]
        again = [end for end, found in self._scrapes.items() if worst(each.verdict for each in found) is not _REFUSED]
        turn = [ends[(self._turn * SCRAPES + number) % len(ends)] for number in range(min(SCRAPES, len(ends)))]
        return list(dict.fromkeys((*again, *turn, *never[:FIRST_SCRAPES])))

    def _asked(self, named: tuple[str, Page]) -> str:
        try:
            return told(named[1], self._role.tls, seconds=self._seconds)
        except Ended:
            return ""

    async def _declared_anew(self, stop: asyncio.Event) -> bool:
        """Say whether another topology holds in a moment: rights come before the declaration that gives them."""
        before, until = self._role.topology, time.monotonic() + self._patience
        while self._role.topology is before and not stop.is_set() and time.monotonic() < until:
            await pause(stop, 0.5)
        return self._role.topology is not before

    # telling

    def _tell(self, found: Found) -> None:
        self._tell_open(found)
        for address, seen in found.round.visits.items() if found.round else ():
            self._own.tell(address, OwnWay(seen))
        judged = by_control(found.tried)
        gone = [Tried(control, "", Verdict.UNKNOWN, "untried") for control in self._verdicts if control not in judged]
        tried = (*found.tried, *gone)
        for control, verdict in by_control(tried).items():
            first = next(each for each in tried if each.control is control and each.verdict is verdict)
            before = self._verdicts.get(control)
            self._observe(
                ControlJudged(control.value, verdict, first.code, first.listener, changed=verdict is not before)
            )
            if verdict is Verdict.UNKNOWN and before is Verdict.UNKNOWN and control not in self._rang_unknown:
                self._rang_unknown.add(control)
                self._observe(Alarm("watch.control-unknown", control.value))
            elif verdict is not Verdict.UNKNOWN:
                self._rang_unknown.discard(control)
            self._verdicts[control] = verdict
        self._tell_heard(found.heard)
        unknown = sum(1 for each in tried if each.verdict is Verdict.UNKNOWN)
        refused = all(each.verdict is Verdict.REFUSED for each in tried)
        self._observe(RoundEnded(self._now().timestamp(), len(tried), unknown, refused))

    def _tell_open(self, found: Found) -> None:
        """The loudest: whatever lets in whom it must refuse, each listener by its name."""
        still = {(each.control, each.listener): each.code for each in found.tried if each.verdict is Verdict.ACCEPTED}
        for control, listener in sorted(still.keys() - self._open):
            if control is Control.UNDECLARED:
                self._observe(ListenerUndeclared(listener, still[control, listener]))
            self._observe(Alarm("watch.control-open", f"{control.value} {listener}"))
        self._open = set(still)

    def _tell_heard(self, heard: dict[str, bool] | None) -> None:
        if heard is None:
            if not self._unheard:
                self._unheard = True
                self._observe(Alarm("watch.paths-unheard", "HUB_WATCH_TARGETS"))
            return
        for principal, lately in sorted(heard.items()):
            changed = self._silent.get(principal, True) is not lately
            self._observe(PathHeard(principal, lately, changed))
            if changed and not lately:
                self._observe(Alarm("watch.path-silent", principal))
        self._silent = heard


def _may_be_new(tried: tuple[Tried, ...]) -> bool:
    """Whether somebody sees what was perhaps declared only now."""
    return any(each.control is Control.RIGHTS and each.code == "sees-topics" for each in tried)


def _names(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())
