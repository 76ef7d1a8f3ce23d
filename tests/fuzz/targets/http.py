"""Requests to the metrics endpoint and to a witness, over a real socket pair and the real handlers."""

from __future__ import annotations

import contextlib
import re
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter

from assurance.witness import server as witness_server
from assurance.witness.memory import Memory
from assurance.witness.server import WitnessServer
from assurance.witness.witness import Witness
from monitoring import endpoint
from monitoring.health import Health
from tests.fuzz.guard import ensure
from tests.fuzz.target import Target
from tests.fuzz.targets.logs import _LOG, _WITNESS, _checkpoint

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) [A-Za-z \-]*\r\n")
_WORD = re.compile(rb"[A-Za-z0-9]{12,}")
_OURS = (b"openmetrics", b"application")
_MOST = 64 * 1024


@cache
def _metrics() -> endpoint.Endpoint:
    registry = CollectorRegistry()
    Counter("eltax_hub_artificial", "artificial", registry=registry).inc()
    return endpoint.Endpoint(registry, Health(["sessions"]), tls=None)


@cache
def _witness() -> WitnessServer:
    memory = Memory(Path(tempfile.mkdtemp(prefix="eltax-hub-fuzz-")))
    return WitnessServer(Witness(_WITNESS, [_LOG.verifier()], memory, lambda: 1_775_012_400), "127.0.0.1", 0)


def _answer(handler: type, server: object, request: bytes) -> bytes:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for each in (ours, theirs):
            each.settimeout(5)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        ours.sendall(request)
        ours.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            handler(theirs, ("127.0.0.1", 1), server)
        theirs.shutdown(socket.SHUT_WR)
        found = b""
        while piece := ours.recv(1 << 16):
            found += piece
            ensure(len(found) < 16 * _MOST, "an answer is bounded")
        return found


def run(data: bytes) -> None:
    """First byte: which server."""
    if not data:
        return
    request = data[1:]
    if data[0] & 1:
        found = _answer(witness_server._Handler, _witness(), request)
    else:
        found = _answer(endpoint._Handler, _metrics()._server, request)
    if not found:
        return
    status = _STATUS.match(found)
    # without a status: HTTP/0.9, or a first line that says no version
    ensure(status is not None or b"HTTP/1" not in found[:8], "an answer begins with a status")
    for word in _WORD.findall(request.split(b"\n")[0]):
        ensure(word not in found or word in _OURS, "an answer repeats nothing of the request")


def seeds() -> Iterator[bytes]:
    for path in (b"/metrics", b"/healthz", b"/readyz", b"/x?y", b"http://[::1/metrics"):
        yield b"\x00GET " + path + b" HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text; version=x\r\n\r\n"
    yield b"\x00HEAD /metrics HTTP/1.0\r\n\r\n"
    yield b"\x00POST /metrics HTTP/1.0\r\nContent-Length: 5\r\n\r\nabcde"
    yield b"\x00GET /metrics\r\n"
    body = b"old 0\n\n" + _checkpoint().encode()
    yield b"\x01POST /add-checkpoint HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    yield b"\x01GET /" + b"0" * 64 + b"/checkpoint HTTP/1.1\r\n\r\n"
    yield b"\x01POST /add-checkpoint HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"


HTTP = Target(
    "http",
    "HTTP requests to the metrics endpoint and to a witness",
    run,
    seeds,
    words=(b"HTTP/1.1", b"\r\n", b"Content-Length: ", b"Transfer-Encoding: ", b"GET ", b"POST ", b"Accept: "),
)
