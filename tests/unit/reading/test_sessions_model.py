"""The session registry against a model: whatever is announced, forged or deleted, it believes only what it may."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hub.envelope.reasons import Reason
from hub.envelope.records import Session
from hub.envelope.session import SessionSecrets
from hub.envelope.signed import Signed, sign
from hub.envelope.trust import Trust
from hub.facts import Fact
from hub.reading.errors import SessionsUnavailable
from hub.reading.sessions import SessionRegistry
from hub.transport import BrokerUnavailable, Endpoint, KafkaRecord
from tests import machines
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.unit.envelope.support import NOW, SESSIONS, identity, new_session, trust, trust_builder
from tests.unit.reading.lists import Lists

NOWHERE: Endpoint = None  # type: ignore[assignment]  # never asked: the lists are read instead
MAX_INDEX, MAX_HELD, MAX_VERDICTS, MAX_COPIES = 12, 9_000, 3, 4
COUNT = 14


@cache
def sessions() -> tuple[SessionSecrets, ...]:
    return tuple(new_session(created_at=NOW + timedelta(seconds=number)) for number in range(COUNT))


@cache
def forged(number: int) -> bytes:
    body = Signed.parse(sessions()[number].signed).body
    return sign(Session.RECORD, body, identity("router"))


@cache
def revoking() -> Trust:
    builder = trust_builder()
    builder.revoke(identity("portal").key_id, NOW)
    return Trust.load(builder.sign(NOW, identity("admin")), identity("admin").public)


@dataclass
class Announced:
    """One record of the topic: of which session (None: of none), and whether its producer signed it."""

    session: int | None
    good: bool


@dataclass
class Model:
    records: list[Announced] = field(default_factory=list)

    def ever_good(self, number: int) -> bool:
        return any(each.session == number and each.good for each in self.records)

    def certain(self, number: int) -> bool:
        """Whether nothing may keep the registry from it: a good copy, however many forged ones, and no overflow."""
        named = {each.session for each in self.records if each.session is not None}
        return len(named) <= MAX_INDEX and self.ever_good(number)


NUMBER = st.integers(0, COUNT - 1)


class RegistryMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.lists = Lists()
        self.now = NOW + timedelta(minutes=1)
        self.trust: Trust = trust()
        self.facts: list[Fact] = []
        self.model = Model()
        self.deleted = 0

    @initialize()
    def start(self) -> None:
        self.registry = SessionRegistry(
            NOWHERE,
            [SESSIONS],
            lambda: self.trust,
            lambda: self.now,
            self.facts.append,  # type: ignore[arg-type]
            open_reader=self.lists.open,
            max_index_entries=MAX_INDEX,
            max_held_bytes=MAX_HELD,
            max_verdicts=MAX_VERDICTS,
        )

    def append(self, number: int | None, key: bytes, value: bytes, *, good: bool) -> KafkaRecord:
        self.model.records.append(Announced(number, good))
        return self.lists.append(SESSIONS, key, value)

    @rule(number=NUMBER)
    def announced(self, number: int) -> None:
        self.append(number, sessions()[number].session.key.encode(), sessions()[number].signed, good=True)

    @rule(number=NUMBER)
    def forged(self, number: int) -> None:
        self.append(number, sessions()[number].session.key.encode(), forged(number), good=False)

    @rule(number=NUMBER, before=st.integers(0, 5), after=st.integers(0, 5))
    def announced_among_forgeries_and_looked_for(self, number: int, before: int, after: int) -> None:
        for _ in range(before):
            self.forged(number)
        self.announced(number)
        for _ in range(after):
            self.forged(number)
        self.ensure({number})

    @rule(number=NUMBER, other=NUMBER)
    def announced_under_the_key_of_another(self, number: int, other: int) -> None:
        if number != other:
            self.append(None, sessions()[other].session.key.encode(), sessions()[number].signed, good=False)

    @rule(garbage=st.binary(max_size=80))
    def garbage(self, garbage: bytes) -> None:
        self.append(None, b"0" * 64, garbage, good=False)

    @rule(wanted=st.sets(NUMBER, max_size=3))
    def ensure(self, wanted: set[int]) -> None:
        ids = [sessions()[number].session.id for number in wanted]
        try:
            self.runner.run(self.registry.ensure(ids))
        except SessionsUnavailable:
            assert self.lists.oldest, "only what retention deleted under a reader keeps it from reading"
            self.runner.run(self.registry.ensure(ids))
        for number in wanted:
            self.judged(number, looked_for=len(wanted) == 1)

    def judged(self, number: int, *, looked_for: bool) -> None:
        session = sessions()[number].session
        found = self.registry.find(session.id)
        if isinstance(found, Session):
            assert found == session
            assert self.model.ever_good(number) and self.trust is trust(), "only what its producer signed, and now"
        elif self.trust is not trust() and self.model.ever_good(number):
            assert found in (Reason.REVOKED, Reason.UNKNOWN_SESSION, Reason.UNTRUSTED)
        elif looked_for and not self.deleted and self.trust is trust() and self.model.certain(number):
            raise AssertionError(f"announced and not found: {found.value}")
        else:
            assert found in (Reason.UNKNOWN_SESSION, Reason.UNTRUSTED)

    @rule(wanted=NUMBER)
    def broker_is_away(self, wanted: int) -> None:
        before = self.registry.sizes["index"]
        self.append(None, b"", b"", good=False)  # something to read, or nobody would notice
        self.lists.trouble = [BrokerUnavailable()]
        with pytest.raises(SessionsUnavailable):
            self.runner.run(self.registry.ensure([]))
        self.lists.trouble = []
        assert self.registry.sizes["index"] >= before or before == MAX_INDEX
        self.judged(wanted, looked_for=False)

    @rule(share=st.floats(0, 1))
    def retention_deletes_the_oldest(self, share: float) -> None:
        there = len(self.lists.records[SESSIONS])
        self.deleted = self.lists.oldest = max(self.lists.oldest, round(there * share))

    @rule()
    def a_key_is_revoked(self) -> None:
        self.trust = revoking()

    @rule()
    def time_passes(self) -> None:
        self.now += timedelta(minutes=2)

    @rule()
    def process_dies_and_starts_again(self) -> None:
        """Nothing is kept: what is still on the topic is all that it knows."""
        self.start()
        self.lists.open_now = 0
        self.deleted = self.lists.oldest

    @rule()
    def reconnects(self) -> None:
        self.runner.run(self.registry.close())

    @invariant()
    def stays_within_its_bounds(self) -> None:
        sizes = self.registry.sizes
        assert sizes["index"] <= MAX_INDEX and sizes["verdicts"] <= MAX_VERDICTS
        largest = max((len(each.signed) + 64 for each in sessions()), default=0) * MAX_COPIES
        assert sizes["held_bytes"] <= max(MAX_HELD, largest)

    @invariant()
    def believes_only_what_it_may(self) -> None:
        for number in range(COUNT):
            self.judged(number, looked_for=False)

    def teardown(self) -> None:
        self.runner.run(self.registry.close())
        self.runner.close()
        assert self.lists.open_now == 0, "every reader was closed"


def test_registry_model(attack: Attack) -> None:
    forged = attack(
        Attacker.BROKER, "announces sessions again under another's signature, before, after and among true ones"
    )
    filled = attack(
        Attacker.BROKER,
        "fills a reader's memory with announcements, true ones, forged ones and garbage",
        Verdict.CONTAINED,
    )
    machines.run(RegistryMachine, runs=25, steps=30)
    forged.prevented(by="session registry", how="only what its producer signed is found", within="same look-up")
    filled.contained(
        by="session registry", how="index, bytes and verdicts stay within their bounds", within="same record"
    )
