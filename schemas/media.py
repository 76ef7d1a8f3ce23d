"""What an attachment is by its first bytes, against what its sender says it is. Nothing is ever opened.

Only beginnings are looked at: a container (ZIP, OLE2) stays a container, so the bombs inside stay asleep.
A media type that contradicts the bytes, a program, or a name with another ending is a finding; the bytes
travel on as they came.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from schemas.rules import Finding
from schemas.submission_model import Attachment

SNIFFED_BYTES: Final = 512
"""how much of an attachment is looked at"""

_SIGNATURES: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"%PDF-", "application/pdf"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypmif1", "image/heic"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\x00", "application/x-xz"),
    (0, b"MZ", "application/x-msdownload"),
    (0, b"\x7fELF", "application/x-elf"),
    (0, b"#!", "text/x-script"),
    (0, b"{\\rtf", "application/rtf"),
)
_KINDS: Final = frozenset({*(kind for _, _, kind in _SIGNATURES), "image/bmp"})
_PROGRAMS: Final = frozenset({"application/x-msdownload", "application/x-elf", "text/x-script"})
_IN_ZIP: Final = ("application/vnd.openxmlformats-", "application/vnd.oasis.opendocument.", "application/epub+zip")
_IN_OLE: Final = (
    "application/msword",
    "application/vnd.ms-excel",
    "application/vnd.ms-outlook",
    "application/vnd.ms-powerpoint",
    "application/vnd.ms-project",
    "application/vnd.visio",
)
_MACRO_ENABLED: Final = "macroenabled.12"
"""the end of Microsoft's names for OOXML with macros or in binary form; they begin like names of OLE files"""
_ALSO_CALLED: Final = {
    "application/x-pdf": "application/pdf",
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/tif": "image/tiff",
    "image/heif": "image/heic",
    "image/x-ms-bmp": "image/bmp",
    "image/x-bmp": "image/bmp",
    "application/x-zip-compressed": "application/zip",
    "application/x-zip": "application/zip",
    "application/x-gzip": "application/gzip",
    "application/x-rar-compressed": "application/vnd.rar",
    "text/rtf": "application/rtf",
}
_NOT_CP932: Final = frozenset("\x80\xa0\uf8f0\uf8f1\uf8f2\uf8f3")
"""what Python makes of the single bytes 80, A0, FD, FE and FF, which the code page does not have"""
_TEXT: Final = ("text/", "application/json", "application/xml", "application/csv", "image/svg+xml")
_ENDINGS: Final = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "webp": "image/webp",
    "heic": "image/heic",
    "rtf": "application/rtf",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "zip": "application/zip",
    "docx": "application/zip",
    "xlsx": "application/zip",
    "pptx": "application/zip",
    "odt": "application/zip",
    "ods": "application/zip",
    "doc": "application/x-ole-storage",
    "xls": "application/x-ole-storage",
    "txt": "text/plain",
    "csv": "text/plain",
    "xml": "text/plain",
}
_PROGRAM_ENDINGS: Final = frozenset(
    [
        "bat",
        "cmd",
        "com",
        "cpl",
        "dll",
        "exe",
        "hta",
        "jar",
        "js",
        "jse",
        "lnk",
        "msi",
        "ps1",
        "reg",
        "scr",
        "sh",
        "vbe",
        "vbs",
        "wsf",
        "wsh",
    ]
)
"""what a double click would run, whatever its bytes are"""
UNKNOWN: Final = "application/octet-stream"

RULES: Final = {
    "attachment.media-type": (
        "The attachment's first bytes are not of the media type that it names.",
        "添付ファイルの先頭バイトが、申告された種類と一致しません。",
    ),
    "attachment.file-name": (
        "The ending of the attachment's name does not fit its first bytes.",
        "添付ファイル名の拡張子が内容と一致しません。",
    ),
    "attachment.program": (
        "The attachment is a program or script; do not open it.",
        "添付ファイルが実行形式です。開かないでください。",
    ),
    "attachment.empty": ("The attachment is empty.", "添付ファイルが空です。"),
}
"""rule id → message in English and Japanese"""


def sniff(beginning: bytes) -> str:
    """Return the media type that the first bytes (512 are enough) show; `application/octet-stream` if none."""
    head = beginning[:SNIFFED_BYTES]
    for at, signature, kind in _SIGNATURES:
        if head.startswith(signature, at):
            return kind
    if head.startswith(b"BM") and head[6:10] == bytes(4):  # two letters alone may begin a text; these are reserved
        return "image/bmp"
    return "text/plain" if _is_text(head) else UNKNOWN


def _is_text(head: bytes) -> bool:
    if not head:
        return False
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if any(byte < 0x20 and byte not in b"\t\n\r\x0c\x1b" for byte in head):
        return False
    for encoding in ("utf-8", "cp932"):
        for cut in range(4 if len(head) == SNIFFED_BYTES else 1):  # the look may end within a character
            try:
                decoded = head[: len(head) - cut].decode(encoding)
            except UnicodeDecodeError:
                continue
            if encoding == "utf-8" or _NOT_CP932.isdisjoint(decoded):
                return True
    return False


def agrees(named: str, sniffed: str) -> bool:
    """Say whether a named media type can be of such bytes. Nothing known of either: yes."""
    name = named.partition(";")[0].strip().lower()
    name = _ALSO_CALLED.get(name, name)
    if name == sniffed or name in ("", UNKNOWN) or not name.partition("/")[2]:
        return True
    container = _container(name)
    if container is not None or name in _KINDS:  # a name that promises a beginning
        return container == sniffed
    if name.startswith(_TEXT):
        return sniffed in ("text/plain", "text/x-script")
    return sniffed in (UNKNOWN, "text/plain", "text/x-script")


def _container(name: str) -> str | None:
    """Return what files of a media type are kept in, if it is known."""
    if name.startswith(_IN_ZIP) or name.endswith(_MACRO_ENABLED):
        return "application/zip"
    return "application/x-ole-storage" if name.startswith(_IN_OLE) else None


def attachment_findings(attachment: Attachment, position: int) -> Iterator[Finding]:
    """Yield what is wrong with one attachment; its place among the attachments is counted from 0."""
    path = f"/attachments/{position}"
    if not attachment.content:
        yield _finding("attachment.empty", path)
        return
    found = sniff(attachment.content[:SNIFFED_BYTES])
    ending = attachment.file_name.rstrip(" .").rpartition(".")[2].lower()
    if found in _PROGRAMS or ending in _PROGRAM_ENDINGS:
        yield _finding("attachment.program", path)
    if not agrees(attachment.media_type, found):
        yield _finding("attachment.media-type", f"{path}/media_type")
    expected = _ENDINGS.get(ending)
    if expected is not None and not _fits(expected, found):
        yield _finding("attachment.file-name", f"{path}/file_name")


def _fits(expected: str, found: str) -> bool:
    if expected == "text/plain":  # a text may be in an encoding that we do not know
        return found in (expected, "text/x-script", UNKNOWN)
    return found == expected


def tables_fingerprint() -> str:
    """Return text that changes with what is a finding here."""
    tables = (_SIGNATURES, sorted(_PROGRAMS), _IN_ZIP, _IN_OLE, _MACRO_ENABLED, sorted(_ALSO_CALLED.items()), _TEXT)
    return repr((tables, sorted(_ENDINGS.items()), sorted(_PROGRAM_ENDINGS), sorted(RULES)))


def _finding(rule: str, path: str) -> Finding:
    english, japanese = RULES[rule]
    return Finding(path, rule, english, japanese)
