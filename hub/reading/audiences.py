"""The audience key that is current now, for those who must seal to it: the operator's, for quarantine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from hub.envelope.names import QUARANTINE
from hub.envelope.reasons import Reason
from hub.envelope.records import AudienceKey
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_audience_key
from hub.reading.errors import AudiencesUnavailable
from hub.transport import Endpoint, PartitionReader, TransportError


class QuarantineKeys:
    """The operator's keys as published, verified when they are asked for (trust depends on the time)."""

    def __init__(self, endpoint: Endpoint, topic: str, trust: Callable[[], Trust], now: Callable[[], datetime]) -> None:
        """`topic` is `<ns>.audiences`. Nothing is connected before the first `refresh`."""
        self._endpoint = endpoint
        self._topic = topic
        self._trust = trust
        self._now = now
        self._reader: PartitionReader | None = None
        self._reading = asyncio.Lock()
        self._published: dict[bytes, bytes] = {}

    async def refresh(self) -> None:
        """Read what was published since. Raises AudiencesUnavailable."""
        async with self._reading:
            try:
                if self._reader is None:
                    reader = PartitionReader(self._endpoint, {(self._topic, 0): None})
                    await reader.start()
                    self._reader = reader
                for record in await self._reader.read_to_end():
                    if record.key is not None and record.key.startswith(QUARANTINE.encode() + b"/"):
                        if record.value is None:
                            self._published.pop(record.key, None)
                        else:
                            self._published[record.key] = record.value
            except TransportError as error:
                await self.close()
                raise AudiencesUnavailable(error.code) from error

    def current(self) -> AudienceKey | None:
        """The verified key of the highest epoch that is valid now, or None."""
        now = self._now()
        best: AudienceKey | None = None
        for key, value in self._published.items():
            found = validate_audience_key(value, self._trust(), now, key=key)
            if not isinstance(found, Reason) and found.not_before <= now < found.not_after:
                best = found if best is None or found.epoch > best.epoch else best
        return best

    async def close(self) -> None:
        """Disconnect."""
        if self._reader is not None:
            reader, self._reader = self._reader, None
            await reader.close()
