"""The embedded node from outside: it keeps what it acknowledged, is found again, and leaves nothing behind."""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from broker import node as module
from broker.embedded import EmbeddedKafka
from broker.errors import BrokerDataDamaged, BrokerDiskFull, BrokerFailed, BrokerInUse, BrokerPortTaken
from broker.probe import serves
from hub.crypto.certificates import CertificateAuthority, IssuedCertificate
from hub.transport import BatchWriter, Endpoint, Outgoing, PartitionReader, TlsIdentity

pytestmark = pytest.mark.broker

PARENT = """
import sys, time
from pathlib import Path
from broker.embedded import EmbeddedKafka
from hub.crypto.certificates import CertificateAuthority
made = EmbeddedKafka(Path(sys.argv[1]) / "broker", CertificateAuthority.load(Path(sys.argv[1]) / "authority"))
made.start()
print(made.pid, flush=True)
time.sleep(600)
"""


@dataclass
class Place:
    """A node, and a client of it."""

    directory: Path
    authority: CertificateAuthority
    node: EmbeddedKafka
    admin: IssuedCertificate

    @property
    def endpoint(self) -> Endpoint:
        tls = TlsIdentity(self.admin.certificate, self.admin.private_key, self.admin.ca)
        return Endpoint(self.node.bootstrap, tls, "test")

    async def create(self, topic: str) -> None:
        client = AIOKafkaAdminClient(**self.endpoint.client_options())
        await client.start()
        try:
            await client.create_topics([NewTopic(topic, 1, 1)])
        finally:
            await client.close()

    async def write(self, topic: str, first: int, count: int) -> None:
        async with BatchWriter(self.endpoint) as writer:
            await writer.write(topic, 0, [Outgoing(b"", b"%d" % number) for number in range(first, first + count)])

    async def read(self, topic: str) -> list[int]:
        async with PartitionReader(self.endpoint, {(topic, 0): None}) as reader:
            return [int(record.value or b"") for record in await reader.read_to_end()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One directory for all tests here; its name is one that a properties file or a class path could trip over."""
    directory = tmp_path_factory.mktemp("node") / "試験 場, a=b"
    authority = CertificateAuthority.create(directory / "authority")
    node = EmbeddedKafka(directory / "broker", authority)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", "-javaagent:/nowhere.jar")
        patch.setenv("HUB_TEST_SECRET", "not for the broker")
        node.start()
    try:
        yield Place(directory, authority, node, authority.issue("admin", directory / "certificates"))
    finally:
        node.stop()


@pytest.fixture
def running(place: Place) -> Place:
    place.node.start()
    return place


@pytest.fixture
def stopped(place: Place) -> Place:
    place.node.stop()
    return place


def port_of(node: EmbeddedKafka) -> int:
    return int(node.bootstrap.rpartition(":")[2])


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_it_listens_on_loopback_only(running: Place) -> None:
    listening = [
        each for each in psutil.Process(running.node.pid).net_connections("inet") if each.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 2
    assert {each.laddr.ip.removeprefix("::ffff:") for each in listening} == {"127.0.0.1"}


def test_nothing_of_our_environment_reaches_it(place: Place) -> None:
    place.node.start()
    assert set(psutil.Process(place.node.pid).environ()) <= {"HOME", "PATH", "TMPDIR", "TZ", "LC_ALL"}


def test_its_directory_is_for_its_owner_only(running: Place) -> None:
    assert stat.S_IMODE(running.node.directory.stat().st_mode) == 0o700
    for name in ("broker.key", "keystore.pem"):
        assert stat.S_IMODE((running.node.directory / "config" / name).stat().st_mode) == 0o600


async def test_what_was_acknowledged_survives_stop_and_kill_and_is_found_at_the_same_address(running: Place) -> None:
    address = running.node.bootstrap
    await running.create("kept")
    await running.write("kept", 0, 50)
    running.node.stop()
    assert not serves(port_of(running.node), running.admin)
    running.node.start()
    assert await running.read("kept") == list(range(50))
    await running.write("kept", 50, 50)
    running.node.kill()
    running.node.start()
    assert running.node.bootstrap == address
    assert await running.read("kept") == list(range(100))


def test_a_node_that_died_by_itself_can_be_started_again(running: Place) -> None:
    os.kill(running.node.pid, signal.SIGKILL)
    until(lambda: not running.node.running(), "its end is noticed")
    assert running.node.pid == 0
    running.node.start()
    assert serves(port_of(running.node), running.admin)


def test_a_paused_node_answers_nobody_until_it_is_resumed(running: Place) -> None:
    running.node.freeze()
    try:
        assert not serves(port_of(running.node), running.admin, seconds=0.5)
    finally:
        running.node.thaw()
    until(lambda: serves(port_of(running.node), running.admin), "it answers again")


def test_a_second_node_on_the_same_directory_is_refused(running: Place) -> None:
    with pytest.raises(BrokerInUse, match=str(os.getpid())):
        EmbeddedKafka(running.node.directory, running.authority).start()
    assert serves(port_of(running.node), running.admin)


def test_two_starts_at_the_same_node_are_one(running: Place) -> None:
    pid = running.node.pid
    running.node.start()
    assert running.node.pid == pid


def test_it_ends_when_its_owner_is_killed_and_its_data_can_be_used_at_once(stopped: Place) -> None:
    root = Path(module.__file__).parent.parent
    command = [sys.executable, "-c", PARENT, str(stopped.directory)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=stopped.directory, env={**os.environ, "PYTHONPATH": str(root)}
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        java = psutil.Process(pid)
        owner.kill()
    stopped.node.start()  # waits for what is still ending there
    assert not java.is_running()
    assert stopped.node.pid != pid


def test_a_port_that_another_program_took_meanwhile_is_given_up(stopped: Place) -> None:
    old = port_of(stopped.node)
    with socket.create_server(("127.0.0.1", old)):
        stopped.node.start()
        assert port_of(stopped.node) != old
        assert serves(port_of(stopped.node), stopped.admin)


def test_a_port_asked_for_is_used_or_refused(stopped: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(BrokerPortTaken, match=str(taken)):
            EmbeddedKafka(stopped.node.directory, stopped.authority, client_port=taken).start()


def test_a_full_disk_is_said_before_anything_is_started(stopped: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LEAST_ROOM_BYTES", 2**62)
    with pytest.raises(BrokerDiskFull) as caught:
        stopped.node.start()
    assert "Make room" in caught.value.advice
    assert stopped.node.pid == 0


def test_a_disk_that_fills_up_while_starting_is_said_so(stopped: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "write_private", full)
    with pytest.raises(BrokerDiskFull):
        stopped.node.start()
    assert stopped.node.pid == 0


def test_a_start_that_fails_shows_the_last_lines_of_the_log_and_leaves_no_process(stopped: Place) -> None:
    node = EmbeddedKafka(stopped.node.directory, stopped.authority, heap="1k")
    with pytest.raises(BrokerFailed, match="Too small maximum heap"):
        node.start()
    assert not node.running()
    stopped.node.start()  # and the directory is free again


@pytest.mark.parametrize(
    "damage", ["meta.properties", "__cluster_metadata-0/quorum-state", "recovery-point-offset-checkpoint"]
)
def test_a_damaged_data_directory_is_said_so(stopped: Place, damage: str) -> None:
    file = stopped.node.directory / "data" / damage
    good = file.read_bytes()
    file.write_bytes(b"\x00" * len(good))
    try:
        with pytest.raises(BrokerDataDamaged) as caught:
            stopped.node.start()
        assert damage.rpartition("/")[2] in str(caught.value)
        assert "Restore" in caught.value.advice
        assert not stopped.node.running()
    finally:
        file.write_bytes(good)


async def test_lost_metadata_does_not_cost_the_records_too(place: Place) -> None:
    """Kafka would start, take the partitions for strays and delete them."""
    place.node.start()
    await place.create("precious")
    await place.write("precious", 0, 10)
    place.node.stop()
    metadata = place.node.directory / "data" / "__cluster_metadata-0"
    metadata.rename(place.directory / "aside")
    with pytest.raises(BrokerDataDamaged, match="metadata log"):
        place.node.start()
    (place.directory / "aside").rename(metadata)
    place.node.start()
    assert await place.read("precious") == list(range(10))


async def test_a_preparation_cut_short_by_a_crash_is_done_again(place: Place) -> None:
    """The data directory bears its identity but the note that it was prepared was never written."""
    topic = "after-crash"
    place.node.start()
    await place.create(topic)
    place.node.stop()
    (place.node.directory / "node.json").write_text('{"client_po')
    place.node.start()
    assert await place.read(topic) == []
