"""docs/runbooks/upgrade.md: three brokers get another Kafka under filing, go back, finish, and stay."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from cli.home import Home
from tests.runbooks.steps import Done, execute
from tests.runbooks.upped import HERE, Upped, answered_since, came_to_rest, documents, filing, judged, reconciled, up

pytestmark = [pytest.mark.soak(target="runbooks"), pytest.mark.timeout(570)]
TENANTS = ("131041", "999997")
RATE = 4.0
OLD_KAFKA = Path(__file__).with_name("kafka-4.3.1.lock")
NEW_KAFKA = HERE / "broker" / "jars.lock"


def _running_kafka(home: Home, broker: int) -> str:
    """The version that a broker says it has, at its last start."""
    log = (home.brokers / f"broker-{broker}" / "logs" / "server.log").read_text("utf-8", "replace")
    return re.findall(r"Kafka version: (\S+)", log)[-1]


def _status(hub: Upped) -> tuple[int, int]:
    (said,) = hub.json("brokers", "status")
    return said["metadata_version"], said["metadata_version_possible"]


def _version(lock: Path) -> str:
    version: str = json.loads(lock.read_text())["jars"][0]["version"]
    return version


def test_three_brokers_get_another_kafka_one_by_one_and_only_finishing_is_final(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    (tmp_path / "old" / "broker").mkdir(parents=True)
    shutil.copyfile(OLD_KAFKA, tmp_path / "old" / "broker" / "jars.lock")
    older = {"OLDER": str(tmp_path / "old")}
    execute("upgrade", "Kafka: the version that runs stays", home.path, **older)
    with (
        up(home, "--brokers", "3", "--no-analysis") as hub,
        filing(home, documents(13, TENANTS), rate=RATE) as load,
    ):
        assert {_running_kafka(home, each) for each in (1, 2, 3)} == {_version(OLD_KAFKA)} != {_version(NEW_KAFKA)}
        level, known = _status(hub)
        assert level == known

        def through(section: str, **words: str) -> list[Done]:
            answered_since(load, 10)
            done = execute("upgrade", section, home.path, **words)
            answered_since(load, 10)
            return done

        through("Kafka: broker by broker")
        assert {_running_kafka(home, each) for each in (1, 2, 3)} == {_version(NEW_KAFKA)}
        assert _status(hub)[0] == level < _status(hub)[1]
        through("Kafka: go back", **older)
        assert {_running_kafka(home, each) for each in (1, 2, 3)} == {_version(OLD_KAFKA)}
        assert _status(hub) == (level, level)
        through("Kafka: broker by broker")
        through("Kafka: finish")
        finished, possible = _status(hub)
        assert level < finished == possible

        shutil.copyfile(OLD_KAFKA, home.kafka_jars)  # the page says so: not back any more
        (refused,) = hub.json("brokers", "restart", "1", good=1)
        assert refused["error"]["code"] == "brokers.restart-failed"
        answered_since(load, 10)
        home.kafka_jars.unlink()
        hub.json("brokers", "restart", "1")
        came_to_rest(load)
        found = judged(home, home.running().bootstrap, TENANTS, load)
        assert found.good, found.examples
        reconciled(hub)
        print(f"{len(load.answers)} filings, metadata.version {level} to {finished}")
