"""Which Kafka a home has: one node or several, and always the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from broker.cluster import LocalCluster
from broker.embedded import EmbeddedKafka
from cli.brokers import BrokersChanged, here
from cli.home import Home
from cli.processes import role_environment
from hub.crypto.certificates import CertificateAuthority


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority.create(tmp_path / "authority")


def started(home: Home, *names: str) -> None:
    for name in names:
        (home.path / name / "logs").mkdir(parents=True)


def test_a_new_home_has_one_node_unless_more_are_asked_for(home: Home, authority: CertificateAuthority) -> None:
    assert isinstance(here(home, authority, None, metrics=False), EmbeddedKafka)
    three = here(home, authority, 3, metrics=True)
    assert isinstance(three, LocalCluster)
    assert [node.name for node in three.nodes] == ["broker-1", "broker-2", "broker-3"]


def test_a_home_keeps_its_nodes(home: Home, authority: CertificateAuthority) -> None:
    started(home, "brokers/broker-1", "brokers/broker-2", "brokers/broker-3")
    assert len(here(home, authority, None, metrics=False).nodes) == 3
    for wrong in (1, 2, 4):
        with pytest.raises(BrokersChanged):
            here(home, authority, wrong, metrics=False)


def test_one_node_does_not_become_three(home: Home, authority: CertificateAuthority) -> None:
    started(home, "broker")
    assert isinstance(here(home, authority, 1, metrics=False), EmbeddedKafka)
    with pytest.raises(BrokersChanged):
        here(home, authority, 3, metrics=False)


def test_the_monitor_reads_the_logs_of_every_node(home: Home) -> None:
    started(home, "brokers/broker-1", "brokers/broker-2")
    told = role_environment(home, "monitor", bootstrap="a:1,b:2", namespace="rehearsal", partitions=3)
    assert told["HUB_BROKER_LOGS"].split(os.pathsep) == [str(node / "logs") for node in home.broker_nodes]
    assert len(home.broker_nodes) == 2
    assert told["HUB_BOOTSTRAP"] == "a:1,b:2"
