"""From facts to metrics and to log lines: the only place that knows both.

One entry per kind of fact in each table; a test enumerates the facts and fails when one has no entry.
An observer must neither raise nor wait, so a fact that cannot be told is counted and work goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import structlog

from hub import facts
from hub.facts import Fact, Observer
from monitoring.health import LoopBeat
from monitoring.labels import of_topic
from monitoring.metrics import Metrics

ToMetrics = Callable[[Metrics, Any], None]
"""`Any` is the fact's own class, fixed by the key it is registered under"""
LogLine = tuple[str, dict[str, object]]
ToLog = Callable[[Any], LogLine | None]


def combine(*observers: Observer) -> Observer:
    """Return an observer that hands each fact to all; one that raises does not keep it from the others."""

    def observe(fact: Fact) -> None:
        for observer in observers:
            try:
                observer(fact)
            except Exception:  # noqa: BLE001, S112 - a watcher must not stop the work; the adapters count their own
                continue

    return observe


def metrics_observer(metrics: Metrics) -> Observer:
    """Return the observer that turns every fact into numbers."""

    def observe(fact: Fact) -> None:
        try:
            TO_METRICS[type(fact)](metrics, fact)
        except Exception:  # noqa: BLE001 - see the module's docstring
            metrics.count("hub_observer_failures_total")

    return observe


def log_observer() -> Observer:
    """Return the observer that writes the facts a person may want to read as log lines."""
    log = structlog.get_logger()

    def observe(fact: Fact) -> None:
        line = TO_LOG[type(fact)](fact)
        if line is not None:
            level, event = line
            getattr(log, level)(**event)

    return observe


def _judged(metrics: Metrics, fact: facts.SubmissionJudged) -> None:
    metrics.count("hub_portal_submissions_total", outcome=fact.outcome, tenant=fact.tenant, procedure=fact.procedure)
    for rule in fact.rules:
        metrics.count("hub_portal_refusals_total", rule=rule)


def _acknowledged(metrics: Metrics, fact: facts.EventsAcknowledged) -> None:
    tenant, dataset = of_topic(fact.topic)
    metrics.count("hub_producer_events_acknowledged_total", fact.count, tenant=tenant, dataset=dataset)
    metrics.observe("hub_producer_acknowledge_seconds", (fact.seconds,), dataset=dataset)


def _journal(metrics: Metrics, fact: facts.JournalDepth) -> None:
    metrics.set("hub_journal_events", fact.unconfirmed, state="unconfirmed")
    metrics.set("hub_journal_events", fact.unacknowledged, state="unacknowledged")


def _session_started(metrics: Metrics, fact: facts.SessionStarted) -> None:
    metrics.count("hub_sessions_started_total", tenant=fact.tenant, dataset=of_topic(fact.topic)[1])


def _session_ended(metrics: Metrics, fact: facts.SessionEnded) -> None:
    metrics.count(
        "hub_sessions_ended_total",
        tenant=fact.tenant,
        dataset=of_topic(fact.topic)[1],
        resumed=_flag(fact.resumed),
    )


def _checkpoint(metrics: Metrics, fact: facts.CheckpointWritten) -> None:
    tenant, dataset = of_topic(fact.topic)
    metrics.count("hub_checkpoints_written_total", tenant=tenant, dataset=dataset)
    metrics.count("hub_checkpoint_entries_total", fact.entries, tenant=tenant, dataset=dataset)


def _routed(metrics: Metrics, fact: facts.BatchRouted) -> None:
    for (tenant, procedure), count in fact.events.items():
        metrics.count("hub_router_events_total", count, tenant=tenant, procedure=procedure)
    for reason, count in fact.dead_letters.items():
        metrics.count("hub_dead_letters_total", count, stage="router", reason=reason)
    metrics.count("hub_router_checkpoints_total", fact.checkpoints)
    metrics.count("hub_router_transactions_total", outcome="committed")
    metrics.observe("hub_router_transaction_seconds", (fact.seconds,))
    metrics.observe("hub_router_delay_seconds", fact.delays)


def _aborted(metrics: Metrics, fact: facts.TransactionAborted) -> None:
    metrics.count("hub_router_transactions_total", outcome="aborted")
    metrics.count("hub_router_aborts_total", reason=fact.code)


def _fenced(metrics: Metrics, fact: facts.PartitionFenced) -> None:
    metrics.set("hub_router_partition_owned", 1, partition=str(fact.partition))


