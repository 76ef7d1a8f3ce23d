"""Each field of a certificate that a TLS peer or another authority's tool looks at, and each bad file by its name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from hub.crypto import certificates
from hub.crypto.certificates import (
    CertificateAuthority,
    ForeignCertificate,
    PrincipalName,
    Usage,
    expires_at,
    made_at,
    write_private,
)
from hub.crypto.errors import KeyExists, KeyFileExposed, MalformedKey
from tests.unit.crypto.test_certificates import mode, read

NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
SKEW = timedelta(minutes=5)


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority.create(tmp_path / "deep" / "authority", now=NOW)


def extensions(certificate: x509.Certificate) -> dict[str, tuple[bool, object]]:
    return {type(each.value).__name__: (each.critical, each.value) for each in certificate.extensions}


def usage(**granted: bool) -> x509.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: granted.get(name, False) for name in every})


def test_authoritys_certificate_signs_certificates_directly_and_does_nothing_else(
    authority: CertificateAuthority,
) -> None:
    certificate = read(authority.certificate_path)
    public = certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert extensions(certificate) == {
        "BasicConstraints": (True, x509.BasicConstraints(ca=True, path_length=0)),
        "KeyUsage": (True, usage(key_cert_sign=True, crl_sign=True)),
        "SubjectKeyIdentifier": (False, x509.SubjectKeyIdentifier.from_public_key(public)),
    }
    assert certificate.subject == certificate.issuer
    assert certificate.subject.rfc4514_string() == "CN=eltax-hub authority"
    assert certificate.not_valid_before_utc == NOW - SKEW
    assert certificate.not_valid_after_utc == NOW + timedelta(days=3_650)
    assert isinstance(certificate.signature_hash_algorithm, hashes.SHA256)
    assert mode(authority.certificate_path) == 0o644
    assert authority.certificate_path.name == "ca.crt"


def test_principals_certificate_signs_handshakes_and_does_nothing_else(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    made = authority.issue("portal", tmp_path / "deeper" / "certificates")
    certificate, public = read(made.certificate), read(authority.certificate_path).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert extensions(certificate) == {
        "BasicConstraints": (True, x509.BasicConstraints(ca=False, path_length=None)),
        "KeyUsage": (True, usage(digital_signature=True)),
        "ExtendedKeyUsage": (False, x509.ExtendedKeyUsage(Usage.CLIENT.value)),
        "AuthorityKeyIdentifier": (False, x509.AuthorityKeyIdentifier.from_issuer_public_key(public)),
    }
    assert isinstance(certificate.signature_hash_algorithm, hashes.SHA256)
    assert [each.name for each in (made.certificate, made.private_key, made.ca)] == [
        "portal.crt",
        "portal.key",
        "ca.crt",
    ]
    assert mode(made.certificate) == mode(made.ca) == 0o644
    names = extensions(read(authority.issue("server", tmp_path, usage=Usage.SERVER, hosts=["localhost"]).certificate))
    assert names["SubjectAlternativeName"] == (False, x509.SubjectAlternativeName([x509.DNSName("localhost")]))
    assert names["ExtendedKeyUsage"] == (False, x509.ExtendedKeyUsage(Usage.SERVER.value))


def test_certificate_is_valid_from_five_minutes_ago_for_397_days(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    before = datetime.now(UTC)
    made = read(authority.issue("portal", tmp_path).certificate)
    after = datetime.now(UTC)
    second = timedelta(seconds=1)  # X.509 has whole seconds
    assert before - SKEW - second < made.not_valid_before_utc <= after - SKEW
    assert made.not_valid_after_utc - made.not_valid_before_utc == timedelta(days=397)
    at = NOW + timedelta(days=30)
    authority.renew(tmp_path / "portal.crt", now=at)
    renewed = read(tmp_path / "portal.crt")
    assert renewed.not_valid_before_utc == at - SKEW
    assert mode(tmp_path / "portal.crt") == 0o644
    before = datetime.now(UTC)
    authority.renew(tmp_path / "portal.crt")
    assert before - SKEW - second < read(tmp_path / "portal.crt").not_valid_before_utc <= datetime.now(UTC) - SKEW
    new = CertificateAuthority.create(tmp_path / "new")
    assert expires_at(new.certificate_path) > before + timedelta(days=3_649)


def test_existing_directories_are_used(authority: CertificateAuthority, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    authority.issue("portal", tmp_path / "there")
    (tmp_path / "empty").mkdir()
    CertificateAuthority.create(tmp_path / "empty")
    with pytest.raises(KeyExists) as exists:
        CertificateAuthority.create(tmp_path / "empty")
    assert exists.value.detail == "(ca.crt)"


@pytest.mark.parametrize("bits", [0o601, 0o602, 0o604, 0o610])
def test_key_that_anybody_else_may_touch_is_not_used(authority: CertificateAuthority, bits: int) -> None:
    path = authority.certificate_path.with_name("ca.key")
    path.chmod(bits)
    with pytest.raises(KeyFileExposed) as exposed:
        CertificateAuthority.load(path.parent)
    assert exposed.value.detail == "(ca.key)"


def pem(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def test_key_of_another_kind_or_owner_or_under_a_password_is_malformed(authority: CertificateAuthority) -> None:
    path = authority.certificate_path.with_name("ca.key")
    for content in (
        b"damaged",
        pem(ed25519.Ed25519PrivateKey.generate()),
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(ec.generate_private_key(ec.SECP256R1()), b"password"),
    ):
        path.write_bytes(content)
        with pytest.raises(MalformedKey) as malformed:
            CertificateAuthority.load(path.parent)
        assert malformed.value.detail == "(ca.key)"
    path.write_bytes(pem(ed25519.Ed25519PrivateKey.generate()))
    authority.certificate_path.unlink()
    with pytest.raises(MalformedKey):
        CertificateAuthority.create(path.parent)


def certificate_for(
    public: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    issuer: x509.Name,
) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "portal")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage(Usage.CLIENT.value), critical=False)
    )
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signer, algorithm).public_bytes(serialization.Encoding.PEM)


def test_only_what_this_authority_issued_for_a_key_of_its_kind_is_renewed(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    issuer = read(authority.certificate_path).subject
    other = ec.generate_private_key(ec.SECP256R1())
    stranger = ed25519.Ed25519PrivateKey.generate()
    own = serialization.load_pem_private_key(authority.certificate_path.with_name("ca.key").read_bytes(), None)
    assert isinstance(own, ec.EllipticCurvePrivateKey)
    path = tmp_path / "portal.crt"
    for content in (
        certificate_for(other.public_key(), other, issuer),
        certificate_for(other.public_key(), own, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other")])),
        certificate_for(other.public_key(), stranger, issuer),
    ):
        path.write_bytes(content)
        with pytest.raises(ForeignCertificate) as foreign:
            authority.renew(path)
        assert foreign.value.detail == "(portal.crt)"
    path.write_bytes(certificate_for(stranger.public_key(), own, issuer))
    with pytest.raises(MalformedKey) as malformed:
        authority.renew(path)
    assert malformed.value.detail == "(portal.crt)"
    path.write_bytes(certificate_for(other.public_key(), own, issuer))
    assert authority.renew(path, now=NOW) == NOW - SKEW + timedelta(days=397)


def test_private_file_is_whole_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = certificates.os.fsync

    def fsync(descriptor: int) -> None:
        sizes.append(certificates.os.fstat(descriptor).st_size)
        assert not (tmp_path / "key").exists()
        real(descriptor)

    monkeypatch.setattr(certificates.os, "fsync", fsync)
    write_private(tmp_path / "key", b"content")
    assert sizes == [7] and (tmp_path / "key").read_bytes() == b"content"


def test_certificate_tells_when_it_begins_and_ends(authority: CertificateAuthority) -> None:
    assert made_at(authority.certificate_path) == NOW - SKEW
    assert expires_at(authority.certificate_path) == NOW + timedelta(days=3_650)
    assert (PrincipalName.code, ForeignCertificate.code) == ("certificate.name", "certificate.foreign")
