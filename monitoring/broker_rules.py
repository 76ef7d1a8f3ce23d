"""The rules by which the JMX exporter makes the declared `kafka_…` metrics of the broker's MBeans, and no others."""

from __future__ import annotations

import re
from typing import Final

from monitoring.declared.base import Kind
from monitoring.declared.brokers import REQUESTS, SERIES, Bean, BrokerMetric

_LABELS: Final = {
    "networkProcessor": "processor",
    "request": "request",
    "error": "error",
    "topic": "topic",
    "partition": "partition",
    "listener": "listener",
    "cipher": "cipher",
    "protocol": "protocol",
    "state": "state",
}
"""what a property of an object name is called as a label"""
_VALUES: Final = {
    "request": "|".join(REQUESTS),
    "topic": r"[a-zA-Z0-9._-]{1,249}",
    "partition": r"\d{1,6}",
    "networkProcessor": r"\d{1,4}",
}
_ANY: Final = r"[A-Za-z0-9_.-]{1,80}"


def rules() -> dict[str, object]:
    """Return the exporter's settings about beans: which it reads, which of their attributes, and what becomes of them.

    Only the beans and attributes that some metric needs are read, so that a scrape costs little.
    """
    beans = [bean for each in SERIES for bean in each.beans]
    names = dict.fromkeys(name for bean in beans for name in _object_names(bean))
    return {
        "startDelaySeconds": 0,
        "lowercaseOutputName": True,
        "includeObjectNames": list(names),
        "includeObjectNameAttributes": {
            name: sorted({bean.attribute for bean in beans if name in _object_names(bean)}) for name in names
        },
        "rules": [_rule(each, bean) for each in SERIES for bean in each.beans],
    }


def _object_names(bean: Bean) -> list[str]:
    """As JMX wants them; a request that is none of ours is not even looked at."""
    made = [""]
    for key, value in bean.properties:
        choices = REQUESTS if (key, value) == ("request", "*") else (value,)
        made = [f"{start},{key}={each}" if start else f"{key}={each}" for start in made for each in choices]
    return [f"{bean.domain}:{each}" for each in made]


def _rule(declared: BrokerMetric, bean: Bean) -> dict[str, object]:
    parts, labels = [], dict(bean.fixed)
    for key, value in bean.properties:
        if value == "*":
            parts.append(f"{key}=({_VALUES.get(key, _ANY)})")
            labels[_LABELS[key]] = f"${len(labels) - len(bean.fixed) + 1}"
        else:
            parts.append(f"{key}={re.escape(value)}")
    assert set(labels) == set(declared.metric.labels), declared.metric.name
    rule: dict[str, object] = {
        "pattern": f"^{re.escape(bean.domain)}<{', '.join(parts)}><>{re.escape(bean.attribute)}: ",
        "name": declared.metric.name,
        "type": "COUNTER" if declared.metric.kind is Kind.COUNTER else "GAUGE",
        "help": declared.metric.en,
    }
    if bean.factor != 1:
        rule["valueFactor"] = bean.factor
    if labels:
        rule["labels"] = labels
    return rule
