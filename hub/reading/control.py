"""Follows `<ns>.control`: how a running role learns that tenants and keys came or went.

    catch up ─> the newest value per key ─> signed by a pinned administrator? newer than all seen? ─> the role's own

The topic only carries; what counts is the signature and the serial (`hub.standing`). An older list, a forged
one or garbage changes nothing and rings once. A role that is withdrawn hears `RoleWithdrawn` and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, Protocol

from hub.crypto.identity import IdentityKey
from hub.envelope.declared import StandingReport
from hub.facts import Alarm, Observer, StandingTaken
from hub.reading.errors import ControlUnavailable
from hub.reading.following import Follower, OpenReader, reader_of
from hub.standing import Standing
from hub.transport import BatchWriter, Endpoint, KafkaRecord, Outgoing
from schemas.errors import HubError
from topics import names

TRUST_KEY: Final = b"trust"
DECLARATION_KEY: Final = b"declaration"
REPORTS: Final = 0
"""the partition of `<ns>.operations` that reports of standing lie on"""
Report = Callable[[], Awaitable[None]]
_LOOK_SECONDS: Final = 1.0
_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 5.0)


class ControlledRole(Protocol):
    """What is needed of a `hub.role.Role`."""

    @property
    def principal(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def instance(self) -> str: ...
    @property
    def identity(self) -> IdentityKey: ...
    @property
    def standing(self) -> Standing: ...

    def take_trust(self, value: bytes) -> bool: ...
    def take_declaration(self, value: bytes) -> bool: ...


class Control:
    """Keeps one role's standing up to date. `first` before work, `follow` beside it, `close` after it."""

    def __init__(
        self,
        role: ControlledRole,
        observer: Observer,
        *,
        report: Report | None = None,
        open_reader: OpenReader | None = None,
    ) -> None:
        """Nothing is connected before `first` or `refresh`; `role.catch_up` asks us from then on.

        `report` tells the administrator what was taken.
        """
        self._report = report
        self._role = role
        self._observer = observer
        self._newest: dict[bytes, bytes] = {}
        self._judged: dict[bytes, bytes] = {}
        self._taking = asyncio.Lock()
        self._follower = Follower(
            [names.control(role.namespace)], open_reader or reader_of(role.endpoint), self._take, ControlUnavailable
        )

    def _take(self, record: KafkaRecord) -> None:
        if record.key in (TRUST_KEY, DECLARATION_KEY) and record.key is not None and record.value is not None:
            self._newest[record.key] = record.value

    async def refresh(self) -> None:
        """Read to the present end of the topic and take on what is newer.

        Raises ControlUnavailable, RoleWithdrawn, RoleChanged.
        """
        await self._follower.catch_up()
        async with self._taking:
            taken = False
            # the list before the declaration: a tenant that is declared has its senders known
            for key, take in ((TRUST_KEY, self._role.take_trust), (DECLARATION_KEY, self._role.take_declaration)):
                taken |= await self._judge(key, take)
            if taken:
                await self._tell()

    async def _judge(self, key: bytes, take: Callable[[bytes], bool]) -> bool:
        value = self._newest.get(key)
        if value is None or self._judged.get(key) == value:
            return False
        try:
            news = await asyncio.to_thread(take, value)
        except HubError as problem:
            if problem.code.startswith("role."):
                raise
            self._observer(Alarm(problem.code, f"{self._role.principal} {key.decode()}"))
            news = False
        except OSError:  # it could not be kept, so it is not taken: the next look tries again
            self._observer(Alarm("standing.not-kept", f"{self._role.principal} {key.decode()}"))
            return False
        self._judged[key] = value
        return news

    async def _tell(self) -> None:
        standing = self._role.standing
        tenants = tuple(tenant.code for tenant in standing.topology.tenants)
        self._observer(StandingTaken(standing.trust.serial, standing.declaration_serial, tenants))
        if self._report is not None:
            try:
                await self._report()
            except HubError as problem:  # whoever waits for it goes on without
                self._observer(Alarm(problem.code, f"{self._role.principal} report"))

    async def first(self, stop: asyncio.Event) -> bool:
        """Catch up before anything is judged; waits for the brokers. False if stopped before.

        Raises RoleWithdrawn, RoleChanged, NotAuthorized.
        """
        self._role.standing.ask = self.refresh
        attempt = 0
        while not stop.is_set():
            try:
                await self.refresh()
            except ControlUnavailable as problem:
                if not attempt:
                    self._observer(Alarm(problem.code, self._role.principal))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _PAUSES[min(attempt, len(_PAUSES) - 1)])
                attempt += 1
            else:
                await self._tell()
                return True
        return False

    async def follow(self, stop: asyncio.Event) -> None:
        """Look every second until `stop`. Raises RoleWithdrawn, RoleChanged."""
        silent = False
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
                return
            try:
                await self.refresh()
            except ControlUnavailable as problem:
                if not silent:
                    self._observer(Alarm(problem.code, self._role.principal))
                silent = True
            else:
                silent = False

    async def close(self) -> None:
        """Disconnect."""
        await self._follower.close()


def reporter(role: ControlledRole) -> Report:
    """Return what writes a signed `StandingReport` to `<ns>.operations`."""

    async def report() -> None:
        standing = role.standing
        said = StandingReport(
            role.principal,
            role.instance,
            role.namespace,
            standing.trust.serial,
            standing.declaration_serial,
            datetime.now(UTC),
        )
        async with BatchWriter(role.endpoint) as writer:
            record = Outgoing(said.key.encode(), said.sign(role.identity))
            await writer.write(names.operations(role.namespace), REPORTS, [record])

    return report


@asynccontextmanager
async def caught_up(role: ControlledRole, observer: Observer) -> AsyncIterator[None]:
    """Catch up now, and within the context whenever somebody asks the role to: for a command that ends.

    Raises ControlUnavailable, RoleWithdrawn, RoleChanged.
    """
    control = Control(role, observer)
    role.standing.ask = control.refresh
    try:
        await control.refresh()
        yield
    finally:
        await control.close()


async def kept_current(
    role: ControlledRole,
    observer: Observer,
    stop: asyncio.Event,
    work: Callable[[], Awaitable[None]],
    *,
    report: Report | None = None,
) -> None:
    """Catch up, then work with `follow` beside it; a role that is withdrawn stops its work in order, then raises."""
    control = Control(role, observer, report=report)
    ended: list[Exception] = []

    async def follow() -> None:
        try:
            await control.follow(stop)
        except Exception as problem:  # noqa: BLE001 - raised below: nobody works on who hears nothing any more
            ended.append(problem)
            stop.set()

    try:
        if not await control.first(stop):
            return
        following = asyncio.create_task(follow(), name="control")
        try:
            await work()
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    finally:
        await control.close()
    if ended:
        raise ended[0]
