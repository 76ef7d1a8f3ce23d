"""Both compose files are what the generator writes, differ in networks alone, and give nobody what is another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose import Variant, compose
from deploy.services import AT, HOME, services
from deploy.write import TOP, texts
from deploy.zones import ABOUT, OPEN, PLACES, Zone, roles
from topics.declaration import load
from topics.expanding import expand

TOPOLOGY = expand(load(None), "rehearsal")
NETWORKS = {"networks", "network_mode", "extra_hosts", "ports"}
"""keys of a service that say how it is reached"""
ADDRESSES = {"HUB_METRICS_ADDRESS", "HUB_WATCH_PORTS", "HUB_REGISTRY_LISTEN", "GF_SERVER_HTTP_ADDR"}
"""variables that a network implies: where to listen, and which ports of a broker's machine are looked at"""


def parsed(variant: Variant) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((TOP / variant.value).read_text("utf-8"))
    return found


@pytest.fixture(params=list(Variant), ids=lambda each: each.name.lower())
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    return parsed(request.param)


@pytest.mark.parametrize("variant", list(Variant))
def test_committed_files_are_what_is_generated(variant: Variant) -> None:
    assert (TOP / variant.value).read_text("utf-8") == texts()[variant.value], "run `make docs`"
    assert parsed(variant) == compose(services(TOPOLOGY), variant)


def without_networks(document: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in document.items() if name != "networks"}
    kept["services"] = {name: _without(service) for name, service in document["services"].items()}
    return kept


def _without(service: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in service.items() if name not in NETWORKS}
    kept["environment"] = {n: v for n, v in service.get("environment", {}).items() if n not in ADDRESSES}
    kept["command"] = [each for each in service.get("command", []) if not each.startswith("--web.listen-address=")]
    return kept


def test_variants_differ_in_networks_alone() -> None:
    bridged, host = parsed(Variant.BRIDGED), parsed(Variant.HOST)
    assert without_networks(bridged) == without_networks(host)
    assert bridged != host
    for name, service in host["services"].items():
        assert service["network_mode"] == ("none" if name == "keys" else "host")
        assert not any("0.0.0.0" in str(each) for each in (service.get("command"), service.get("environment"))), name
    for name, service in bridged["services"].items():
        assert "extra_hosts" not in service
        assert "networks" in service or service["network_mode"] == "none", name
        assert all(each.startswith("127.0.0.1:") for each in service.get("ports", [])), name


def test_nobody_runs_as_root_writes_to_its_image_or_uses_more_than_it_may(document: dict[str, Any]) -> None:
    for name, service in document["services"].items():
        assert service["user"].startswith("${HUB_USER:-") and ":-0" not in service["user"], name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service and "privileged" not in service and "devices" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["mem_limit"].removesuffix("m")) <= 2_048, name
        assert 0 < service["pids_limit"] <= 512, name
        assert 0 < service["cpus"] <= 2, name
        assert all("noexec" in each and "size=" in each for each in service["tmpfs"]), name
        assert service["logging"]["options"]["max-size"], name
        assert not any("docker.sock" in each or each.startswith("/") for each in service.get("volumes", [])), name


def test_no_secret_stands_in_the_environment(document: dict[str, Any]) -> None:
    for name, service in document["services"].items():
        for variable, value in service.get("environment", {}).items():
            secret = any(part in variable for part in ("PASSWORD", "SECRET", "TOKEN", "PASSPHRASE", "KEY"))
            assert not secret or value.startswith("/"), f"{name} {variable} is a path at most"


def sources(service: dict[str, Any]) -> list[str]:
    return [each.partition(":/")[0] for each in service.get("volumes", [])]


