"""`review decide|claim|assign|reasons` over two desks: at the right one, or at none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli import deciding
from cli.deciding import Seat
from cli.home import Home
from cli.main import app
from cli.noting import notes_of
from cli.processes import role_environment
from consumers.review.deadlines import SERVICE_DAYS
from hub.envelope.operations import OperationEvent, fingerprint
from hub.operations.spool import Spool
from hub.settings import RoleSettings
from schemas.decisions import REASONS
from tests.unit.consumers.office import ITEM, RETURN, TENANT, Office, receipt, submission
from tests.unit.operations.world import Desk

OTHER = "131041"
"""the other desk's tenant; its submissions are stored like the first's"""


def role_of(directory: Path, tenant: str) -> Desk:
    return Desk(directory / tenant / "state", f"review-{tenant}")


def noted(directory: Path, tenant: str) -> list[tuple[str, ...]]:
    """What a desk's log says: kind, outcome, actor, receipt's fingerprint, code."""
    lines = Spool(role_of(directory, tenant)).batch().lines
    said = [OperationEvent.parse(value)[0].operation for _, value in lines]
    return [(each.kind.value, each.outcome, each.actor, each.receipt, each.code) for each in said]


@pytest.fixture
def offices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Office]]:
    made = {}
    for tenant in (TENANT, OTHER):
        (tmp_path / tenant).mkdir()
        made[tenant] = Office(tmp_path / tenant)

    @contextmanager
    def reviewers(tenant: str | None, by: str | None, command: str) -> Iterator[dict[str, Seat]]:
        yield {
            code: Seat(each.reviewer(by or "reviewer-a"), notes_of(role_of(tmp_path, code), command, by))
            for code, each in made.items()
            if tenant in (None, code)
        }

    monkeypatch.setattr(deciding, "_reviewers", reviewers)
    yield made
    for each in made.values():
        each.close()


def run(*command: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["review", *command, "--json"], input=given)


def said(result: Result) -> list[dict[str, Any]]:
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return [json.loads(line) for line in result.stdout.splitlines()]


def code(result: Result) -> str:
    assert result.exit_code != 0
    (line,) = said(result)
    return str(line["error"]["code"])


def decide(number: int, *more: str) -> Result:
    return run("decide", receipt(number), "accept", "--reason", "complete", "--tax-item", ITEM, *more)


def test_a_decision_is_made_at_the_desk_that_has_the_submission(offices: dict[str, Office]) -> None:
    offices[TENANT].stored(submission(1))
    offices[OTHER].stored(submission(2))
    (done,) = said(decide(2, "--by", "reviewer-b"))
    assert (done["receipt_number"], done["status"], done["revision"]) == (receipt(2), "accepted", 1)
    assert offices[TENANT].store.cases.all_decisions() == []
    (kept,) = offices[OTHER].store.cases.all_decisions()
    assert kept.decided_by == "reviewer-b"


def test_what_is_decided_is_in_the_log_of_its_desk_before_and_once_more_if_it_failed(
    offices: dict[str, Office], tmp_path: Path
) -> None:
    offices[TENANT].stored(submission(1))
    assert decide(1, "--by", "reviewer-b").exit_code == 0
    assert code(decide(1, "--by", "reviewer-b", "--revision", "0")) == "decision.conflict"
    assert code(decide(2, "--by", "reviewer-b")) == "not-found"
    first, unknown = fingerprint(receipt(1)), fingerprint(receipt(2))
    assert noted(tmp_path, TENANT) == [
        ("decided", "ok", "reviewer-b", first, "accept"),
        ("decided", "ok", "reviewer-b", first, "accept"),
        ("decided", "decision.conflict", "reviewer-b", first, "accept"),
        ("decided", "not-found", "reviewer-b", unknown, "accept"),
    ]
    assert noted(tmp_path, OTHER) == [("decided", "not-found", "reviewer-b", unknown, "accept")]


def test_what_cannot_be_logged_is_not_decided(
    offices: dict[str, Office], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_OPERATIONS_LINES", "8")
    for number in range(1, 11):
        offices[TENANT].stored(submission(number))
    given = "".join(
        json.dumps({"receipt": receipt(n), "decision": "accept", "reason": "complete", "tax_items": [ITEM]}) + "\n"
        for n in range(1, 11)
    )
    done = run("decide", "-", given=given)
    assert done.exit_code == 1
    *good, bad = said(done)
    assert len(good) == 8 and bad["error"]["code"] == "operations.unlogged"
    assert len(offices[TENANT].store.cases.all_decisions()) == 8 == len(noted(tmp_path, TENANT))


def test_a_receipt_that_two_desks_have_needs_its_tenant(offices: dict[str, Office]) -> None:
    for office in offices.values():
        office.stored(submission(1))
    assert code(decide(1)) == "decision.ambiguous"
    assert code(run("claim", receipt(1))) == "decision.ambiguous"
    assert all(office.store.cases.case(1).revision == 0 for office in offices.values())
    assert decide(1, "--tenant", OTHER).exit_code == 0
    assert [offices[each].store.cases.case(1).revision for each in (TENANT, OTHER)] == [0, 1]


def line(number: int, **changes: Any) -> str:
    value = {"receipt": receipt(number), "decision": "accept", "reason": "complete", "tax_items": [ITEM]}
    return json.dumps(value | changes) + "\n"


def test_a_line_for_a_tenant_that_is_not_here_is_decided_nowhere_else(offices: dict[str, Office]) -> None:
    offices[TENANT].stored(submission(1), submission(2))
    result = run("decide", "-", given=line(1, tenant="131130") + line(1, tenant=OTHER) + line(2, tenant=TENANT))
    assert result.exit_code == 1
    answers = said(result)
    assert [each.get("error", {}).get("code") for each in answers] == ["not-found", "not-found", None]
    assert [each.number for each in offices[TENANT].store.cases.all_decisions()] == [2]


BAD_LINES = [
    "{",
    "[]",
    "null",
    "5",
    '"text"',
    "{}",
    "\ufeff",
    "[" * 100_000,
    line(1, revision="0"),
    line(1, revision=True),
    line(1, revision=1.0),
    line(1, tax_items=ITEM),
    line(1, tax_items=[5]),
    line(1, tax_items=None),
    line(1, receipt=5),
    line(1, message=5),
    line(1, answer_by=20300101),
    line(1, tenant=5),
    line(1, revison=7),  # a guard that is misspelt guards nothing
    json.dumps({"receipt": receipt(1), "decision": "accept"}),
]


@pytest.mark.parametrize("bad", BAD_LINES, ids=[each[:30].strip() for each in BAD_LINES])
def test_a_line_that_cannot_be_read_leaves_the_others_as_they_are(offices: dict[str, Office], bad: str) -> None:
    offices[TENANT].stored(submission(1), submission(2))
    result = run("decide", "-", given=bad.rstrip("\n") + "\n" + line(2))
    assert result.exit_code == 1
    first, second = said(result)
    assert first["error"]["code"] == "cli.bad-decision"
    assert second["status"] == "accepted"
    assert [each.number for each in offices[TENANT].store.cases.all_decisions()] == [2]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"receipt": "\ud800"}, "not-found"),
        ({"receipt": "受付"}, "not-found"),
        ({"receipt": ""}, "not-found"),
        ({"decision": "Accept"}, "decision.not-allowed"),
        ({"reason": "\ud800"}, "decision.reason"),
        ({"message": "\ud800"}, "decision.message"),
        ({"message": "x" * 2_001}, "decision.message"),
        ({"tax_items": ["\ud800"]}, "decision.tax-item"),
        ({"tax_items": []}, "decision.tax-item"),
        ({"tax_items": [ITEM, ITEM]}, "decision.tax-item"),
        ({"answer_by": "2030-01-01"}, "decision.answer-by"),
        ({"answer_by": "20300101"}, "decision.answer-by"),
        ({"revision": 1}, "decision.conflict"),
        ({"revision": -1}, "decision.conflict"),
        ({"revision": 10**30}, "decision.conflict"),
    ],
    ids=str,
)
def test_a_line_that_is_refused_says_why_and_decides_nothing(
    offices: dict[str, Office], changes: dict[str, Any], expected: str
) -> None:
    offices[TENANT].stored(submission(1))
    assert code(run("decide", "-", given=line(1, **changes))) == expected
    assert offices[TENANT].store.cases.all_decisions() == []


def test_bytes_that_are_no_text_and_empty_lines(offices: dict[str, Office]) -> None:
    offices[TENANT].stored(submission(1))
    result = run("decide", "-", given=b"\xff\xfe\n\n   \n" + line(1).encode())
    assert [each.get("error", {}).get("code") for each in said(result)] == ["cli.bad-decision", None]


def test_a_message_is_read_from_a_file_as_it_is(offices: dict[str, Office], tmp_path: Path) -> None:
    offices[TENANT].stored(submission(1), submission(2))
    file = tmp_path / "message.txt"
    file.write_bytes("\ufeff見本の項を\r\n記入してください".encode())
    common = ("return", "--reason", "item-missing", "--message-file")
    assert run("decide", receipt(1), *common, str(file)).exit_code == 0
    office = offices[TENANT]
    (kept,) = office.store.cases.decisions(1)
    message = office.dossiers.message(office.row(1), kept)
    assert message is not None and message.splitlines() == ["見本の項を", "記入してください"]
    file.write_bytes("見本".encode("cp932"))
    assert code(run("decide", receipt(2), *common, str(file))) == "cli.message-file"
    assert code(run("decide", receipt(2), *common, str(tmp_path / "none"))) == "cli.message-file"
    assert code(run("decide", receipt(2), *common, str(tmp_path))) == "cli.message-file"
    assert code(run("decide", receipt(2), *common, str(file), "--message", "x")) == "cli.usage"
    assert office.store.cases.decisions(2) == []


@pytest.mark.parametrize("day", ["20300101", "2030-W01-1", "tomorrow", "2030-13-01", ""])
def test_a_day_is_written_in_one_way(offices: dict[str, Office], day: str) -> None:
    offices[TENANT].stored(submission(1))
    result = run("decide", receipt(1), "hold", "--reason", "inquiry", "--answer-by", day)
    assert code(result) == "decision.answer-by"


def test_claim_and_assign_say_whose_it_is(offices: dict[str, Office]) -> None:
    offices[TENANT].stored(submission(1))
    (claimed,) = said(run("claim", receipt(1), "--by", "reviewer-b"))
    assert (claimed["assignee"], claimed["revision"]) == ("reviewer-b", 1)
    assert code(run("claim", receipt(1), "--by", "reviewer-c")) == "decision.conflict"
    assert code(run("assign", receipt(1), "--to", "reviewer-c", "--revision", "0")) == "decision.conflict"
    assert code(run("assign", receipt(1), "--to", " ")) == "cli.usage"
    (given,) = said(run("assign", receipt(1), "--to", "reviewer-c", "--revision", "1"))
    assert (given["assignee"], given["revision"]) == ("reviewer-c", 2)
    assert run("assign", receipt(1)).exit_code == 0
    assert offices[TENANT].store.cases.case(1).assignee is None


def test_what_is_needed_is_asked_for(offices: dict[str, Office]) -> None:
    offices[TENANT].stored(submission(1))
    for command in (["decide", receipt(1)], ["decide", receipt(1), "accept"]):
        result = run(*command)
        assert result.exit_code == 2
        assert code(result) == "cli.usage"


def test_no_refusal_repeats_what_was_to_be_said(offices: dict[str, Office]) -> None:
    offices[TENANT].stored(submission(1))
    assert RETURN.message is not None
    result = run("decide", receipt(1), "return", "--reason", "complete", "--message", RETURN.message)
    assert result.exit_code == 1
    assert RETURN.message not in result.output


def test_every_reason_is_listed() -> None:
    assert {each["reason"] for each in said(run("reasons"))} == set(REASONS)
    assert CliRunner().invoke(app, ["review", "reasons"]).exit_code == 0


def test_the_period_for_decisions_reaches_the_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def environment() -> dict[str, str]:
        home = Home(tmp_path)
        return role_environment(home, f"review-{TENANT}", bootstrap="localhost:1", namespace="rehearsal", partitions=3)

    monkeypatch.setenv("HUB_SERVICE_DAYS", "14")
    with monkeypatch.context() as role:
        passed = environment()
        role.delenv("HUB_SERVICE_DAYS")
        for name, value in passed.items():
            if name.startswith("HUB_"):
                role.setenv(name, value)
        assert RoleSettings.from_environment().service_days == 14
    monkeypatch.delenv("HUB_SERVICE_DAYS")
    assert "HUB_SERVICE_DAYS" not in environment()
    assert RoleSettings.model_fields["service_days"].default == SERVICE_DAYS


@pytest.mark.parametrize("days", ["0", "-1", "3651", "thirty", ""])
def test_a_period_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, days: str) -> None:
    monkeypatch.setenv("HUB_ROLE_DIR", str(tmp_path))
    monkeypatch.setenv("HUB_BOOTSTRAP", "localhost:1")
    monkeypatch.setenv("HUB_SERVICE_DAYS", days)
    with pytest.raises(ValueError, match="service_days"):
        RoleSettings.from_environment()
