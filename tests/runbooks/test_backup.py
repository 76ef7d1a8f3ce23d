"""docs/runbooks/backup.md: a running hub is backed up, goes on, its machine is lost, and another one goes on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.home import Home
from cli.stack import Stack
from tests.broker.documents import SECRETS, document
from tests.broker.hub import Hub
from tests.runbooks.steps import execute, headings

pytestmark = [pytest.mark.soak(target="runbooks"), pytest.mark.timeout(570)]
BEFORE, AFTER, LATER = ("R7-13104-000000811", "R7-13104-000000812", "R7-13104-000000813")


@dataclass
class Place:
    """Directories that stand for other machines."""

    root: Path

    @property
    def words(self) -> dict[str, str]:
        return {name: str(self.root / name.lower()) for name in ("ARCHIVES", "ESCROW", "PASSPHRASE")}


def test_every_section_is_executed_here() -> None:
    assert headings("backup") == [
        "Once: the escrow key",
        "Every night",
        "Every quarter: can it be restored?",
        "The machine is lost",
        "See that it is whole",
    ]


def test_a_lost_machine_is_replaced_and_nothing_that_was_stored_or_routed_is_missing(tmp_path: Path) -> None:
    place = Place(tmp_path / "elsewhere")
    place.root.mkdir()
    first = Home(tmp_path / "first" / "home")
    first.path.parent.mkdir()
    with Stack(first, namespace="rehearsal", partitions=2, broker_metrics=False) as stack:
        hub = Hub(stack)
        hub.submit(document(BEFORE))
        shown = hub.stored(BEFORE)
        execute("backup", "Once: the escrow key", first.path, **_only(place, "ESCROW", "PASSPHRASE"))
        execute("backup", "Every night", first.path, **_only(place, "ARCHIVES"))
        hub.submit(document(AFTER))  # the backup knows nothing of it
        after = hub.stored(AFTER)
        execute("backup", "Every quarter: can it be restored?", tmp_path / "first" / "nowhere", **place.words)
        assert not (tmp_path / "first" / "nowhere").exists()
    archives = b"".join(each.read_bytes() for each in (place.root / "archives").iterdir())
    assert not [mark for mark in SECRETS.values() if mark.encode() in archives]

    second = Home(tmp_path / "second" / "home")
    second.path.parent.mkdir()
    broker = first.broker.rename(tmp_path / "second" / "broker")  # the brokers are other machines
    shutil.rmtree(first.path)
    execute("backup", "The machine is lost", second.path, **place.words)
    assert (second.role("portal") / "state" / "journal.db.set-aside").exists()
    (refused,) = execute("backup", "The machine is lost", second.path, good=False, **place.words)
    assert refused.status == 1
    assert "restore.home-taken" in refused.errors

    broker.rename(second.broker)
    with Stack(second, namespace="rehearsal", partitions=2, broker_metrics=False) as stack:
        hub = Hub(stack)
        again = hub.stored(BEFORE)
        assert (again["items"], again["event_id"]) == (shown["items"], shown["event_id"])
        caught_up = hub.stored(AFTER)
        assert (caught_up["items"], caught_up["event_id"]) == (after["items"], after["event_id"])
        hub.submit(document(LATER))
        hub.stored(LATER)
        verified = hub.json("audit", "verify")
        assert all(each["verified"] for each in verified), verified
        execute("backup", "See that it is whole", second.path, good=False)


def test_a_move_of_a_stopped_hub_takes_everything_along_and_reconciles(tmp_path: Path) -> None:
    place = Place(tmp_path / "elsewhere")
    place.root.mkdir()
    first, second = Home(tmp_path / "first" / "home"), Home(tmp_path / "second" / "home")
    for home in (first, second):
        home.path.parent.mkdir()
    with Stack(first, namespace="rehearsal", partitions=2, broker_metrics=False) as stack:
        hub = Hub(stack)
        hub.submit(document(BEFORE))
        hub.stored(BEFORE)
        hub.agreed()
    execute("backup", "Once: the escrow key", first.path, **_only(place, "ESCROW", "PASSPHRASE"))
    execute("backup", "Every night", first.path, **_only(place, "ARCHIVES"))
    broker = first.broker.rename(tmp_path / "second" / "broker")
    shutil.rmtree(first.path)
    execute("backup", "The machine is lost", second.path, **place.words)
    assert (second.role("portal") / "state" / "journal.db").exists()
    broker.rename(second.broker)
    with Stack(second, namespace="rehearsal", partitions=2, broker_metrics=False) as stack:
        hub = Hub(stack)
        known = hub.submit(document(BEFORE))
        assert [each["status"] for each in known] == ["duplicate"]
        hub.submit(document(LATER))
        hub.stored(LATER)
        assert hub.agreed()["agreed"]
        for done in execute("backup", "See that it is whole", second.path):
            assert done.status == 0


def _only(place: Place, *names: str) -> dict[str, str]:
    return {name: place.words[name] for name in names}
