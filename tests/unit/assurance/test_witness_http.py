"""What reaches a witness over HTTP, and what does not."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assurance.witness.memory import Memory, origin_hash
from assurance.witness.server import MAX_CONNECTIONS, WitnessServer
from assurance.witness.witness import Answer, Witness
from hub.crypto.checkpoints import open_checkpoint
from hub.crypto.notes import Note
from tests.unit.assurance.test_witness import GOOD, KEY, LOG, NOW, ORIGIN, OWN, cosigned, note, request


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    with Memory(tmp_path / "state") as held:
        yield Witness(OWN, [LOG.verifier()], held, lambda: NOW)


@pytest.fixture
def server(witness: Witness) -> Iterator[WitnessServer]:
    with serving(witness) as made:
        yield made


@contextlib.contextmanager
def serving(witness: Witness, port: int = 0, **more: float) -> Iterator[WitnessServer]:
    with WitnessServer(witness, "127.0.0.1", port, **more) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()


def connect(server: WitnessServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", int(server.server_address[1]), timeout=10)


def raw(server: WitnessServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.server_address[1])), timeout=10)


def test_the_protocol_over_http(server: WitnessServer) -> None:
    address = f"/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
    with contextlib.closing(connect(server)) as connection:
        connection.request("GET", address)
        assert connection.getresponse().status == 404
    with contextlib.closing(connect(server)) as connection:
        exchange(connection, address)


def exchange(connection: http.client.HTTPConnection, address: str) -> None:
    for old, size in ((0, 20), (20, 50)):  # on one connection
        connection.request("POST", "/add-checkpoint", request(old, note(size)))
        response = connection.getresponse()
        assert cosigned(Answer(response.status, response.read()), note(size))
    connection.request("POST", "/add-checkpoint", request(0, note(50)))
    response = connection.getresponse()
    assert (response.status, response.read(), response.getheader("Content-Type")) == (409, b"50\n", "text/x.tlog.size")
    connection.request("GET", address)
    kept = Note.parse(connection.getresponse().read())
    assert open_checkpoint(kept, [LOG.verifier()]).size == 50
    assert [key for key, _ in kept.signed_by([KEY])] == [KEY]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\n\r\n", 411),
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 411),
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\na", 411),
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST /elsewhere HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 404),
        (b"GET /add-checkpoint HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"DELETE /add-checkpoint HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
    ],
)
def test_other_requests_are_refused(server: WitnessServer, sent: bytes, status: int) -> None:
    with raw(server) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(4_096), b""))
    assert str(status).encode() in answer[:400]


def test_a_body_that_ends_early_is_not_a_request(server: WitnessServer, witness: Witness) -> None:
    with raw(server) as connection:
        connection.sendall(b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (len(GOOD) + 1) + GOOD)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert witness.checkpoint(origin_hash(ORIGIN)).status == 404


def until(true: Callable[[], bool]) -> None:
    for _ in range(400):
        if true():
            return
        time.sleep(0.025)
    raise AssertionError("it never became true")


def test_connections_are_bounded_in_number_and_time(witness: Witness) -> None:
    with serving(witness, connection_seconds=1.0) as server:
        idle = [raw(server) for _ in range(MAX_CONNECTIONS)]
        for each in idle:
            each.sendall(b"POST /add-")  # and never goes on

        def answered() -> bool:
            with (
                contextlib.suppress(OSError, http.client.HTTPException),
                contextlib.closing(connect(server)) as connection,
            ):
                connection.request("POST", "/add-checkpoint", request(0, note(20)))
                return connection.getresponse().status in (200, 409)
            return False

        until(answered)  # they were put out
        for each in idle:
            each.close()
