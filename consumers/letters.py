"""A desk's dead letters, as outbox rows: they are sent only after the batch that they belong to is kept."""

from __future__ import annotations

from collections.abc import Callable

from consumers.store.model import Outgoing
from hub.envelope.records import AudienceKey
from hub.envelope.times import from_ms
from hub.reading.deadletters import write_letter
from hub.reading.intake import Refused
from hub.transport import KafkaRecord


class Letters:
    """Writes the letters of one desk."""

    def __init__(self, principal: str, topic: str, key: Callable[[], AudienceKey | None]) -> None:
        """`topic` is `<ns>.dead-letters.<principal>`; `key` gives the current quarantine key."""
        self._stage = principal
        self._topic = topic
        self._key = key

    def write(self, record: KafkaRecord, refused: Refused, at_ms: int) -> Outgoing:
        """Return the letter of a refused record, for the same partition. Raises QuarantineKeyMissing."""
        letter = write_letter(
            record,
            refused.reason,
            stage=self._stage,
            authentic=refused.authentic,
            session=refused.session,
            leaf=refused.leaf,
            key=self._key,
            now=from_ms(at_ms),
        )
        return Outgoing(self._topic, record.partition, letter.key or b"", letter.value or b"", "dead-letter")
