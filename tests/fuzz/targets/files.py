"""Files that come from elsewhere: key files, reports of the roles, archives of an export, places of a tax team."""

from __future__ import annotations

import io
import json
import os
import random
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

from assurance.reconcile import Entry, Kind, Report, State
from assurance.reports import ReportError, read_report, write_report
from assurance.witness import key as witness_key
from consumers.kit import PlaceInvalid, _lanes_of
from consumers.review.export.archive import verify, writing
from consumers.review.export.characters import Encoding
from consumers.review.export.columns import VERSION
from consumers.review.export.errors import ExportError
from consumers.review.export.manifest import Manifest
from consumers.store.exporting import ExportFile
from hub.crypto import keyfile
from hub.crypto.errors import CryptoError, KeyFileDamaged, KeyStoreError, WeakKeyFile
from hub.crypto.keyfile import (
    FOR_TESTS,
    NONCE_BYTES,
    SALT_BYTES,
    Clear,
    PassphraseKeys,
    open_file,
    read_clear,
    seal_file,
)
from hub.crypto.keystore import FileKeyStore
from hub.envelope.signed import Signed, sign
from schemas import registry
from tests.fuzz import mutate, world
from tests.fuzz.guard import ensure, refusal
from tests.fuzz.target import Target

_PASSPHRASE = b"artificial"
_SEEDS = {1: 32, 2: 96, 3: 32, 4: 32}


@cache
def _passphrase_keys() -> PassphraseKeys:
    return PassphraseKeys(_PASSPHRASE, allow_weak=True)


@cache
def _directory() -> Path:
    return Path(tempfile.mkdtemp(prefix="eltax-hub-fuzz-"))


def run_keyfile(data: bytes) -> None:
    """First byte: 1: what follows the clear part is sealed as its owner would; 2: through the stores."""
    if not data:
        return
    flags, payload = data[0], data[1:]
    if flags & 1:
        payload = _resealed(payload)
    read = refusal((KeyFileDamaged,), payload, lambda: read_clear(payload))
    if read is None:
        return
    clear, end = read
    ensure(clear.encode() == payload[:end], "an accepted beginning has one form")
    if clear.cost.acceptable:  # a quarter of a second and 128 MiB for each: the bombs have a test of their own
        return
    opened = refusal(
        (KeyFileDamaged, WeakKeyFile), payload, lambda: open_file(payload, PassphraseKeys(_PASSPHRASE, allow_weak=True))
    )
    if opened is None:
        return
    ensure(len(opened[1]) == _SEEDS[clear.suite], "a seed has its suite's length")
    if flags & 2:
        _through_stores(payload)


def _resealed(payload: bytes) -> bytes:
    try:
        clear, end = read_clear(payload)
    except KeyFileDamaged:
        return payload
    if clear.cost != FOR_TESTS:
        clear = Clear(clear.suite, clear.name, FOR_TESTS, bytes(SALT_BYTES), clear.nonce)
    return seal_file(
        clear, payload[end : end + _SEEDS[clear.suite]].ljust(_SEEDS[clear.suite], b"\x00"), _passphrase_keys()
    )


_NAMES = ("identity.0011223344556677.key", "audience.review-131041.202604.0011223344556677.key")
_OWN = (*_NAMES, f"{world.REVIEW}/202604")


def _through_stores(payload: bytes) -> None:
    errors = (KeyStoreError, CryptoError)
    for name in _NAMES:
        directory = _directory() / name.split(".")[0]
        directory.mkdir(exist_ok=True, mode=0o700)
        _put(directory / name, payload)
        store = FileKeyStore(directory, _PASSPHRASE, cost=FOR_TESTS, allow_weak=True)
        refusal(errors, payload, lambda store=store: store.load_identities(), own_words=_OWN)  # type: ignore[misc]
        refusal(errors, payload, lambda store=store: store.load_audience(world.REVIEW, 202604), own_words=_OWN)  # type: ignore[misc]
    _put(_directory() / "witness.key", payload)
    _put(_directory() / "witness.passphrase", _PASSPHRASE)
    words = _directory() / "witness.passphrase"
    refusal(errors, payload, lambda: witness_key.load(_directory() / "witness.key", words, allow_weak=True))


def _put(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)


def keyfile_seeds() -> Iterator[bytes]:
    for suite, count in _SEEDS.items():
        name = _NAMES[0] if suite == keyfile.ED25519 else _NAMES[1]
        clear = Clear(suite, name, FOR_TESTS, bytes(SALT_BYTES), bytes(NONCE_BYTES))
        whole = seal_file(clear, world.seed("key file", count), _passphrase_keys())
        yield b"\x02" + whole
        yield b"\x03" + whole
    clear = Clear(1, "見本", keyfile.STANDARD, bytes(SALT_BYTES), bytes(NONCE_BYTES))
    yield b"\x00" + clear.encode() + bytes(48)


KEYFILE = Target(
    "keyfile",
    "key files of roles and witnesses, through the stores that open them",
    run_keyfile,
    keyfile_seeds,
    max_bytes=1_100,
    words=(b"ELTAXKEY\x01", *(each.encode() for each in _NAMES)),
)


