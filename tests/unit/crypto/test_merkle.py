"""RFC 6962: published vectors, an independent library, and a forger."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from hub.crypto.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "rfc6962.json").read_text())
LEAVES = [leaf_hash(bytes.fromhex(each)) for each in VECTORS["inputs"]]
ROOTS = [bytes.fromhex(each) for each in VECTORS["roots"]]


def proof_of(case: dict[str, list[str]]) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(each) for each in case["proof"])


def test_roots_are_those_of_certificate_transparency() -> None:
    for size, expected in enumerate(ROOTS):
        assert root(LEAVES[:size]) == expected
    assert root([]) == EMPTY_ROOT


@pytest.mark.parametrize("case", VECTORS["inclusion"])
def test_inclusion_proofs_are_those_of_certificate_transparency(case: dict[str, int]) -> None:
    index, size, expected = case["index"], case["size"], proof_of(case)  # type: ignore[arg-type]
    assert inclusion_proof(LEAVES[:size], index) == expected
    assert verify_inclusion(LEAVES[index], index, size, expected, ROOTS[size])


@pytest.mark.parametrize("case", VECTORS["consistency"])
def test_consistency_proofs_are_those_of_certificate_transparency(case: dict[str, int]) -> None:
    old, size, expected = case["old"], case["size"], proof_of(case)  # type: ignore[arg-type]
    assert consistency_proof(LEAVES[:size], old) == expected
    assert verify_consistency(old, ROOTS[old], size, ROOTS[size], expected)


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=70), st.data())
def test_roots_and_proofs_agree_with_pymerkle(entries: list[bytes], data: st.DataObject) -> None:
    tree = InmemoryTree(algorithm="sha256")
    for entry in entries:
        tree.append_entry(entry)
    leaves = [leaf_hash(entry) for entry in entries]
    size = len(leaves)
    assert root(leaves) == tree.get_root()
    index = data.draw(st.integers(0, size - 1))
    theirs = tree.prove_inclusion(index + 1, size)
    assert [leaves[index], *inclusion_proof(leaves, index)] == list(theirs.path)
    old = data.draw(st.integers(1, size))
    ours = consistency_proof(leaves, old)
    assert verify_consistency(old, tree.get_root(old), size, tree.get_root(size), ours)


@given(st.integers(1, 40), st.data())
def test_every_leaf_of_every_tree_can_be_proved_and_nothing_else(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(leaves, index)
    whole = root(leaves)
    assert verify_inclusion(leaves[index], index, size, proof, whole)
    other = data.draw(st.integers(-1, size + 1).filter(lambda each: each != index))
    assert not verify_inclusion(leaves[index], other, size, proof, whole)
    assert not verify_inclusion(leaf_hash(b"forged"), index, size, proof, whole)
    assert not verify_inclusion(leaves[index], index, size, (*proof, whole), whole)
    assert not verify_inclusion(leaves[index], index, size, (*proof[:-1], b"short"), whole)
    if proof:
        assert not verify_inclusion(leaves[index], index, size, proof[:-1], whole)


@given(st.integers(1, 40), st.data())
def test_rewritten_history_has_no_consistency_proof(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    old = data.draw(st.integers(1, size))
    proof = consistency_proof(leaves, old)
    whole = root(leaves)
    assert verify_consistency(old, root(leaves[:old]), size, whole, proof)
    rewritten = [leaf_hash(b"rewritten"), *leaves[1:old]]
    assert not verify_consistency(old, root(rewritten), size, whole, proof)
    assert not verify_consistency(old, root(leaves[:old]), size, root([*leaves, whole]), proof)
    assert not verify_consistency(size + 1, whole, size, whole, proof)
    assert not verify_consistency(old, root(leaves[:old]), size, whole, (*proof, whole))


def test_empty_tree_is_extended_by_every_tree() -> None:
    assert verify_consistency(0, EMPTY_ROOT, 8, ROOTS[8], ())
    assert not verify_consistency(0, ROOTS[1], 8, ROOTS[8], ())
    assert not verify_consistency(3, ROOTS[3], 8, ROOTS[8], ())


@given(st.integers(0, 300))
def test_frontier_continues_after_being_stored(size: int) -> None:
    leaves = [sha256(number.to_bytes(2, "big")).digest() for number in range(size)]
    frontier = Frontier(leaves)
    assert (frontier.size, frontier.root()) == (size, root(leaves))
    again = Frontier.parse(frontier.serialise())
    assert again.append(EMPTY_ROOT) == size
    assert again.root() == root([*leaves, EMPTY_ROOT])
    assert len(frontier.serialise()) == 8 + 32 * size.bit_count()


def test_frontier_refuses_what_is_none() -> None:
    for bad in (b"", bytes(7), bytes(8) + bytes(32), (3).to_bytes(8, "big") + bytes(32)):
        with pytest.raises(ValueError, match="not a frontier"):
            Frontier.parse(bad)
    with pytest.raises(ValueError, match="32 bytes"):
        Frontier([b"short"])
    for bad_index in (-1, 3):
        with pytest.raises(ValueError, match="no such leaf"):
            inclusion_proof(LEAVES[:3], bad_index)
    with pytest.raises(ValueError, match="older"):
        consistency_proof(LEAVES[:3], 4)


def test_proof_that_leads_to_the_root_from_elsewhere_proves_nothing() -> None:
    """The root comes out right; index and size say that it is not this leaf's path."""
    leaf, other = LEAVES[0], LEAVES[1]
    assert not verify_inclusion(leaf, 0, 2, (), leaf), "a tree of two has a sibling"
    assert not verify_inclusion(leaf, 0, 1, (other,), node_hash(other, leaf)), "a tree of one has none"
    assert not verify_inclusion(leaf, 0, 1, (other,), node_hash(leaf, other))
    assert not verify_inclusion(leaf, 1, 1, (), leaf) and not verify_inclusion(leaf, -1, 0, (), leaf)
    assert verify_inclusion(leaf, 0, 1, (), leaf)


