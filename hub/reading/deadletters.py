"""Writes the dead letter of a record: whole, and readable by nobody who might not read it anyway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from hub.envelope.letters import Content, DeadLetter, Place, quarantine
from hub.envelope.limits import MAX_TIME_MS
from hub.envelope.reasons import Reason
from hub.envelope.records import AudienceKey
from hub.envelope.times import from_ms
from hub.reading.errors import QuarantineKeyMissing
from hub.transport import KafkaRecord, Outgoing


def write_letter(
    record: KafkaRecord,
    reason: Reason,
    *,
    stage: str,
    authentic: bool,
    session: bytes | None,
    leaf: bytes | None,
    key: Callable[[], AudienceKey | None],
    now: datetime,
) -> Outgoing:
    """Return the letter of a refused record. `authentic`: mac and all digests were good, so its bytes are sealed.

    Anything else may be plaintext and is HPKE-sealed to `quarantine`. Raises QuarantineKeyMissing.
    """
    place = Place(record.topic, record.partition, record.offset)
    content = Content(record.key, record.value)
    sealed = None
    if not authentic:
        operator = key()
        if operator is None:
            raise QuarantineKeyMissing
        sealed = quarantine(place, content, operator)
    letter = DeadLetter(
        reason=reason,
        stage=stage,
        place=place,
        appended_at=from_ms(min(max(0, record.timestamp_ms), MAX_TIME_MS - 1)),  # whatever its sender claimed
        written_at=now,
        content=content if authentic else None,
        quarantine=sealed,
        session=session,
        leaf=leaf,
    )
    return Outgoing(letter.key.encode(), letter.encode())