def test_a_role_sees_its_own_directory_and_no_other(document: dict[str, Any]) -> None:
    places = {each.service: each.principal for each in roles(tuple(t.code for t in TOPOLOGY.tenants))}
    for name, principal in places.items():
        seen = [each for each in sources(document["services"][name]) if each.startswith(f"{AT}/home")]
        assert seen == [f"{AT}/home/roles/{principal}"], name
    whole = {name for name, service in document["services"].items() if f"{AT}/home" in sources(service)}
    assert whole == {"keys", "setup"}, "and none that stays up"
    for name in whole:
        assert document["services"][name]["restart"] == "no"


def test_who_sees_all_keys_has_no_network_and_who_has_one_sees_no_others_keys(document: dict[str, Any]) -> None:
    assert document["services"]["keys"]["network_mode"] == "none"
    hidden = {each.partition(":")[0] for each in document["services"]["setup"]["tmpfs"]}
    others = [each.name for each in TOPOLOGY.roles if not each.super_user]
    assert {f"{HOME}/roles/{name}/keys" for name in others} <= hidden
    assert len(others) > 15


def test_no_two_services_share_a_directory_that_one_may_write(document: dict[str, Any]) -> None:
    writers: dict[str, set[str]] = {}
    for name, service in document["services"].items():
        if service["restart"] != "no":
            for each in service.get("volumes", []):
                if not each.endswith(":ro"):
                    writers.setdefault(each.partition(":/")[0], set()).add(name)
    shared = {source: names for source, names in writers.items() if len(names) > 1}
    assert shared == {f"{AT}/home/roles/router": {"router-1", "router-2"}}, "two workers are one principal"


def test_zones_keep_apart_who_has_nothing_to_say_to_another() -> None:
    said = {name: set(each.get("networks", [])) for name, each in parsed(Variant.BRIDGED)["services"].items()}
    meet = {(a, b) for a in said for b in said if a < b and said[a] & said[b]}
    for desk in [name for name in said if name.startswith(("review-", "helpdesk-", "audit-"))]:
        for other in ("portal", "router-1", "router-2", "registry", "setup", "analysis", "alertmanager", "grafana"):
            assert tuple(sorted((desk, other))) not in meet, (desk, other)
    for other in ("router-1", "registry", "setup", "alertmanager", "grafana", "analysis"):
        assert tuple(sorted(("portal", other))) not in meet, other
    for name in said:
        if not name.startswith("kafka") and name in {each.service for each in roles(("131041",))}:
            assert ("kafka-1", name) in meet or (name, "kafka-1") in meet, name
    networks = parsed(Variant.BRIDGED)["networks"]
    assert {name for name, each in networks.items() if not each["internal"]} == set(OPEN)
    assert set(ABOUT) == set(Zone) == set(networks)


def test_whoever_stays_up_says_how_it_is_and_is_waited_for(document: dict[str, Any]) -> None:
    known = document["services"]
    for name, service in known.items():
        assert ("healthcheck" in service) == (service["restart"] != "no"), name
        for other, wait in service.get("depends_on", {}).items():
            once = known[other]["restart"] == "no"
            assert wait["condition"] == ("service_completed_successfully" if once else "service_healthy"), name
            assert set(service["profiles"]) & set(known[other]["profiles"]), f"{name} waits for {other}"
    assert set(known["setup"]["depends_on"]) == {"keys", "registry", *(each.service for each in PLACES)}


def test_no_port_is_used_twice() -> None:
    ports = [each.port for each in roles(tuple(f"{code:06}" for code in range(1, 60)))]
    ports += [port for each in PLACES for port in (each.client_port, each.controller_port, each.exporter_port)]
    assert len(ports) == len(set(ports))
    assert all(1_024 < port < 65_536 for port in ports)


def test_a_declaration_of_ones_own_gives_its_own_desks(tmp_path: Path) -> None:
    text = (Path(load.__code__.co_filename).parent / "declaration.yaml").read_text("utf-8")
    mine = tmp_path / "mine.yaml"
    mine.write_text(text.replace('code: "999997"', 'code: "141003"'), "utf-8")
    found = yaml.safe_load(texts(mine)[Variant.BRIDGED.value])["services"]
    assert "review-141003" in found and "review-999997" not in found
