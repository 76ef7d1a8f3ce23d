"""Read `<ns>.audiences` to its end each time a session opens, and choose among the keys that count.

Keys are verified when they are asked for and not when they are read: trust depends on the time, and a hub
of many municipalities has many keys that this producer never seals to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_audience_key
from hub.facts import Alarm, Observer
from hub.producing.audience_keys import SealingKey, choose_all
from hub.transport import KafkaRecord


class CompactedReader(Protocol):
    """What is needed of a `hub.transport.PartitionReader` on the one partition of the audiences topic."""

    async def read_to_end(self) -> list[KafkaRecord]:
        """Return what has come since the last call, up to where the partition ends now."""


class KeyDirectory:
    """The published audience keys, as far as this role's trust file lets them count."""

    def __init__(
        self,
        reader: CompactedReader,
        trust: Callable[[], Trust],
        used: Callable[[str], tuple[int, bytes] | None],
        observer: Observer,
    ) -> None:
        """`trust` gives the list that holds now.

        `used` tells the highest epoch of an audience that was sealed to, and its record's hash.
        """
        self._reader = reader
        self._trust = trust
        self._used = used
        self._observer = observer
        self._published: dict[str, dict[bytes, bytes]] = {}
        """audience → Kafka key → newest value"""
        self._reading = asyncio.Lock()
        self._asked = self._answered = 0
        """how many have asked for a reading, and how many of them had asked when the last one began"""

    async def current(self, audiences: Sequence[str], now: datetime) -> tuple[SealingKey, ...]:
        """Return the key of each audience that is valid at `now`, trusted and not rolled back.

        Raises `AudienceKeyMissing`, `AudienceKeyRefused`; what the reader raises while Kafka is away.
        """
        await self._catch_up()
        known = [key for audience in audiences for key in self._counting(audience, now)]
        return choose_all(audiences, known, {audience: self._used(audience) for audience in audiences}, now)

    async def _catch_up(self) -> None:
        """Read to where the topic ends now. Who asks together shares a reading, but none that began before he asked.

        A reading takes a quarter of a second, and in the morning all tenants' sessions are opened at once.
        """
        self._asked += 1
        mine = self._asked
        async with self._reading:
            if self._answered >= mine:
                return
            served = self._asked
            for record in await self._reader.read_to_end():
                self._take(record)
            self._answered = served

    def _take(self, record: KafkaRecord) -> None:
        if record.key is None:
            return
        audience = record.key.partition(b"/")[0].decode("ascii", "replace")
        published = self._published.setdefault(audience, {})
        if record.value is None:
            published.pop(record.key, None)
        else:
            published[record.key] = record.value

    def _counting(self, audience: str, now: datetime) -> list[SealingKey]:
        """Return the audience's keys that its owner and the administrator have signed."""
        counting = []
        for key, value in self._published.get(audience, {}).items():
            try:
                signed = Signed.parse(value)
                found = validate_audience_key(signed, self._trust(), now, key=key)
            except EnvelopeError as problem:
                found = problem.reason
            if isinstance(found, Reason):
                self._observer(Alarm("audience-key.refused", f"{audience} {found.value}"))
            else:
                counting.append(SealingKey(found, signed.hash))
        return counting
