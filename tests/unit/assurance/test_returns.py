"""Decisions and hand-overs are reconciled as submissions are; and counted on their topics, where doubles show."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assurance.census import Census, Returns, account_returns
from assurance.reconcile import DECISIONS, HANDOVERS, Entry, Flow, Kind, Report, State, compare

NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
TENANTS = ("131041", "999997")
PLACES = [(flow, place) for flow in (DECISIONS, HANDOVERS) for place in flow.destinations]

entries = st.builds(
    Entry,
    tenant=st.sampled_from(TENANTS),
    event_id=st.integers(0, 30).map(lambda n: f"event-{n:02}"),
    leaf=st.integers(1, 3).map(lambda n: bytes([n]) * 32),
)
sent = st.lists(entries, max_size=20, unique_by=lambda entry: (entry.tenant, entry.event_id))


def report(kind: Kind, lines: list[Entry], principal: str, tenant: str | None) -> Report:
    return Report(principal, tenant, kind, NOW, tuple(line for line in lines if tenant in (None, line.tenant)))


def books(flow: Flow, lines: list[Entry], **at: list[Entry]) -> list[Report]:
    """A report of the source and of each place for each tenant; of the portal one for all; of tax teams two."""
    made = []
    for kind in (flow.source, *flow.destinations):
        mine = at.get(kind.name, lines)
        if kind is Kind.ANSWERED:
            made.append(report(kind, mine, "portal", None))
            continue
        for tenant in TENANTS:
            own = [line for line in mine if line.tenant == tenant]
            if kind is Kind.TAKEN:
                made.append(report(kind, own[::2], f"tax-resident-tax-{tenant}", tenant))
                made.append(report(kind, own[1::2], f"tax-tobacco-tax-{tenant}", tenant))
            else:
                made.append(report(kind, own, f"{kind.value}-{tenant}", tenant))
    return made


@pytest.mark.parametrize("flow", [DECISIONS, HANDOVERS])
@given(lines=sent)
def test_equal_books_agree(flow: Flow, lines: list[Entry]) -> None:
    outcome = compare(flow, books(flow, lines), tenants=TENANTS)
    assert outcome.agreed
    assert set(outcome.counts.values()) == {len(lines)}
    assert sum(sum(counts.values()) for counts in outcome.counts_by_tenant.values()) == len(lines) * len(outcome.counts)


@pytest.mark.parametrize(("flow", "place"), PLACES)
@given(lines=sent.filter(bool), data=st.data())
def test_each_one_that_is_missing_planted_or_double_is_named(
    flow: Flow, place: Kind, lines: list[Entry], data: st.DataObject
) -> None:
    victim = data.draw(st.sampled_from(lines))
    missing = compare(flow, books(flow, lines, **{place.name: [each for each in lines if each != victim]}))
    assert [(one.event_id, one.leaf, one.at) for one in missing.lost.listed] == [(victim.event_id, victim.leaf, place)]
    planted = Entry(victim.tenant, "planted", b"\x07" * 32)
    extra = compare(flow, books(flow, lines, **{place.name: [*lines, planted]}))
    assert [(one.event_id, one.at) for one in extra.extra.listed] == [("planted", place)]
    double = compare(flow, books(flow, lines, **{place.name: [*lines, victim]}))
    assert [(one.event_id, one.at) for one in double.duplicates.listed] == [(victim.event_id, place)]
    assert not missing.agreed
    assert not extra.agreed
    assert not double.agreed


@pytest.mark.parametrize("flow", [DECISIONS, HANDOVERS])
def test_a_desk_that_does_not_report_is_missed(flow: Flow) -> None:
    for kind in (flow.source, *flow.destinations):
        outcome = compare(flow, [each for each in books(flow, []) if each.kind is not kind], tenants=TENANTS)
        assert not outcome.agreed
        assert outcome.missing_reports == tuple((tenant, kind) for tenant in TENANTS)


def test_one_handover_with_two_teams_is_double() -> None:
    line = Entry("131041", "event-1", b"\x01" * 32)
    both = books(HANDOVERS, [line], TAKEN=[line, line])
    assert [each.entries for each in both if each.kind is Kind.TAKEN][:2] == [(line,), (line,)]
    outcome = compare(HANDOVERS, both, tenants=TENANTS)
    assert (outcome.agreed, outcome.duplicates.count) == (False, 1)


def test_one_decision_is_not_double_because_two_places_have_it() -> None:
    line = Entry("131041", "event-1", b"\x01" * 32)
    assert compare(DECISIONS, books(DECISIONS, [line]), tenants=TENANTS).agreed


def test_what_is_decided_and_not_told_yet_is_pending_and_what_cannot_be_told_void() -> None:
    waiting = [
        Entry("131041", "about-1", b"\x01" * 32, State.PENDING),
        Entry("131041", "about-2", b"\x02" * 32, State.VOID),
    ]
    nowhere: dict[str, list[Entry]] = {place.name: [] for place in DECISIONS.destinations}
    outcome = compare(DECISIONS, books(DECISIONS, waiting, **nowhere), tenants=TENANTS)
    assert (outcome.agreed, outcome.pending, outcome.void) == (True, 1, 1)


def test_a_decision_told_while_the_places_reported_is_not_extra() -> None:
    line = Entry("131041", "event-1", b"\x01" * 32)
    reports = books(DECISIONS, [line], DECIDED=[])
    assert not compare(DECISIONS, reports).agreed
    assert compare(DECISIONS, reports, later=[report(Kind.DECIDED, [line], "review-131041", "131041")]).agreed


def census(**topics: list[bytes]) -> Census:
    return Census({topic: Counter(leaves) for topic, leaves in topics.items()}, parts=0, dead_letters=0, foreign=0)


@pytest.mark.parametrize(
    ("stands", "found"),
    [
        ([b"a", b"b"], Returns(2, 0, 0, 0)),
        ([b"a"], Returns(1, 1, 0, 0)),
        ([b"a", b"b", b"b", b"b"], Returns(2, 0, 2, 0)),
        ([b"a", b"b", b"c"], Returns(2, 0, 0, 1)),
        ([], Returns(0, 2, 0, 0)),
    ],
)
def test_the_census_counts_what_stands_on_the_topics(stands: list[bytes], found: Returns) -> None:
    lines = [
        Entry("131041", "1", b"a"),
        Entry("131041", "2", b"b"),
        Entry("131041", "3", b"p", State.PENDING),
        Entry("131041", "4", b"v", State.VOID),
    ]
    told = [report(Kind.DECIDED, lines, "review-131041", "131041")]
    assert account_returns(census(status=stands), told, lambda _: "status") == found
