"""Every query of every panel, variable and recording rule, asked of a real Prometheus that scrapes the hub at work."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from monitoring.grafana.board import Board, Look, Panel, Query, declared_name, filled, metrics_in
from monitoring.grafana.boards import BOARDS
from monitoring.grafana.shown import KNOWN
from monitoring.prometheus.rules import all_recordings
from tests.broker.hub import eventually
from tests.watch.servers import PROMETHEUS, Prometheus, need
from tests.watch.watched import Watched, watched

need(PROMETHEUS)
pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

WINDOW: Final = "10s"
VALUES: Final = {"tenant": ".*", "procedure": ".*", "instance": ".*", "__rate_interval": WINDOW, "__range": "10m"}
SEED: Final = 20_261_126

ONLY_IN_TROUBLE: Final = {
    "ALERTS": "something must be wrong; tests/watch lets each alert fire",
    "hub_router_aborts_total": "a transaction aborts when brokers fail; the tests of the router abort them",
    "hub_router_partitions_lost_total": "a newer router must take over; the tests of the router do",
    "hub_sessions_ended_total": "a portal ends its session when it ends, and then nobody scrapes it any more",
    "hub_metric_overflows_total": "labels would have to explode; tests/unit/monitoring/test_metrics.py explodes them",
    "hub_alarms_total": "an alarm means forgery or loss; the attacks raise each",
    "hub_paused": "work stands still while brokers are away; the alert HubPaused is tested by taking them away",
    "hub_negative_durations_total": "clocks must disagree; tests/unit/monitoring/test_metrics.py lets them",
    "hub_tax_handed_over_total": "tax teams are processes of the tax systems, none is part of `up`",
    "hub_review_exported_rows_total": "`review export` is a command that ends before it could be scraped",
    "hub_dead_letters_ended_total": "`dead-letters discard` is told by the monitor when an operator decided",
    "hub_audit_witness_answers_total": "no witness is configured here; tests/broker/test_proofs.py has one",
    "hub_operations_stopped": "Kafka must be away until the spool is full; tests/unit/operations fill it",
    "hub_operations_refused_total": "a line must be forged or out of order; the tests of the collector do both",
    "hub_operations_deleted_total": "a year must pass; the tests of retention put the clock forward",
    "hub_analysis_refused_total": "a line must be forged; the tests of the analysis forge lines",
    "hub_analysis_findings_total": "somebody must do what nobody should; the tests of the analysis find each rule's",
    "hub_authentication_failures_total": "somebody must be refused; tests/unit/monitoring/test_endpoint_attacks.py are",
}
"""Metric → why a healthy hub has none of it, and where its trouble is caused. All else must return data."""

QUERIES = [
    pytest.param(board, panel, query, id=f"{board.slug}-{panel.en}-{letter}")
    for board in BOARDS
    for panel in board.panels
    for letter, query in zip("ABCDEFGHIJ", panel.queries, strict=False)
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The hub at work: filings of all procedures, refusals, a record that is no event, a decision."""
    print("seed", SEED)
    with pytest.MonkeyPatch.context() as environment, ExitStack() as stack:
        environment.setenv("HUB_WATCH_SECONDS", "2")  # within a window there must be rounds to count
        found = stack.enter_context(watched(tmp_path_factory.mktemp("dashboards")))
        first, *_ = found.file(64, SEED)
        found.portal.file([{"procedure": "nothing"}] * 16)
        found.garbage(b"no event")
        found.keep_filing(SEED + 1, every_seconds=0.5)
        found.hub.stored(first)
        found.hub.json("review", "decide", first, "hold", "--reason", "item-missing", "--message", "記載漏れ")
        ask = found.prometheus
        ask.until('rate(hub_consumer_events_confirmed_total{consumer="audit"}[10s]) > 0', 60)
        ask.until("hub_dead_letters_open > 0", 30)
        yield found


@pytest.fixture(scope="module")
def asked(hub: Watched) -> Prometheus:
    """The Prometheus, once it has seen enough for rates."""
    return hub.prometheus


@pytest.mark.parametrize(("board", "panel", "query"), QUERIES)
def test_a_query_returns_data(asked: Prometheus, board: Board, panel: Panel, query: Query) -> None:
    expr = filled(query.expr, VALUES)
    bare = expr.removesuffix(" or on() vector(0)")
    if bare != expr:
        assert answered(asked, panel, expr), "0 where there is nothing"
    rare = {declared_name(name, KNOWN) for name in metrics_in(bare)} & ONLY_IN_TROUBLE.keys()
    if rare:
        answered(asked, panel, bare)  # valid at least; QueryRefused is raised if not
        return
    eventually(lambda: answered(asked, panel, bare), 20, pause=0.5)


def answered(server: Prometheus, panel: Panel, expr: str) -> bool:
    """Whether a query has at least one number, asked as the panel asks it."""
    if panel.look is Look.TIME:
        now = time.time()
        found = server.range(expr, now - 30, now, step=1)
        return any(not math.isnan(value) for series in found for _, value in series.values)
    return any(not math.isnan(sample.value) for sample in server.query(expr))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.slug)
def test_a_variable_has_values(asked: Prometheus, board: Board) -> None:
    for variable in board.variables:
        found = asked.ask(f"/api/v1/label/{variable.label}/values?match[]={variable.metric}")["data"]
        assert found, variable.name
        for value in found:
            assert re.fullmatch(r"[A-Za-z0-9._-]{1,60}", value)


@pytest.mark.parametrize("name", all_recordings())
def test_a_recording_rule_records(asked: Prometheus, name: str) -> None:
    asked.until(name, 30)


def test_all_rules_are_well(asked: Prometheus) -> None:
    found = asked.rules()
    assert found
    assert [(rule["name"], rule.get("lastError")) for rule in found if rule["health"] != "ok"] == []


def test_what_is_called_rare_is_declared_and_asked_for() -> None:
    asked_for = {
        declared_name(name, KNOWN)
        for board in BOARDS
        for panel in board.panels
        for query in panel.queries
        for name in metrics_in(query.expr)
    }
    assert ONLY_IN_TROUBLE.keys() <= asked_for
