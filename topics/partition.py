"""Which partition a receipt number belongs to: Kafka's murmur2 over its UTF-8, without sign, modulo n."""

from __future__ import annotations

import struct

_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2 (org.apache.kafka.common.utils.Utils.murmur2), as an unsigned number."""
    length = len(data)
    h = (0x9747B28C ^ length) & _MASK
    whole = length >> 2
    for k in struct.unpack_from(f"<{whole}I", data):
        k = k * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if rest := data[whole << 2 :]:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def partition_for(receipt_number: str, partitions: int) -> int:
    """Partition 0 to `partitions` - 1 of a receipt: all events of a receipt stay in order."""
    return (murmur2(receipt_number.encode()) & 0x7FFFFFFF) % partitions
