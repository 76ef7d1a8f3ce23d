"""Numbers are kept exactly; labels are bounded, whatever is thrown at them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from monitoring.declared import BY_NAME, METRICS, Kind
from monitoring.labels import DATASETS, LABELS, OTHER, ROLES, Bounds, of_topic, role
from monitoring.metrics import Metrics

TENANTS = ("131041", "999997")
SLUG = "heir-representative-designation"


def made(**more: object) -> Metrics:
    return Metrics(tenants=TENANTS, procedures=(SLUG,), **more)  # type: ignore[arg-type]


def shown(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode("utf-8")


def filled() -> Metrics:
    """Metrics where every declared one has at least one value."""
    metrics = made(places={"state": Path("/")})
    for metric in METRICS:
        labels = {label: "portal" if label == "consumer" else "x" for label in metric.labels}
        if metric.kind is Kind.COUNTER:
            metrics.count(metric.name, 2, **labels)
        elif metric.kind is Kind.GAUGE:
            metrics.set(metric.name, 3, **labels)
        else:
            metrics.observe(metric.name, [0.5], **labels)
    return metrics


def test_both_formats_carry_every_declared_metric_and_no_other() -> None:
    metrics = filled()
    text = {family.name for family in parse_text(shown(metrics))}
    openmetrics = generate_openmetrics(metrics.registry).decode("utf-8")
    names = {family.name for family in parse_openmetrics(openmetrics)}
    declared = {metric.name.removesuffix("_total") for metric in METRICS}
    assert names == declared
    assert "# UNIT hub_router_delay_seconds seconds\n" in openmetrics
    assert text == declared


def test_a_counter_without_labels_is_there_before_anything_happened() -> None:
    assert "hub_router_checkpoints_total 0.0" in shown(made())
    assert 'hub_router_delay_seconds_bucket{le="+Inf"} 0.0' in shown(made())


def test_the_process_tells_its_memory_and_what_runs() -> None:
    text = shown(made(places={"state": Path("/"), "gone": Path("/nowhere/at/all")}))
    families = {family.name: family for family in parse_text(text)}
    assert families["process_resident_memory_bytes"].samples[0].value > 1_000_000
    assert families["hub_build_info"].samples[0].value == 1
    assert [s.labels for s in families["hub_host_disk_free_bytes"].samples] == [{"place": "state"}]


@given(st.lists(st.floats(min_value=0, max_value=1_000), max_size=50))
def test_a_histogram_counts_every_value_in_its_bucket(values: list[float]) -> None:
    metrics = made(sources=())
    metrics.observe("hub_router_delay_seconds", values)
    family = next(f for f in parse_text(shown(metrics)) if f.name == "hub_router_delay_seconds")
    for sample in family.samples:
        if sample.name.endswith("_bucket"):
            assert sample.value == sum(1 for value in values if value <= float(sample.labels["le"]))
        elif sample.name.endswith("_count"):
            assert sample.value == len(values)
        else:
            assert sample.value == pytest.approx(sum(values))


def test_a_delay_below_zero_counts_as_none() -> None:
    metrics = made(sources=())
    metrics.observe("hub_router_delay_seconds", [-5.0, 0.02])
    assert "hub_router_delay_seconds_sum 0.02" in shown(metrics)
    assert 'hub_router_delay_seconds_bucket{le="0.005"} 1.0' in shown(metrics)


def test_a_counter_cannot_fall_and_a_kind_cannot_be_mistaken() -> None:
    metrics = made(sources=())
    with pytest.raises(ValueError, match="cannot fall"):
        metrics.count("hub_router_checkpoints_total", -1)
    with pytest.raises(TypeError, match="is a gauge"):
        metrics.count("hub_ready", condition="store")
    with pytest.raises(TypeError, match="has the labels"):
        metrics.set("hub_ready", 1)


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("tenant", "131041"),
        ("tenant", "shared"),
        ("procedure", SLUG),
        ("reason", "unknown-session"),
        ("partition", "0"),
        ("partition", "999"),
        ("dataset", "dead-letters"),
        ("metric", "hub_lag_records"),
        ("rule", "P-012.kana"),
    ],
)
def test_declared_values_stay(label: str, value: str) -> None:
    assert Bounds(tenants=TENANTS, procedures=(SLUG,), metrics=BY_NAME).value(label, value) == value


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("tenant", "131042"),
        ("tenant", "見本太郎"),
        ("procedure", "mihon-taro"),
        ("reason", "テスト区架空町"),
        ("reason", "090-0000-0000"),
        ("reason", "123456789012"),
        ("reason", "line\nbreak"),
        ("reason", "unknown-session\n"),
        ("reason", "a" * 41),
        ("partition", "1000"),
        ("partition", "-1"),
        ("partition", "٣"),
        ("dataset", "mihon"),
        ("consumer", "mihon-131041"),
        ("rule", "123456789012"),
        ("state", "架空花子"),
        ("version", "見本"),
    ],
)
def test_anything_else_becomes_other(label: str, value: str) -> None:
    assert Bounds(tenants=TENANTS, procedures=(SLUG,), metrics=BY_NAME).value(label, value) == OTHER


@given(st.sampled_from(sorted(LABELS)), st.text(max_size=60))
def test_no_text_outside_ascii_becomes_a_label(label: str, value: str) -> None:
    bounded = Bounds(tenants=TENANTS, procedures=(SLUG,), metrics=BY_NAME).value(label, value)
    assert bounded == OTHER or (bounded.isascii() and bounded.isprintable())


def test_a_flood_of_label_values_ends_in_other() -> None:
    metrics = made(sources=())
    cap = BY_NAME["hub_alarms_total"].max_label_sets
    for number in range(cap + 25):
        metrics.count("hub_alarms_total", code=f"code-{number}")
    assert metrics.value("hub_alarms_total", code=OTHER) == 25
    assert metrics.value("hub_metric_overflows_total", metric="hub_alarms_total") == 25
    assert shown(metrics).count("hub_alarms_total{") == cap + 1


def test_a_flood_of_histograms_ends_in_other() -> None:
    metrics = made(sources=())
    for dataset in DATASETS:
        metrics.observe("hub_producer_acknowledge_seconds", [0.1], dataset=dataset)
    metrics.observe("hub_producer_acknowledge_seconds", [0.1], dataset="unheard-of")
    assert metrics.value("hub_producer_acknowledge_seconds", dataset=OTHER) == 1


def test_a_gauge_beyond_the_cap_is_dropped_and_counted() -> None:
    metrics = made(sources=())
    cap = BY_NAME["hub_ready"].max_label_sets
    for number in range(cap + 3):
        metrics.set("hub_ready", 1, condition=f"condition-{number}")
    assert metrics.value("hub_metric_overflows_total", metric="hub_ready") == 3
    assert shown(metrics).count("hub_ready{") == cap


def test_counts_from_many_threads_are_all_there() -> None:
    metrics = made(sources=())

    def work() -> None:
        for _ in range(2_000):
            metrics.count("hub_router_checkpoints_total")
            metrics.observe("hub_router_delay_seconds", (0.01,))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        shown(metrics)
    assert metrics.value("hub_router_checkpoints_total") == 8_000
    assert metrics.value("hub_router_delay_seconds") == 8_000


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("eltax.submissions", ("shared", "submissions")),
        ("rehearsal-abc.131041.review", ("131041", "review")),
        ("eltax.dead-letters.review-131041", ("131041", "dead-letters")),
        ("eltax.dead-letters.router", ("shared", "dead-letters")),
        ("rehearsal.submissions.g2", ("shared", "submissions")),
        ("rehearsal.131041.review.g12", ("131041", "review")),
        ("eltax.dead-letters.review-131041.g2", ("131041", "dead-letters")),
        ("nonsense", ("other", "other")),
        ("a.b.c.d", ("other", "other")),
    ],
)
def test_a_topic_tells_its_tenant_and_dataset(topic: str, expected: tuple[str, str]) -> None:
    assert of_topic(topic) == expected


def test_a_principal_tells_its_role() -> None:
    assert [role(name) for name in ("review-131041", "portal", "tax-resident-tax-131041")] == [
        "review",
        "portal",
        "tax",
    ]
    assert all(role(name) == name for name in ROLES)
