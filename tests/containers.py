"""Kafka in containers, through testcontainers: the nodes of a local cluster, each in the image instead of on our Java.

    HUB_TEST_KAFKA_IMAGE     the image (eltax-hub-kafka:<version of the project>)
    HUB_TEST_KAFKA_NETWORK   `host`: three nodes on the host's loopback; `bridge` (default): one, its ports published
    TESTCONTAINERS_RYUK_DISABLED=true   never ask for Ryuk; where it cannot be pulled it is done without anyway

A node's directory is its /var/lib/kafka and `config/` in it its /etc/kafka: logs and certificates are found where they
are with a local cluster.
"""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import pytest

from broker.cluster import ClusterNode, LocalCluster
from broker.configuration import NodeConfiguration, Places
from broker.process import STOP_SECONDS, Process
from hub.crypto.certificates import CertificateAuthority

ETC, LIB = "/etc/kafka", "/var/lib/kafka"
IMAGE_USER = 10_001
NODES = {"host": 3, "bridge": 1}


def image() -> str:
    """The image that is asked for."""
    return os.environ.get("HUB_TEST_KAFKA_IMAGE") or f"eltax-hub-kafka:{version('eltax-hub')}"


def network() -> str:
    """`host` or `bridge`."""
    said = os.environ.get("HUB_TEST_KAFKA_NETWORK", "bridge")
    if said not in NODES:
        raise pytest.UsageError(f"HUB_TEST_KAFKA_NETWORK={said}: one of {', '.join(NODES)}")
    return said


def insist_on_an_engine() -> None:
    """A Docker engine answers and has the image; who asked for containers hears it if not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # docker's client leaves its socket to the collector
        missing = _missing()
        gc.collect()
    if missing:
        pytest.fail(f"HUB_TEST_KAFKA=containers: {missing}, or leave HUB_TEST_KAFKA out", pytrace=False)


def _missing() -> str:
    import docker
    from docker.errors import DockerException, ImageNotFound

    try:
        with closing(docker.from_env()) as client:
            try:
                client.images.get(image())
            except ImageNotFound:
                return f"there is no image {image()}: build it"
            _without_ryuk_where_it_cannot_be_had(client)
    except DockerException as error:
        where = os.environ.get("DOCKER_HOST", "the default socket")
        return f"no Docker engine answers at {where} ({type(error).__name__}): start one"
    return ""


def _without_ryuk_where_it_cannot_be_had(client: Any) -> None:
    """Ryuk removes what a killed run leaves; without it those containers stay, and the tests run all the same."""
    from docker.errors import DockerException, ImageNotFound
    from testcontainers.core.config import testcontainers_config as settings

    if settings.ryuk_disabled:
        return
    try:
        try:
            client.images.get(settings.ryuk_image)
        except ImageNotFound:
            client.images.pull(settings.ryuk_image)
    except DockerException as error:
        print(f"Ryuk cannot be had ({type(error).__name__}): containers of a killed run must be removed by hand")
        settings.ryuk_disabled = True


class ContainerProcess:
    """One container, from its start to its end; a node that starts again gets a new one."""

    def __init__(self, node: ContainerNode) -> None:
        from testcontainers.core.container import DockerContainer

        user = IMAGE_USER if os.getuid() == 0 else os.getuid()
        if os.getuid() == 0:
            for path in (node.directory, *node.directory.rglob("*")):
                os.chown(path, user, user, follow_symlinks=False)
        host = {"network_mode": "host"} if network() == "host" else {}
        made: Any = DockerContainer(image())
        made.with_kwargs(user=f"{user}:{user}", read_only=True, cap_drop=["ALL"], **host)
        made.with_tmpfs_mount("/tmp", "size=64m,mode=1777")
        made.with_volume_mapping(str(node.directory), LIB, "rw")
        made.with_volume_mapping(str(node.directory / "config"), ETC, "ro")
        for name in ("HUB_KAFKA_COMPILER", "HUB_KAFKA_HEAP"):
            if name in os.environ:
                made.with_env(name, os.environ[name])
        if not host:
            made.ports |= {str(port): ("127.0.0.1", port) for port in node.listening}
        self._container = made.start()
        self._console = node.logs / "console.log"

    @property
    def _docker(self) -> Any:
        return self._container.get_wrapped_container()

    @property
    def pid(self) -> int:
        """On the engine's machine."""
        return int(self._docker.attrs["State"]["Pid"]) if self.running() else 0

    def running(self) -> bool:
        self._docker.reload()
        alive = bool(self._docker.attrs["State"]["Running"])
        if not alive:
            self._console.write_bytes(self._docker.logs(tail=200))
        return alive

    def stop(self) -> None:
        self._docker.stop(timeout=int(STOP_SECONDS))
        self._end()

    def kill(self) -> None:
        if self.running():
            self._docker.kill("SIGKILL")
        self._end()

    def pause(self) -> None:
        self._docker.pause()

    def resume(self) -> None:
        self._docker.unpause()

    def _end(self) -> None:
        self._docker.wait()


class ContainerNode(ClusterNode):
    """A node whose process is a container."""

    needs_jars: ClassVar[bool] = False

    @property
    def listening(self) -> tuple[int, ...]:
        """Its ports."""
        return self._ports

    def _configuration(self) -> NodeConfiguration:
        made = super()._configuration()
        return NodeConfiguration(
            made.own,
            made.super_users,
            made.members,
            Places(f"{LIB}/data", f"{ETC}/keystore.pem", f"{ETC}/ca.crt"),
            listen="" if network() == "host" else "0.0.0.0",
        )

    def _prepare_storage(self, jars: Sequence[Path]) -> None:
        (self.directory / "config" / "cluster.id").write_text(self._new_cluster_id() + "\n")

    def _launch(self, jars: Sequence[Path], hold: int) -> Process:
        return ContainerProcess(self)


class Containers(LocalCluster):
    """Three nodes on the host's network, or one behind published ports."""

    node_class: ClassVar[type[ClusterNode]] = ContainerNode

    def __init__(self, directory: Path, authority: CertificateAuthority) -> None:
        insist_on_an_engine()
        super().__init__(directory, authority, NODES[network()])
