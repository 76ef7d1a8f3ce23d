"""The exporter's rules: each makes a declared metric of declared labels, and reads no more than it needs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from monitoring.broker_rules import rules
from monitoring.declared import BROKERS, METRICS, Kind
from monitoring.declared.base import MEASURES
from monitoring.labels import BROKER_LABELS, LABELS

MADE: dict[str, Any] = rules()


def test_names_are_unlike_each_others_and_ours_and_every_one_has_words() -> None:
    names = [metric.name for metric in BROKERS]
    assert len(set(names)) == len(names)
    assert not set(names) & {metric.name for metric in METRICS}
    known = set(LABELS) | {label.name for label in BROKER_LABELS}
    for metric in BROKERS:
        assert re.fullmatch(r"(kafka|jvm|jmx)_[a-z0-9_]+", metric.name)
        assert metric.en.endswith(".")
        assert metric.ja.endswith("。")
        assert set(metric.labels) <= known
        assert metric.measures
        assert set(metric.measures) <= MEASURES
        if metric.name.startswith("kafka_"):
            assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)


def test_every_kafka_metric_has_a_rule_and_every_rule_a_metric() -> None:
    assert {rule["name"] for rule in MADE["rules"]} == {m.name for m in BROKERS if m.name.startswith("kafka_")}


@pytest.mark.parametrize(
    ("bean", "attribute", "name", "labels"),
    [
        ("kafka.server<type=ReplicaManager, name=UnderReplicatedPartitions>", "Value",
         "kafka_under_replicated_partitions", {}),
        ("kafka.server<type=BrokerTopicMetrics, name=BytesInPerSec, topic=eltax.131041.review>", "Count",
         "kafka_topic_received_bytes_total", {"topic": "eltax.131041.review"}),
        ("kafka.network<type=RequestMetrics, name=TotalTimeMs, request=Produce>", "99thPercentile",
         "kafka_request_seconds", {"request": "Produce", "quantile": "0.99"}),
        ("kafka.network<type=RequestMetrics, name=ErrorsPerSec, request=Produce, error=TOPIC_AUTHORIZATION_FAILED>",
         "Count", "kafka_request_errors_total", {"request": "Produce", "error": "TOPIC_AUTHORIZATION_FAILED"}),
        ("kafka.server<type=socket-server-metrics, listener=MTLS, networkProcessor=2>", "failed-authentication-total",
         "kafka_failed_authentications_total", {"listener": "MTLS", "processor": "2"}),
        ("kafka.server<type=socket-server-metrics, cipher=TLS_AES_256_GCM_SHA384, protocol=TLSv1.3, listener=MTLS, "
         "networkProcessor=0>", "connections", "kafka_cipher_connections",
         {"cipher": "TLS_AES_256_GCM_SHA384", "protocol": "TLSv1.3", "listener": "MTLS", "processor": "0"}),
        ("kafka.server<type=BrokerTopicMetrics, name=BytesInPerSec>", "Count", None, {}),
        ("kafka.network<type=RequestMetrics, name=TotalTimeMs, request=SomethingNew>", "Count", None, {}),
        ("kafka.server<type=BrokerTopicMetrics, name=BytesInPerSec, topic=a{b>", "Count", None, {}),
        ("kafka.server<type=ReplicaManager, name=UnderReplicatedPartitionsX>", "Value", None, {}),
    ],
)  # fmt: skip
def test_a_bean_becomes_its_metric_and_no_other(
    bean: str, attribute: str, name: str | None, labels: dict[str, str]
) -> None:
    found = [
        (rule, match) for rule in MADE["rules"] if (match := re.match(rule["pattern"], f"{bean}<>{attribute}: 1.0"))
    ]
    if name is None:
        assert not found
        return
    ((rule, match),) = found
    assert rule["name"] == name
    made = {
        key: re.sub(r"\$(\d)", lambda m: match.group(int(m[1])), value) for key, value in rule.get("labels", {}).items()
    }
    assert made == labels


def test_no_bean_is_read_that_no_metric_needs() -> None:
    assert set(MADE["includeObjectNames"]) == set(MADE["includeObjectNameAttributes"])
    assert not [name for name in MADE["includeObjectNames"] if name.endswith("request=*")], "only requests that we name"
    assert all(MADE["includeObjectNameAttributes"].values())
