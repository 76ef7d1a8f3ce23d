"""The documented steps on a real engine: up, healthy, a load, a broker away, again a load, and what an engine says.

`make containers`. HUB_TEST_CONTAINERS=required fails without an engine or images; otherwise that is said, and skipped.
The base image is HUB_BASE_IMAGE, as for `make images`; images that are missing are built.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.compose import Variant
from deploy.write import TOP
from deploy.zones import PLACES, PROMETHEUS_PORT

pytestmark = [pytest.mark.soak(target="containers"), pytest.mark.timeout(0)]
SUBMISSIONS = int(os.environ.get("HUB_CONTAINERS_SUBMISSIONS", "900"))


@dataclass(frozen=True)
class Deployment:
    """One deployment in a directory of its own; the engine's other projects are not touched."""

    top: Path

    @property
    def environment(self) -> dict[str, str]:
        project = f"eltax-hub-test-{os.getpid()}"
        return {**os.environ, "HUB_DEPLOYMENT": str(self.top), "HUB_PROJECT": project}

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [TOP / "deploy" / "containers", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}"
        return done.stdout

    def ids(self) -> dict[str, str]:
        project = self.environment["HUB_PROJECT"]
        listed = docker(
            *("ps", "--all", "--filter", f"label=com.docker.compose.project={project}"),
            *("--format", '{{.Label "com.docker.compose.service"}} {{.ID}}'),
        )
        return dict(line.split(None, 1) for line in listed.splitlines())

    def load(self, count: int, seed: int) -> dict[str, Any]:
        """`deploy/containers load`, with a seed of its own."""
        done = subprocess.run(
            [TOP / "deploy" / "containers", "load", str(count), "--seed", str(seed), "--json"],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        assert done.returncode == 0, found
        return found

    def prometheus(self, query: str) -> Any:
        """Ask Prometheus' own API as the viewer."""
        viewer = self.top / "home" / "viewer"
        tls = ssl.create_default_context(cafile=str(viewer / "ca.crt"))
        tls.load_cert_chain(viewer / "viewer.crt", viewer / "viewer.key")
        with urllib.request.urlopen(f"https://127.0.0.1:{PROMETHEUS_PORT}{query}", context=tls, timeout=20) as answer:
            return json.load(answer)["data"]


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def why_not() -> str:
    """Why this cannot be tried here; empty if it can."""
    try:
        docker("info")
    except FileNotFoundError:
        return "there is no docker"
    except subprocess.CalledProcessError:
        return "no Docker engine answers"
    return ""


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    reason = why_not()
    if reason:
        if os.environ.get("CI") or os.environ.get("HUB_TEST_CONTAINERS") == "required":
            pytest.fail(f"{reason}, and it was asked for")
        pytest.skip(f"{reason}: the containers were not tried")
    with tempfile.TemporaryDirectory(prefix="eltax-hub-containers-", ignore_cleanup_errors=True) as directory:
        made = Deployment(Path(directory))
        made.top.chmod(0o755)
        try:
            have = docker("images", "--format", "{{.Repository}}").split()
            wanted = {"hub": "eltax-hub", **{each: f"eltax-hub-{each}" for each in ("kafka", "registry", "watch")}}
            for name, image in wanted.items():
                if image not in have:
                    made.run("images", name)
            print(made.run("up"))
            yield made
        finally:
            made.run("down")


def test_all_is_healthy_and_the_load_is_reconciled(deployment: Deployment) -> None:
    found = deployment.load(SUBMISSIONS, 131_041)
    print(found)
    print(
        docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}} {{.CPUPerc}}", *deployment.ids().values())
    )
    assert (found["accepted"], found["duplicate"], found["refused"]) == (SUBMISSIONS, 0, 0)
    assert found["reconciled"]["lost"] == found["reconciled"]["duplicates"] == 0


def test_the_engine_confirms_what_the_file_asks_for(deployment: Deployment) -> None:
    ids = deployment.ids()
    declared = yaml.safe_load((TOP / Variant.BRIDGED.value).read_text("utf-8"))["services"]
    assert set(declared) - set(ids) <= {"grafana"}
    for name, container in ids.items():
        (said,) = json.loads(docker("inspect", container))
        host, user = said["HostConfig"], said["Config"]["User"]
        assert user and not user.startswith(("0", "root")), name
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["Privileged"], name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["Memory"] > 0 and host["PidsLimit"] > 0 and host["NanoCpus"] > 0, name
        if name.startswith("review-"):
            with pytest.raises(subprocess.CalledProcessError):
                docker("exec", container, "touch", "/opt/eltax-hub/x")
            seen = docker("exec", container, "ls", "/var/lib/eltax-hub").split()
            assert seen == [name], "its own directory, and no other"
            assert docker("exec", container, "cat", "/proc/1/status").count("CapEff:\t0000000000000000") == 1


def test_prometheus_reads_everybody_and_its_rules_evaluate(deployment: Deployment) -> None:
    active = deployment.prometheus("/api/v1/targets?state=active")["activeTargets"]
    health = {each["labels"]["instance"]: each["health"] for each in active}
    roles = [name for name in deployment.ids() if name.startswith(("review", "helpdesk", "audit", "router", "portal"))]
    for name in [*roles, "monitor", "analysis", *(each.service for each in PLACES)]:
        assert health.get(name) == "up", f"{name}: {health}"
    groups = deployment.prometheus("/api/v1/rules")["groups"]
    bad = [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"]
    assert groups and not bad


def test_with_a_broker_away_everything_goes_on(deployment: Deployment) -> None:
    ids = deployment.ids()
    docker("kill", "--signal", "KILL", ids["kafka-2"])
    found = deployment.load(200, 7)
    print(found)
    assert found["accepted"] == 200
    docker("start", ids["kafka-2"])
    deployment.run("up")
    under = deployment.prometheus("/api/v1/query?query=sum(up{job%3D%22broker%22})")
    assert under["result"]
    assert deployment.load(100, 8)["accepted"] == 100


def test_who_shares_no_network_does_not_find_the_other(deployment: Deployment) -> None:
    ids = deployment.ids()
    (said,) = json.loads(docker("inspect", ids["review-131041"]))
    if said["HostConfig"]["NetworkMode"] == "host":
        pytest.skip("the host variant has no networks: HUB_COMPOSE_FILE=docker-compose.yml")

    def finds(asker: str, name: str) -> bool:
        program = f"import socket; socket.gethostbyname({name!r})"
        done = subprocess.run(["docker", "exec", ids[asker], "python3", "-c", program], capture_output=True)
        return done.returncode == 0

    assert finds("review-131041", "kafka-1") and finds("portal", "kafka-1") and finds("router-1", "registry")
    for asker, name in (
        *(("review-131041", other) for other in ("portal", "router-1", "registry", "analysis", "alertmanager")),
        *(("portal", other) for other in ("review-131041", "router-1", "registry", "alertmanager")),
        *(("router-1", other) for other in ("portal", "review-131041", "alertmanager")),
    ):
        assert not finds(asker, name), f"{asker} finds {name}"
