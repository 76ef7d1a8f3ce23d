"""What the operator may do with a letter, and the statement that goes with it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from consumers.operator.book import Known, State
from consumers.operator.errors import (
    ActorRefused,
    LetterAstray,
    LetterHopeless,
    LetterResolved,
    LetterSealed,
)
from consumers.operator.healing import Healing
from consumers.operator.letters import Declared
from hub.envelope import records
from hub.envelope.letters import Place
from hub.envelope.limits import MAX_NAME_BYTES
from hub.envelope.names import OPERATOR
from hub.envelope.records import Confided, Discard
from topics.layout import Topology

_MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Ways:
    """Where a letter of each hop may lead back to."""

    partitions: Mapping[str, int]
    """of each topic that the operator may write"""
    reads: Mapping[str, frozenset[str]]
    """by hop: the topics that it reads"""
    retention: Mapping[str, timedelta]

    def lead_back(self, stage: str, origin: Place) -> bool:
        """Say whether the hop `stage` could have read `origin`, and the operator may write there.

        A hop writes its letters unsigned: it must not be able to have the operator write for it elsewhere.
        """
        return origin.topic in self.reads.get(stage, ()) and origin.partition < self.partitions.get(origin.topic, 0)


def ways_of(topology: Topology) -> Ways:
    """Return the ways that a topology allows."""
    writes = set(topology.principal(OPERATOR).writes)
    written = [topic for topic in topology.topics if topic.name in writes]
    return Ways(
        {topic.name: topic.partitions for topic in written},
        {each.name: frozenset(each.reads) for each in topology.principals if each.dead_letters},
        {
            topic.name: int(topic.configs["retention.ms"]) * _MILLISECOND
            for topic in written
            if "retention.ms" in topic.configs
        },
    )


def declared_in(topology: Topology) -> Declared:
    """Return the names of a topology that may be repeated from an unproven record."""
    return Declared(
        frozenset(tenant.code for tenant in topology.tenants),
        frozenset(topology.audiences),
        {topic: each.name for each in topology.principals for topic in each.all_dead_letters},
    )


def check_actor(actor: str) -> str:
    """Return the name of whoever acts. Raises ActorRefused."""
    if not 0 < len(actor.encode()) <= MAX_NAME_BYTES or not actor.isprintable():
        raise ActorRefused
    return actor


def check_replay(known: Known, ways: Ways, *, again: bool) -> None:
    """Raise unless this letter's record may be sent back now.

    `again` allows what was resolved before. Raises LetterResolved, LetterSealed, LetterHopeless, LetterAstray.
    """
    letter = known.letter
    if known.state is not State.OPEN and not again:
        raise LetterResolved(letter.name)
    if letter.described is None:
        raise LetterSealed(letter.name)
    if known.healing is Healing.NEVER:
        raise LetterHopeless(f"{letter.name} ({letter.reason.value}: {letter.reason.english})")
    if not ways.lead_back(letter.stage, letter.origin):
        raise LetterAstray(letter.name)


def check_discard(known: Known) -> None:
    """Raise unless this letter may be discarded: only what is open can be. Raises LetterResolved.

    What cannot be opened is discarded all the same: its digest is then that of nothing, and it says so.
    """
    if known.state is not State.OPEN:
        raise LetterResolved(known.letter.name, hint="Only an open letter can be discarded.")


def timestamp_for(appended_at: datetime, now: datetime, retention: timedelta | None) -> datetime:
    """Return the time that a record sent back carries: its own, unless retention could then delete it unread.

    A segment whose newest record is older than the topic's retention is deleted, read or not. So a record
    that is older than half of it is sent as of now, and the router then rightly says that it is late.
    """
    if retention is not None and now - appended_at > retention / 2:
        return now
    return min(appended_at, now)


def statement(
    known: Known, *, actor: str, now: datetime, discard: Discard | None = None, replayed_to: int | None = None
) -> records.LetterResolved:
    """Return what is to be signed: `discard`, or the offset to which the record was sent back."""
    letter, described, former = known.letter, known.letter.described, known.former
    return records.LetterResolved(
        letter=letter.place,
        origin=letter.origin,
        refused=letter.reason,
        refused_at=letter.written_at,
        tenant=letter.tenant,
        event=None if described is None else described.event,
        reason=None if discard is None else discard.reason,
        replayed_to=replayed_to,
        generation=known.generation,
        former=None if former is None else former.letter,
        confided=Confided.fresh(
            UNREAD if described is None else described.digest,
            None if described is None else described.receipt,
            actor,
            None if discard is None else discard.note,
        ),
        resolved_at=now,
    )


UNREAD: Final = bytes(32)
"""stands for the digest of a record that lies in a quarantine which nobody can open any more"""
