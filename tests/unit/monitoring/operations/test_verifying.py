"""A store that was changed is found out: by its own signed heads, by what is published, or by what somebody kept."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.audit.log_directory import LogContradicted
from hub.crypto.checkpoints import TreeCheckpoint, sign_checkpoint
from hub.crypto.notes import NoteSigner
from hub.envelope.operations import Class, Kind, OperationEvent, fingerprint
from hub.envelope.signed import Signed, sign
from hub.settings import LogSettings
from monitoring.operations.exporting import NotProved, check, export
from monitoring.operations.reading import Wanted, lines, snapshot
from monitoring.operations.retention import DEFAULT_DAYS
from monitoring.operations.verifying import ForeignCheckpoint, Verification, read_checkpoint, verify
from monitoring.operations.watch import LOG, log_keys, log_name, publisher_of
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.unit.monitoring.operations.world import (
    DESK,
    MONITOR,
    NOW,
    NS,
    PORTAL,
    TRUST,
    Keeper,
    Log,
    Monitor,
    identity,
)

OWNER = f"{NS}/{MONITOR}"
NAME = log_name(NS, LogSettings())
KEYS = log_keys(TRUST, MONITOR, NAME)
SIGNER = NoteSigner(NAME, identity(MONITOR))
RECEIPT = "R7-13104-000000001"


def filled(monitor: Monitor, lines_: int = 12) -> None:
    """Two roles' lines in some batches."""
    with monitor.open() as store:
        desk, portal, keeper = Log(), Log(PORTAL, id=b"p" * 16), Keeper(store)
        keeper.keep(desk.write(Kind.STARTED), portal.write(Kind.STARTED))
        for number in range(lines_):
            keeper.keep(
                desk.write(actor=("sato", "suzuki")[number % 2], receipt=fingerprint(RECEIPT)),
                portal.write(Kind.ALARM, code="lag", at=NOW + timedelta(hours=number)),
                at=NOW + timedelta(hours=number),
            )


def verified(monitor: Monitor, *outside: TreeCheckpoint) -> Verification:
    with snapshot(monitor.file, OWNER) as db:
        return verify(db, TRUST, MONITOR, LOG, outside)


def checkpoint(monitor: Monitor) -> TreeCheckpoint:
    found = verified(monitor)
    return TreeCheckpoint(NAME, found.size, found.root)


def edit(monitor: Monitor, *statements: tuple[str, tuple[Any, ...]]) -> None:
    """What somebody does who may write the file."""
    with sqlite3.connect(monitor.file) as db:
        for statement, values in statements:
            db.execute(statement, values)
    db.close()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Monitor:
    made = Monitor(tmp_path_factory.mktemp("operations"))
    filled(made)
    return made


@pytest.fixture
def monitor(template: Monitor, tmp_path: Path) -> Monitor:
    made = Monitor(tmp_path / "monitor")
    made.directory.mkdir()
    shutil.copy(template.file, made.file)
    return made


def test_what_nobody_touched_is_verified(monitor: Monitor) -> None:
    found = verified(monitor, checkpoint(monitor))
    assert found.verified
    assert (found.size, found.bodies, found.deleted, found.logs, found.missing) == (26, 26, 0, 2, 0)
    assert found.checkpoints >= 13, "a head an hour, and the one outside"
    assert json.loads(json.dumps(found.as_json()))["damage"] == []


def test_an_empty_store_is_verified(tmp_path: Path) -> None:
    monitor = Monitor(tmp_path)
    monitor.open().close()
    assert verified(monitor).verified


def _signed_by_another() -> bytes:
    """Line 2 as it is, body for body, under a signature of somebody else."""
    desk = Log()
    desk.write(Kind.STARTED)
    value = desk.write(actor="sato", receipt=fingerprint(RECEIPT))
    return sign(OperationEvent.RECORD, Signed.parse(value).body, identity(PORTAL))


def _forged() -> bytes:
    other = Log()
    other.write(Kind.STARTED)
    return other.write(actor="nobody")


