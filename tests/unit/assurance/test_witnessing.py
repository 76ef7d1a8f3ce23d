"""A log with witnesses: real ones over HTTP, and such as are away, slow, wrong or better informed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from assurance.witness.memory import Memory
from assurance.witness.server import WitnessServer
from assurance.witness.witness import Witness
from consumers.audit.publishing import Publisher
from consumers.audit.witnesses import (
    CONTRADICTS,
    COSIGNED,
    INVALID,
    PAUSE_SECONDS,
    REFUSED,
    UNREACHABLE,
    WitnessAddress,
    Witnesses,
    WitnessesMalformed,
    read_witnesses,
)
from consumers.store.sql import SqlStore
from hub.crypto.checkpoints import open_checkpoint
from hub.crypto.identity import IdentityKey
from hub.crypto.lattice import LatticeKey
from hub.crypto.notes import Note, NoteSigner
from hub.facts import Alarm, Fact, WitnessAnswered
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker, Verdict
from tests.unit.assurance.test_witness_http import serving
from tests.unit.consumers.making import NOW, TENANT
from tests.unit.consumers.published import IDENTITY, SIGNER, event_entry, files, grow, open_store, publisher


def own(number: int) -> NoteSigner:
    """Odd ones sign with Ed25519, even ones with ML-DSA-44."""
    seed = bytes(30) + bytes((1, number))
    key = IdentityKey.from_seed(seed) if number % 2 else LatticeKey(seed)
    return NoteSigner(f"witness.example/w{number}", key)


class Stage:
    """A log, its facts, and a clock that the test moves."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self.stack = stack
        self.facts: list[Fact] = []
        self.time = 0.0
        self.store = self.open("first")

    def open(self, name: str) -> SqlStore:
        (self.directory / name).mkdir()
        store = open_store(self.directory / name)
        self.stack.callback(store.close)
        return store

    @contextmanager
    def witness(self, number: int, port: int = 0) -> Iterator[WitnessServer]:
        with Memory(self.directory / f"w{number}") as held:
            made = Witness(own(number), [SIGNER.verifier()], held, lambda: NOW // 1_000 + number)
            with serving(made, port=port) as server:
                yield server

    def publisher(self, *addresses: WitnessAddress, seconds: float = 10.0, out: str = "tlog") -> Publisher:
        found = Witnesses(addresses, TENANT, self.facts.append, monotonic=lambda: self.time, seconds=seconds)
        return publisher(self.store, self.directory / out, found)

    def codes(self) -> list[str]:
        found = [fact.code for fact in self.facts if isinstance(fact, WitnessAnswered)]
        self.facts[:] = [fact for fact in self.facts if isinstance(fact, Alarm)]
        return found

    def cosigners(self, out: str = "tlog") -> list[str]:
        note = Note.parse((self.directory / out / "checkpoint").read_bytes())
        open_checkpoint(note, IDENTITY.keys)
        keys = [own(n).cosigner() for n in range(5)]
        return [key.name for key, _ in note.signed_by(keys)]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(tmp_path, stack)


def at(server: WitnessServer, number: int) -> WitnessAddress:
    return WitnessAddress(server.url, own(number).cosigner())


def test_every_checkpoint_is_cosigned_by_every_witness(stage: Stage) -> None:
    with stage.witness(1) as one, stage.witness(2) as two:
        kept = stage.publisher(at(one, 1), at(two, 2))
        for size in (1, 40, 255, 256, 300, 900):
            grow(stage.store, [event_entry(n) for n in range(stage_size(stage), size)])
            done = kept.publish()
            assert (done.size, done.cosignatures) == (size, 2)
            assert kept.publish().tiles == 0
            assert stage.cosigners() == ["witness.example/w1", "witness.example/w2"]
        assert set(stage.codes()) == {COSIGNED}


def stage_size(stage: Stage) -> int:
    head = stage.store.log_head()
    return 0 if head is None else head.size


def test_a_publisher_that_starts_again_learns_what_was_cosigned(stage: Stage) -> None:
    with stage.witness(1) as one:
        for size in (20, 300, 310):
            grow(stage.store, [event_entry(n) for n in range(stage_size(stage), size)])
            assert stage.publisher(at(one, 1)).publish().cosignatures == 1
    assert stage.codes() == [COSIGNED] * 3


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def test_a_witness_that_is_away_stops_nothing_and_cosigns_when_it_is_back(stage: Stage) -> None:
    port = free_port()
    away = WitnessAddress(f"http://127.0.0.1:{port}", own(2).cosigner())
    grow(stage.store, [event_entry(n) for n in range(20)])
    with stage.witness(1) as one:
        kept = stage.publisher(at(one, 1), away)
        assert kept.publish().cosignatures == 1
        assert stage.codes() == [COSIGNED, UNREACHABLE]
        kept.publish()
        assert stage.codes() == []  # it is left alone for a while
        stage.time += PAUSE_SECONDS
        before = files(stage.directory / "tlog")
        kept.publish()
        assert stage.codes() == [UNREACHABLE]
        assert files(stage.directory / "tlog") == before
        stage.time += PAUSE_SECONDS
        with stage.witness(2, port):
            assert kept.publish().cosignatures == 2
        assert stage.cosigners() == ["witness.example/w1", "witness.example/w2"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", INVALID),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", INVALID),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", REFUSED),
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", REFUSED),
        (b"HTTP/1.1 302 No\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", REFUSED),
        (b"HTTP/1.1 409 No\r\nContent-Type: text/x.tlog.size\r\nContent-Length: 2\r\n\r\n0\n", INVALID),
        (b"HTTP/1.1 409 No\r\nContent-Type: text/x.tlog.size\r\nContent-Length: 3\r\n\r\n-5\n", INVALID),
        (b"HTTP/1.1 409 No\r\nContent-Length: 2\r\n\r\n5\n", INVALID),
        (b"HTTP/1.1 409 No\r\nContent-Type: text/x.tlog.size\r\nContent-Length: 2\r\n\r\n5\n", UNREACHABLE),
        (b"HTTP/1.1 422 No\r\nContent-Length: 0\r\n\r\n", CONTRADICTS),
        (b"HTTP/1.1 409 No\r\nContent-Type: text/x.tlog.size\r\nContent-Length: 3\r\n\r\n99\n", CONTRADICTS),
        (b"\x15\x03\x01", UNREACHABLE),
        (b"", UNREACHABLE),
    ],
)
def test_whatever_a_witness_answers_the_log_is_published(stage: Stage, answer: bytes, code: str) -> None:
    grow(stage.store, [event_entry(n) for n in range(20)])
    with canned(answer) as port:
        wrong = WitnessAddress(f"http://127.0.0.1:{port}", own(1).cosigner())
        assert stage.publisher(wrong).publish().cosignatures == 0
    assert stage.codes() == [code]
    assert [fact.code for fact in stage.facts] == (["witness-contradicts"] if code == CONTRADICTS else [])
    assert stage.cosigners() == []


