"""Tenants are enrolled and withdrawn one by one; who stays keeps every key."""

from __future__ import annotations

from pathlib import Path

from hub.envelope.records import AudienceKey
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_audience_key
from tests.unit.standing.world import FIRST, NEW, NOW, SECOND, WITH_NEW, WITHOUT_SECOND, Office


def files(home: Path, *, but: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Every file of the roles, but for the lists that all get."""
    shared = ("trust.bin", "seen.json", ".seen.lock")
    found = {str(path.relative_to(home)): path for path in (home / "roles").rglob("*") if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in sorted(found.items())
        if path.name not in shared and not any(part in name for part in but)
    }


def test_nothing_to_do_changes_nothing(office: Office) -> None:
    before = files(office.home)
    done = office.enrol()
    assert (done.added, done.withdrawn, done.changed) == ((), (), False)
    assert files(office.home) == before
    assert office.role("router").trust.serial == 1


def test_a_new_tenant_is_listed_under_the_next_serial_and_nobody_elses_keys_change(office: Office) -> None:
    before = files(office.home)
    done = office.enrol(WITH_NEW)
    assert done.changed
    assert set(done.added) == {each for each in done.added if each.endswith(NEW)} and len(done.added) == 7
    assert files(office.home, but=(NEW,)) == before
    trust = office.role("router").trust
    assert trust.serial == 2
    assert listed(office, f"review-{NEW}").serial == 2
    assert trust.may_produce(f"review-{NEW}", f"rehearsal.{NEW}.status", NEW)
    assert not trust.may_produce(f"review-{NEW}", f"rehearsal.{FIRST}.status", FIRST)
    assert trust.owner(f"review-{NEW}") == f"review-{NEW}"
    mine = [value for key, value in done.audience_keys if key.startswith(f"review-{NEW}/")]
    assert len(mine) == 2
    for value in mine:
        assert isinstance(validate_audience_key(value, trust, NOW), AudienceKey)


def test_a_removed_tenants_keys_are_revoked_and_its_files_stay(office: Office) -> None:
    before = files(office.home)
    keys = {each: office.role(each).identity.key_id for each in (f"review-{SECOND}", f"review-{FIRST}")}
    assert not office.enrol(WITHOUT_SECOND).changed, "nobody is withdrawn unasked"
    done = office.enrol(WITHOUT_SECOND, withdraw=True)
    assert all(each.endswith(SECOND) for each in done.withdrawn) and len(done.withdrawn) == 7
    trust = office.role("router").trust
    assert trust.revoked(keys[f"review-{SECOND}"])
    assert not trust.revoked(keys[f"review-{FIRST}"])
    assert not trust.may_produce(f"review-{SECOND}", f"rehearsal.{SECOND}.status", SECOND)
    assert files(office.home) == before
    assert office.enrol(WITHOUT_SECOND, withdraw=True).changed is False


def test_a_tenant_that_comes_back_has_a_new_identity_and_opens_what_was_sealed_to_it(office: Office) -> None:
    name = f"review-{SECOND}"
    old, sealed_to = office.role(name).identity.key_id, office.keys(name).load_audience(name, 202604).key_id
    office.enrol(WITHOUT_SECOND, withdraw=True)
    done = office.enrol()
    assert name in done.added
    role = office.role(name)
    assert role.identity.key_id != old
    assert role.trust.revoked(old)
    assert office.keys(name).load_audience(name, 202604).key_id == sealed_to
    announced = [value for key, value in done.audience_keys if key.startswith(f"{name}/202604/")]
    assert [isinstance(validate_audience_key(value, role.trust, NOW), AudienceKey) for value in announced] == [True]


def test_a_home_from_a_copy_goes_on_above_what_was_published(office: Office) -> None:
    assert office.enrol(least_serial=7).changed
    assert office.role("router").trust.serial == 7
    assert Signed.parse((office.home / "trust.bin").read_bytes()).signatures


def test_what_was_cut_short_is_finished_by_the_next_run(office: Office) -> None:
    """A crash after the list was written at home, and before the roles had it."""
    before = (office.home / "trust.bin").read_bytes()
    office.enrol(WITH_NEW)
    newer = (office.home / "trust.bin").read_bytes()
    (office.home / "roles" / "router" / "trust.bin").write_bytes(before)
    for name in ("trust.bin", "admin.pub"):
        (office.home / "roles" / f"review-{NEW}" / name).unlink()
    assert not office.enrol(WITH_NEW).changed
    assert (office.home / "roles" / "router" / "trust.bin").read_bytes() == newer
    assert listed(office, f"review-{NEW}").serial == 2


def listed(office: Office, principal: str) -> Trust:
    """The list in a role directory, as the role pins it."""
    directory = office.home / "roles" / principal
    return Trust.load((directory / "trust.bin").read_bytes(), bytes.fromhex((directory / "admin.pub").read_text()))
