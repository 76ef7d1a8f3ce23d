"""What the report counts: places side by side, lines of the operations log, verdicts."""

from __future__ import annotations

import random
from array import array
from dataclasses import replace

import pytest

from hub.envelope.event_ids import new_event_id
from hub.envelope.operations import Kind
from hub.envelope.records import ReportEntry
from monitoring.report import places, tallying
from monitoring.report.judging import Check, Verdict, judge, to_look_at
from monitoring.report.model import MAX_LISTED, OTHERS, Basis, BasisUnreadable, Findings
from monitoring.report.places import made_at_ms
from monitoring.report.tallying import Tally
from tests.unit.monitoring.report.artificial import TENANT, basis, filings, held, line, period

DAY = period("2026-10-05")
MONTH = period("2026-10")


def test_an_event_belongs_to_the_time_in_its_id() -> None:
    assert made_at_ms(new_event_id(1_790_000_000_123)) == 1_790_000_000_123
    assert made_at_ms("not-an-id") is None
    dice = random.Random(1)
    ids = [new_event_id(at, dice.randbytes) for at in (DAY.begin_ms - 1, DAY.begin_ms, DAY.end_ms - 1, DAY.end_ms)]
    entries = [ReportEntry(TENANT, each, dice.randbytes(32), "held") for each in ids]
    found = places.portal(entries, TENANT, DAY)
    assert found.held == 2
    assert found.by_slot == (1, *[0] * 22, 1)
    assert places.portal(entries, "131041", DAY).held == 0


def test_states_of_the_journal_are_told_apart() -> None:
    entries = [
        ReportEntry(TENANT, new_event_id(DAY.begin_ms + n), bytes([n]) * 32, state)
        for n, state in enumerate(("held", "held", "pending", "void"))
    ]
    found = places.portal(entries, TENANT, DAY)
    assert (found.held, found.pending, found.void) == (2, 1, 1)
    assert found.digest == f"{int.from_bytes(bytes([1]) * 32, 'big'):064x}"


def test_the_same_submissions_in_another_order_have_the_same_digest_and_others_have_not() -> None:
    rows = filings(DAY, 3, 50)
    shuffled = random.Random(4).sample(rows, len(rows))
    one, two = (places.desk("review", each, (), DAY) for each in (rows, shuffled))
    assert one == two
    swapped = [replace(rows[0], leaf=bytes(32)), *rows[1:]]
    assert places.desk("review", swapped, (), DAY).digest != one.digest


def test_delays_are_exact() -> None:
    found = places.spread(array("q", [30_001, 30_000, 1, 59_999, 60_001, 1_000]))
    assert (found.count, found.p50, found.p99, found.longest, found.within) == (6, 30_000, 60_001, 60_001, 3)
    assert found.spread == (2, 0, 0, 1, 2, 1)
    assert places.spread(array("q")).spread == (0,) * 6


def test_lines_are_counted_by_slot_account_and_kind() -> None:
    tally = Tally(TENANT, DAY)
    at = DAY.begin_ms + 9 * 3_600_000
    tally.take(line(Kind.VIEWED, at, principal=f"review-{TENANT}", actor="zei-01", tenant=TENANT, count=3))
    tally.take(line(Kind.VIEWED, at, principal=f"review-{TENANT}", actor="zei-01", tenant=TENANT, outcome="denied"))
    tally.take(line(Kind.DENIED, at, actor="helpdesk-999997", about="topic", count=5))
    tally.take(line(Kind.PROBED, at, principal="monitor", about="plaintext", outcome="refused"))
    tally.take(line(Kind.PROBED, at + 1, principal="monitor", about="plaintext", outcome="accepted"))
    use = tally.use()
    assert use.lines == 5
    assert [(each.name, each.about, each.count) for each in use.access] == [("zei-01", "viewed", 4)]
    assert use.access_by_slot[9] == use.access_by_hour[9] == 4
    assert use.refused_access == 1
    assert use.network_by_slot[9] == 5
    assert [(each.control, each.good, each.bad, each.last_outcome) for each in use.probes] == [
        ("plaintext", 1, 1, "accepted")
    ]


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        ([("round", "ok")], Verdict.GOOD),
        ([("plaintext", "refused"), ("round", "ok")], Verdict.GOOD),
        ([("plaintext", "unknown"), ("round", "failed"), ("plaintext", "refused"), ("round", "ok")], Verdict.GOOD),
        ([("round", "ok"), ("round", "failed")], Verdict.LOOK),
        ([("round", "ok"), ("plaintext", "unknown")], Verdict.LOOK),
        ([("plaintext", "accepted"), ("round", "failed"), ("plaintext", "refused"), ("round", "ok")], Verdict.LOOK),
        ([("plaintext", "no-such-word"), ("round", "ok")], Verdict.LOOK),
        ([("plaintext", "unknown"), ("round", "failed")], Verdict.UNKNOWN),
        ([], Verdict.UNKNOWN),
    ],
)
def test_what_the_network_watch_tried(lines: list[tuple[str, str]], verdict: Verdict) -> None:
    tally = Tally(TENANT, DAY)
    for number, (about, outcome) in enumerate(lines):
        at = DAY.begin_ms + number
        tally.take(line(Kind.PROBED, at, principal="monitor", outcome=outcome, about=about, count=20))
    use = tally.use()
    assert _check(replace(basis(calm=True), use=use), "controls").verdict is verdict
    assert sum(each.good + each.unknown for each in use.probes if each.control == "round") == sum(
        1 for about, _ in lines if about == "round"
    )


