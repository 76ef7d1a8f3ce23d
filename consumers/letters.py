"""A desk's dead letters: what it could not take, with a reason, for its own topic, through the outbox.

The bytes stay as they were only if they are known to be sealed; anything else may be plaintext and is
HPKE-sealed to `quarantine` (docs/envelope.md, "Dead letters").
"""

from __future__ import annotations

from collections.abc import Callable

from consumers.intake import Refused
from consumers.store.model import Outgoing
from hub.envelope.letters import Content, DeadLetter, Place, quarantine
from hub.envelope.limits import MAX_TIME_MS
from hub.envelope.records import AudienceKey
from hub.envelope.times import from_ms
from hub.transport import KafkaRecord
from schemas.errors import HubError


class QuarantineKeyMissing(HubError):
    """A record must be put into quarantine, and no key of the operator is known."""

    code = "quarantine-key-missing"
    retriable = True
    hint = "Let the administrator publish the operator's audience key of this month."


class Letters:
    """Writes the letters of one desk."""

    def __init__(self, principal: str, topic: str, key: Callable[[], AudienceKey | None]) -> None:
        """`topic` is `<ns>.dead-letters.<principal>`; `key` gives the current quarantine key."""
        self._stage = principal
        self._topic = topic
        self._key = key

    def write(self, record: KafkaRecord, refused: Refused, at_ms: int) -> Outgoing:
        """Return the letter of a refused record, for the same partition. Raises QuarantineKeyMissing."""
        place = Place(record.topic, record.partition, record.offset)
        content = Content(record.key, record.value)
        sealed = None
        if not refused.authentic:
            key = self._key()
            if key is None:
                raise QuarantineKeyMissing
            sealed = quarantine(place, content, key)
        letter = DeadLetter(
            reason=refused.reason,
            stage=self._stage,
            place=place,
            appended_at=from_ms(min(max(0, record.timestamp_ms), MAX_TIME_MS - 1)),  # whatever its sender claimed
            written_at=from_ms(at_ms),
            content=content if refused.authentic else None,
            quarantine=sealed,
            session=refused.session,
            leaf=refused.leaf,
        )
        return Outgoing(self._topic, record.partition, letter.key.encode(), letter.encode(), "dead-letter")