TAMPERING: dict[str, tuple[tuple[str, tuple[Any, ...]], ...]] = {
    "a body is exchanged for another signed one": (("UPDATE line SET value = ? WHERE number = 2", (_forged(),)),),
    "a body is deleted before its time": (("DELETE FROM line WHERE number = 6", ()),),
    "a body of another class is deleted": (("DELETE FROM line WHERE number = 7", ()),),
    "a signature is exchanged": (("UPDATE line SET value = ? WHERE number = 2", (_signed_by_another(),)),),
    "a body is garbage": (("UPDATE line SET value = ? WHERE number = 2", (b"\x00garbage",)),),
    "an account is rewritten in its column": (("UPDATE line SET actor = 'nobody' WHERE number = 2", ()),),
    "a receipt is taken out of its column": (("UPDATE line SET receipt = '' WHERE number = 2", ()),),
    "a time is moved in its column": (("UPDATE line SET occurred_at_ms = 5 WHERE number = 2", ()),),
    "a leaf's hash is rewritten": (("UPDATE leaf SET hash = zeroblob(32) WHERE number = 2", ()),),
    "a leaf's time is moved, so that its body may go": (
        ("UPDATE leaf SET collected_at_ms = 5 WHERE number = 2", ()),
        ("UPDATE line SET collected_at_ms = 5 WHERE number = 2", ()),
    ),
    "a row is deleted with its leaf": (
        ("DELETE FROM line WHERE number = 5", ()),
        ("DELETE FROM leaf WHERE number = 5", ()),
    ),
    "the last rows are cut off": (
        ("DELETE FROM line WHERE number >= 20", ()),
        ("DELETE FROM leaf WHERE number >= 20", ()),
    ),
    "two leaves change places": (
        ("UPDATE leaf SET number = 999 WHERE number = 4", ()),
        ("UPDATE leaf SET number = 4 WHERE number = 6", ()),
        ("UPDATE leaf SET number = 6 WHERE number = 999", ()),
    ),
    "a log is given to another principal": (("UPDATE log SET principal = 'portal' WHERE number = 1", ()),),
    "a gap is said to be none": (("UPDATE log SET missing = missing + 1 WHERE number = 1", ()),),
    "a head is signed by nobody": (("UPDATE head SET head = ?, root = zeroblob(32)", (b"x",)),),
    "the frontier is another": (("UPDATE tree SET root = zeroblob(32)", ()),),
    "a line stands without a leaf": (("UPDATE line SET number = 500 WHERE number = 3", ()),),
}


@pytest.mark.parametrize("what", TAMPERING)
def test_rows_that_were_changed_are_found(monitor: Monitor, what: str, attack: Attack) -> None:
    tried = attack(Attacker.CONTRACTOR, f"changes the collected operations log on its disk: {what}", Verdict.DETECTED)
    edit(monitor, *TAMPERING[what])
    found = verified(monitor)
    assert not found.verified
    assert found.damage
    tried.detected(by="monitor operations verify", how="damage, and exit status 1", within="its run")


def test_a_monitor_that_rewrites_everything_is_found_by_a_checkpoint_outside(
    monitor: Monitor, tmp_path: Path, attack: Attack
) -> None:
    """Whoever has the monitor's key makes a store that is whole in itself, without a line."""
    tried = attack(
        Attacker.CONTRACTOR, "rewrites the whole operations log with the monitor's own key", Verdict.DETECTED
    )
    outside = checkpoint(monitor)
    other = Monitor(tmp_path / "other")
    filled(other, 11)
    assert verified(other).verified, "by itself nothing shows"
    assert verified(other, outside).damage == ("rows-cut-off 24 of 26",)
    longer = Monitor(tmp_path / "longer")
    filled(longer, 20)
    edit(longer, ("UPDATE owner SET swept_at_ms = 0", ()))
    assert verified(longer, outside).verified, "the same lines, and more: it extends what was shown"
    with longer.open() as store:
        Keeper(store, 42).keep(Log(DESK, "z", b"z" * 16).write())
    exchanged = Monitor(tmp_path / "exchanged")
    with exchanged.open() as store:
        log, keeper = Log(), Keeper(store)
        for _ in range(30):
            keeper.keep(log.write(actor="nobody"))
    assert verified(exchanged).verified
    assert "root 26" in verified(exchanged, outside).damage
    tried.detected(by="monitor operations verify", how="rows-cut-off, or another root", within="its run")