@contextmanager
def canned(answer: bytes) -> Iterator[int]:
    """A server that answers one request with these bytes and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                data = b""
                while not data.endswith(b"=\n"):
                    data += connection.recv(65_536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        thread.join(10)


def test_a_witness_that_trickles_is_given_up_and_its_thread_ends(stage: Stage) -> None:
    grow(stage.store, [event_entry(n) for n in range(20)])
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                try:
                    while not ended.wait(0.05):
                        connection.sendall(b"X-A: b\r\n")
                except OSError:
                    ended.set()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        slow = WitnessAddress(f"http://127.0.0.1:{listening.getsockname()[1]}", own(1).cosigner())
        assert stage.publisher(slow, seconds=0.5).publish().cosignatures == 0
        assert stage.codes() == [UNREACHABLE]
        assert ended.wait(10)  # the connection was cut from our side
        thread.join()


def test_a_cosignature_of_another_key_is_not_taken(stage: Stage) -> None:
    grow(stage.store, [event_entry(0)])
    with stage.witness(1) as one:
        wrong = WitnessAddress(one.url, own(2).cosigner())
        assert stage.publisher(wrong).publish().cosignatures == 0
    assert stage.codes() == [INVALID]


def test_a_database_that_was_rolled_back_is_noticed_by_its_witness(stage: Stage, attack: Attack) -> None:
    """Rows cut off together with their heads, and the published files lost: only the witness knows better."""
    tried = attack(
        Attacker.BACKUP, "rolls an audit desk back together with all of its published files", Verdict.DETECTED
    )
    grow(stage.store, [event_entry(n) for n in range(50)])
    with stage.witness(1) as one:
        stage.publisher(at(one, 1)).publish()
        stage.store = stage.open("rolled-back")
        grow(stage.store, [event_entry(n) for n in range(30)])
        assert stage.publisher(at(one, 1), out="again").publish().cosignatures == 0
        assert stage.codes() == [COSIGNED, CONTRADICTS]
        grow(stage.store, [event_entry(n) for n in range(1_000, 1_060)])
        assert stage.publisher(at(one, 1), out="again").publish().cosignatures == 0
        assert stage.codes() == [CONTRADICTS]
    assert {fact.code for fact in stage.facts if isinstance(fact, Alarm)} == {"witness-contradicts"}
    tried.detected(by="witness", how="alarm `witness-contradicts`; no cosignature", within="the next publication")


def test_the_file_of_witnesses() -> None:
    key = own(1).cosigner()
    text = f"# of the prefecture\n\nhttp://127.0.0.1:8000/w/ {key.encode()}\n"
    assert read_witnesses(text) == (WitnessAddress("http://127.0.0.1:8000/w", key),)
    for bad in (
        "http://127.0.0.1:8000",
        f"ftp://x {key.encode()}",
        f"http://u:p@x/ {key.encode()}",
        f"http://x/?q {key.encode()}",
        f"http://:80/ {key.encode()}",
        f"http://x {key.encode()} more",
        f"http://x {SIGNER.verifier().encode()}",
        f"http://x {key.encode()[:-1]}",
        f"http://x {key.encode()}\nhttp://y {key.encode()}",
    ):
        with pytest.raises(WitnessesMalformed):
            read_witnesses(bad)
