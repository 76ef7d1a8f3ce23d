"""The declared list keeps its own rules, and the committed page is what the list says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitoring.declared import BY_NAME, MEASURES, METRICS, Kind, Metric
from monitoring.document import main, page
from monitoring.labels import LABELS

ROOT = Path(__file__).parents[3]
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")

each = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


@each
def test_names_say_what_and_in_which_base_unit(metric: Metric) -> None:
    assert re.fullmatch(r"(hub|process)(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    if metric.unit in ("seconds", "bytes"):
        assert metric.unit in metric.name.split("_")
    assert not re.search(r"_(milli|micro|minutes|hours|kilo|mb|percent|ms)", metric.name)


@each
def test_each_metric_is_explained_in_two_languages_and_serves_a_measure(metric: Metric) -> None:
    assert metric.en.endswith(".")
    assert JAPANESE.search(metric.ja)
    assert metric.measures
    assert set(metric.measures) <= MEASURES


@each
def test_labels_are_declared_and_bounded(metric: Metric) -> None:
    assert set(metric.labels) <= LABELS.keys()
    assert len(set(metric.labels)) == len(metric.labels)
    assert metric.max_label_sets > 0


@each
def test_only_histograms_have_buckets_and_these_rise(metric: Metric) -> None:
    assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))


def test_the_limits_of_the_service_objectives_are_bucket_edges() -> None:
    assert {30.0, 60.0} <= set(BY_NAME["hub_consumer_delay_seconds"].buckets)


def test_no_name_is_declared_twice_and_no_label_is_left_over() -> None:
    assert len(BY_NAME) == len(METRICS)
    assert {label for metric in METRICS for label in metric.labels} == LABELS.keys()


def test_the_committed_page_is_what_the_list_says() -> None:
    committed = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert committed == page(), "run `make docs`"


def test_the_generator_writes_the_page(tmp_path: Path) -> None:
    target = tmp_path / "docs" / "metrics.md"
    assert main([str(target)]) == 0
    assert target.read_text(encoding="utf-8") == page()
