"""Records as they come and go; Kafka headers are advisory and are neither read nor written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """One record as read; `timestamp_ms` is what the broker or the producer said, and proves nothing."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None

    @property
    def size(self) -> int:
        """Bytes of key and value."""
        return len(self.key or b"") + len(self.value or b"")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to write."""

    key: bytes | None
    value: bytes | None
    timestamp_ms: int | None = None
