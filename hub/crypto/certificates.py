"""X.509 for mutual TLS: an own certificate authority, and certificates for brokers and principals.

For the embedded broker, tests and trials. Production brings certificates of its own authority; the
hub only reads PEM files then. Keys are EC P-256; private keys are PKCS#8 PEM with mode 0600.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_LIFE: Final = timedelta(days=3_650)
_LIFE: Final = timedelta(days=397)
_SKEW: Final = timedelta(minutes=5)


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
    """Write a file that only its owner may read (0600), whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    new.replace(path)


class CertificateAuthority:
    """An authority that signs certificates; its private key stays in its own directory."""

    def __init__(
        self, certificate: x509.Certificate, private_key: ec.EllipticCurvePrivateKey, path: Path
    ) -> None:
        """Use `create` or `load`."""
        self._certificate = certificate
        self._key = private_key
        self.certificate_path: Final = path

    @classmethod
    def create(
        cls, directory: Path, *, name: str = "eltax-hub authority", now: datetime | None = None
    ) -> CertificateAuthority:
        """Make an authority of ten years in `directory` (ca.crt, ca.key); the directory is made if missing."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        at = now or datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
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
        write_private(directory / "ca.key", _pem_key(key))
        (directory / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(certificate, key, directory / "ca.crt")

    @classmethod
    def load(cls, directory: Path) -> CertificateAuthority:
        """Load what `create` made; raises FileNotFoundError if there is none."""
        certificate = x509.load_pem_x509_certificate((directory / "ca.crt").read_bytes())
        key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the authority's key is not an EC key")
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

        `hosts` are DNS names or IP addresses for the subject alternative name. Default life: 397 days.
        """
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        start = not_before or datetime.now(UTC) - _SKEW
        key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(not_after or start + _LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usage.value), critical=False)
            .add_extension(authority, critical=False)
        )
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(h) for h in hosts]), critical=False
            )
        certificate = builder.sign(self._key, hashes.SHA256())
        made = IssuedCertificate(
            directory / f"{common_name}.crt", directory / f"{common_name}.key", directory / "ca.crt"
        )
        write_private(made.private_key, _pem_key(key))
        made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        made.ca.write_bytes(self.certificate_path.read_bytes())
        return made


def expires_at(certificate: Path) -> datetime:
    """Until when (UTC) the first certificate of a PEM file is valid."""
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc


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