def _lost(metrics: Metrics, fact: facts.PartitionLost) -> None:
    metrics.set("hub_router_partition_owned", 0, partition=str(fact.partition))
    metrics.count("hub_router_partitions_lost_total", fenced=_flag(fact.fenced))


def _stored(metrics: Metrics, fact: facts.EventsStored) -> None:
    for (tenant, procedure), count in fact.stored.items():
        metrics.count(
            "hub_consumer_events_stored_total",
            count,
            consumer=fact.consumer,
            tenant=tenant,
            procedure=procedure,
        )
    metrics.count("hub_consumer_replays_total", fact.replays, consumer=fact.consumer)
    metrics.count("hub_consumer_conflicts_total", fact.conflicts, consumer=fact.consumer)
    metrics.observe("hub_consumer_store_seconds", (fact.seconds,), consumer=fact.consumer)
    metrics.observe("hub_consumer_delay_seconds", fact.delays, consumer=fact.consumer)


def _confirmed(metrics: Metrics, fact: facts.EventsConfirmed) -> None:
    metrics.count("hub_consumer_events_confirmed_total", fact.count, consumer=fact.consumer)


def _unconfirmed(metrics: Metrics, fact: facts.Unconfirmed) -> None:
    metrics.set("hub_consumer_events_unconfirmed", fact.count, consumer=fact.consumer)


def _receipts(metrics: Metrics, fact: facts.ReceiptsSent) -> None:
    metrics.count("hub_consumer_receipts_sent_total", fact.count, consumer=fact.consumer)
    metrics.set("hub_consumer_receipts_waiting", fact.waiting, consumer=fact.consumer)


def _decisions_told(metrics: Metrics, fact: facts.DecisionsTold) -> None:
    metrics.count("hub_review_decisions_told_total", fact.count, consumer=fact.desk, outcome=fact.decision)


def _handed_over(metrics: Metrics, fact: facts.HandedOver) -> None:
    metrics.count("hub_tax_handed_over_total", fact.count, consumer=fact.team, outcome=fact.decision)


def _exported(metrics: Metrics, fact: facts.RowsExported) -> None:
    name = "hub_review_exported_rows_total"
    metrics.count(name, fact.rows, consumer=fact.desk, outcome="repeated" if fact.again else "handed-over")
    if not fact.again:
        metrics.count(name, fact.withdrawn, consumer=fact.desk, outcome="withdrawn")


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


def _log_extended(metrics: Metrics, fact: facts.LogExtended) -> None:
    metrics.set("hub_audit_log_leaves", fact.size, tenant=fact.tenant)


def _log_published(metrics: Metrics, fact: facts.LogPublished) -> None:
    metrics.set("hub_audit_published_leaves", fact.size, tenant=fact.tenant)
    metrics.set("hub_audit_cosignatures", fact.cosignatures, tenant=fact.tenant)


def _witness_answered(metrics: Metrics, fact: facts.WitnessAnswered) -> None:
    metrics.count("hub_audit_witness_answers_total", tenant=fact.tenant, code=fact.code)


def _alarm(metrics: Metrics, fact: facts.Alarm) -> None:
    metrics.count("hub_alarms_total", code=fact.code)


def _lag(metrics: Metrics, fact: facts.Lag) -> None:
    tenant, dataset = of_topic(fact.topic)
    metrics.set("hub_lag_records", fact.records, tenant=tenant, dataset=dataset, partition=str(fact.partition))


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


def _flag(value: bool) -> str:
    return "true" if value else "false"


TO_METRICS: Final[dict[type[Fact], ToMetrics]] = {
    facts.SubmissionJudged: _judged,
    facts.EventsAcknowledged: _acknowledged,
    facts.JournalDepth: _journal,
    facts.SessionStarted: _session_started,
    facts.SessionEnded: _session_ended,
    facts.CheckpointWritten: _checkpoint,
    facts.BatchRouted: _routed,
    facts.TransactionAborted: _aborted,
    facts.PartitionFenced: _fenced,
    facts.PartitionLost: _lost,
    facts.EventsStored: _stored,
    facts.EventsConfirmed: _confirmed,
    facts.Unconfirmed: _unconfirmed,
    facts.ReceiptsSent: _receipts,
    facts.DecisionsTold: _decisions_told,
    facts.HandedOver: _handed_over,
    facts.RowsExported: _exported,
    facts.DeadLettered: _dead_lettered,
    facts.LettersOpen: _letters_open,
    facts.LetterEnded: _letter_ended,
    facts.LogExtended: _log_extended,
    facts.LogPublished: _log_published,
    facts.WitnessAnswered: _witness_answered,
    facts.Alarm: _alarm,
    facts.Lag: _lag,
    facts.Paused: _paused,
    facts.Ready: _ready,
    facts.StandingTaken: _standing,
    facts.Lifecycle: _lifecycle,
    LoopBeat: _beat,
}


