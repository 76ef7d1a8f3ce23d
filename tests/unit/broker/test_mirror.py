"""What MirrorMaker is told, and from which jars it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from broker.jars import read_lock
from broker.mirror import LOCK, VERSION, MirrorSettings, main

SETTINGS = MirrorSettings(
    source="a.example:9092",
    copy="b.example:9092",
    topics=["eltax.submissions", "eltax.131041.review"],
    group="eltax.mirror",
    offsets="eltax.mirror-offsets",
    status="eltax.mirror-status",
    configs="eltax.mirror-configs",
)


def test_every_jar_is_pinned_and_the_mirror_is_of_one_version() -> None:
    jars = read_lock(LOCK)
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in jars)
    assert len({jar.file for jar in jars}) == len(jars)
    kafka = {jar.artifact: jar.version for jar in jars if jar.group == "org.apache.kafka"}
    assert set(kafka.values()) == {VERSION}
    assert {"connect-mirror", "connect-runtime", "kafka-clients"} <= kafka.keys()


def test_the_brokers_start_needs_none_of_them() -> None:
    assert not {jar.artifact for jar in read_lock() if jar.artifact.startswith("connect-")}


def test_it_copies_committed_records_once_under_their_names() -> None:
    told = SETTINGS.properties()
    assert told["source.consumer.isolation.level"] == "read_committed"
    assert told["copy.exactly.once.source.support"] == "enabled"
    assert told["replication.policy.class"].endswith(".IdentityReplicationPolicy")
    assert {told["source->copy.enabled"], told["copy->source.enabled"]} == {"true", "false"}


def test_it_copies_the_topics_that_are_named_and_no_other() -> None:
    wanted = SETTINGS.properties()["source->copy.topics"].split(",")
    for name in ("eltax.submissions", "eltax.131041.review"):
        assert sum(re.fullmatch(pattern, name) is not None for pattern in wanted) == 1
    for name in ("eltaxXsubmissions", "eltax.submissions2", "__consumer_offsets", "eltax.131041.reviews"):
        assert not any(re.fullmatch(pattern, name) for pattern in wanted)


def test_both_ends_are_mutual_tls_and_nothing_listens() -> None:
    told = SETTINGS.properties()
    for side in ("source", "copy"):
        assert told[f"{side}.security.protocol"] == "SSL"
        assert told[f"{side}.ssl.enabled.protocols"] == "TLSv1.3"
        assert told[f"{side}.ssl.endpoint.identification.algorithm"] == "https"
        assert told[f"{side}.ssl.keystore.location"] and told[f"{side}.ssl.truststore.location"]
    assert told["dedicated.mode.enable.internal.rest"] == "false"
    switched = ("sync.topic.acls", "sync.topic.configs", "emit.checkpoints", "sync.group.offsets", "emit.heartbeats")
    assert {told[f"{each}.enabled"] for each in switched} == {"false"}


def test_the_list_names_each_jar(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(read_lock(LOCK))
    assert main(["else"]) == 2
