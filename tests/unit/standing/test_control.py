"""The control topic carries lists; what counts is who signed them and whether they are newer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from hub import standing
from hub.applying import Wanted, _declare
from hub.enrolment import pinned_at
from hub.envelope.declared import AppliedDeclaration, StandingReport
from hub.envelope.reasons import Reason
from hub.envelope.trust import Trust
from hub.facts import Alarm, Fact, StandingTaken
from hub.reading import control
from hub.reading.control import DECLARATION_KEY, TRUST_KEY, Control, kept_current
from hub.reading.errors import ControlUnavailable
from hub.role import Role
from hub.standing import RoleWithdrawn
from hub.transport import BrokerUnavailable
from tests.unit.reading.lists import Lists
from tests.unit.standing.world import CHEAP, FIRST, NEW, NOW, SECOND, TEXT, WITH_NEW, WITHOUT_SECOND, Office, laid_out

TOPIC = "rehearsal.control"


@dataclass
class Followed:
    """A role, its control topic as a list, and what it said."""

    role: Role
    lists: Lists = field(default_factory=Lists)
    facts: list[Fact] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.control = Control(self.role, self.facts.append, open_reader=self.lists.open)

    def publish(self, key: bytes, value: bytes | None) -> None:
        self.lists.append(TOPIC, key, value)

    @property
    def alarms(self) -> list[str]:
        return [fact.code for fact in self.facts if isinstance(fact, Alarm)]

    @property
    def tenants(self) -> set[str]:
        return {tenant.code for tenant in self.role.topology.tenants}


@pytest.fixture
def followed(office: Office) -> Followed:
    return Followed(office.role("router"))


async def test_the_newest_of_each_is_taken_and_what_was_before_it_rings_no_bell(
    office: Office, followed: Followed
) -> None:
    first = office.home.joinpath("trust.bin").read_bytes()
    office.enrol(WITH_NEW)
    for key, value in (
        (TRUST_KEY, first),
        (DECLARATION_KEY, office.declare(1)),
        (TRUST_KEY, office.home.joinpath("trust.bin").read_bytes()),
        (DECLARATION_KEY, office.declare(2, WITH_NEW)),
    ):
        followed.publish(key, value)
    assert await followed.control.first(asyncio.Event())
    assert followed.role.trust.serial == 2
    assert followed.tenants == {FIRST, SECOND, NEW}
    assert followed.alarms == []
    assert StandingTaken(2, 2, (FIRST, SECOND, NEW)) in followed.facts


async def test_an_older_list_on_the_topic_changes_nothing_and_rings_once(office: Office, followed: Followed) -> None:
    first = office.home.joinpath("trust.bin").read_bytes()
    followed.publish(TRUST_KEY, office.sign(office.following()))
    await followed.control.refresh()
    followed.publish(TRUST_KEY, first)
    for _ in range(3):
        await followed.control.refresh()
    assert followed.role.trust.serial == 2
    assert followed.alarms == ["trust.rolled-back"]


@pytest.mark.parametrize("key", [TRUST_KEY, DECLARATION_KEY])
async def test_garbage_changes_nothing_and_a_deletion_is_no_news(followed: Followed, key: bytes) -> None:
    before = followed.role.trust, followed.role.topology
    followed.publish(key, b"\x00\x00\x00\x00\x00garbage")
    followed.publish(b"somebody-elses", b"x")
    followed.publish(key, None)
    await followed.control.refresh()
    assert (followed.role.trust, followed.role.topology) == before
    assert len(followed.alarms) == 1


async def test_who_asks_learns_what_was_published_by_then(office: Office, followed: Followed) -> None:
    await followed.role.catch_up()
    assert followed.lists.opened == [], "nobody follows yet"
    await followed.control.first(asyncio.Event())
    followed.publish(DECLARATION_KEY, office.declare(1, WITH_NEW))
    await followed.role.catch_up()
    assert NEW in followed.tenants


async def test_work_waits_for_the_brokers_and_stops_waiting_when_told(followed: Followed) -> None:
    followed.lists.trouble = [BrokerUnavailable(), BrokerUnavailable()]
    assert await followed.control.first(asyncio.Event())
    assert followed.alarms == ["control.unavailable"]
    stop = asyncio.Event()
    stop.set()
    assert not await followed.control.first(stop)
    followed.publish(b"another", b"record")
    followed.lists.trouble = [BrokerUnavailable()]
    with pytest.raises(ControlUnavailable):
        await followed.control.refresh()


async def test_a_withdrawn_role_stops_its_work_in_order_and_says_so(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_LOOK_SECONDS", 0.01)
    role, lists, steps = office.role(f"review-{SECOND}"), Lists(), list[str]()
    monkeypatch.setattr(control, "reader_of", lambda endpoint: lists.open)
    stop = asyncio.Event()

    async def work() -> None:
        steps.append("begun")
        lists.append(TOPIC, DECLARATION_KEY, office.declare(1, WITHOUT_SECOND))
        await stop.wait()
        steps.append("in order")

    with pytest.raises(RoleWithdrawn):
        async with asyncio.timeout(20):
            await kept_current(role, lambda fact: None, stop, work)
    assert steps == ["begun", "in order"]
    assert lists.open_now == 0


async def test_a_role_that_was_withdrawn_while_it_was_away_does_no_work(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    role, lists = office.role(f"review-{SECOND}"), Lists()
    monkeypatch.setattr(control, "reader_of", lambda endpoint: lists.open)
    revoked = office.following().revoke(role.identity.key_id, NOW)
    lists.append(TOPIC, TRUST_KEY, office.sign(revoked))

    async def work() -> None:
        raise AssertionError("it worked")

    with pytest.raises(RoleWithdrawn):
        await kept_current(role, lambda fact: None, asyncio.Event(), work)
    assert lists.open_now == 0


async def test_what_was_taken_is_reported_once_each_time_and_a_report_that_fails_stops_nothing(
    office: Office, followed: Followed
) -> None:
    said: list[int] = []

    async def report() -> None:
        said.append(followed.role.standing.declaration_serial)
        if len(said) == 2:
            raise BrokerUnavailable

    following = Control(followed.role, followed.facts.append, report=report, open_reader=followed.lists.open)
    assert await following.first(asyncio.Event())
    followed.publish(DECLARATION_KEY, office.declare(1, WITH_NEW))
    await following.refresh()
    await following.refresh()
    followed.publish(DECLARATION_KEY, office.declare(2))
    await following.refresh()
    assert said == [0, 1, 2]
    assert followed.alarms == ["kafka.unavailable"]


def test_a_report_of_standing_counts_only_from_who_it_names(office: Office) -> None:
    role, other = office.role("router"), office.role(f"review-{FIRST}")
    said = StandingReport("router", "router-1", "rehearsal", 4, 2, NOW)
    assert StandingReport.read(said.sign(role.identity), role.trust) == said
    assert StandingReport.read(said.sign(other.identity), role.trust) is Reason.UNTRUSTED
    assert StandingReport.read(b"", role.trust) is Reason.NOT_FRAMED
    assert StandingReport.read(office.declare(1), role.trust) is Reason.FOREIGN_SCHEMA
    for wrong in (replace(said, instance="router-9"), replace(said, namespace="eltax"), replace(said, principal="x")):
        assert StandingReport.read(wrong.sign(role.identity), role.trust) is Reason.NOT_PERMITTED
    revoked = office.following().revoke(role.identity.key_id, NOW)
    trust = Trust.load(office.sign(revoked), pinned_at(office.home))
    assert StandingReport.read(said.sign(role.identity), trust) is Reason.REVOKED


async def test_a_list_that_cannot_be_kept_is_not_taken_and_is_tried_again(
    office: Office, followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    followed.publish(TRUST_KEY, office.sign(office.following()))
    with monkeypatch.context() as disk:
        disk.setattr(standing, "write_private", full)
        await followed.control.refresh()
    assert followed.role.trust.serial == 1
    assert followed.alarms == ["standing.not-kept"]
    await followed.control.refresh()
    assert followed.role.trust.serial == 2


async def test_a_role_that_can_follow_no_more_does_not_work_on(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_LOOK_SECONDS", 0.01)
    lists, stop = Lists(), asyncio.Event()
    monkeypatch.setattr(control, "reader_of", lambda endpoint: lists.open)

    async def work() -> None:
        monkeypatch.setattr(Control, "refresh", broken)
        await stop.wait()

    async def broken(self: Control) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(20):
            await kept_current(office.role("router"), lambda fact: None, stop, work)


def declared(office: Office, text: str, published: dict[bytes, bytes]) -> tuple[int, bytes]:
    wanted = Wanted(text, laid_out(text))
    value = _declare(office.home, wanted, published, NOW, CHEAP)
    return AppliedDeclaration.load(value, pinned_at(office.home)).serial, value


def test_a_declaration_gets_a_serial_above_all_that_was_published_and_none_if_it_is_the_same(office: Office) -> None:
    serial, first = declared(office, TEXT, {})
    assert serial == 1
    assert declared(office, TEXT, {DECLARATION_KEY: first}) == (1, first)
    assert declared(office, TEXT, {DECLARATION_KEY: b"garbage"}) == (1, first)
    ahead = office.declare(9)
    assert declared(office, TEXT, {DECLARATION_KEY: ahead}) == (9, ahead), "a home restored from a copy"
    assert declared(office, WITHOUT_SECOND, {DECLARATION_KEY: ahead})[0] == 10
    assert (office.home / "roles" / "router" / "declaration.bin").read_bytes() == (
        office.home / "declaration.bin"
    ).read_bytes()
