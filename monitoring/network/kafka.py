"""The few requests of Kafka's protocol that the watch speaks, by hand: what refuses is the broker, no client's manners.

Written as the schemas say (kafka.apache.org/protocol), in versions without tagged fields. Each request here is without
effect also where it is let in: offsets that no log has, batches without records, members and producers that nobody is,
changes that are only to be validated. `ask` bounds what a peer may answer; `Answer` raises
Ended(GARBAGE) on what is none.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from monitoring.network.addresses import Address, checked
from monitoring.network.line import Came, Ended, Line

T = TypeVar("T")
CLIENT: Final = b"network-watch"
CORRELATION: Final = 0x77A7C4
MAX_ANSWER_BYTES: Final = 16 * 2**20
"""metadata of some 10,000 topics"""
_NOWHERE: Final = 2**62
"""an offset that no log reaches, and a producer that nobody is"""
_SECONDS: Final = 5_000

TOPIC_DENIED, GROUP_DENIED, CLUSTER_DENIED, TRANSACTION_DENIED = 29, 30, 31, 53


def text(value: str | None) -> bytes:
    """A nullable string."""
    if value is None:
        return b"\xff\xff"
    data = value.encode()
    return struct.pack(">h", len(data)) + data


def array(items: Sequence[bytes]) -> bytes:
    """An array of encoded items."""
    return struct.pack(">i", len(items)) + b"".join(items)


def framed(key: int, version: int, body: bytes = b"") -> bytes:
    """A whole request, with its length."""
    head = struct.pack(">hhih", key, version, CORRELATION, len(CLIENT)) + CLIENT
    return struct.pack(">i", len(head) + len(body)) + head + body


API_VERSIONS: Final = framed(18, 0)
"""what any listener of Kafka answers who lets us in, a controller's too"""


class Answer:
    """Reads the fields of an answer one after another; Ended(GARBAGE) where they end too early or count too many."""

    def __init__(self, body: bytes) -> None:
        """Start at the first byte."""
        self._body = body
        self._at = 0

    def number(self, form: str) -> int:
        """One integer: b, h, i or q."""
        try:
            (value,) = struct.unpack_from(f">{form}", self._body, self._at)
        except struct.error:
            raise Ended(Came.GARBAGE, "short") from None
        self._at += struct.calcsize(f">{form}")
        return int(value)

    def text(self) -> str:
        """A string; a null one is empty."""
        return self._bytes(self.number("h")).decode("utf-8", "replace")

    def skip(self, size: int) -> None:
        """Pass over bytes."""
        self._bytes(size)

    def array(self, read: Callable[[], T], least: int) -> list[T]:
        """An array whose items have so many bytes at least."""
        count = max(0, self.number("i"))
        if count * least > len(self._body) - self._at:
            raise Ended(Came.GARBAGE, "count")
        return [read() for _ in range(count)]

    def _bytes(self, size: int) -> bytes:
        if size <= 0:
            return b""
        if size > len(self._body) - self._at:
            raise Ended(Came.GARBAGE, "short")
        self._at += size
        return self._body[self._at - size : self._at]


def ask(line: Line, request: bytes, *, most: int = MAX_ANSWER_BYTES) -> Answer:
    """Send a request and return its answer. Raises Ended."""
    line.send(request)
    size = struct.unpack(">i", line.exactly(4))[0]
    if not 4 <= size <= most:
        raise Ended(Came.GARBAGE, "size")
    answer = Answer(line.exactly(size))
    if answer.number("i") != CORRELATION:
        raise Ended(Came.GARBAGE, "correlation")
    return answer


@dataclass(frozen=True, slots=True)
class Cluster:
    """The brokers that clients are sent to, and the topics that the asker is shown."""

    brokers: tuple[Address, ...]
    topics: frozenset[str]


MAX_BROKERS: Final = 64


