"""Publishing while the desk runs: by itself, once more at the end, through what can heal, and not over evidence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import ValidationError

from consumers.audit.log_directory import LogDirectory
from consumers.audit.publication import Publication, publish_while_running
from consumers.store.errors import StoreDamaged
from consumers.store.sql import SqlStore
from hub.facts import Alarm, Fact, LogPublished, Paused
from hub.settings import LogSettings
from tests.unit.consumers.making import TENANT
from tests.unit.consumers.published import event_entry, files, grow, open_store, publisher

DESK = f"audit-{TENANT}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


class Running:
    """A desk's publishing as a task."""

    def __init__(self, store: SqlStore, out: Path) -> None:
        self.facts: list[Fact] = []
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(
            publish_while_running(Publication(publisher(store, out), 0.02), DESK, self.facts.append, self.stop)
        )

    async def until(self, true: Callable[[], bool]) -> None:
        for _ in range(3_000):
            if true():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it never became true")

    def sizes(self) -> list[int]:
        return [fact.size for fact in self.facts if isinstance(fact, LogPublished)]

    def codes(self) -> list[str]:
        return [fact.code for fact in self.facts if isinstance(fact, Alarm)]


@asynccontextmanager
async def running(store: SqlStore, out: Path) -> AsyncIterator[Running]:
    made = Running(store, out)
    try:
        yield made
    finally:
        made.stop.set()
        await made.task


async def test_what_was_added_is_published_and_told_once(store: SqlStore, tmp_path: Path) -> None:
    async with running(store, tmp_path / "tlog") as desk:
        await desk.until(lambda: desk.sizes() == [0])
        for size in (10, 300):
            grow(store, [event_entry(n) for n in range(size - 10, size)])
            head = store.log_head()
            assert head is not None
            await desk.until(lambda size=head.size: desk.sizes()[-1:] == [size])  # type: ignore[misc]
        await asyncio.sleep(0.1)
    assert desk.sizes() == [0, 10, 20]


async def test_what_was_stored_last_is_published_at_the_end(store: SqlStore, tmp_path: Path) -> None:
    made = Running(store, tmp_path / "tlog")
    made.stop.set()
    grow(store, [event_entry(n) for n in range(7)])
    await made.task
    assert made.sizes() == [7]


async def test_a_disk_that_heals_is_waited_for(store: SqlStore, tmp_path: Path) -> None:
    out = tmp_path / "tlog"
    out.write_text("in the way")
    async with running(store, out) as desk:
        await desk.until(lambda: bool(desk.codes()))
        await asyncio.sleep(0.2)
        assert desk.codes() == ["publishing.unavailable"]  # once, however often it was tried
        out.unlink()
        await desk.until(lambda: desk.sizes() == [0])
    paused = [fact for fact in desk.facts if isinstance(fact, Paused)]
    assert [(fact.code, fact.paused) for fact in paused] == [
        ("publishing.unavailable", True),
        ("publishing.unavailable", False),
    ]


async def test_another_publisher_is_waited_for(store: SqlStore, tmp_path: Path) -> None:
    async with running(store, tmp_path / "tlog") as desk:
        await desk.until(lambda: desk.sizes() == [0])
        with LogDirectory(tmp_path / "tlog").locked():
            grow(store, [event_entry(0)])
            await asyncio.sleep(0.2)
            assert desk.sizes() == [0]
        await desk.until(lambda: desk.sizes() == [0, 1])
    assert desk.codes() == []  # `audit publish` by hand is nothing to look at


async def test_evidence_is_left_alone_and_the_desk_goes_on(store: SqlStore, tmp_path: Path) -> None:
    out = tmp_path / "tlog"
    grow(store, [event_entry(n) for n in range(9)])
    publisher(store, out).publish()
    tile = out / "tile" / "0" / "000.p" / "9"
    tile.write_bytes(bytes(9 * 32))
    before = files(out)
    async with running(store, out) as desk:
        await asyncio.wait_for(desk.task, 30)  # it ends without an error, so that the desk does not
    assert desk.codes() == ["publishing.contradicted"]
    assert desk.sizes() == []
    assert files(out) == before


async def test_a_damaged_store_ends_the_desk(store: SqlStore, tmp_path: Path) -> None:
    grow(store, [event_entry(0)])
    made = publisher(store, tmp_path / "tlog")
    made._head_holds = lambda signed, at_ms: False
    stop = asyncio.Event()
    with pytest.raises(StoreDamaged):
        await publish_while_running(Publication(made, 0.01), DESK, lambda fact: None, stop)


@pytest.mark.parametrize("good", ["audit.city.example.jp", "audit.example/logs", "127.0.0.1:8000/a.b/c_d"])
def test_addresses_that_a_log_may_have(good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_TLOG_ADDRESS", good)
    assert LogSettings().tlog_address == good


@pytest.mark.parametrize(
    "bad", ["", "https://x", "x/", "/x", "a b", "a+b", "監", "A.example", "x" * 201, "a//b", "a\n"]
)
def test_addresses_that_no_reader_would_take(bad: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_TLOG_ADDRESS", bad)
    with pytest.raises(ValidationError):
        LogSettings()
