"""Recorded today, read by a quantum computer later: what it takes to open a session, and what may be weakened before.

X25519 and Ed25519 are given away here: the attacker has the X25519 private half of an audience key, as if it had been
computed from the public one. Everything else is what stands on the topics.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.crypto.audience import AudiencePrivateKey, Suite, sealed_bytes
from hub.crypto.errors import NotOpened
from hub.crypto.secret import Secret
from hub.envelope import validation as v
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import AudienceKey, Session
from hub.envelope.sealed import parse
from hub.envelope.session import SessionSecrets, open_section, open_session, session_info
from hub.envelope.signed import sign
from hub.envelope.trust import Trust
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker
from tests.unit.envelope.support import (
    HELPDESK,
    NOW,
    REVIEW,
    SUBMISSIONS,
    T,
    audience_key,
    header_for,
    identity,
    new_session,
    private_key,
    trust,
    trust_builder,
)

MLKEM_BYTES = 64
"""of a hybrid key's seeds; the X25519 seed follows"""


def session_to(weak: AudienceKey) -> SessionSecrets:
    """A portal's session in which the review desk's secret is sealed with X25519."""
    return SessionSecrets.create(
        producer="portal",
        instance="test-1",
        topic=SUBMISSIONS,
        tenant=T,
        created_at=NOW,
        expires_at=NOW + timedelta(hours=8),
        audiences=[audience_key("router"), weak, audience_key(HELPDESK)],
        identity=identity("portal"),
    )


def halves(key: AudiencePrivateKey) -> tuple[bytes, bytes]:
    seeds = key.seeds()
    return seeds[:MLKEM_BYTES], seeds[MLKEM_BYTES:]


def test_a_session_secret_needs_both_halves_of_the_key(attack: Attack) -> None:
    broken = attack(
        Attacker.QUANTUM, "opens a recorded session with the X25519 half of the key, computed from the public"
    )
    lattice = attack(Attacker.QUANTUM, "opens a recorded session with the ML-KEM half alone, should that one be broken")
    short = attack(Attacker.QUANTUM, "takes the recorded X25519 share out of a hybrid sealing and opens it as X25519")
    secrets = new_session()
    session, key = secrets.session, private_key(REVIEW)
    assert key.suite is Suite.HYBRID
    assert open_session(session, REVIEW, key) is not None
    mlkem, x25519 = halves(key)
    other_mlkem, other_x25519 = halves(AudiencePrivateKey.generate())

    def refused(with_key: AudiencePrivateKey) -> Reason:
        with pytest.raises(EnvelopeError) as caught:
            open_session(session, REVIEW, with_key)
        return caught.value.reason

    assert refused(AudiencePrivateKey(Suite.HYBRID, other_mlkem + x25519)) is Reason.SECRET
    broken.prevented(by="cipher", how="`secret`: MLKEM768-X25519 needs the ML-KEM half too", within="the attempt")
    assert refused(AudiencePrivateKey(Suite.HYBRID, mlkem + other_x25519)) is Reason.SECRET
    lattice.prevented(by="cipher", how="`secret`: it needs the X25519 half too", within="the attempt")
    classic = AudiencePrivateKey(Suite.X25519, x25519)
    assert refused(classic) is Reason.SECRET
    told = session.audience(REVIEW)
    assert told is not None
    info = session_info(session.salt, session.producer, session.topic, session.tenant, REVIEW, told.epoch)
    share, ciphertext = told.sealed[1_088:1_120], told.sealed[1_120:]
    assert len(share + ciphertext) == sealed_bytes(Suite.X25519)
    with pytest.raises(NotOpened):
        classic.open(share + ciphertext, info)
    short.prevented(by="cipher", how="does not open: the suite is part of the key schedule", within="the attempt")


def test_what_is_recorded_of_an_event_holds_no_secret(attack: Attack) -> None:
    """The commitment, the mac and the digests are of the secret, and symmetric: they do not lead back to it."""
    row = attack(Attacker.QUANTUM, "uses the public commitment, mac or session id of a recorded session as its secret")
    secrets = new_session()
    header = header_for(secrets, 1)
    out = secrets.seal(header, dict.fromkeys(secrets.audiences, b"artificial"))
    sealed = parse(out.value)
    public = [secrets.session.id, out.leaf, sealed.mac or b"", *(digest for _, digest in sealed.digests)]
    public += [each.commitment for each in secrets.session.audiences]
    assert len(public) >= 7
    for each in public:
        assert len(each) == 32
        for section in sealed.sections:
            with pytest.raises(EnvelopeError) as caught:
                open_section(Secret(each), sealed.header, section.audience, section.ciphertext or b"")
            assert caught.value.reason is Reason.NOT_AUTHENTIC
    row.prevented(by="cipher", how="`not-authentic`", within="the attempt")


def test_nobody_is_led_to_the_weaker_suite(attack: Attack) -> None:
    portal = attack(Attacker.PORTAL, "seals a session with X25519, so that it can be read once that is broken")
    owner = attack(Attacker.CONTRACTOR, "publishes an X25519 key of an audience, signed by its owner and administrator")
    size = attack(Attacker.CONTRACTOR, "publishes an X25519 key that says it is a hybrid one")
    weak = AudiencePrivateKey.generate(Suite.X25519)
    good = audience_key(REVIEW)
    weak_key = AudienceKey(REVIEW, good.epoch, weak.key_id, Suite.X25519, weak.public, good.not_before, good.not_after)

    def published(key: AudienceKey) -> AudienceKey | Reason:
        value = sign(AudienceKey.RECORD, key.encode(), identity(REVIEW), identity("admin"))
        return v.validate_audience_key(value, trust(), NOW, key=key.key.encode())

    assert isinstance(published(good), AudienceKey)
    found = published(weak_key)
    assert found is Reason.SUITE
    owner.prevented(by="every producer", how=f"`{found.value}`: the trust list names the suites of an audience",
                    within="the next session")  # fmt: skip
    posing = AudienceKey(REVIEW, good.epoch, weak.key_id, Suite.HYBRID, weak.public, good.not_before, good.not_after)
    found = published(posing)
    assert found is Reason.MALFORMED
    size.prevented(by="every producer", how=f"`{found.value}`", within="the next session")

    secrets = session_to(weak_key)
    found_session = v.validate_session(secrets.signed, trust(), NOW)
    assert found_session is Reason.SUITE
    portal.prevented(by="router and every desk", how=f"`{found_session.value}`", within="its batch")


def test_the_weaker_suite_counts_only_where_the_administrator_says_so() -> None:
    """Not a leftover: the same session is good under a trust list that allows X25519 for this one audience."""
    weak = AudiencePrivateKey.generate(Suite.X25519)
    good = audience_key(REVIEW)
    weak_key = AudienceKey(REVIEW, good.epoch, weak.key_id, Suite.X25519, weak.public, good.not_before, good.not_after)
    secrets = session_to(weak_key)
    builder = trust_builder().audience(REVIEW, owner=REVIEW, suites=[Suite.HYBRID, Suite.X25519])
    allowing = Trust.load(builder.sign(NOW, identity("admin")), identity("admin").public)
    assert isinstance(v.validate_session(secrets.signed, allowing, NOW), Session)
