"""Dead letters, alarms, lag, readiness and the life of a process: their facts as numbers and lines."""

from __future__ import annotations

from typing import Final

from hub import facts
from hub.facts import Fact
from monitoring.adapter.base import LogLine, ToLog, ToMetrics, line, quiet
from monitoring.health import LoopBeat
from monitoring.labels import of_topic
from monitoring.metrics import Metrics


def _dead_lettered(metrics: Metrics, fact: facts.DeadLettered) -> None:
    metrics.count("hub_dead_letters_total", fact.count, stage=fact.stage, reason=fact.reason)


def _letters_open(metrics: Metrics, fact: facts.LettersOpen) -> None:
    for (tenant, reason), (count, oldest) in fact.letters.items():
        metrics.set("hub_dead_letters_open", count, tenant=tenant, reason=reason)
        metrics.set("hub_dead_letters_oldest_seconds", oldest, tenant=tenant, reason=reason)


def _letter_ended(metrics: Metrics, fact: facts.LetterEnded) -> None:
    metrics.count(
        "hub_dead_letters_ended_total", fact.count, tenant=fact.tenant, reason=fact.reason, outcome=fact.outcome
    )


def _alarm(metrics: Metrics, fact: facts.Alarm) -> None:
    metrics.count("hub_alarms_total", code=fact.code)


def _lag(metrics: Metrics, fact: facts.Lag) -> None:
    tenant, dataset = of_topic(fact.topic)
    metrics.set("hub_lag_records", fact.records, tenant=tenant, dataset=dataset, partition=str(fact.partition))


def _backlog(metrics: Metrics, fact: facts.BacklogAge) -> None:
    tenant, dataset = of_topic(fact.topic)
    metrics.set("hub_backlog_oldest_seconds", fact.seconds, tenant=tenant, dataset=dataset)


def _paused(metrics: Metrics, fact: facts.Paused) -> None:
    metrics.set("hub_paused", fact.paused, stage=fact.stage, code=fact.code)


def _ready(metrics: Metrics, fact: facts.Ready) -> None:
    metrics.set("hub_ready", fact.fulfilled, condition=fact.condition)


def _standing(metrics: Metrics, fact: facts.StandingTaken) -> None:
    metrics.serve(fact.tenants)
    metrics.set("hub_standing_serial", fact.trust, place="trust")
    metrics.set("hub_standing_serial", fact.declaration, place="declaration")


def _lifecycle(metrics: Metrics, fact: facts.Lifecycle) -> None:
    metrics.count("hub_lifecycle_events_total", event=fact.event)


def _beat(metrics: Metrics, fact: LoopBeat) -> None:
    metrics.observe("hub_event_loop_lag_seconds", (fact.late_seconds,))


TO_METRICS: Final[dict[type[Fact], ToMetrics]] = {
    facts.DeadLettered: _dead_lettered,
    facts.LettersOpen: _letters_open,
    facts.LetterEnded: _letter_ended,
    facts.Alarm: _alarm,
    facts.Lag: _lag,
    facts.BacklogAge: _backlog,
    facts.Paused: _paused,
    facts.Ready: _ready,
    facts.StandingTaken: _standing,
    facts.Lifecycle: _lifecycle,
    LoopBeat: _beat,
}


def _tell_letter_ended(fact: facts.LetterEnded) -> LogLine:
    return "info", {
        "event": "letter-ended",
        "tenant": fact.tenant,
        "reason": fact.reason,
        "code": fact.outcome,
        "count": fact.count,
    }


def _tell_paused(fact: facts.Paused) -> LogLine:
    return ("warning" if fact.paused else "info"), {
        "event": "paused" if fact.paused else "resumed",
        "stage": fact.stage,
        "code": fact.code,
    }


def _tell_standing(fact: facts.StandingTaken) -> LogLine:
    line = {"event": "standing-taken", "trust": fact.trust, "declaration": fact.declaration}
    return "info", {**line, "count": len(fact.tenants)}


def _tell_lifecycle(fact: facts.Lifecycle) -> LogLine:
    level = "error" if fact.event == "failed" else "info"
    return level, {**fact.details, "event": fact.event}


TO_LOG: Final[dict[type[Fact], ToLog]] = {
    facts.DeadLettered: line("warning", "dead-lettered", "stage", "reason", "count"),
    facts.LettersOpen: quiet,
    facts.LetterEnded: _tell_letter_ended,
    facts.Alarm: line("error", "alarm", "code", "about"),
    facts.Lag: quiet,
    facts.BacklogAge: quiet,
    facts.Paused: _tell_paused,
    facts.Ready: line("info", "ready", "condition", "fulfilled"),
    facts.StandingTaken: _tell_standing,
    facts.Lifecycle: _tell_lifecycle,
    LoopBeat: quiet,
}
