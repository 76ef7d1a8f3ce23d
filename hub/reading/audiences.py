"""The published audience keys and destructions, as far as this role's trust file lets them count.

Read from `<ns>.audiences` (compacted). Values are kept as they came and judged when somebody asks, because
trust depends on the time; only places that the trust file can know are kept, so garbage cannot fill memory.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import Final

from hub.envelope.names import QUARANTINE
from hub.envelope.reasons import Reason
from hub.envelope.records import AudienceKey
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_audience_key, validate_key_destroyed
from hub.reading.errors import AudiencesUnavailable
from hub.reading.following import Follower, OpenReader, reader_of
from hub.transport import Endpoint, KafkaRecord

_KEY: Final = re.compile(rb"(destroyed/)?([a-z0-9][a-z0-9-]{0,62})/([0-9]{6})/[0-9a-f]{16}")
_MAX_VALUE_BYTES: Final = 64 * 1024
_MAX_VALUES_PER_AUDIENCE: Final = 1_200
"""a century of months; more is garbage"""

_Epoch = dict[bytes, bytes]
"""Kafka key → newest value"""


class AudienceDirectory:
    """Answers which key an audience has, had, or has destroyed."""

    def __init__(
        self,
        endpoint: Endpoint,
        topic: str,
        trust: Callable[[], Trust],
        now: Callable[[], datetime],
        *,
        open_reader: OpenReader | None = None,
    ) -> None:
        """`topic` is `<ns>.audiences`, `now` gives aware times. Nothing is connected before the first `refresh`."""
        self._follower = Follower([topic], open_reader or reader_of(endpoint), self._take, AudiencesUnavailable)
        self._trust = trust
        self._now = now
        self._listed = frozenset(trust().audiences)
        self._keys: defaultdict[str, dict[int, _Epoch]] = defaultdict(dict)
        self._destroyed: defaultdict[str, dict[int, _Epoch]] = defaultdict(dict)

    async def refresh(self) -> None:
        """Read what was published since; all of it if an audience was listed since. Raises AudiencesUnavailable."""
        listed = frozenset(self._trust().audiences)
        if listed - self._listed:
            await self._follower.rewind()
        self._listed = listed
        await self._follower.catch_up()

    async def close(self) -> None:
        """Disconnect."""
        await self._follower.close()

    def _take(self, record: KafkaRecord) -> None:
        match = None if record.key is None else _KEY.fullmatch(record.key)
        if match is None or record.key is None:
            return
        audience, epoch = match[2].decode(), int(match[3])
        if audience not in self._trust().audiences:
            return
        kept = (self._destroyed if match[1] else self._keys)[audience]
        if record.value is None:
            kept.get(epoch, {}).pop(record.key, None)
        elif len(record.value) <= _MAX_VALUE_BYTES and sum(map(len, kept.values())) < _MAX_VALUES_PER_AUDIENCE:
            kept.setdefault(epoch, {})[record.key] = record.value

    def announced(self, audience: str, epoch: int) -> tuple[AudienceKey, ...]:
        """Return the keys of an epoch (YYYYMM) that its owner and the administrator have signed."""
        trust, now = self._trust(), self._now()
        found = (
            validate_audience_key(value, trust, now, key=key)
            for key, value in sorted(self._keys[audience].get(epoch, {}).items())
        )
        return tuple(key for key in found if not isinstance(key, Reason))

    def key(self, audience: str, epoch: int) -> AudienceKey | None:
        """Return an epoch's key that ends first: a session may not outlive it; None if none is announced."""
        return min(self.announced(audience, epoch), key=lambda each: each.not_after, default=None)

    def current(self, audience: str = QUARANTINE) -> AudienceKey | None:
        """Return the key of the highest epoch that is valid now; None if there is none."""
        now = self._now()
        for epoch in sorted(self._keys[audience], reverse=True):
            for key in self.announced(audience, epoch):
                if key.not_before <= now < key.not_after:
                    return key
        return None

    def destroyed(self, audience: str, epoch: int) -> bool:
        """Say whether the owner has declared that all announced keys of an epoch exist no more."""
        trust, now = self._trust(), self._now()
        gone = {
            said.key_id
            for value in self._destroyed[audience].get(epoch, {}).values()
            if not isinstance(said := validate_key_destroyed(value, trust, now), Reason)
            and (said.audience, said.epoch) == (audience, epoch)
        }
        return bool(gone) and {key.key_id for key in self.announced(audience, epoch)} <= gone


QuarantineKeys = AudienceDirectory
"""by the name of its most frequent use: `current()` is the operator's key"""
