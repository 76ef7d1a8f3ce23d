"""Tiles: their names, what a tree of a size has, and proofs made from them, against RFC 6962 and pymerkle."""

from __future__ import annotations

import hashlib

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.crypto import merkle
from hub.crypto.tiles import (
    ENTRIES,
    LONG_ENTRIES,
    WIDTH,
    Tile,
    TiledTree,
    TileEdge,
    TileName,
    TilesDamaged,
    bundle,
    tiles_of,
    unbundle,
    widths,
)
from tests.vectors import tlog_reference as reference

LEAVES = [hashlib.sha256(b"leaf %d" % n).digest() for n in range(66_100)]


def tiles(size: int) -> dict[TileName, bytes]:
    edge, made = TileEdge(), dict[TileName, bytes]()
    for leaf in LEAVES[:size]:
        made.update((tile.name, tile.data) for tile in edge.add(leaf))
    made.update((tile.name, tile.data) for tile in edge.partial())
    return made


def test_names_are_those_of_the_specification() -> None:
    assert TileName("0", 1_234_067).path == "tile/0/x001/x234/067"
    assert TileName("0", 273, 112).path == "tile/0/273.p/112"
    assert TileName("entries", 1_000, 1).path == "tile/entries/x001/000.p/1"
    assert TileName("3", 0).path == "tile/3/000"


@given(st.integers(0, 2**55), st.sampled_from(["0", "7", "63", "entries", "long-entries"]), st.integers(1, 256))
def test_a_name_is_read_as_it_is_written_and_as_others_write_it(index: int, level: str, width: int) -> None:
    name = TileName(level, index, width)
    assert TileName.parse(name.path) == name
    assert name.path == reference.tile_path(level, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/1", "tile/0/0001", "tile/0/001/002", "tile/0/x000/001", "tile/0/x001", "tile/00/001", "tile/64/001",
        "tile/0/001.p/0", "tile/0/001.p/256", "tile/0/001.p/01", "tile/0/001.p", "tile/-1/001", "tile/0/001/",
        "tile//001", "/tile/0/001", "tile/data/001", "tile/0/../1", "tile/0/٠٠١", "checkpoint", "tile/0/001.p/1\n",
    ],
)  # fmt: skip
def test_no_other_name_is_taken(path: str) -> None:
    assert TileName.parse(path) is None


def test_the_example_of_the_specification() -> None:
    """tlog-tiles, "Partial Tiles": a tree of 70,000, and one of 256."""
    assert widths(70_000) == ((273, 112), (1, 17), (0, 1))
    assert widths(256) == ((1, 0), (0, 1))
    assert list(tiles_of(256)) == [TileName("0", 0), TileName("1", 0, 1)]
    assert list(tiles_of(0)) == []


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 66_100])
def test_a_tree_has_exactly_its_tiles_and_they_give_its_root(size: int) -> None:
    made = tiles(size)
    assert set(made) == set(tiles_of(size))
    assert all(len(data) == 32 * name.width for name, data in made.items())
    assert TiledTree(size, made.get).root() == merkle.root(LEAVES[:size])


def test_upper_tiles_hold_the_hashes_of_the_definition() -> None:
    made = tiles(66_100)
    top = made[TileName("2", 0, 1)]
    assert top == reference.mth(LEAVES[:65_536])
    assert made[TileName("1", 0)][32 * 7 : 32 * 8] == reference.mth(LEAVES[7 * 256 : 8 * 256])
    assert made[TileName("1", 1, 2)] == reference.mth(LEAVES[65_536:65_792]) + reference.mth(LEAVES[65_792:66_048])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 255, 256, 257, 300, 513])
def test_proofs_are_those_of_the_plain_tree(size: int) -> None:
    tree = TiledTree(size, tiles(size).get)
    leaves = LEAVES[:size]
    for index in {*range(0, size, 7), 0, size - 1, size // 2}:
        proof = tree.inclusion(index)
        assert proof == merkle.inclusion_proof(leaves, index)
        assert reference.chain(leaves[index], index, size, list(proof)) == merkle.root(leaves)
        assert tree.leaf(index) == leaves[index]
    for old in {*range(1, size + 1, 5), size}:
        assert tree.consistency(old) == merkle.consistency_proof(leaves, old)


def test_proofs_of_a_tree_of_three_levels_verify() -> None:
    size = 66_100
    tree = TiledTree(size, tiles(size).get)
    root = tree.root()
    for index in (0, 255, 256, 65_535, 65_536, 66_047, 66_048, 66_099):
        assert merkle.verify_inclusion(LEAVES[index], index, size, tree.inclusion(index), root)
        assert reference.chain(LEAVES[index], index, size, list(tree.inclusion(index))) == root
    for old in (1, 255, 256, 257, 65_535, 65_536, 65_537, 66_000, 66_100):
        assert merkle.verify_consistency(old, merkle.root(LEAVES[:old]), size, root, tree.consistency(old))


def test_pymerkle_agrees() -> None:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    made = TileEdge()
    for number in range(300):
        tree.append_entry(b"%d" % number)
        made.add(merkle.leaf_hash(b"%d" % number))
    assert b"".join(tile.data for tile in made.partial() if tile.name.level == "1") == tree.get_root(256)


def test_an_older_tree_is_read_from_the_tiles_of_a_newer_one() -> None:
    """A log may drop a partial tile once it is full (tlog-tiles, "Partial Tiles")."""
    made = tiles(600)
    older = TiledTree(300, {**made, TileName("1", 0, 1): made[TileName("1", 0, 2)][:32]}.get)
    assert older.root() == merkle.root(LEAVES[:300])


def whole(tree: TiledTree) -> None:
    """Read every tile."""
    tree.root()
    tree.leaf(0)
    tree.leaf(299)


def test_a_missing_short_or_long_tile_is_damage() -> None:
    made = tiles(300)
    for name in made:
        for data in (None, b"", made[name][:-1], made[name] + b"\x00"):
            changed = {key: value for key, value in made.items() if key != name} | (
                {} if data is None else {name: data}
            )
            with pytest.raises(TilesDamaged):
                TiledTree(300, changed.get).root()
                TiledTree(300, changed.get).leaf(299)
                TiledTree(300, changed.get).leaf(0)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=WIDTH), st.integers(0, 10**6))
