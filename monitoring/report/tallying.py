"""The operations log of a period in numbers: one pass over its lines, memory bounded whatever they say.

A city's report has nothing of another city: lines that name another tenant, or that come from another tenant's
principal, are left out; what belongs to nobody alone (router, brokers, machines) stands in everybody's report.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from hub.envelope.operations import CLASS_OF, Class, Kind, OperationEvent
from hub.envelope.times import to_ms
from monitoring.network.judgement import Verdict
from monitoring.report.model import MAX_LISTED, MAX_NAMED, OTHERS, Counted, Period, Probed, Process, Use
from monitoring.report.words import hour_of, slot_of

_OF_A_TENANT: Final = re.compile(r".*-([0-9]{6})")
GOOD: Final = "ok"
"""the outcome of what went as it should"""
_HELD: Final = frozenset({GOOD, Verdict.REFUSED.value})
ROUND: Final = "round"
"""what the line about a whole round of the network watch is about"""
_PAIR: Final = (OTHERS, OTHERS)
_REFUSING: Final = frozenset({Kind.DENIED, Kind.HANDSHAKE_REFUSED, Kind.PEER_UNEXPECTED})
_MAX_CONFIGURATIONS: Final = 5


def of_tenant(principal: str, tenant: str) -> bool:
    """Say whether a principal is this tenant's, or nobody's alone."""
    owner = _OF_A_TENANT.fullmatch(principal)
    return owner is None or owner[1] == tenant


class Pairs(Counter[tuple[str, str]]):
    """Counts pairs of names; beyond MAX_NAMED all new ones together."""

    def note(self, name: str, about: str, count: int = 1) -> None:
        """Add to a pair."""
        pair = name, about
        self[pair if pair in self or len(self) < MAX_NAMED else _PAIR] += count

    def ranked(self) -> tuple[Counted, ...]:
        """Return the largest, and all others as one."""
        rest = self.get(_PAIR, 0)
        rows = sorted(((n, p) for p, n in self.items() if p != _PAIR), key=lambda row: (-row[0], row[1]))
        rest += sum(n for n, _ in rows[MAX_LISTED:])
        found = [Counted(name, about, n) for n, (name, about) in rows[:MAX_LISTED]]
        return (*found, Counted(OTHERS, OTHERS, rest)) if rest else tuple(found)


@dataclass(slots=True)
class _Probe:
    good: int = 0
    bad: int = 0
    unknown: int = 0
    last: str = ""
    at_ms: int = -1


@dataclass(slots=True)
class _Process:
    kinds: Counter[Kind] = field(default_factory=Counter)
    lines: int = 0
    configurations: list[str] = field(default_factory=list)
    last: str = ""
    at_ms: int = -1


class Tally:
    """Counts lines; `take` each once, in any order, then `use`."""

    def __init__(self, tenant: str, period: Period) -> None:
        """Begin with nothing, for one tenant and period."""
        self._tenant, self._period = tenant, period
        self._slots = slot_of(period.end_ms - 1, period.begin_ms, monthly=period.monthly) + 1
        self._lines = self._refused_access = 0
        self._classes: dict[Class, Counter[int]] = {each: Counter() for each in Class}
        self._kinds = Counter[str]()
        self._access, self._commands, self._alarms = Pairs(), Pairs(), Pairs()
        self._denied, self._peers = Pairs(), Pairs()
        self._letters, self._handshakes = Pairs(), Pairs()
        self._access_slots, self._network_slots, self._hours = Counter[int](), Counter[int](), Counter[int]()
        self._probes: dict[str, _Probe] = {}
        self._processes: dict[str, _Process] = {}

    def concerns(self, line: OperationEvent) -> bool:
        """Say whether a line belongs in this tenant's report of this period."""
        if not self._period.begin_ms <= to_ms(line.operation.occurred_at) < self._period.end_ms:
            return False
        return line.operation.tenant in ("", self._tenant) and of_tenant(line.principal, self._tenant)

    def take(self, line: OperationEvent) -> None:
        """Count a line if it concerns this report."""
        if not self.concerns(line):
            return
        said = line.operation
        at = to_ms(said.occurred_at)
        slot = slot_of(at, self._period.begin_ms, monthly=self._period.monthly)
        self._lines += 1
        self._kinds[said.kind.value] += 1
        self._classes[CLASS_OF[said.kind]][slot] += 1
        self._process(line, at)
        if CLASS_OF[said.kind] is Class.ACCESS:
            who = said.actor or line.principal
            self._access.note(who, said.kind.value, said.count)
            self._access_slots[slot] += said.count
            self._hours[hour_of(at)] += said.count
            self._refused_access += said.outcome != GOOD
        if said.kind in _REFUSING:
            self._network_slots[slot] += said.count
        also = self._ALSO.get(said.kind)
        if also is not None:
            also(self, line, at)

    def _process(self, line: OperationEvent, at: int) -> None:
        known = self._processes
        name = line.principal if line.principal in known or len(known) < MAX_NAMED else OTHERS
        found = known.setdefault(name, _Process())
        found.lines += 1
        said = line.operation
        if CLASS_OF[said.kind] is not Class.SYSTEM:
            return
        found.kinds[said.kind] += 1
        if said.kind is Kind.CONFIGURED and said.code not in found.configurations[-_MAX_CONFIGURATIONS:]:
            found.configurations = [*found.configurations, said.code][-_MAX_CONFIGURATIONS:]
        if at >= found.at_ms:
            found.last, found.at_ms = said.kind.value, at

    def _probed(self, line: OperationEvent, at: int) -> None:
        said, known = line.operation, self._probes
        name = said.about if said.about in known or len(known) < MAX_LISTED else OTHERS
        found = known.setdefault(name, _Probe())
        count = 1 if said.about == ROUND else said.count  # of a round `count` is its attempts
        if said.outcome in _HELD:
            found.good += count
        elif said.outcome == Verdict.UNKNOWN.value or said.about == ROUND:
            found.unknown += count  # what was let in has a line of its own, by its control
        else:
            found.bad += count
        if at >= found.at_ms:
            found.last, found.at_ms = said.outcome, at

    _ALSO: Final[dict[Kind, Callable[[Tally, OperationEvent, int], None]]] = {
        Kind.PROBED: _probed,
        Kind.DENIED: lambda self, line, _: self._denied.note(
            line.operation.actor, line.operation.about, line.operation.count
        ),
        Kind.HANDSHAKE_REFUSED: lambda self, line, _: self._handshakes.note(
            line.operation.code, "", line.operation.count
        ),
        Kind.PEER_UNEXPECTED: lambda self, line, _: self._peers.note(
            line.operation.address, line.operation.actor or line.operation.about, line.operation.count
        ),
        Kind.ALARM: lambda self, line, _: self._alarms.note(
            line.operation.code, line.principal, line.operation.count
        ),
        Kind.COMMANDED: lambda self, line, _: self._commands.note(line.operation.actor, line.operation.about),
        Kind.LETTER_ENDED: lambda self, line, _: self._letters.note(line.operation.outcome, "", line.operation.count),
    }  # fmt: skip

    def use(self) -> Use:
        """Return the numbers."""
        return Use(
            lines=self._lines,
            by_class=tuple((each.value, self._counted(self._classes[each])) for each in Class),
            by_kind=tuple(sorted(self._kinds.items())),
            access=self._access.ranked(),
            access_by_slot=self._counted(self._access_slots),
            access_by_hour=tuple(self._hours[hour] for hour in range(24)),
            refused_access=self._refused_access,
            commands=self._commands.ranked(),
            letters_ended=tuple((each.name, each.count) for each in self._letters.ranked()),
            alarms=self._alarms.ranked(),
            denied=self._denied.ranked(),
            handshakes_refused=tuple((each.name, each.count) for each in self._handshakes.ranked()),
            peers_unexpected=self._peers.ranked(),
            network_by_slot=self._counted(self._network_slots),
            probes=tuple(
                Probed(name, each.good, each.bad, each.unknown, each.last, each.at_ms)
                for name, each in sorted(self._probes.items())
            ),
            processes=tuple(_processes(self._processes)),
        )

    def _counted(self, counter: Counter[int]) -> tuple[int, ...]:
        return tuple(counter[number] for number in range(self._slots))


def _processes(found: dict[str, _Process]) -> Iterable[Process]:
    for name, each in sorted(found.items())[:MAX_LISTED]:
        yield Process(
            name,
            each.kinds[Kind.STARTED],
            each.kinds[Kind.STOPPED],
            each.kinds[Kind.FAILED],
            each.kinds[Kind.PAUSED],
            each.lines,
            tuple(each.configurations),
            each.last,
            each.at_ms,
        )