def test_hash_of_another_length_proves_nothing() -> None:
    """Two hashes of 31 and 33 bytes would make the same node."""
    assert not verify_inclusion(b"short", 0, 1, (), b"short")
    leaf = LEAVES[0]
    for node in (b"", bytes(31), bytes(33)):
        assert not verify_inclusion(leaf, 0, 2, (node,), node_hash(leaf, node))
        assert not verify_consistency(1, leaf, 2, node_hash(leaf, node), (node,))
    longer, shorter = leaf + b"\x01", bytes(31)
    assert not verify_inclusion(longer, 0, 2, (shorter,), node_hash(longer, shorter))


def test_only_the_empty_proof_extends_the_empty_tree_or_the_same_tree() -> None:
    assert not verify_consistency(0, EMPTY_ROOT, 8, ROOTS[8], (ROOTS[1],))
    assert verify_consistency(8, ROOTS[8], 8, ROOTS[8], ())
    assert not verify_consistency(8, ROOTS[8], 8, ROOTS[8], (ROOTS[1],))
    assert not verify_consistency(8, ROOTS[7], 8, ROOTS[8], ())
    assert not verify_consistency(-1, EMPTY_ROOT, 8, ROOTS[8], ())
    assert not verify_consistency(9, ROOTS[8], 8, ROOTS[8], ())
    assert not verify_consistency(6, ROOTS[6], 8, ROOTS[8], ())
    for old_size in (0, -1, 9):
        with pytest.raises(ValueError, match="older"):
            consistency_proof(LEAVES[:8], old_size)


def test_longer_or_shorter_consistency_proof_proves_nothing() -> None:
    for old in range(1, 8):
        for size in range(old + 1, 9):
            proof = consistency_proof(LEAVES[:size], old)
            assert verify_consistency(old, ROOTS[old], size, ROOTS[size], proof)
            for bad in (proof[:-1], proof[1:], (*proof, ROOTS[1]), (ROOTS[1], *proof)):
                assert not verify_consistency(old, ROOTS[old], size, ROOTS[size], bad)
            assert not verify_consistency(old, ROOTS[old - 1], size, ROOTS[size], proof)
            assert not verify_consistency(old, ROOTS[old], size, ROOTS[size - 1], proof)
    whole = node_hash(ROOTS[2], LEAVES[2])
    assert not verify_consistency(2, ROOTS[2], 5, whole, (LEAVES[2],)), "the root of three is none of five"
