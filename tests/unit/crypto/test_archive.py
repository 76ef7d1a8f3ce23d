"""A sealed stream opens whole or not at all."""

from __future__ import annotations

import io
import os

import pytest

from hub.crypto.archive import CHUNK_BYTES, ArchiveDamaged, ArchiveReader, ArchiveWriter, read_head
from hub.crypto.audience import AudiencePrivateKey, Suite

KEY = AudiencePrivateKey.generate(Suite.HYBRID)
HEAD = b'{"kind": "test"}'


def sealed(content: bytes, pieces: int = 3) -> bytes:
    out = io.BytesIO()
    with ArchiveWriter(out, KEY.suite, KEY.public, HEAD) as writer:
        step = max(1, len(content) // pieces)
        for start in range(0, len(content), step):
            writer.write(content[start : start + step])
    return out.getvalue()


def opened(data: bytes, key: AudiencePrivateKey = KEY) -> bytes:
    reader = ArchiveReader(io.BytesIO(data), key)
    assert reader.head == HEAD
    return io.BufferedReader(reader).read()


@pytest.mark.parametrize(
    "size", [0, 1, 1_000, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 2_500_000]
)
def test_what_was_written_is_read(size: int) -> None:
    content = os.urandom(size)
    assert opened(sealed(content)) == content


def test_two_archives_of_the_same_content_have_nothing_in_common_but_the_head() -> None:
    first, second = sealed(b"x" * 1_000), sealed(b"x" * 1_000)
    assert read_head(io.BytesIO(first)) == HEAD
    assert first[-500:] != second[-500:]
    assert b"x" * 16 not in first


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(ArchiveDamaged):
        opened(sealed(b"content"), AudiencePrivateKey.generate(Suite.HYBRID))


def test_no_changed_byte_passes() -> None:
    data = sealed(os.urandom(300), 1)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises((ArchiveDamaged, AssertionError)):  # a changed head is another head
            opened(bytes(changed))


def test_a_cut_a_continuation_and_another_order_are_refused() -> None:
    content = os.urandom(3 * CHUNK_BYTES)
    data = sealed(content)
    piece = 4 + CHUNK_BYTES + 16
    start = len(data) - 3 * piece
    chunks = [data[start + number * piece : start + (number + 1) * piece] for number in range(3)]
    for order in ((0, 1), (0,), (), (0, 1, 2, 2), (1, 0, 2), (0, 2)):
        with pytest.raises(ArchiveDamaged):
            opened(data[:start] + b"".join(chunks[each] for each in order))
    for cut in (1, piece - 1, 2 * piece + 5):
        with pytest.raises(ArchiveDamaged):
            opened(data[:-cut])
    with pytest.raises(ArchiveDamaged):
        opened(data + b"\x00")


def test_what_failed_in_the_midst_is_no_archive() -> None:
    out = io.BytesIO()
    with pytest.raises(OSError), ArchiveWriter(out, KEY.suite, KEY.public, HEAD) as writer:
        writer.write(b"half")
        raise OSError
    with pytest.raises(ArchiveDamaged):
        opened(out.getvalue())


def test_a_writer_takes_no_more_memory_than_a_chunk() -> None:
    writer = ArchiveWriter(io.BytesIO(), KEY.suite, KEY.public, HEAD)
    for _ in range(10):
        writer.write(bytes(CHUNK_BYTES // 3))
        assert len(writer._held) <= CHUNK_BYTES
