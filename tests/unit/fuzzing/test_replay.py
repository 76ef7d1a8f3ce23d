"""Every committed input, regressions first, through the function that the fuzzer runs; without its engine."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from schemas.errors import HubError
from tests.fuzz import report
from tests.fuzz.guard import Finding, ensure, refusal
from tests.fuzz.target import CORPUS, HERE, REGRESSIONS, inputs
from tests.fuzz.targets import ALL

MAX_CORPUS_BYTES = 1 << 20


@pytest.mark.parametrize("name", ALL)
def test_committed_inputs_break_no_promise(name: str) -> None:
    target = ALL[name]
    given = inputs(target)
    assert len(given) >= len(list(target.seeds())) // 2, "python -m tests.fuzz seeds"
    for where, data in given:
        try:
            target.run(data)
        except BaseException as error:
            raise AssertionError(f"{where}: {type(error).__name__}") from error


@pytest.mark.parametrize("name", ALL)
def test_every_beginning_of_an_input_breaks_no_promise(name: str) -> None:
    """Truncation is the one mutation that costs little: of each target's smallest inputs, every beginning."""
    target = ALL[name]
    some = sorted(target.seeds(), key=len)[:4]
    for data in some:
        for end in range(0, len(data), max(1, len(data) // 60)):
            target.run(data[:end])


def test_every_directory_belongs_to_a_target_and_all_of_it_is_small() -> None:
    for directory in (CORPUS, REGRESSIONS):
        assert {each.name for each in directory.iterdir()} <= set(ALL)
    assert sum(path.stat().st_size for path in HERE.rglob("*") if path.is_file()) < MAX_CORPUS_BYTES


def test_the_page_is_written_from_the_runs() -> None:
    assert report.PAGE.read_text("utf-8") == report.rendered(report.runs()), "python -m tests.fuzz page"


def test_runs_come_back_as_they_were_written(tmp_path: Path) -> None:
    run = report.Run("2026-11-26", "sealed", 1_200, 5, 7, 3, 0, 42, "x")
    path = tmp_path / "runs.jsonl"
    path.write_text(json.dumps(asdict(run)) + "\n")
    assert report.runs(path) == [run]
    page = report.rendered([run])
    assert "| sealed |" in page and "| 20 | 5 | 7 | 0 | 2026-11-26 |" in page and "notes" in page


class Talkative(HubError):
    """An error."""

    code = "talkative"


def _raise(error: Exception) -> None:
    raise error


def test_the_guard_sees_an_error_that_repeats_its_input_and_passes_on_what_is_not_documented() -> None:
    assert refusal((Talkative,), b"123456789018", lambda: _raise(Talkative("codes only"))) is None
    for detail in ("123456789018", "x" * 400):
        with pytest.raises(Finding):
            refusal((Talkative,), b"number 123456789018", lambda detail=detail: _raise(Talkative(detail)))  # type: ignore[misc]
    with pytest.raises(KeyError):
        refusal((Talkative,), b"", lambda: _raise(KeyError()))
    with pytest.raises(Finding):
        ensure(False, "a promise")
