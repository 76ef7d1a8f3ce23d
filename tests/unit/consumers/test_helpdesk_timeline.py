"""What the helpdesk can say of a receipt: every decision in order, never a word of what the filer was told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from consumers.desk import Reading
from consumers.helpdesk.desk import HelpdeskDesk
from consumers.helpdesk.queries import HelpdeskQueries
from consumers.store import tables
from consumers.store.errors import NotFound
from consumers.store.model import Batch, NewEvent
from consumers.store.sql import open_sqlite
from consumers.store.vault import Vault
from hub.crypto.random import system_random
from hub.envelope.header import Cause
from hub.envelope.names import Kind
from hub.envelope.reasons import Reason
from hub.envelope.times import from_ms
from schemas.decisions import DecisionRecord
from schemas.parts import ATTACHMENT_PART
from schemas.sections import helpdesk_section
from tests.unit.consumers.making import NOW, SESSION, TENANT, event_id, leaf
from tests.unit.consumers.office import EPOCH, ITEM, PROCEDURE, PlainKeys, receipt, submission
from tests.unit.consumers.world import Portal, World
from topics import names

OWNER = f"rehearsal/helpdesk-{TENANT}"
LATER_EPOCH = EPOCH + 1


class Helpdesk:
    """A helpdesk's store, filled as its desk would."""

    def __init__(self, directory: Path) -> None:
        self.store = open_sqlite(directory / "store.db", OWNER)
        self.keys = PlainKeys()
        self.vault = Vault(OWNER, self.keys, self.store.store_key, system_random)
        self.queries = HelpdeskQueries(self.store, self.vault)

    def _commit(self, plaintext: bytes, epoch: int = EPOCH, **fields: Any) -> NewEvent:
        number = self.store.counts()["events"] + 1
        made: dict[str, Any] = {
            "tenant": TENANT,
            "producer": "portal",
            "event_id": event_id(number),
            "leaf": leaf(number),
            "session": SESSION,
            "sequence": number,
            "topic": names.helpdesk("rehearsal", TENANT),
            "partition": 0,
            "offset": number,
            "kind": "submission",
            "procedure": PROCEDURE,
            "procedure_version": 1,
            "tax_item": None,
            "accepted_at_ms": NOW,
            "produced_at_ms": NOW,
            "stored_at_ms": NOW + 1,
        }
        event = NewEvent(**(made | fields))
        content = self.vault.seal(epoch, TENANT, event.event_id, event.leaf, plaintext)
        keys = self.vault.new_keys()
        self.store.commit(Batch(at_ms=NOW, advances=(), events=(replace(event, content=content),), store_keys=keys))
        self.vault.committed(keys)
        return event

    def filed(self, number: int, procedure: str = PROCEDURE) -> NewEvent:
        made = helpdesk_section(submission(number))
        return self._commit(made, receipt_number=receipt(number), procedure=procedure)

    def decided(
        self, of: NewEvent, revision: int, decision: str, at_ms: int, epoch: int = EPOCH, reason: str = "item-missing"
    ) -> NewEvent:
        items = (ITEM,) if decision == "accept" else ()
        record = DecisionRecord(
            of.receipt_number, TENANT, of.procedure, revision, decision, reason, None, items, None, NOW + at_ms
        )
        return self._commit(
            record.encode(with_message=False),
            epoch,
            kind="status",
            producer=f"review-{TENANT}",
            receipt_number=of.receipt_number,
            produced_at_ms=NOW + at_ms,
            stored_at_ms=NOW + at_ms + 5,
            cause_event_id=of.event_id,
            cause_leaf=of.leaf,
        )

    def one(self, number: int) -> dict[str, Any]:
        (found,) = self.queries.lookup(receipt(number))
        return found

    def erase(self, event: NewEvent) -> None:
        (row,) = self.store.events(event_id=event.event_id)
        with self.store._writing() as db:
            db.execute(delete(tables.data_key).where(tables.data_key.c.event == row.number))


@pytest.fixture
def helpdesk(tmp_path: Path) -> Iterator[Helpdesk]:
    made = Helpdesk(tmp_path)
    yield made
    made.store.close()


def what(found: dict[str, Any]) -> list[str]:
    return [each["what"] for each in found["timeline"]]


def test_before_any_decision_it_is_stored(helpdesk: Helpdesk) -> None:
    helpdesk.filed(1)
    found = helpdesk.one(1)
    assert (found["status"], found["decisions"], found["erased"]) == ("stored", [], False)
    assert what(found) == ["accepted-by-portal", "stored"]
    assert "findings" not in found


def test_decisions_come_in_their_order_however_they_arrived(helpdesk: Helpdesk) -> None:
    event = helpdesk.filed(1)
    for revision, decision in ((3, "revoke"), (1, "hold"), (4, "return"), (2, "accept")):
        helpdesk.decided(event, revision, decision, revision * 1_000)
    found = helpdesk.one(1)
    assert [each["decision"] for each in found["decisions"]] == ["hold", "accept", "revoke", "return"]
    assert what(found) == ["accepted-by-portal", "stored", "hold", "accept", "revoke", "return"]
    assert found["status"] == "returned"
    times = [each["at"] for each in found["timeline"]]
    assert times == sorted(times)
    assert found["decisions"][1]["tax_items"] == [ITEM]


def test_decisions_within_one_millisecond_stay_in_order(helpdesk: Helpdesk) -> None:
    event = helpdesk.filed(1)
    for revision, decision in ((2, "revoke"), (1, "accept"), (3, "accept"), (4, "revoke")):
        helpdesk.decided(event, revision, decision, 1_000)
    found = helpdesk.one(1)
    assert what(found)[2:] == ["accept", "revoke", "accept", "revoke"]
    assert found["status"] == "revoked"


