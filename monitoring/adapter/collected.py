"""The reading side of the operations log: its facts as numbers and lines."""

from __future__ import annotations

from typing import Final

from hub.facts import Fact
from monitoring.adapter.base import LogLine, ToLog, ToMetrics, line, quiet
from monitoring.metrics import Metrics
from monitoring.operations import facts


def _collected(metrics: Metrics, fact: facts.OperationsCollected) -> None:
    for kind, count in fact.lines.items():
        metrics.count("hub_operations_collected_total", count, **{"class": kind})
    metrics.set("hub_operations_missing", fact.missing)
    metrics.set("hub_operations_collected_leaves", fact.leaves)


def _refused(metrics: Metrics, fact: facts.OperationsRefused) -> None:
    metrics.count("hub_operations_refused_total", fact.count, reason=fact.reason)


def _deleted(metrics: Metrics, fact: facts.OperationsDeleted) -> None:
    for kind, count in fact.lines.items():
        metrics.count("hub_operations_deleted_total", count, **{"class": kind})


def _published(metrics: Metrics, fact: facts.OperationsPublished) -> None:
    metrics.set("hub_operations_published_leaves", fact.size)


def _broker(metrics: Metrics, fact: facts.BrokerSeen) -> None:
    for principal, count in fact.denials.items():
        metrics.count("hub_broker_denials_total", count, principal=principal)
    for reason, count in fact.handshakes.items():
        metrics.count("hub_broker_handshakes_refused_total", count, reason=reason)
    metrics.count("hub_peers_unexpected_total", fact.unexpected)
    metrics.count("hub_broker_log_lines_unread_total", fact.unread)


TO_METRICS: Final[dict[type[Fact], ToMetrics]] = {
    facts.OperationsCollected: _collected,
    facts.OperationsRefused: _refused,
    facts.OperationsDeleted: _deleted,
    facts.OperationsPublished: _published,
    facts.BrokerSeen: _broker,
}


def _tell_deleted(fact: facts.OperationsDeleted) -> LogLine:
    return "info", {"event": "operations-deleted", "count": sum(fact.lines.values())}


def _tell_broker(fact: facts.BrokerSeen) -> LogLine | None:
    count = sum(fact.denials.values()) + sum(fact.handshakes.values()) + fact.unexpected
    return ("warning", {"event": "broker-refused", "count": count}) if count else None


TO_LOG: Final[dict[type[Fact], ToLog]] = {
    facts.OperationsCollected: quiet,
    facts.OperationsRefused: line("error", "operations-refused", "reason", "count"),
    facts.OperationsDeleted: _tell_deleted,
    facts.OperationsPublished: quiet,
    facts.BrokerSeen: _tell_broker,
}
