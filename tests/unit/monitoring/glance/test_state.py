"""Is everything where it must be? From the numbers of the processes, and never yes by default."""

from __future__ import annotations

import pytest

from monitoring.glance.reading import read
from monitoring.glance.state import MAX_ROWS, UNKNOWN, Answer, Asked, Glance, Journal, look, quantile

NOW = 1_790_000_000.0
GOOD = {
    "router": "hub_router_events_total 12\nhub_lag_records 0\nhub_ready 1\n",
    "review-131041": (
        'hub_consumer_events_stored_total{consumer="review"} 12\nhub_consumer_events_confirmed_total 12\n'
        "hub_consumer_events_unconfirmed 0\nhub_lag_records 0\n"
    ),
    "helpdesk-131041": 'hub_consumer_events_stored_total{consumer="helpdesk"} 12\nhub_lag_records 0\n',
    "audit-131041": 'hub_consumer_events_stored_total{consumer="audit"} 12\nhub_lag_records 0\n',
}


def glance(
    texts: dict[str, str | None], journal: Journal | None = None, before: dict[str, str] | None = None
) -> Glance:
    """Look at processes that say these texts; None does not answer."""
    now = {name: Asked(10.0, None if text is None else read(text.encode())) for name, text in texts.items()}
    last = {name: Asked(8.0, read(text.encode())) for name, text in (before or {}).items()}
    return look(now, last, expected=GOOD, at=NOW, journal=journal)


def test_yes_needs_all_to_answer_and_nothing_to_wait() -> None:
    found = glance({**GOOD}, Journal(0, 4, 8, 1)).whole
    assert found.answer is Answer.YES
    assert (found.accepted, found.routed, found.confirmed) == (12, 12, 12)
    assert found.stored == {"review": 12, "helpdesk": 12, "audit": 12}
    assert found.reasons == ()


@pytest.mark.parametrize(
    ("name", "more", "answer", "reason"),
    [
        ("router", "hub_lag_records 3\n", Answer.UNDER_WAY, "behind"),
        ("router", 'hub_ready{condition="fenced"} 0\n', Answer.UNDER_WAY, "not-ready"),
        ("router", 'hub_paused{stage="route",code="broker"} 1\n', Answer.UNDER_WAY, "not-ready"),
        ("review-131041", "hub_consumer_events_unconfirmed 1\n", Answer.NO, "unconfirmed"),
        ("review-131041", "hub_consumer_events_missing 1\n", Answer.NO, "missing"),
        ("review-131041", "hub_consumer_conflicts_total 1\n", Answer.NO, "conflicts"),
        ("monitor", 'hub_dead_letters_open{reason="x",tenant="131041"} 2\n', Answer.NO, "dead-letters"),
    ],
)
def test_one_thing_amiss_is_no_yes(name: str, more: str, answer: Answer, reason: str) -> None:
    found = glance({**GOOD, name: GOOD.get(name, "") + more}).whole
    assert found.answer is answer
    assert found.reasons == (reason,)


def test_what_nobody_says_is_unknown() -> None:
    assert glance({}).whole.answer is Answer.UNKNOWN
    assert glance({**GOOD, "audit-131041": None}).whole.reasons == ("process-away",)
    silent = dict.fromkeys(GOOD, "hub_ready 1\n")
    assert glance({**silent}).whole.reasons == ("no-lag",)
    gone = {name: text for name, text in GOOD.items() if name != "router"}
    found = glance({**gone})
    assert found.whole.answer is Answer.UNKNOWN
    assert found.whole.routed is None
    assert [each.name for each in found.processes if not each.up] == ["router"]


def test_what_the_journal_still_has_to_send_is_behind() -> None:
    found = glance({**GOOD}, Journal(2, 0, 10, 0)).whole
    assert (found.answer, found.behind) == (Answer.UNDER_WAY, 2)


def test_rates_are_between_two_looks_and_survive_a_new_beginning() -> None:
    before = {**GOOD, "router": "hub_router_events_total 2\n"}
    assert glance({**GOOD}, before=before).stages[0].rate == 5.0
    again = {**GOOD, "router": "hub_router_events_total 20\n"}
    assert glance({**GOOD}, before=again).stages[0].rate == 6.0
    assert glance({**GOOD}).stages[0].rate is None


def test_delays_are_upper_edges_and_unknown_above_the_last() -> None:
    text = "".join(
        f'hub_d_bucket{{le="{edge}"}} {count}\n' for edge, count in (("1.0", 50), ("5.0", 98), ("+Inf", 100))
    )
    numbers = [read(text.encode())]
    assert quantile(numbers, "hub_d", 0.5) == 1.0
    assert quantile(numbers, "hub_d", 0.98) == 5.0
    assert quantile(numbers, "hub_d", 0.99) == float("inf")
    assert quantile([read(b"")], "hub_d", 0.5) is None


def test_the_watch_its_findings_and_what_expires() -> None:
    text = (
        'hub_watch_control_refuses{control="plaintext"} 1\nhub_watch_control_refuses{control="tls-1-2"} 0\n'
        'hub_watch_control_refuses{control="rights"} NaN\n'
        f"hub_watch_last_round_seconds {NOW - 30}\n"
        'hub_watch_path_up{principal="router",listener="l"} 0\n'
        'hub_analysis_findings_total{rule="burst"} 2\nhub_alarms_total{code="late"} 1\n'
        f"hub_certificate_not_after_seconds {NOW + 86_400}\n"
        f'hub_key_not_after_seconds{{purpose="audience"}} {NOW - 86_400}\n'
        f'hub_key_not_after_seconds{{purpose="audience",x="later"}} {NOW + 86_400}\n'
        "hub_operations_waiting 5\n"
    )
    found = glance({**GOOD, "monitor": text})
    assert [(each.name, each.value) for each in found.controls] == [
        ("rights", UNKNOWN),
        ("tls-1-2", 0),
        ("plaintext", 1),
    ]
    assert found.watch_age == 30
    assert [(each.name, each.about) for each in found.paths_down] == [("router", "l")]
    assert [each.name for each in found.findings] == ["burst"]
    assert [(each.name, each.about) for each in found.alarms] == [("late", "monitor")]
    assert [(each.name, each.value) for each in found.expiries] == [("key audience", -1.0), ("certificate", 1.0)]
    assert [(each.name, each.value) for each in found.operations] == [("waiting", 5.0)]


def test_a_flood_of_labels_is_bounded() -> None:
    text = "".join(f'hub_alarms_total{{code="c{n}"}} 1\nhub_ready{{condition="d{n}"}} 0\n' for n in range(5_000))
    found = glance({**GOOD, "monitor": text})
    assert len(found.alarms) == MAX_ROWS
    assert max(len(each.not_ready) for each in found.processes) == MAX_ROWS
