"""What the helpdesk says of a record that could not be processed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from consumers.helpdesk.queries import HelpdeskQueries
from consumers.helpdesk.tickets import status_of, tickets
from consumers.reporting import decisions_seen, entries, handovers_seen
from consumers.store.model import HELD
from consumers.store.sql import open_sqlite
from hub.envelope.resolutions import receipt_fingerprint
from tests.unit.consumers.making import NOW, batch, leaf, new_event, notice, resolution


def test_a_notice_is_an_open_ticket_until_the_operator_says_otherwise() -> None:
    noticed = replace(notice(1), reason="tenant-not-ready")
    (ticket,) = tickets([noticed], [])[leaf(1)]
    shown = ticket.shown()
    assert (shown["outcome"], shown["waits_for"], shown["resolved_at"]) == ("open", "tenant", None)
    assert ticket.timeline() == [(NOW, "dead-letter", "tenant-not-ready")]
    (ticket,) = tickets([noticed], [resolution(1, at_ms=NOW + 5)])[leaf(1)]
    assert ticket.shown()["outcome"] == "discarded" and ticket.shown()["discard_ja"]
    assert ticket.timeline()[1] == (NOW + 5, "letter-discarded", "damaged")


def test_a_ticket_of_a_desk_stands_beside_that_of_the_router() -> None:
    found = tickets([notice(1)], [resolution(1, origin="rehearsal.999997.review")])[leaf(1)]
    assert {(ticket.where, ticket.shown()["outcome"]) for ticket in found} == {
        ("submissions", "open"),
        ("review", "discarded"),
    }


def test_the_last_word_decides_the_status() -> None:
    first, then = resolution(1, "replayed"), replace(resolution(1, at_ms=NOW + 9), letter="another/0/1")
    assert status_of(tickets([], [first])[leaf(1)]) == "dead-letter"
    assert status_of(tickets([], [first, then])[leaf(1)]) == "discarded"
    assert status_of(tickets([notice(1)], [])[leaf(1)]) == "dead-letter"


def test_lookup_shows_the_ticket_of_an_event_that_arrived_after_all(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "store.db", "rehearsal/helpdesk-999997")
    try:
        event = new_event(1)
        said = replace(resolution(1, "replayed", at_ms=NOW + 7), receipt=receipt_fingerprint(event.receipt_number))
        store.commit(batch(None, 1, event, resolutions=(said,)))
        (shown,) = HelpdeskQueries(store, None).lookup(event.receipt_number)  # type: ignore[arg-type]
    finally:
        store.close()
    assert shown["status"] == "stored"
    assert [t["outcome"] for t in shown["tickets"]] == ["replayed"]
    assert {"dead-letter", "letter-replayed", "stored"} <= {t["what"] for t in shown["timeline"]}


def test_only_audit_reports_discards_and_says_at_which_desk(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "store.db", "rehearsal/audit-999997")
    try:
        words = (
            resolution(1),
            resolution(2, origin="rehearsal.999997.review", hop="review-999997"),
            resolution(3, origin="rehearsal.999997.status", hop="helpdesk-999997"),
            resolution(4, "replayed"),
            resolution(6, origin="rehearsal.999997.accepted", hop="tax-resident-tax-999997"),
            resolution(7, origin="rehearsal.999997.status", hop="portal"),
            resolution(8, origin="rehearsal.submissions", hop="review-999997"),
            replace(resolution(5), tenant=None, event_id=None, leaf=None, receipt=None),
        )
        store.commit(batch(None, 1, resolutions=words))
        assert [*entries(store)] == []
        found, decisions, handed = (
            {each.leaf: each.state for each in said(store, discards=True)}
            for said in (entries, decisions_seen, handovers_seen)
        )
    finally:
        store.close()
    assert found == {leaf(1): "discarded", leaf(2): "discarded-review"}
    assert decisions == {leaf(3): "discarded-helpdesk", leaf(7): "discarded-portal"}
    assert handed == {leaf(6): "discarded-tax"}


def test_what_a_desk_refused_is_open_until_a_word_about_just_that_refusal() -> None:
    desk = "review-999997"
    held = replace(resolution(1, origin="rehearsal.999997.review", hop=desk), kind=HELD, discard=None, letter="x")
    (ticket,) = tickets([], [held])[leaf(1)]
    assert (ticket.where, ticket.shown()["outcome"], ticket.said) == ("review", "open", None)
    sent_back = resolution(1, "replayed", origin="rehearsal.999997.review", hop=desk, at_ms=NOW + 5)
    (ticket,) = tickets([], [held, sent_back])[leaf(1)]
    assert ticket.shown()["outcome"] == "replayed"
    again = replace(held, refused_at_ms=NOW + 9, resolved_at_ms=NOW + 9)
    both = tickets([], [held, sent_back, again])[leaf(1)]
    assert [ticket.shown()["outcome"] for ticket in both] == ["replayed", "open"], "it came back"
    elsewhere = replace(held, origin="rehearsal.999997.helpdesk", letter="y")
    assert len(tickets([], [held, elsewhere, sent_back])[leaf(1)]) == 2
