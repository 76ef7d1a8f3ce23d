"""The fixture `attack`, and the file of rows that a run saw (`--attacks-into FILE`)."""

from __future__ import annotations

import inspect
import json
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.attacking.rows import Attacker, Attempt, Verdict

_KEY = pytest.StashKey[list[Attempt]]()
_PROPERTY = "attack"


class Attack:
    """Begins attempts: `attack(Attacker.BROKER, "withholds the tail of a partition", Verdict.DETECTED)`."""

    def __init__(self, node: pytest.Item) -> None:
        self._attempts: list[Attempt] = node.stash.setdefault(_KEY, [])
        assert isinstance(node, pytest.Function)
        file = Path(inspect.getfile(node.function)).relative_to(node.config.rootpath)  # also of a test taken from there
        self._test = f"{file.as_posix()}::{node.originalname}"
        soak = node.get_closest_marker("soak")
        self._suite = soak.kwargs.get("target", "soak") if soak else "test"

    def __call__(self, attacker: Attacker, attempt: str, expected: Verdict = Verdict.PREVENTED) -> Attempt:
        begun = Attempt(attacker, attempt, expected, self._test, self._suite)
        self._attempts.append(begun)
        return begun


@pytest.fixture
def attack(request: pytest.FixtureRequest) -> Attack:
    """Rows for docs/attacks.md; an attempt without a conclusion fails its test."""
    return Attack(request.node)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--attacks-into", default="", help="write the attacks that passed tests tried, as JSON lines")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    if report.when != "call" or not report.passed:
        return
    for attempt in item.stash.get(_KEY, []):
        row = attempt.row()
        if row.open:
            report.outcome = "failed"
            report.longrepr = f"an open attack: {row.attempt}: expected {row.expected}, seen {row.verdict or 'nothing'}"
            return
        report.user_properties.append((_PROPERTY, json.dumps(asdict(row), ensure_ascii=False)))


class _Recorder:
    """In the process that sees all reports, also those of workers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self._lines += [str(value) for name, value in report.user_properties if name == _PROPERTY]

    def pytest_sessionfinish(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text("".join(f"{line}\n" for line in self._lines), "utf-8")


def pytest_configure(config: pytest.Config) -> None:
    into = config.getoption("--attacks-into")
    if into and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(Path(into)), "attack-recorder")