def test_a_clock_that_was_set_back_does_not_change_what_counts(helpdesk: Helpdesk) -> None:
    event = helpdesk.filed(1)
    helpdesk.decided(event, 1, "accept", 9_000)
    helpdesk.decided(event, 2, "revoke", 1_000)
    found = helpdesk.one(1)
    assert [each["decision"] for each in found["decisions"]] == ["accept", "revoke"]
    assert found["status"] == "revoked"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_after_a_desk_was_restored_its_later_word_counts(helpdesk: Helpdesk, order: tuple[int, int]) -> None:
    event = helpdesk.filed(1)
    said = [(1, "accept", 1_000), (1, "return", 5_000)]
    for at in order:
        helpdesk.decided(event, *said[at])
    found = helpdesk.one(1)
    assert [each["decision"] for each in found["decisions"]] == ["accept", "return"]
    assert found["status"] == "returned"


def test_a_decision_belongs_to_the_filing_that_it_names(helpdesk: Helpdesk) -> None:
    first, second = helpdesk.filed(1), helpdesk.filed(1)
    helpdesk.decided(second, 1, "accept", 1_000)
    helpdesk.decided(replace(first, leaf=leaf(99)), 1, "return", 2_000)  # of a leaf that is not here
    found = {each["event_id"]: each for each in helpdesk.queries.lookup(receipt(1))}
    assert {event.event_id: found[event.event_id]["status"] for event in (first, second)} == {
        first.event_id: "stored",
        second.event_id: "accepted",
    }
    assert len(found) == 2


def test_parts_and_status_events_are_no_filings(helpdesk: Helpdesk) -> None:
    helpdesk.filed(1, procedure=ATTACHMENT_PART)
    with pytest.raises(NotFound):
        helpdesk.queries.lookup(receipt(1))
    event = helpdesk.filed(1)
    helpdesk.decided(event, 1, "hold", 1_000)
    assert len(helpdesk.queries.lookup(receipt(1))) == 1
    with pytest.raises(NotFound):
        helpdesk.queries.lookup(receipt(2))


def test_an_unknown_reason_of_a_newer_desk_is_shown_as_it_came(helpdesk: Helpdesk) -> None:
    helpdesk.decided(helpdesk.filed(1), 1, "hold", 1_000, reason="a-reason-of-tomorrow")
    (decision,) = helpdesk.one(1)["decisions"]
    assert (decision["reason"], decision["reason_ja"]) == ("a-reason-of-tomorrow", "")


@pytest.mark.parametrize("how", ["data key", "epoch key"])
def test_what_is_erased_is_told_as_erased_and_its_decisions_remain(helpdesk: Helpdesk, how: str) -> None:
    event = helpdesk.filed(1)
    helpdesk.decided(event, 1, "accept", 1_000, epoch=LATER_EPOCH)
    if how == "data key":
        helpdesk.erase(event)
    else:
        helpdesk.keys.gone.add(EPOCH)
        helpdesk.vault.forget()
    found = helpdesk.one(1)
    assert (found["erased"], found["items"], found["status"]) == (True, None, "accepted")
    assert "attachments" not in found


def test_nobody_is_told_an_older_status_than_one_that_was_erased(helpdesk: Helpdesk) -> None:
    event = helpdesk.filed(1)
    helpdesk.decided(event, 1, "accept", 1_000)
    later = helpdesk.decided(event, 2, "revoke", 2_000)
    helpdesk.erase(later)
    found = helpdesk.one(1)
    assert found["status"] == "erased"
    assert [each["decision"] for each in found["decisions"]] == ["accept"]
    assert {"what": "status", "detail": "erased"}.items() <= found["timeline"][-1].items()


def test_an_older_decision_that_was_erased_leaves_the_last_word(helpdesk: Helpdesk) -> None:
    event = helpdesk.filed(1)
    helpdesk.erase(helpdesk.decided(event, 1, "accept", 1_000))
    helpdesk.decided(event, 2, "revoke", 2_000)
    assert helpdesk.one(1)["status"] == "revoked"


# --- what the desk takes in


def test_the_desk_does_not_keep_a_message_to_the_filer(tmp_path: Path) -> None:
    header = Portal(World(tmp_path)).header(1)
    header = header._replace(kind=Kind.STATUS, cause=Cause(header.event_id, bytes(32)))
    said = DecisionRecord(
        header.receipt_number, header.tenant, header.procedure, 1, "return", "item-missing", "見本", (), None, NOW
    )
    desk = HelpdeskDesk()
    own = said.encode(with_message=False)
    assert desk.read(header, own) == Reading(own)
    assert desk.read(header, said.encode(with_message=True)) is Reason.PLAINTEXT_INVALID
    assert desk.read(header, own[:-1]) is Reason.PLAINTEXT_INVALID
    assert desk.read(header, helpdesk_section(submission(1))) is Reason.PLAINTEXT_INVALID
    for wrong in (replace(said, receipt_number="R9"), replace(said, tenant="131041"), replace(said, procedure="x")):
        assert desk.read(header, wrong.encode(with_message=False)) is Reason.SECTION_MISMATCH
    submitted = header._replace(kind=Kind.SUBMISSION, cause=None)
    assert desk.read(submitted, own) is Reason.PLAINTEXT_INVALID
    assert from_ms(NOW)
