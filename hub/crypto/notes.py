"""Signed notes: text under one or more signatures (C2SP signed-note, tlog-cosignature).

    note  = text ‖ U+000A ‖ signature lines                 (text ends in U+000A; signed-note, "Format")
    line  = `— ` ‖ key name ‖ ` ` ‖ base64(key id(4) ‖ signature) ‖ U+000A
    vkey  = key name ‖ `+` ‖ hex(key id) ‖ `+` ‖ base64(type(1) ‖ public key)         ("Verifier keys")
    key id = SHA-256(key name ‖ 0x0A ‖ type ‖ public key)[:4]                          ("Signatures")

    type 0x01, Ed25519:      signature(64) over the text                               ("Ed25519 signatures")
    type 0x04, cosignature:  u64 seconds ‖ signature(64) over
                             `cosignature/v1` ‖ 0x0A ‖ `time ` ‖ seconds ‖ 0x0A ‖ text
                             (tlog-cosignature, "Ed25519 signed message")
    type 0x06, cosignature:  u64 seconds ‖ signature(2,420) of ML-DSA-44 over
                             `subtree/v1` ‖ 0x0A ‖ 0x00 ‖ u8 length ‖ key name ‖ u64 seconds ‖ u8 length ‖ origin
                             ‖ u64 0 ‖ u64 tree size ‖ root(32)
                             (tlog-cosignature, "ML-DSA-44 signed message"; not the extension lines)

Reading is strict: base64 and hex only as they are written here, so that a note has one form. A text has no
byte 0x00, and every other message that an identity key signs has one (`hub.crypto.labels`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import ClassVar, Final, NoReturn

from hub.crypto import lattice
from hub.crypto.errors import CryptoError
from hub.crypto.hkdf import sha256
from hub.crypto.identity import PUBLIC_BYTES, SIGNATURE_BYTES, IdentityKey, verify
from hub.crypto.merkle import HASH_BYTES

MAX_NOTE_BYTES: Final = 256 * 1024
MAX_SIGNATURES: Final = 64
"""signed-note, "Format": at least 16 must be accepted"""
MAX_SECONDS: Final = 2**63 - 1
"""tlog-cosignature, "Format" """
_KEY_ID_BYTES: Final = 4
_DASH: Final = "\u2014 "
_VKEY: Final = re.compile(r"([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})")


class NoteMalformed(CryptoError):
    """This is not a signed note, signature line or verifier key in its one form."""

    code: ClassVar[str] = "note.malformed"


class NoteNotSigned(CryptoError):
    """The note has no good signature of the key it must have, or a bad one of a known key."""

    code: ClassVar[str] = "note.not-signed"


class SignatureType(IntEnum):
    """Which message a signature covers (signed-note, "Signature types")."""

    ED25519 = 0x01
    COSIGNATURE = 0x04
    ML_DSA_44 = 0x06

    @property
    def cosigns(self) -> bool:
        """Whether it is a cosigner's word with a time, and not a log's."""
        return self is not SignatureType.ED25519


_PUBLIC_BYTES: Final = {
    SignatureType.ED25519: PUBLIC_BYTES,
    SignatureType.COSIGNATURE: PUBLIC_BYTES,
    SignatureType.ML_DSA_44: lattice.PUBLIC_BYTES,
}
_COSIGNATURE_BYTES: Final = (8 + SIGNATURE_BYTES, 8 + lattice.SIGNATURE_BYTES)


def to_base64(data: bytes) -> str:
    """Write standard base64 (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Read standard base64 in its one form. Raises NoteMalformed."""
    try:
        data = base64.b64decode(text.encode("ascii"))
    except ValueError:
        _malformed("base64")
    if to_base64(data) != text:  # characters that were passed over, and bits that no byte uses
        _malformed("base64")
    return data


def _malformed(what: str) -> NoReturn:
    raise NoteMalformed(f"({what})") from None


def name_allowed(name: str) -> bool:
    """Say whether a key may have this name: not empty, no spaces, no plus, no control characters."""
    return bool(name) and not any(sign.isspace() or sign == "+" or sign < " " for sign in name)


def key_id(name: str, kind: SignatureType, public: bytes) -> bytes:
    """Return the 4 bytes by which signature lines name a key."""
    return sha256(name.encode() + b"\n" + bytes((kind,)) + public)[:_KEY_ID_BYTES]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name and the one type of signature it is for."""

    name: str
    kind: SignatureType
    public: bytes

    @property
    def id(self) -> bytes:
        """The key id, 4 bytes."""
        return key_id(self.name, self.kind, self.public)

    def encode(self) -> str:
        """Write the vkey."""
        return f"{self.name}+{self.id.hex()}+{to_base64(bytes((self.kind,)) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a vkey; its key id must be the recommended one. Raises NoteMalformed."""
        found = _VKEY.fullmatch(text)
        if found is None or not name_allowed(found[1]):
            _malformed("vkey")
        data = from_base64(found[3])
        kind = SignatureType(data[0]) if data[0] in tuple(SignatureType) else None
        if kind is None or len(data) != 1 + _PUBLIC_BYTES[kind]:
            _malformed("vkey type")
        key = cls(found[1], kind, data[1:])
        if key.id.hex() != found[2]:
            _malformed("vkey id")
        return key

    def holds(self, text: str, signature: bytes) -> bool:
        """Say whether `signature` (without the key id) is this key's over a note's text."""
        if self.kind is SignatureType.ED25519:
            return verify(self.public, signature, text.encode())
        seconds = cosigned_at(signature)
        if seconds is None:
            return False
        if self.kind is SignatureType.COSIGNATURE:
            return verify(self.public, signature[8:], cosigned_message(text, seconds))
        message = subtree_message(self.name, text, seconds)
        return message is not None and lattice.verify(self.public, signature[8:], message)


def read_keys(data: bytes) -> tuple[VerifierKey, ...]:
    """Read a file of vkeys, one a line, each line ended. Raises NoteMalformed."""
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        _malformed("vkey")
    if not text.endswith("\n"):
        _malformed("vkey file without a line end")
    return tuple(VerifierKey.parse(line) for line in text[:-1].split("\n"))


def cosigned_message(text: str, seconds: int) -> bytes:
    """Return what a cosignature covers (tlog-cosignature, "Ed25519 signed message")."""
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def subtree_message(name: str, text: str, seconds: int) -> bytes | None:
    """Return what an ML-DSA-44 cosignature of a checkpoint covers; None if the text is no checkpoint's."""
    lines = text.split("\n")
    try:
        cosigner, origin, size, root = name.encode(), lines[0].encode(), int(lines[1]), from_base64(lines[2])
        if str(size) != lines[1] or len(root) != HASH_BYTES:
            return None
        return b"".join(
            (
                b"subtree/v1\n\0",
                bytes((len(cosigner),)) + cosigner,
                seconds.to_bytes(8, "big"),
                bytes((len(origin),)) + origin,
                bytes(8),
                size.to_bytes(8, "big"),
                root,
            )
        )
    except (IndexError, ValueError, OverflowError, NoteMalformed):
        return None


def cosigned_at(signature: bytes) -> int | None:
    """Return the seconds since 1970 in a cosignature; None if it has not a cosignature's form, or no time."""
    if len(signature) not in _COSIGNATURE_BYTES:
        return None
    seconds = int.from_bytes(signature[:8], "big")
    return seconds if 0 < seconds <= MAX_SECONDS else None


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: the key's name and id, and what the key's type makes of the text."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """Write the line, with its end."""
        return f"{_DASH}{self.name} {to_base64(self.key_id + self.signature)}\n"

    @classmethod
    def parse(cls, line: str) -> NoteSignature:
        """Read a line without its end. Raises NoteMalformed."""
        parts = line.removeprefix(_DASH).split(" ")
        if not line.startswith(_DASH) or len(parts) != 2 or not name_allowed(parts[0]):
            _malformed("signature line")
        data = from_base64(parts[1])
        if len(data) <= _KEY_ID_BYTES:
            _malformed("signature line")
        return cls(parts[0], data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])

    def names(self, key: VerifierKey) -> bool:
        """Say whether this line claims to be of that key."""
        return (self.name, self.key_id) == (key.name, key.id)


def read_lines(data: bytes) -> tuple[NoteSignature, ...]:
    """Read signature lines, each with its end, such as a witness answers with. Raises NoteMalformed."""
    text = _text(data)
    if not text.endswith("\n"):
        _malformed("signature lines")
    lines = text[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        _malformed("too many signatures")
    return tuple(NoteSignature.parse(line) for line in lines)


def _text(data: bytes) -> str:
    """Decode UTF-8 without control characters other than U+000A (signed-note, "Format")."""
    if len(data) > MAX_NOTE_BYTES:
        _malformed("too large")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        _malformed("UTF-8")
    if any(sign < " " and sign != "\n" for sign in text):
        _malformed("control character")
    return text


@dataclass(frozen=True, slots=True)
class Note:
    """A text with its signature lines. Parsing says nothing of who signed: see `signed_by`."""

    text: str
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, data: bytes) -> Note:
        """Read a note. Raises NoteMalformed."""
        whole = _text(data)
        at = whole.rfind("\n\n")
        if at < 0:
            _malformed("no signatures")
        return cls(whole[: at + 1], read_lines(whole[at + 2 :].encode()))

    def encode(self) -> bytes:
        """Write the note."""
        return (self.text + "\n" + "".join(each.line() for each in self.signatures)).encode()

    def with_signatures(self, more: Iterable[NoteSignature]) -> Note:
        """Return the note with further lines after those it has; a line of the same key is replaced."""
        added = tuple(more)
        keys = {(each.name, each.key_id) for each in added}
        kept = tuple(each for each in self.signatures if (each.name, each.key_id) not in keys)
        return replace(self, signatures=(*kept, *added))

    def signed_by(self, keys: Collection[VerifierKey]) -> tuple[tuple[VerifierKey, NoteSignature], ...]:
        """Return the known keys that signed, in the order of their lines; unknown lines are ignored.

        Raises NoteNotSigned if a line of a known key does not verify (signed-note, "Signatures").
        """
        known = {(key.name, key.id): key for key in keys}
        found = []
        for each in self.signatures:
            key = known.get((each.name, each.key_id))
            if key is None:
                continue
            if not key.holds(self.text, each.signature):
                raise NoteNotSigned("(a bad signature of a known key)")
            found.append((key, each))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A key that signs notes under a name."""

    name: str
    key: IdentityKey | lattice.LatticeKey

    def __post_init__(self) -> None:
        """Refuse a name that no line could carry."""
        if not name_allowed(self.name):
            _malformed("key name")

    def verifier(self) -> VerifierKey:
        """Return the public side for a log's own signatures. Raises NoteMalformed for a key that makes none."""
        if not isinstance(self.key, IdentityKey):
            _malformed("a log signs with Ed25519")
        return VerifierKey(self.name, SignatureType.ED25519, self.key.public)

    def cosigner(self) -> VerifierKey:
        """Return the public side for cosignatures."""
        kind = SignatureType.COSIGNATURE if isinstance(self.key, IdentityKey) else SignatureType.ML_DSA_44
        return VerifierKey(self.name, kind, self.key.public)

    def sign(self, text: str) -> Note:
        """Return the text as a note of its own, signed with type 0x01."""
        _text(text.encode())
        if not text.endswith("\n"):
            _malformed("text without a line end")
        mark = NoteSignature(self.name, self.verifier().id, self.key.sign(text.encode()))
        return Note(text, (mark,))

    def cosign(self, text: str, seconds: int) -> NoteSignature:
        """Return a cosignature line of a checkpoint's text; `seconds` since 1970, not zero."""
        if not 0 < seconds <= MAX_SECONDS:
            raise ValueError("seconds")
        key = self.cosigner()
        if key.kind is SignatureType.COSIGNATURE:
            message: bytes | None = cosigned_message(text, seconds)
        else:
            message = subtree_message(self.name, text, seconds)
        if message is None:
            _malformed("no checkpoint")
        return NoteSignature(self.name, key.id, seconds.to_bytes(8, "big") + self.key.sign(message))
