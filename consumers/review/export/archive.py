"""The ZIP file: every member deflated and under WinZip AES-256 (AE-2), manifest.json last.

AE-2 leaves out the CRC of the plain text, which would let a guess be tested. Salts are random, so the same run
written twice differs as a ZIP and is equal byte for byte in what it holds. Names, sizes and times of members are
open to everyone: none of them says anything of a person.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import IO, Any, Final

import pyzipper

from consumers.review.export import manifest as manifests
from consumers.review.export.characters import Encoding
from consumers.review.export.columns import VERSION, all_forms
from consumers.review.export.errors import ArchiveDamaged, ArchiveUnreadable, ExportError, PasswordUnfit, PasswordWrong
from consumers.review.export.manifest import Manifest
from consumers.store.exporting import ExportFile

_PASSWORD: Final = re.compile(r"[\x21-\x7e]{16,128}")
_STRENGTH_256: Final = 3
_AE_2: Final = 2
_CHUNK: Final = 1 << 16
_MAX_LINE: Final = 1 << 23
"""characters of one line; the fullest submission has 6 MiB of texts (schemas.checks)"""


def password_bytes(password: str) -> bytes:
    """Return a password for the archive. Raises PasswordUnfit."""
    if not _PASSWORD.fullmatch(password):
        raise PasswordUnfit
    return password.encode()


class ArchiveWriter:
    """Writes members one after the other."""

    def __init__(self, archive: Any, at: datetime) -> None:
        """`at` is the time that all members bear, in the zone of the reader."""
        self._archive = archive
        self._time = (max(at.year, 1980), at.month, at.day, at.hour, at.minute, at.second)

    @contextmanager
    def member(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """Open a member; what is yielded takes its bytes."""
        info = self._archive.zipinfo_cls(name, self._time)
        info.compress_type = pyzipper.ZIP_DEFLATED
        info.create_system = 3
        out = self._archive.open(info, "w", force_zip64=True)
        try:
            yield out.write
        except BaseException:
            with suppress(Exception):  # the member is given up, and with it the archive
                out.close()
            raise
        out.close()


@contextmanager
def writing(file: IO[bytes], password: str, at: datetime) -> Iterator[ArchiveWriter]:
    """Write an archive into an open file. After an error the file is worth nothing."""
    archive = pyzipper.AESZipFile(
        file,
        "w",
        compression=pyzipper.ZIP_DEFLATED,
        encryption=pyzipper.WZ_AES,
        encryption_kwargs={"nbits": 256, "force_wz_aes_version": _AE_2},
    )
    archive.setpassword(password_bytes(password))
    try:
        yield ArchiveWriter(archive, at)
        archive.close()
    except BaseException:
        archive.fp = None  # or its finaliser would try to write the end once more
        raise


def verify(path: Path, password: str) -> Manifest:
    """Check an archive against its manifest, in bounded memory; needs nothing but the file.

    Raises ArchiveDamaged, PasswordWrong, PasswordUnfit, ArchiveUnreadable.
    """
    secret = password_bytes(password)
    try:
        file = path.open("rb")
    except OSError:
        raise ArchiveUnreadable from None
    try:
        with file, pyzipper.AESZipFile(file) as archive:
            return _verified(archive, secret)
    except ExportError:
        raise
    except Exception as error:  # noqa: BLE001 - what a ZIP reader raises on bytes that are no archive is not declared
        if type(error) is RuntimeError:  # pyzipper's word for it
            raise PasswordWrong from None
        raise ArchiveDamaged from None


def _verified(archive: Any, secret: bytes) -> Manifest:
    infos = {info.filename: info for info in archive.infolist()}
    if len(infos) != len(archive.infolist()) or len(infos) > manifests.MAX_FILES + 1 or manifests.NAME not in infos:
        raise ArchiveDamaged("members")
    for info in infos.values():
        # The strong form says AES-256 for every member, or somebody has put something in.
        if not info.flag_bits & 1 or info.wz_aes_strength != _STRENGTH_256:
            raise ArchiveDamaged("encryption")
    archive.setpassword(secret)
    with archive.open(infos[manifests.NAME]) as member:
        text = member.read(manifests.MAX_BYTES + 1)
        if len(text) > manifests.MAX_BYTES or member.read(1):
            raise ArchiveDamaged("manifest")
    manifest = Manifest.decode(text)
    names = [each.name for each in manifest.files]
    if len(set(names)) != len(names) or {*names, manifests.NAME} != infos.keys():
        raise ArchiveDamaged("members")
    try:
        encoding = Encoding(manifest.encoding)
    except ValueError:
        raise ArchiveDamaged("encoding") from None
    headers = {form.name: list(form.header) for form in all_forms()}
    own = manifest.columns_version == VERSION
    for declared in manifest.files:
        with archive.open(infos[declared.name]) as member:
            header = _member(member, declared, encoding)
        if own and header != headers.get(declared.name):
            raise ArchiveDamaged("columns")
    return manifest


class ArchiveReadings(io.RawIOBase):
    """Hands bytes on, at most as many as declared, and digests them."""

    def __init__(self, source: Any, declared: ExportFile) -> None:
        """`source` is an open member, `declared` what the manifest says of it."""
        self._source = source
        self._left = declared.size
        self.digest = sha256()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer. Raises ArchiveDamaged beyond the declared size."""
        data: bytes = self._source.read(min(len(buffer), _CHUNK))
        self._left -= len(data)
        if self._left < 0:
            raise ArchiveDamaged("size")
        self.digest.update(data)
        buffer[: len(data)] = data
        return len(data)

    @property
    def whole(self) -> bool:
        """Whether all that was declared has come."""
        return self._left == 0


def _bounded(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a text; a line without end would be as large as its compressed form promises."""
    while line := text.readline(_MAX_LINE + 1):
        if len(line) > _MAX_LINE:
            raise ArchiveDamaged("line")
        yield line


def _member(source: Any, declared: ExportFile, encoding: Encoding) -> list[str] | None:
    """Read a member to its end; return its header line. Raises ArchiveDamaged."""
    checked = ArchiveReadings(source, declared)
    name = "utf-8-sig" if encoding is Encoding.UTF_8 else encoding.value
    with io.BufferedReader(checked) as buffered:
        if buffered.peek(3)[:3].startswith(b"\xef\xbb\xbf") != bool(encoding.mark):
            raise ArchiveDamaged("encoding")
        with io.TextIOWrapper(buffered, encoding=name, newline="") as text:
            lines = csv.reader(_bounded(text), strict=True)
            header = next(lines, None)
            count = sum(1 for _ in lines)
    if not checked.whole or not compare_digest(checked.digest.digest(), declared.sha256) or count != declared.rows:
        raise ArchiveDamaged("content")
    return header
