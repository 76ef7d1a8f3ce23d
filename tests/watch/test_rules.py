"""The committed rule files and their cases, by promtool: each alert fires on its condition and not just below it."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitoring.prometheus.limits import Limits
from monitoring.prometheus.rules import DIRECTORY, PREFIX, all_alerts, files
from tests.watch.rules import write
from tests.watch.servers import PROMTOOL, need, tool

need(PROMTOOL)


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    found = [each for cases in write.BY_FILE.values() for each in cases]
    assert {each.alert for each in found if each.fires} == all_alerts().keys()
    assert all_alerts().keys() - {each.alert for each in found if each.quiet} == {"HubWatchdog"}


def test_every_rule_file_has_its_cases_and_the_committed_ones_are_those() -> None:
    assert {f"{PREFIX}{name}" for name in write.files()} == files(Limits.packaged()).keys()
    committed = {path.name: path.read_text("utf-8") for path in Path(write.DIRECTORY).iterdir()}
    assert committed == write.files(), "run `make docs`"


def test_promtool_accepts_the_rules() -> None:
    done = tool(PROMTOOL, "check", "rules", *sorted(DIRECTORY.iterdir()))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(write.BY_FILE))
def test_alerts_fire_when_they_must_and_only_then(name: str) -> None:
    done = tool(PROMTOOL, "test", "rules", write.DIRECTORY / f"{name}.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rule_that_fires_too_late_is_noticed(tmp_path: Path) -> None:
    """The cases can fail: with other limits than theirs they do."""
    for directory, texts in (("rules", files(Limits(lag_records=10_002))), ("tests", write.files())):
        (tmp_path / directory).mkdir()
        for each, text in texts.items():
            (tmp_path / directory / each).write_text(text)
    done = tool(PROMTOOL, "test", "rules", tmp_path / "tests" / "flow.yaml")
    assert done.returncode == 1
    assert {alert for alert in all_alerts() if f'\\"{alert}\\"' in done.stdout + done.stderr} == {"HubLag"}
