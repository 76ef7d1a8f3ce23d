"""docs/runbooks/rotation.md on a running hub whose keys have ended: no month has a key, and nobody is started again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from cli.home import Home
from cli.stack import Stack
from hub.crypto.certificates import CertificateAuthority
from hub.enrolment import enrol
from hub.envelope.times import epoch_of
from hub.rotation import epochs_ahead
from tests.broker.documents import document
from tests.broker.hub import ENTRY, Hub
from tests.runbooks.steps import execute, headings
from topics.declaration import load
from topics.layout import expand

pytestmark = [pytest.mark.soak(target="runbooks"), pytest.mark.timeout(570)]
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub that was enrolled 70 days ago and that nobody has looked after since."""
    home = Home(tmp_path_factory.mktemp("rotation") / "home")
    home.prepare()
    authority = CertificateAuthority.create(home.path / "authority")
    topology = expand(load(None), "rehearsal", partitions=2)
    enrol(home.path, topology, authority, now=NOW - timedelta(days=70))
    with Stack(home, namespace="rehearsal", partitions=2, broker_metrics=False) as stack:
        yield Hub(stack)


def _epochs(hub: Hub) -> set[int]:
    return {int(each["life"]) for each in hub.json("keys", "list") if each["kind"] == "audience"}


def test_every_section_is_executed_here() -> None:
    assert headings("rotation") == ["Every month: the coming keys", "When a month began without keys"]


def test_a_hub_whose_keys_have_ended_goes_on_after_the_command_and_nobody_is_started_again(hub: Hub) -> None:
    assert epoch_of(NOW) not in _epochs(hub)
    before = {name: role.process.pid for name, role in hub.stack.roles.running.items()}
    waiting = subprocess.Popen(
        [*ENTRY, "submit", "-", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=hub.environment()
    )
    assert waiting.stdin is not None
    waiting.stdin.write(json.dumps(document("R7-13104-000000801"), ensure_ascii=False).encode() + b"\n")
    waiting.stdin.close()
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(15)
    execute("rotation", "When a month began without keys", hub.home.path)
    try:
        assert waiting.wait(120) == 0
    finally:
        waiting.kill()
        if waiting.stdout is not None:
            waiting.stdout.close()
    hub.stored("R7-13104-000000801")
    assert {name: role.process.pid for name, role in hub.stack.roles.running.items()} == before
    assert set(epochs_ahead(NOW, 3)) <= _epochs(hub)


def test_the_monthly_run_changes_nothing_when_nothing_is_due_and_says_so(hub: Hub) -> None:
    before = _epochs(hub)
    said = execute("rotation", "Every month: the coming keys", hub.home.path)
    assert "0 audience keys made" in said[0].out
    assert _epochs(hub) == before


def test_each_key_that_was_made_stands_in_the_operations_log(hub: Hub) -> None:
    spool = b"".join(
        each.read_bytes() for each in sorted((hub.home.role("admin") / "state").rglob("*")) if each.is_file()
    )
    assert spool.count(b"key-used") >= len(epochs_ahead(NOW, 3))


def test_what_was_filed_afterwards_is_complete(hub: Hub) -> None:
    hub.submit(document("R7-13104-000000802"))
    hub.stored("R7-13104-000000802")
    assert hub.agreed()["agreed"]
