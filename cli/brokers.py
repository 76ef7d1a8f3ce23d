"""The Kafka of a home: one node, or several."""

from __future__ import annotations

import secrets

from broker.cluster import LocalCluster
from broker.embedded import EmbeddedKafka, Kafka
from broker.exporter import Exporter
from cli.home import Home
from hub.crypto.certificates import CertificateAuthority
from monitoring.broker_rules import rules
from schemas.errors import HubError
from topics.names import endpoint_host


class BrokersChanged(HubError):
    """This home was started with another number of brokers."""

    code = "cli.brokers-changed"
    hint = "Leave the number out, or choose another HUB_HOME; records do not move by themselves."


def here(home: Home, authority: CertificateAuthority, brokers: int | None, *, metrics: bool) -> Kafka:
    """Make it, as many nodes as asked for or as there are; with `metrics`, each shows its numbers to Prometheus.

    Several are scraped with one password and under one name. Raises BrokersChanged.
    """
    there = len(home.broker_nodes)
    if brokers is not None and there and brokers != there:
        raise BrokersChanged(f"({there}, not {brokers})")
    host = endpoint_host("broker")
    if (brokers or there or 1) == 1:
        exporter = Exporter(rules(), host) if metrics else None
        return EmbeddedKafka(home.broker, authority, exporter=exporter, lock=home.kafka_jars)
    password = secrets.token_urlsafe(32)
    return LocalCluster(
        home.brokers,
        authority,
        brokers or there,
        exporter=(lambda _: Exporter(rules(), host, password)) if metrics else None,
        lock=home.kafka_jars,
    )
