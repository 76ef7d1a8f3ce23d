"""Certificates renewed in time, and an authority replaced in three steps, each of which may be cut short."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from hub import authorities
from hub.authorities import Step, WrongStep, begin, finish, renew, step_of, switch
from hub.crypto.certificates import expires_at
from tests.unit.standing.world import FIRST, Office

DESK = f"review-{FIRST}"


def certificates(home: Path) -> list[Path]:
    """Every certificate that somebody shows; not those that exist to be refused."""
    found = (
        *(home / "certificates").glob("*.crt"),
        *(home / "roles").rglob("tls.crt"),
        *home.glob("roles/*/endpoint/*.crt"),
    )
    return sorted(path for path in found if path.name != "ca.crt")


def trusted(home: Path) -> set[tuple[bytes, ...]]:
    """The sets of authorities that files of this home trust."""
    paths = [*(home / "certificates").glob("ca.crt"), *(home / "roles").rglob("ca.crt")]
    assert len(paths) > 20
    return {
        tuple(sorted(each.fingerprint(each.signature_hash_algorithm) for each in _all(path)))  # type: ignore[arg-type]
        for path in paths
    }


def _all(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def issued_by(home: Path, authority: Path) -> bool:
    (first, *_) = _all(authority / "ca.crt")
    for path in certificates(home):
        x509.load_pem_x509_certificate(path.read_bytes()).verify_directly_issued_by(first)
    return True


def test_only_what_ends_soon_is_renewed_and_the_roles_copy_too(office: Office) -> None:
    home, ends = office.home, expires_at(office.home / "certificates" / f"{DESK}.crt")
    assert renew(home, now=ends - timedelta(days=61), within=timedelta(days=60)) == ()
    now = ends - timedelta(days=30)
    keys = {path: path.read_bytes() for path in home.rglob("*.key")}
    names = renew(home, now=now, within=timedelta(days=60))
    assert {DESK, "portal", "router", "admin"} <= set(names)
    assert {expires_at(path) - now > timedelta(days=300) for path in certificates(home)} == {True}
    assert (home / "roles" / DESK / "tls.crt").read_bytes() == (home / "certificates" / f"{DESK}.crt").read_bytes()
    changed = {path for path, content in keys.items() if path.read_bytes() != content}
    assert {path.parts[-2] for path in changed} <= {"canary"}
    assert renew(home, now=now, within=timedelta(days=60)) == ()


def test_a_renewal_that_was_cut_short_is_finished(office: Office) -> None:
    home = office.home
    office.authority.renew(home / "certificates" / f"{DESK}.crt")  # and the copy is not there yet
    assert renew(
        home, now=expires_at(home / "certificates" / f"{DESK}.crt") - timedelta(days=90), within=timedelta(1)
    ) == (DESK,)
    assert (home / "roles" / DESK / "tls.crt").read_bytes() == (home / "certificates" / f"{DESK}.crt").read_bytes()


def test_an_authority_is_replaced_and_at_no_step_somebody_shows_what_another_does_not_trust(office: Office) -> None:
    home, now = office.home, expires_at(office.home / "certificates" / f"{DESK}.crt") - timedelta(days=300)
    assert step_of(home) is Step.SETTLED
    (old,) = trusted(home)
    begin(home, now=now)
    assert step_of(home) is Step.BEGUN
    (both,) = trusted(home)
    assert set(old) < set(both)
    assert len(both) == 2
    assert issued_by(home, home / "authority")
    before = {path: path.read_bytes() for path in certificates(home)}
    assert DESK in switch(home, now=now)
    assert step_of(home) is Step.SWITCHED
    assert trusted(home) == {both}
    assert issued_by(home, home / "authority")
    assert not [path for path, content in before.items() if path.read_bytes() == content]
    office.authority = type(office.authority).load(home / "authority")
    office.enrol()  # `up` and `topics apply` go on with it
    finish(home)
    assert step_of(home) is Step.SETTLED
    (new,) = trusted(home)
    assert set(both) == {*old, *new}
    assert issued_by(home, home / "authority")


def test_steps_out_of_order_are_refused(office: Office) -> None:
    now = expires_at(office.home / "certificates" / f"{DESK}.crt") - timedelta(days=300)
    for step in (lambda: switch(office.home, now=now), lambda: finish(office.home)):
        with pytest.raises(WrongStep):
            step()
    begin(office.home, now=now)
    with pytest.raises(WrongStep):
        finish(office.home)
    begin(office.home, now=now)
    switch(office.home, now=now)
    for step in (lambda: begin(office.home, now=now), lambda: switch(office.home, now=now)):
        with pytest.raises(WrongStep):
            step()


def test_what_was_cut_short_is_not_taken_for_done(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    home, now = office.home, expires_at(office.home / "certificates" / f"{DESK}.crt") - timedelta(days=300)
    with monkeypatch.context() as patch:
        patch.setattr(authorities, "_hand_out", lambda *_: None)
        begin(home, now=now)
    with pytest.raises(WrongStep, match="cut short"):
        switch(home, now=now)
    begin(home, now=now)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(authorities, "keep_control_certificates", _dies)
        switch(home, now=now)
    assert step_of(home) is Step.BEGUN
    switch(home, now=now)
    (home / "authority").rename(home / "authority-next")  # between the two renames
    assert step_of(home) is Step.SWITCHED
    finish(home)
    assert issued_by(home, home / "authority")


def _dies(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
