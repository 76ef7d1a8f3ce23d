"""A month of operation events, artificial and seeded: desks in shifts, nightly jobs, holidays, and planted anomalies.

    accounts at their desks on open days ┐
    role processes day and night         ├─> planned lines by day ─> logs with their chains ─> (signed) records
    one plant per anomaly                ┘

`python -m tests.watch.month --events 2000000` takes the figures of docs/reports/analysis.md with the rules alone.
"""

from __future__ import annotations

import argparse
import calendar
import hashlib
import random
import sys
import time as clock
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Final

from consumers.calendar import is_open
from hub.crypto.identity import IdentityKey
from hub.envelope.operations import FIRST, Kind, Operation, OperationEvent, fingerprint, line_hash
from hub.envelope.times import JST, to_ms
from monitoring.analysis.detector import Detector
from monitoring.analysis.findings import Finding
from monitoring.analysis.rules.base import Conditions

TENANT: Final = "131041"
MONTH: Final = (2026, 1)
"""with New Year and 成人の日"""
_PROBE_MINUTES: Final = 5
_PER_ACCOUNT_DAY: Final = 150
"""lines of one account on an open day"""
NIGHTLY: Final = "nightly"
"""the account of the job that exports at night"""


@dataclass(frozen=True, slots=True)
class Planned:
    """What somebody does, before a log gives it its place."""

    principal: str
    said: Operation


@dataclass(frozen=True, slots=True)
class Plant:
    """An anomaly: the lines that make it, and what must be found (rule, subject)."""

    rule: str
    subject: str
    lines: tuple[Planned, ...]
    silence: tuple[str, datetime, datetime] | None = None
    """a principal that says nothing meanwhile"""


