"""Ciphertexts that open under two keys exist, and help nobody: commitment, leaf and event key bind the content."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from hmac import digest as hmac_digest

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.crypto import sections
from hub.crypto.audience import AudiencePrivateKey, Suite, seal
from hub.crypto.errors import NotOpened
from hub.crypto.secret import Secret
from hub.envelope import header as headers
from hub.envelope.inspection import Inspected, Refusal, inspect
from hub.envelope.leaf import leaf
from hub.envelope.padding import pad, unpad
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Session, SessionAudience
from hub.envelope.sealed import build
from hub.envelope.session import open_section, open_session, session_info
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.unit.envelope.salamander import BLOCK, Key, inverse, multiply, power, salamander
from tests.unit.envelope.support import HELPDESK, NOW, REVIEW, header_for, new_session, private_key, router_lane, seed

_NONCE = bytes(12)


def _two_contents(first: bytes, second: bytes, keys: tuple[bytes, bytes]) -> bytes:
    """Return a ciphertext that opens under two event keys: one content begins as wished, the other ends so.

    In between is what the other key makes of it.
    """
    one, two = pad(first), pad(second)
    assert len(one) == len(two)
    count = len(one) // BLOCK
    half = count // 2
    texts: list[bytes | None] = [None] * count
    of = [0] * count
    for place in range(count):
        of[place] = int(place >= half)
        texts[place] = (two if place >= half else one)[place * BLOCK : (place + 1) * BLOCK]
    return salamander(Key(keys[0], _NONCE), Key(keys[1], _NONCE), texts, of, half - 1)


def test_field_is_that_of_gcm() -> None:
    """Against the library: a tag that we compute is a tag that it accepts."""
    a, b = int.from_bytes(seed("a", 16), "big"), int.from_bytes(seed("b", 16), "big")
    assert multiply(a, inverse(a)) == 1 << 127
    assert multiply(a, b) == multiply(b, a)
    assert power(a, 3) == multiply(a, multiply(a, a))


def test_salamander_is_real() -> None:
    keys = (seed("one"), seed("two"))
    made = _two_contents(b"\x00" * 500, b"\x00" * 700, keys)
    opened = [AESGCM(key).decrypt(_NONCE, made, None) for key in keys]
    assert opened[0] != opened[1]
    assert opened[0][:400] == bytes(400)
    assert unpad(opened[1])[-150:] == bytes(150)
    with pytest.raises(InvalidTag):
        AESGCM(seed("three")).decrypt(_NONCE, made, None)


def test_section_that_opens_under_two_secrets_opens_under_the_announced_one_only(attack: Attack) -> None:
    """A portal cannot show one desk two contents of one event: for a second secret there is no session."""
    tried = attack(Attacker.PORTAL, "seals a section that opens to two contents under two session secrets")
    secrets = new_session()
    announced = secrets._secrets[REVIEW]
    other = Secret(seed("another secret"))
    header = headers.encode(header_for(secrets))
    keys = (sections.event_key(announced, header, REVIEW), sections.event_key(other, header, REVIEW))
    ciphertext = _two_contents(b"\x00" * 500, b"\x00" * 700, keys)
    padded = [sections.open_section(secret, header, REVIEW, ciphertext) for secret in (announced, other)]
    assert padded[0] != padded[1], "the cipher alone takes both"
    session = secrets.session
    info = session_info(session.salt, session.producer, session.topic, session.tenant, REVIEW, 202604)
    key = private_key(REVIEW)
    resealed = tuple(
        replace(each, sealed=seal(key.suite, key.public, info, other.reveal())) if each.audience == REVIEW else each
        for each in session.audiences
    )
    with pytest.raises(EnvelopeError) as refused:
        open_session(replace(session, audiences=resealed), REVIEW, key)
    assert refused.value.reason is Reason.COMMITMENT
    assert open_session(session, REVIEW, key) == announced
    recommitted = replace(session, audiences=_with_commitment(resealed, sections.commitment(other)))
    assert Session.decode(recommitted.encode()).id != session.id, "with another commitment it is another session"
    tried.prevented(
        by="review desk", how=f"dead letter `{refused.value.reason.value}`: the session id binds one secret",
        within="its batch",
    )  # fmt: skip


def _with_commitment(audiences: tuple[SessionAudience, ...], commitment: bytes) -> tuple[SessionAudience, ...]:
    return tuple(replace(each, commitment=commitment) if each.audience == REVIEW else each for each in audiences)


def test_ciphertext_that_opens_in_two_events_makes_two_leaves(attack: Attack) -> None:
    """Under two headers of one session the event keys differ; so do the leaves, and each is one event."""
    tried = attack(
        Attacker.PORTAL, "uses one ciphertext in two events, where it opens to two contents", Verdict.CONTAINED
    )
    secrets = new_session()
    secret, mac_key = secrets._secrets[REVIEW], secrets._mac_key
    assert mac_key is not None
    first, second = (header_for(secrets, number) for number in (1, 2))
    framed = [headers.encode(each) for each in (first, second)]
    ciphertext = _two_contents(
        b"\x00" * 500,
        b"\x00" * 700,
        (sections.event_key(secret, framed[0], REVIEW), sections.event_key(secret, framed[1], REVIEW)),
    )
    helpdesk = sections.seal_section(secrets._secrets[HELPDESK], framed[0], HELPDESK, pad(b"\x00"))
    made = [(HELPDESK, sha256(helpdesk).digest(), helpdesk), (REVIEW, sha256(ciphertext).digest(), ciphertext)]
    lanes = {secrets.session.id: router_lane(secrets.session)}
    leaves = [leaf(each, [(name, digest) for name, digest, _ in made]) for each in framed]
    for header, bytes_, each in zip((first, second), framed, leaves, strict=True):
        value = build(bytes_, made, sections.mac(mac_key, each))
        found = inspect(value, header.event_id.encode(), lanes)
        assert isinstance(found, Inspected)
        assert found.leaf == each
    assert leaves[0] != leaves[1]
    assert sections.open_section(secret, framed[0], REVIEW, ciphertext) != sections.open_section(
        secret, framed[1], REVIEW, ciphertext
    )
    moved = inspect(build(framed[1], made, sections.mac(mac_key, leaves[0])), second.event_id.encode(), lanes)
    assert isinstance(moved, Refusal) and moved.reason is Reason.BAD_MAC
    tried.contained(
        by="leaf", how="two events with two ids and two leaves, as if it had sealed two ciphertexts", within="at once"
    )


class _Hpke:
    """RFC 9180, base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, from the sender's side."""

    _KEM = b"KEM\x00\x20"
    _SUITE = b"HPKE\x00\x20\x00\x01\x00\x02"

    @staticmethod
    def _extract(suite: bytes, salt: bytes, name: bytes, secret: bytes) -> bytes:
        return hmac_digest(salt or bytes(32), b"HPKE-v1" + suite + name + secret, "sha256")

    @staticmethod
    def _expand(suite: bytes, secret: bytes, name: bytes, info: bytes, length: int) -> bytes:
        labeled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + name + info
        return hmac_digest(secret, labeled + b"\x01", "sha256")[:length]

    @classmethod
    def key(cls, ephemeral: X25519PrivateKey, recipient: bytes, info: bytes) -> Key:
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
        context = ephemeral.public_key().public_bytes_raw() + recipient
        secret = cls._expand(cls._KEM, cls._extract(cls._KEM, b"", b"eae_prk", shared), b"shared_secret", context, 32)
        schedule = (
            b"\x00"
            + cls._extract(cls._SUITE, b"", b"psk_id_hash", b"")
            + cls._extract(cls._SUITE, b"", b"info_hash", info)
        )
        prk = cls._extract(cls._SUITE, secret, b"secret", b"")
        return Key(
            cls._expand(cls._SUITE, prk, b"key", schedule, 32),
            cls._expand(cls._SUITE, prk, b"base_nonce", schedule, 12),
        )


