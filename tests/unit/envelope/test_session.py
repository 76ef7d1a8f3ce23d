"""Sealing and opening: only the audience opens, only its own, only what was announced."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.crypto import audience as hpke
from hub.crypto import sections as keys
from hub.crypto.audience import Suite
from hub.crypto.secret import Secret
from hub.envelope import session as sessions
from hub.envelope.header import Cause
from hub.envelope.limits import MAX_SEALED_BYTES
from hub.envelope.names import Kind
from hub.envelope.padding import pad, padded_bytes, unpad
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.sealed import parse
from hub.envelope.session import SessionSecrets, max_sealed_bytes, open_section, open_session
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker
from tests.unit.envelope.support import (
    HELPDESK,
    NOW,
    NS,
    PLAINTEXTS,
    REVIEW,
    SUBMISSIONS,
    TAX,
    T,
    audience_key,
    header_for,
    identity,
    new_session,
    private_key,
    seed,
    world,
)

SESSION = world().session


def reason_of(call: object, *args: object, **named: object) -> Reason:
    with pytest.raises(EnvelopeError) as refused:
        call(*args, **named)  # type: ignore[operator]
    return refused.value.reason


@pytest.mark.parametrize("audience", [REVIEW, HELPDESK])
def test_audience_opens_its_own_section(audience: str) -> None:
    sealed = parse(world().event.value)
    secret = open_session(SESSION, audience, private_key(audience))
    content = sealed.ciphertext(audience)
    assert content is not None
    assert open_section(secret, sealed.header, audience, content) == PLAINTEXTS[audience]


def test_helpdesk_cannot_open_review_section(attack: Attack) -> None:
    tried = attack(Attacker.HELPDESK, "opens the review section with the helpdesk's own key and session secret")
    sealed = parse(world().event.value)
    review = sealed.ciphertext(REVIEW)
    assert review is not None
    own = open_session(SESSION, HELPDESK, private_key(HELPDESK))
    for audience in (REVIEW, HELPDESK):
        assert reason_of(open_section, own, sealed.header, audience, review) is Reason.NOT_AUTHENTIC
    assert reason_of(open_session, SESSION, REVIEW, private_key(HELPDESK)) is Reason.SECRET
    tried.prevented(
        by="cipher", how=f"refused: `{Reason.NOT_AUTHENTIC.value}`, `{Reason.SECRET.value}`", within="the attempt"
    )


def test_router_opens_no_section(attack: Attack) -> None:
    tried = attack(Attacker.ROUTER, "opens a section with the session secret that it holds for the mac")
    sealed = parse(world().event.value)
    own = open_session(SESSION, "router", private_key("router"))
    for each in sealed.sections:
        for audience in (each.audience, "router"):
            assert each.ciphertext is not None
            assert reason_of(open_section, own, sealed.header, audience, each.ciphertext) is Reason.NOT_AUTHENTIC
    tried.prevented(by="cipher", how=f"refused: `{Reason.NOT_AUTHENTIC.value}`", within="the attempt")


def test_section_under_another_header_does_not_open(attack: Attack) -> None:
    tried = attack(Attacker.ROUTER, "puts a section under another header")
    other = world().secrets.seal(header_for(world().secrets, 1), PLAINTEXTS)
    sealed, moved = parse(world().event.value), parse(other.value)
    secret = open_session(SESSION, REVIEW, private_key(REVIEW))
    assert reason_of(open_section, secret, moved.header, REVIEW, sealed.ciphertext(REVIEW)) is Reason.NOT_AUTHENTIC
    tried.prevented(by="cipher", how=f"refused: `{Reason.NOT_AUTHENTIC.value}`", within="the attempt")


def test_secret_that_was_not_announced_is_refused() -> None:
    """AES-GCM does not commit to its key; the commitment in the session does."""
    at = next(n for n, each in enumerate(SESSION.audiences) if each.audience == REVIEW)
    forged = replace(SESSION.audiences[at], commitment=bytes(32))
    session = replace(SESSION, audiences=(*SESSION.audiences[:at], forged, *SESSION.audiences[at + 1 :]))
    assert reason_of(open_session, session, REVIEW, private_key(REVIEW)) is Reason.COMMITMENT


@pytest.mark.parametrize(
    "change",
    [{"salt": bytes(16)}, {"producer": "x"}, {"topic": "eltax.submissions"}, {"tenant": "999997"}],
)
def test_sealed_secret_is_bound_to_its_session(change: dict[str, object]) -> None:
    session = replace(SESSION, **change)  # type: ignore[arg-type]
    assert reason_of(open_session, session, REVIEW, private_key(REVIEW)) is Reason.SECRET


def test_sealed_secret_is_bound_to_its_epoch_and_audience() -> None:
    at = next(n for n, each in enumerate(SESSION.audiences) if each.audience == REVIEW)
    for forged in (replace(SESSION.audiences[at], epoch=202605), replace(SESSION.audiences[at], audience=TAX)):
        session = replace(SESSION, audiences=(forged,))
        assert reason_of(open_session, session, forged.audience, private_key(REVIEW)) is Reason.SECRET
    assert reason_of(open_session, SESSION, TAX, private_key(TAX)) is Reason.NOT_ADDRESSED


def test_secret_of_another_length_is_refused() -> None:
    info = sessions.session_info(SESSION.salt, "portal", SUBMISSIONS, T, REVIEW, 202604)
    short = hpke.seal(Suite.HYBRID, private_key(REVIEW).public, info, bytes(31))
    at = next(each for each in SESSION.audiences if each.audience == REVIEW)
    session = replace(SESSION, audiences=(replace(at, sealed=short),))
    assert reason_of(open_session, session, REVIEW, private_key(REVIEW)) is Reason.SECRET


def test_sessions_of_the_same_input_share_no_key() -> None:
    one, other = new_session(), new_session()
    assert one.session.id != other.session.id
    secrets = [open_session(each.session, REVIEW, private_key(REVIEW)) for each in (one, other)]
    assert secrets[0] != secrets[1]
    router = open_session(one.session, "router", private_key("router"))
    assert keys.mac_key(router) != keys.mac_key(secrets[0])


def test_header_of_another_session_is_not_sealed() -> None:
    secrets, header = world().secrets, world().header
    cause = Cause(header.event_id, bytes(32))
    for change, reason in (
        ({"session": bytes(32)}, Reason.FOREIGN_SESSION),
        ({"tenant": "999997"}, Reason.WRONG_TENANT),
        ({"producer": "router"}, Reason.WRONG_PRODUCER),
        ({"kind": Kind.ACCEPTED, "cause": cause}, Reason.WRONG_TOPIC),
        ({"produced_at_ms": header.produced_at_ms + 8 * 3_600_000}, Reason.PRODUCED_OUTSIDE_SESSION),
        ({"produced_at_ms": 0}, Reason.PRODUCED_OUTSIDE_SESSION),
        ({"event_id": "x"}, Reason.HEADER_INVALID),
    ):
        assert reason_of(secrets.seal, header._replace(**change), PLAINTEXTS) is reason


def test_submission_is_sealed_for_every_audience_or_not_at_all() -> None:
    secrets, header = world().secrets, world().header
    assert secrets.audiences == (HELPDESK, REVIEW)
    assert reason_of(secrets.seal, header, {}) is Reason.SECTIONS
    assert reason_of(secrets.seal, header, {REVIEW: b"x"}) is Reason.SECTIONS
    assert reason_of(secrets.seal, header, {REVIEW: b"x", "router": b"x"}) is Reason.NOT_ADDRESSED
    assert reason_of(secrets.seal, header, {REVIEW: b"x", TAX: b"x"}) is Reason.NOT_ADDRESSED


def test_size_is_known_before_sealing() -> None:
    secrets, header = world().secrets, world().header
    for length in (1, 1_000, 100_000, 3_900_000):
        sections = {REVIEW: bytes(length), HELPDESK: bytes(length)}
        bound = max_sealed_bytes(dict.fromkeys(sections, length))
        assert len(secrets.seal(header, sections).value) <= bound <= MAX_SEALED_BYTES
    too_large = {REVIEW: bytes(8_380_000), HELPDESK: b""}
    assert max_sealed_bytes({name: len(text) for name, text in too_large.items()}) > MAX_SEALED_BYTES
    assert reason_of(secrets.seal, header, too_large) is Reason.TOO_LARGE


@pytest.mark.parametrize(
    "change",
    [
        {"hours": 24.1},
        {"hours": 0},
        {"audiences": (REVIEW, HELPDESK)},
        {"audiences": ("router", REVIEW, REVIEW)},
        {"topic": f"{NS}.{T}.review"},
        {"topic": f"{NS}.{T}.status"},
        {"created_at": NOW + timedelta(days=40)},
        {"created_at": NOW - timedelta(days=40)},
        {"created_at": NOW + timedelta(days=29), "hours": 20},
    ],
)
def test_session_that_readers_would_refuse_is_not_made(change: dict[str, object]) -> None:
    assert reason_of(new_session, **change) is Reason.INVALID_SESSION


def test_session_can_be_made_with_given_randomness_and_x25519() -> None:
    made = SessionSecrets.create(
        producer="portal",
        instance="test-1",
        topic=SUBMISSIONS,
        tenant=T,
        created_at=NOW,
        expires_at=NOW + timedelta(hours=24),
        audiences=[audience_key("router", Suite.X25519)],
        identity=identity("portal"),
        previous=bytes(32),
        random=lambda count: seed("fixed", count),
    )
    assert made.session.salt == seed("fixed", 16) and made.session.previous == bytes(32)
    secret = open_session(made.session, "router", private_key("router", Suite.X25519))
    assert secret == Secret(seed("fixed", 32))


def test_secrets_are_not_shown_pickled_or_kept_after_they_are_forgotten() -> None:
    secrets = new_session()
    assert repr(secrets) == "<SessionSecrets>"
    for travel in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            travel(secrets)
    header = header_for(secrets)
    secrets.forget()
    with pytest.raises(EnvelopeError):
        secrets.seal(header, PLAINTEXTS)
    with pytest.raises(EnvelopeError):
        header_for(secrets)


def test_event_shows_no_content_in_its_repr() -> None:
    assert "見" not in repr(world().event) and len(repr(world().event)) < 300
    assert len(repr(SESSION)) < 2_000


# padding


@given(st.binary(max_size=70_000))
def test_padding_is_undone(plaintext: bytes) -> None:
    padded = pad(plaintext)
    assert unpad(padded) == plaintext
    assert len(padded) == padded_bytes(len(plaintext)) > len(plaintext)


@given(st.integers(0, 8 << 20))
def test_padding_costs_a_sixteenth_at_most_and_has_few_sizes(length: int) -> None:
    size = padded_bytes(length)
    assert size >= length + 1
    assert size in {1024, 2048, 4096, 8192, 16384, 32768} or size <= (length + 1) * 17 / 16
    assert padded_bytes(size - 1) == size


@pytest.mark.parametrize(
    "padded",
    [
        b"",
        bytes(1024),
        b"x" * 1024,
        b"text\x80",
        pad(b"text") + bytes(1024),
        pad(b"text")[:-1],
        pad(b"text")[:512],
        pad(b"text").replace(b"\x80", b"\x81"),
        pad(bytes(1023) + b"x")[:1024],
    ],
)
def test_padding_of_another_form_is_refused(padded: bytes) -> None:
    assert reason_of(unpad, padded) is Reason.PADDING
