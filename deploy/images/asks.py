"""The health check of every image: one request over TLS 1.3, the peer's certificate verified; exit 0 if it is well.

    asks.py role URL DIRECTORY               a role's own endpoint, asked as the role itself
    asks.py page URL CA [CERTIFICATE KEY]    any page that answers 200
    asks.py kafka HOST:PORT CERT KEY CA      a broker that counts itself among the live ones

Standard library only, and none of the hub's code: it runs every few seconds in each container, and in images without a
hub. It says nothing but the class of what went wrong.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import struct
import sys
from pathlib import Path
from urllib.parse import urlsplit

SECONDS = 8.0
_METADATA_V1 = struct.pack(">hhih", 3, 1, 1, 5) + b"ready" + struct.pack(">i", 0)
"""api key, version, correlation id, client id, no topics"""
_LARGEST_ANSWER = 65_536


def context(ca: str, certificate: str = "", key: str = "") -> ssl.SSLContext:
    """A client context of TLS 1.3 that trusts one authority."""
    made = ssl.create_default_context(cafile=ca)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.hostname_checks_common_name = False
    if certificate:
        made.load_cert_chain(certificate, key)
    return made


def answers(url: str, tls: ssl.SSLContext, name: str = "") -> bool:
    """Whether a page answers 200; `name` is what the certificate must bear, by default the host's name."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    with (
        socket.create_connection((host, parts.port or 443), timeout=SECONDS) as plain,
        tls.wrap_socket(plain, server_hostname=name or host) as secure,
    ):
        secure.sendall(f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode("ascii"))
        answer = http.client.HTTPResponse(secure)
        answer.begin()
        return answer.status == 200


def serves(host: str, port: int, tls: ssl.SSLContext) -> bool:
    """Whether a broker names itself among the live ones (metadata names no fenced broker)."""
    with (
        socket.create_connection((host, port), timeout=SECONDS) as plain,
        tls.wrap_socket(plain, server_hostname=host) as secure,
    ):
        secure.sendall(struct.pack(">i", len(_METADATA_V1)) + _METADATA_V1)
        (size,) = struct.unpack(">i", _exactly(secure, 4))
        if not 8 <= size <= _LARGEST_ANSWER:
            return False
        said = _exactly(secure, size)
    return port in _ports(said)


def _ports(answer: bytes) -> list[int]:
    """The ports of the brokers in an answer of version 1: correlation, count, (id, host, port, rack) each."""
    (count,) = struct.unpack_from(">i", answer, 4)
    place, found = 8, []
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, place + 4)
        (port,) = struct.unpack_from(">i", answer, place + 6 + length)
        (rack,) = struct.unpack_from(">h", answer, place + 10 + length)
        found.append(port)
        place += 12 + length + max(0, rack)
    return found


def _exactly(stream: ssl.SSLSocket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = stream.recv(count - len(got))
        if not part:
            raise ConnectionResetError
        got += part
    return got


def main(arguments: list[str]) -> int:
    """Ask as the arguments say."""
    try:
        match arguments:
            case ["role", url, directory]:
                own = Path(directory)
                tls = context(str(own / "ca.crt"), str(own / "tls.crt"), str(own / "tls.key"))
                good = answers(url, tls, f"{own.name}.role.eltax-hub.invalid")
            case ["page", url, ca]:
                good = answers(url, context(ca))
            case ["page", url, ca, certificate, key]:
                good = answers(url, context(ca, certificate, key))
            case ["kafka", place, certificate, key, ca]:
                host, _, port = place.rpartition(":")
                good = serves(host, int(port), context(ca, certificate, key))
            case _:
                sys.stderr.write(f"{__doc__}\n")
                return 2
    except (OSError, ValueError, struct.error, http.client.HTTPException) as problem:
        sys.stderr.write(f"{type(problem).__name__}\n")
        return 1
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
