"""Writes docs/metrics.md from the declared list: `python -m monitoring.document [FILE]`.

The page is committed; a test fails when it is not what the list says.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from monitoring.declared import BROKERS, METRICS, Kind, Metric
from monitoring.labels import BROKER_LABELS, LABELS
from schemas.pages import write_page

PAGE: Final = Path("docs/metrics.md")

_INTRODUCTION: Final = """\
# Metrics

Written by `make docs` from `monitoring/declared`; do not edit.

Every process serves them under `/metrics`, in the Prometheus text format or as OpenMetrics, whichever is
asked for: over TLS 1.3, under a certificate that bears `<principal>.role.eltax-hub.invalid`, to the certificates of
`prometheus`, `monitor` and `admin` and to no other. `eltax-hub up` keeps the list of targets in `run/targets.json` of
HUB_HOME for Prometheus (`monitoring/prometheus/scrape.py`). By hand:

    C=.hub/certificates
    curl --cacert $C/ca.crt --cert $C/prometheus.crt --key $C/prometheus.key \\
      --connect-to ::127.0.0.1:PORT https://router.role.eltax-hub.invalid/metrics

`hub_…` are ours, in base units; `process_…` are the names that every Prometheus client uses.
A metric says nothing of a person: each label has a closed or bounded set of values, anything else becomes
`other`, and a metric that reaches its cap of label sets counts what exceeds it in
`hub_metric_overflows_total`. The last column names the measures of the municipality's security checklist
(個人情報保護対策チェックリスト) that the metric helps to fulfil.
"""


_BROKERS: Final = """\
The Prometheus JMX exporter inside each broker serves these, by rules that are written from the same list
(`monitoring/broker_rules.py`): over TLS 1.3 on 127.0.0.1, to the user `prometheus` with the password that stands in
`broker/config/scrape.password` of HUB_HOME and is another one after each start.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    yield "| metric | type | unit | labels | meaning | 意味 | measures |"
    yield "|---|---|---|---|---|---|---|"
    for metric in METRICS:
        yield _row(metric)
    yield ""
    yield "## Brokers"
    yield ""
    yield _BROKERS
    yield "| metric | type | unit | labels | meaning | 意味 | measures |"
    yield "|---|---|---|---|---|---|---|"
    for metric in BROKERS:
        yield _row(metric)
    yield ""
    yield "## Labels"
    yield ""
    yield "| label | meaning | 意味 | values |"
    yield "|---|---|---|---|"
    for label in (*LABELS.values(), *BROKER_LABELS):
        yield f"| `{label.name}` | {label.en} | {label.ja} | {label.bound} |"
    yield ""
    yield "## Buckets"
    yield ""
    yield "| histogram | upper edges in seconds |"
    yield "|---|---|"
    for metric in METRICS:
        if metric.kind is Kind.HISTOGRAM:
            yield f"| `{metric.name}` | {', '.join(f'{edge:g}' for edge in metric.buckets)} |"


def _row(metric: Metric) -> str:
    labels = " ".join(f"`{label}`" for label in metric.labels)
    measures = " ".join(f"`{measure}`" for measure in metric.measures)
    cells = (f"`{metric.name}`", metric.kind.value, metric.unit, labels, metric.en, metric.ja, measures)
    return "| " + " | ".join(cells) + " |"


def main(arguments: list[str]) -> int:
    """Write the page to the file given, or to docs/metrics.md."""
    return write_page(page(), arguments, PAGE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
