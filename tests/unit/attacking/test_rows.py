"""A row of docs/attacks.md comes from a test that saw it; an attack that nobody concluded fails its test."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.attacking import Attacker, Row, Verdict, page
from tests.attacking.rows import COMMITTED, as_json, loaded

ROOT = Path(__file__).parents[3]
ROW = Row(
    "outsider on the network", "knocks", "prevented", "prevented", "broker", "alert 116", "at once", "t.py::t", "test"
)

TESTS = """
from tests.attacking import Attacker, Verdict

def test_good(attack):
    attack(Attacker.OUTSIDER, "knocks").prevented(by="broker", how="alert 116", within="at once")

def test_nobody_looked(attack):
    attack(Attacker.OUTSIDER, "waits")

def test_something_else_came_of_it(attack):
    attack(Attacker.OUTSIDER, "sings").detected(by="broker", how="a log line", within="at once")

def test_failed(attack):
    attack(Attacker.OUTSIDER, "rings").prevented(by="broker", how="alert 116", within="at once")
    assert False
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Row]]:
    directory = tmp_path_factory.mktemp("attacks")
    (directory / "test_some.py").write_text(TESTS, "utf-8")
    (directory / "pytest.ini").write_text("[pytest]\n", "utf-8")
    seen = directory / "seen.jsonl"
    options = ["-q", "-p", "tests.attacking.plugin", "-p", "no:cacheprovider", "-n", "2", f"--attacks-into={seen}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-c", "pytest.ini", "--rootdir", ".", "test_some.py"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout, loaded(seen)


def test_only_concluded_attacks_of_passed_tests_become_rows(run: tuple[str, list[Row]]) -> None:
    assert run[1] == [replace(ROW, test="test_some.py::test_good")]


def test_an_open_attack_fails_its_test(run: tuple[str, list[Row]]) -> None:
    assert "3 failed, 1 passed" in run[0]
    assert "an open attack: waits: expected prevented, seen nothing" in run[0]
    assert "sings: expected prevented, and it was detected" in run[0]


def test_check_tells_of_rows_too_many_too_few_and_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = tmp_path / "rows.json"
    monkeypatch.setattr(page, "COMMITTED", committed)
    committed.write_text(as_json([ROW, replace(ROW, attempt="by hand", suite="soak")]), "utf-8")
    assert page.check([ROW]) == []
    assert len(page.check([])) == 1
    assert len(page.check([replace(ROW, how="alert 40")])) == 2
    assert len(page.check([ROW, replace(ROW, attempt="knocks twice")])) == 1
    assert len(page.check([ROW, replace(ROW, by="router")])) == 2  # not committed, and one name for two rows


def test_the_page_is_what_the_rows_say() -> None:
    assert page.PAGE.read_text("utf-8") == page.rendered(loaded(COMMITTED)), "make attacks"


def test_no_attack_is_open_and_each_has_its_test() -> None:
    rows = loaded(COMMITTED)
    assert [row for row in rows if row.open] == []
    assert {row.attacker for row in rows} <= {attacker.value for attacker in Attacker}
    assert {row.verdict for row in rows} <= {verdict.value for verdict in Verdict}
    functions: dict[str, set[str]] = {}
    for row in rows:
        path, *_, name = row.test.split("::")
        if path not in functions:
            tree = ast.parse((ROOT / path).read_text("utf-8"))
            functions[path] = {
                node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            }
        assert name in functions[path], row
