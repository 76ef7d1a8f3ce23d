"""Asks a broker over mTLS how its cluster is: a TLS 1.3 handshake and one request, by hand, without a Kafka client."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from hub.crypto.certificates import IssuedCertificate

T = TypeVar("T")

_CLIENT: Final = b"\x00\x05ready"
_METADATA: Final = struct.pack(">hhi", 3, 1, 1) + _CLIENT
"""api key, version, correlation id, client id; then the list of topics"""
_NO_TOPICS: Final = struct.pack(">i", 0)
_ALL_TOPICS: Final = struct.pack(">i", -1)
_QUORUM: Final = (
    struct.pack(">hhi", 55, 0, 1) + _CLIENT + b"\x00"  # no tagged fields
    + b"\x02" + bytes((len("__cluster_metadata") + 1,)) + b"__cluster_metadata"
    + b"\x02" + struct.pack(">i", 0) + b"\x00\x00\x00"
)  # fmt: skip
"""DescribeQuorum of partition 0 of the metadata log (KIP-595)"""
_LARGEST_ANSWER: Final = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Seen:
    """What a broker's metadata says."""

    live: frozenset[int]
    """ids of the brokers that are not fenced"""
    behind: int
    """partitions of which a copy is not in sync, or that nobody leads"""
    partitions: int


def serves(port: int, identity: IssuedCertificate, node_id: int | None = None, *, seconds: float = 2.0) -> bool:
    """Whether the broker on this port answers and counts itself among the live ones.

    Metadata names no fenced broker; one that answers but is still fenced could not create a topic. `node_id` is which
    one must be live; without it, any.
    """
    found = _asked(port, identity, _METADATA + _NO_TOPICS, _metadata, seconds)
    return found is not None and (bool(found.live) if node_id is None else node_id in found.live)


def look(port: int, identity: IssuedCertificate, *, seconds: float = 5.0) -> Seen | None:
    """What the broker on this port knows of the others and of all partitions; None if it says nothing."""
    return _asked(port, identity, _METADATA + _ALL_TOPICS, _metadata, seconds)


def leads_quorum(port: int, identity: IssuedCertificate, *, seconds: float = 2.0) -> int | None:
    """The epoch in which the controller that listens on this port leads the quorum; None if it does not, or is silent.

    Needs the right to describe the cluster. A broker would not do: its metadata names any live broker as the
    controller, and it asks the one that it last knew, for half a minute where that one is frozen.
    """
    return _asked(port, identity, _QUORUM, _leader_epoch, seconds)


def _asked(
    port: int, identity: IssuedCertificate, request: bytes, read: Callable[[bytes], T | None], seconds: float
) -> T | None:
    context = ssl.create_default_context(cafile=str(identity.ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.hostname_checks_common_name = False
    context.load_cert_chain(identity.certificate, identity.private_key)
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=seconds) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(struct.pack(">i", len(request)) + request)
            (size,) = struct.unpack(">i", _exactly(secure, 4))
            if not 8 <= size <= _LARGEST_ANSWER:
                return None
            return read(_exactly(secure, size))
    except (OSError, struct.error, IndexError):
        return None


def _leader_epoch(answer: bytes) -> int | None:
    at = 4 + 1  # correlation id, no tagged fields
    (error,) = struct.unpack_from(">h", answer, at)
    if error:
        return None
    name = answer[at + 3] - 1  # compact: length + 1
    at += 2 + 1 + 1 + name + 1  # error, topics, the name's length, the name, partitions
    _, error, leader, epoch = struct.unpack_from(">ihii", answer, at)
    return epoch if not error and leader >= 0 else None


def _metadata(answer: bytes) -> Seen:
    walk = _Walk(answer, 4)
    live = set()
    for _ in range(walk.number("i")):
        live.add(walk.number("i"))
        walk.text()
        walk.number("i")
        walk.text()
    walk.number("i")
    behind = partitions = 0
    for _ in range(walk.number("i")):
        walk.number("h")
        walk.text()
        walk.number("b")
        for _ in range(walk.number("i")):
            walk.number("h")
            walk.number("i")
            leader = walk.number("i")
            copies = [walk.number("i") for _ in range(walk.number("i"))]
            in_sync = [walk.number("i") for _ in range(walk.number("i"))]
            partitions += 1
            behind += leader < 0 or len(in_sync) < len(copies)
    return Seen(frozenset(live), behind, partitions)


class _Walk:
    """Reads an answer field by field."""

    def __init__(self, answer: bytes, at: int) -> None:
        self._answer = answer
        self._at = at

    def number(self, kind: str) -> int:
        (found,) = struct.unpack_from(f">{kind}", self._answer, self._at)
        self._at += struct.calcsize(f">{kind}")
        return int(found)

    def text(self) -> None:
        length = self.number("h")
        self._at += max(0, length)


def _exactly(stream: ssl.SSLSocket, count: int) -> bytes:
    got = bytearray()
    while len(got) < count:
        part = stream.recv(count - len(got))
        if not part:
            raise ConnectionResetError
        got += part
    return bytes(got)
