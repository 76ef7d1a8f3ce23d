"""What a broker's answers are read as; the library's own encoder says what they look like."""

from __future__ import annotations

import struct

import pytest
from aiokafka.protocol.metadata import MetadataResponse_v1

from broker import probe


def metadata(*partitions: tuple[int, list[int], list[int]], live: tuple[int, ...] = (1, 2, 3)) -> bytes:
    """Correlation id and answer: `partitions` are (leader, copies, in sync)."""
    brokers = [(number, "127.0.0.1", 20_000 + number, None if number == 2 else "北") for number in live]
    rows = [(0, at, leader, copies, in_sync) for at, (leader, copies, in_sync) in enumerate(partitions)]
    made = MetadataResponse_v1(brokers, 3, [(0, "審査", False, rows), (0, "empty", True, [])])
    return struct.pack(">i", 1) + bytes(made.encode())


def test_live_brokers_are_those_that_metadata_names() -> None:
    assert probe._metadata(metadata(live=(1, 3))).live == {1, 3}
    assert probe._metadata(metadata(live=())).live == frozenset()


def test_a_partition_is_behind_without_a_leader_or_with_a_copy_missing() -> None:
    found = probe._metadata(metadata((1, [1, 2, 3], [3, 1, 2]), (2, [2, 3, 1], [2, 3]), (-1, [3, 1, 2], [3])))
    assert (found.partitions, found.behind) == (3, 2)


def test_an_answer_cut_short_anywhere_is_none() -> None:
    whole = metadata((1, [1, 2, 3], [3, 1, 2]))
    for length in range(4, len(whole)):
        with pytest.raises(struct.error):
            probe._metadata(whole[:length])


def quorum(top: int = 0, error: int = 0, leader: int = 2, epoch: int = 7) -> bytes:
    """DescribeQuorum v0 as Kafka's schema has it, up to what is read, and more after it."""
    name = b"__cluster_metadata"
    topic = bytes((len(name) + 1,)) + name
    row = struct.pack(">ihii", 0, error, leader, epoch) + bytes(20)
    return (
        struct.pack(">ib", 1, 0)
        + struct.pack(">h", top)
        + (b"\x02" + topic + b"\x02" + row if not top else b"\x01\x00")
    )


@pytest.mark.parametrize(
    ("answer", "epoch"),
    [(quorum(), 7), (quorum(top=31), None), (quorum(error=6), None), (quorum(leader=-1), None)],
)
def test_who_leads_the_quorum_says_in_which_epoch(answer: bytes, epoch: int | None) -> None:
    assert probe._leader_epoch(answer) == epoch
