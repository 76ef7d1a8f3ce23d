"""`review export` as a person or a script meets it: lines, exit codes, passwords that stand in no argument."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from cli.noting import NOWHERE
from tests.unit.consumers.exporting import NAMESPACE, PASSWORD, TENANT, Bench, document, members
from tests.unit.envelope.support import identity


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A desk that the commands find; its role directory is not a real one."""
    made = Bench(tmp_path)
    role = SimpleNamespace(
        principal=f"review-{TENANT}",
        instance="review-1",
        namespace=NAMESPACE,
        identity=identity("desk"),
        state_directory=tmp_path,
        bootstrap=NOWHERE,
    )
    around = SimpleNamespace(
        store=made.store, role=role, tenant=TENANT, keys=lambda _=None: made.keys, vault=lambda _: made.vault
    )

    @contextmanager
    def opened(_: object) -> Iterator[tuple[object, None, None]]:
        yield around, None, None

    monkeypatch.setattr("cli.desks.opened", opened)
    monkeypatch.setattr("cli.people.open_role", lambda home, principal: role)
    monkeypatch.setattr("cli.people.desks", lambda home, kind, tenant: [f"review-{tenant or TENANT}"])
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    yield made
    made.close()


def run(bench: Bench, *arguments: str, password: bool = True) -> Result:
    secret = ["--password-file", str(bench.directory / "password")] if password else []
    return CliRunner().invoke(app, ["review", *arguments, *(secret if arguments[0] == "export" else []), "--json"])


def lines(done: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_export_verify_and_list(bench: Bench) -> None:
    bench.accepted(document(1), document(2))
    done = run(bench, "export", "--to", str(bench.out), "--series", "tax", "--by", "a-person")
    assert done.exit_code == 0, done.output
    (said,) = lines(done)
    assert (said["run"], said["rows"], said["withdrawn"], said["resumed"], said["same"]) == (1, 2, 0, False, True)
    assert "seizure-release-under-grace.csv" in members(Path(said["file"]))
    checked = run(bench, "export", "--verify", said["file"])
    assert (checked.exit_code, lines(checked)[0]["verified"], lines(checked)[0]["rows"]) == (0, True, 2)
    nothing = run(bench, "export", "--to", str(bench.out), "--series", "tax")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    (listed,) = lines(run(bench, "exports"))
    assert (listed["state"], listed["rows"], [each["by"] for each in listed["copies"]]) == ("done", 2, ["a-person"])


def test_rows_that_cp932_cannot_hold_end_the_command_with_1_and_are_named(bench: Bench) -> None:
    bench.accepted(document(1, applicant_name="𠮷見本"), document(2))
    done = run(bench, "export", "--to", str(bench.out), "--encoding", "cp932")
    assert done.exit_code == 1
    written, left = lines(done)
    assert written["rows"] == 1
    assert left["left_out"]["receipt_number"] == "R7-99999-000000001"
    (place,) = left["left_out"]["places"]
    assert (place["column"], place["code_point"], place["becomes"]) == ("applicant_name", "U+20BB7", None)
    assert "見本" not in done.output
    done = run(bench, "export", "--to", str(bench.out), "--encoding", "cp932", "--on-missing", "replace")
    assert done.exit_code == 0
    assert lines(done)[0]["replaced"][0]["becomes"] == "U+3013"


def test_a_dry_run_needs_neither_directory_nor_password_and_changes_nothing(bench: Bench) -> None:
    bench.accepted(document(1))
    done = run(bench, "export", "--dry-run", password=False)
    assert (done.exit_code, lines(done)[0]["rows"]) == (0, 1)
    assert bench.store.exports.runs() == []


def test_a_repetition_that_lacks_an_erased_row_ends_with_1(bench: Bench, tmp_path: Path) -> None:
    rows = bench.accepted(document(1), document(2))
    run(bench, "export", "--to", str(bench.out))
    other = tmp_path / "other"
    other.mkdir()
    done = run(bench, "export", "--to", str(other), "--again", "1")
    assert (done.exit_code, lines(done)[0]["same"]) == (0, True)
    bench.erase(rows[0])
    third = tmp_path / "third"
    third.mkdir()
    done = run(bench, "export", "--to", str(third), "--again", "1")
    assert (done.exit_code, lines(done)[0]["same"]) == (1, False)
    assert lines(done)[0]["erased"] == ["R7-99999-000000001"]


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        ([], "cli.usage", 2),
        (["--to", "no-such-directory"], "export.not-writable", 1),
        (["--to", ".", "--series", "../x"], "export.series", 1),
        (["--to", ".", "--encoding", "sjis"], "export.encoding", 1),
        (["--to", ".", "--replacement", "?"], "export.replacement", 1),
        (["--to", ".", "--tax-item", "income-tax"], "decision.tax-item", 1),
        (["--to", ".", "--procedure", "none"], "export.procedure", 1),
        (["--to", ".", "--again", "7"], "export.unknown-run", 1),
        (["--verify", "no-such-file.zip"], "export.unreadable", 1),
        (["--verify", "pyproject.toml"], "export.damaged", 1),
    ],
)
def test_what_cannot_be_is_refused_with_a_code_and_a_hint(
    bench: Bench, arguments: list[str], code: str, status: int
) -> None:
    bench.accepted(document(1))
    done = run(bench, "export", *arguments)
    assert done.exit_code == status, done.output
    error = lines(done)[-1]["error"]
    assert error["code"] == code
    assert bench.store.exports.runs() == []


