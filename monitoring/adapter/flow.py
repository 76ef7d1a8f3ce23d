"""Portal end and router: their facts as numbers and lines."""

from __future__ import annotations

from typing import Final

from hub import facts
from hub.facts import Fact
from monitoring.adapter.base import LogLine, ToLog, ToMetrics, flag, line, quiet
from monitoring.labels import of_topic
from monitoring.metrics import Metrics


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
        resumed=flag(fact.resumed),
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
    metrics.count("hub_router_aborts_total", reason=fact.cause or fact.code)


def _fenced(metrics: Metrics, fact: facts.PartitionFenced) -> None:
    metrics.set("hub_router_partition_owned", 1, partition=str(fact.partition))


def _lost(metrics: Metrics, fact: facts.PartitionLost) -> None:
    metrics.set("hub_router_partition_owned", 0, partition=str(fact.partition))
    metrics.count("hub_router_partitions_lost_total", fenced=flag(fact.fenced))


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
}


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


def _tell_aborted(fact: facts.TransactionAborted) -> LogLine:
    return "warning", {
        "event": "transaction-aborted",
        "partition": fact.partition,
        "code": fact.code,
        "reason": fact.cause,
    }


TO_LOG: Final[dict[type[Fact], ToLog]] = {
    facts.SubmissionJudged: _tell_judged,
    facts.EventsAcknowledged: quiet,
    facts.JournalDepth: quiet,
    facts.SessionStarted: line("info", "session-started", "topic", "tenant", "session"),
    facts.SessionEnded: line("info", "session-ended", "topic", "tenant", "session", "resumed"),
    facts.CheckpointWritten: quiet,
    facts.BatchRouted: _tell_routed,
    facts.TransactionAborted: _tell_aborted,
    facts.PartitionFenced: line("info", "partition-fenced", "partition"),
    facts.PartitionLost: line("warning", "partition-lost", "partition", "fenced"),
}