def run_reports(data: bytes) -> None:
    """First byte: 0 a file as it comes; else bodies, each behind a u16 length, signed by the role that they name."""
    if not data:
        return
    flags, payload = data[0], data[1:]
    if flags & 1:
        contract = registry.contract("RoleReport").schema_id.to_bytes(5, "big")
        parts: list[bytes] = []
        at = 0
        while at < len(payload) and len(parts) < 8:
            size = int.from_bytes(payload[at : at + 2], "big")
            body = payload[at + 2 : at + 2 + size]
            if body.startswith(contract):
                signer = next((name for name in world.PRINCIPALS if name.encode() in body[:40]), "portal")
                part = sign("RoleReport", body, world.identity(signer))
                parts.append(len(part).to_bytes(4, "big") + part)
            at += 2 + size
        payload = b"".join(parts)
    report = refusal((ReportError,), payload, lambda: read_report(payload, trust=world.trust(), now=world.NOW))
    ensure(report is None or report.principal in world.PRINCIPALS, "a report is of somebody who is listed")


def reports_seeds() -> Iterator[bytes]:
    one = Entry(world.T, world.event_id(1), world.event().leaf, State.HELD)
    for principal, tenant, kind in (
        ("portal", None, Kind.PORTAL),
        (world.AUDIT, world.T, Kind.AUDIT),
        (world.REVIEW, world.T, Kind.REVIEW),
    ):
        made = Report(principal, tenant, kind, world.NOW - timedelta(minutes=1), (one, one))
        whole = write_report(made, world.NS, world.identity(principal))
        if principal == "portal":
            yield b"\x00" + whole
        body = Signed.parse(whole[4:]).body
        yield b"\x01" + len(body).to_bytes(2, "big") + body
    yield b"\x01" + (len(body).to_bytes(2, "big") + body) * 2


REPORTS = Target(
    "reports",
    "signed reports of the roles, as reconciliation reads them",
    run_reports,
    reports_seeds,
    change=mutate.avro(3),
)

_PASSWORD = "artificial-password"


def run_archive(data: bytes) -> None:
    """First byte: 0 a file as it comes; 1 a manifest, in an archive with members; 2 a manifest alone; 3 a place."""
    if not data:
        return
    kind, payload = data[0] & 3, data[1:]
    if kind == 2:
        read = refusal((ExportError,), payload, lambda: Manifest.decode(payload))
        ensure(read is None or read.encode() == payload, "an accepted manifest has one form")
        return
    if kind == 3:
        refusal((PlaceInvalid,), payload, lambda: _lanes_of(payload.decode("utf-8", "replace")))
        return
    path = _directory() / "archive.zip"
    path.write_bytes(_archive(payload) if kind else payload)
    refusal((ExportError,), payload, lambda: verify(path, _PASSWORD))


def _archive(manifest: bytes) -> bytes:
    """An archive, well encrypted, that holds what its manifest says, as far as it says something."""
    out = io.BytesIO()
    try:
        names = [str(each["name"]) for each in json.loads(manifest)["files"]][:3]
    except (ValueError, KeyError, TypeError, RecursionError):
        names = []
    with writing(out, _PASSWORD, world.NOW) as archive:
        for name in dict.fromkeys(names):
            if name.isascii() and 0 < len(name) < 100:
                with archive.member(name) as write:
                    write(_CONTENT)
        with archive.member("manifest.json") as write:
            write(manifest)
    return out.getvalue()


_CONTENT = b"\xef\xbb\xbfreceipt_number,a\r\nx,1\r\n"


def _manifest(files: tuple[ExportFile, ...] = ()) -> bytes:
    return Manifest(
        world.NS,
        world.T,
        "tax",
        1,
        None,
        "2026-04-01T12:00:00.000+09:00",
        Encoding.UTF_8.value,
        None,
        VERSION + 1,
        "0" * 64,
        1,
        0,
        0,
        files,
    ).encode()


def archive_seeds() -> Iterator[bytes]:
    one = ExportFile("filings.csv", 1, len(_CONTENT), sha256(_CONTENT).digest())
    yield b"\x01" + _manifest((one,))
    yield b"\x02" + _manifest((one,))
    yield b"\x02" + _manifest()
    yield b"\x00" + _archive(_manifest((one,)))
    place = {"next": 12, "parts": {"0" * 64: 3}, "whole": ["1" * 64]}
    yield b"\x03" + json.dumps(place, separators=(",", ":")).encode()


def _change(data: bytes, rng: random.Random) -> bytes:
    def dump(value: object) -> bytes:
        if data[0] & 3 == 3:
            return json.dumps(value, separators=(",", ":")).encode()
        return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()

    return mutate.as_json(1, dump)(data, rng) if data and data[0] & 3 else data


ARCHIVE = Target(
    "archive",
    "archives of an export (ZIP, AES, manifest, CSV), and the places that a tax team keeps",
    run_archive,
    archive_seeds,
    change=_change,
    words=(b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"manifest.json"),
)