def test_session_secret_that_opens_for_two_keys_holds_for_one(attack: Attack) -> None:
    """Two machines of one audience, each with its own key of the epoch: only one of the secrets is committed to."""
    tried = attack(
        Attacker.PORTAL, "seals one session secret that two machines of a desk open to two different secrets"
    )
    machines = [AudiencePrivateKey.from_seeds(Suite.X25519, seed(f"machine {n}")) for n in (1, 2)]
    salt = seed("salt", 16)
    info = session_info(salt, "portal", "rehearsal.submissions", "131041", REVIEW, 202604)
    ephemeral = X25519PrivateKey.from_private_bytes(seed("ephemeral"))
    keys = [_Hpke.key(ephemeral, machine.public, info) for machine in machines]
    made = salamander(keys[0], keys[1], [seed("a wish", 16), None], [0, 0], 1)
    sealed = ephemeral.public_key().public_bytes_raw() + made
    opened = [machine.open(sealed, info) for machine in machines]
    assert len(sealed) == 80
    assert opened[0] != opened[1], "HPKE alone opens to two secrets"
    assert opened[0].startswith(seed("a wish", 16))
    outcomes = []
    for commits in (Secret(opened[0]), Secret(opened[1]), Secret(seed("neither"))):
        audience = SessionAudience(REVIEW, 202604, sections.commitment(commits), sealed)
        session = Session(salt, "portal", "test-1", "rehearsal.submissions", "131041", NOW, NOW, None, (audience,))
        outcomes.append([_opened(session, machine) for machine in machines])
    assert outcomes[0] == [Secret(opened[0]), Reason.COMMITMENT]
    assert outcomes[1] == [Reason.COMMITMENT, Secret(opened[1])]
    assert outcomes[2] == [Reason.COMMITMENT] * 2
    tried.prevented(by="review desk", how=f"dead letter `{Reason.COMMITMENT.value}` at all but one", within="its batch")


