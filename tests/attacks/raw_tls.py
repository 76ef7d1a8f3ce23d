"""A client that takes anything: no verification, every version, weak ciphers. What is refused, the broker refuses."""

from __future__ import annotations

import socket
import ssl
import struct
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from hub.crypto.certificates import IssuedCertificate

_METADATA_V1 = struct.pack(">hhih", 3, 1, 1, 6) + b"attack" + struct.pack(">i", 0)
_ALERT = 21
_FATAL = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the broker did with one connection, and from which of our ports it came."""

    answered: bool
    """it answered the Kafka request"""
    alert: str
    """the TLS alert that it sent, as OpenSSL names it; for plaintext, `fatal` if the bytes were a fatal alert"""
    port: int


def willing(identity: IssuedCertificate | None, newest: ssl.TLSVersion) -> ssl.SSLContext:
    """A context that refuses nothing itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # old versions are the attack
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
    if identity is not None:
        context.load_cert_chain(identity.certificate, identity.private_key)
    return context


def attempt(
    port: int, identity: IssuedCertificate | None, *, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> Outcome:
    """Connect, shake hands, ask for metadata, read. In TLS 1.3 the refusal arrives with the first read."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        mine = plain.getsockname()[1]
        try:
            with willing(identity, newest).wrap_socket(plain) as secure:
                secure.sendall(struct.pack(">i", len(_METADATA_V1)) + _METADATA_V1)
                return Outcome(len(secure.recv(64)) > 8, "", mine)
        except ssl.SSLError as refusal:
            return Outcome(False, str(refusal.reason), mine)


def attempt_plaintext(port: int) -> Outcome:
    """Speak Kafka without TLS; read until the broker closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(struct.pack(">i", len(_METADATA_V1)) + _METADATA_V1)
        got = b""
        while part := plain.recv(4096):
            got += part
        fatal = len(got) == 7 and got[0] == _ALERT and got[5] == _FATAL
        return Outcome(bool(got) and not fatal, "fatal" if fatal else "", plain.getsockname()[1])


def refused_in_log(log: Path, port: int) -> bool:
    """Whether the broker's own log says that it refused the connection from our `port`."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for line in log.read_text("utf-8").splitlines():
            if "Failed authentication" in line and f"-127.0.0.1:{port}-" in line:
                return True
        time.sleep(0.05)
    return False
