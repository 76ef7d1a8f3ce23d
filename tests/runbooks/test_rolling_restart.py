"""docs/runbooks/rolling-restart.md: three brokers are restarted one by one while filings come in."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from cli.home import Home
from tests.broker.hub import eventually
from tests.runbooks.steps import execute, headings
from tests.runbooks.upped import Upped, answered_since, came_to_rest, documents, filing, judged, reconciled, up

pytestmark = [pytest.mark.soak(target="runbooks"), pytest.mark.timeout(570)]
TENANTS = ("131041", "999997")
BROKERS = ("broker-1", "broker-2", "broker-3")


def test_every_section_is_executed_here() -> None:
    assert headings("rolling-restart") == ["See that all is whole", "One after the other", "Afterwards"]


def _another_is_not_stopped_while_one_is_away(hub: Upped) -> None:
    """With one dead, two more things are missing: itself, and its copies."""
    os.kill(hub.pids["broker-2"], signal.SIGKILL)
    eventually(lambda: hub.run("brokers", "status").returncode == 1, 60, pause=0.5)
    (said,) = hub.json("brokers", "status", good=1)
    assert not said["whole"]
    assert {each["lack"] for each in said["missing"]} >= {"broker-away", "behind"}, said
    assert all(each["brokers"] == [2] for each in said["missing"] if each["lack"] == "behind")
    before = hub.pids
    (refused,) = hub.json("brokers", "restart", "1", good=1)
    assert refused["error"]["code"] == "brokers.not-whole"
    (unknown,) = hub.json("brokers", "restart", "4", good=1)
    assert unknown["error"]["code"] == "brokers.unknown"
    assert hub.pids == before
    (whole,) = hub.json("brokers", "restart", "2")  # it is away: starting it takes nothing from anybody
    assert whole["whole"]


def test_three_brokers_are_restarted_under_filing_and_nothing_is_lost_doubled_or_turned(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with up(home, "--brokers", "3", "--no-analysis") as hub, filing(home, documents(7, TENANTS), rate=5.0) as load:
        answered_since(load, 20)
        assert "whole" in execute("rolling-restart", "See that all is whole", home.path)[0].out
        _another_is_not_stopped_while_one_is_away(hub)
        answered_since(load, 20)

        order = [each["broker"] for each in hub.json("brokers", "order")]
        (seen,) = hub.json("brokers", "status")
        assert sorted(order) == [1, 2, 3]
        assert order[-1] == seen["controller"]
        before = hub.pids
        told = len((tmp_path / "up.log").read_text())
        execute("rolling-restart", "One after the other", home.path)
        after = hub.pids
        assert not [name for name in BROKERS if before[name] == after[name]]
        assert {name: pid for name, pid in after.items() if name not in BROKERS} == {
            name: pid for name, pid in before.items() if name not in BROKERS
        }
        restarted = re.findall(r"broker-(\d) is restarted", (tmp_path / "up.log").read_text()[told:])
        assert [int(each) for each in restarted] == order

        answered_since(load, 20)
        came_to_rest(load)
        found = judged(home, home.running().bootstrap, TENANTS, load)
        assert found.good, found.examples
        reconciled(hub)
        execute("rolling-restart", "Afterwards", home.path)
        print(f"{len(load.answers)} filings, {load.portals} portal")
    for name in BROKERS:  # ended in order, by itself and in time: nothing had to be recovered
        log = (home.brokers / name / "logs" / "server.log").read_text("utf-8", "replace")
        assert "since clean shutdown file was found" in log, name