@dataclass(frozen=True, slots=True)
class Month:
    """What to generate. The same values give the same lines."""

    events: int
    seed: int
    namespace: str = "rehearsal"
    plants: tuple[Plant, ...] = ()
    year: int = MONTH[0]
    month: int = MONTH[1]
    accounts: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """As many accounts as have that much to do."""
        open_days = sum(is_open(day) for day in self.days())
        count = max(4, round(0.62 * self.events / (_PER_ACCOUNT_DAY * open_days)))
        object.__setattr__(self, "accounts", tuple(f"staff{number:04}" for number in range(count)))

    def days(self) -> list[date]:
        """All days."""
        return [date(self.year, self.month, day + 1) for day in range(calendar.monthrange(self.year, self.month)[1])]

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        return _at(self.days()[-1], 0) + timedelta(days=1)

    def lines(self) -> Iterator[Planned]:
        """All lines, in order of time."""
        days = self.days()
        open_days = sum(is_open(day) for day in days)
        people = sum(_PER_ACCOUNT_DAY for _ in self.accounts) * open_days
        processes = max(0, self.events - people) // len(days)
        for day in days:
            rng = random.Random(f"{self.seed}/{day}")
            lines = list(self._of_processes(day, rng, processes))
            if is_open(day):
                for number, account in enumerate(self.accounts):
                    lines += self._of_person(day, rng, number, account)
            for plant in self.plants:
                lines += [line for line in plant.lines if line.said.occurred_at.astimezone(JST).date() == day]
            lines = [line for line in lines if not self._silenced(line)]
            lines.sort(key=lambda line: (line.said.occurred_at, line.principal))
            yield from lines

    def _silenced(self, line: Planned) -> bool:
        return any(
            plant.silence is not None
            and line.principal == plant.silence[0]
            and plant.silence[1] < line.said.occurred_at < plant.silence[2]
            for plant in self.plants
        )

    def _of_person(self, day: date, rng: random.Random, number: int, account: str) -> Iterator[Planned]:
        """One account's day at one terminal: lists, opens, decides; a little comes to nothing."""
        desk = f"{'helpdesk' if number % 3 == 2 else 'review'}-{TENANT}"
        address = f"10.{20 + number // 250}.{number // 50 % 5}.{10 + number % 50}"
        at = sorted(rng.randrange(8 * 3600 + 40 * 60, 17 * 3600) for _ in range(_PER_ACCOUNT_DAY))
        receipt = ""
        for place, second in enumerate(at):
            moment = _at(day, second)
            choice = rng.random()
            if not receipt or choice < 0.45:
                receipt = _receipt(self.seed, day, number, place)
                kind = Kind.LOOKED_UP if desk.startswith("helpdesk") else Kind.VIEWED
                said = Operation(kind, moment, actor=account, address=address, tenant=TENANT, receipt=receipt)
            elif choice < 0.7:
                said = Operation(
                    Kind.LISTED, moment, actor=account, address=address, tenant=TENANT, count=rng.randint(1, 50)
                )
            elif choice < 0.97 and not desk.startswith("helpdesk"):
                said = Operation(
                    Kind.DECIDED, moment, actor=account, address=address, tenant=TENANT, receipt=receipt, code="accept"
                )
            elif choice < 0.99:
                said = Operation(
                    Kind.EXPORTED, moment, actor=account, address=address, tenant=TENANT, count=rng.randint(1, 40)
                )
            else:
                said = Operation(
                    Kind.VIEWED, moment, "not-found", actor=account, address=address, tenant=TENANT,
                    receipt=_receipt(self.seed, day, number, -1 - place),
                )  # fmt: skip
            yield Planned(desk, said)

    def _of_processes(self, day: date, rng: random.Random, count: int) -> Iterator[Planned]:
        """Probes, keys used, connections, a few refusals and restarts, the nightly job."""
        start = _at(day, 0)
        for minute in range(0, 24 * 60, _PROBE_MINUTES):
            yield Planned("monitor", Operation(Kind.PROBED, start + timedelta(minutes=minute), about="round"))
        yield Planned(
            f"review-{TENANT}",
            Operation(Kind.EXPORTED, start + timedelta(hours=2), actor=NIGHTLY, tenant=TENANT, count=30_000),
        )
        roles = ("router", "portal", f"review-{TENANT}", f"helpdesk-{TENANT}", f"audit-{TENANT}")
        for _ in range(rng.randint(0, 3)):
            second = rng.randrange(86_400)
            yield Planned(
                "monitor",
                Operation(
                    Kind.HANDSHAKE_REFUSED, _at(day, second), "refused", address=f"10.9.0.{rng.randrange(9)}:5000"
                ),
            )
        for _ in range(rng.randint(0, 2)):
            name = rng.choice(roles)
            yield Planned("monitor", Operation(Kind.DENIED, _at(day, rng.randrange(86_400)), "denied", actor=name))
        for number in range(2):
            said = Operation(
                Kind.COMMANDED, _at(day, 10 * 3600 + number * 7200), actor="operator1", about="topics plan"
            )
            if is_open(day):
                yield Planned("operator", said)
        for name in roles:
            if rng.random() < 0.1:
                moment = _at(day, rng.randrange(86_400))
                yield Planned(name, Operation(Kind.FAILED, moment, "kafka.unavailable", about="route"))
                yield Planned(name, Operation(Kind.STARTED, moment + timedelta(seconds=3), about="route"))
        done = 24 * 60 // _PROBE_MINUTES + 8
        for _ in range(count - done):
            name = rng.choice(roles)
            moment = _at(day, rng.randrange(86_400))
            if rng.random() < 0.9:
                yield Planned(name, Operation(Kind.KEY_USED, moment, about="audience", count=rng.randint(1, 200)))
            else:
                yield Planned(name, Operation(rng.choice((Kind.CONNECTED, Kind.DISCONNECTED)), moment, about="brokers"))


def _at(day: date, second: int) -> datetime:
    return datetime.combine(day, time(), JST) + timedelta(seconds=second)


