"""The periodic report and the one-glance view of a real hub."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.envelope.times import from_ms, in_japan
from monitoring.report.model import Basis
from monitoring.report.places import made_at_ms
from schemas.generator import generate
from tests.broker.hub import Hub, eventually, running

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

COUNT = 12


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub with a few submissions of one city."""
    with running(tmp_path_factory.mktemp("hub")) as started:
        yield started


@pytest.fixture(scope="module")
def day(hub: Hub) -> str:
    """The day in Japan on which the first of a few submissions was made; before midnight it is all of them."""
    answers = hub.submit(*generate(61, COUNT, ("131041",)))
    at = made_at_ms(answers[0]["event_id"])
    assert at is not None
    return in_japan(from_ms(at)).date().isoformat()


def _report(hub: Hub, day: str, into: Path, *more: str) -> dict[str, Any]:
    (said,) = hub.json("monitor", "report", "--day", day, "--tenant", "131041", "--into", str(into), *more)
    return said


def test_everything_that_was_filed_today_is_where_it_must_be(hub: Hub, day: str, tmp_path: Path) -> None:
    def good() -> dict[str, Any] | None:
        said = _report(hub, day, tmp_path)
        verdicts = {key: each["verdict"] for key, each in said["checks"].items()}
        there = verdicts["whole"] == verdicts["log"] == "good" and verdicts["controls"] != "unknown"
        return said if there else None

    said = eventually(good, seconds=90, pause=1)
    files = {suffix: Path(path) for suffix, path in said["files"].items()}
    basis = Basis.from_json(files["json"].read_bytes())
    assert basis.sha256 == said["sha256"]
    counts = {each.kind: each.held for each in basis.places}
    assert set(counts) == {"portal", "audit", "review", "helpdesk"}
    assert len(set(counts.values())) == 1
    assert counts["portal"] > 0
    assert len({each.digest for each in basis.places}) == 1
    assert basis.audit is not None and basis.audit.size > 0
    assert basis.trust_serial
    assert basis.log is not None and basis.log.verified and basis.log.checkpoint is not None
    assert basis.use is not None
    assert {"router", "monitor", "review-131041"} <= {each.principal for each in basis.use.processes if each.started}
    assert "999997" not in files["json"].read_text()
    assert "round" in {each.control for each in basis.use.probes}
    assert files["pdf"].read_bytes().startswith(b"%PDF-")
    assert basis.sha256 in files["html"].read_text()
    assert files["pdf"].stat().st_mode & 0o077 == 0

    again = hub.json("monitor", "report", "--from", str(files["json"]), "--into", str(tmp_path / "again"))[0]
    for suffix, path in again["files"].items():
        assert Path(path).read_bytes() == files[suffix].read_bytes()
    assert json.loads(files["json"].read_text())["organisation"] == "新宿区"


def test_a_desk_that_cannot_be_read_is_missing_and_not_good(hub: Hub, day: str, tmp_path: Path) -> None:
    place = hub.home.role("helpdesk-131041")
    aside = place.with_name("aside")
    place.rename(aside)
    try:
        said = _report(hub, day, tmp_path, "--format", "html")
    finally:
        aside.rename(place)
    assert said["checks"]["whole"]["verdict"] == "unknown"
    assert set(said["files"]) == {"json", "html"}


def test_top_answers_with_numbers_for_people_and_programs(hub: Hub, day: str) -> None:
    def settled() -> dict[str, Any] | None:
        (said,) = hub.json("monitor", "top", "--once", "--interval", "0.5")
        return said if said["whole"]["answer"] == "yes" else None

    said = eventually(settled, pause=0.5)
    whole = said["whole"]
    assert said["controls"]
    assert whole["accepted"] == whole["routed"] == whole["stored"]["audit"] > 0
    assert whole["behind"] == whole["unconfirmed"] == whole["missing"] == whole["letters"] == 0
    up = {each["name"]: each for each in said["processes"]}
    assert {"router", "monitor", "review-131041"} <= up.keys()
    assert all(each["up"] and each["memory"] > 0 for each in up.values())
    (router,) = (each for each in said["stages"] if each["name"] == "router")
    assert router["total"] == whole["routed"]
    assert router["p99"] is None or router["p99"] > 0

    for columns in ("60", "160"):
        shown = hub.run("monitor", "top", "--once", "--interval", "0.5", COLUMNS=columns)
        assert shown.returncode == 0, shown.stderr
        text = shown.stdout.decode()
        assert "全て到達" in text
        assert "review-131041" in text.replace("\n", "")


def test_top_goes_on_when_a_process_dies(hub: Hub, day: str) -> None:
    process = hub.stack.roles.running["helpdesk-131041"]
    os.kill(process.process.pid, signal.SIGSTOP)
    try:
        done = hub.run("monitor", "top", "--once", "--json", "--interval", "0.5")
    finally:
        os.kill(process.process.pid, signal.SIGCONT)
    said = json.loads(done.stdout)
    away = {each["name"] for each in said["processes"] if not each["up"]}
    assert away == {"helpdesk-131041"}
    assert said["whole"]["answer"] == "unknown"
    assert "process-away" in said["whole"]["reasons"]
    assert done.returncode == 1
