"""Desks, tax teams and the audit log: their facts as numbers and lines."""

from __future__ import annotations

from typing import Final

from hub import facts
from hub.facts import Fact
from monitoring.adapter.base import LogLine, ToLog, ToMetrics, quiet
from monitoring.metrics import Metrics


def _tenant(principal: str) -> str:
    """The tenant of a desk's or a team's name."""
    return principal.rpartition("-")[2]


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
    for (tenant, procedure), count in fact.events.items():
        metrics.count(
            "hub_consumer_events_confirmed_total",
            count,
            consumer=fact.consumer,
            tenant=tenant,
            procedure=procedure,
        )


def _unconfirmed(metrics: Metrics, fact: facts.Unconfirmed) -> None:
    metrics.set("hub_consumer_events_unconfirmed", fact.count, consumer=fact.consumer)
    metrics.set("hub_consumer_events_missing", fact.missing, consumer=fact.consumer)
    metrics.set("hub_consumer_unconfirmed_oldest_seconds", fact.oldest_seconds, consumer=fact.consumer)


def _receipts(metrics: Metrics, fact: facts.ReceiptsSent) -> None:
    metrics.count("hub_consumer_receipts_sent_total", fact.count, consumer=fact.consumer)
    metrics.set("hub_consumer_receipts_waiting", fact.waiting, consumer=fact.consumer)


def _decisions_told(metrics: Metrics, fact: facts.DecisionsTold) -> None:
    metrics.count(
        "hub_review_decisions_told_total",
        fact.count,
        consumer=fact.desk,
        tenant=_tenant(fact.desk),
        procedure=fact.procedure,
        outcome=fact.decision,
    )


def _handed_over(metrics: Metrics, fact: facts.HandedOver) -> None:
    metrics.count(
        "hub_tax_handed_over_total",
        fact.count,
        consumer=fact.team,
        tenant=_tenant(fact.team),
        procedure=fact.procedure,
        outcome=fact.decision,
    )


def _exported(metrics: Metrics, fact: facts.RowsExported) -> None:
    name = "hub_review_exported_rows_total"
    metrics.count(name, fact.rows, consumer=fact.desk, outcome="repeated" if fact.again else "handed-over")
    if not fact.again:
        metrics.count(name, fact.withdrawn, consumer=fact.desk, outcome="withdrawn")


def _log_extended(metrics: Metrics, fact: facts.LogExtended) -> None:
    metrics.set("hub_audit_log_leaves", fact.size, tenant=fact.tenant)


def _log_published(metrics: Metrics, fact: facts.LogPublished) -> None:
    metrics.set("hub_audit_published_leaves", fact.size, tenant=fact.tenant)
    metrics.set("hub_audit_cosignatures", fact.cosignatures, tenant=fact.tenant)


def _witness_answered(metrics: Metrics, fact: facts.WitnessAnswered) -> None:
    metrics.count("hub_audit_witness_answers_total", tenant=fact.tenant, code=fact.code)


TO_METRICS: Final[dict[type[Fact], ToMetrics]] = {
    facts.EventsStored: _stored,
    facts.EventsConfirmed: _confirmed,
    facts.Unconfirmed: _unconfirmed,
    facts.ReceiptsSent: _receipts,
    facts.DecisionsTold: _decisions_told,
    facts.HandedOver: _handed_over,
    facts.RowsExported: _exported,
    facts.LogExtended: _log_extended,
    facts.LogPublished: _log_published,
    facts.WitnessAnswered: _witness_answered,
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
    if fact.missing:
        return "error", {"event": "events-missing", "consumer": fact.consumer, "count": fact.missing}
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


TO_LOG: Final[dict[type[Fact], ToLog]] = {
    facts.EventsStored: _tell_stored,
    facts.EventsConfirmed: quiet,
    facts.Unconfirmed: _tell_unconfirmed,
    facts.ReceiptsSent: quiet,
    facts.DecisionsTold: quiet,
    facts.HandedOver: quiet,
    facts.RowsExported: _tell_exported,
    facts.LogExtended: quiet,
    facts.LogPublished: quiet,
    facts.WitnessAnswered: _tell_witness,
}
