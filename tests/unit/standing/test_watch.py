"""The watch over letters outlives a tenant that leaves, whose letters it may read no more."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from consumers.operator import watch
from consumers.operator.book import Book
from consumers.operator.watch import LetterWatch
from hub.envelope.records import LetterResolved
from hub.transport import NotAuthorized
from tests.unit.standing.world import Office


class Reader:
    """A reader that is refused the first time it is opened."""

    opened = 0
    outdated = True
    current = True

    def __init__(self, *_: object) -> None:
        Reader.opened += 1
        self.refused = Reader.opened == 1

    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def catch_up(self, book: Book) -> tuple[LetterResolved, ...]:
        if self.refused:
            raise NotAuthorized
        return ()


@pytest.mark.parametrize("declared_anew", [True, False])
async def test_a_refusal_ends_the_watch_only_if_nothing_was_declared_anew(
    office: Office, monkeypatch: pytest.MonkeyPatch, declared_anew: bool
) -> None:
    monkeypatch.setattr(watch, "LetterReader", Reader)
    monkeypatch.setattr(watch, "_HEARING_SECONDS", 0)
    monkeypatch.setattr(Reader, "opened", 0)
    monkeypatch.setattr(Reader, "outdated", declared_anew)
    stop, ready = asyncio.Event(), list[object]()

    def observe(fact: object) -> None:
        ready.append(fact)
        if Reader.opened == 2:
            stop.set()

    watching = LetterWatch(office.role("monitor"), observe, lambda: datetime.now(UTC), interval_seconds=0.0)
    async with asyncio.timeout(20):
        if declared_anew:
            await watching.run(stop)
            assert Reader.opened == 2
        else:
            with pytest.raises(NotAuthorized):
                await watching.run(stop)