def test_bundles_are_read_as_they_are_written(entries: list[bytes], index: int) -> None:
    tile = bundle(index, entries)
    assert tile.name == TileName(ENTRIES, index, len(entries))
    assert tile.data == b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)
    assert unbundle(tile) == tuple(entries)
    for bad in (tile.data + b"\x00", tile.data + b"\x00\x00", tile.data[:-1], b""):
        with pytest.raises(TilesDamaged):
            unbundle(Tile(tile.name, bad))


def test_a_bundle_with_a_long_entry_has_wide_lengths() -> None:
    assert bundle(0, [bytes(65_535)]).name.level == ENTRIES
    tile = bundle(3, [b"a", bytes(65_536)])
    assert tile.name == TileName(LONG_ENTRIES, 3, 2) and tile.name.path == "tile/long-entries/003.p/2"
    assert tile.data == b"\x00\x00\x00\x01a\x00\x01\x00\x00" + bytes(65_536)
    assert unbundle(tile) == (b"a", bytes(65_536))


def test_a_full_tile_is_what_a_partial_one_becomes() -> None:
    partial = TileName("3", 7, 255)
    assert not partial.is_full and partial.full == TileName("3", 7, 256) and partial.full.is_full


@pytest.mark.parametrize("path", ["tile/0/001.p/256", "tile/0/001.p/257", "tile/entries/001.p/999", "tile/64/000"])
def test_no_tile_is_wider_or_higher(path: str) -> None:
    assert TileName.parse(path) is None
    assert TileName.parse("tile/0/001.p/255") == TileName("0", 1, 255) and TileName.parse("tile/63/000") is not None


def test_places_outside_of_the_tree_have_no_proof() -> None:
    tree = TiledTree(5, tiles(5).get)
    for index in (-1, 5, 6):
        with pytest.raises(ValueError, match="no such leaf"):
            tree.inclusion(index)
    for old_size in (-1, 0, 6):
        with pytest.raises(ValueError, match="older"):
            tree.consistency(old_size)


def test_each_tile_is_read_once_and_another_reading_shares_nothing() -> None:
    made, asked = tiles(600), list[TileName]()

    def read(name: TileName) -> bytes | None:
        asked.append(name)
        return made.get(name)

    tree = TiledTree(600, read)
    for _ in range(2):
        assert tree.root() == merkle.root(LEAVES[:600])
        assert tree.leaf(0) == LEAVES[0]
    assert len(asked) == len(set(asked)) == 3
    again = tree.again()
    assert (again.size, again.leaf(0)) == (600, LEAVES[0]) and len(asked) == 4


def test_full_tile_stands_in_for_a_dropped_one_only_if_it_is_full() -> None:
    made = tiles(600)
    for data in (made[TileName("0", 0)][:-32], made[TileName("0", 0)] + bytes(32)):
        with pytest.raises(TilesDamaged) as refused:
            TiledTree(200, {TileName("0", 0): data}.get).leaf(3)
        assert refused.value.detail == "tile/0/000.p/200"
    asked = list[TileName]()

    def nothing(name: TileName) -> None:
        asked.append(name)

    with pytest.raises(TilesDamaged):
        TiledTree(256, nothing).leaf(0)
    assert asked == [TileName("0", 0)], "a full tile has no other form"


def test_bundle_with_more_entries_than_its_name_says_is_damage() -> None:
    tile = bundle(0, [b"", b"", b""])
    for width in (1, 2, 4):
        with pytest.raises(TilesDamaged) as refused:
            unbundle(Tile(TileName(ENTRIES, 0, width), tile.data))
        assert refused.value.detail == f"tile/entries/000.p/{width}"


def test_tree_of_several_full_tiles() -> None:
    """Hashes of the second level are found at their place in their tile."""
    size = 1_100
    tree, leaves = TiledTree(size, tiles(size).get), LEAVES[:size]
    for index in (0, 255, 256, 700, 1_099):
        assert tree.inclusion(index) == merkle.inclusion_proof(leaves, index)
    for old in (1, 256, 512, 768, 1_025):
        assert tree.consistency(old) == merkle.consistency_proof(leaves, old)


def test_code_stays() -> None:
    assert TilesDamaged.code == "tiles.damaged"
