"""Runs the analysis until it is stopped, or until it has analysed everything up to a moment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Final

from consumers.patience import Patience, sleep
from hub.envelope.times import to_ms
from hub.facts import Alarm, Observer, Ready
from hub.operations import Note
from hub.role import Role
from hub.transport.errors import BrokerUnavailable, from_client, translate
from monitoring.analysis.application import Work
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
_TICK_SECONDS: Final = 60.0
"""a tick asks brokers and waits until they hold a record"""
_STOP_SECONDS: Final = 20.0


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
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_STOP_SECONDS):
                    await work.app.stop()
        return True

    async def _lived(self, work: Work, going: Callable[[], None], stop: asyncio.Event) -> None:
        if not await _before(work.app.start(), stop, _START_SECONDS, "analysis (start)"):
            return
        self._observer(Ready(CONDITION, True))
        going()
        read = asyncio.get_running_loop().time()
        while not stop.is_set():
            if work.failed.done():
                work.failed.result()
            if work.app.crashed:
                raise work.app.crash_reason or BrokerUnavailable("analysis")
            if not await _before(work.tick(final=self._now() == self._until), stop, _TICK_SECONDS, "analysis (tick)"):
                return
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


async def _before(work: Coroutine[Any, Any, None], stop: asyncio.Event, seconds: float, what: str) -> bool:
    """Do something that may wait for brokers without end; return whether it was done, False if we were stopped before.

    Raises BrokerUnavailable when it takes longer than `seconds`, and what it raises.
    """
    working, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    working.add_done_callback(lambda task: task.cancelled() or task.exception())  # when nobody waits for it any more
    try:
        await asyncio.wait((working, stopped), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
            return True
        if stop.is_set():
            return False
        raise BrokerUnavailable(what)
    finally:
        working.cancel()
        stopped.cancel()