def test_a_store_that_is_rolled_back_contradicts_what_is_published(monitor: Monitor, attack: Attack) -> None:
    tried = attack(Attacker.CONTRACTOR, "puts yesterday's copy of the operations log in its place", Verdict.DETECTED)
    copy = monitor.file.with_suffix(".copy")
    with monitor.open() as store:
        shutil.copy(monitor.file, copy)
        publisher = publisher_of(monitor, store, LogSettings())
        assert publisher.publish().size == 26
        Keeper(store, 26).keep(Log(DESK, "z", b"z" * 16).write())
        assert publisher.publish().size == 27
    for left in monitor.file.parent.glob(f"{monitor.file.name}-*"):
        left.unlink()
    shutil.copy(copy, monitor.file)
    with monitor.open() as store, pytest.raises(LogContradicted):
        publisher_of(monitor, store, LogSettings()).publish()
    published = read_checkpoint((monitor.directory / "operations-tlog" / "checkpoint").read_bytes(), KEYS)
    assert verified(monitor, published).damage == ("rows-cut-off 26 of 27",)
    tried.detected(by="the monitor's publisher", how="alarm publishing.contradicted", within="ten seconds of its start")


def test_a_checkpoint_of_somebody_else_is_none() -> None:
    note = sign_checkpoint(TreeCheckpoint(NAME, 1, bytes(32)), NoteSigner(NAME, identity(PORTAL)))
    with pytest.raises(ForeignCheckpoint):
        read_checkpoint(note.encode(), KEYS)
    with pytest.raises(ForeignCheckpoint):
        read_checkpoint(b"garbage", KEYS)


@pytest.mark.parametrize(("wrong", "missing", "forks"), [("gap", 2, 0), ("fork", 0, 1)])
def test_what_is_missing_or_forked_is_no_damage_and_not_verified(
    tmp_path: Path, wrong: str, missing: int, forks: int
) -> None:
    monitor, log = Monitor(tmp_path), Log()
    values = [log.write()]
    copy = log.branch()
    values += [log.write(actor="sato") for _ in range(3)]
    with monitor.open() as store:
        Keeper(store).keep(*((values[0], values[3]) if wrong == "gap" else (*values, copy.write(actor="suzuki"))))
    found = verified(monitor)
    assert (found.verified, found.missing, found.forks, found.damage) == (False, missing, forks, ())


def test_a_torn_chain_is_found_again(tmp_path: Path) -> None:
    monitor, log = Monitor(tmp_path), Log()
    first = log.write()
    copy = log.branch()
    copy.write(actor="suzuki")
    with monitor.open() as store:
        Keeper(store).keep(first, log.write(actor="sato"), copy.write())
    assert verified(monitor).damage == ("link 2",)


def test_bodies_that_a_line_deleted_in_time_are_no_damage(tmp_path: Path) -> None:
    monitor, days = Monitor(tmp_path), dict(DEFAULT_DAYS) | {Class.ACCESS: 30}
    with monitor.open(days) as store:
        log, keeper, ours = Log(), Keeper(store), Log(MONITOR, "m", b"m" * 16)
        keeper.keep(*[log.write() for _ in range(5)])
        keeper.keep(log.write(), at=NOW + timedelta(days=20))
        at = NOW + timedelta(days=31)
        for day in range(32):
            due = store.due(NOW + timedelta(days=day))
        kept = keeper.keep(ours.say(due[0].operation(at)), at=at)
        assert kept.deleted == {Class.ACCESS: 5}
    found = verified(monitor)
    assert found.verified, found.damage
    assert (found.size, found.bodies, found.deleted, found.retention) == (7, 2, 5, {"access": 30})
    edit(monitor, ("DELETE FROM line WHERE number = 5", ()))
    assert verified(monitor).damage == ("body-gone 5 access",), "that one was not due"


# looking and exporting


def listed(monitor: Monitor, wanted: Wanted, limit: int | None = None) -> list[int]:
    with snapshot(monitor.file, OWNER) as db:
        return [line.number for line in lines(db, wanted, limit)]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Wanted(), 26),
        (Wanted(Class.ACCESS), 12),
        (Wanted(principal=PORTAL), 13),
        (Wanted(actor="sato"), 6),
        (Wanted(actor="sato", principal=PORTAL), 0),
        (Wanted(receipt=fingerprint(RECEIPT)), 12),
        (Wanted(receipt=fingerprint("R7-13104-000000002")), 0),
        (Wanted(since=NOW + timedelta(hours=10)), 2),
        (Wanted(since=NOW + timedelta(hours=2), until=NOW + timedelta(hours=4)), 2),
        (Wanted(principal="x' OR '1'='1"), 0),
    ],
)
def test_lines_are_found_by_what_they_say(monitor: Monitor, wanted: Wanted, count: int) -> None:
    found = listed(monitor, wanted)
    assert len(found) == count
    assert found == sorted(found)
    assert listed(monitor, wanted, 3) == found[-3:]


