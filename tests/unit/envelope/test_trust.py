"""The trust file: what is not in it is not trusted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.crypto.audience import Suite
from hub.crypto.identity import IdentityKey
from hub.envelope.contracts import encode_body
from hub.envelope.reasons import Reason
from hub.envelope.records import KeyDestroyed
from hub.envelope.signed import Signed, sign
from hub.envelope.trust import AudienceRule, Right, Trust, TrustRefused
from hub.envelope.trust_builder import TrustBuilder
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker
from tests.unit.envelope.support import (
    NOW,
    NS,
    REVIEW,
    SUBMISSIONS,
    YEAR,
    T,
    identity,
    trust,
    trust_builder,
)

ADMIN = identity("admin")


def reloaded(builder: TrustBuilder) -> Trust:
    return Trust.load(builder.sign(NOW, ADMIN), ADMIN.public)


def test_trust_file_survives_its_bytes() -> None:
    again = reloaded(TrustBuilder.following(trust()))
    assert (again.principals, again.audiences) == (trust().principals, trust().audiences)
    assert (again.namespace, again.serial, again.issued_at) == (NS, trust().serial + 1, NOW)


def test_only_the_pinned_administrator_makes_trust(attack: Attack) -> None:
    tried = attack(Attacker.CONTRACTOR, "hands a role a trust list of its own")
    impostor = IdentityKey.generate()
    value = trust_builder().sign(NOW, impostor)
    with pytest.raises(TrustRefused):
        Trust.load(value, ADMIN.public)
    assert Trust.load(value, [ADMIN.public, impostor.public]).namespace == NS
    for bad in (b"", b"{}", value[:-1], trust_builder().sign(NOW, ADMIN)[:-1]):
        with pytest.raises(TrustRefused):
            Trust.load(bad, ADMIN.public)
    tried.prevented(by="every role", how="not signed by the pinned administrator", within="its start")


def test_another_signed_record_is_no_trust_file() -> None:
    value = sign("KeyDestroyed", KeyDestroyed("router", 202604, bytes(8), NOW).encode(), ADMIN)
    with pytest.raises(TrustRefused):
        Trust.load(value, ADMIN.public)


def test_one_key_cannot_belong_to_two_principals() -> None:
    builder = trust_builder().identity("router", identity("portal").public, NOW, NOW + YEAR)
    with pytest.raises(TrustRefused):
        reloaded(builder)


def test_key_speaks_within_its_window_only() -> None:
    portal = identity("portal")
    known = trust()
    for at, speaks in (
        (NOW - YEAR, True),
        (NOW + YEAR - timedelta(seconds=1), True),
        (NOW + YEAR, False),
        (NOW - YEAR - timedelta(seconds=1), False),
    ):
        assert (known.identity("portal", portal.key_id, at) is not None) is speaks
    assert known.identity("router", portal.key_id, NOW) is None
    assert known.identity("nobody", portal.key_id, NOW) is None


def test_revoked_key_never_counts_again_whatever_its_date(attack: Attack) -> None:
    tried = attack(Attacker.LAPTOP, "signs with a revoked key and an earlier date")
    portal, successor = identity("portal"), IdentityKey.generate()
    builder = TrustBuilder.following(trust()).revoke(portal.key_id, NOW)
    builder.identity("portal", successor.public, NOW - YEAR, NOW + YEAR)
    known = reloaded(builder)
    assert known.revoked(portal.key_id) and not known.revoked(successor.key_id)
    body = KeyDestroyed("router", 202604, bytes(8), NOW).encode()
    signed = Signed.parse(sign("KeyDestroyed", body, portal))
    assert known.signed_by(signed, "portal", NOW - timedelta(days=100)) is Reason.REVOKED
    both = Signed.parse(sign("KeyDestroyed", body, portal, successor))
    assert known.signed_by(both, "portal", NOW) is None
    with pytest.raises(TrustRefused):
        TrustBuilder(NS).revoke(portal.key_id, NOW)
    tried.prevented(by="every reader", how="`revoked`", within="its batch")


def test_signature_that_names_a_good_key_and_is_not_its_own_is_bad() -> None:
    body = KeyDestroyed("router", 202604, bytes(8), NOW).encode()
    signed = Signed.parse(sign("KeyDestroyed", body, identity("portal")))
    forged = Signed(KeyDestroyed("portal", 202604, bytes(8), NOW).encode(), signed.signatures)
    assert trust().signed_by(signed, "portal", NOW) is None
    assert trust().signed_by(forged, "portal", NOW) is Reason.BAD_SIGNATURE
    assert trust().signed_by(signed, "router", NOW) is Reason.UNTRUSTED


@pytest.mark.parametrize(
    ("principal", "topic", "tenant", "may"),
    [
        ("portal", SUBMISSIONS, T, True),
        ("portal", SUBMISSIONS, "999997", True),
        ("portal", SUBMISSIONS, "131059", False),
        ("portal", "eltax.submissions", T, False),
        ("portal", f"{NS}.{T}.status", T, False),
        ("portal", f"{NS}.sessions", T, False),
        ("portal", "submissions", T, False),
        ("router", SUBMISSIONS, T, False),
        ("nobody", SUBMISSIONS, T, False),
        (REVIEW, f"{NS}.{T}.status", T, True),
        (REVIEW, f"{NS}.{T}.accepted", T, True),
        (REVIEW, f"{NS}.999997.status", "999997", False),
        (REVIEW, f"{NS}.999997.status", T, False),
        (REVIEW, SUBMISSIONS, T, False),
    ],
)
def test_only_what_is_granted_may_be_produced(principal: str, topic: str, tenant: str, may: bool) -> None:
    assert trust().may_produce(principal, topic, tenant) is may


def test_procedures_may_be_limited() -> None:
    builder = TrustBuilder.following(trust()).principal(
        "portal", may_produce=[Right("submissions", None, frozenset({"one"}))], instances=["a"]
    )
    known = reloaded(builder)
    assert known.may_produce("portal", SUBMISSIONS, "131059", "one")
    assert known.may_produce("portal", SUBMISSIONS, "131059")
    assert not known.may_produce("portal", SUBMISSIONS, "131059", "two")
    assert known.instance_known("portal", "a") and not known.instance_known("portal", "b")
    assert known.instance_known("router", "anything") and not known.instance_known("nobody", "a")


def test_unlisted_audience_takes_no_keys() -> None:
    known = reloaded(TrustBuilder.following(trust()).audience("portal", minimum_epoch=202604, suites=[Suite.X25519]))
    assert known.suite_allowed("router", Suite.HYBRID) and not known.suite_allowed("router", Suite.X25519)
    assert known.suite_allowed("portal", Suite.X25519) and known.minimum_epoch("portal") == 202604
    assert not known.suite_allowed("nobody", Suite.HYBRID) and known.owner("nobody") is None
    assert known.owner("quarantine") == "operator" and known.minimum_epoch("nobody") == 0
    assert [each.public for each in known.administrators] == [ADMIN.public]


def test_what_was_believed_once_is_found_again_by_when_the_key_spoke() -> None:
    """For looking back: a key that was revoked later did speak before, unlike for what comes now."""
    portal = identity("portal")
    known = reloaded(TrustBuilder.following(trust()).revoke(portal.key_id, NOW))
    body = KeyDestroyed("router", 202604, bytes(8), NOW).encode()
    signed = Signed.parse(sign("KeyDestroyed", body, portal))
    tick = timedelta(milliseconds=1)
    for at, spoke in ((NOW - tick, True), (NOW, False), (NOW - YEAR, True), (NOW - YEAR - tick, False)):
        assert known.spoke(signed, "portal", at) is spoke
    for at, spoke in ((NOW, True), (NOW + YEAR - tick, True), (NOW + YEAR, False)):
        assert trust().spoke(signed, "portal", at) is spoke
    late = reloaded(TrustBuilder.following(trust()).revoke(portal.key_id, NOW + 2 * YEAR))
    assert late.spoke(signed, "portal", NOW) and not late.spoke(signed, "portal", NOW + YEAR)
    assert not known.spoke(signed, "router", NOW - tick) and not known.spoke(signed, "nobody", NOW - tick)
    forged = Signed(KeyDestroyed("portal", 202604, bytes(8), NOW).encode(), signed.signatures)
    assert not trust().spoke(forged, "portal", NOW)


def test_bad_signature_is_told_before_another_key_that_was_revoked() -> None:
    """The first mark decides what is said, whatever order their keys sort in."""
    one, other = sorted((IdentityKey.from_seed(bytes([n]) * 32) for n in (1, 2)), key=lambda key: key.key_id)
    body = KeyDestroyed("router", 202604, bytes(8), NOW).encode()
    for revoked, reason in ((one, Reason.BAD_SIGNATURE), (other, Reason.BAD_SIGNATURE)):
        builder = trust_builder()
        for key in (one, other):
            builder.identity("portal", key.public, NOW - YEAR, NOW + YEAR)
        known = reloaded(builder.revoke(revoked.key_id, NOW))
        signed = Signed.parse(sign("KeyDestroyed", body, one, other))
        forged = Signed(KeyDestroyed("portal", 202604, bytes(8), NOW).encode(), signed.signatures)
        assert known.signed_by(forged, "portal", NOW) is reason


def test_right_without_procedures_grants_them_all() -> None:
    assert trust().may_produce("portal", SUBMISSIONS, T, "any-procedure")


def test_lists_of_a_trust_file_are_in_order_and_say_what_is_wrong() -> None:
    def listed(principals: list[str], audiences: list[str]) -> bytes:
        entries = [{"name": n, "instances": None, "identities": [], "may_produce": []} for n in principals]
        rules = [{"name": n, "owner": n, "minimum_epoch": 0, "suites": []} for n in audiences]
        body = {"namespace": NS, "serial": 1, "issued_at": 0, "principals": entries, "audiences": rules}
        return sign("Trust", encode_body("Trust", body), ADMIN)

    assert list(Trust.load(listed(["a", "b"], ["c"]), ADMIN.public).principals) == ["a", "b"]
    for bad in (listed(["b", "a"], []), listed(["a", "a"], []), listed([], ["b", "a"])):
        with pytest.raises(TrustRefused) as refused:
            Trust.load(bad, ADMIN.public)
        assert refused.value.detail == "order"
    with pytest.raises(TrustRefused) as refused:
        Trust.load(listed([], []), identity("router").public)
    assert refused.value.detail == "signature"
    longest = ["p" * 128], ["a" * 63]
    assert Trust.load(listed(*longest), ADMIN.public).owner("a" * 63) == "a" * 63
    for bad in (
        listed([""], []),
        listed(["p" * 129], []),
        listed([], [""]),
        listed([], ["a" * 64]),
        listed([], ["区"]),
    ):
        with pytest.raises(TrustRefused) as refused:
            Trust.load(bad, ADMIN.public)
        assert refused.value.detail == "names"


def test_every_list_that_means_a_set_is_in_order() -> None:
    def listed(**change: list[str]) -> bytes:
        right = {"dataset": "status", "tenants": change.get("tenants"), "procedures": change.get("procedures")}
        entry = {"name": "p", "instances": change.get("instances"), "identities": [], "may_produce": [right]}
        rule = {"name": "a", "owner": "a", "minimum_epoch": 0, "suites": change.get("suites", [])}
        body = {"namespace": NS, "serial": 1, "issued_at": 0, "principals": [entry], "audiences": [rule]}
        return sign("Trust", encode_body("Trust", body), ADMIN)

    ordered = {"suites": ["MLKEM768_X25519", "X25519"], "instances": ["a", "b"], "tenants": ["1", "2"]}
    for name, names in (ordered | {"procedures": ["p", "q"]}).items():
        assert Trust.load(listed(**{name: names}), ADMIN.public)
        for bad in (names[::-1], names[:1] * 2):
            with pytest.raises(TrustRefused) as refused:
                Trust.load(listed(**{name: bad}), ADMIN.public)
            assert refused.value.detail == "order"


def test_builder_knows_what_it_lists() -> None:
    builder = trust_builder()
    assert builder.owner("quarantine") == "operator" and builder.owner("router") == "router"
    assert builder.owner("nobody") is None
    assert builder.audience("router", owner="portal").owner("router") == "portal"
    assert builder.audience("router").owner("router") == "router"


def test_builder_says_whether_a_list_would_change() -> None:
    same = TrustBuilder.following(trust())
    assert same.says(trust())
    assert not TrustBuilder.following(trust()).principal("new").says(trust())
    assert not TrustBuilder.following(trust()).audience("new").says(trust())
    assert not TrustBuilder(NS).says(trust())


def test_serial_only_rises() -> None:
    for given, serial in ((1, 5), (5, 5), (9, 9)):
        assert reloaded(TrustBuilder(NS, 5).at_least(given)).serial == serial


def test_rights_of_some_tenants_are_kept_in_the_file() -> None:
    right = Right("submissions", frozenset({"999997", T}), frozenset({"b", "a"}))
    known = reloaded(trust_builder().principal("portal", may_produce=[right], instances=["b", "a"]))
    assert known.principals["portal"].may_produce == (right,)
    assert known.principals["portal"].instances == {"a", "b"}


def test_key_of_one_of_many_principals_is_revoked_and_an_unknown_one_is_not() -> None:
    builder = TrustBuilder.following(trust())
    for name in ("admin", REVIEW):
        known = reloaded(builder.revoke(identity(name).key_id, NOW)) if name != "admin" else trust()
        assert known.revoked(identity(name).key_id) is (name != "admin")
    with pytest.raises(TrustRefused) as refused:
        builder.revoke(bytes(8), NOW)
    assert refused.value.detail == "no such key"


def test_owner_of_an_audience_changes_and_all_else_of_it_stays() -> None:
    builder = trust_builder().audience("router", minimum_epoch=202604, suites=[Suite.X25519])
    assert builder.owned("router", "portal") is builder
    rule = reloaded(builder).audiences["router"]
    assert (rule.owner, rule.minimum_epoch, rule.suites) == ("portal", 202604, {Suite.X25519})


def test_audience_takes_every_epoch_unless_told_otherwise() -> None:
    assert (AudienceRule("a", "b").minimum_epoch, AudienceRule("a", "b").suites) == (0, {Suite.HYBRID})
    assert TrustRefused.code == "trust.refused"
