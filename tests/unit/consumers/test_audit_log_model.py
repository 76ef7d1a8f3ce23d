"""The audit log against a plain list: rows, tree heads, published tiles and proofs, wherever the power is cut."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consumers.audit.codec import EVENT
from consumers.audit.log_directory import LogContradicted, LogDirectory
from consumers.audit.proving import find_index, prove
from consumers.audit.publishing import Publisher
from consumers.audit.tree import Tree, read_head
from consumers.store.errors import StorePositionLost
from consumers.store.sql import SqlStore, open_sqlite
from hub import crashpoints
from hub.crypto.checkpoints import TreeCheckpoint, open_checkpoint
from hub.crypto.merkle import verify_consistency
from hub.crypto.notes import Note
from hub.crypto.tiles import TiledTree
from tests import machines
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.unit.consumers.making import NOW, TENANT, batch
from tests.unit.consumers.published import DESK, IDENTITY, event_entry, head_holds
from tests.unit.consumers.test_audit_log import OWNER
from tests.vectors.tlog_reference import leaf_hash as reference_leaf
from tests.vectors.tlog_reference import mth


@cache
def entry(number: int) -> bytes:
    """The log's entry at a place: the same one in every run."""
    return event_entry(number)[1]


@cache
def root_of(size: int) -> bytes:
    """By the second implementation, which shares no code with the hub."""
    return mth([reference_leaf(entry(number)) for number in range(size)])


class LogMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.copies = 0
        self.path, self.files = self.home / "audit.db", self.home / "log"
        self.entries: list[bytes] = []
        self.commits = 0
        self.shown: set[int] = set()
        """every size that was ever published: what the world may have seen"""
        self.start()

    def start(self) -> None:
        self.store: SqlStore = open_sqlite(self.path, OWNER)
        self.tree = Tree.load(TENANT, DESK, self.store)
        self.publisher = Publisher(self.store, LogDirectory(self.files), IDENTITY, head_holds)

    def dies(self, path: Path | None = None, files: Path | None = None) -> None:
        """The process ends; another one goes on with what a power cut has left."""
        self.store.close()
        self.path, self.files = path or self.path, files or self.files
        self.start()

    def copy_of_files(self) -> Path:
        self.copies += 1
        into = self.home / f"log-{self.copies}"
        if self.files.exists():
            shutil.copytree(self.files, into)
        return into

    def grown(self, count: int) -> list[tuple[str, bytes]]:
        return [(EVENT, entry(len(self.entries) + at)) for at in range(count)]

    def commit(self, entries: list[tuple[str, bytes]]) -> None:
        step = self.tree.extend(entries, NOW + len(self.entries))
        expected = self.commits or None
        self.store.commit(replace(batch(expected, self.commits + 1), log=step))
        self.commits += 1
        self.entries += [each for _, each in entries]

    @initialize(count=st.sampled_from((0, 3, 3, 257)))
    def some_of_it_is_published(self, count: int) -> None:
        if count:
            self.append(count)
            self.publish()

    @rule(count=st.sampled_from((1, 2, 3, 5, 40, 130)))
    def append(self, count: int) -> None:
        self.commit(self.grown(count))
        self.tree.kept()

    @rule(count=st.integers(1, 4))
    def power_is_cut_before_it_is_noted(self, count: int) -> None:
        self.commit(self.grown(count))
        self.copies += 1
        self.dies(machines.power_cut(self.path, self.home / str(self.copies)))

    @rule(count=st.integers(1, 4), share=st.floats(0, 0.999))
    def power_is_cut_while_the_disk_writes(self, count: int, share: float) -> None:
        before, held, commits = machines.wal_bytes(self.path), list(self.entries), self.commits
        self.commit(self.grown(count))
        after = machines.wal_bytes(self.path)
        self.copies += 1
        keep = before + int((after - before) * share) if after >= before else after
        self.dies(machines.power_cut(self.path, self.home / str(self.copies), keep))
        if self.tree.size != len(self.entries):
            assert self.tree.size == len(held)
            self.entries, self.commits = held, commits

    @rule(count=st.integers(1, 3))
    def another_desk_was_first(self, count: int) -> None:
        """Two processes hold the log's edge; one of them extends it, the other finds that out."""
        zombie = Tree.load(TENANT, DESK, self.store)
        late = zombie.extend(self.grown(1), NOW)
        self.append(count)
        with pytest.raises(StorePositionLost):
            self.store.commit(replace(batch(self.commits, self.commits + 1), log=late))

    @rule()
    def reopen(self) -> None:
        self.dies()

    @rule()
    def publish(self) -> None:
        found = self.publisher.publish()
        assert (found.size, found.root) == (len(self.entries), root_of(len(self.entries)))
        self.look()

    @rule(
        arrival=st.integers(0, 9),
        point=st.sampled_from(
            ("audit.in-tile", "audit.between-tiles", "audit.before-checkpoint", "audit.after-checkpoint")
        ),
    )
    def power_is_cut_while_publishing(self, arrival: int, point: str) -> None:
        copied: list[Path] = []
        seen = 0

        def reached(name: str) -> None:
            nonlocal seen
            if name == point:
                if seen == arrival:
                    copied.append(self.copy_of_files())
                seen += 1

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(crashpoints, "reached", reached)
            self.publisher.publish()
        self.look()  # what was published before the cut was seen, too, if it came so far
        if copied:
            self.dies(files=copied[0])

    @precondition(lambda self: self.published_size() > 1)
    @rule(lost=st.integers(0, 3), other=st.floats(0, 0.999))
    def database_is_rolled_back_or_rewritten(self, lost: int, other: float) -> None:
        """Not the history that was published: refused, and nothing is overwritten."""
        size = self.published_size()
        history = self.entries[: max(1, size - lost)]
        if len(history) == size:
            history[int(size * other)] = entry(1_000_000)
        self.copies += 1
        directory = self.home / f"rolled-{self.copies}"
        directory.mkdir()
        store = open_sqlite(directory / "audit.db", OWNER)
        tree = Tree.load(TENANT, DESK, store)
        step = tree.extend([(EVENT, each) for each in history], NOW)
        store.commit(replace(batch(None, 1), log=step))
        before = LogDirectory(self.files).read_checkpoint()
        with pytest.raises(LogContradicted):
            Publisher(store, LogDirectory(self.files), IDENTITY, head_holds).publish()
        assert LogDirectory(self.files).read_checkpoint() == before
        store.close()

    @precondition(lambda self: self.published_size() > 1)
    @rule(place=st.floats(0, 0.999))
    def a_published_file_is_altered(self, place: float) -> None:
        """One bit of any file: whoever publishes next says so."""
        files = self.copy_of_files()
        for path in [path for path in files.rglob("*") if path.is_file() and path.name != ".lock"]:
            whole = path.read_bytes()
            data = bytearray(whole)
            data[int(len(data) * place)] ^= 1
            path.write_bytes(data)
            with pytest.raises(LogContradicted):
                Publisher(self.store, LogDirectory(files), IDENTITY, head_holds).publish()
            assert path.read_bytes() == data
            path.write_bytes(whole)

    def look(self) -> None:
        self.shown.add(self.published_size())

    def published_size(self) -> int:
        data = LogDirectory(self.files).read_checkpoint()
        return 0 if data is None else self.opened(data).size

    def opened(self, data: bytes) -> TreeCheckpoint:
        return open_checkpoint(Note.parse(data), IDENTITY.keys)

    @invariant()
    def rows_and_head_agree(self) -> None:
        assert [each for _, _, each in self.store.log_entries()] == self.entries
        head = self.store.log_head()
        assert (head.size if head else 0) == len(self.entries)
        if head:
            said, signed = read_head(head.head)
            assert (said.size, said.root) == (len(self.entries), root_of(len(self.entries)))
            assert head_holds(signed, said.made_at_ms)

    @invariant()
    def what_is_published_proves_itself(self) -> None:
        directory = LogDirectory(self.files)
        data = directory.read_checkpoint()
        if data is None:
            return
        now = self.opened(data)
        assert now.size <= len(self.entries) and now.root == root_of(now.size)
        tree = TiledTree(now.size, directory.read)
        assert tree.root() == now.root
        for size in self.shown:
            if 0 < size <= now.size:
                assert verify_consistency(size, root_of(size), now.size, now.root, tree.consistency(size))
        for index in {0, now.size // 2, now.size - 1} if now.size else ():
            found = find_index(self.store, index)
            assert prove(directory, IDENTITY.keys, found).proves(self.entries[index], now)

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.home)


def test_log_model(attack: Attack) -> None:
    altered = attack(
        Attacker.AUDIT, "alters one bit of any file of its published log, between any crashes", Verdict.DETECTED
    )
    rolled = attack(Attacker.BACKUP, "puts an older or a rewritten database under a published log", Verdict.DETECTED)
    second = attack(Attacker.AUDIT, "lets a second process extend the log from an edge that was passed")
    machines.run(LogMachine, runs=8, steps=18)
    code = LogContradicted.code
    altered.detected(by="publisher", how=f"error `{code}`, nothing is overwritten", within="the next publication")
    rolled.detected(by="publisher", how=f"error `{code}`, nothing is overwritten", within="the next publication")
    second.prevented(by="store", how=f"error `{StorePositionLost.code}`, no row is written", within="same transaction")
