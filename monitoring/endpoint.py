"""The HTTP endpoint of a process: /metrics, /healthz, /readyz, nothing else.

It runs in threads of its own, so that a stuck event loop can still be seen to be stuck. It is bounded:
so many connections at once, so many seconds for each, one request per connection, GET and HEAD only.
It listens on 127.0.0.1 unless told otherwise, speaks TLS 1.3 to holders of a certificate of our authority, and
answers those among them who are named; it counts whom it refused.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Any, Final, Self

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from hub.crypto.following_files import load_files
from hub.facts import Fact, Observer, ignore
from monitoring.health import Health
from schemas.errors import HubError

MAX_CONNECTIONS: Final = 16
MAX_REQUEST_SECONDS: Final = 10.0
_IDLE_SECONDS: Final = 5.0
_TELL_SECONDS: Final = 5.0
"""how often the refused are told of, in one sum for each reason: a flood of them must not become one of log lines"""
_JSON: Final = "application/json; charset=utf-8"


class EndpointAddressError(HubError):
    """The address for metrics could not be bound."""

    code = "metrics-address"
    hint = "Another process listens there; set HUB_METRICS_PORT to a free port, or to 0 for any."


@dataclass(frozen=True, slots=True)
class ScrapesRefused(Fact):
    """`count` connections to our own endpoint ended without an answer of ours, or with 403, since the last such fact.

    `reason` is one of REFUSALS.
    """

    reason: str
    count: int


REFUSALS: Final = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no-certificate",
    "CERTIFICATE_VERIFY_FAILED": "bad-certificate",
    "HTTP_REQUEST": "plaintext",
    "WRONG_VERSION_NUMBER": "plaintext",
    "UNSUPPORTED_PROTOCOL": "old-protocol",
    "NO_SHARED_CIPHER": "weak-cipher",
}
"""OpenSSL's reasons and ours; what is not here is `handshake`, and a good certificate of the wrong name `not-named`"""


@dataclass(frozen=True, slots=True)
class EndpointTls:
    """PEM files for mutual TLS 1.3: who we are, and whose certificates the scrapers need.

    `admitted` answers, at each request, the common names that may ask; it must be quick. `own` may ask how it is,
    and for no metrics: a container's health check has the certificate of its own role and no other.
    """

    certificate: Path
    private_key: Path
    client_ca: Path
    admitted: Callable[[], Collection[str]]
    own: str = ""

    def context(self) -> ssl.SSLContext:
        """Return a server context that requires a client certificate of `client_ca`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        return load_files(context, self.certificate, self.private_key, self.client_ca)


class Endpoint:
    """Serves one registry and one health object; use as a context manager, or `start` and `stop`."""

    def __init__(
        self,
        registry: CollectorRegistry,
        health: Health,
        *,
        tls: EndpointTls | None,
        host: str = "127.0.0.1",
        port: int = 0,
        observer: Observer = ignore,
    ) -> None:
        """Bind the address (port 0: any free one); or EndpointAddressError. `start` serves.

        Without `tls` anybody who reaches the address is answered: for tests of what is said, and for nothing else.
        `observer` hears of who was refused, from a thread of the endpoint's own.
        """
        try:
            self._server = _Server((host, port), registry, health, tls, observer)
        except OSError as error:
            raise EndpointAddressError(f"{host}:{port}") from error
        self._thread: threading.Thread | None = None
        self.host = host
        self.port: int = self._server.server_address[1]
        self.url = f"{'http' if tls is None else 'https'}://{host}:{self.port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="metrics", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop answering, end what is under way and free the port. May be called again."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.end_all()
        self._server.server_close()
        self._server.tell()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


class _Server(ThreadingMixIn, TCPServer):
    """One thread per connection, at most MAX_CONNECTIONS; the rest are closed at once, none waits."""

    allow_reuse_address = True
    request_queue_size = MAX_CONNECTIONS
    daemon_threads = False  # so that closing the server waits for them: they have been shut down by then
    block_on_close = True

    def __init__(
        self,
        address: tuple[str, int],
        registry: CollectorRegistry,
        health: Health,
        tls: EndpointTls | None,
        observer: Observer,
    ) -> None:
        self.registry = registry
        self.health = health
        self.admitted = tls.admitted if tls is not None else None
        self.own = tls.own if tls is not None else ""
        self._context = tls.context() if tls is not None else None
        self._observer = observer
        self._refused: Counter[str] = Counter()
        self._told = time.monotonic()
        self._open: dict[socket.socket, float] = {}
        self._open_lock = threading.Lock()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.settimeout(_IDLE_SECONDS)
        if self._context is not None:  # the handshake itself waits for the connection's own thread
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        with self._open_lock:
            if len(self._open) >= MAX_CONNECTIONS:
                return False
            self._open[request] = time.monotonic()
            return True

    def service_actions(self) -> None:
        """End connections that dawdle; called by serve_forever a few times a second."""
        limit = time.monotonic() - MAX_REQUEST_SECONDS
        with self._open_lock:
            _end([connection for connection, since in self._open.items() if since < limit])
        if time.monotonic() - self._told >= _TELL_SECONDS:
            self.tell()

    def end_all(self) -> None:
        with self._open_lock:
            _end(list(self._open))

    def refuse(self, reason: str) -> None:
        """Count one who was refused."""
        with self._open_lock:
            self._refused[reason] += 1

    def tell(self) -> None:
        """Hand over what was counted since the last time."""
        self._told = time.monotonic()
        with self._open_lock:
            refused, self._refused = self._refused, Counter()
        for reason, count in sorted(refused.items()):
            self._observer(ScrapesRefused(reason, count))

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a peer that hangs up or fails the handshake is no event of ours."""


