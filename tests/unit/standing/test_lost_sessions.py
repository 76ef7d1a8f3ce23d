"""What the administrator signs for a session whose portal lost its journal: all that came through, and no leaf more."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from hub.crypto.identity import IdentityKey
from hub.enrolment import administrator, published_keys
from hub.envelope.names import ROUTER
from hub.envelope.reasons import Reason
from hub.envelope.records import AudienceKey, Checkpoint, CheckpointEntry, Session, SessionClose
from hub.envelope.signed import Signed, sign
from hub.envelope.validation import validate_audience_key, validate_checkpoint, validate_close
from hub.lost_sessions import ALIVE, Incomplete, OpenLane, OpenSession, StillAlive, statements
from hub.producing.audience_keys import SealingKey, choose_all
from hub.producing.sealing import Signer
from tests.unit.standing.world import CHEAP, FIRST, NOW, NS, Office

PARTITION = 1
LATER = NOW + ALIVE


@pytest.fixture
def admin(office: Office) -> IdentityKey:
    return administrator(office.home, cost=CHEAP)


@pytest.fixture
def session(office: Office) -> Session:
    role = office.role("portal")
    known = []
    for name, value in published_keys(office.home):
        found = validate_audience_key(Signed.parse(value), role.trust, NOW, key=name.encode())
        if isinstance(found, AudienceKey):
            known.append(SealingKey(found, Signed.parse(value).hash))
    audiences = sorted((f"review-{FIRST}", f"helpdesk-{FIRST}", ROUTER))
    live = Signer("portal", role.instance, role.identity).open(
        topic=f"{NS}.submissions",
        tenant=FIRST,
        keys=choose_all(audiences, known, {}, NOW),
        created_at=NOW - timedelta(hours=1),
        expires_at=NOW + timedelta(hours=1),
        previous=None,
    )
    return Session.decode(Signed.parse(live.record).body)


def lane(session: Session, events: int, listed: int = 0, pieces: int = 1) -> OpenLane:
    """So many events, of which the portal's checkpoints list the first."""
    made = OpenLane({number: os.urandom(32) for number in range(events)})
    previous: Checkpoint | None = None
    for piece in range(pieces if listed else 0):
        begin, end = listed * piece // pieces, listed * (piece + 1) // pieces
        entries = tuple(CheckpointEntry(made.leaves[each]) for each in range(begin, end))
        said = Checkpoint(session.id, PARTITION, begin, entries, previous.hash if previous else None, NOW)
        previous = Checkpoint.decode(said.encode())
        made.checkpoints.append(previous)
    return made


def ended(
    office: Office, session: Session, made: OpenLane, admin: IdentityKey
) -> tuple[list[Checkpoint], SessionClose]:
    """What is signed, as every reader judges it."""
    written, close = statements(OpenSession(session, NOW, {PARTITION: made}), admin, LATER)
    trust, read = office.role(f"review-{FIRST}").trust, []
    for partition, record in written:
        said = validate_checkpoint(record.value or b"", session, trust, LATER, partition=partition, key=record.key)
        assert isinstance(said, Checkpoint), said
        read.append(said)
    end = validate_close(close.value or b"", session, trust, LATER, key=close.key)
    assert isinstance(end, SessionClose), end
    return read, end


@pytest.mark.parametrize(
    ("events", "listed", "pieces"), [(3, 0, 1), (5, 2, 1), (9, 6, 3), (4, 4, 2), (600, 10, 2), (256, 0, 1)]
)
def test_every_event_is_listed_once_the_chain_holds_and_the_close_is_its_end(
    office: Office, session: Session, admin: IdentityKey, events: int, listed: int, pieces: int
) -> None:
    made = lane(session, events, listed, pieces)
    checkpoints, close = ended(office, session, made, admin)
    last = made.checkpoints[-1] if made.checkpoints else None
    for each in checkpoints:
        assert each.follows(last)
        last = each
    leaves = [each.leaf for checkpoint in (*made.checkpoints, *checkpoints) for each in checkpoint.entries]
    assert leaves == [made.leaves[number] for number in range(events)]
    end = close.partition(PARTITION)
    assert end is not None and last is not None
    assert (end.last_sequence, end.last_checkpoint) == (events - 1, last.hash)


def test_a_session_of_which_nothing_came_through_is_closed_without_a_partition(
    office: Office, session: Session, admin: IdentityKey
) -> None:
    written, close = statements(OpenSession(session, NOW), admin, LATER)
    assert written == []
    assert SessionClose.decode(Signed.parse(close.value or b"").body).partitions == ()


def test_an_event_that_is_missing_between_others_stops_it(session: Session, admin: IdentityKey) -> None:
    made = lane(session, 6, 2)
    del made.leaves[3]
    with pytest.raises(Incomplete):
        statements(OpenSession(session, NOW, {PARTITION: made}), admin, LATER)


def test_a_session_that_wrote_a_moment_ago_is_left_alone(session: Session, admin: IdentityKey) -> None:
    found = OpenSession(session, NOW, {PARTITION: lane(session, 1)})
    with pytest.raises(StillAlive) as caught:
        statements(found, admin, LATER - timedelta(seconds=1))
    assert caught.value.retriable


def test_a_checkpoint_that_does_not_follow_is_no_part_of_the_chain(session: Session) -> None:
    made = lane(session, 6, 4, 2)
    made.checkpoints.append(
        Checkpoint(session.id, PARTITION, 5, (CheckpointEntry(made.leaves[5]),), os.urandom(32), NOW)
    )
    made.checkpoints.reverse()
    assert made.settle()[0] == 4
    assert made.unlisted() == [made.leaves[4], made.leaves[5]]


def test_nobody_but_the_administrator_and_the_portal_can_sign_it(office: Office, session: Session) -> None:
    made = Checkpoint(session.id, PARTITION, 0, (), None, LATER)
    trust = office.role("portal").trust
    for name, good in (("admin", True), ("portal", True), ("router", False), (f"review-{FIRST}", False)):
        signed = sign(Checkpoint.RECORD, made.encode(), office.role(name).identity)
        assert (not isinstance(validate_checkpoint(signed, session, trust, LATER), Reason)) is good
