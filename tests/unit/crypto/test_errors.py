"""Codes are what operators search for and scripts compare: they stay."""

from __future__ import annotations

from hub.crypto import errors
from hub.crypto.certificates import ForeignCertificate, PrincipalName
from hub.crypto.checkpoints import CheckpointMalformed, ProofMalformed
from hub.crypto.errors import CryptoError
from hub.crypto.notes import NoteMalformed, NoteNotSigned
from hub.crypto.tiles import TilesDamaged
from hub.crypto.wrapping import WrappingError

CODES = {
    CryptoError: "crypto",
    errors.MalformedKey: "crypto.malformed-key",
    errors.NotOpened: "crypto.not-opened",
    errors.NotAuthentic: "crypto.not-authentic",
    errors.KeyStoreError: "keystore",
    errors.KeyExists: "keystore.exists",
    errors.KeyMissing: "keystore.missing",
    errors.KeyFileDamaged: "keystore.damaged",
    errors.KeyFileExposed: "keystore.exposed",
    errors.WeakKeyFile: "keystore.weak",
    PrincipalName: "certificate.name",
    ForeignCertificate: "certificate.foreign",
    CheckpointMalformed: "checkpoint.malformed",
    ProofMalformed: "proof.malformed",
    NoteMalformed: "note.malformed",
    NoteNotSigned: "note.not-signed",
    TilesDamaged: "tiles.damaged",
    WrappingError: "at-rest-damaged",
}


def test_codes_are_stable() -> None:
    assert {each: each.code for each in CODES} == CODES
    assert not any(each.retriable for each in CODES)


def test_every_error_of_the_cryptography_has_its_own_code() -> None:
    listed = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, CryptoError)}
    assert listed <= set(CODES) and len(set(CODES.values())) == len(CODES)
