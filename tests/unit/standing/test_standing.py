"""A role takes on newer lists that the administrator signed, and never goes back, not even after a restart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.crypto.identity import IdentityKey
from hub.envelope.declared import DeclarationRefused
from hub.envelope.trust import Trust, TrustRefused
from hub.envelope.trust_builder import TrustBuilder
from hub.standing import RoleChanged, RoleGrown, RoleWithdrawn, RolledBack
from schemas.errors import HubError
from tests.unit.standing.world import FIRST, NEW, NOW, NS, PARTITIONS, SECOND, TEXT, WITH_NEW, WITHOUT_SECOND, Office
from topics.generations import grown, paused

REVIEW = f"review-{FIRST}"


def test_a_newer_list_is_taken_on_at_once_and_after_a_restart(office: Office) -> None:
    role = office.role("router")
    before = role.trust
    newer = office.sign(office.following())
    assert role.take_trust(newer) is True
    assert role.take_trust(newer) is False, "it is no news twice"
    assert role.trust.serial == before.serial + 1
    assert office.role("router").trust.serial == before.serial + 1


def test_an_older_list_is_refused_also_after_a_restart(office: Office) -> None:
    role, directory = office.role("router"), office.home / "roles" / "router"
    old = (directory / "trust.bin").read_bytes()
    newer = office.sign(office.following())
    role.take_trust(newer)
    with pytest.raises(RolledBack):
        role.take_trust(old)
    assert role.trust.serial == 2
    with pytest.raises(RolledBack):
        office.role("router").take_trust(old)
    (directory / "trust.bin").write_bytes(old)
    with pytest.raises(RolledBack):
        office.role("router")
    (directory / "trust.bin").write_bytes(newer)
    assert office.role("router").trust.serial == 2


def test_a_second_list_under_the_same_serial_is_refused(office: Office) -> None:
    role = office.role("router")
    role.take_trust(office.sign(office.following()))
    other = TrustBuilder.following(role.trust).audience("quarantine", owner="operator", minimum_epoch=202_604)
    other._serial = role.trust.serial
    with pytest.raises(RolledBack):
        role.take_trust(office.sign(other))
    assert role.trust.minimum_epoch("quarantine") == 0


def forged(office: Office) -> bytes:
    return office.following().sign(NOW, IdentityKey.generate())


def foreign(office: Office) -> bytes:
    builder = TrustBuilder("eltax", 9)
    return office.sign(builder)


@pytest.mark.parametrize("made", [forged, foreign, lambda office: b"\x00garbage", lambda office: b""])
def test_what_the_administrator_did_not_sign_for_us_changes_nothing(
    office: Office, made: Callable[[Office], bytes]
) -> None:
    role, directory = office.role("router"), office.home / "roles" / "router"
    before, file = role.trust, (directory / "trust.bin").read_bytes()
    with pytest.raises(TrustRefused):
        role.take_trust(made(office))
    assert role.trust is before
    assert (directory / "trust.bin").read_bytes() == file


def test_a_role_that_is_withdrawn_ends_and_stays_readable_with_the_list_that_knew_it(office: Office) -> None:
    role = office.role(REVIEW)
    without = office.sign(office.following().revoke(role.identity.key_id, NOW))
    with pytest.raises(RoleWithdrawn):
        role.take_trust(without)
    assert office.role(REVIEW).trust.serial == 1
    assert office.role("router").take_trust(without), "for all others it holds"


def test_a_role_whose_key_was_replaced_ends_and_starts_again_with_the_new_one(office: Office) -> None:
    role, key = office.role(REVIEW), IdentityKey.generate()
    office.keys(REVIEW).save_identity(key)
    builder = office.following().revoke(role.identity.key_id, NOW).identity(REVIEW, key.public, NOW, NOW.replace(2027))
    with pytest.raises(RoleChanged):
        role.take_trust(office.sign(builder))
    assert office.role(REVIEW).identity.key_id == key.key_id


def test_a_declaration_is_taken_on_and_holds_after_a_restart(office: Office) -> None:
    role = office.role("router")
    assert role.standing.declaration_serial == 0
    assert role.take_declaration(office.declare(1, WITH_NEW)) is True
    assert NEW in {tenant.code for tenant in role.topology.tenants}
    assert role.take_declaration(office.declare(2, WITHOUT_SECOND)) is True
    again = office.role("router")
    assert {tenant.code for tenant in again.topology.tenants} == {FIRST}
    assert again.standing.declaration_serial == 2


def test_an_older_declaration_is_refused_and_so_is_its_absence(office: Office) -> None:
    role, path = office.role("router"), office.home / "roles" / "router" / "declaration.bin"
    old, newer = office.declare(1, WITH_NEW), office.declare(2, TEXT)
    role.take_declaration(old)
    role.take_declaration(newer)
    with pytest.raises(RolledBack):
        role.take_declaration(old)
    path.write_bytes(old)
    with pytest.raises(RolledBack):
        office.role("router")
    path.unlink()
    with pytest.raises(RolledBack):
        office.role("router")
    path.write_bytes(newer)
    assert office.role("router").standing.declaration_serial == 2


GROWN = grown(TEXT, PARTITIONS, 2 * PARTITIONS)


def test_another_generation_is_for_the_next_start_and_what_holds_goes_on_holding(office: Office) -> None:
    role = office.role("router")
    role.take_declaration(office.declare(1, paused(TEXT)))
    assert role.holds_back()
    before = role.topology
    following = office.declare(2, GROWN, partitions=2 * PARTITIONS)
    for _ in range(2):  # also when it is heard again before the process has ended
        with pytest.raises(RoleGrown):
            role.take_declaration(following)
        assert role.topology is before
    assert role.holds_back()
    again = office.role("router")
    assert (again.topology.generation, again.topology.partitions) == (2, 2 * PARTITIONS)
    assert not again.holds_back()
    assert not again.take_declaration(following)
    with pytest.raises(RolledBack):
        again.take_declaration(office.declare(1, TEXT))
    with pytest.raises(DeclarationRefused):
        again.take_declaration(office.declare(3, TEXT))
    assert again.topology.generation == 2
    let_go = "".join(line for line in GROWN.splitlines(keepends=True) if not line.startswith("earlier:"))
    with pytest.raises(RoleGrown):
        again.take_declaration(office.declare(3, let_go, partitions=2 * PARTITIONS))
    assert office.role("router").topology.earlier == ()


@pytest.mark.parametrize(
    ("made", "kind"),
    [
        (lambda office: office.declare(1, TEXT, namespace="eltax"), DeclarationRefused),
        (lambda office: office.declare(1, TEXT, partitions=7), DeclarationRefused),
        (lambda office: office.declare(1, TEXT, partitions=0), DeclarationRefused),
        (lambda office: office.declare(1, "version: 2"), DeclarationRefused),
        (lambda office: office.sign(office.following()), DeclarationRefused),
        (lambda office: b"", DeclarationRefused),
    ],
)
def test_a_declaration_that_cannot_be_ours_changes_nothing(
    office: Office, made: Callable[[Office], bytes], kind: type[HubError]
) -> None:
    role = office.role("router")
    before = role.topology
    with pytest.raises(kind):
        role.take_declaration(made(office))
    assert role.topology is before
    assert not (office.home / "roles" / "router" / "declaration.bin").exists()


def test_a_desk_that_is_declared_no_more_is_withdrawn(office: Office) -> None:
    with pytest.raises(RoleWithdrawn):
        office.role(f"review-{SECOND}").take_declaration(office.declare(1, WITHOUT_SECOND))


def test_a_record_of_serials_that_cannot_be_read_stops_the_role(office: Office) -> None:
    office.role("router")
    seen: Path = office.home / "roles" / "router" / "state" / "seen.json"
    assert '"trust.bin"' in seen.read_text()
    for damage in ("", "{", '{"trust.bin": 5}', '{"trust.bin": {"serial": "x", "sha256": ""}}', "[1]"):
        seen.write_text(damage)
        with pytest.raises(RolledBack):
            office.role("router")


def test_the_namespace_of_the_world_is_the_one_that_was_enrolled(office: Office) -> None:
    assert office.role("router").trust.namespace == NS


def test_what_holds_is_not_judged_again_when_the_topic_says_it_at_every_start(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = office.role("router")
    held = (office.home / "roles" / "router" / "trust.bin").read_bytes()
    newer = office.sign(office.following())
    judged: list[bytes] = []
    load = Trust.load

    def counted(value: bytes, administrators: Any) -> Trust:
        judged.append(value)
        return load(value, administrators)

    monkeypatch.setattr(Trust, "load", counted)
    assert role.take_trust(held) is False
    assert judged == []
    assert (role.take_trust(newer), role.take_trust(newer)) == (True, False)
    with pytest.raises(RolledBack):
        role.take_trust(held)
    assert judged == [newer, held]
