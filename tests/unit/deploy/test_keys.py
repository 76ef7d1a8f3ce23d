"""The job that makes all that a deployment starts with: each its own, nobody another's, and the same when run again."""

from __future__ import annotations

import json
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from broker.configuration import CIPHER_SUITES
from deploy.keys import prepare
from deploy.services import services
from deploy.zones import PLACES, BrokerPlace, roles
from hub.applying import Wanted
from topics.declaration import read
from topics.names import endpoint_host

WANTED = Wanted.of(read(None), "rehearsal", None)


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("deployment")
    prepare(made, WANTED, listen="0.0.0.0")
    yield made


def contents(directory: Path) -> dict[str, bytes]:
    return {str(each.relative_to(directory)): each.read_bytes() for each in directory.rglob("*") if each.is_file()}


def test_everything_that_a_service_mounts_is_there(top: Path) -> None:
    for service in services(WANTED.topology):
        for mount in service.mounts:
            source = mount.partition(":/")[0].partition("}/")[2]
            if source.endswith(("/data", "/data/logs", "inbox")):
                continue  # `deploy/containers prepare` makes these
            assert (top / source).is_dir(), f"{service.name} {source}"


def test_nobody_else_on_the_machine_reads_a_secret(top: Path) -> None:
    private = [each for each in top.rglob("*") if each.is_file() and (each.suffix in (".key", ".pem", ".password"))]
    assert len(private) > 40
    for each in private:
        assert stat.S_IMODE(each.stat().st_mode) == 0o600, each


def test_no_key_of_a_role_lies_outside_its_directory_and_the_administrators(top: Path) -> None:
    home = contents(top / "home" / "roles")
    of_roles = {name: data for name, data in home.items() if name.endswith(".key") or "/keys/" in name}
    assert len(of_roles) > 60
    given = {each.name: set(contents(each).values()) for each in top.iterdir() if each.name != "home"}
    for service, files in given.items():
        assert not {name for name, data in of_roles.items() if data in files}, service
        assert not any((top / "home" / "authority" / "ca.key").read_bytes() in data for data in files), service
    keys = {service: {each for each in files if b"PRIVATE KEY" in each} for service, files in given.items()}
    assert all(keys.values())
    for service, mine in keys.items():
        others = set[bytes]().union(*(theirs for other, theirs in keys.items() if other != service))
        assert not mine & others, f"{service} has a key of another one"


@pytest.mark.parametrize("place", PLACES, ids=lambda each: each.service)
def test_a_broker_is_one_of_three_behind_mutual_tls(top: Path, place: BrokerPlace) -> None:
    number = place.node
    config = top / f"kafka-{number}" / "config"
    said = dict(line.split("=", 1) for line in (config / "server.properties").read_text().splitlines())
    assert said["node.id"] == str(number)
    assert said["controller.quorum.voters"].count("@kafka-") == 3
    assert said["advertised.listeners"].startswith(f"MTLS://kafka-{number}:")
    assert said["listeners"].count("0.0.0.0") == 2
    assert (said["default.replication.factor"], said["min.insync.replicas"]) == ("3", "2")
    assert (said["ssl.client.auth"], said["ssl.enabled.protocols"]) == ("required", "TLSv1.3")
    assert said["ssl.cipher.suites"].split(",") == list(CIPHER_SUITES)
    assert said["auto.create.topics.enable"] == said["allow.everyone.if.no.acl.found"] == "false"
    assert said["log.dirs"] == "/var/lib/kafka/data"
    certificate = x509.load_pem_x509_certificate((config / "broker.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert f"kafka-{number}" in names.get_values_for_type(x509.DNSName)
    assert f"User:CN=broker-{number}" in said["super.users"].split(";")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(config / "broker.crt", config / "broker.key")
    ids = {(top / f"kafka-{each}" / "config" / "cluster.id").read_text() for each in (1, 2, 3)}
    assert len(ids) == 1
    password = (top / "home" / "scrape.password").read_text()
    assert not any(password.encode() in data for data in contents(config).values()), "it has the hash alone"


def test_prometheus_knows_everybody_by_the_name_of_their_certificate(top: Path) -> None:
    config = top / "prometheus" / "config"
    groups = json.loads((config / "targets" / "targets.json").read_text())
    targets = {each["targets"][0]: each["labels"] for each in groups}
    places = roles(tuple(each.code for each in WANTED.topology.tenants))
    assert set(targets) == {f"{each.service}:{each.port}" for each in places} | {
        f"{each.service}:{each.exporter_port}" for each in PLACES
    }
    jobs = {
        each["job_name"]: each for each in yaml.safe_load((config / "prometheus.yml").read_text())["scrape_configs"]
    }
    for labels in targets.values():
        assert jobs[labels["instance"]]["tls_config"]["server_name"] == endpoint_host(labels["instance"])
    assert targets["router-2:9502"] == {"instance": "router", "role": "router", "worker": "router-2"}
    for file in ("web.yml", "prometheus.yml"):
        named = [word for word in (config / file).read_text().split() if word.startswith("/etc/prometheus/")]
        for path in named:
            assert "*" in path or (config / path.removeprefix("/etc/prometheus/")).exists(), path
    alerts = (top / "alertmanager" / "config" / "alertmanager-web.yml").read_text()
    for path in (word for word in alerts.split() if word.startswith("/etc/")):
        assert (top / "alertmanager" / "config" / path.removeprefix("/etc/alertmanager/")).exists(), path


def test_grafana_finds_its_dashboards_data_source_and_password(top: Path) -> None:
    config = top / "grafana" / "config"
    assert len(list((config / "eltax-hub" / "dashboards").glob("*.json"))) >= 6
    for name in ("ca.crt", "grafana.crt", "grafana.key", "server.crt", "server.key", "admin.password"):
        assert (config / "eltax-hub" / name).exists()
    assert len(list((config / "provisioning").rglob("*.yaml"))) == 2


def test_run_again_it_keeps_keys_cluster_and_passwords_and_follows_the_address(tmp_path: Path) -> None:
    prepare(tmp_path, WANTED, listen="0.0.0.0")
    before = contents(tmp_path)
    prepare(tmp_path, WANTED, listen="127.0.0.1")
    after = contents(tmp_path)
    assert set(before) == set(after)
    changed = {name for name in before if before[name] != after[name]}
    assert [name for name in changed if name.startswith("home/")] == []
    assert "kafka-1/config/cluster.id" not in changed
    assert "grafana/config/eltax-hub/admin.password" not in changed
    assert b"MTLS://127.0.0.1:" in after["kafka-1/config/server.properties"]
