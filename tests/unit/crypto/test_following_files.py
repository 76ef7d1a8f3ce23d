"""A context takes up renewed files for its next connection, and nothing that does not belong together."""

from __future__ import annotations

import gc
import queue
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509

from hub.crypto import following_files
from hub.crypto.certificates import CertificateAuthority, IssuedCertificate, Usage
from hub.crypto.following_files import load_files, take_renewed


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    gc.collect()
    before = list(following_files._FOLLOWED)
    following_files._FOLLOWED.clear()
    yield
    following_files._FOLLOWED[:] = before


def context(made: IssuedCertificate, protocol: int = ssl.PROTOCOL_TLS_CLIENT) -> ssl.SSLContext:
    found = ssl.SSLContext(protocol)
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        found.verify_mode = ssl.CERT_REQUIRED
    return load_files(found, made.certificate, made.private_key, made.ca)


@contextmanager
def serving(tls: ssl.SSLContext) -> Iterator[tuple[int, queue.Queue[int]]]:
    """Says the serial number of each client's certificate; 0 for a handshake that failed."""
    seen: queue.Queue[int] = queue.Queue()
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            try:
                with tls.wrap_socket(plain, server_side=True) as secure:
                    shown = secure.getpeercert(binary_form=True)
                    seen.put(x509.load_der_x509_certificate(shown).serial_number if shown else 0)
            except OSError:
                seen.put(0)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1], seen
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def met(tls: ssl.SSLContext, port: int, seen: queue.Queue[int]) -> tuple[int, int]:
    """The serial numbers that server and client showed each other; zeros where they did not come together."""
    shown = 0
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            tls.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
        ):
            shown = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"").serial_number
    except OSError:
        pass
    return shown, seen.get(timeout=10)


def serial(path: Path) -> int:
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority.create(tmp_path / "authority")


def test_a_renewed_certificate_is_shown_by_both_sides_without_a_new_context(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    server = authority.issue("broker", tmp_path / "server", usage=Usage.SERVER, hosts=("127.0.0.1",))
    client = authority.issue("portal", tmp_path / "client")
    ours, theirs = context(client), context(server, ssl.PROTOCOL_TLS_SERVER)
    with serving(theirs) as (port, seen):
        old = met(ours, port, seen)
        assert old == (serial(server.certificate), serial(client.certificate))
        assert take_renewed() == 0
        authority.renew(client.certificate)
        authority.issue("broker", tmp_path / "server", usage=Usage.SERVER, hosts=("127.0.0.1",))  # with a new key
        assert take_renewed() == 2
        new = met(ours, port, seen)
        assert new == (serial(server.certificate), serial(client.certificate))
        assert not set(old) & set(new)


def test_an_authority_that_is_added_is_trusted_and_its_certificates_are_taken_up(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    server = authority.issue("broker", tmp_path / "server", usage=Usage.SERVER, hosts=("127.0.0.1",))
    client = authority.issue("portal", tmp_path / "client")
    ours, theirs = context(client), context(server, ssl.PROTOCOL_TLS_SERVER)
    following = CertificateAuthority.create(tmp_path / "next", name="the next authority")
    foreign = following.issue("portal", tmp_path / "foreign")
    with serving(theirs) as (port, seen):
        assert met(context(foreign), port, seen) == (0, 0)
        both = authority.certificate_path.read_bytes() + following.certificate_path.read_bytes()
        for made in (server, client):
            made.ca.write_bytes(both)
        assert take_renewed() == 2
        shutil.copyfile(foreign.private_key, client.private_key)
        shutil.copyfile(foreign.certificate, client.certificate)
        assert take_renewed() == 1
        assert met(ours, port, seen) == (serial(server.certificate), serial(foreign.certificate))


def test_files_that_do_not_belong_together_are_left_until_they_do(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    server = authority.issue("broker", tmp_path / "server", usage=Usage.SERVER, hosts=("127.0.0.1",))
    client = authority.issue("portal", tmp_path / "client")
    before = serial(client.certificate)
    ours, theirs = context(client), context(server, ssl.PROTOCOL_TLS_SERVER)
    other = authority.issue("portal", tmp_path / "other")
    with serving(theirs) as (port, seen):
        shutil.copyfile(other.private_key, client.private_key)
        assert take_renewed() == 0
        assert met(ours, port, seen) == (serial(server.certificate), before)
        client.certificate.write_bytes(b"half of a fi")
        assert take_renewed() == 0
        client.certificate.unlink()
        assert take_renewed() == 0
        assert met(ours, port, seen) == (serial(server.certificate), before)
        shutil.copyfile(other.certificate, client.certificate)
        assert take_renewed() == 1
        assert met(ours, port, seen) == (serial(server.certificate), serial(other.certificate))


def test_a_context_that_nobody_uses_any_more_is_forgotten(authority: CertificateAuthority, tmp_path: Path) -> None:
    client = authority.issue("portal", tmp_path / "client")
    for _ in range(5):
        context(client)
    kept = context(client)
    gc.collect()
    authority.renew(client.certificate, now=None)
    assert take_renewed() == 1
    assert len(following_files._FOLLOWED) <= 2
    del kept
