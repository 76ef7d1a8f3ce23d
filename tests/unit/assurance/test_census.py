"""The census against the portal's report: copies that the operator sent back are no duplicates, all others are."""

from __future__ import annotations

from datetime import UTC, datetime

from assurance.census import Census, account
from assurance.reconcile import Entry, Kind, Report
from topics.declaration import load
from topics.expanding import expand

T = "131041"
TOPOLOGY = expand(load(), "rehearsal")
REVIEW, HELPDESK, AUDIT = (route.topic for route in TOPOLOGY.routes_of(T))
LEAF = b"\x01" * 32
PORTAL = Report("portal", None, Kind.PORTAL, datetime(2026, 4, 1, tzinfo=UTC), (Entry(T, "event-1", LEAF),))


def counted(review: int, sent_back: dict[str, dict[bytes, int]]) -> int:
    leaves = {REVIEW: {LEAF: review}, HELPDESK: {LEAF: 1}, AUDIT: {LEAF: 1}}
    found = account(Census(leaves, 0, 0, 0, sent_back), PORTAL, TOPOLOGY)
    assert (found.routed, found.lost, found.extra) == (1, 0, 0)
    return found.duplicates


def test_a_copy_that_the_operator_sent_back_is_no_duplicate() -> None:
    assert counted(2, {REVIEW: {LEAF: 1}}) == 0
    assert counted(3, {REVIEW: {LEAF: 2}}) == 0


def test_every_other_copy_is_one() -> None:
    assert counted(2, {}) == 1
    assert counted(3, {REVIEW: {LEAF: 1}}) == 1
    assert counted(2, {HELPDESK: {LEAF: 1}}) == 1
    assert counted(2, {REVIEW: {b"\x02" * 32: 1}}) == 1
    assert counted(1, {REVIEW: {LEAF: 4}}) == 0
