"""What a desk says of decisions and hand-overs is what stands on its topics; what it knows of others', what it read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import consumers.reporting
from consumers.reporting import decided, decisions_seen, entries, handed_over, handovers_seen
from consumers.store.model import Batch
from hub.envelope.records import ReportEntry
from schemas.parts import ATTACHMENT_PART
from tests.unit.consumers.making import NOW, checkpoint, event_id, leaf, new_event
from tests.unit.consumers.office import ACCEPT as COMPLETE
from tests.unit.consumers.office import ACCEPT_BOTH as COMPLETE_FOR_BOTH
from tests.unit.consumers.office import (
    ACCEPTED,
    HOLD,
    RETURN,
    REVOKE,
    STATUS,
    TENANT,
    Office,
    receipt,
    submission,
)

ACCEPT, ACCEPT_BOTH = (replace(each, reason="complete-after-inquiry") for each in (COMPLETE, COMPLETE_FOR_BOTH))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    made.stored(*(submission(n) for n in range(1, 6)))
    yield made
    made.close()


def on(office: Office, topic: str) -> set[tuple[str, bytes, str]]:
    """The events that stand on a topic, as a report should name them."""
    return {(each.header.event_id, each.leaf, "held") for each in office.raw(topic)}


def said(found: Iterator[ReportEntry]) -> list[tuple[str, bytes, str]]:
    listed = list(found)
    assert {entry.tenant for entry in listed} <= {TENANT}
    return [(entry.event_id, entry.leaf, entry.state) for entry in listed]


async def test_what_is_told_is_named_by_what_stands_on_the_topic(office: Office) -> None:
    reviewer = office.reviewer()
    for number, orders in {1: [ACCEPT_BOTH, REVOKE], 2: [RETURN], 3: [HOLD, ACCEPT], 4: [HOLD]}.items():
        for order in orders:
            reviewer.decide(receipt(number), order)
    await office.tell()
    assert len(said(decided(office.store))) == 6
    assert set(said(decided(office.store))) == on(office, STATUS)
    assert len(said(handed_over(office.store))) == 5  # both teams twice, one once
    assert set(said(handed_over(office.store))) == on(office, ACCEPTED)


async def test_what_is_not_told_yet_is_named_by_its_filing_as_pending(office: Office) -> None:
    office.reviewer().decide(receipt(2), ACCEPT_BOTH)
    about = office.row(2).event
    assert said(decided(office.store)) == [(about.event_id, about.leaf, "pending")]
    assert said(handed_over(office.store)) == [(about.event_id, about.leaf, "pending")] * 2


async def test_what_can_never_be_told_is_void(office: Office) -> None:
    office.reviewer().decide(receipt(2), ACCEPT)
    (decision,) = office.store.cases.all_decisions(after=0, limit=10)
    (handover,) = office.store.cases.handovers([decision.decision])
    office.store.cases.cannot_tell("event.too-large", decision=decision.decision)
    assert [state for _, _, state in said(decided(office.store))] == ["void"]
    assert [state for _, _, state in said(handed_over(office.store))] == ["pending"]
    office.store.cases.cannot_tell("event.too-large", handover=handover.handover)
    assert [state for _, _, state in said(handed_over(office.store))] == ["void"]


@pytest.mark.parametrize("page", [1, 2, 3, 100])
async def test_pages_leave_nothing_out_and_double_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    for number in range(1, 6):
        office.reviewer().decide(receipt(number), ACCEPT_BOTH)
    await office.tell()
    monkeypatch.setattr(consumers.reporting, "_PAGE", page)
    assert len(said(decided(office.store))) == 5
    assert len(said(handed_over(office.store))) == 10
    assert set(said(handed_over(office.store))) == on(office, ACCEPTED)
    assert [entry.event_id for entry in entries(office.store)] == [office.row(n).event.event_id for n in range(1, 6)]


def test_an_office_where_nothing_was_decided_says_so(office: Office) -> None:
    assert said(decided(office.store)) == said(handed_over(office.store)) == []


def test_what_was_read_is_told_by_kind_and_parts_are_no_hand_overs(office: Office) -> None:
    kinds = {11: "status", 12: "accepted", 13: "accepted", 14: "status"}
    rows = [replace(new_event(n), tenant=TENANT, kind=kind) for n, kind in kinds.items()]
    rows[2] = replace(rows[2], procedure=ATTACHMENT_PART)
    office.store.commit(Batch(at_ms=NOW, advances=(), events=tuple(rows)))
    assert said(decisions_seen(office.store)) == [(event_id(n), leaf(n), "unconfirmed") for n in (11, 14)]
    assert said(handovers_seen(office.store)) == [(event_id(12), leaf(12), "unconfirmed")]
    seen = replace(checkpoint(11, (leaf(11), False)), tenant=TENANT)
    office.store.commit(Batch(at_ms=NOW, advances=(), checkpoints=(seen,)))
    assert said(decisions_seen(office.store)) == [
        (event_id(11), leaf(11), "held"),
        (event_id(14), leaf(14), "unconfirmed"),
    ]
    assert len(list(entries(office.store))) == 5  # submissions alone


def test_what_was_erased_is_said_to_be(office: Office) -> None:
    office.mark_erased(3)
    assert [entry.state for entry in entries(office.store)].count("erased") == 1
