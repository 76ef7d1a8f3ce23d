"""Which letters are open, and which one is another come back. Pure: letters and statements in, states out.

    open ──replay──> replayed ──(again)──> replayed        a letter that names the place to which a record was
      └───discard──> discarded ──(again)──> replayed       sent back is a new letter, one generation on

A desk that crashed may have written the same letter twice: the first copy is the letter, the others are
counted. Order does not matter: a statement may be added before its letter or without it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from consumers.operator.healing import Healing, healing_of
from consumers.operator.letters import EVENT, Letter
from hub.envelope.letters import Place
from hub.envelope.records import LetterResolved, Resolution


class State(StrEnum):
    """What became of a letter."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Known:
    """A letter with everything that follows from the others."""

    letter: Letter
    statements: tuple[LetterResolved, ...] = ()
    """what was done with it, oldest first"""
    former: LetterResolved | None = None
    """the replay that led to this letter"""
    copies: int = 1

    @property
    def state(self) -> State:
        """What was done last."""
        if not self.statements:
            return State.OPEN
        return State.REPLAYED if self.statements[-1].kind is Resolution.REPLAYED else State.DISCARDED

    @property
    def generation(self) -> int:
        """How often its record was sent back before this letter came of it."""
        return 0 if self.former is None else self.former.generation + 1

    @property
    def returned(self) -> bool:
        """Whether it came back for the same reason: its cause was still there."""
        return self.former is not None and self.former.refused is self.letter.reason

    @property
    def healing(self) -> Healing:
        """What it waits for."""
        described = self.letter.described
        return healing_of(self.letter.reason, event=described is not None and described.record == EVENT)


class Book:
    """All letters that retention has left, and all statements about any."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._letters: dict[tuple[str, Place], Letter] = {}
        self._copies: defaultdict[tuple[str, Place], list[Place]] = defaultdict(list)
        self._first: dict[Place, tuple[str, Place]] = {}
        self._statements: defaultdict[Place, list[LetterResolved]] = defaultdict(list)
        self._sent_to: dict[Place, LetterResolved] = {}
        self.unread = 0
        """records that are no letter, or no statement of the operator"""

    def add_letter(self, letter: Letter) -> None:
        """Take a letter; one topic's letters come in the order of their partitions."""
        same = (letter.place.topic, letter.origin)
        self._letters.setdefault(same, letter)
        self._copies[same].append(letter.place)
        self._first[letter.place] = same

    def add_statement(self, said: LetterResolved) -> None:
        """Take a statement; in the order of their topic."""
        self._statements[said.letter].append(said)
        if said.returned_at is not None:
            self._sent_to[said.returned_at] = said

    def __len__(self) -> int:
        """How many letters there are."""
        return len(self._letters)

    def find(self, place: Place) -> Known | None:
        """Return the letter that lies at a place (or whose copy does)."""
        same = self._first.get(place)
        return None if same is None else self._known(same)

    def all(self) -> Iterator[Known]:
        """Yield every letter, by when it was written."""
        for same in sorted(self._letters, key=lambda each: (self._letters[each].written_at, each[0], _order(each[1]))):
            yield self._known(same)

    def _known(self, same: tuple[str, Place]) -> Known:
        letter, copies = self._letters[same], self._copies[same]
        statements = [said for place in copies for said in self._statements.get(place, ())]
        return Known(letter, tuple(statements), self._sent_to.get(letter.origin), len(copies))

    def forget(self, before: datetime) -> None:
        """Let go of letters written before a time (retention has deleted them) and of what was said of them."""
        for same in [each for each, letter in self._letters.items() if letter.written_at < before]:
            del self._letters[same]
            for place in self._copies.pop(same):
                self._first.pop(place, None)
                for said in self._statements.pop(place, ()):
                    if said.returned_at is not None:
                        self._sent_to.pop(said.returned_at, None)


def _order(place: Place) -> tuple[str, int, int]:
    return place.topic, place.partition, place.offset


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant; None means any."""

    states: frozenset[State] | None = frozenset({State.OPEN})
    tenant: str | None = None
    topic: str | None = None
    """full name of the topic on which the record was refused"""
    stage: str | None = None
    reason: str | None = None
    older_than: timedelta | None = None
    receipt: bytes | None = None
    """fingerprint of a receipt number"""

    def takes(self, known: Known, now: datetime) -> bool:
        """Say whether a letter is meant."""
        letter, described = known.letter, known.letter.described
        return (
            (self.states is None or known.state in self.states)
            and self.tenant in (None, letter.tenant)
            and self.topic in (None, letter.origin.topic)
            and self.stage in (None, letter.stage)
            and self.reason in (None, letter.reason.value)
            and (self.older_than is None or now - letter.written_at >= self.older_than)
            and (self.receipt is None or (described is not None and described.receipt == self.receipt))
        )
