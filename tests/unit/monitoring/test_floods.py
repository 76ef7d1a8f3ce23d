"""What an attacker or a clock can do to the numbers: forged tenants and procedures, durations below nothing."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from hub.facts import (
    BacklogAge,
    BatchRouted,
    DecisionsTold,
    EventsAcknowledged,
    EventsConfirmed,
    EventsStored,
    Fact,
    HandedOver,
    Lag,
    LettersOpen,
    SessionStarted,
    SubmissionJudged,
)
from monitoring.adapter import metrics_observer
from monitoring.declared import METRICS
from monitoring.metrics import Metrics

TENANTS = ("131041", "999997")
PROCEDURES = ("heirs", "agents")
FLOOD = 3_000
Make = Callable[[str, str], Fact]
BY_NAME: dict[str, Make] = {
    "portal": lambda tenant, procedure: SubmissionJudged("accepted", tenant, procedure),
    "acknowledged": lambda tenant, _: EventsAcknowledged(f"eltax.{tenant}.accepted", 1, 1, 0.1),
    "session": lambda tenant, _: SessionStarted(f"eltax.{tenant}.accepted", tenant, "s"),
    "routed": lambda tenant, procedure: BatchRouted(0, {(tenant, procedure): 1}, 0, {}, 0.1),
    "stored": lambda tenant, procedure: EventsStored(f"review-{tenant}", 0, {(tenant, procedure): 1}),
    "confirmed": lambda tenant, procedure: EventsConfirmed(f"review-{tenant}", {(tenant, procedure): 1}),
    "decided": lambda tenant, procedure: DecisionsTold(f"review-{tenant}", "accept", 1, procedure),
    "handed over": lambda tenant, procedure: HandedOver(f"tax-{procedure}-{tenant}", "accept", 1, procedure),
    "lag": lambda tenant, _: Lag(f"eltax.{tenant}.review", 1, 1),
    "backlog": lambda tenant, _: BacklogAge(f"eltax.{tenant}.review", 1.0),
    "letters": lambda tenant, _: LettersOpen({(tenant, "bad-signature"): (1, 1.0)}),
}


def series(metrics: Metrics) -> list[dict[str, str]]:
    return [dict(sample.labels) for family in metrics.families() for sample in family.samples]


@pytest.mark.parametrize("stage", BY_NAME)
def test_a_flood_of_forged_tenants_and_procedures_makes_one_series_more(stage: str) -> None:
    metrics = Metrics(tenants=TENANTS, procedures=PROCEDURES, sources=())
    observe = metrics_observer(metrics)
    observe(BY_NAME[stage]("131041", "heirs"))
    before = len(series(metrics))
    chance = random.Random(20_261_126)
    forged = set()
    for _ in range(FLOOD):
        tenant, procedure = f"{chance.randrange(10**6):06d}", f"p{chance.randrange(10**9)}"
        if tenant not in TENANTS:
            forged |= {tenant, procedure}
            observe(BY_NAME[stage](tenant, procedure))
    found = series(metrics)
    buckets = max(len(metric.buckets) for metric in METRICS) + 3
    assert before < len(found) <= before + 2 * buckets, "`other`, and for a histogram its buckets"
    assert not forged & {value for labels in found for value in labels.values()}
    assert metrics.value("hub_observer_failures_total") == 0


def test_a_tenant_declared_later_has_its_own_numbers_and_a_forged_one_still_not() -> None:
    metrics = Metrics(tenants=TENANTS[:1], procedures=PROCEDURES, sources=())
    observe = metrics_observer(metrics)
    observe(SubmissionJudged("accepted", TENANTS[1], "heirs"))
    metrics.serve(TENANTS)
    observe(SubmissionJudged("accepted", TENANTS[1], "heirs"))
    name = "hub_portal_submissions_total"
    assert metrics.value(name, outcome="accepted", tenant=TENANTS[1], procedure="heirs") == 1
    assert metrics.value(name, outcome="accepted", tenant="other", procedure="heirs") == 1


def test_durations_below_nothing_count_as_nothing_and_are_told() -> None:
    metrics = Metrics(tenants=TENANTS, procedures=PROCEDURES, sources=())
    observe = metrics_observer(metrics)
    observe(BatchRouted(0, {(TENANTS[0], "heirs"): 3}, 0, {}, 0.1, (-3_600.0, -0.001, 0.5)))
    observe(EventsStored("review-131041", 0, {}, delays=(-86_400.0,)))
    assert metrics.value("hub_router_delay_seconds") == 3
    assert metrics.value("hub_negative_durations_total", metric="hub_router_delay_seconds") == 2
    assert metrics.value("hub_negative_durations_total", metric="hub_consumer_delay_seconds") == 1
    sums = {
        sample.name: sample.value
        for family in metrics.families()
        for sample in family.samples
        if sample.name.endswith("_sum")
    }
    assert sums["hub_router_delay_seconds_sum"] == 0.5
    assert sums["hub_consumer_delay_seconds_sum"] == 0.0
    assert not any(math.isnan(value) for value in sums.values())
