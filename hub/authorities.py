"""Certificates renewed, and one authority replaced by another, while everything runs.

    begin    everybody trusts the present and the next authority          then: brokers are restarted, one by one
    switch   everybody has a certificate of the next one                  then: brokers are restarted, one by one
    finish   nobody trusts the old one

Running processes take up new files by themselves (`hub.crypto.following_files`); only brokers read theirs at a start.
Each step may be done again: what a crash cuts short, the next run finishes. Where a private key may be in other hands
this is too slow: `hub.enrolment.new_authority` makes all certificates worthless at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Final

from hub.control_certificates import MONITOR, PROBES, keep_control_certificates
from hub.crypto.certificates import CertificateAuthority, expires_at, first_certificate, write_public
from hub.enrolment import ENDPOINT, certify
from schemas.errors import HubError

PRESENT: Final = "authority"
NEXT: Final = "authority-next"
_CA: Final = "ca.crt"


class WrongStep(HubError):
    """The authority is not where this step begins."""

    code: ClassVar[str] = "authority.step"
    hint: ClassVar[str] = "The order is begin, switch, finish (docs/runbooks/rotation.md)."


class Step(StrEnum):
    """Where a home is between two authorities."""

    SETTLED = "settled"
    BEGUN = "begun"
    SWITCHED = "switched"


def step_of(home: Path) -> Step:
    """Where a home is. Raises WrongStep if nobody is enrolled."""
    _mend(home)
    if (home / NEXT / _CA).exists():
        return Step.BEGUN
    path = home / PRESENT / _CA
    if not path.exists():
        raise WrongStep(f"({home}: nobody is enrolled)")
    return Step.SETTLED if first_certificate(path) == path.read_bytes() else Step.SWITCHED


def renew(home: Path, *, now: datetime, within: timedelta) -> tuple[str, ...]:
    """Renew every certificate of a home that ends `within` a time, for the same key; return whose.

    Each is one file that is replaced whole. Raises ForeignCertificate for one that the present authority did not issue.
    """
    authority = CertificateAuthority.load(home / PRESENT)
    renewed = set()
    for path in sorted((home / "certificates").glob("*.crt")):
        if path.name != _CA and expires_at(path) - now < within:
            authority.renew(path, now=now)
            renewed.add(path.stem)
        copy = home / "roles" / path.stem / "tls.crt"
        if path.name != _CA and copy.exists() and copy.read_bytes() != path.read_bytes():
            write_public(copy, path.read_bytes())
            renewed.add(path.stem)
    for path in sorted((home / "roles").glob(f"*/{ENDPOINT}/*.crt")):
        if path.name != _CA and expires_at(path) - now < within:
            authority.renew(path, now=now)
            renewed.add(path.stem)
    keep_control_certificates(home, authority, now=now)
    return tuple(sorted(renewed))


def begin(home: Path, *, now: datetime) -> None:
    """Make the next authority, and let everybody trust it beside the present one. Raises WrongStep."""
    if step_of(home) is Step.SWITCHED:
        raise WrongStep("(finish the change that is under way)")
    if not (home / NEXT / _CA).exists():
        CertificateAuthority.create(home / NEXT, name=f"eltax-hub authority {now:%Y-%m-%d %H%M}", now=now)
    present = home / PRESENT / _CA
    both = first_certificate(present) + first_certificate(home / NEXT / _CA)
    write_public(present, both)
    _hand_out(home, both)


def switch(home: Path, *, now: datetime) -> tuple[str, ...]:
    """Give everybody a certificate and a key of the next authority, which is the present one then; return who.

    The old authority is kept as `authority-retired-<date>`, and is trusted until `finish`. Raises WrongStep.
    """
    if step_of(home) is not Step.BEGUN:
        raise WrongStep
    following, present = home / NEXT, home / PRESENT
    fresh = first_certificate(following / _CA)
    if any(fresh not in each.read_bytes() for each in _trusting(home)):
        raise WrongStep("(begin was cut short: do it again)")
    write_public(following / _CA, fresh + first_certificate(present / _CA))
    authority = CertificateAuthority.load(following)
    certified = sorted(each.stem for each in (home / "certificates").glob("*.crt") if each.name != _CA)
    for name in certified:
        certify(home, name, authority)
    keep_control_certificates(home, authority, now=now, anew=True)
    present.rename(home / f"authority-retired-{now:%Y%m%dT%H%M%S}")
    _mend(home)
    return tuple(certified)


def finish(home: Path) -> None:
    """Let nobody trust the old authority; processes that run do until they are started again. Raises WrongStep."""
    if step_of(home) is not Step.SWITCHED:
        raise WrongStep
    path = home / PRESENT / _CA
    _hand_out(home, first_certificate(path))
    write_public(path, first_certificate(path))


def _mend(home: Path) -> None:
    """What a crash between two renames leaves."""
    if not (home / PRESENT).exists() and (home / NEXT).exists():
        (home / NEXT).rename(home / PRESENT)


def _hand_out(home: Path, trusted: bytes) -> None:
    for path in _trusting(home):
        if path.read_bytes() != trusted:
            write_public(path, trusted)


def _trusting(home: Path) -> Iterator[Path]:
    """Every file that says whom a process or a person trusts."""
    yield from (home / "certificates").glob(_CA)
    yield from (home / "roles").glob(f"*/{_CA}")
    yield from (home / "roles").glob(f"*/{ENDPOINT}/{_CA}")
    yield from (home / "roles" / MONITOR / PROBES).glob(f"*/{_CA}")
