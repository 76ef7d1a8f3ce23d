"""Audience keys as published, own secrets, and the letters that need them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.keystore import KeyEntry
from hub.crypto.secret import Secret
from hub.envelope.letters import Content, DeadLetter, open_quarantine
from hub.envelope.reasons import Reason
from hub.envelope.records import AudienceKey, KeyDestroyed
from hub.envelope.signed import sign
from hub.envelope.times import epoch_bounds
from hub.envelope.trust import Trust
from hub.envelope.trust_builder import TrustBuilder
from hub.reading.audiences import AudienceDirectory
from hub.reading.deadletters import write_letter
from hub.reading.errors import AudiencesUnavailable, KeyNotLoaded, QuarantineKeyMissing
from hub.reading.secrets import OwnSecrets
from hub.transport import BrokerUnavailable, Endpoint, KafkaRecord
from tests.unit.envelope.support import (
    NOW,
    audience_key,
    identity,
    new_session,
    private_key,
    signed_audience_key,
    trust,
)
from tests.unit.reading.lists import Lists

TOPIC = "rehearsal.audiences"
EPOCH = 202604


@dataclass
class Given:
    """A directory over a list, with a clock that a test may change."""

    lists: Lists = field(default_factory=Lists)
    now: datetime = NOW

    def publish(self, key: AudienceKey, value: bytes | None = None) -> None:
        self.lists.append(TOPIC, key.key.encode(), value or signed_audience_key(key))

    def directory(self) -> AudienceDirectory:
        nowhere: Endpoint = None  # type: ignore[assignment]
        return AudienceDirectory(nowhere, TOPIC, trust, lambda: self.now, open_reader=self.lists.open)


@pytest.fixture
def given() -> Given:
    return Given()


def of_epoch(audience: str, epoch: int) -> AudienceKey:
    key = AudiencePrivateKey.generate(Suite.HYBRID)
    return AudienceKey(audience, epoch, key.key_id, Suite.HYBRID, key.public, *epoch_bounds(epoch))


async def test_current_key_is_the_highest_epoch_that_is_valid_now(given: Given) -> None:
    this, following = audience_key("quarantine"), of_epoch("quarantine", 202605)
    given.publish(following)
    given.publish(this)
    directory = given.directory()
    await directory.refresh()
    assert directory.current() == this
    given.now = following.not_before
    assert directory.current() == following
    given.now = following.not_after
    assert directory.current() is None


async def test_keys_without_both_signatures_are_none(given: Given) -> None:
    key = audience_key("quarantine")
    given.publish(key, sign("AudienceKey", key.encode(), identity("operator")))
    given.publish(of_epoch("quarantine", EPOCH), sign("AudienceKey", key.encode(), identity("admin")))
    directory = given.directory()
    await directory.refresh()
    assert directory.current() is None
    assert directory.announced("quarantine", EPOCH) == ()


async def test_unreachable_audiences_ask_for_a_pause(given: Given) -> None:
    given.lists.trouble = [BrokerUnavailable()]
    with pytest.raises(AudiencesUnavailable) as raised:
        await given.directory().refresh()
    assert raised.value.retriable


async def test_garbage_under_unknown_names_is_not_kept(given: Given) -> None:
    for number in range(2_000):
        given.lists.append(TOPIC, b"nobody/202604/%016x" % number, b"x" * 100)
        given.lists.append(TOPIC, b"router/202604/%016x" % number, b"x" * 100)
    given.lists.append(TOPIC, b"router/202605/0000000000000000", b"x" * 100_000)
    given.lists.append(TOPIC, b"\xff\xfe", b"x")
    directory = given.directory()
    await directory.refresh()
    kept = sum(len(epoch) for audience in directory._keys.values() for epoch in audience.values())
    assert kept == 1_200
    assert set(directory._keys) == {"router"}


async def test_destroyed_epoch_is_known_when_its_owner_says_so_for_every_key(given: Given) -> None:
    one, two = of_epoch("router", EPOCH), of_epoch("router", EPOCH)
    given.publish(one)
    given.publish(two)
    directory = given.directory()
    for key, signer, expected in ((one, "router", False), (two, "operator", False), (two, "router", True)):
        said = KeyDestroyed("router", EPOCH, key.key_id, NOW)
        given.lists.append(TOPIC, said.key.encode(), sign(KeyDestroyed.RECORD, said.encode(), identity(signer)))
        await directory.refresh()
        assert directory.destroyed("router", EPOCH) is expected
    assert not directory.destroyed("router", 202605)


async def test_earliest_end_counts_for_sessions(given: Given) -> None:
    key = audience_key("router")
    shorter = AudienceKey(*[getattr(of_epoch("router", EPOCH), name) for name in ("audience", "epoch", "key_id")],
                          Suite.HYBRID, b"", key.not_before, key.not_after)  # fmt: skip
    given.publish(key)
    given.publish(shorter)  # its public key is not one: it does not count
    directory = given.directory()
    await directory.refresh()
    assert directory.key("router", EPOCH) == key
    assert directory.key("router", 202605) is None


@dataclass
class Store:
    """A key store in memory that counts how often it is opened."""

    held: dict[tuple[str, int, bytes], AudiencePrivateKey] = field(default_factory=dict)
    opened: int = 0

    def list(self) -> list[KeyEntry]:
        return [KeyEntry(*place) for place in self.held]

    def load_audience(self, audience: str, epoch: int, key_id: bytes | None = None) -> AudiencePrivateKey:
        self.opened += 1
        assert key_id is not None
        return self.held[audience, epoch, key_id]


def own(store: Store, *, announced: bool = True, destroyed: bool = False) -> OwnSecrets:
    return OwnSecrets("router", store, announced=lambda _: announced, destroyed=lambda _: destroyed)  # type: ignore[arg-type]


def with_key(key: AudiencePrivateKey) -> Store:
    return Store({("router", EPOCH, key.key_id): key})


def test_session_is_opened_once_and_its_key_file_once() -> None:
    store = with_key(private_key("router"))
    secrets = own(store)
    for session in (new_session().session, new_session().session):
        opened = secrets.unlock(session)
        assert isinstance(opened, Secret)
        assert secrets.unlock(session) is opened
    assert store.opened == 1
    assert secrets.load(EPOCH)


def test_key_that_should_be_here_asks_for_a_pause_until_it_is() -> None:
    store = Store()
    secrets = own(store)
    session = new_session().session
    for _ in range(2):
        with pytest.raises(KeyNotLoaded) as raised:
            secrets.unlock(session)
        assert raised.value.retriable
    key = private_key("router")
    store.held["router", EPOCH, key.key_id] = key
    assert isinstance(secrets.unlock(session), Secret)


def test_session_sealed_to_a_key_that_nobody_announced_is_refused() -> None:
    assert own(Store(), announced=False).unlock(new_session().session) is Reason.SECRET


def test_session_of_a_destroyed_epoch_is_erased() -> None:
    assert own(Store(), destroyed=True).unlock(new_session().session) is Reason.ERASED


def test_session_for_others_or_sealed_to_another_key_is_refused() -> None:
    session = new_session().session
    other = AudiencePrivateKey.generate(Suite.HYBRID)
    assert own(with_key(other)).unlock(session) is Reason.SECRET
    nobody = OwnSecrets("helpdesk-999997", Store(), announced=lambda _: True, destroyed=lambda _: False)  # type: ignore[arg-type]
    assert nobody.unlock(session) is Reason.NOT_ADDRESSED


@pytest.mark.parametrize("before", [{}, {"other": AudiencePrivateKey.generate(Suite.HYBRID)}], ids=["none", "another"])
def test_session_that_was_refused_for_want_of_a_key_opens_once_the_key_is_here(
    before: dict[str, AudiencePrivateKey],
) -> None:
    """So that a letter with this reason succeeds when it is sent back to a router that runs on."""
    store = Store({("router", EPOCH, key.key_id): key for key in before.values()})
    secrets, session = own(store, announced=False), new_session().session
    for _ in range(2):
        assert secrets.unlock(session) is Reason.SECRET
    opened = store.opened
    key = private_key("router")
    store.held["router", EPOCH, key.key_id] = key
    assert isinstance(secrets.unlock(session), Secret)
    assert store.opened == opened + 1


RECORD = KafkaRecord("rehearsal.submissions", 3, 17, 1_700_000_000_000, "見本太郎".encode(), b"value")


def letter_of(record: KafkaRecord, *, authentic: bool) -> DeadLetter:
    written = write_letter(
        record,
        Reason.NOT_FRAMED,
        stage="router",
        authentic=authentic,
        session=None,
        leaf=None,
        key=lambda: audience_key("quarantine"),
        now=NOW,
    )
    letter = DeadLetter.decode(written.value or b"")
    assert written.key == letter.key.encode() == b"rehearsal.submissions/3/17"
    return letter


def test_letter_of_what_may_be_plaintext_opens_for_the_operator_only() -> None:
    letter = letter_of(RECORD, authentic=False)
    assert letter.content is None
    assert open_quarantine(letter, private_key("quarantine")) == Content(RECORD.key, RECORD.value)
    assert "見本太郎".encode() not in letter.encode()


def test_letter_of_what_was_sealed_keeps_its_bytes() -> None:
    assert letter_of(RECORD, authentic=True).content == Content(RECORD.key, RECORD.value)


@pytest.mark.parametrize("stamp", [-1, 0, 2**62])
def test_impossible_append_time_stops_no_letter(stamp: int) -> None:
    record = KafkaRecord("rehearsal.submissions", 3, 17, stamp, None, None)
    assert letter_of(record, authentic=False).appended_at >= NOW - timedelta(days=40_000)


def test_without_the_operators_key_there_is_no_letter_in_the_clear() -> None:
    with pytest.raises(QuarantineKeyMissing) as raised:
        write_letter(
            RECORD,
            Reason.NOT_FRAMED,
            stage="router",
            authentic=False,
            session=None,
            leaf=None,
            key=lambda: None,
            now=NOW,
        )
    assert raised.value.retriable


async def test_a_key_that_was_published_before_its_audience_was_listed_is_found(given: Given) -> None:
    key, listed = audience_key("quarantine"), [trust()]
    none = Trust.load(TrustBuilder("rehearsal").sign(NOW, identity("admin")), identity("admin").public)
    nowhere: Endpoint = None  # type: ignore[assignment]
    directory = AudienceDirectory(nowhere, TOPIC, lambda: listed[0], lambda: given.now, open_reader=given.lists.open)
    listed[0] = none
    given.publish(key)
    await directory.refresh()
    assert directory.current() is None
    listed[0] = trust()
    await directory.refresh()
    assert directory.current() == key
    await directory.refresh()
    assert len(given.lists.opened) == 2, "it is read anew only then"
