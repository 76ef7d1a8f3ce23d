"""Waits until running roles say that they have taken a declaration on.

A removed tenant's rights are taken away when the router has let go of it: no transaction of it, which holds
other tenants' events too, is refused then. Who does not answer is not waited for for ever.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from types import TracebackType
from typing import Final, Self

from hub.envelope.declared import StandingReport
from hub.envelope.names import ROUTER
from hub.envelope.trust import Trust
from hub.reading.control import REPORTS
from hub.transport import Endpoint, PartitionReader
from topics import names

_PATIENCE_SECONDS: Final = 20.0
_POLL_BYTES: Final = 2**20
_POLL_MS: Final = 200


class Hearing:
    """Enter it before publishing, `until_all` after: what is said in between is heard."""

    def __init__(self, endpoint: Endpoint, namespace: str, instances: Collection[str], serial: int) -> None:
        """Wait for these instances of the router, and this serial of the declaration or a higher one."""
        self._endpoint = endpoint
        self._place = (names.operations(namespace), REPORTS)
        self._silent = set(instances)
        self._serial = serial
        self._reader: PartitionReader | None = None

    async def __aenter__(self) -> Self:
        """Go to the present end of the reports. Raises BrokerUnavailable."""
        async with PartitionReader(self._endpoint, {self._place: None}) as reader:
            end = (await reader.end_offsets())[self._place]
        self._reader = PartitionReader(self._endpoint, {self._place: end})
        await self._reader.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        if self._reader is not None:
            await self._reader.close()

    async def until_all(self, trust: Trust, *, seconds: float = _PATIENCE_SECONDS) -> tuple[str, ...]:
        """Return who has not said so when all have, or after `seconds`."""
        assert self._reader is not None
        deadline = time.monotonic() + seconds
        while self._silent and time.monotonic() < deadline:
            for record in await self._reader.poll(_POLL_BYTES, _POLL_MS):
                said = StandingReport.read(record.value or b"", trust)
                if isinstance(said, StandingReport) and self._heard(said):
                    self._silent.discard(said.instance)
        return tuple(sorted(self._silent))

    def _heard(self, said: StandingReport) -> bool:
        return said.principal == ROUTER and said.declaration_serial >= self._serial
