"""Runs the analysis until it is stopped, or until it has analysed everything up to a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar, Final

from consumers.patience import Patience, sleep
from hub.envelope.times import to_ms
from hub.facts import Alarm, Observer, Ready
from hub.operations import Note
from hub.role import Role
from hub.transport.errors import BrokerUnavailable, from_client, translate
from monitoring.analysis.application import Work
from monitoring.analysis.bounded import done_before, ended
from monitoring.analysis.findings import FILE, FindingStore
from monitoring.analysis.settings import AnalysisSettings
from monitoring.analysis.telling import Teller
from schemas.errors import HubError

CONDITION: Final = "windows"
"""ready once the state of the windows is there again"""
STAGE: Final = "analysis"
TICK_SECONDS: Final = 5.0
_CONDITIONS_SECONDS: Final = 60.0
_START_SECONDS: Final = 120.0
_TICK_LIMIT_SECONDS: Final = 60.0
"""a tick asks brokers and waits until they hold a record"""
_STOP_SECONDS: Final = 8.0
"""with the farewell of the process less than whoever stops it waits"""


class ApplicationLeft(HubError):
    """Faust's application did not stop in time: it lives on beside us, and may still write what is out of date."""

    code: ClassVar[str] = "analysis.left"
    hint: ClassVar[str] = "The process begins anew by itself, from its state."


class Analysis:
    """`await Analysis(role, settings, observer, note, now).run(stop)`. `now` gives aware times."""

    def __init__(
        self,
        role: Role,
        settings: AnalysisSettings,
        observer: Observer,
        note: Note,
        now: Callable[[], datetime],
        *,
        until: datetime | None = None,
        tick_seconds: float = TICK_SECONDS,
    ) -> None:
        """Read the list of erased submissions; raises ErasedUnreadable. With `until`, run to that moment's end."""
        self._role = role
        self._settings = settings
        self._observer = observer
        self._note = note
        self._clock = now
        self._until = until
        self._tick = tick_seconds
        self._conditions = settings.conditions()

    def _now(self) -> datetime:
        now = self._clock()
        return now if self._until is None else min(now, self._until)

    async def run(self, stop: asyncio.Event) -> None:
        """Analyse. While Kafka is away it waits and begins again from its state; raises what will not heal."""
        patience = Patience(STAGE, self._observer)
        with FindingStore(self._role.state_directory / FILE) as store:
            store.forget(self._clock() - timedelta(days=self._settings.retention_days))
            teller = Teller(store, self._note, self._observer, self._clock)
            await patience.while_going(CONDITION, lambda going: self._once(teller, going, stop), stop)

    async def _once(self, teller: Teller, going: Callable[[], None], stop: asyncio.Event) -> bool:
        """One life of a Faust application."""
        work = Work(
            self._role,
            self._settings,
            lambda: self._conditions,
            self._observer,
            teller,
            lambda: to_ms(self._now()),
            lambda: to_ms(self._clock()),
        )
        try:
            await self._lived(work, going, stop)
        except (HubError, asyncio.CancelledError):
            raise
        except Exception as error:
            if work.failed.done() and not from_client(error):  # an agent's own mistake is no trouble of the brokers
                raise
            raise translate(error) from error
        finally:
            if not await ended(work.app.stop(), _STOP_SECONDS) and not stop.is_set():
                raise ApplicationLeft
        return True

    async def _lived(self, work: Work, going: Callable[[], None], stop: asyncio.Event) -> None:
        if not await done_before(work.app.start(), stop, _START_SECONDS, "analysis (start)"):
            return
        self._observer(Ready(CONDITION, True))
        going()
        read = asyncio.get_running_loop().time()
        while not stop.is_set():
            _look(work)
            tick = work.tick(final=self._now() == self._until)
            try:
                if not await done_before(tick, stop, _TICK_LIMIT_SECONDS, "analysis (tick)"):
                    return
            except BrokerUnavailable:
                _look(work)  # what ended the application says more than that it has ended
                raise
            watermark = work.watermark()
            if self._until is not None and watermark is not None and watermark >= to_ms(self._until):
                return
            if asyncio.get_running_loop().time() - read > _CONDITIONS_SECONDS:
                read = asyncio.get_running_loop().time()
                self._reread()
            await sleep(stop, self._tick)

    def _reread(self) -> None:
        """Take on a list of erased submissions that has grown; the one before counts while it cannot be read."""
        try:
            self._conditions = self._settings.conditions()
        except HubError as problem:
            self._observer(Alarm(problem.code, STAGE))


def _look(work: Work) -> None:
    """Raise what ended an agent or the application."""
    if work.failed.done():
        work.failed.result()
    if work.app.crashed:
        raise work.app.crash_reason or BrokerUnavailable("analysis")