def _receipt(seed: int, day: date, number: int, place: int) -> str:
    return fingerprint(f"R8-{seed}-{day.isoformat()}-{number}-{place}")


ERASED: Final = fingerprint("R8-erased")


def conditions(month: Month) -> Conditions:
    """What the rules know in these months: one submission was erased on the first."""
    return Conditions(erased={ERASED: to_ms(_at(month.days()[0], 0))}, automatic=frozenset({NIGHTLY}))


def _plants(day: date, closed: date) -> dict[str, Plant]:
    """One plant for each rule, on an open day and on a closed one; none shares an account with another."""

    def when(hour: int, minute: int = 0, second: int = 0) -> datetime:
        return _at(day, hour * 3600 + minute * 60 + second)

    def access(kind: Kind, account: str, at: datetime, receipt: str = "", **more: object) -> Planned:
        values: dict[str, object] = {"address": "10.99.0.1", "tenant": TENANT, **more}
        return Planned(f"review-{TENANT}", Operation(kind, at, actor=account, receipt=receipt, **values))  # type: ignore[arg-type]

    def receipt(number: int) -> str:
        return fingerprint(f"R8-planted-{number}")

    same = receipt(0)
    last = Operation(Kind.LISTED, when(12))
    found = [
        Plant(
            "outside-hours", "nightowl",
            tuple(access(Kind.VIEWED, "nightowl", _at(closed, 3 * 3600 + n), receipt(n)) for n in range(3)),
        ),
        Plant(
            "bulk-viewing", "collector",
            tuple(
                access(Kind.VIEWED, "collector", when(10, 30) + timedelta(seconds=50 * n), receipt(n))
                for n in range(65)
            ),
        ),
        Plant(
            "bulk-export", "exporter",
            tuple(access(Kind.EXPORTED, "exporter", when(11, n), count=2_500) for n in range(4)),
        ),
        Plant(
            "repeated-look-up", f"curious {same}",
            tuple(access(Kind.LOOKED_UP, "curious", when(9 + n // 2, 10 + 20 * (n % 2)), same) for n in range(12)),
        ),
        Plant(
            "two-addresses", "shared",
            (
                access(Kind.VIEWED, "shared", when(13), receipt(1)),
                access(Kind.VIEWED, "shared", when(13, 8), receipt(2), address="10.99.0.2"),
            ),
        ),
        Plant(
            "failed-access", "guesser",
            tuple(
                access(Kind.VIEWED, "guesser", when(14, 0, 5 * n), receipt(n), outcome="not-found") for n in range(15)
            ),
        ),
        Plant("erased-look-up", f"seeker {ERASED}", (access(Kind.LOOKED_UP, "seeker", when(15), ERASED),)),
        Plant(
            "administration-outside-hours", "admin2",
            (Planned("admin", Operation(Kind.COMMANDED, _at(closed, 7200), actor="admin2", about="topics apply")),),
        ),
        Plant(
            "bulk-discard", "operator2",
            tuple(
                Planned(
                    "operator", Operation(Kind.LETTER_ENDED, when(16, n), actor="operator2", code="discarded", count=20)
                )
                for n in range(3)
            ),
        ),
        Plant(
            "refused-handshakes", "192.0.2.7",
            tuple(
                Planned(
                    "monitor",
                    Operation(Kind.HANDSHAKE_REFUSED, when(4, 0, 9 * n), "refused", address=f"192.0.2.7:{4000 + n}"),
                )
                for n in range(30)
            ),
        ),
        Plant(
            "denials", "portal",
            (Planned("monitor", replace(last, kind=Kind.DENIED, outcome="denied", actor="portal", count=14)),),
        ),
        Plant(
            "unexpected-peer", "stranger",
            (Planned("monitor", replace(last, kind=Kind.PEER_UNEXPECTED, outcome="unexpected", actor="stranger")),),
        ),
        Plant(
            "control-stopped", "monitor plaintext",
            (Planned("monitor", replace(last, kind=Kind.PROBED, outcome="accepted", about="plaintext")),),
        ),
        Plant(
            "failures", "portal",
            tuple(
                Planned("portal", Operation(Kind.FAILED, when(5, n), "store.full", about="submit")) for n in range(6)
            ),
        ),
        Plant(
            "missing-checkpoints", f"audit-{TENANT} checkpoint-missing",
            (Planned(f"audit-{TENANT}", replace(last, kind=Kind.ALARM, code="checkpoint-missing")),),
        ),
        Plant(
            "alarms", "router kafka.unavailable",
            tuple(
                Planned("router", Operation(Kind.ALARM, when(6, n), about="router", code="kafka.unavailable", count=8))
                for n in range(3)
            ),
        ),
        Plant("silent-peer", "monitor", (), silence=("monitor", when(18), when(21))),
    ]  # fmt: skip
    return {plant.rule: plant for plant in found}


def plants(month: Month, *rules: str) -> tuple[Plant, ...]:
    """Return plants for these rules, or for all."""
    days = month.days()
    open_days = [day for day in days if is_open(day)]
    closed = next(day for day in days[10:] if not is_open(day))
    every = _plants(open_days[len(open_days) // 2], closed)
    return tuple(every[rule] for rule in (rules or every))


def planted(month: Month) -> set[tuple[str, str]]:
    """What must be found, and nothing else."""
    return {(plant.rule, plant.subject) for plant in month.plants}


def found(findings: Iterable[Finding]) -> set[tuple[str, str]]:
    """Findings in the same words."""
    return {(each.rule, each.subject) for each in findings}


def events(month: Month, *, instance: str = "-1") -> Iterator[OperationEvent]:
    """The lines in their logs, unsigned: one log per principal, `previous` is not a hash of anything."""
    logs: dict[str, int] = {}
    for line in month.lines():
        sequence = logs.get(line.principal, 0)
        logs[line.principal] = sequence + 1
        yield OperationEvent(
            line.principal,
            f"{line.principal}{instance}",
            month.namespace,
            _log(month, line.principal),
            sequence,
            FIRST if not sequence else bytes([1]) * 32,
            line.said,
        )


def records(month: Month, keys: Mapping[str, IdentityKey]) -> Iterator[tuple[OperationEvent, bytes]]:
    """The lines as signed and chained records."""
    newest: dict[str, bytes] = {}
    for event in events(month):
        chained = replace(event, previous=newest.get(event.principal, FIRST))
        value = chained.sign(keys[event.principal])
        newest[event.principal] = line_hash(value)
        yield chained, value


def _log(month: Month, principal: str) -> bytes:
    return hashlib.sha256(f"{month.seed}/{principal}".encode()).digest()[:16]


def analysed(month: Month, lines: Callable[[], Iterable[OperationEvent]] | None = None) -> list[Finding]:
    """What the rules find without Kafka."""
    detector = Detector(conditions(month), {"monitor": 30})
    for event in events(month) if lines is None else lines():
        detector.take(event)
    return detector.finish(to_ms(month.ends))


def main(arguments: list[str]) -> int:
    """Run the rules over a clean month and one with every plant; print figures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=20260101)
    given = parser.parse_args(arguments)
    clean = Month(given.events, given.seed)
    dirty = replace(clean, plants=plants(clean))
    good = True
    for name, month in (("clean", clean), ("planted", dirty)):
        begun = clock.monotonic()
        result = analysed(month)
        took = clock.monotonic() - begun
        right = found(result) == planted(month)
        good &= right
        print(f"{name}: seed {given.seed}, {len(month.accounts)} accounts, {len(result)} findings,", end=" ")
        print(f"{'as planted' if right else 'WRONG'}, {took:.1f} s")
        for each in sorted(found(result) ^ planted(month)):
            print("  differs:", *each)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
