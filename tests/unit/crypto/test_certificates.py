"""Certificates: whose they are, what for, how long; and that keys are never exposed or exchanged."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from hub.crypto.certificates import (
    CertificateAuthority,
    ForeignCertificate,
    IssuedCertificate,
    PrincipalName,
    Usage,
    expires_at,
    principal_of,
    write_private,
)
from hub.crypto.errors import KeyExists, KeyFileExposed, MalformedKey

NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority.create(tmp_path / "authority", now=NOW)


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def uses(path: Path) -> set[x509.ObjectIdentifier]:
    return set(read(path).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def belong_together(made: IssuedCertificate) -> bool:
    key = serialization.load_pem_private_key(made.private_key.read_bytes(), password=None)
    return key.public_key() == read(made.certificate).public_key()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_principals_certificate_names_it_and_nothing_else(authority: CertificateAuthority, tmp_path: Path) -> None:
    made = authority.issue("review-131041", tmp_path / "certificates")
    assert read(made.certificate).subject.rfc4514_string() == "CN=review-131041"
    assert principal_of(made.certificate) == "review-131041"
    assert belong_together(made)
    read(made.certificate).verify_directly_issued_by(read(authority.certificate_path))
    assert made.ca.read_bytes() == authority.certificate_path.read_bytes()


def test_a_principals_certificate_cannot_serve_as_a_broker(authority: CertificateAuthority, tmp_path: Path) -> None:
    assert uses(authority.issue("portal", tmp_path).certificate) == {ExtendedKeyUsageOID.CLIENT_AUTH}


def test_a_brokers_certificate_names_its_hosts(authority: CertificateAuthority, tmp_path: Path) -> None:
    made = authority.issue("broker", tmp_path, usage=Usage.BROKER, hosts=("127.0.0.1", "localhost"))
    names = read(made.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert uses(made.certificate) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


def test_no_certificate_issued_here_can_issue_others(authority: CertificateAuthority, tmp_path: Path) -> None:
    made = read(authority.issue("portal", tmp_path).certificate)
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not made.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_private_keys_are_for_their_owner_only(authority: CertificateAuthority, tmp_path: Path) -> None:
    made = authority.issue("portal", tmp_path / "certificates")
    assert mode(made.private_key) == mode(tmp_path / "authority" / "ca.key") == 0o600
    assert mode(tmp_path / "certificates") == mode(tmp_path / "authority") == 0o700
    assert made.private_key.read_text().startswith("-----BEGIN PRIVATE KEY-----")


def test_a_private_file_is_never_readable_by_others_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    replace = Path.replace

    def watched(source: Path, target: Path) -> Path:
        seen.append(mode(source))
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", watched)
    (tmp_path / "key").write_text("an old one that anybody may read")
    write_private(tmp_path / "key", b"new")
    assert seen == [0o600]
    assert mode(tmp_path / "key") == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_private(tmp_path / "key", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_private(tmp_path / "key", b"new")
    assert (tmp_path / "key").read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize(
    "name",
    ["", "../portal", "portal/x", "Portal", "portal,O=x", "portal+OU=x", "-portal", "架空", "a" * 64, "a\n", ".."],
)
def test_a_name_that_could_mean_another_principal_or_file_is_refused(
    authority: CertificateAuthority, tmp_path: Path, name: str
) -> None:
    with pytest.raises(PrincipalName):
        authority.issue(name, tmp_path / "certificates")
    assert not (tmp_path / "certificates").exists()


def test_an_authority_is_never_overwritten(authority: CertificateAuthority, tmp_path: Path) -> None:
    before = (tmp_path / "authority" / "ca.key").read_bytes()
    with pytest.raises(KeyExists):
        CertificateAuthority.create(tmp_path / "authority")
    assert (tmp_path / "authority" / "ca.key").read_bytes() == before


def test_an_authority_whose_making_was_cut_short_is_completed_with_its_key(tmp_path: Path) -> None:
    CertificateAuthority.create(tmp_path)
    key = (tmp_path / "ca.key").read_bytes()
    (tmp_path / "ca.crt").unlink()
    CertificateAuthority.create(tmp_path)
    assert (tmp_path / "ca.key").read_bytes() == key
    CertificateAuthority.load(tmp_path)


def test_a_damaged_authority_key_is_a_named_error(authority: CertificateAuthority, tmp_path: Path) -> None:
    (tmp_path / "authority" / "ca.key").write_text("damaged")
    with pytest.raises(MalformedKey):
        CertificateAuthority.load(tmp_path / "authority")


def test_an_authority_is_the_same_after_a_restart(authority: CertificateAuthority, tmp_path: Path) -> None:
    again = CertificateAuthority.load(tmp_path / "authority")
    read(again.issue("portal", tmp_path).certificate).verify_directly_issued_by(read(authority.certificate_path))


def test_an_authority_whose_key_others_may_read_is_not_used(authority: CertificateAuthority, tmp_path: Path) -> None:
    (tmp_path / "authority" / "ca.key").chmod(0o640)
    with pytest.raises(KeyFileExposed):
        CertificateAuthority.load(tmp_path / "authority")


def test_an_authority_with_another_ones_key_is_not_used(authority: CertificateAuthority, tmp_path: Path) -> None:
    CertificateAuthority.create(tmp_path / "other")
    (tmp_path / "other" / "ca.key").replace(tmp_path / "authority" / "ca.key")
    with pytest.raises(MalformedKey):
        CertificateAuthority.load(tmp_path / "authority")


def test_windows_of_validity_can_be_given(authority: CertificateAuthority, tmp_path: Path) -> None:
    end = NOW + timedelta(days=30)
    made = authority.issue("portal", tmp_path, not_before=NOW, not_after=end)
    assert read(made.certificate).not_valid_before_utc == NOW
    assert expires_at(made.certificate) == end


def test_no_certificate_outlives_its_authority(authority: CertificateAuthority, tmp_path: Path) -> None:
    made = authority.issue("portal", tmp_path, not_before=expires_at(authority.certificate_path) - timedelta(days=7))
    assert expires_at(made.certificate) == expires_at(authority.certificate_path)


def test_a_renewed_certificate_is_the_same_but_for_its_dates(authority: CertificateAuthority, tmp_path: Path) -> None:
    made = authority.issue("broker", tmp_path, usage=Usage.BROKER, hosts=("localhost",), not_before=NOW)
    old, key = read(made.certificate), made.private_key.read_bytes()
    until = authority.renew(made.certificate, now=NOW + timedelta(days=300))
    new = read(made.certificate)
    assert until == expires_at(made.certificate) > old.not_valid_after_utc
    assert made.private_key.read_bytes() == key
    assert belong_together(made)
    assert new.subject == old.subject
    assert new.serial_number != old.serial_number
    assert [each.value for each in new.extensions] == [each.value for each in old.extensions]
    new.verify_directly_issued_by(read(authority.certificate_path))


def test_another_authoritys_certificate_is_not_renewed(authority: CertificateAuthority, tmp_path: Path) -> None:
    other = CertificateAuthority.create(tmp_path / "other")  # of the same name
    made = other.issue("portal", tmp_path / "certificates")
    before = made.certificate.read_bytes()
    with pytest.raises(ForeignCertificate):
        authority.renew(made.certificate)
    assert made.certificate.read_bytes() == before
    with pytest.raises(InvalidSignature):
        read(made.certificate).verify_directly_issued_by(read(authority.certificate_path))


def test_keys_are_on_the_curve_that_we_say(authority: CertificateAuthority, tmp_path: Path) -> None:
    for path in (authority.certificate_path, authority.issue("portal", tmp_path).certificate):
        public = read(path).public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        assert isinstance(public.curve, ec.SECP256R1)