def _opened(session: Session, machine: AudiencePrivateKey) -> Secret | Reason:
    try:
        return open_session(session, REVIEW, machine)
    except EnvelopeError as problem:
        return problem.reason


def test_hybrid_suite_opens_for_one_machine_only(attack: Attack) -> None:
    """With ML-KEM the second shared secret is the other machine's implicit rejection: its sender cannot know it."""
    tried = attack(Attacker.PORTAL, "seals one session secret to two machines of a desk in the hybrid suite")
    machines = [AudiencePrivateKey.from_seeds(Suite.HYBRID, seed(f"machine {n}", 96)) for n in (1, 2)]
    sealed = seal(Suite.HYBRID, machines[0].public, b"info", seed("secret"))
    assert machines[0].open(sealed, b"info") == seed("secret")
    with pytest.raises(NotOpened):
        machines[1].open(sealed, b"info")
    tried.prevented(
        by="review desk", how=f"dead letter `{Reason.SECRET.value}` at the machine it was not sealed to",
        within="its batch",
    )  # fmt: skip


def test_all_that_does_not_open_is_refused_in_one_way(attack: Attack) -> None:
    """No padding oracle: of bytes that nobody authenticated, padding and contents are never looked at."""
    tried = attack(Attacker.OUTSIDER, "learns from refusals whether a forged section was well padded")
    secrets = new_session()
    secret = secrets._secrets[REVIEW]
    header = headers.encode(header_for(secrets))
    good = sections.seal_section(secret, header, REVIEW, pad(b"\x00" * 500))
    stream = bytes(a ^ b for a, b in zip(good, pad(b"\x00" * 500), strict=False))
    reasons = set()
    forms = [pad(b""), pad(b"\x00" * 500)[:-1] + b"\x80", bytes(1024), b"\xff" * 1024, pad(b"\x00" * 1023)[:1024]]
    for text in forms:
        for tag in (good[-16:], bytes(16), seed("tag", 16)):
            forged = bytes(a ^ b for a, b in zip(stream, text, strict=True)) + tag
            if forged != good:
                with pytest.raises(EnvelopeError) as refused:
                    open_section(secret, header, REVIEW, forged)
                reasons.add(refused.value.reason)
    for length in (*range(18), len(good) - 1, len(good) + 1):
        with pytest.raises(EnvelopeError) as refused:
            open_section(secret, header, REVIEW, good.ljust(length, b"\x00")[:length])
        reasons.add(refused.value.reason)
    assert reasons == {Reason.NOT_AUTHENTIC}
    assert open_section(secret, header, REVIEW, good) == b"\x00" * 500
    tried.prevented(
        by="each desk", how=f"every form is a dead letter `{Reason.NOT_AUTHENTIC.value}`, before padding is looked at",
        within="its batch",
    )  # fmt: skip
