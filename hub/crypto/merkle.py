"""RFC 6962 Merkle trees over leaf hashes: roots, a frontier that grows by appending, and proofs.

    empty      = SHA-256()
    leaf hash  = SHA-256(0x00 ‖ data)             (an event's leaf already is one)
    node       = SHA-256(0x01 ‖ left ‖ right)

All functions take leaf hashes of 32 bytes. Verification never raises: a malformed proof is no proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: enough to append and to name the root, in O(log n) space and time.

    Serialised: u64 size ‖ the roots of its perfect subtrees, largest first (one per set bit of size).
    """

    __slots__ = ("_roots", "_size")

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        """Start from the given leaf hashes."""
        self._size = 0
        self._roots: list[bytes] = []
        for leaf in leaves:
            self.append(leaf)

    @property
    def size(self) -> int:
        """Return the number of leaves."""
        return self._size

    def append(self, leaf: bytes) -> int:
        """Add a leaf hash; return its index."""
        if len(leaf) != HASH_BYTES:
            raise ValueError("a leaf hash has 32 bytes")
        index = self._size
        node = leaf
        carry = index
        while carry & 1:
            node = node_hash(self._roots.pop(), node)
            carry >>= 1
        self._roots.append(node)
        self._size = index + 1
        return index

    def root(self) -> bytes:
        """Return the tree hash of all leaves so far."""
        if not self._roots:
            return EMPTY_ROOT
        node = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            node = node_hash(left, node)
        return node

    def serialise(self) -> bytes:
        """Return the frontier's bytes."""
        return self._size.to_bytes(8, "big") + b"".join(self._roots)

    @classmethod
    def parse(cls, data: bytes) -> Frontier:
        """Read what `serialise` wrote. Raises ValueError if the length does not fit the size."""
        size = int.from_bytes(data[:8], "big")
        if len(data) != 8 + HASH_BYTES * size.bit_count():
            raise ValueError("not a frontier")
        frontier = cls()
        frontier._size = size
        frontier._roots = [data[at : at + HASH_BYTES] for at in range(8, len(data), HASH_BYTES)]
        return frontier


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the tree hash of the leaf hashes."""
    return Frontier(leaves).root()


def _split(size: int) -> int:
    """Return the largest power of two below `size` (at least 2)."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the audit path of the leaf at `index`, from the leaf upwards (RFC 6962, 2.1.1)."""
    size = len(leaves)
    if not 0 <= index < size:
        raise ValueError("no such leaf")
    if size == 1:
        return ()
    half = _split(size)
    if index < half:
        return (*inclusion_proof(leaves[:half], index), root(leaves[half:]))
    return (*inclusion_proof(leaves[half:], index - half), root(leaves[:half]))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> bool:
    """Say whether `proof` shows `leaf` at `index` of a tree of `size` leaves (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or any(len(node) != HASH_BYTES for node in (leaf, *proof)):
        return False
    place, last = index, size - 1
    node = leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = node_hash(sibling, node)
            while not place & 1:  # ends: place is last or odd, so not 0
                place >>= 1
                last >>= 1
        else:
            node = node_hash(node, sibling)
        place >>= 1
        last >>= 1
    return last == 0 and node == expected_root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Return the proof that the first `old_size` leaves are a prefix of the whole (RFC 6962, 2.1.2)."""
    if not 0 < old_size <= len(leaves):
        raise ValueError("no such older tree")
    return _subproof(leaves, old_size, complete=True)


def _subproof(leaves: Sequence[bytes], old_size: int, *, complete: bool) -> tuple[bytes, ...]:
    size = len(leaves)
    if old_size == size:
        return () if complete else (root(leaves),)
    half = _split(size)
    if old_size <= half:
        return (*_subproof(leaves[:half], old_size, complete=complete), root(leaves[half:]))
    return (*_subproof(leaves[half:], old_size - half, complete=False), root(leaves[:half]))


def verify_consistency(old_size: int, old_root: bytes, size: int, expected_root: bytes, proof: Sequence[bytes]) -> bool:
    """Say whether the tree (`size`, `expected_root`) extends (`old_size`, `old_root`) (RFC 9162, 2.1.4.2).

    An empty old tree is extended by every tree, with an empty proof.
    """
    if any(len(node) != HASH_BYTES for node in proof):
        return False
    if not 0 <= old_size <= size:
        return False
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    if old_size == size:
        return not proof and old_root == expected_root
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    place, last = old_size - 1, size - 1
    while place & 1:
        place >>= 1
        last >>= 1
    old = new = path[0]
    for node in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old = node_hash(node, old)
            new = node_hash(node, new)
            while not place & 1:  # ends: place is last or odd, so not 0
                place >>= 1
                last >>= 1
        else:
            new = node_hash(new, node)
        place >>= 1
        last >>= 1
    return last == 0 and old == old_root and new == expected_root
