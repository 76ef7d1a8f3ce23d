"""What a desk makes of the records of one poll: frozen values between the pure judge and the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from consumers.store.model import (
    CheckpointSeen,
    LogAppend,
    NewEvent,
    NoticeSeen,
    Outgoing,
    Remark,
    ResolutionSeen,
    StoreKey,
)
from hub.transport import KafkaRecord


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that follows from some records; the engine keeps it, with the place, in one transaction."""

    events: tuple[NewEvent, ...] = ()
    checkpoints: tuple[CheckpointSeen, ...] = ()
    notices: tuple[NoticeSeen, ...] = ()
    resolutions: tuple[ResolutionSeen, ...] = ()
    remarks: tuple[Remark, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()
    store_keys: tuple[StoreKey, ...] = ()
    log: LogAppend | None = None
    letters: Mapping[str, int] = field(default_factory=dict)
    """dead letters among `outgoing`, by reason code"""
    alarms: tuple[tuple[str, str], ...] = ()
    """(code, about), told once the batch is kept"""


class Judge(Protocol):
    """One desk's view of records. Called by one thread at a time; does no IO but its own store's reads."""

    async def prepare(self, records: Sequence[KafkaRecord]) -> None:
        """Fetch what judging needs from outside (sessions), on the event loop, before `judge`.

        Raises a retriable HubError to pause: sessions unreachable, own key not loaded.
        """

    def judge(self, records: Sequence[KafkaRecord], at_ms: int) -> Judgement:
        """Judge the records of one poll. Never raises for what a record holds: that is a letter."""

    def kept(self, judgement: Judgement) -> None:
        """Take note that the judgement is in the store now."""

    def troubles(self, now_ms: int) -> Mapping[str, int]:
        """Count, by alarm code, what this desk finds wrong now; called in the store's thread."""
