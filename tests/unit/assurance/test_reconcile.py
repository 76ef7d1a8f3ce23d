"""The books agree exactly when the sets agree, and every planted discrepancy is found and named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assurance.reconcile import (
    DECISIONS,
    DESTINATIONS,
    HANDOVERS,
    LOGS,
    MAX_LISTED,
    Entry,
    Flow,
    Kind,
    Reconciliation,
    Report,
    State,
    compare,
    reconcile,
)

NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
TENANTS = ("131041", "999997")

entries = st.builds(
    Entry,
    tenant=st.sampled_from(TENANTS),
    event_id=st.integers(0, 30).map(lambda n: f"event-{n:02}"),
    leaf=st.sampled_from([b"\x01" * 32, b"\x02" * 32]),
)
same = st.lists(entries, max_size=25, unique_by=lambda entry: (entry.tenant, entry.event_id))


def report(kind: Kind, lines: list[Entry], tenant: str | None = None) -> Report:
    principal = kind.value if tenant is None else f"{kind.value}-{tenant}"
    mine = tuple(line for line in lines if tenant in (None, line.tenant))
    return Report(principal, tenant, kind, NOW, mine)


def reports(portal: list[Entry], **at: list[Entry]) -> list[Report]:
    """One report of the portal and, for each tenant, one of each desk; a desk has what the portal sent
    unless told otherwise."""
    held = [replace(line, state=State.HELD) for line in portal if line.state is State.HELD]
    return [
        report(Kind.PORTAL, portal),
        *(report(kind, at.get(kind.value, held), tenant) for kind in DESTINATIONS for tenant in TENANTS),
    ]


def told(outcome: Reconciliation) -> dict[str, int]:
    sorts = ("lost", "extra", "duplicates", "conflicts", "unconfirmed", "dead_letters", "discarded")
    return {name: getattr(outcome, name).count for name in sorts if getattr(outcome, name)}


@given(same)
def test_equal_books_agree_and_count_every_event_once(sent: list[Entry]) -> None:
    outcome = reconcile(reports(sent), tenants=TENANTS)
    assert outcome.agreed
    assert told(outcome) == {}
    totals = outcome.totals
    assert {totals.submitted, totals.routed, totals.review, totals.helpdesk, totals.audit} == {len(sent)}
    assert sum(one.submitted for one in outcome.by_tenant.values()) == len(sent)


@given(same, same, same, same)
def test_agrees_if_and_only_if_the_sets_are_equal(
    sent: list[Entry], audit: list[Entry], review: list[Entry], helpdesk: list[Entry]
) -> None:
    outcome = reconcile(reports(sent, audit=audit, review=review, helpdesk=helpdesk), tenants=TENANTS)
    assert outcome.agreed == all(set(at) == set(sent) for at in (audit, review, helpdesk))
    assert outcome.lost.count == sum(len(set(sent) - set(at)) for at in (audit, review, helpdesk))
    assert outcome.extra.count == sum(len(set(at) - set(sent)) for at in (audit, review, helpdesk))


@given(same.filter(bool), st.sampled_from(DESTINATIONS), st.data())
def test_each_lost_event_is_named_with_the_place_where_it_is_missing(
    sent: list[Entry], kind: Kind, data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(sent))
    outcome = reconcile(reports(sent, **{kind.value: [line for line in sent if line != gone]}))
    assert not outcome.agreed
    assert [(one.event_id, one.leaf, one.at) for one in outcome.lost.listed] == [(gone.event_id, gone.leaf, kind)]
    assert told(outcome) == {"lost": 1}


@given(same, st.sampled_from(DESTINATIONS), st.sampled_from(TENANTS))
def test_each_event_that_nobody_sent_is_named(sent: list[Entry], kind: Kind, tenant: str) -> None:
    planted = Entry(tenant, "planted", b"\x07" * 32)
    outcome = reconcile(reports(sent, **{kind.value: [*sent, planted]}))
    assert not outcome.agreed
    assert told(outcome) == {"extra": 1}
    assert (outcome.extra.listed[0].event_id, outcome.extra.listed[0].at) == ("planted", kind)


@given(same.filter(bool), st.sampled_from(DESTINATIONS), st.data())
def test_each_event_stored_twice_is_named(sent: list[Entry], kind: Kind, data: st.DataObject) -> None:
    twice = data.draw(st.sampled_from(sent))
    outcome = reconcile(reports(sent, **{kind.value: [*sent, twice]}))
    assert not outcome.agreed
    assert told(outcome) == {"duplicates": 1}
    assert outcome.duplicates.listed[0].event_id == twice.event_id


@given(same.filter(bool), st.sampled_from(DESTINATIONS), st.data())
def test_a_second_leaf_under_an_id_is_extra_and_a_conflict(sent: list[Entry], kind: Kind, data: st.DataObject) -> None:
    doubled = replace(data.draw(st.sampled_from(sent)), leaf=b"\x09" * 32)
    outcome = reconcile(reports(sent, **{kind.value: [*sent, doubled]}))
    assert not outcome.agreed
    assert told(outcome) == {"extra": 1, "conflicts": 1}


@given(same.filter(bool), st.sampled_from(DESTINATIONS), st.data())
def test_swapped_content_is_lost_and_extra(sent: list[Entry], kind: Kind, data: st.DataObject) -> None:
    victim = data.draw(st.sampled_from(sent))
    swapped = [replace(line, leaf=b"\x09" * 32) if line == victim else line for line in sent]
    outcome = reconcile(reports(sent, **{kind.value: swapped}))
    assert told(outcome) == {"lost": 1, "extra": 1}


@given(same, st.randoms())
def test_the_order_of_reports_and_lines_does_not_matter(sent: list[Entry], random: object) -> None:
    handed_in = reports(sent, review=sent[1:])
    shuffled = [replace(one, entries=tuple(reversed(one.entries))) for one in handed_in]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert reconcile(shuffled) == reconcile(handed_in)


def event(number: int, state: State = State.HELD, tenant: str = "131041") -> Entry:
    return Entry(tenant, f"event-{number}", bytes([number % 256]) * 32, state)


def test_an_event_still_on_its_way_may_be_anywhere() -> None:
    for at_desk in ([], [event(1)]):
        outcome = reconcile(reports([event(1, State.PENDING)], audit=[event(1)], review=at_desk, helpdesk=[]))
        assert outcome.agreed
        assert (outcome.pending, outcome.totals.submitted) == (1, 0)


def test_a_void_event_need_not_arrive() -> None:
    outcome = reconcile(reports([event(1, State.VOID)]))
    assert outcome.agreed
    assert (outcome.void, outcome.totals.submitted) == (1, 0)


def test_a_void_event_that_was_routed_after_all_must_arrive_everywhere() -> None:
    outcome = reconcile(reports([event(1, State.VOID)], audit=[event(1)]))
    assert told(outcome) == {"lost": 2}
    assert {one.at for one in outcome.lost.listed} == {Kind.REVIEW, Kind.HELPDESK}
    assert (outcome.void, outcome.totals.submitted) == (0, 1)


def test_an_erased_event_counts_as_had() -> None:
    outcome = reconcile(reports([event(1)], review=[event(1, State.ERASED)]))
    assert outcome.agreed
    assert (outcome.erased, outcome.totals.review) == (1, 1)


def test_an_unconfirmed_event_is_stored_but_told() -> None:
    outcome = reconcile(reports([event(1)], review=[event(1, State.UNCONFIRMED)]))
    assert outcome.agreed
    assert told(outcome) == {"unconfirmed": 1}


def test_a_dead_letter_is_no_delivery() -> None:
    outcome = reconcile(reports([event(1)], review=[event(1, State.DEAD_LETTER)]))
    assert not outcome.agreed
    assert told(outcome) == {"lost": 1, "dead_letters": 1}


def test_a_dead_letter_that_was_replayed_is_delivered() -> None:
    replayed = [event(1, State.DEAD_LETTER), event(1)]
    outcome = reconcile(reports([event(1)], review=replayed))
    assert outcome.agreed
    assert told(outcome) == {"dead_letters": 1}


@pytest.mark.parametrize(
    ("state", "excused"),
    [
        (State.DISCARDED, {Kind.AUDIT, Kind.REVIEW, Kind.HELPDESK}),
        (State.DISCARDED_AUDIT, {Kind.AUDIT}),
        (State.DISCARDED_REVIEW, {Kind.REVIEW}),
        (State.DISCARDED_HELPDESK, {Kind.HELPDESK}),
    ],
)
def test_an_audited_discard_excuses_the_desk_that_it_is_about_and_is_listed(state: State, excused: set[Kind]) -> None:
    for missing in ([Kind.AUDIT], [Kind.REVIEW], [Kind.HELPDESK], list(DESTINATIONS)):
        at = {kind.value: [] if kind in missing else [event(1)] for kind in DESTINATIONS}
        at["audit"] = [*at["audit"], event(1, state)]
        outcome = reconcile(reports([event(1)], **at))
        assert outcome.agreed is (set(missing) <= excused)
        assert {each.at for each in outcome.discarded.listed} == set(missing) & excused
        assert {each.at for each in outcome.lost.listed} == set(missing) - excused


@pytest.mark.parametrize(
    ("flow", "state", "excused"),
    [
        (DECISIONS, State.DISCARDED_HELPDESK, Kind.TOLD),
        (DECISIONS, State.DISCARDED_PORTAL, Kind.ANSWERED),
        (DECISIONS, State.DISCARDED_AUDIT, Kind.DECISION_LOG),
        (HANDOVERS, State.DISCARDED_TAX, Kind.TAKEN),
        (HANDOVERS, State.DISCARDED_AUDIT, Kind.HANDOVER_LOG),
    ],
)
def test_a_discard_on_the_way_back_excuses_its_reader_and_no_other(flow: Flow, state: State, excused: Kind) -> None:
    log = next(kind for kind in flow.destinations if kind in LOGS)
    for missing in flow.destinations:
        lines: dict[Kind, list[Entry]] = {kind: [] if kind is missing else [event(1)] for kind in flow.destinations}
        lines[log] = [*lines[log], event(1, state)]
        made = [report(kind, each, "131041") for kind, each in lines.items()]
        found = compare(flow, [report(flow.source, [event(1)], "131041"), *made])
        assert (found.lost.count, found.discarded.count) == ((0, 1) if missing is excused else (1, 0)), missing


def test_a_discard_is_about_one_leaf_and_only_audit_says_it() -> None:
    other = replace(event(1, State.DISCARDED), leaf=b"\x09" * 32)
    assert not reconcile(reports([event(1)], review=[], audit=[event(1), other])).agreed
    assert not reconcile(reports([event(1)], review=[event(1, State.DISCARDED)])).agreed


def test_a_discarded_event_that_came_after_all_is_no_discrepancy() -> None:
    outcome = reconcile(reports([event(1)], audit=[event(1), event(1, State.DISCARDED)]))
    assert outcome.agreed and told(outcome) == {}


def test_garbage_put_aside_by_the_router_does_not_disturb_the_books() -> None:
    routed = report(Kind.ROUTER, [event(1), Entry("", "", b"", State.DEAD_LETTER)])
    outcome = reconcile([*reports([event(1)]), routed])
    assert outcome.agreed
    assert told(outcome) == {"dead_letters": 1}


def test_what_the_router_delivered_twice_is_told_where_it_happened() -> None:
    routed = report(Kind.ROUTER, [event(1), event(1)])
    outcome = reconcile([*reports([event(1)]), routed])
    assert told(outcome) == {"duplicates": 1}
    assert outcome.duplicates.listed[0].at is Kind.ROUTER


@pytest.mark.parametrize("kind", list(DESTINATIONS))
def test_a_missing_report_is_no_agreement_even_if_nothing_was_sent(kind: Kind) -> None:
    handed_in = [one for one in reports([]) if (one.kind, one.tenant) != (kind, "999997")]
    outcome = reconcile(handed_in, tenants=TENANTS)
    assert not outcome.agreed
    assert outcome.missing_reports == (("999997", kind),)


def test_without_the_portals_report_nothing_agrees() -> None:
    assert not reconcile([]).agreed
    assert reconcile(reports([])[1:], tenants=TENANTS).missing_reports == (("", Kind.PORTAL),)


def test_a_role_cannot_speak_for_another_municipality() -> None:
    sent = [event(1), event(2, tenant="999997")]
    handed_in = reports(sent, review=[event(1)])
    overreaching = replace(handed_in[3], entries=tuple(sent))
    assert (overreaching.kind, overreaching.tenant) == (Kind.REVIEW, "131041")
    outcome = reconcile([*handed_in[:3], overreaching, *handed_in[4:]])
    assert not outcome.agreed
    assert outcome.foreign == 1
    assert told(outcome) == {"lost": 1}


def test_even_a_true_line_about_another_municipality_is_no_agreement() -> None:
    sent = [event(1), event(2, tenant="999997")]
    handed_in = reports(sent)
    handed_in[3] = replace(handed_in[3], entries=tuple(sent))
    outcome = reconcile(handed_in)
    assert (outcome.agreed, outcome.foreign, told(outcome)) == (False, 1, {})


def test_reports_of_several_portal_instances_are_taken_together() -> None:
    all_lines = [event(1), event(2)]
    handed_in = [
        report(Kind.PORTAL, all_lines[:1]),
        report(Kind.PORTAL, all_lines[1:]),
        *reports(all_lines)[1:],
    ]
    assert reconcile(handed_in).agreed


def test_the_same_report_handed_in_twice_counts_once() -> None:
    assert reconcile(reports([event(1)]) * 2).agreed


def test_what_was_sent_while_the_desks_reported_is_not_extra() -> None:
    before, after = [event(1)], [event(1), event(2)]
    handed_in = reports(before, audit=after)
    assert told(reconcile(handed_in)) == {"extra": 1}
    assert reconcile(handed_in, later=[report(Kind.PORTAL, after)]).agreed


def test_counts_are_exact_and_lists_are_bounded() -> None:
    sent = [Entry("131041", f"event-{number:04}", number.to_bytes(32)) for number in range(MAX_LISTED + 50)]
    outcome = reconcile(reports(sent, review=[]))
    assert outcome.lost.count == MAX_LISTED + 50
    assert len(outcome.lost.listed) == MAX_LISTED
