"""A planted leak is found, in each place, coating and character set; what is not there is not."""

from __future__ import annotations

import base64
import gzip
import io
import json
import quopri
import random
import sqlite3
import unicodedata
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from assurance.leaks import Leak, Scanner, labels

NAME, KANA, NUMBER = "見本秘匿太郎", "ミホンガクトプロウ", "900000000004"
KEY = bytes(random.Random(5).randbytes(32))
MARKS: dict[str, str | bytes] = {"name": NAME, "kana": KANA, "number": NUMBER, "key": KEY}
ALL = set(MARKS)

_COMPOSED = unicodedata.normalize("NFC", KANA)
HALF = "ﾐﾎﾝｶﾞｸﾄﾌﾟﾛｳ"
COATINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "base64": base64.b64encode,
    "base64 at offset 1": lambda data: base64.b64encode(b"x" + data),
    "base64 at offset 2": lambda data: base64.b64encode(b"xy" + data + b"z"),
    "base64 for addresses": base64.urlsafe_b64encode,
    "base64 in lines": lambda data: base64.encodebytes(b"." * 50 + data),
    "base64 in a JSON string of lines": lambda data: json.dumps(
        base64.encodebytes(b"." * 50 + data).decode()
    ).encode(),
    "base64 at an odd place": lambda data: b"AB" + base64.b64encode(data),
    "base32": base64.b32encode,
    "base32 at offset 3": lambda data: base64.b32encode(b"xyz" + data).lower(),
    "hexadecimal": lambda data: data.hex().encode(),
    "hexadecimal in capitals, with colons": lambda data: data.hex(":").upper().encode(),
    "hexadecimal at an odd place": lambda data: b"f" + data.hex().encode(),
    "Python's bytes": lambda data: repr(data).encode(),
    "percent": lambda data: urllib.parse.quote_from_bytes(data).encode(),
    "percent twice": lambda data: urllib.parse.quote(urllib.parse.quote_from_bytes(data)).encode(),
    "quoted-printable": quopri.encodestring,
    "gzip": gzip.compress,
    "zlib": lambda data: zlib.compress(data, 1),
    "gzip cut short": lambda data: gzip.compress(data + random.Random(1).randbytes(3_000))[:-900],
    "base64 of gzip": lambda data: base64.b64encode(gzip.compress(data)),
    "gzip of base64": lambda data: gzip.compress(base64.b64encode(data)),
    "hexadecimal of base64": lambda data: base64.b64encode(data).hex().encode(),
    "ZIP": lambda data: _zipped(data),
}  # fmt: skip


def _zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.txt", data * 3)
    return out.getvalue()


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner(MARKS)


def _within(data: bytes) -> bytes:
    """In the midst of what looks like a database or a log segment."""
    noise = random.Random(7)
    return noise.randbytes(5_000) + b"\0" + data + b"\0" + noise.randbytes(5_000)


@pytest.mark.parametrize("coating", COATINGS)
@pytest.mark.parametrize("charset", ["utf-8", "utf-16-le", "utf-16-be", "cp932", "euc_jp"])
def test_a_planted_text_is_found_under_every_coating(scanner: Scanner, coating: str, charset: str) -> None:
    planted = _within(COATINGS[coating](f"; {NAME}, {KANA}={NUMBER}; ".encode(charset)))
    assert labels(scanner.search(planted, "here")) >= ALL - {"key"}


@pytest.mark.parametrize("coating", COATINGS)
def test_a_planted_key_is_found_under_every_coating(scanner: Scanner, coating: str) -> None:
    assert "key" in labels(scanner.search(_within(COATINGS[coating](KEY)), "here"))


@pytest.mark.parametrize(
    "text",
    [
        unicodedata.normalize("NFD", KANA),
        HALF,
        json.dumps(KANA),
        json.dumps(json.dumps(KANA)),
        "".join(f"&#x{ord(each):x};" for each in KANA),
        "".join(f"&#{ord(each)};" for each in KANA),
        KANA.encode("unicode_escape").decode(),
    ],
    ids=["decomposed", "half width", "JSON", "JSON in JSON", "entities", "decimal entities", "escapes"],
)
def test_kana_are_found_however_they_are_written(scanner: Scanner, text: str) -> None:
    assert labels(scanner.search(_within(text.encode()), "here")) == {"kana"}


@pytest.mark.parametrize(
    "text",
    ["9000-0000-0004", "9000 0000 0004", "９０００－００００－０００４", "900.000.000.004", "9/0/0/0/0/0/0/0/0/0/0/4"],
)
@pytest.mark.parametrize("charset", ["utf-8", "utf-16-le", "cp932"])
def test_digits_are_found_with_separators(scanner: Scanner, text: str, charset: str) -> None:
    assert labels(scanner.search(_within(text.encode(charset)), "here")) == {"number"}
    other = text.replace("4", "5").replace("４", "５")
    assert scanner.search(_within(other.encode(charset)), "here") == set()


def test_what_is_not_there_is_not_found(scanner: Scanner, tmp_path: Path) -> None:
    noise = random.Random(11)
    for size in (0, 1, 5, 300_000):
        assert scanner.search(noise.randbytes(size), "here") == set()
    text = json.dumps({"name": "見＊＊＊", "phone": "＊＊＊4321", "id": "9000-0000-0005"}).encode() * 500
    assert scanner.search(text + base64.b64encode(text) + gzip.compress(text), "here") == set()
    assert scanner.search_file(tmp_path / "gone") == set()


def test_a_mark_that_chance_could_write_is_refused() -> None:
    with pytest.raises(ValueError, match="short: at least"):
        Scanner({"short": "太"})


def test_a_leak_tells_where_and_how_and_not_what(scanner: Scanner) -> None:
    (leak,) = scanner.search(base64.b64encode(gzip.compress(NAME.encode("cp932"))), "log")
    assert leak == Leak("log", "name", "base64/packed/cp932")


def test_files_are_searched_whole_with_their_names_and_holes_are_skipped(scanner: Scanner, tmp_path: Path) -> None:
    sparse = tmp_path / "00000.index"
    with sparse.open("wb") as file:
        file.truncate(2**30)
        file.seek(300 * 2**20)
        file.write(_within(NAME.encode()))
    big = tmp_path / "big.log"
    big.write_bytes(b"\1" * (8 * 2**20 - 7) + NAME.encode() + b"\1" * 100)
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / f"{NAME}.txt").touch()
    (tmp_path / "link").symlink_to(big)
    database = sqlite3.connect(tmp_path / "store.db")
    try:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t (x TEXT)")
        database.execute("INSERT INTO t VALUES (?)", (KANA,))
        database.commit()
        leaks = scanner.search_tree(tmp_path)
    finally:
        database.close()
    found = {(Path(leak.place).name, leak.label) for leak in leaks}
    assert found == {("00000.index", "name"), ("big.log", "name"), ("store.db-wal", "kana"), ("tmp", "name")}
    assert scanner.search_tree(tmp_path, skip=lambda path: path.name != "link") == set()
