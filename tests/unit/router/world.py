"""What the router knows of the artificial world of the envelope's tests: lanes, routes, records of one partition."""

from __future__ import annotations

from functools import cache

from hub.envelope.records import Checkpoint, CheckpointEntry
from hub.envelope.session import SealedOut, SessionSecrets
from hub.envelope.signed import sign
from hub.router.rules import Known, Place, Verdict, judge
from hub.transport import KafkaRecord
from tests.unit.envelope.support import (
    HELPDESK,
    NOW,
    PARTITION,
    PLAINTEXTS,
    REVIEW,
    SUBMISSIONS,
    header_for,
    identity,
    new_session,
    router_lane,
    trust,
)
from topics.layout import Route
from topics.partition import partition_for

T = "131041"
PARTITIONS = 6
ROUTES = (
    Route("review", T, SUBMISSIONS, f"rehearsal.{T}.review", REVIEW),
    Route("helpdesk", T, SUBMISSIONS, f"rehearsal.{T}.helpdesk", HELPDESK),
    Route("audit", T, SUBMISSIONS, f"rehearsal.{T}.audit", None),
)
PLACE = Place(PARTITION, PARTITIONS, {T: ROUTES}, (T,), 0)


@cache
def session() -> SessionSecrets:
    return new_session()


@cache
def numbers() -> list[int]:
    """Numbers whose receipts belong to the partition."""
    return [n for n in range(2_000) if partition_for(f"R8-13104-{n:09d}", PARTITIONS) == PARTITION]


def seal(number: int, secrets: SessionSecrets | None = None, **changes: object) -> SealedOut:
    """Seal an event whose receipt belongs to the partition, unless it is told otherwise."""
    made = secrets or session()
    header = header_for(made, number)._replace(receipt_number=f"R8-13104-{numbers()[number]:09d}")
    return made.seal(header._replace(**changes), PLAINTEXTS)  # type: ignore[arg-type]


def known(*sessions: SessionSecrets) -> Known:
    """Know these sessions on the partition."""
    named = {each.session.id: each.session for each in sessions or (session(),)}
    return Known({name: router_lane(each) for name, each in named.items()}, named, {})


def record(key: bytes | None, value: bytes | None, offset: int = 0, timestamp_ms: int = 0) -> KafkaRecord:
    return KafkaRecord(SUBMISSIONS, PARTITION, offset, timestamp_ms, key, value)


def record_of(event: SealedOut, offset: int = 0) -> KafkaRecord:
    return record(event.event_id.encode(), event.value, offset)


def verdict_on(found: KafkaRecord, at_hand: Known | None = None, place: Place = PLACE) -> Verdict:
    return judge(found, at_hand or known(), place, trust(), NOW)


def checkpoint(*leaves: bytes, signer: str = "portal", partition: int = PARTITION) -> KafkaRecord:
    body = Checkpoint(
        session().session.id, partition, 0, tuple(CheckpointEntry(leaf) for leaf in leaves), None, NOW
    ).encode()
    return record(Checkpoint.decode(body).key.encode(), sign(Checkpoint.RECORD, body, identity(signer)))


__all__ = ["NOW", "PARTITION", "REVIEW", "SUBMISSIONS", "trust"]
