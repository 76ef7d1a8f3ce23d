"""A sealed stream to one public key: what a backup is written through. Bounded memory, and whole or refused.

    file    = ASCII `ELTAXARC` ‖ u8 version 1 ‖ u32 len(head) ‖ head ‖ u16 len(sealed) ‖ sealed ‖ chunk…
    sealed  = HPKE(public key, info = L("archive") ‖ SHA-256(head), content key of 32 random bytes)
    chunk   = u32 length ‖ AES-256-GCM(content key, nonce, plaintext, aad empty), 1 MiB of plaintext, the last one less
    nonce   = 7 zero bytes ‖ u32 number from 0 ‖ u8: 1 for the last chunk, else 0

The head is in the clear and bound by the seal. A file that was cut, continued or put in another order does not open:
numbers and the mark of the last chunk are in the nonces (STREAM, Hoang, Reyhanitabar, Rogaway, Vizár 2015). A content
key is used for one file.
"""

from __future__ import annotations

import io
from types import TracebackType
from typing import IO, ClassVar, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.crypto.audience import AudiencePrivateKey, Suite, seal
from hub.crypto.errors import CryptoError
from hub.crypto.hkdf import sha256
from hub.crypto.labels import label
from hub.crypto.random import Randomness, system_random

_MAGIC: Final = b"ELTAXARC\x01"
_INFO: Final = label("archive")
_KEY_BYTES: Final = 32
_TAG_BYTES: Final = 16
CHUNK_BYTES: Final = 2**20
MAX_HEAD_BYTES: Final = 65_536
_MAX_CHUNKS: Final = 2**32 - 1


class ArchiveDamaged(CryptoError):
    """An archive does not open: it is not whole, was changed, or was sealed to another key."""

    code: ClassVar[str] = "archive.damaged"
    hint: ClassVar[str] = "Nothing of it was taken. Use another copy, or the key that its head names."


class ArchiveWriter(io.RawIOBase):
    """Seals what is written; the file is whole only after `close`. Leaving with an error leaves it unfinished."""

    def __init__(
        self, out: IO[bytes], suite: Suite, public: bytes, head: bytes, *, random: Randomness = system_random
    ) -> None:
        """Write the head. Raises MalformedKey, ValueError for a head of more than 64 KiB."""
        if len(head) > MAX_HEAD_BYTES:
            raise ValueError("head")
        key = random(_KEY_BYTES)
        sealed = seal(suite, public, _INFO + sha256(head), key)
        self._out = out
        self._gcm = AESGCM(key)
        self._number = 0
        self._held = bytearray()
        self._finished = False
        out.write(_MAGIC + len(head).to_bytes(4, "big") + head + len(sealed).to_bytes(2, "big") + sealed)

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Take plaintext; what fills a chunk is sealed and written."""
        self._held += data
        while len(self._held) > CHUNK_BYTES:  # the last one is written by `finish`, and may be full
            self._chunk(bytes(self._held[:CHUNK_BYTES]), last=False)
            del self._held[:CHUNK_BYTES]
        return len(data)

    def finish(self) -> None:
        """Write the last chunk: only now the archive is whole."""
        if not self._finished:
            self._chunk(bytes(self._held), last=True)
            self._held.clear()
            self._finished = True

    def __enter__(self) -> Self:
        """Nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish, unless something went wrong."""
        if kind is None:
            self.finish()

    def _chunk(self, plaintext: bytes, *, last: bool) -> None:
        sealed = self._gcm.encrypt(_nonce(self._number, last=last), plaintext, None)
        self._out.write(len(sealed).to_bytes(4, "big") + sealed)
        self._number += 1


class ArchiveReader(io.RawIOBase):
    """Opens an archive piece by piece; what `read` gives is authentic, and its end is the archive's end."""

    def __init__(self, source: IO[bytes], key: AudiencePrivateKey) -> None:
        """Read the head. Raises ArchiveDamaged."""
        self.head, sealed = _read_head(source)
        try:
            self._gcm = AESGCM(key.open(sealed, _INFO + sha256(self.head)))
        except CryptoError:
            raise ArchiveDamaged from None
        self._source = source
        self._number = 0
        self._ended = False
        self._held = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Give what is there of the present chunk. Raises ArchiveDamaged."""
        while not self._held and not self._ended:
            self._held = self._chunk()
        given = self._held[: len(buffer)]
        buffer[: len(given)] = given
        self._held = self._held[len(given) :]
        return len(given)

    def _chunk(self) -> bytes:
        length = int.from_bytes(_exactly(self._source, 4), "big")
        if not _TAG_BYTES <= length <= CHUNK_BYTES + _TAG_BYTES or self._number > _MAX_CHUNKS:
            raise ArchiveDamaged
        sealed = _exactly(self._source, length)
        position = self._source.tell()
        last = not self._source.read(1)
        self._source.seek(position)
        try:
            plaintext = self._gcm.decrypt(_nonce(self._number, last=last), sealed, None)
        except InvalidTag:
            raise ArchiveDamaged from None
        self._number += 1
        self._ended = last
        return plaintext


def read_head(source: IO[bytes]) -> bytes:
    """The head of an archive, before anything is opened; nothing says yet that it is authentic."""
    return _read_head(source)[0]


def _read_head(source: IO[bytes]) -> tuple[bytes, bytes]:
    if _exactly(source, len(_MAGIC)) != _MAGIC:
        raise ArchiveDamaged
    length = int.from_bytes(_exactly(source, 4), "big")
    if length > MAX_HEAD_BYTES:
        raise ArchiveDamaged
    head = _exactly(source, length)
    return head, _exactly(source, int.from_bytes(_exactly(source, 2), "big"))


def _exactly(source: IO[bytes], count: int) -> bytes:
    data = source.read(count)
    if len(data) != count:
        raise ArchiveDamaged
    return data


def _nonce(number: int, *, last: bool) -> bytes:
    return bytes(7) + number.to_bytes(4, "big") + bytes((last,))