def cluster(line: Line) -> Cluster:
    """Metadata of all topics: Kafka shows those that the asker may describe, and notes no denial of the others."""
    answer = ask(line, framed(3, 1, struct.pack(">i", -1)))

    def broker() -> Address:
        answer.number("i")
        host, port = answer.text(), answer.number("i")
        answer.text()
        try:
            return checked(host, port)
        except ValueError:
            raise Ended(Came.GARBAGE, "broker") from None

    def replicas() -> int:
        return answer.number("i")

    def partition() -> None:
        answer.skip(10)
        answer.array(replicas, 4)
        answer.array(replicas, 4)

    def topic() -> str:
        answer.skip(2)
        name = answer.text()
        answer.skip(1)
        answer.array(partition, 18)
        return name

    brokers = answer.array(broker, 12)
    if len(brokers) > MAX_BROKERS:
        raise Ended(Came.GARBAGE, "brokers")
    answer.skip(4)
    return Cluster(tuple(dict.fromkeys(brokers)), frozenset(answer.array(topic, 9)))


def groups(line: Line) -> list[str]:
    """ListGroups: those that the asker may describe."""
    answer = ask(line, framed(16, 0))
    answer.skip(2)

    def group() -> str:
        name = answer.text()
        answer.text()
        return name

    return answer.array(group, 4)


def fetch(line: Line, topic: str) -> int:
    """The broker's code for reading partition 0 at an offset that it has not: nothing is read."""
    partition = struct.pack(">iqi", 0, _NOWHERE, 1)
    body = struct.pack(">iiiib", -1, 0, 0, 1, 0) + array([text(topic) + array([partition])])
    answer = ask(line, framed(1, 4, body))
    answer.skip(4)
    answer.skip(4)
    answer.text()
    answer.skip(8)
    return answer.number("h")


def produce(line: Line, topic: str) -> int:
    """The code for writing a batch without records: whoever may write is told that it is none."""
    body = text(None) + struct.pack(">hi", -1, _SECONDS) + array([text(topic) + array([struct.pack(">ii", 0, 0)])])
    answer = ask(line, framed(0, 3, body))
    answer.skip(4)
    answer.text()
    answer.skip(8)
    return answer.number("h")


TOPIC, BROKER = 2, 4


def describe_configs(line: Line, kind: int, name: str) -> int:
    """The code for reading one setting of a topic or a broker."""
    one = struct.pack(">b", kind) + text(name) + array([text("retention.ms" if kind == TOPIC else "log.dirs")])
    answer = ask(line, framed(32, 1, array([one]) + b"\0"))
    answer.skip(8)
    return answer.number("h")


def alter_configs(line: Line, topic: str) -> int:
    """The code for changing a topic's retention, only to be validated."""
    change = text("retention.ms") + b"\0" + text("604800000")
    one = struct.pack(">b", TOPIC) + text(topic) + array([change])
    answer = ask(line, framed(44, 0, array([one]) + b"\x01"))
    answer.skip(8)
    return answer.number("h")


def create_topic(line: Line, topic: str) -> int:
    """The code for creating a topic, only to be validated."""
    one = text(topic) + struct.pack(">ih", 1, 1) + array([]) + array([])
    answer = ask(line, framed(19, 2, array([one]) + struct.pack(">ib", _SECONDS, 1)))
    answer.skip(8)
    answer.text()
    return answer.number("h")


def heartbeat(line: Line, group: str) -> int:
    """The code for a sign of life in a group, from a member that it has not: what joining needs, and no rebalance."""
    return ask(line, framed(12, 0, text(group) + struct.pack(">i", 1) + text("nobody"))).number("h")


def end_transaction(line: Line, transactional_id: str) -> int:
    """The code for aborting in a transactional id's name, as a producer that nobody is: nobody is fenced."""
    answer = ask(line, framed(26, 0, text(transactional_id) + struct.pack(">qhb", _NOWHERE, 0, 0)))
    answer.skip(4)
    return answer.number("h")


def describe_acls(line: Line) -> int:
    """The code for reading the rights themselves."""
    body = struct.pack(">b", 1) + text(None) + struct.pack(">b", 1) + text(None) + text(None) + struct.pack(">bb", 1, 1)
    answer = ask(line, framed(29, 1, body))
    answer.skip(4)
    return answer.number("h")


def idempotent(line: Line) -> int:
    """The code for a producer id: for whoever may write anything anywhere."""
    answer = ask(line, framed(22, 0, text(None) + struct.pack(">i", _SECONDS)))
    answer.skip(4)
    return answer.number("h")
