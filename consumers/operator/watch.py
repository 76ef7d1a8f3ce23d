"""The watch over dead letters, by the principal `monitor`: how many are open, how old, and what ends them.

It opens nothing: a letter in quarantine counts under the tenant on whose topic it was refused, or under `shared`.
It reads what it may read and writes nothing, so it can run anywhere and as often as somebody likes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from consumers.operator.book import Book, Known, State
from consumers.operator.letters import open_nothing
from consumers.operator.reading import LetterReader, ReadingRole
from consumers.patience import Patience, sleep
from hub.envelope.records import LetterResolved
from hub.facts import Alarm, LetterEnded, LettersOpen, Observer, Ready
from hub.transport import NotAuthorized

EVERYBODY: Final = "shared"
"""the tenant label of a letter that nothing attributes to a tenant"""
INTERVAL_SECONDS: Final = 5.0
REOPEN_AFTER: Final = timedelta(seconds=30)
"""how long a reader is kept that does not read all of what is declared now"""
_HEARING_SECONDS: Final = 10
WARNING: Final = timedelta(days=7)
"""before retention deletes an open letter"""
Group = tuple[str, str]
"""tenant, reason code"""


def open_letters(letters: Iterable[Known], now: datetime) -> dict[Group, tuple[int, float]]:
    """Return by tenant and reason how many letters are open, and the age of the oldest in seconds. Pure."""
    found: dict[Group, tuple[int, float]] = {}
    for known in letters:
        if known.state is State.OPEN:
            group = (known.letter.tenant or EVERYBODY, known.letter.reason.value)
            count, oldest = found.get(group, (0, 0.0))
            found[group] = (count + 1, max(oldest, (now - known.letter.written_at).total_seconds()))
    return found


def ended(statements: Iterable[LetterResolved]) -> Counter[tuple[str, str, str]]:
    """Count statements by tenant, reason of the refusal, and what was done. Pure."""
    return Counter((said.tenant or EVERYBODY, said.refused.value, said.kind.value) for said in statements)


class LetterWatch:
    """`await LetterWatch(role, observer, now).run(stop)`."""

    def __init__(
        self,
        role: ReadingRole,
        observer: Observer,
        now: Callable[[], datetime],
        *,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        """Nothing is connected before `run`. `now` gives aware times."""
        self._role = role
        self._observe = observer
        self._now = now
        self._interval = interval_seconds
        self._patience = Patience("monitor-letters", observer)
        self._groups: set[Group] = set()
        self._warned = False
        self._counted: set[tuple[str, str, datetime]] | None = None
        letters = next(topic for topic in role.topology.topics if topic.key == "dead-letters")
        self._retention = timedelta(milliseconds=int(letters.configs["retention.ms"]))

    async def run(self, stop: asyncio.Event) -> None:
        """Tell the numbers until `stop`. After any trouble everything is read anew: numbers are never half a truth."""
        while not stop.is_set():
            await self._patience.while_going("letters", lambda going: self._watch(going, stop), stop)

    async def _watch(self, going: Callable[[], None], stop: asyncio.Event) -> bool:
        book = Book()
        opened = self._now()
        async with LetterReader(self._role, open_nothing, self._now) as reader:
            while not stop.is_set():
                try:
                    self._count(await reader.catch_up(book))
                except NotAuthorized:  # a tenant left, and the right to read its letters with it
                    if not await self._declared_anew(reader, stop):
                        raise
                    break
                book.forget(self._now() - self._retention)
                self._tell(book)
                self._observe(Ready("letters", True))
                going()
                if not reader.current and self._now() - opened > REOPEN_AFTER:
                    break
                await sleep(stop, self._interval)
        return True

    async def _declared_anew(self, reader: LetterReader, stop: asyncio.Event) -> bool:
        """Say whether another topology holds now, or will in a moment: the broker may have heard before us."""
        for _ in range(_HEARING_SECONDS):
            if reader.outdated:
                return True
            await sleep(stop, 1.0)
        return reader.outdated

    def _count(self, said: Iterable[LetterResolved]) -> None:
        """Count what is new. What ended before we came was counted by who watched then."""
        counted, first = self._counted or set(), self._counted is None
        new = [each for each in said if (each.key, each.kind.value, each.resolved_at) not in counted]
        self._counted = counted | {(each.key, each.kind.value, each.resolved_at) for each in new}
        for (tenant, reason, kind), count in sorted(ended(new).items()) if not first else ():
            self._observe(LetterEnded(tenant, reason, kind, count))

    def _tell(self, book: Book) -> None:
        now = self._now()
        found: Mapping[Group, tuple[int, float]] = open_letters(book.all(), now)
        gone = dict.fromkeys(self._groups - found.keys(), (0, 0.0))
        self._groups |= found.keys()
        self._observe(LettersOpen({**gone, **found}))
        late = [group for group, (_, oldest) in found.items() if oldest > (self._retention - WARNING).total_seconds()]
        if late and not self._warned:
            self._observe(Alarm("letters.about-to-expire", "dead-letters"))
        self._warned = bool(late)