def exported(monitor: Monitor, directory: Path, wanted: Wanted | None = None) -> tuple[bytes, bytes]:
    with snapshot(monitor.file, OWNER) as db:
        export(db, wanted or Wanted(), SIGNER, directory / "out.jsonl", directory / "out.jsonl.proof")
    return (directory / "out.jsonl").read_bytes(), (directory / "out.jsonl.proof").read_bytes()


def test_an_export_is_proved_without_the_store(monitor: Monitor, tmp_path: Path) -> None:
    out, proof = exported(monitor, tmp_path, Wanted(actor="sato"))
    found = check(out, proof, KEYS)
    assert (found.lines, found.checkpoint.size, found.checkpoint.origin) == (6, 26, NAME)
    first = json.loads(out.splitlines()[0])
    assert (first["actor"], first["class"], first["principal"]) == ("sato", "access", DESK)
    assert (tmp_path / "out.jsonl").stat().st_mode & 0o777 == 0o600
    nothing = exported(monitor, tmp_path, Wanted(actor="nobody"))
    assert check(*nothing, KEYS).lines == 0


def _line(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes, bytes], tuple[bytes, bytes]]:
    def changed(out: bytes, proof: bytes) -> tuple[bytes, bytes]:
        first, _, rest = out.partition(b"\n")
        said = json.loads(first)
        change(said)
        return json.dumps(said).encode() + b"\n" + rest, proof

    return changed


def _proof(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes, bytes], tuple[bytes, bytes]]:
    def changed(out: bytes, proof: bytes) -> tuple[bytes, bytes]:
        said = json.loads(proof)
        change(said)
        return out, json.dumps(said).encode()

    return changed


FORGED: dict[str, Callable[[bytes, bytes], tuple[bytes, bytes]]] = {
    "another account in a line": _line(lambda said: said.update(actor="nobody")),
    "another number": _line(lambda said: said.update(number=3)),
    "another hash": _line(lambda said: said.update(hash="00" * 32)),
    "a line left out": lambda out, proof: (out.partition(b"\n")[2], proof),
    "a line twice": lambda out, proof: (out.partition(b"\n")[0] + b"\n" + out, proof),
    "lines in another order": lambda out, proof: (b"".join(reversed(out.splitlines(keepends=True))), proof),
    "the last line cut off": lambda out, proof: (out[:-20], proof),
    "no JSON": lambda out, proof: (out, b"{"),
    "a list for a proof": lambda out, proof: (out, b"[]"),
    "deep nesting": lambda out, proof: (out, b"[" * 100_000),
    "another checkpoint": _proof(lambda said: said.update(checkpoint="x\n")),
    "another entry": _proof(lambda said: said["lines"][0].update(entry=said["lines"][1]["entry"])),
    "a hash less": _proof(lambda said: said["lines"][0]["hashes"].pop()),
    "another index": _proof(lambda said: said["lines"][0].update(index=9)),
    "another format": _proof(lambda said: said.update(format="x")),
}


@pytest.mark.parametrize("how", FORGED)
def test_an_export_that_was_changed_proves_nothing(monitor: Monitor, tmp_path: Path, how: str) -> None:
    out, proof = exported(monitor, tmp_path)
    with pytest.raises(NotProved):
        check(*FORGED[how](out, proof), KEYS)


def test_an_export_that_another_key_signed_proves_nothing(monitor: Monitor, tmp_path: Path, attack: Attack) -> None:
    tried = attack(Attacker.CONTRACTOR, "hands out an export of the operations log under a tree of its own")
    with snapshot(monitor.file, OWNER) as db:
        forger = NoteSigner(NAME, identity(PORTAL))
        export(db, Wanted(), forger, tmp_path / "out", tmp_path / "out.proof")
    with pytest.raises(NotProved) as refused:
        check((tmp_path / "out").read_bytes(), (tmp_path / "out.proof").read_bytes(), KEYS)
    tried.prevented(by="monitor operations check", how=refused.value.code, within="its run")
