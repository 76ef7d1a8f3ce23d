"""The operations log: its facts as numbers and lines. Every line that Kafka has is a line of the JSON log as well."""

from __future__ import annotations

from typing import Final

from hub.envelope.operations import CLASS_OF, Class
from hub.facts import Fact
from hub.operations.facts import BrokersReached, OperationSent, OperationsWaiting
from monitoring.adapter.base import LogLine, ToLog, ToMetrics, quiet
from monitoring.labels import SHARED
from monitoring.metrics import Metrics


def _sent(metrics: Metrics, fact: OperationSent) -> None:
    said = fact.line.operation
    metrics.count("hub_operations_lines_total", 1, **{"class": CLASS_OF[said.kind].value})
    if CLASS_OF[said.kind] is Class.ACCESS:
        metrics.count("hub_access_total", kind=said.kind.value, tenant=said.tenant or SHARED)


def _waiting(metrics: Metrics, fact: OperationsWaiting) -> None:
    metrics.set("hub_operations_waiting", fact.lines)
    metrics.set("hub_operations_stopped", fact.stopped)


def _reached(metrics: Metrics, fact: BrokersReached) -> None:
    pass  # as a line of the operations log it is a number there


TO_METRICS: Final[dict[type[Fact], ToMetrics]] = {
    OperationSent: _sent,
    OperationsWaiting: _waiting,
    BrokersReached: _reached,
}


def _tell_sent(fact: OperationSent) -> LogLine:
    return "info", {
        "event": "operation",
        **fact.line.operation.as_json(),
        "log": fact.line.log.hex(),
        "sequence": fact.line.sequence,
    }


def _tell_reached(fact: BrokersReached) -> LogLine:
    if fact.reached:
        return "info", {"event": "connected", "about": "operations"}
    return "warning", {"event": "disconnected", "about": "operations", "code": fact.code}


TO_LOG: Final[dict[type[Fact], ToLog]] = {
    OperationSent: _tell_sent,
    OperationsWaiting: quiet,
    BrokersReached: _tell_reached,
}
