"""What a reviewer may do with a stored submission, and what two of them at once may not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from consumers.review.deciding import Ambiguous, Decided, FindingsOverlooked, Superseded
from consumers.review.queries import Wanted
from consumers.store.errors import DecisionConflict, EventErased, NotFound, StoreError
from consumers.store.model import StoredEvent
from consumers.store.sql import SqlStore, open_sqlite
from schemas.decisions import STATUS_AFTER, AnswerDateInvalid, Decision, DecisionNotAllowed, MessageTooLong, Order
from schemas.errors import HubError
from schemas.parts import AttachmentDamaged, AttachmentIncomplete
from schemas.submission_model import Attachment
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.unit.consumers.office import (
    ACCEPT,
    ACCEPT_BOTH,
    HOLD,
    ITEM,
    ITEMS,
    OTHER_ITEM,
    OWNER,
    PDF,
    RETURN,
    REVOKE,
    Office,
    receipt,
    submission,
)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.close()


def test_a_decision_is_kept_with_everything_that_it_says(office: Office) -> None:
    office.stored(submission(1), submission(2))
    order = replace(RETURN, answer_by=date(2027, 2, 1))
    done = office.reviewer("reviewer-a").decide(receipt(2), order)
    assert (done.receipt_number, done.status, done.revision) == (receipt(2), "returned", 1)
    (kept,) = office.store.cases.decisions(2)
    assert (kept.what, kept.reason, kept.decided_by) == ("return", "item-missing", "reviewer-a")
    assert (kept.revision, kept.answer_by, kept.tax_items, kept.told_at_ms, kept.failed) == (
        1,
        "2027-02-01",
        (),
        None,
        None,
    )
    assert office.dossiers.message(office.row(2), kept) == RETURN.message
    assert office.status(2) == "returned"
    assert office.status(1) == "stored"
    assert office.store.cases.decisions(1) == []


def test_the_message_is_nowhere_in_the_files(office: Office) -> None:
    office.stored(submission(1))
    message = "この文はどこにも平文で残らない"
    office.reviewer().decide(receipt(1), replace(RETURN, message=message))
    office.close()
    for path in office.directory.iterdir():
        assert message.encode() not in path.read_bytes(), path.name
        assert message[:6].encode() not in path.read_bytes(), path.name


def test_an_acceptance_has_one_hand_over_for_each_team_and_its_revocation_the_same(office: Office) -> None:
    office.stored(submission(1))
    reviewer = office.reviewer()
    first = reviewer.decide(receipt(1), ACCEPT_BOTH)
    second = reviewer.decide(receipt(1), REVOKE)
    third = reviewer.decide(receipt(1), replace(ACCEPT, tax_items=(OTHER_ITEM,)))
    fourth = reviewer.decide(receipt(1), REVOKE)
    handed = {
        done.decision: [each.tax_item for each in office.store.cases.handovers([done.decision])]
        for done in (first, second, third, fourth)
    }
    assert handed == {
        first.decision: [ITEM, OTHER_ITEM],
        second.decision: [ITEM, OTHER_ITEM],
        third.decision: [OTHER_ITEM],
        fourth.decision: [OTHER_ITEM],  # nobody is told twice that what he never had is revoked
    }
    assert [each.revision for each in office.store.cases.decisions(1)] == [1, 2, 3, 4]


def test_a_revoked_return_is_handed_to_nobody(office: Office) -> None:
    office.stored(submission(1))
    reviewer = office.reviewer()
    reviewer.decide(receipt(1), ACCEPT)
    reviewer.decide(receipt(1), REVOKE)
    reviewer.decide(receipt(1), RETURN)
    done = reviewer.decide(receipt(1), REVOKE)
    assert office.store.cases.handovers([done.decision]) == []
    assert office.status(1) == "revoked"


@pytest.mark.parametrize("first", Decision)
@pytest.mark.parametrize("second", Decision)
def test_what_is_decided_stays_until_it_is_revoked(office: Office, first: Decision, second: Decision) -> None:
    orders = {Decision.ACCEPT: ACCEPT, Decision.RETURN: RETURN, Decision.HOLD: HOLD, Decision.REVOKE: REVOKE}
    office.stored(submission(1))
    reviewer = office.reviewer()
    if first is Decision.REVOKE:
        with pytest.raises(DecisionNotAllowed):
            reviewer.decide(receipt(1), orders[first])
        return
    reviewer.decide(receipt(1), orders[first])
    before = office.store.cases.decisions(1)
    follows = {"accepted": {Decision.REVOKE}, "returned": {Decision.REVOKE}, "held": {Decision.ACCEPT, Decision.RETURN}}
    if second in follows[STATUS_AFTER[first]]:
        reviewer.decide(receipt(1), orders[second])
        assert office.status(1) == STATUS_AFTER[second]
    else:
        with pytest.raises(DecisionNotAllowed):
            reviewer.decide(receipt(1), orders[second])
        assert office.store.cases.decisions(1) == before
        assert office.store.cases.case(1).revision == 1


def test_a_refused_order_leaves_nothing(office: Office) -> None:
    office.stored(submission(1))
    reviewer = office.reviewer()
    for wrong, why in [
        (replace(RETURN, message="x" * 2_001), MessageTooLong),
        (replace(RETURN, answer_by=date(2027, 1, 15)), AnswerDateInvalid),  # today, in Japan
        (replace(REVOKE), DecisionNotAllowed),
    ]:
        with pytest.raises(why):
            reviewer.decide(receipt(1), wrong)
    assert office.store.cases.decisions(1) == []
    assert office.store.cases.case(1).revision == 0
    assert office.status(1) == "stored"


def test_today_is_the_day_in_japan(office: Office) -> None:
    office.stored(submission(1), submission(2))
    order = replace(HOLD, answer_by=date(2027, 1, 16))
    office.now = int(datetime(2027, 1, 15, 15, 0, tzinfo=UTC).timestamp() * 1_000)  # the 16th has begun in Japan
    with pytest.raises(AnswerDateInvalid):
        office.reviewer().decide(receipt(1), order)
    office.now = int(datetime(2027, 1, 15, 14, 59, 50, tzinfo=UTC).timestamp() * 1_000)
    office.reviewer().decide(receipt(2), order)


def test_what_is_not_there_or_no_filing_is_not_found(office: Office) -> None:
    made, large = office.in_parts(submission(1, PDF), 0, b"%PDF", b"-1.7")
    office.stored(made, large=[large])
    part = office.row(1).event
    for unknown in (receipt(9), "", "no such receipt", part.event_id, office.row(2).event.event_id):
        with pytest.raises(NotFound):
            office.reviewer().decide(unknown, HOLD)
    assert office.reviewer().decide(receipt(1), HOLD).event_id == office.row(3).event.event_id


def test_two_filings_under_one_receipt_are_told_apart_by_event_id(office: Office) -> None:
    office.stored(submission(1), submission(1, items=ITEMS | {"applicant_name": "架空　花子"}))
    with pytest.raises(Ambiguous):
        office.reviewer().decide(receipt(1), HOLD)
    office.reviewer().decide(office.row(2).event.event_id, HOLD)
    assert (office.status(1), office.status(2)) == ("stored", "held")


# --- erased


@pytest.mark.parametrize("order", [ACCEPT, RETURN, HOLD], ids=lambda order: order.decision.value)
@pytest.mark.parametrize("how", ["marked", "data key", "epoch key"])
def test_nothing_is_decided_on_what_is_erased(office: Office, order: Order, how: str) -> None:
    (row,) = office.stored(submission(1))
    if how == "marked":
        office.mark_erased(row)
    elif how == "data key":
        office.erase(row)
    else:
        office.keys.gone.add(202701)
    with pytest.raises(EventErased):
        office.reviewer().decide(receipt(1), order)
    assert office.store.cases.decisions(row) == []


def test_an_acceptance_of_what_is_erased_meanwhile_is_not_revoked_silently(office: Office) -> None:
    (row,) = office.stored(submission(1))
    office.reviewer().decide(receipt(1), ACCEPT)
    office.erase(row)
    with pytest.raises(EventErased):
        office.reviewer().decide(receipt(1), REVOKE)
    assert len(office.store.cases.decisions(row)) == 1


# --- findings and attachments


def test_findings_are_not_overlooked(office: Office) -> None:
    lie = Attachment("a.pdf", "application/pdf", b"just a text")
    office.stored(submission(1, lie), submission(2, lie))
    with pytest.raises(FindingsOverlooked):
        office.reviewer().decide(receipt(1), ACCEPT)
    for number, reason in ((1, "with-findings"), (2, "complete-after-inquiry")):
        office.reviewer().decide(receipt(number), replace(ACCEPT, reason=reason))
        assert office.status(number) == "accepted"


def test_findings_on_an_attachment_in_parts_are_not_overlooked_either(office: Office) -> None:
    """The portal has found it, and the desk finds it again once the parts are here."""
    lie = Attachment("a.pdf", "application/pdf", b"MZ\x90\x00" + bytes(60))
    made, large = office.in_parts(submission(1, lie), 0, lie.content[:10], lie.content[10:])
    (row,) = office.stored(made, large=[large])
    assert office.row(row).event.findings == 0  # when it was stored, nobody could know
    (shown,) = office.queries.show(receipt(1))
    assert {"attachment.program", "attachment.media-type", "attachment.file-name"} <= {
        each["rule"] for each in shown["findings"]
    }
    with pytest.raises(FindingsOverlooked):
        office.reviewer().decide(receipt(1), ACCEPT)
    office.reviewer().decide(receipt(1), replace(ACCEPT, reason="with-findings"))


def test_an_honest_attachment_in_parts_is_accepted_as_complete(office: Office) -> None:
    made, large = office.in_parts(submission(1, PDF, PDF), 1, PDF.content[:3], PDF.content[3:])
    office.stored(made, large=[large])
    (shown,) = office.queries.show(receipt(1))
    assert shown["findings"] == []
    office.reviewer().decide(receipt(1), ACCEPT)
    rows = office.queries.find(receipt(1))
    assert [each.content for each in office.queries.attachments(rows[0])] == [PDF.content, PDF.content]


def test_what_is_incomplete_is_not_accepted_but_may_be_returned(office: Office) -> None:
    made, large = office.in_parts(submission(1, PDF), 0, b"%PDF", b"-1.7 artificial")
    lost = replace(large, parts=(large.parts[0], replace(large.parts[1], leaf=bytes(32))))
    office.stored(made, large=[lost])
    with pytest.raises(AttachmentIncomplete):
        office.reviewer().decide(receipt(1), ACCEPT)
    (shown,) = office.queries.show(receipt(1))
    assert [each["rule"] for each in shown["findings"]] == ["attachment.incomplete"]
    office.reviewer().decide(receipt(1), RETURN)


@pytest.mark.parametrize("how", ["digest", "size", "order", "another filing's", "no part"])
def test_a_damaged_attachment_is_never_accepted(office: Office, how: str) -> None:
    made, large = office.in_parts(submission(1, PDF), 0, PDF.content[:4], PDF.content[4:])
    if how == "digest":
        large = replace(large, sha256=bytes(32))
    elif how == "size":
        large = replace(large, size=large.size + 1)
    elif how == "order":
        large = replace(large, parts=large.parts[::-1])
    elif how == "another filing's":
        _, other = office.in_parts(submission(2, PDF), 0, PDF.content[:4], PDF.content[4:])
        large = replace(large, parts=other.parts)
    else:
        (number,) = office.stored(submission(3))
        event = office.row(number).event
        large = replace(large, parts=(large.parts[0], type(large.parts[0])(event.event_id, event.leaf)))
    office.stored(made, large=[large])
    expected = AttachmentIncomplete if how == "no part" else AttachmentDamaged
    with pytest.raises(expected):
        office.reviewer().decide(receipt(1), replace(ACCEPT, reason="with-findings"))
    (shown,) = office.queries.show(receipt(1))  # it can be looked at all the same
    assert shown["submission"] is not None
    told = {"order": "damaged", "another filing's": "damaged", "no part": "incomplete"}
    if how in told:
        assert [each["rule"] for each in shown["findings"]] == [f"attachment.{told[how]}"]
    with pytest.raises(expected):
        office.queries.attachments(office.queries.find(receipt(1))[0])
    office.reviewer().decide(receipt(1), RETURN)


def test_a_part_that_was_erased_is_not_accepted(office: Office) -> None:
    made, large = office.in_parts(submission(1, PDF), 0, PDF.content[:4], PDF.content[4:])
    office.stored(made, large=[large])
    office.erase(2)
    with pytest.raises(EventErased):
        office.reviewer().decide(receipt(1), ACCEPT)
    office.erase(1)
    (shown,) = office.queries.show(receipt(1))
    assert [each["rule"] for each in shown["findings"]] == ["attachment.incomplete"]


# --- corrections and withdrawals


@pytest.mark.parametrize("how", ["replaces", "withdraws"])
def test_what_was_corrected_or_withdrawn_is_not_accepted(office: Office, how: str) -> None:
    office.stored(submission(1), submission(2, **{how: receipt(1)}))
    reviewer = office.reviewer()
    with pytest.raises(Superseded):
        reviewer.decide(receipt(1), ACCEPT)
    reviewer.decide(receipt(1), HOLD)
    (shown,) = office.queries.show(receipt(1))
    assert shown["replaced_by" if how == "replaces" else "withdrawn_by"] == [receipt(2)]


def test_a_correction_that_was_returned_leaves_the_first_one_as_it_was(office: Office) -> None:
    office.stored(submission(1), submission(2, replaces=receipt(1)), submission(3, replaces=receipt(2)))
    reviewer = office.reviewer()
    with pytest.raises(Superseded):
        reviewer.decide(receipt(2), ACCEPT)
    reviewer.decide(receipt(2), replace(RETURN, reason="superseded"))
    reviewer.decide(receipt(1), ACCEPT)  # 3 corrects 2, not 1
    with pytest.raises(DecisionNotAllowed):
        reviewer.decide(receipt(2), ACCEPT)
    reviewer.decide(receipt(2), REVOKE)  # a revoked one is no correction to wait for, either
    reviewer.decide(receipt(1), REVOKE)
    reviewer.decide(receipt(1), ACCEPT)
    reviewer.decide(receipt(1), REVOKE)
    reviewer.decide(receipt(2), HOLD)
    with pytest.raises(Superseded):
        reviewer.decide(receipt(1), ACCEPT)


@pytest.mark.parametrize("how", ["replaces", "withdraws"])
def test_what_a_stranger_corrects_or_withdraws_waits_for_a_person_and_is_not_lost(
    office: Office, how: str, attack: Attack
) -> None:
    """Who knows or guesses a receipt number can name it; the portal says who filed, not this desk."""
    row = attack(Attacker.APPLICANT, f"files something that {how} somebody else's filing", Verdict.CONTAINED)
    stranger = {**ITEMS, "applicant_name": "見本　次郎"}
    office.stored(submission(1), submission(2, items=stranger, **{how: receipt(1)}))
    reviewer = office.reviewer()
    with pytest.raises(Superseded) as refused:
        reviewer.decide(receipt(1), ACCEPT)
    reviewer.decide(receipt(2), replace(RETURN, reason="item-missing"))
    reviewer.decide(receipt(1), ACCEPT)
    assert office.status(1) == "accepted"
    row.contained(
        by="review desk",
        how=f"`{refused.value.code}`: both are shown to a reviewer, who returns the other one",
        within="the reviewer's decision",
    )


def test_two_that_correct_each_other_can_be_resolved(office: Office) -> None:
    office.stored(submission(1, replaces=receipt(2)), submission(2, replaces=receipt(1)))
    reviewer = office.reviewer()
    for number in (1, 2):
        with pytest.raises(Superseded):
            reviewer.decide(receipt(number), ACCEPT)
    reviewer.decide(receipt(1), RETURN)
    reviewer.decide(receipt(2), ACCEPT)


def test_one_that_corrects_itself_stands_in_nobodys_way(office: Office) -> None:
    office.stored(submission(1, replaces=receipt(1)))  # which is a finding
    office.reviewer().decide(receipt(1), replace(ACCEPT, reason="with-findings"))


# --- two at once


def test_who_looked_at_an_older_revision_decides_nothing(office: Office) -> None:
    office.stored(submission(1))
    office.reviewer("reviewer-a").decide(receipt(1), HOLD, revision=0)
    with pytest.raises(DecisionConflict):
        office.reviewer("reviewer-b").decide(receipt(1), RETURN, revision=0)
    with pytest.raises(DecisionConflict):
        office.reviewer("reviewer-b").decide(receipt(1), RETURN, revision=2)
    office.reviewer("reviewer-b").decide(receipt(1), RETURN, revision=1)


class Between(SqlStore):
    """A store that lets somebody else work at one moment: when this reads its n-th thing."""

    def __init__(self, office: Office) -> None:
        opened = open_sqlite(office.directory / "store.db", OWNER)
        self.__dict__.update(opened.__dict__)
        self.reads = 0
        self.at = -1
        self.work: Callable[[], object] = lambda: None

    def _step(self) -> None:
        self.reads += 1
        if self.reads == self.at:
            self.at = -1
            self.work()

    @property
    def cases(self):  # type: ignore[no-untyped-def,override]
        self._step()
        return super().cases

    def events(self, **wanted):  # type: ignore[no-untyped-def,override]
        self._step()
        return super().events(**wanted)

    def content(self, number):  # type: ignore[no-untyped-def,override]
        self._step()
        return super().content(number)


ORDERS = {"accept": ACCEPT, "return": RETURN, "hold": HOLD}


@pytest.mark.parametrize("mine", ORDERS)
@pytest.mark.parametrize("theirs", ORDERS)
def test_somebody_who_decides_at_any_moment_between_makes_a_conflict(tmp_path: Path, mine: str, theirs: str) -> None:
    """At every read in turn: either I see what they did, or my decision is refused. Never both on one status."""
    allowed = {("accept", "hold"), ("return", "hold")}  # what may follow a hold that I have seen
    at, conflicts = 1, 0
    while True:
        directory = tmp_path / str(at)
        directory.mkdir()
        office = Office(directory)
        office.stored(submission(1))
        mine_store = Between(office)
        mine_store.at = at
        mine_store.work = lambda office=office: office.reviewer("reviewer-b").decide(receipt(1), ORDERS[theirs])
        refused: HubError | None = None
        try:
            office.reviewer("reviewer-a", mine_store).decide(receipt(1), ORDERS[mine])
        except (DecisionConflict, DecisionNotAllowed) as error:
            refused = error
            conflicts += 1
        reached = mine_store.at == -1
        decisions = [each.what for each in office.store.cases.decisions(1)]
        office.close()
        mine_store.close()
        if not reached:
            assert decisions == [mine]
            break
        if refused is None:
            assert decisions == [theirs, mine]
            assert (mine, theirs) in allowed, f"at read {at}"
        else:
            assert decisions == [theirs]
        at += 1
    assert at > 3
    assert conflicts > 0


def race(office: Office, *works: Callable[[SqlStore], Decided]) -> list[Decided | HubError]:
    """Let each work run in a thread with a connection of its own, all at the same time."""
    barrier = threading.Barrier(len(works))
    found: list[Decided | HubError | None] = [None] * len(works)

    def run(place: int) -> None:
        store = open_sqlite(office.directory / "store.db", OWNER)
        try:
            barrier.wait()
            found[place] = works[place](store)
        except HubError as error:
            found[place] = error
        finally:
            store.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return [each for each in found if each is not None]


@pytest.mark.parametrize("round_", range(5))
def test_of_many_who_decide_at_once_exactly_one_decides(office: Office, round_: int) -> None:
    office.stored(submission(1))
    orders = [ACCEPT, RETURN, ACCEPT_BOTH, RETURN]

    def work(order: Order) -> Callable[[SqlStore], Decided]:
        return lambda store: office.reviewer("somebody", store).decide(receipt(1), order, revision=0)

    found = race(office, *(work(orders[(n + round_) % 4]) for n in range(4)))
    done = [each for each in found if isinstance(each, Decided)]
    assert len(done) == 1
    assert [type(each) for each in found if not isinstance(each, Decided)] == [DecisionConflict] * 3
    (kept,) = office.store.cases.decisions(1)
    assert kept.decision == done[0].decision
    assert office.status(1) == done[0].status
    assert len(office.store.cases.handovers([kept.decision])) == len(kept.tax_items)
    assert office.dossiers.message(office.row(1), kept) == (RETURN.message if kept.what == "return" else None)


def test_who_is_overtaken_between_two_looks_hears_of_that(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.stored(submission(1))
    slow = office.reviewer("reviewer-a")
    look = slow._dossiers.row

    def overtaken(number: int) -> StoredEvent:
        monkeypatch.setattr(slow._dossiers, "row", look)
        office.reviewer("reviewer-b").decide(receipt(1), ACCEPT, revision=0)
        return look(number)

    monkeypatch.setattr(slow._dossiers, "row", overtaken)
    with pytest.raises(DecisionConflict, match="revision 1"):
        slow.decide(receipt(1), RETURN, revision=0)


@pytest.mark.parametrize("claimer_first", [True, False])
def test_a_claim_and_a_decision_at_once_do_not_both_count(office: Office, claimer_first: bool) -> None:
    office.stored(submission(1))
    if claimer_first:
        office.reviewer("reviewer-a").assign(receipt(1), "reviewer-a", revision=0)
        with pytest.raises(DecisionConflict):
            office.reviewer("reviewer-b").decide(receipt(1), HOLD, revision=0)
    else:
        office.reviewer("reviewer-b").decide(receipt(1), HOLD, revision=0)
        with pytest.raises(DecisionConflict):
            office.reviewer("reviewer-a").assign(receipt(1), "reviewer-a", revision=0)
    assert office.store.cases.case(1).revision == 1


# --- claim and assign


def test_a_case_is_claimed_by_one_given_on_and_let_go(office: Office) -> None:
    office.stored(submission(1))
    a, b = office.reviewer("reviewer-a"), office.reviewer("reviewer-b")
    assert a.claim(receipt(1)) == 1
    assert a.claim(receipt(1)) == 1  # it is mine already
    with pytest.raises(DecisionConflict):
        b.claim(receipt(1))
    assert office.store.cases.case(1).assignee == "reviewer-a"
    assert a.assign(receipt(1), "reviewer-b") == 2
    with pytest.raises(DecisionConflict):
        a.assign(receipt(1), None, revision=1)
    assert b.assign(receipt(1), None, revision=2) == 3
    assert office.store.cases.case(1).assignee is None
    assert b.claim(receipt(1)) == 4
    with pytest.raises(NotFound):
        b.claim(receipt(2))


def test_of_many_who_claim_at_once_one_has_it(office: Office) -> None:
    office.stored(submission(1))
    won: list[str] = []

    def work(name: str) -> Callable[[SqlStore], Decided]:
        def claim(store: SqlStore) -> Decided:
            office.reviewer(name, store).claim(receipt(1))
            won.append(name)
            return Decided(0, "", "", "", 0)

        return claim

    found = race(office, *(work(f"reviewer-{n}") for n in range(4)))
    assert len(won) == 1
    assert sum(isinstance(each, DecisionConflict) for each in found) == 3
    assert office.store.cases.case(1).assignee == won[0]


def test_lists_tell_by_status_assignee_and_day(office: Office) -> None:
    office.stored(*(submission(n) for n in range(1, 5)))
    office.reviewer("reviewer-a").claim(receipt(2))
    office.reviewer().decide(receipt(3), RETURN)

    def listed(**wanted: object) -> list[str]:
        return [each["receipt_number"] for each in office.queries.listed(Wanted(**wanted))]  # type: ignore[arg-type]

    assert listed(status="returned") == [receipt(3)]
    assert listed(assignee="reviewer-a") == [receipt(2)]
    assert listed(unassigned=True) == [receipt(1), receipt(3), receipt(4)]
    assert listed(overdue_on=date(2027, 2, 15)) == []
    assert listed(overdue_on=date(2027, 2, 16)) == [receipt(1), receipt(2), receipt(4)]  # 3 is decided


def test_every_refusal_says_what_to_do_next() -> None:
    for error in (DecisionConflict, EventErased, NotFound, Superseded, Ambiguous, FindingsOverlooked):
        made = error()
        assert isinstance(made, StoreError) or made.code.startswith("decision.")
        assert not made.retriable
