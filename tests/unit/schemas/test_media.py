"""What an attachment is, by its first bytes: honest files pass, lies are findings, nothing is ever opened."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib

import pytest

from schemas.media import RULES, SNIFFED_BYTES, UNKNOWN, agrees, attachment_findings, sniff
from schemas.submission_model import Attachment

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(b"\0\0"))
    + _chunk(b"IEND", b"")
)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9"
GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
TIFF = b"II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"
TIFF_BIG = b"MM\x00*\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00"
BMP = (
    b"BM"
    + struct.pack("<IHHI", 58, 0, 0, 54)
    + struct.pack("<IiiHHIIiiII", 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0)
    + bytes(4)
)
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
EXE = b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff" + bytes(46) + b"\x80\x00\x00\x00"
ELF = b"\x7fELF\x02\x01\x01" + bytes(57)
XML = "<?xml version='1.0' encoding='UTF-8'?><届出>見本</届出>".encode()


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name in names:
            file.writestr(name, b"artificial")
    return out.getvalue()


ZIP = zipped("a.txt")
DOCX = zipped("[Content_Types].xml", "word/document.xml")
ODT = zipped("mimetype", "content.xml")
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

HONEST = {
    "見本.pdf": ("application/pdf", PDF),
    "a.PDF": ("Application/PDF; version=1.4", PDF),
    "a.png": ("image/png", PNG),
    "a.jpg": ("image/jpeg", JPEG),
    "b.jpeg": ("image/jpg", JPEG),
    "a.gif": ("image/gif", GIF),
    "a.tif": ("image/tiff", TIFF),
    "a.tiff": ("image/tiff", TIFF_BIG),
    "a.bmp": ("image/bmp", BMP),
    "a.webp": ("image/webp", WEBP),
    "a.heic": ("image/heic", HEIC),
    "a.zip": ("application/zip", ZIP),
    "empty.zip": ("application/x-zip-compressed", zipped()),
    "a.docx": (WORD, DOCX),
    "a.xlsx": (SHEET, DOCX),
    "a.xlsm": ("application/vnd.ms-excel.sheet.macroEnabled.12", DOCX),
    "a.odt": ("application/vnd.oasis.opendocument.text", ODT),
    "a.doc": ("application/msword", OLE),
    "a.xls": ("application/vnd.ms-excel", OLE),
    "a.msg": ("application/vnd.ms-outlook", OLE),
    "a.rtf": ("text/rtf", b"{\\rtf1 artificial}"),
    "a.gz": ("application/x-gzip", gzip.compress(b"artificial")),
    "a.xml": ("application/xml", XML),
    "b.xml": ("text/xml", XML),
    "c.xml": ("application/xml", "\ufeff<a/>".encode("utf-16-le")),
    "a.svg": ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "a.txt": ("text/plain", "見本太郎\r\n".encode()),
    "b.txt": ("text/plain", "見本太郎\r\n".encode("cp932")),
    "c.txt": ("text/plain", "見本太郎\r\n".encode("iso2022_jp")),
    "bmw.csv": ("text/csv", "BMW,見本\r\n".encode()),
    "ends-within-a-character.txt": ("text/plain", ("x" + "髙" * SNIFFED_BYTES).encode()),
    "ends-within-a-pair.txt": ("text/plain", ("x" + "見" * SNIFFED_BYTES).encode("cp932")),
    "noextension": ("application/octet-stream", b"\x00\x01\x02"),
}


def found(name: str, media_type: str, content: bytes) -> set[str]:
    return {each.rule for each in attachment_findings(Attachment(name, media_type, content), 0)}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_file_has_no_finding(name: str) -> None:
    assert found(name, *HONEST[name]) == set()


@pytest.mark.parametrize(
    "name", [name for name, (_, content) in HONEST.items() if sniff(content) not in ("text/plain", UNKNOWN)]
)
def test_every_other_signature_under_a_name_is_a_lie(name: str) -> None:
    media_type, content = HONEST[name]
    own = sniff(content)
    for other_type, other in HONEST.values():
        if sniff(other) != own:
            assert found("noextension", media_type, other) == {"attachment.media-type"}, (media_type, other_type)
            assert "attachment.file-name" in found(name, UNKNOWN, other) or name in ("a.gz", "a.msg", "a.xlsm")


@pytest.mark.parametrize(
    "media_type", ["application/pdf", "image/png", "image/jpg", WORD, SHEET, "application/msword", "application/x-zip"]
)
@pytest.mark.parametrize(
    "content", [b"just a text", b"\x00\x01\x02\x03 nothing that is known"], ids=["text", "unknown"]
)
def test_bytes_that_show_nothing_are_not_what_promises_a_beginning(media_type: str, content: bytes) -> None:
    assert found("noextension", media_type, content) == {"attachment.media-type"}


@pytest.mark.parametrize("ending", ["pdf", "png", "jpg", "zip", "docx", "xls"])
@pytest.mark.parametrize(
    "content", [b"just a text", b"\x00\x01\x02\x03 nothing that is known"], ids=["text", "unknown"]
)
def test_an_ending_that_promises_a_beginning_is_held_to_it(ending: str, content: bytes) -> None:
    assert found(f"見本.{ending}", UNKNOWN, content) == {"attachment.file-name"}


def test_binary_bytes_are_no_text() -> None:
    assert found("a.txt", "text/plain", b"\x00\x01") == {"attachment.media-type"}
    assert found("a.csv", "text/csv", PDF) == {"attachment.media-type", "attachment.file-name"}


@pytest.mark.parametrize("content", [EXE, ELF, b"#!/bin/sh\necho artificial\n"], ids=["exe", "elf", "script"])
def test_a_program_is_told_whatever_it_is_called(content: bytes) -> None:
    assert "attachment.program" in found("見本.pdf", "application/pdf", content)
    assert "attachment.program" in found("noextension", UNKNOWN, content)


@pytest.mark.parametrize("name", ["請求書.pdf.exe", "a.VBS", "a.js", "a.bat ", "a.scr.", "fdp.\u202eexe.lnk"])
def test_a_name_that_a_double_click_would_run_is_a_program(name: str) -> None:
    assert "attachment.program" in found(name, UNKNOWN, b"artificial")


@pytest.mark.parametrize("content", [PDF, PNG, JPEG, TIFF, OLE, ZIP], ids=lambda content: sniff(content))
def test_a_truncated_beginning_is_unknown_and_told(content: bytes) -> None:
    kind = sniff(content)
    shortest = next(n for n in range(len(content) + 1) if sniff(content[:n]) == kind)
    assert shortest <= 8
    for length in range(1, shortest):
        cut = content[:length]
        assert sniff(cut) in (UNKNOWN, "text/plain")
        assert found("a", kind, cut) == {"attachment.media-type"}
    assert found("a", kind, content[:shortest]) == set()


@pytest.mark.parametrize("content", [b"\xff", b"\x89", b"\xff\xd8", b"abc\xff", b"\x81", b"\xa0\xfd\xfe"])
def test_a_few_bytes_that_no_encoding_explains_are_no_text(content: bytes) -> None:
    assert sniff(content) == UNKNOWN


def test_an_empty_attachment_is_told_and_nothing_else() -> None:
    assert found("a.pdf", "application/pdf", b"") == {"attachment.empty"}
    assert sniff(b"") == UNKNOWN


def test_polyglots_are_what_their_beginning_says_and_stay_closed() -> None:
    both = PDF + ZIP
    assert zipfile.ZipFile(io.BytesIO(both)).namelist() == ["a.txt"]  # it is a good archive, too
    assert sniff(both) == "application/pdf"
    assert found("a.pdf", "application/pdf", both) == set()
    assert found("a.zip", "application/zip", both) == {"attachment.media-type", "attachment.file-name"}


def test_nothing_behind_the_first_bytes_is_looked_at() -> None:
    class Watched(bytes):
        def __getitem__(self, key: object) -> bytes:  # type: ignore[override]
            assert isinstance(key, slice) and key.start is None and key.stop is not None and key.stop <= SNIFFED_BYTES
            return bytes(self)[key]

        def startswith(self, *arguments: object) -> bool:  # type: ignore[override]
            raise AssertionError("the whole is searched")

        def decode(self, *arguments: object) -> str:  # type: ignore[override]
            raise AssertionError("the whole is decoded")

    bomb = Watched(ZIP + bytes(2**20))
    assert list(attachment_findings(Attachment("a.zip", "application/zip", bomb), 0)) == []
    assert sniff(bytes(SNIFFED_BYTES) + PDF) == UNKNOWN


def test_findings_name_the_place_and_never_the_name() -> None:
    (finding,) = attachment_findings(Attachment("見本太郎の秘密.pdf", "image/png", PDF), 7)
    assert finding.path == "/attachments/7/media_type"
    assert (finding.message, finding.message_ja) == RULES["attachment.media-type"]
    assert "見本" not in repr(finding)


@pytest.mark.parametrize("named", ["", "application/octet-stream", "pdf", "application/", "x"])
def test_who_names_nothing_does_not_lie(named: str) -> None:
    assert agrees(named, "application/pdf")
    assert agrees(named, UNKNOWN)