@pytest.mark.parametrize(
    ("principal", "tenant"), [("review-131041", ""), ("review-131041", "131041"), ("router", "131041")]
)
def test_a_report_has_nothing_of_another_city(principal: str, tenant: str) -> None:
    tally = Tally(TENANT, DAY)
    tally.take(line(Kind.VIEWED, DAY.begin_ms, principal=principal, tenant=tenant, actor="someone"))
    assert tally.use() == Tally(TENANT, DAY).use()


def test_a_flood_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallying, "MAX_NAMED", 300)
    tally = Tally(TENANT, DAY)
    for number in range(2_000):
        at = DAY.begin_ms + number
        tally.take(line(Kind.VIEWED, at, actor=f"account-{number}", tenant=TENANT))
        tally.take(line(Kind.STARTED, at, principal=f"process-{number}"))
        tally.take(line(Kind.PROBED, at, about=f"control-{number}"))
    use = tally.use()
    assert len(use.access) == MAX_LISTED + 1
    assert use.access[-1].name == OTHERS
    assert sum(each.count for each in use.access) == 2_000
    assert len(use.processes) <= MAX_LISTED
    assert len(use.probes) <= MAX_LISTED + 1
    assert sum(each.good for each in use.probes) == 2_000


def _check(made: Basis, name: str) -> Check:
    return judge(made)[name]


def test_a_calm_month_has_nothing_to_look_at_and_another_has() -> None:
    calm, other = judge(basis(calm=True)), judge(basis())
    assert to_look_at(calm.values()) == 0, calm
    assert {name for name, each in other.items() if each.verdict is not Verdict.GOOD} == {
        *("letters", "log", "findings", "peers", "processes", "alarms"),
    }


def test_what_no_source_speaks_of_is_not_good() -> None:
    calm = basis(calm=True)
    empty = replace(calm, places=(), audit=None, use=None, log=None, findings=None)
    assert {each.verdict for each in judge(empty).values()} == {Verdict.UNKNOWN}
    for until, verdict in ((None, Verdict.UNKNOWN), (MONTH.end_ms - 1, Verdict.LOOK), (MONTH.end_ms, Verdict.GOOD)):
        assert _check(replace(calm, findings=replace(_findings(calm), until_ms=until)), "findings").verdict is verdict


def _findings(made: Basis) -> Findings:
    assert made.findings is not None
    return made.findings


def test_everything_is_where_it_must_be_only_if_all_places_say_the_same() -> None:
    calm = basis(calm=True)
    rows = filings(MONTH, 6, 100)
    full = replace(calm, places=held(rows, MONTH))
    assert _check(full, "whole").verdict is Verdict.GOOD
    portal, audit, _, helpdesk = full.places
    lost = places.desk("review", rows[1:], (), MONTH)
    swapped = places.desk("review", [replace(rows[0], leaf=bytes(32)), *rows[1:]], (), MONTH)
    late = places.desk("review", [replace(rows[0], confirmed_at_ms=None), *rows[1:]], (), MONTH)
    for wrong in (lost, swapped, late):
        assert _check(replace(full, places=(portal, audit, wrong, helpdesk)), "whole").verdict is Verdict.LOOK
    assert _check(replace(full, places=(replace(portal, pending=1), *full.places[1:])), "whole").verdict is Verdict.LOOK
    assert _check(replace(full, places=full.places[1:]), "whole").verdict is Verdict.UNKNOWN
    assert _check(replace(full, places=(portal, audit, late, helpdesk)), "confirmed").verdict is Verdict.LOOK


def test_one_slow_filing_in_a_hundred_misses_the_objective() -> None:
    rows = filings(MONTH, 6, 100)
    slow = [replace(rows[0], stored_at_ms=rows[0].produced_at_ms + 30_001), *rows[1:]]
    made = replace(basis(calm=True), places=(places.desk("review", slow, (), MONTH),))
    assert _check(made, "delay").verdict is Verdict.LOOK
    assert "99.00％" in _check(made, "delay").said


def test_figures_come_back_from_their_file() -> None:
    made = basis()
    assert Basis.from_json(made.to_json()) == made
    for wrong in (b"", b"{}", made.to_json().replace(b'"held":2400', b'"held":"2400"')):
        with pytest.raises(BasisUnreadable):
            Basis.from_json(wrong)