def test_the_password_comes_from_a_file_that_is_its_owners_alone(bench: Bench, tmp_path: Path) -> None:
    bench.accepted(document(1))
    secret = tmp_path / "password"
    secret.chmod(0o640)
    done = run(bench, "export", "--to", str(bench.out))
    assert (done.exit_code, lines(done)[0]["error"]["code"]) == (1, "export.password-file")
    secret.chmod(0o600)
    for text in ("short", "パスワード", ""):
        secret.write_text(text)
        assert lines(run(bench, "export", "--to", str(bench.out)))[0]["error"]["code"] == "export.password-unfit"
    secret.unlink()
    assert run(bench, "export", "--to", str(bench.out)).exit_code == 2
    asked = run(bench, "export", "--to", str(bench.out), password=False)
    assert (asked.exit_code, lines(asked)[0]["error"]["code"]) == (2, "cli.usage")
    assert list(bench.out.iterdir()) == []


def test_people_read_tables_and_lines(bench: Bench) -> None:
    bench.accepted(document(1, applicant_name="𠮷"), document(2))
    secret = ["--password-file", str(bench.directory / "password")]
    arguments = ["--to", str(bench.out), "--encoding", "cp932", *secret]
    done = CliRunner().invoke(app, ["review", "export", *arguments])
    assert "run 1: 1 rows, 0 withdrawn" in done.stdout
    assert "R7-99999-000000001: characters" in done.stdout
    assert "applicant_name U+20BB7" in done.stdout
    path = next(bench.out.iterdir())
    assert "verified" in CliRunner().invoke(app, ["review", "export", "--verify", str(path), *secret]).stdout
    assert "done" in CliRunner().invoke(app, ["review", "exports"]).stdout
    done = CliRunner().invoke(app, ["review", "export", "--to", str(bench.out), "--dry-run"])
    assert "rows 1" in done.stdout  # UTF-8 holds what CP932 lacked


def test_at_a_terminal_the_password_is_asked_for_and_not_shown(bench: Bench) -> None:
    bench.accepted(document(1))
    path = bench.exporter().export(bench.wish(), PASSWORD).written[0].path
    terminal, inside = pty.openpty()
    command = [sys.executable, "-m", "cli", "review", "export", "--verify", str(path), "--json"]
    process = subprocess.Popen(command, stdin=inside, stdout=inside, stderr=inside, start_new_session=True)
    os.close(inside)
    seen = b""
    try:
        while b"password: " not in seen:  # the space comes when nothing is shown any more
            seen += os.read(terminal, 1_024)
        os.write(terminal, PASSWORD.encode() + b"\n")
        with suppress(OSError):  # Linux's end of a terminal
            while data := os.read(terminal, 1_024):
                seen += data
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert b'"verified": true' in seen
    assert PASSWORD.encode() not in seen
