"""What a producer makes with its keys: sessions, sealed events, checkpoints and closes. No IO, no clock.

Session secrets live in a `LiveSession` and nowhere else; they are gone with the process, so that nothing
can be sealed twice. Checkpoints and closes need the identity key only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.crypto.hkdf import sha256
from hub.crypto.identity import IdentityKey
from hub.envelope.event_ids import new_event_id
from hub.envelope.header import Check
from hub.envelope.records import Checkpoint, CheckpointEntry, ClosedPartition, SessionClose
from hub.envelope.session import SessionSecrets, max_sealed_bytes
from hub.envelope.signed import sign
from hub.envelope.times import to_ms
from hub.producing.audience_keys import SealingKey
from hub.producing.drafts import Draft
from hub.producing.journal_rows import AddCheckpoint, Lane, SealedEntry, Settled


def sealed_size(draft: Draft) -> int:
    """Return a bound on the sealed event's size in bytes, known before a sequence number is taken."""
    return max_sealed_bytes({name: len(plaintext) for name, plaintext in draft.sections.items()})


class LiveSession:
    """An announced session and its secrets; seals the events of one tenant for one topic."""

    def __init__(self, secrets: SessionSecrets) -> None:
        """Wrap secrets that have just been made; they have no other holder."""
        self._secrets = secrets
        self.record = secrets.signed
        self.session: bytes = secrets.session.id
        self.tenant: str = secrets.session.tenant
        self.created_at: datetime = secrets.session.created_at
        self.expires_at: datetime = secrets.session.expires_at

    def usable(self, now: datetime) -> bool:
        """Say whether an event produced at `now` would be within the session."""
        return now < self.expires_at

    def seal(self, draft: Draft, partition: int, sequence: int, now: datetime) -> SealedEntry:
        """Seal a draft at its place, once per place. A clock set back counts as the session's start."""
        produced_at_ms = to_ms(max(now, self.created_at))
        header = self._secrets.header(
            partition=partition,
            sequence=sequence,
            event_id=new_event_id(produced_at_ms),
            receipt_number=draft.receipt_number,
            procedure=draft.procedure,
            procedure_version=draft.procedure_version,
            tax_item=draft.tax_item,
            accepted_at_ms=to_ms(draft.accepted_at),
            produced_at_ms=produced_at_ms,
            calculation_check=Check(draft.calculation_check),
            signature_check=Check(draft.signature_check),
            cause=draft.cause,
        )
        sealed = self._secrets.seal(header, draft.sections)
        return SealedEntry(
            draft.index_key,
            self.session,
            partition,
            sequence,
            sealed.event_id,
            sealed.leaf,
            self.tenant,
            draft.receipt_number,
            sealed.value,
        )

    def forget(self) -> None:
        """Let the secrets go: nothing can be sealed in this session any more."""
        self._secrets.forget()


@dataclass(frozen=True, slots=True)
class Signer:
    """One producer instance's name and identity key."""

    principal: str
    instance: str
    identity: IdentityKey

    def open(
        self,
        *,
        topic: str,
        tenant: str,
        keys: Sequence[SealingKey],
        created_at: datetime,
        expires_at: datetime,
        previous: bytes | None,
    ) -> LiveSession:
        """Make the secrets and the signed announcement of a new session."""
        return LiveSession(
            SessionSecrets.create(
                producer=self.principal,
                instance=self.instance,
                topic=topic,
                tenant=tenant,
                created_at=created_at,
                expires_at=expires_at,
                audiences=[found.key for found in keys],
                identity=self.identity,
                previous=previous,
            )
        )

    def checkpoint(
        self,
        session: bytes,
        partition: int,
        first_sequence: int,
        entries: Sequence[Settled],
        previous: bytes | None,
        now: datetime,
    ) -> AddCheckpoint:
        """Sign the next checkpoint of a lane, ready for the journal."""
        checkpoint = Checkpoint(
            session,
            partition,
            first_sequence,
            tuple(CheckpointEntry(entry.leaf, entry.void) for entry in entries),
            previous,
            now,
        )
        body = checkpoint.encode()
        return AddCheckpoint(
            session,
            partition,
            first_sequence,
            len(entries),
            previous,
            sha256(body),
            checkpoint.key.encode(),
            sign(Checkpoint.RECORD, body, self.identity),
        )

    def close(self, session: bytes, lanes: Sequence[Lane], now: datetime) -> bytes:
        """Sign the close of a session: for each lane its last sequence and checkpoint."""
        partitions = tuple(
            ClosedPartition(lane.partition, lane.next_sequence - 1, lane.checkpoint_hash) for lane in lanes
        )
        body = SessionClose(session, partitions, now).encode()
        return sign(SessionClose.RECORD, body, self.identity)


def close_key(session: bytes) -> bytes:
    """Return the Kafka key of a session's close."""
    return SessionClose(session, (), datetime.min).key.encode()
