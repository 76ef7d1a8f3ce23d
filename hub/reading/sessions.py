"""The sessions that a reader knows: read from the sessions topics, verified, kept within a bound.

A session that fell out of the cache is read again from its offset. One that is unknown is looked for once
per poll by reading the topics to their present end; only then it counts as unknown.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final

from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Session
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_session
from hub.facts import Alarm, Observer
from hub.reading.errors import SessionsUnavailable
from hub.transport import Endpoint, KafkaRecord, PartitionReader, TransportError

MAX_SESSIONS: Final = 10_000
MAX_PLACES: Final = 1_000_000
"""offsets of sessions that are not in the cache: 40 bytes each and the table"""


class SessionRegistry:
    """Valid sessions by id, and why others are not valid. Use from one event loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        topics: Sequence[str],
        trust: Callable[[], Trust],
        now: Callable[[], datetime],
        observer: Observer,
        *,
        max_sessions: int = MAX_SESSIONS,
    ) -> None:
        """Nothing is connected before the first `ensure`. Each topic has one partition."""
        self._endpoint = endpoint
        self._topics = tuple(topics)
        self._trust = trust
        self._now = now
        self._observer = observer
        self._max = max_sessions
        self._reader: PartitionReader | None = None
        self._reading = asyncio.Lock()
        self._known: OrderedDict[bytes, Session | Reason] = OrderedDict()
        self._places: OrderedDict[bytes, tuple[str, int]] = OrderedDict()

    async def ensure(self, wanted: Collection[bytes]) -> None:
        """Read to the present end, if one of `wanted` is unknown or none are named (catching up).

        Raises SessionsUnavailable.
        """
        if wanted and all(name in self._known for name in wanted):
            return
        async with self._reading:
            try:
                if not wanted or any(name not in self._known and name not in self._places for name in wanted):
                    for record in await (await self._connected()).read_to_end():
                        self._take(record)
                for name in wanted:
                    if name not in self._known and name in self._places:
                        await self._again(*self._places[name])
            except TransportError as error:
                await self._disconnect()
                raise SessionsUnavailable(error.code) from error

    def find(self, session: bytes) -> Session | Reason:
        """Return a session whose signature, trust and place were verified, or why there is none."""
        found = self._known.get(session)
        if found is None:
            return Reason.UNKNOWN_SESSION
        self._known.move_to_end(session)
        return found

    async def close(self) -> None:
        """Disconnect."""
        await self._disconnect()

    async def _connected(self) -> PartitionReader:
        if self._reader is None:
            reader = PartitionReader(self._endpoint, {(topic, 0): None for topic in self._topics})
            await reader.start()
            self._reader = reader
        return self._reader

    async def _disconnect(self) -> None:
        """Begin again from the oldest session next time: what is known already costs one look-up each."""
        if self._reader is not None:
            reader, self._reader = self._reader, None
            await reader.close()

    async def _again(self, topic: str, offset: int) -> None:
        async with PartitionReader(self._endpoint, {(topic, 0): offset}) as reader:
            for record in await reader.poll(1, 2_000):
                if record.offset == offset:
                    self._take(record)

    def _take(self, record: KafkaRecord) -> None:
        """Keep a session record; closes and garbage are not for this registry."""
        if record.value is None:
            return
        try:
            signed = Signed.parse(record.value)
            if signed.name != Session.RECORD:
                return
        except EnvelopeError:
            return
        name = signed.hash
        known = self._known.get(name)
        if isinstance(known, Session):
            return  # sent again after a crash
        found = validate_session(signed, self._trust(), self._now(), topic=record.topic, key=record.key)
        if isinstance(found, Reason) and known is None:
            self._observer(Alarm("session.refused", found.value))
        self._known[name] = found
        self._known.move_to_end(name)
        self._places[name] = (record.topic, record.offset)
        while len(self._known) > self._max:
            self._known.popitem(last=False)
        while len(self._places) > MAX_PLACES:
            self._places.popitem(last=False)
