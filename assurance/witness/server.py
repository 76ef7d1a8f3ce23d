"""The witness over HTTP, from the standard library: bounded bodies, connections and times.

    POST /add-checkpoint               GET /<origin hash>/checkpoint

Speaks to anybody who reaches it (the protocol authenticates checkpoints, not callers), so it listens on
127.0.0.1 unless told otherwise, and takes from each connection a bounded time whatever comes.
"""

from __future__ import annotations

import re
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from assurance.witness.rules import MAX_REQUEST_BYTES
from assurance.witness.witness import Answer, Witness

MAX_CONNECTIONS: Final = 32
CONNECTION_SECONDS: Final = 30.0
_SILENCE_SECONDS: Final = 10.0
_CHECKPOINT: Final = re.compile(r"/([0-9a-f]{64})/checkpoint")
_LENGTH: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "eltax-hub-witness"
    sys_version = ""
    timeout = _SILENCE_SECONDS
    server: WitnessServer

    def do_POST(self) -> None:
        lengths = self.headers.get_all("Content-Length", [])
        if self.headers.get("Transfer-Encoding") is not None or len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]):
            self._close(Answer(411))
        elif int(lengths[0]) > MAX_REQUEST_BYTES:
            self._close(Answer(413))
        else:
            body = self.rfile.read(int(lengths[0]))
            if len(body) == int(lengths[0]):
                found = self.path == "/add-checkpoint"
                self._answer(self.server.witness.add_checkpoint(body) if found else Answer(404))

    def do_GET(self) -> None:
        found = _CHECKPOINT.fullmatch(self.path)
        self._close(Answer(404) if found is None else self.server.witness.checkpoint(found[1]))

    def _close(self, answer: Answer) -> None:
        """Answer and hang up: what follows on the connection was not read."""
        self.close_connection = True
        self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the standard library refuses (a method, a line too long) without echoing it."""
        self.request_version = self.protocol_version  # or a first line that names none would be answered without status
        self._close(Answer(code))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a caller's bytes do not belong into a log."""


class WitnessServer(ThreadingHTTPServer):
    """Serves one witness until `shutdown`."""

    daemon_threads = True

    def __init__(
        self, witness: Witness, host: str, port: int, *, connection_seconds: float = CONNECTION_SECONDS
    ) -> None:
        """Listen; port 0 takes any free one."""
        self.witness = witness
        self._seconds = connection_seconds
        self._open: dict[socket.socket, float] = {}
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """The submission and monitoring prefix."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Take no more connections than can be served."""
        if len(self._open) >= MAX_CONNECTIONS:
            return False
        self._open[request] = time.monotonic()
        return True

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that ends."""
        self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End connections that last too long, however busy they are kept."""
        limit = time.monotonic() - self._seconds
        for request, since in list(self._open.items()):
            if since < limit:
                try:
                    request.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A broken connection is the caller's matter; nothing is printed."""
