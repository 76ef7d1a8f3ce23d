"""The rules ask for what exists, say what they mean in two languages, and stand in the committed files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitoring.declared import BROKERS, BY_NAME, MEASURES, Kind
from monitoring.prometheus.base import Alert, Recording, Severity, Team, hastened, in_seconds, risen
from monitoring.prometheus.expressions import Asked, asked, grouped
from monitoring.prometheus.limits import Limits
from monitoring.prometheus.rules import DIRECTORY, all_alerts, all_recordings, files, groups

ALERTS = all_alerts()
RECORDINGS = all_recordings()
TARGET = frozenset({"job", "instance", "role"})
"""labels of every series, from the scrape"""
OF_SERVERS = re.compile(r"up|prometheus_\w+|alertmanager_\w+")
"""said by Prometheus and Alertmanager; tests/watch asks the real ones for them"""
DECLARED = {**BY_NAME, **{metric.name: metric for metric in BROKERS}}
_PARTS = ("_bucket", "_sum", "_count")
_LABEL = re.compile(r"\$labels\.(\w+)")


def declared(metric: str) -> tuple[str, frozenset[str]] | None:
    """The declared name of a metric, a recorded one or a part of a histogram, and its labels; None: not ours."""
    if metric in RECORDINGS:
        return metric, grouped(RECORDINGS[metric].expr)
    for part in _PARTS:
        base = metric.removesuffix(part)
        if base != metric and base in DECLARED and DECLARED[base].kind is Kind.HISTOGRAM:
            return base, frozenset(DECLARED[base].labels) | ({"le"} if part == "_bucket" else frozenset())
    if metric in DECLARED and DECLARED[metric].kind is not Kind.HISTOGRAM:
        return metric, frozenset(DECLARED[metric].labels)
    return None


@pytest.mark.parametrize("rule", [*ALERTS.values(), *RECORDINGS.values()], ids=lambda rule: rule.name)
def test_every_metric_and_label_of_a_rule_is_declared(rule: Alert | Recording) -> None:
    labels = set(TARGET)
    for selector in asked(rule.expr):
        found = declared(selector.metric)
        if found is None:
            assert OF_SERVERS.fullmatch(selector.metric), selector.metric
            labels |= grouped(rule.expr) | {"integration"}
            continue
        assert selector.labels <= found[1] | TARGET, selector
        labels |= found[1]
    assert grouped(rule.expr) <= labels
    if isinstance(rule, Alert):
        kept = grouped(rule.expr) or labels  # what an aggregation leaves
        for text in (rule.summary_en, rule.summary_ja):
            assert set(_LABEL.findall(text)) <= kept


@pytest.mark.parametrize("alert", ALERTS.values(), ids=lambda alert: alert.name)
def test_an_alert_is_complete(alert: Alert) -> None:
    assert re.fullmatch(r"Hub([A-Z0-9][a-z0-9]+)+", alert.name)
    assert isinstance(alert.severity, Severity)
    assert isinstance(alert.team, Team)
    assert alert.measures
    assert set(alert.measures) <= MEASURES
    assert alert.summary_en.isascii()
    assert re.search(r"[ぁ-んァ-ヶ一-龠]", alert.summary_ja)
    assert {each.by for each in alert.silenced_by} <= ALERTS.keys() - {alert.name}
    in_seconds(alert.lasts)


def test_the_committed_files_are_what_the_rules_say() -> None:
    expected = files(Limits.packaged())
    assert {path.name: path.read_text("utf-8") for path in Path(DIRECTORY).iterdir()} == expected, "run `make docs`"


def test_a_metric_that_is_not_declared_is_noticed() -> None:
    assert asked('rate(hub_nothing_total{code="x"}[5m]) > 0') == (Asked("hub_nothing_total", frozenset({"code"})),)
    assert declared("hub_nothing_total") is None
    assert declared("hub_router_delay_seconds") is None, "a histogram has parts only"
    assert declared("hub_lag_records_sum") is None


def test_selectors_are_found_wherever_they_stand() -> None:
    found = asked(
        'sum by (a, le) (rate(x_bucket{le="30.0",code!~"p|q\\\\."}[5m])) / on (a) group_left'
        " max(y offset 5m) > bool 1e3"
        " unless (z and count_over_time(w[1h:5m])) or vector(1)"
    )
    assert found == (
        Asked("x_bucket", frozenset({"le", "code"})),
        Asked("y", frozenset()),
        Asked("z", frozenset()),
        Asked("w", frozenset()),
    )
    assert grouped("sum by (a, le) (x) / on (b) group_left (c) y") == {"a", "b", "c", "le"}
    with pytest.raises(ValueError, match="without a metric"):
        asked('{job="x"}')
    with pytest.raises(ValueError, match="unreadable"):
        asked("up ~ 1")


def test_a_rule_becomes_faster_as_a_whole() -> None:
    rule = Alert("HubX", risen("x", 'code="a"', "15m", by="instance"), "5m", Severity.PAGE, Team.AUDIT, "", "", ())
    fast = hastened(rule, 1 / 60)
    assert isinstance(fast, Alert)
    assert fast.lasts == "5s"
    assert fast.expr == (
        'sum by (instance) ((x{code="a"} unless x{code="a"} offset 15s) or increase(x{code="a"}[15s])) > 0'
    )
    assert hastened(RECORDINGS["hub:stored_late:ratio_rate3d"], 1e-9).expr.count("[5s]") == 2
    assert hastened(ALERTS["HubWatchdog"], 0.5).lasts == "0s"  # type: ignore[union-attr]


def test_every_duration_of_a_rule_is_one_that_becomes_faster() -> None:
    for group in groups(Limits.packaged()):
        for rule in group.rules:
            rest = re.sub(r"\[\w+\]|offset \w+|[\w:]*_rate\w+|\"[^\"]*\"", "", rule.expr)
            assert not re.search(r"\b\d+[smhdwy]\b", rest), rule.name


def test_limits_come_from_the_declaration() -> None:
    assert Limits.packaged().letter_retention_seconds == 720 * 3600
    expiring = all_alerts(Limits(letter_retention_seconds=8 * 86400))["HubDeadLetterExpiring"]
    assert expiring.expr.endswith(f"> {86400}")
