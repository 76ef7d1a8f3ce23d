"""The front door: wrong usage, clear errors with a code and a hint, JSON that programs can read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from cli.home import Home, NoHub, Running
from cli.main import app
from hub.settings import RoleSettings
from schemas.edge_cases import EDGE_CASES


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HUB_HOME."""
    monkeypatch.setenv("HUB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_every_command_has_help_and_wrong_usage_ends_with_2() -> None:
    runner = CliRunner()
    names = ["demo", "up", "submit", "generate", "reconcile", "doctor", "route", "review", "helpdesk", "audit"]
    for name in [*names, "topics", "schemas", "keys", "dead-letters", "consume", "portal"]:
        assert runner.invoke(app, [name, "--help"]).exit_code == 0, name
    assert runner.invoke(app, ["no-such-command"]).exit_code == 2
    assert runner.invoke(app, ["demo", "--submissions", "0"]).exit_code == 2


@pytest.mark.parametrize(
    "command",
    [
        ["submit", "-"],
        ["review", "list"],
        ["helpdesk", "lookup", "R1"],
        ["audit", "verify"],
        ["reconcile"],
        ["topics", "plan"],
        ["brokers", "status"],
        ["brokers", "wait"],
        ["brokers", "restart", "1"],
        ["brokers", "finish-upgrade"],
    ],
)
def test_without_a_hub_a_command_says_so_and_what_to_do(home: Path, command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--json"])
    assert done.exit_code == 1
    error = json.loads(done.stdout.splitlines()[-1])["error"]
    assert error["code"].startswith("cli.")
    assert error["hint"]


def test_a_file_that_is_not_there_is_wrong_usage(home: Path) -> None:
    done = CliRunner().invoke(app, ["submit", "no-such-file.json", "--json"])
    assert done.exit_code == 2
    assert json.loads(done.stdout)["error"]["code"] == "cli.no-file"


def test_generate_writes_the_same_lines_for_the_same_seed() -> None:
    first = CliRunner().invoke(app, ["generate", "-n", "20", "--seed", "5"])
    again = CliRunner().invoke(app, ["generate", "-n", "20", "--seed", "5"])
    assert first.stdout == again.stdout
    assert len([json.loads(line) for line in first.stdout.splitlines()]) == 20


def test_generate_writes_every_edge_case_for_every_tenant_instead() -> None:
    tenants = ["--tenant", "131041", "--tenant", "999997"]
    written = CliRunner().invoke(app, ["generate", "--edge-cases", "--seed", "5", *tenants]).stdout
    made = [json.loads(line) for line in written.splitlines()]
    assert {each["tenant"] for each in made} == {"131041", "999997"}
    assert len(made) == 2 * len(EDGE_CASES) == len({each["receipt_number"] for each in made})
    assert "𠮷" in written


def test_schemas_are_listed_shown_and_checked() -> None:
    runner = CliRunner()
    listed = [json.loads(line) for line in runner.invoke(app, ["schemas", "list", "--json"]).stdout.splitlines()]
    assert {"SealedEvent", "AdvancePaymentOfferSubmission"} <= {each["name"] for each in listed}
    shown = json.loads(runner.invoke(app, ["schemas", "show", "advance-payment-offer"]).stdout)
    assert shown["procedure"]["label"] == "地方税の予納の申出書"
    schema = json.loads(runner.invoke(app, ["schemas", "show", "all", "--json-schema"]).stdout)
    assert len(schema["oneOf"]) == 18
    assert runner.invoke(app, ["schemas", "check"]).exit_code == 0
    assert runner.invoke(app, ["schemas", "show", "nothing"]).exit_code == 2


def test_a_hub_that_died_is_not_taken_for_a_running_one(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    home.announce(Running("127.0.0.1:1", "", "", "rehearsal", 3, [], {}, {"up": 2**22 + 1}))
    with pytest.raises(NoHub):
        home.running()


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "one.jpg").write_bytes(b"x")
    monkeypatch.setenv("HUB_HOME", str(foreign))
    done = CliRunner().invoke(app, ["keys", "init", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"]["code"] == "cli.foreign-home"
    assert [path.name for path in foreign.iterdir()] == ["one.jpg"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["replay"],
        ["replay", "--all"],
        ["replay", "router/0/1", "--reason", "unknown-session"],
        ["replay", "router/0/1", "--all", "--reason", "unknown-session"],
        ["replay", "--all", "--reason", "unknown-session", "--again"],
        ["discard", "router/0/1", "--reason", "not-ours"],
        ["discard", "router/0/1", "--note", "a probe"],
        ["discard", "--reason", "not-ours", "--note", "a probe"],
    ],
)
def test_a_letter_is_replayed_by_name_or_by_reason_and_discarded_with_reason_and_note(wrong: list[str]) -> None:
    assert CliRunner().invoke(app, ["dead-letters", *wrong]).exit_code == 2


@pytest.mark.parametrize(
    ("reason", "note", "code"),
    [("because", "a probe", "letter.discard-reason"), ("not-ours", "tel 03-1234-5678", "letter.note")],
)
def test_a_discard_is_refused_before_anything_is_opened(reason: str, note: str, code: str) -> None:
    answer = CliRunner().invoke(
        app, ["dead-letters", "discard", "router/0/1", "--reason", reason, "--note", note, "--json"]
    )
    assert answer.exit_code == 1
    assert json.loads(answer.stdout)["error"]["code"] == code


def test_reasons_of_a_discard_are_listed() -> None:
    answer = CliRunner().invoke(app, ["dead-letters", "reasons", "--json"])
    codes = [json.loads(line)["code"] for line in answer.stdout.splitlines()]
    assert {"sent-again", "not-ours", "damaged", "forged"} <= set(codes)


def test_a_hub_that_others_run_is_found_without_a_process_here(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    said = Running("kafka-1:19092", str(home.path), str(home.certificates), "rehearsal", 6, [])
    home.announce(said)
    with pytest.raises(NoHub):
        home.running()
    home.announce(replace(said, elsewhere=True))
    assert home.running().bootstrap == "kafka-1:19092"


def test_brokers_that_others_run_are_not_restarted_from_here(home: Path) -> None:
    made = Home(home)
    made.prepare()
    made.announce(Running("kafka-1:19092", str(home), "", "rehearsal", 6, [], elsewhere=True))
    done = CliRunner().invoke(app, ["brokers", "restart", "1", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout)["error"]["code"] == "brokers.elsewhere"


def test_an_endpoint_listens_on_an_address_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_ROLE_DIR", str(tmp_path))
    monkeypatch.setenv("HUB_BOOTSTRAP", "127.0.0.1:9092")
    assert RoleSettings.from_environment().metrics_address == "127.0.0.1"
    monkeypatch.setenv("HUB_METRICS_ADDRESS", "0.0.0.0")
    assert RoleSettings.from_environment().metrics_address == "0.0.0.0"
    for wrong in ("localhost", "", "127.0.0.1:9000"):
        monkeypatch.setenv("HUB_METRICS_ADDRESS", wrong)
        with pytest.raises(ValidationError):
            RoleSettings.from_environment()
