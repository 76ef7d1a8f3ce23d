"""A server that is willing in everything and only lacks the right to be believed: what is refused, our client refuses.

It writes down what came of each handshake: the alert that the client sent, as OpenSSL names it, or `done`.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import warnings
from types import TracebackType
from typing import Self

from hub.crypto.certificates import IssuedCertificate


class BadServer:
    """`with BadServer(certificate) as server`; listens on 127.0.0.1 at `port`."""

    def __init__(self, identity: IssuedCertificate | None, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> None:
        """Without a certificate it answers in the clear."""
        self._identity = identity
        self._newest = newest
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, name="bad-server")
        self.port: int = self._listening.getsockname()[1]
        self.seen: queue.Queue[str] = queue.Queue()
        """what came of each connection"""
        self.given: list[bytes] = []
        """the first bytes of what a client sent after a handshake, if there was one"""

    def __enter__(self) -> Self:
        """Begin to accept."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop accepting."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _context(self) -> ssl.SSLContext:
        assert self._identity is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = self._newest
        context.load_cert_chain(self._identity.certificate, self._identity.private_key)
        context.load_verify_locations(self._identity.ca)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            plain.settimeout(10)
            self.seen.put(self._one(plain))

    def _one(self, plain: socket.socket) -> str:
        with plain:
            if self._identity is None:
                plain.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
                return "plain"
            try:
                with self._context().wrap_socket(plain, server_side=True) as secure:
                    self.given.append(secure.recv(256))
                    return "done"
            except ssl.SSLError as refusal:
                return str(refusal.reason)
            except OSError as gone:
                return type(gone).__name__
