"""X.509 for mutual TLS: an own certificate authority, and certificates for brokers and principals.

For the embedded broker, tests and trials. Production brings certificates of its own authority; the
hub only reads PEM files then. Keys are EC P-256; private keys are PKCS#8 PEM with mode 0600. A principal
is the certificate's common name and nothing else, so that Kafka knows its holder as `User:CN=<principal>`.
"""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import ClassVar, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.crypto.errors import CryptoError, KeyExists, KeyFileExposed, MalformedKey

_AUTHORITY_LIFE: Final = timedelta(days=3_650)
_LIFE: Final = timedelta(days=397)
_SKEW: Final = timedelta(minutes=5)
"""clocks of two machines may differ by this much"""
BACKDATED: Final = _SKEW
"""so much before it is made does a certificate of ours begin"""
_PRINCIPAL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class PrincipalName(CryptoError):
    """A certificate cannot bear this name: 1 to 63 of a-z, 0-9 and inner hyphens.

    Anything else could name another file, or add an attribute to the name that rights are granted to.
    """

    code: ClassVar[str] = "certificate.name"


class ForeignCertificate(CryptoError):
    """A certificate was not issued by this authority."""

    code: ClassVar[str] = "certificate.foreign"


class Usage(Enum):
    """What a certificate may be used for (RFC 5280, 4.2.1.12)."""

    CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH,)
    SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
    BROKER = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
    """a broker serves clients and is a client of its controller"""


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """PEM files of one certificate: the certificate, its private key, and the authority's certificate."""

    certificate: Path
    private_key: Path
    ca: Path


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read (0600), whole or not at all, durably."""
    _write(path, content, 0o600)


def write_public(path: Path, content: bytes) -> None:
    """Write a file that everybody may read (0644), whole or not at all, durably."""
    _write(path, content, 0o644)


def _write(path: Path, content: bytes, mode: int) -> None:
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


class CertificateAuthority:
    """An authority that signs certificates; its private key stays in its own directory."""

    def __init__(self, certificate: x509.Certificate, private_key: ec.EllipticCurvePrivateKey, path: Path) -> None:
        """Use `create` or `load`."""
        self._certificate = certificate
        self._key = private_key
        self.certificate_path: Final = path

    @classmethod
    def create(
        cls, directory: Path, *, name: str = "eltax-hub authority", now: datetime | None = None
    ) -> CertificateAuthority:
        """Make an authority of ten years in `directory` (ca.crt, ca.key); the directory is made if missing.

        Raises KeyExists if the directory has one: everything it ever signed would be worth nothing. A key without
        its certificate, as a crash leaves it, is used.
        """
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if (directory / "ca.crt").exists():
            raise KeyExists("(ca.crt)")
        at = now or datetime.now(UTC)
        if not (directory / "ca.key").exists():
            write_private(directory / "ca.key", _pem_key(ec.generate_private_key(ec.SECP256R1())))
        key = _private_key(directory / "ca.key")
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(at - _SKEW)
            .not_valid_after(at + _AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(authority=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        # the certificate last: it is what says that the authority is complete
        _write(directory / "ca.crt", certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        return cls(certificate, key, directory / "ca.crt")

    @classmethod
    def load(cls, directory: Path) -> CertificateAuthority:
        """Load what `create` made.

        Raises FileNotFoundError if there is none, KeyFileExposed if others on this machine may read its key,
        MalformedKey if key and certificate do not belong together.
        """
        certificate = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes())
        key = _private_key(directory / "ca.key")
        if key.public_key() != certificate.public_key():
            raise MalformedKey("(ca.key)")
        return cls(certificate, key, directory / "ca.crt")

    def issue(
        self,
        common_name: str,
        directory: Path,
        *,
        usage: Usage = Usage.CLIENT,
        hosts: Sequence[str] = (),
        not_before: datetime | None = None,
        not_after: datetime | None = None,
    ) -> IssuedCertificate:
        """Issue `<common_name>.crt` and `.key` into `directory` and put `ca.crt` beside them.

        `hosts` are DNS names or IP addresses for the subject alternative name. Without `not_before` it is valid
        from five minutes ago, without `not_after` for 397 days, but no longer than the authority itself.
        Raises PrincipalName. A certificate of that name is replaced, with a new key.
        """
        if not _PRINCIPAL.fullmatch(common_name):
            raise PrincipalName
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        names = [_general_name(host) for host in hosts]
        certificate = self._sign(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]),
            key.public_key(),
            x509.ExtendedKeyUsage(usage.value),
            x509.SubjectAlternativeName(names) if names else None,
            not_before or datetime.now(UTC) - _SKEW,
            not_after,
        )
        made = IssuedCertificate(
            directory / f"{common_name}.crt", directory / f"{common_name}.key", directory / "ca.crt"
        )
        write_private(made.private_key, _pem_key(key))
        _write(made.certificate, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
        ours = self.certificate_path.read_bytes()
        if not made.ca.exists() or made.ca.read_bytes() != ours:  # many share a directory
            _write(made.ca, ours, 0o644)
        return made

    def renew(self, certificate: Path, *, now: datetime | None = None) -> datetime:
        """Replace a certificate file by one for the same name, key and use, and return until when it is valid.

        One file changes, in one step: a crash leaves the old or the new certificate, each with its key. Raises
        ForeignCertificate if another authority issued it.
        """
        old = x509.load_pem_x509_certificate(certificate.read_bytes())
        public = old.public_key()
        try:
            old.verify_directly_issued_by(self._certificate)
        except (ValueError, InvalidSignature):
            raise ForeignCertificate(f"({certificate.name})") from None
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise MalformedKey(f"({certificate.name})")
        try:
            names = old.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            names = None
        usage = old.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        new = self._sign(old.subject, public, usage, names, (now or datetime.now(UTC)) - _SKEW, None)
        _write(certificate, new.public_bytes(serialization.Encoding.PEM), 0o644)
        return new.not_valid_after_utc

    def _sign(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        usage: x509.ExtendedKeyUsage,
        names: x509.SubjectAlternativeName | None,
        not_before: datetime,
        not_after: datetime | None,
    ) -> x509.Certificate:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after or min(not_before + _LIFE, self._certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(usage, critical=False)
            .add_extension(authority, critical=False)
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def key_store(issued: IssuedCertificate, alias: str, password: str) -> bytes:
    """A certificate with its key and its authority's certificate as PKCS#12, which Java reads; `password` opens it."""
    return pkcs12.serialize_key_and_certificates(
        alias.encode(),
        _private_key(issued.private_key),
        x509.load_pem_x509_certificate(issued.certificate.read_bytes()),
        [x509.load_pem_x509_certificate(issued.ca.read_bytes())],
        serialization.BestAvailableEncryption(password.encode()),
    )


def first_certificate(path: Path) -> bytes:
    """The first certificate of a PEM file, as PEM: of an authority's `ca.crt`, its own."""
    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(serialization.Encoding.PEM)


def expires_at(certificate: Path) -> datetime:
    """Until when (UTC) the first certificate of a PEM file is valid."""
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc


def made_at(certificate: Path) -> datetime:
    """From when (UTC) the first certificate of a PEM file is valid, five minutes before it was made by us."""
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_before_utc


def principal_of(certificate: Path) -> str:
    """Return the common name of the first certificate of a PEM file: who its holder is to Kafka."""
    subject = x509.load_pem_x509_certificate(certificate.read_bytes()).subject
    return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyFileExposed(f"({path.name})")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise MalformedKey(f"({path.name})") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise MalformedKey(f"({path.name})")
    return key


def _pem_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