def _common_name(connection: ssl.SSLSocket) -> str:
    """Who a verified certificate says its holder is; empty unless it has exactly one common name."""
    certificate: dict[str, Any] = connection.getpeercert() or {}
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return str(names[0]) if len(names) == 1 else ""


def _end(connections: list[socket.socket]) -> None:
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: _Server
    protocol_version = "HTTP/1.0"
    server_version = "eltax-hub"
    sys_version = ""

    _admitted = True
    _itself = False

    def handle(self) -> None:
        if isinstance(self.connection, ssl.SSLSocket):
            try:
                self.connection.do_handshake()
            except ssl.SSLError as error:
                self.server.refuse(REFUSALS.get(error.reason or "", "handshake"))
                raise
            assert self.server.admitted is not None
            name = _common_name(self.connection)
            self._admitted = name in self.server.admitted()
            self._itself = bool(name) and name == self.server.own
            if not self._admitted and not self._itself:
                self.server.refuse("not-named")
        super().handle()

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        status, kind, body = self._found(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _found(self, path: str) -> tuple[int, str, bytes]:
        if not self._admitted and not (self._itself and path in ("/healthz", "/readyz")):
            return 403, _JSON, _json({"error": "not-named"})
        if path == "/metrics":
            return self._metrics()
        if path == "/healthz":
            liveness = self.server.health.liveness()
            return (200 if liveness.healthy else 503), _JSON, _json(asdict(liveness))
        if path == "/readyz":
            readiness = self.server.health.readiness()
            body = {
                "ready": readiness.ready,
                "conditions": [{"condition": name, "fulfilled": fulfilled} for name, fulfilled in readiness.conditions],
                "paused": [{"stage": stage, "code": code} for stage, code in readiness.paused],
            }
            return (200 if readiness.ready else 503), _JSON, _json(body)
        return 404, _JSON, _json({"error": "not-found"})

    def _metrics(self) -> tuple[int, str, bytes]:
        # Two formats, chosen by name: the library's own choice raises on a version that is no version.
        if "application/openmetrics-text" in self.headers.get("Accept", ""):
            text: bytes = openmetrics.generate_latest(self.server.registry)  # type: ignore[no-untyped-call]
            return 200, openmetrics.CONTENT_TYPE_LATEST, text
        return 200, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self.server.registry)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the standard library refuses (a method, a line too long) without echoing it."""
        body = _json({"error": "refused"})
        self.send_response(405 if code == 501 else code)
        self.send_header("Content-Type", _JSON)
        self.send_header("Content-Length", str(len(body)))
        if code == 501:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: a request line is a stranger's text."""


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode("ascii") + b"\n"