def _quiet(_: Fact) -> None:
    """Say nothing: this fact is a number, a line for each would bury the others."""


def _line(level: str, event: str, *fields: str) -> ToLog:
    """Return a rule that writes the named fields of every such fact."""

    def tell(fact: Fact) -> LogLine:
        return level, {"event": event, **{name: getattr(fact, name) for name in fields}}

    return tell


def _tell_judged(fact: facts.SubmissionJudged) -> LogLine | None:
    if fact.outcome != "refused":
        return None
    return "info", {
        "event": "submission-refused",
        "count": len(fact.rules),
        "rule": next(iter(fact.rules), ""),
    }


def _tell_routed(fact: facts.BatchRouted) -> LogLine | None:
    letters = sum(fact.dead_letters.values())
    if not letters:
        return None
    reason = max(sorted(fact.dead_letters), key=lambda name: fact.dead_letters[name])
    return "warning", {
        "event": "dead-letters-routed",
        "partition": fact.partition,
        "count": letters,
        "reason": reason,
    }


def _tell_stored(fact: facts.EventsStored) -> LogLine | None:
    if not fact.conflicts:
        return None
    return "error", {
        "event": "conflicting-events",
        "consumer": fact.consumer,
        "partition": fact.partition,
        "count": fact.conflicts,
    }


def _tell_unconfirmed(fact: facts.Unconfirmed) -> LogLine | None:
    if not fact.count:
        return None
    return "warning", {"event": "events-unconfirmed", "consumer": fact.consumer, "count": fact.count}


def _tell_exported(fact: facts.RowsExported) -> LogLine:
    return "info", {
        "event": "rows-exported-again" if fact.again else "rows-exported",
        "consumer": fact.desk,
        "run": fact.run,
        "count": fact.rows,
    }


def _tell_witness(fact: facts.WitnessAnswered) -> LogLine | None:
    if fact.code == "cosigned":
        return None
    level = "error" if fact.code == "contradicts" else "warning"
    return level, {"event": "not-cosigned", "tenant": fact.tenant, "code": fact.code}


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
    facts.SubmissionJudged: _tell_judged,
    facts.EventsAcknowledged: _quiet,
    facts.JournalDepth: _quiet,
    facts.SessionStarted: _line("info", "session-started", "topic", "tenant", "session"),
    facts.SessionEnded: _line("info", "session-ended", "topic", "tenant", "session", "resumed"),
    facts.CheckpointWritten: _quiet,
    facts.BatchRouted: _tell_routed,
    facts.TransactionAborted: _line("warning", "transaction-aborted", "partition", "code"),
    facts.PartitionFenced: _line("info", "partition-fenced", "partition"),
    facts.PartitionLost: _line("warning", "partition-lost", "partition", "fenced"),
    facts.EventsStored: _tell_stored,
    facts.EventsConfirmed: _quiet,
    facts.Unconfirmed: _tell_unconfirmed,
    facts.ReceiptsSent: _quiet,
    facts.DecisionsTold: _quiet,
    facts.HandedOver: _quiet,
    facts.RowsExported: _tell_exported,
    facts.DeadLettered: _line("warning", "dead-lettered", "stage", "reason", "count"),
    facts.LettersOpen: _quiet,
    facts.LetterEnded: _tell_letter_ended,
    facts.LogExtended: _quiet,
    facts.LogPublished: _quiet,
    facts.WitnessAnswered: _tell_witness,
    facts.Alarm: _line("error", "alarm", "code", "about"),
    facts.Lag: _quiet,
    facts.Paused: _tell_paused,
    facts.Ready: _line("info", "ready", "condition", "fulfilled"),
    facts.StandingTaken: _tell_standing,
    facts.Lifecycle: _tell_lifecycle,
    LoopBeat: _quiet,
}
