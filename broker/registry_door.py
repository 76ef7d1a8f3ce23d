"""The door of a schema registry that cannot ask for certificates: mTLS outside, one registry on loopback inside.

TLS 1.3 and a client certificate of the hub's authority, or no connection. Who has one may read; only the publishers may
write, for Apicurio itself lets everybody register and import, and a text under an id of ours would be believed.
Requests are checked against a short list before anything of them reaches the registry.
"""

from __future__ import annotations

import http.client
import re
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_WR, socket
from typing import Any, ClassVar, Final

from hub.crypto.certificates import IssuedCertificate

CCOMPAT: Final = "/apis/ccompat/v7"
NATIVE: Final = "/apis/registry/v3"
_NAME: Final = "[A-Za-z0-9._-]+"
_READ: Final = (
    ("GET", re.compile(rf"{CCOMPAT}/(subjects|schemas|config|mode|contexts)(/{_NAME}){{0,4}}(\?[A-Za-z0-9=&_.-]*)?")),
    ("GET", re.compile(rf"{NATIVE}/ids/contentIds/[0-9]+")),
    ("POST", re.compile(rf"{CCOMPAT}/subjects/{_NAME}(\?[A-Za-z0-9=&_.-]*)?")),  # asks for the id of a text
)
_WRITE: Final = (
    ("POST", re.compile(rf"{CCOMPAT}/subjects/{_NAME}/versions")),
    ("PUT", re.compile(rf"{CCOMPAT}/config/{_NAME}")),
    ("POST", re.compile(rf"{NATIVE}/admin/import\?requireEmptyRegistry=false")),
)
"""All that publishing needs: nobody deletes through the door, or sets the level of all subjects."""
_MOST_BYTES: Final = 4 * 2**20
_PASSED: Final = ("Content-Type", "Accept", "X-Registry-PreserveGlobalId", "X-Registry-PreserveContentId")
_SECONDS: Final = 30.0
_LINGER_SECONDS: Final = 1.0


class RegistryDoor:
    """Serves from `start` to `stop`, in threads of its own."""

    def __init__(
        self,
        registry_port: int,
        served: IssuedCertificate,
        *,
        publishers: Sequence[str] = ("admin",),
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Listen; `served` is our certificate, and the authority that clients' certificates come from.

        Raises OSError if it cannot listen there.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(served.ca)
        context.load_cert_chain(served.certificate, served.private_key)
        handler = type("_Handler", (_Passing,), {"registry_port": registry_port, "publishers": frozenset(publishers)})
        self._server = _Server((host, port), handler)
        self._server.context = context
        self._thread = threading.Thread(target=self._server.serve_forever, name="registry-door", daemon=True)

    @property
    def url(self) -> str:
        """`https://<host>:<port>/apis/ccompat/v7`."""
        host, port = self._server.server_address[:2]
        return f"https://{host!s}:{port}{CCOMPAT}"

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> RegistryDoor:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    context: ssl.SSLContext

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread: who does not finish keeps nobody else waiting."""
        assert isinstance(request, socket)
        request.settimeout(_SECONDS)
        try:
            secure = self.context.wrap_socket(request, server_side=True)
        except OSError:
            return
        try:
            super().finish_request(secure, client_address)
            _linger(secure)
        finally:
            secure.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a connection that broke is the client's matter."""


class _Passing(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry_port: ClassVar[int]
    publishers: ClassVar[frozenset[str]]

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def do_PUT(self) -> None:
        self._pass_on()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: paths come from outside."""

    def _pass_on(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isascii() or not length.isdigit() or len(length) > 9:
            return self._say(411)
        if int(length) > _MOST_BYTES:
            return self._say(413)
        body = self.rfile.read(int(length))
        if not _matches(_READ, self.command, self.path) and not (
            self._principal() in self.publishers and _matches(_WRITE, self.command, self.path)
        ):
            return self._say(403)
        headers = {name: self.headers[name] for name in _PASSED if name in self.headers}
        inside = http.client.HTTPConnection("127.0.0.1", self.registry_port, timeout=_SECONDS)
        try:
            inside.request(self.command, self.path, body or None, headers)
            answer = inside.getresponse()
            content = answer.read(4 * _MOST_BYTES + 1)
        except (OSError, http.client.HTTPException):
            return self._say(503)
        finally:
            inside.close()
        if len(content) > 4 * _MOST_BYTES:
            return self._say(502)
        return self._say(answer.status, content, answer.getheader("Content-Type", "application/json"))

    def _principal(self) -> str:
        """The common name of the client's certificate, if that is all that its subject says."""
        assert isinstance(self.connection, ssl.SSLSocket)
        certificate = self.connection.getpeercert() or {}
        match certificate.get("subject"):
            case (((_, str(name)),),):
                return name
        return ""

    def _say(self, status: int, content: bytes = b"", kind: str = "application/json") -> None:
        if status >= 400 and not content:
            self.close_connection = True
        self.send_response_only(status)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Type", kind)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)


def _linger(secure: ssl.SSLSocket) -> None:
    """Wait a moment for the client to close: a reset, for what we never read, would take our answer with it."""
    secure.settimeout(_LINGER_SECONDS)
    with suppress(OSError):
        secure.shutdown(SHUT_WR)
        for _ in range(16):
            if not secure.recv(65_536):
                return


def _matches(rules: Sequence[tuple[str, re.Pattern[str]]], method: str, path: str) -> bool:
    return any(method == each and rule.fullmatch(path) for each, rule in rules)
