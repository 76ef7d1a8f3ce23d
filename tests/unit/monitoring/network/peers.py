"""Peers on 127.0.0.1 that do what one should not: each connection is handed to a function, in a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hub.crypto.certificates import CertificateAuthority, IssuedCertificate, Usage
from hub.transport import TlsIdentity
from monitoring.network.addresses import Address

Behaviour = Callable[[socket.socket], None]
NOW = datetime.now(UTC)


@contextmanager
def peer(behave: Behaviour) -> Iterator[Address]:
    """Somebody who listens; his connections end with the context."""
    open_: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:

        def serve(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                behave(connection)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    open_.append(connection)
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield Address("127.0.0.1", server.getsockname()[1])
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for connection in open_:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def over_tls(shown: IssuedCertificate, behave: Behaviour, **settings: object) -> Behaviour:
    """A peer that shakes hands first; by default it asks for no certificate."""

    def shaken(connection: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown.certificate, shown.private_key)
        for name, value in settings.items():
            setattr(context, name, value)
        if context.verify_mode is ssl.CERT_REQUIRED:
            context.load_verify_locations(shown.ca)
        connection.settimeout(20)
        with context.wrap_socket(connection, server_side=True) as secure:
            behave(secure)

    return shaken


class Place:
    """An authority, and who it certifies."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = CertificateAuthority.create(directory / "authority")

    def server(self, *, hosts: tuple[str, ...] = ("127.0.0.1",), days: tuple[int, int] = (-2, 1)) -> IssuedCertificate:
        first, last = (NOW + timedelta(days=each) for each in days)
        return self.authority.issue(
            "broker", self.directory / "server", usage=Usage.BROKER, hosts=hosts, not_before=first, not_after=last
        )

    def client(self, name: str = "monitor") -> TlsIdentity:
        made = self.authority.issue(name, self.directory / "clients")
        return TlsIdentity(made.certificate, made.private_key, made.ca)


# what a peer may do


def hangs(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def closes(connection: socket.socket) -> None:
    connection.recv(1)


def drips(connection: socket.socket) -> None:
    """A byte at a time, without end: each wait alone is short."""
    stop = threading.Event()
    while True:
        connection.sendall(b"\x15")
        stop.wait(0.02)


def floods(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"\x7f" * 65_536)


def says(*parts: bytes) -> Behaviour:
    """Reads a little, says it, and waits."""

    def said(connection: socket.socket) -> None:
        connection.recv(4096)
        for part in parts:
            connection.sendall(part)
        hangs(connection)

    return said


def says_and_closes(*parts: bytes) -> Behaviour:
    def said(connection: socket.socket) -> None:
        connection.recv(4096)
        for part in parts:
            connection.sendall(part)

    return said
