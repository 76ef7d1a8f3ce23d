"""What a peer's certificate says of itself, from the bytes that came over the line. None of it is verified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

MAX_BYTES: Final = 65_536
_MAX_NAMES: Final = 16
_MAX_CHARACTERS: Final = 100


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """Common names, alternative names (16 at most), and between which aware times (UTC) it is valid."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime


def peer_certificate(der: bytes) -> PeerCertificate | None:
    """Read a certificate of a peer who may be anybody; None if it is none. Texts are cut at 100 characters."""
    if not 0 < len(der) <= MAX_BYTES:
        return None
    try:
        read = x509.load_der_x509_certificate(der)
        return PeerCertificate(
            _common_name(read.subject),
            _common_name(read.issuer),
            _names(read),
            read.not_valid_before_utc,
            read.not_valid_after_utc,
        )
    except (
        ValueError,
        TypeError,
        Warning,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ):
        return None


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value)[:_MAX_CHARACTERS] if found else ""


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(each.value)[:_MAX_CHARACTERS] for each in list(names)[:_MAX_NAMES])
