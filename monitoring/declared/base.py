"""What a declared metric is, and the words its lists are written with.

Names are `hub_…` in base units, counters end in `_total`; the `process_…` names are the ones that every
Prometheus client library uses. A name or label once released is not given another meaning.
`measures` are slugs of the municipality's security checklist that the metric helps to fulfil.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Kind(Enum):
    """What a number means over time."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as declared; `unit` is a base unit or the noun that is counted."""

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    en: str
    ja: str
    measures: tuple[str, ...]
    buckets: tuple[float, ...] = ()
    max_label_sets: int = 1_000


MEASURES: Final = frozenset(
    {
        "antivirus",
        "business-flow",
        "contract-special-terms-and-compliance",
        "data-encryption-and-separate-password",
        "data-erasure-and-report",
        "delivery-register",
        "domestic-jurisdiction",
        "entry-exit-control",
        "hand-delivery-locked-case",
        "handler-designation",
        "id-password-authentication",
        "incident-consultation",
        "incident-readiness",
        "law-and-policy-compliance",
        "locked-storage",
        "management-verification",
        "monitoring-and-access-log",
        "network-device-control",
        "network-peer-restriction",
        "on-site-inspection-and-status-report",
        "perimeter-defence",
        "re-entrustment-inspection",
        "redundancy-and-backup",
        "return-erasure-and-report",
        "storage-access-control",
        "transport-encryption",
    }
)
"""slugs of the checklist; data copied from it"""

WATCH: Final = "monitoring-and-access-log"
FLOW: Final = "management-verification"
INTEGRITY: Final = "transport-encryption"
IDENTITY: Final = "id-password-authentication"
SPARE: Final = "redundancy-and-backup"
READINESS: Final = "incident-readiness"
DEFENCE: Final = "perimeter-defence"
REGISTER: Final = "delivery-register"
PEERS: Final = "network-peer-restriction"

DELAY_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 300.0)
"""seconds; 30 and 60 are the limits of the service objectives and therefore edges, 15 and 20 say how near (0213)"""
WORK_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""seconds for one batch, transaction or database commit"""
LAG_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

BY_PROCEDURE: Final = 20_000
"""1,000 tenants of 18 procedures and `other`; hub and dashboards were not sized for more"""


def counter(name: str, unit: str, labels: str, en: str, ja: str, *measures: str, sets: int = 1_000) -> Metric:
    return Metric(name, Kind.COUNTER, unit, tuple(labels.split()), en, ja, measures, (), sets)


def gauge(name: str, unit: str, labels: str, en: str, ja: str, *measures: str, sets: int = 1_000) -> Metric:
    return Metric(name, Kind.GAUGE, unit, tuple(labels.split()), en, ja, measures, (), sets)


def seconds(name: str, labels: str, buckets: tuple[float, ...], en: str, ja: str, *measures: str) -> Metric:
    return Metric(name, Kind.HISTOGRAM, "seconds", tuple(labels.split()), en, ja, measures, buckets)
