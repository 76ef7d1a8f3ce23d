"""A client that takes anything: no verification, every version, weak ciphers. What is refused, the broker refuses."""

from __future__ import annotations

import os
import socket
import ssl
import struct
import subprocess
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from hub.crypto.certificates import IssuedCertificate

_METADATA_V1 = struct.pack(">hhih", 3, 1, 1, 6) + b"attack" + struct.pack(">i", 0)
_REQUEST = struct.pack(">i", len(_METADATA_V1)) + _METADATA_V1
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
    port: int,
    identity: IssuedCertificate | None,
    *,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    request: bytes = _REQUEST,
) -> Outcome:
    """Connect, shake hands, ask (a broker for metadata), read. In TLS 1.3 the refusal arrives with the first read."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        mine = plain.getsockname()[1]
        try:
            with willing(identity, newest).wrap_socket(plain) as secure:
                if request:
                    secure.sendall(request)
                return Outcome(len(secure.recv(64)) > 8, "", mine)
        except ssl.SSLError as refusal:
            return Outcome(False, str(refusal.reason), mine)


def attempt_plaintext(port: int) -> Outcome:
    """Speak Kafka without TLS; read until the broker closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(_REQUEST)
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


# a ClientHello by hand: OpenSSL in Python chooses the suites of TLS 1.3 itself

AES_256_GCM, CHACHA20, AES_128_GCM = 0x1302, 0x1303, 0x1301
AES_128_CCM, AES_128_CCM_8, NULL_SHA256 = 0x1304, 0x1305, 0xC0B4
_HANDSHAKE = 22
_X25519 = 0x001D
_ECDSA_P256, _RSA_SHA1, _ECDSA_SHA1 = 0x0403, 0x0201, 0x0203


def _vector(data: bytes, width: int) -> bytes:
    return len(data).to_bytes(width, "big") + data


def _extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2, "big") + _vector(data, 2)


def _numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def hello(*suites: int, weak_signatures: bool = False, early_data: bool = False) -> bytes:
    """A TLS 1.3 ClientHello record that offers these cipher suites and a fresh X25519 share."""
    signatures = (_RSA_SHA1, _ECDSA_SHA1) if weak_signatures else (_ECDSA_P256, 0x0804, 0x0401)
    share = _numbers(_X25519) + _vector(os.urandom(32), 2)
    extensions = [
        _extension(43, _vector(_numbers(0x0304), 1)),
        _extension(10, _vector(_numbers(_X25519), 2)),
        _extension(13, _vector(_numbers(*signatures), 2)),
        _extension(51, _vector(share, 2)),
    ]
    if early_data:  # with a ticket that nobody gave us: it must be the last
        identity = _vector(os.urandom(64), 2) + os.urandom(4)
        extensions += [_extension(45, b"\x01\x01"), _extension(42, b"")]
        extensions.append(_extension(41, _vector(identity, 2) + _vector(_vector(os.urandom(32), 1), 2)))
    body = b"\x03\x03" + os.urandom(32) + _vector(os.urandom(32), 1) + _vector(_numbers(*suites), 2) + b"\x01\x00"
    message = body + _vector(b"".join(extensions), 2)
    return b"\x16\x03\x01" + _vector(b"\x01" + _vector(message, 3), 2)


def greeted(port: int, record: bytes) -> str:
    """Send a ClientHello: `hello <suite>` if the server goes on, `alert <number>` if it refuses."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(record)
        answer = b""
        while len(answer) < 5 or len(answer) < 5 + int.from_bytes(answer[3:5], "big"):
            part = plain.recv(4096)
            if not part:
                return "closed"
            answer += part
    if answer[0] == _ALERT:
        return f"alert {answer[6]}"
    assert answer[0] == _HANDSHAKE and answer[5] == 2
    after_session = 5 + 4 + 2 + 32 + 1 + answer[5 + 4 + 2 + 32]
    return f"hello {int.from_bytes(answer[after_session : after_session + 2], 'big'):#06x}"


def max_early_data(port: int, identity: IssuedCertificate) -> int:
    """What the server's session tickets allow to be sent before the handshake, in bytes (openssl s_client)."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", "-CAfile", str(identity.ca)]
    command += ["-cert", str(identity.certificate), "-key", str(identity.private_key), "-sess_out", "/dev/null"]
    for seconds in (0.3, 1, 3, 9):  # the tickets come after the handshake; it says what it saw when it ends
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
            assert run.stdin is not None
            run.stdin.write(_REQUEST)
            run.stdin.flush()
            time.sleep(seconds)
            told, _ = run.communicate(timeout=60)
        found = [int(line.rpartition(b":")[2]) for line in told.splitlines() if b"Max Early Data:" in line]
        if found:
            return max(found)
    raise AssertionError("no session ticket was seen")
