"""`monitor operations` on a home whose monitor has collected something."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import hub.role
from cli.main import app
from hub.envelope.operations import FIRST, Kind, Operation, OperationEvent, fingerprint, line_hash
from hub.envelope.times import to_ms
from hub.operations.sender import partition_of
from hub.operations.spool import FILE as SPOOL
from hub.role import Role
from hub.transport import KafkaRecord
from monitoring.operations.judging import Line, judged
from monitoring.operations.keeping import Batch, Item
from monitoring.operations.settings import OperationsSettings
from monitoring.operations.watch import FILE, open_store
from tests.unit.standing.world import Office
from topics import names

RECEIPT = "R7-13104-000000001"
NOW = datetime(2026, 4, 1, 4, 0, tzinfo=UTC)
LOG = b"\x00" * 16


def collected(role: Role) -> None:
    """Lines of the monitor's own role, kept as if they had come over the topic."""
    said = (
        Operation(Kind.STARTED, NOW),
        Operation(Kind.VIEWED, NOW, actor="sato", receipt=fingerprint(RECEIPT)),
        Operation(Kind.DENIED, NOW, actor="portal", address="10.0.0.1", about="topic:x", count=3),
    )
    previous, items = FIRST, []
    for number, each in enumerate(said):
        event = OperationEvent("monitor", role.instance, role.namespace, LOG, number, previous, each)
        value = event.sign(role.identity)
        previous = line_hash(value)
        topic, key = names.operations(role.namespace), event.key.encode()
        found = judged(KafkaRecord(topic, partition_of(LOG, 3), number, 0, key, value), role.trust, 3)
        assert isinstance(found, Line)
        items.append(Item(topic, 0, number, key, value, found))
    with open_store(role, OperationsSettings(), NOW) as store:
        store.keep(Batch(to_ms(NOW), (), items))


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Role]:
    home = tmp_path_factory.mktemp("home")
    office = Office(home)
    office.enrol()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hub.role, "load_role", partial(hub.role.load_role, allow_weak=True))
        patch.setenv("HUB_HOME", str(home))
        yield office.role("monitor")


@pytest.fixture
def role(enrolled: Role) -> Role:
    gone(enrolled)
    collected(enrolled)
    return enrolled


def gone(role: Role) -> None:
    for file in role.state_directory.glob(f"{FILE}*"):
        file.unlink()


def run(*arguments: str, good: int = 0) -> Result:
    done = CliRunner().invoke(app, ["monitor", "operations", *arguments])
    assert done.exit_code == good, done.output
    return done


def objects(*arguments: str, good: int = 0) -> list[dict[str, object]]:
    return [json.loads(line) for line in run(*arguments, "--json", good=good).stdout.splitlines()]


def kinds(*arguments: str) -> list[object]:
    return [line["kind"] for line in objects("list", *arguments)]


def test_list_filters_and_a_receipt_number_is_looked_for_by_its_fingerprint(role: Role) -> None:
    assert kinds() == ["started", "viewed", "denied"]
    assert kinds("--class", "access") == ["viewed"]
    assert kinds("--receipt", RECEIPT) == kinds("--receipt", fingerprint(RECEIPT)) == ["viewed"]
    assert kinds("--receipt", "R7-13104-000000002") == []
    assert kinds("--actor", "portal") == ["denied"]
    assert kinds("--principal", "router") == []
    assert kinds("--limit", "1") == ["denied"]
    assert kinds("--since", "2026-04-01T13:00:00") == ["started", "viewed", "denied"], "Japan's time"
    assert kinds("--until", "2026-04-01T13:00:00") == []
    assert "sato" in run("list").stdout
    assert objects("list", "--class", "everything", good=1)[0]["error"]


def test_verify_export_and_check(role: Role, tmp_path: Path) -> None:
    (said,) = objects("verify")
    assert (said["verified"], said["size"], said["damage"]) == (True, 3, [])
    (tmp_path / "kept").write_text(run("checkpoint").stdout)
    (tmp_path / "vkeys").write_text(run("key").stdout)
    assert "verified" in run("verify", "--checkpoint", str(tmp_path / "kept")).stdout
    out = tmp_path / "out.jsonl"
    (done,) = objects("export", "--to", str(out), "--class", "access")
    assert done["lines"] == 1
    (proved,) = objects("check", str(out), "--key", str(tmp_path / "vkeys"))
    assert (proved["proved"], proved["lines"], proved["size"]) == (True, 1, 3)
    out.write_text(out.read_text().replace('"actor":"sato"', '"actor":"kato"'))
    (refused,) = objects("check", str(out), "--key", str(tmp_path / "vkeys"), good=1)
    assert refused["error"]["code"] == "operations.not-proved"  # type: ignore[index]


def test_verify_ends_with_1_when_rows_are_gone_or_the_checkpoint_is_no_ours(role: Role, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text(run("checkpoint").stdout)
    gone(role)
    with open_store(role, OperationsSettings(), NOW):
        pass
    (said,) = objects("verify", good=0)
    assert said["size"] == 0, "by itself an empty store is whole"
    (said,) = objects("verify", "--checkpoint", str(tmp_path / "kept"), good=1)
    assert said["damage"] == ["rows-cut-off 0 of 3"]
    (tmp_path / "foreign").write_text("x\n")
    (refused,) = objects("verify", "--checkpoint", str(tmp_path / "foreign"), good=1)
    assert refused["error"]["code"] == "operations.foreign-checkpoint"  # type: ignore[index]


@pytest.mark.parametrize("command", [["verify"], ["list"], ["checkpoint"], ["key"], ["export", "--to", "x"]])
def test_without_a_home_a_command_says_so(
    command: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_HOME", str(tmp_path / "home"))
    assert "cli.not-enrolled" in run(*command, good=1).output


def test_before_anything_was_collected_it_says_what_is_missing(role: Role) -> None:
    gone(role)
    assert "operations.nothing" in run("list", good=1).output


def test_who_looks_is_noted_before_anything_is_shown(role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
    def noted() -> list[tuple[str, str]]:
        with closing(sqlite3.connect(role.state_directory / SPOOL)) as db:
            values = db.execute("SELECT value FROM line ORDER BY sequence").fetchall()
        said = [OperationEvent.parse(value)[0].operation for (value,) in values]
        return [(each.about, each.outcome) for each in said if each.kind is Kind.COMMANDED and each.actor]

    before = len(noted())
    run("list")
    run("verify")
    run("export", "--to", str(role.state_directory / "none" / "out"), good=1)
    assert [about.rpartition(" ")[2] for about, _ in noted()[before:]] == ["list", "verify", "export", "export"]
    assert [outcome == "ok" for _, outcome in noted()[before:]] == [True, True, True, False]
    monkeypatch.setenv("HUB_OPERATIONS_LINES", "8")
    monkeypatch.setenv("HUB_OPERATIONS_MIB", "0.0001")
    assert "operations.unlogged" in run("list", good=1).output
    assert "sato" not in run("list", good=1).output
    assert "verified" in run("verify").stdout, "what somebody checks needs no room"
