"""Asks a broker over mTLS whether it serves: a TLS 1.3 handshake and one request, by hand, without a Kafka client."""

from __future__ import annotations

import socket
import ssl
import struct
from typing import Final

from hub.crypto.certificates import IssuedCertificate

_METADATA_V1: Final = struct.pack(">hhih", 3, 1, 1, 5) + b"ready" + struct.pack(">i", 0)
"""api key, version, correlation id, client id, no topics"""
_LARGEST_ANSWER: Final = 65_536


def serves(port: int, identity: IssuedCertificate, *, seconds: float = 2.0) -> bool:
    """Whether the broker on this port answers and counts itself among the live ones.

    Metadata names no fenced broker; one that answers but is still fenced could not create a topic.
    """
    context = ssl.create_default_context(cafile=str(identity.ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.hostname_checks_common_name = False
    context.load_cert_chain(identity.certificate, identity.private_key)
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=seconds) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(struct.pack(">i", len(_METADATA_V1)) + _METADATA_V1)
            (size,) = struct.unpack(">i", _exactly(secure, 4))
            if not 8 <= size <= _LARGEST_ANSWER:
                return False
            _, brokers = struct.unpack_from(">ii", _exactly(secure, size))
    except OSError:
        return False
    return bool(brokers > 0)


def _exactly(stream: ssl.SSLSocket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = stream.recv(count - len(got))
        if not part:
            raise ConnectionResetError
        got += part
    return got
