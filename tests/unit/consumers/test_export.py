"""Exports of accepted rows: each once per series, repeatable, whole or not there."""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import os
import stat
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from consumers.review.export import archive, placing
from consumers.review.export.archive import verify
from consumers.review.export.errors import (
    ArchiveDamaged,
    ArchiveUnreadable,
    DirectoryGone,
    ExportBusy,
    ExportDiskFull,
    ExportNotWritable,
    ExportUnsettled,
    FileInTheWay,
    NotTheSame,
    PasswordUnfit,
    PasswordWrong,
    RunUnknown,
    SeriesInvalid,
)
from consumers.review.export.exporter import Exporter, Written
from consumers.review.export.watch import ExportWatch
from consumers.store.exporting import RunState, What
from hub.facts import Fact, RowsExported
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker
from tests.unit.consumers.exporting import PASSWORD, Bench, document, generated, members, receipts, table

SEIZURE = "seizure-release-under-grace.csv"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def files(bench: Bench) -> list[str]:
    return sorted(path.name for path in bench.out.iterdir())


def only(written: tuple[Written, ...]) -> Written:
    (found,) = written
    return found


def test_an_accepted_row_arrives_as_it_was_filed(bench: Bench) -> None:
    filed = document(
        1,
        submitted_on="令和7年12月1日",
        applicant_name="髙見本　𠮷太郎",
        remarks='=HYPERLINK("x")\r\n"quoted", と改行\n',
        seized_properties=[
            {"seized_property_name": "-1", "seized_on": "2025-12-02"},
            {"seized_property_name": "'架空"},
        ],
    )
    bench.accepted(filed)
    done = only(bench.export().written)
    held = members(done.path)
    assert set(held) == {SEIZURE, "seizure-release-under-grace.seized_properties.csv", "manifest.json"}
    (row,) = table(held[SEIZURE])
    assert row["hub_receipt_number"] == "R7-99999-000000001"
    assert (row["hub_decision"], row["hub_tax_items"], row["hub_revision"]) == ("accept", "resident-tax", "1")
    assert row["hub_accepted_at"] == "2027-01-15T17:00:00.000+09:00"
    assert row["hub_rehearsal"] == "true"
    assert (row["submitted_on"], row["submitted_on_parsed"]) == ("令和7年12月1日", "2025-12-01")
    assert row["applicant_name"] == "髙見本　𠮷太郎"
    assert row["remarks"] == '\'=HYPERLINK("x")\r\n"quoted", と改行\n'
    first, second = table(held["seizure-release-under-grace.seized_properties.csv"])
    assert (first["hub_row"], first["seized_property_name"], first["seized_on_parsed"]) == ("1", "'-1", "2025-12-02")
    assert (second["hub_row"], second["seized_property_name"]) == ("2", "''架空")
    assert first["hub_event_id"] == second["hub_event_id"] == row["hub_event_id"]
    assert held[SEIZURE].startswith("\ufeffhub_receipt_number,hub_decision,".encode())


def test_only_accepted_rows_are_handed_over_and_each_once(bench: Bench) -> None:
    stored, accepted, returned, held = bench.stored([document(n) for n in range(1, 5)])
    bench.decide(accepted, "accept", "resident-tax")
    bench.decide(returned, "return")
    bench.decide(held, "hold")
    assert receipts(only(bench.export().written).path) == ["R7-99999-000000002"]
    assert bench.export().written == ()
    bench.decide(stored, "accept", "tobacco-tax")
    bench.decide(held, "accept", "resident-tax")
    assert receipts(only(bench.export().written).path) == ["R7-99999-000000001", "R7-99999-000000004"]
    assert bench.export().written == ()


def test_each_series_gets_every_row(bench: Bench) -> None:
    bench.accepted(document(1))
    assert receipts(only(bench.export(series="tax").written).path) == ["R7-99999-000000001"]
    assert receipts(only(bench.export(series="ledger").written).path) == ["R7-99999-000000001"]
    assert files(bench) == ["rehearsal-999997-ledger-000002.zip", "rehearsal-999997-tax-000001.zip"]


def test_a_series_may_be_for_some_tax_items_or_procedures_and_the_rest_waits(bench: Bench) -> None:
    first, second, third = bench.stored(
        [document(1), document(2), document(3, "advance-payment-offer", fiscal_year=2026, advance_payment_amount=-500)]
    )
    bench.decide(first, "accept", "resident-tax", "tobacco-tax")
    bench.decide(second, "accept", "bathing-tax")
    bench.decide(third, "accept", "bathing-tax")
    done = bench.export(tax_items=frozenset({"tobacco-tax"}))
    assert receipts(only(done.written).path) == ["R7-99999-000000001"]
    done = bench.export(procedures=frozenset({"advance-payment-offer"}))
    (row,) = table(members(only(done.written).path)["advance-payment-offer.csv"])
    assert (row["fiscal_year"], row["advance_payment_amount"]) == ("2026", "-500")
    assert receipts(only(bench.export().written).path) == ["R7-99999-000000002"]


def test_a_revoked_row_is_withdrawn_in_the_next_run_and_a_new_acceptance_is_a_new_row(bench: Bench) -> None:
    row, other = bench.accepted(document(1), document(2))
    first = only(bench.export().written)
    bench.decide(row, "revoke", "resident-tax")
    second = only(bench.export().written)
    (told,) = table(members(second.path)["withdrawn.csv"])
    assert (told["hub_receipt_number"], told["hub_decision"]) == ("R7-99999-000000001", "revoke")
    assert (told["hub_handed_over_in"], told["hub_handed_over_revision"], told["hub_revision"]) == ("1", "1", "2")
    assert (second.manifest.rows, second.manifest.withdrawn, second.manifest.previous) == (0, 1, 1)
    assert bench.export().written == ()
    bench.decide(row, "accept", "tobacco-tax")
    bench.decide(other, "revoke", "resident-tax")
    bench.decide(other, "accept", "bathing-tax")
    third = only(bench.export().written)
    assert receipts(third.path) == ["R7-99999-000000001", "R7-99999-000000002"]
    (told,) = table(members(third.path)["withdrawn.csv"])
    assert told["hub_receipt_number"] == "R7-99999-000000002"
    assert first.manifest.previous is None
    assert bench.export().written == ()


def test_rows_that_change_while_an_export_writes_are_as_they_were_claimed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = bench.accepted(*(document(n) for n in range(1, 4)))
    build = Exporter._build

    def changed(self: Exporter, *arguments: object) -> object:
        monkeypatch.setattr(Exporter, "_build", build)
        bench.decide(rows[0], "revoke", "resident-tax")
        bench.accepted(document(4))
        return build(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Exporter, "_build", changed)
    done = only(bench.export().written)
    assert receipts(done.path) == [f"R7-99999-{n:09d}" for n in (1, 2, 3)]
    following = only(bench.export().written)
    assert receipts(following.path) == ["R7-99999-000000004"]
    assert len(table(members(following.path)["withdrawn.csv"])) == 1


def test_a_row_that_is_returned_between_choice_and_claim_is_not_claimed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = bench.accepted(document(1), document(2))
    choose = Exporter._choose

    def then_revoked(self: Exporter, wish: object) -> object:
        found = choose(self, wish)  # type: ignore[arg-type]
        bench.decide(rows[0], "revoke", "resident-tax")
        return found

    monkeypatch.setattr(Exporter, "_choose", then_revoked)
    done = only(bench.export().written)
    assert receipts(done.path) == ["R7-99999-000000002"]
    assert "withdrawn.csv" not in members(done.path)  # it never was handed over


def test_characters_that_cp932_lacks_keep_their_row_out_and_are_told_without_the_value(bench: Bench) -> None:
    bench.accepted(
        document(1, applicant_name="𠮷見本", seized_properties=[{}, {"seized_property_name": "〜と辻\U000e0100"}]),
        document(2, applicant_name="髙見本"),
    )
    report = bench.export(encoding="cp932")
    done = only(report.written)
    assert [row["applicant_name"] for row in table(members(done.path)[SEIZURE], "cp932")] == ["髙見本"]
    (left,) = report.left_out
    assert (left.receipt_number, left.why) == ("R7-99999-000000001", "characters")
    assert [(p.file, p.row, p.column, p.misfit.code_point) for p in left.places] == [
        (SEIZURE, None, "applicant_name", 0x20BB7),
        ("seizure-release-under-grace.seized_properties.csv", 2, "seized_property_name", 0x301C),
        ("seizure-release-under-grace.seized_properties.csv", 2, "seized_property_name", 0xE0100),
    ]
    assert "見本" not in repr(report)
    again = bench.export(encoding="cp932")
    assert (again.written, len(again.left_out)) == ((), 1)  # it waits, until the declaration is another
    assert receipts(only(bench.export().written).path) == ["R7-99999-000000001"]


def test_characters_that_cp932_lacks_are_replaced_as_declared_and_listed(bench: Bench) -> None:
    bench.accepted(document(1, applicant_name="𠮷〜\ue000?"))
    done = only(bench.export(encoding="cp932", on_missing="replace").written)
    held = members(done.path)
    (row,) = table(held[SEIZURE], "cp932")
    assert row["applicant_name"] == "〓～\ue000?"
    told = [(r["hub_column"], r["hub_code_point"], r["hub_becomes"]) for r in table(held["replaced.csv"], "cp932")]
    assert told == [
        ("applicant_name", "U+20BB7", "U+3013"),
        ("applicant_name", "U+301C", "U+FF5E"),
        ("applicant_name", "U+E000", "U+E000"),
    ]
    assert (done.manifest.encoding, done.manifest.replacement) == ("cp932", "〓")


def test_the_archive_is_aes_256_says_nothing_without_the_password_and_is_its_owners(
    bench: Bench, attack: Attack
) -> None:
    tried = attack(Attacker.LAPTOP, "reads an export for another system without its password")
    bench.accepted(document(1, applicant_name="VISIBLE-NAME"))
    path = only(bench.export().written).path
    raw = path.read_bytes()
    assert b"VISIBLE-NAME" not in raw
    assert b"R7-99999" not in raw
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    import pyzipper

    with pyzipper.AESZipFile(path) as archive:
        for info in archive.infolist():
            assert (info.wz_aes_strength, info.wz_aes_version, info.CRC) == (3, 2, 0)
            assert info.date_time[:3] == (2027, 1, 15)
        with pytest.raises(RuntimeError):
            archive.read(SEIZURE, pwd=b"another password")
    tried.prevented(by="AES-256 archive", how="no value, and no name of a member that says one", within="always")


def opened_by_the_book(data: bytes, password: bytes) -> dict[str, bytes]:
    """Open WinZip AES by its specification (AE-2, AES-256), with another cryptographic library and no ZIP library."""
    found, at = {}, 0
    end = data.rindex(b"PK\x05\x06")
    count, directory = struct.unpack_from("<H", data, end + 10)[0], struct.unpack_from("<I", data, end + 16)[0]
    at = directory
    for _ in range(count):
        fields = struct.unpack_from("<4s4B4HL2L5H2L", data, at)
        method, compressed, name_length, extra_length, comment_length, offset = (
            *(fields[6], fields[10], fields[12], fields[13], fields[14]),
            fields[18],
        )
        name = data[at + 46 : at + 46 + name_length].decode()
        at += 46 + name_length + extra_length + comment_length
        assert method == 99
        start = offset + 30 + sum(struct.unpack_from("<HH", data, offset + 26))
        salt, check = data[start : start + 16], data[start + 16 : start + 18]
        secret, mac = data[start + 18 : start + compressed - 10], data[start + compressed - 10 : start + compressed]
        keys = hashlib.pbkdf2_hmac("sha1", password, salt, 1_000, 66)
        assert keys[64:] == check
        assert hmac.digest(keys[32:64], secret, "sha1")[:10] == mac
        block = Cipher(algorithms.AES(keys[:32]), modes.ECB()).encryptor()
        stream = b"".join(block.update((n + 1).to_bytes(16, "little")) for n in range(-(-len(secret) // 16)))
        found[name] = zlib.decompress(bytes(a ^ b for a, b in zip(secret, stream, strict=False)), -15)
    return found


def test_another_implementation_opens_the_archive(bench: Bench) -> None:
    bench.accepted(*generated_documents(30))
    path = only(bench.export().written).path
    held = opened_by_the_book(path.read_bytes(), PASSWORD.encode())
    assert held == members(path)
    assert list(held)[-1] == "manifest.json"
    for declared in json.loads(held["manifest.json"])["files"]:
        assert hashlib.sha256(held[declared["name"]]).hexdigest() == declared["sha256"]


def test_an_archive_verifies_against_its_manifest(bench: Bench) -> None:
    bench.accepted(*generated_documents(30))
    done = only(bench.export().written)
    assert verify(done.path, PASSWORD) == done.manifest
    assert done.manifest.rows == 30
    with pytest.raises(PasswordWrong):
        verify(done.path, "another-password-0123456789")
    with pytest.raises(ArchiveUnreadable):
        verify(bench.out / "nothing.zip", PASSWORD)
    with pytest.raises(PasswordUnfit):
        verify(done.path, "short")


def generated_documents(count: int) -> Iterator[dict[str, object]]:
    yield from generated(count)


def test_damage_anywhere_in_an_archive_is_found(bench: Bench) -> None:
    bench.accepted(document(1, applicant_name="見本"))
    path = only(bench.export().written).path
    whole = path.read_bytes()
    copy = bench.out / "copy.zip"
    quiet = []
    for place in range(0, len(whole), 3):
        copy.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            verify(copy, PASSWORD)
        except (ArchiveDamaged, PasswordWrong):
            continue
        quiet.append(place)
    # Times and versions of members say nothing about the content; everything else is noticed.
    assert len(quiet) < len(whole) // 3 * 0.25
    assert all(members(copy_of(copy, whole, place)) == members(path) for place in quiet)
    for end in (0, 1, len(whole) // 2, len(whole) - 1):
        copy.write_bytes(whole[:end])
        with pytest.raises(ArchiveDamaged):
            verify(copy, PASSWORD)


def copy_of(copy: Path, whole: bytes, place: int) -> Path:
    copy.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
    return copy


def forged(path: Path, change: dict[str, bytes | None], **options: object) -> Path:
    """Write an archive of other content under the right password."""
    import pyzipper

    held = {**members(path), **change}
    copy = path.with_name("forged.zip")
    with pyzipper.AESZipFile(copy, "w", **{"encryption": pyzipper.WZ_AES, **options}) as archive:
        archive.setpassword(PASSWORD.encode())
        for name, data in held.items():
            if data is not None:
                archive.writestr(name, data)
    return copy


def test_an_archive_that_is_not_its_manifest_is_refused(bench: Bench) -> None:
    bench.accepted(document(1))
    path = only(bench.export().written).path
    held = members(path)
    assert verify(forged(path, {}), PASSWORD)
    line = held[SEIZURE].splitlines(keepends=True)[-1]
    changes: list[dict[str, bytes | None]] = [
        {SEIZURE: held[SEIZURE] + line},
        {SEIZURE: held[SEIZURE].replace(b"accept", b"revoke")},
        {SEIZURE: held[SEIZURE][:-1]},
        {SEIZURE: None},
        {"more.csv": b"a\r\n"},
        {"manifest.json": None},
        {"manifest.json": b"{}"},
        {"manifest.json": held["manifest.json"].replace(b'"run": 1', b'"run": 1, "run": 2')},
        {"manifest.json": held["manifest.json"].replace(b'"rows": 1', b'"rows": 2')},
        {"manifest.json": held["manifest.json"].replace(b'"utf-8"', b'"cp932"')},
        {"manifest.json": b" " * (2**20 + 1)},
    ]
    for change in changes:
        with pytest.raises(ArchiveDamaged):
            verify(forged(path, change), PASSWORD)
    # A line of names that is not this version's, though every digest is right.
    renamed = held[SEIZURE].replace(b"hub_reason", b"hub_season")
    digests = [hashlib.sha256(each).hexdigest().encode() for each in (held[SEIZURE], renamed)]
    with pytest.raises(ArchiveDamaged, match="columns"):
        verify(forged(path, {SEIZURE: renamed, "manifest.json": held["manifest.json"].replace(*digests)}), PASSWORD)
    import pyzipper

    with pytest.raises(ArchiveDamaged):
        verify(forged(path, {}, encryption_kwargs={"nbits": 128}), PASSWORD)
    with pyzipper.ZipFile(path.with_name("open.zip"), "w") as archive:
        for name, data in held.items():
            archive.writestr(name, data)
    with pytest.raises(ArchiveDamaged):
        verify(path.with_name("open.zip"), PASSWORD)


def test_a_member_is_read_no_further_than_its_manifest_says(bench: Bench) -> None:
    bench.accepted(document(1))
    path = only(bench.export().written).path
    held = members(path)
    bomb = forged(path, {SEIZURE: held[SEIZURE] + bytes(64 * 2**20)}, compression=zipfile.ZIP_DEFLATED)
    read = 0

    class Counting(archive.ArchiveReadings):
        def readinto(self, buffer: Any) -> int:
            nonlocal read
            count = super().readinto(buffer)
            read += count
            return count

    with pytest.MonkeyPatch.context() as patch, pytest.raises(ArchiveDamaged):
        patch.setattr(archive, "ArchiveReadings", Counting)
        verify(bomb, PASSWORD)
    assert read <= 2**17


def test_a_run_is_repeated_byte_for_byte_whatever_was_decided_since(bench: Bench, tmp_path: Path) -> None:
    rows = bench.accepted(*generated_documents(20))
    first = only(bench.export(encoding="cp932", on_missing="replace").written)
    bench.decide(rows[3], "revoke", "resident-tax")
    bench.export()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    again = bench.exporter("somebody else").again(1, elsewhere, "another-password-0123456789")
    assert again.same
    assert again.path.name == first.path.name
    assert members(again.path, "another-password-0123456789") == members(first.path)
    by = [(copy.by, copy.again, copy.rows) for copy in bench.store.exports.copies(1)]
    assert by == [("exporter", False, 20), ("somebody else", True, 20)]


def test_a_repetition_says_what_was_erased_since(bench: Bench, tmp_path: Path) -> None:
    rows = bench.accepted(document(1), document(2, seized_properties=[{"seized_property_name": "例示"}]), document(3))
    first = only(bench.export().written)
    bench.erase(rows[1])
    again = bench.exporter().again(1, tmp_path, PASSWORD)
    assert not again.same
    assert again.erased == ("R7-99999-000000002",)
    assert receipts(again.path) == ["R7-99999-000000001", "R7-99999-000000003"]
    assert [row["hub_receipt_number"] for row in table(members(again.path)["erased.csv"])] == ["R7-99999-000000002"]
    assert (again.manifest.rows, again.manifest.erased, first.manifest.erased) == (2, 1, 0)
    assert verify(again.path, PASSWORD) == again.manifest


def test_a_repetition_that_would_differ_without_an_erasure_is_refused(bench: Bench, tmp_path: Path) -> None:
    (row,) = bench.accepted(document(1))
    bench.export()
    from sqlalchemy import update

    from consumers.store import tables

    with bench.store._writing() as db:
        db.execute(update(tables.decision).values(reason="with-findings"))
    with pytest.raises(NotTheSame):
        bench.exporter().again(1, tmp_path / "out", PASSWORD)
    assert files(bench) == ["rehearsal-999997-tax-000001.zip"]
    assert row


def test_only_a_finished_run_is_repeated(bench: Bench) -> None:
    bench.accepted(document(1))
    with pytest.raises(RunUnknown):
        bench.exporter().again(1, bench.out, PASSWORD)
    bench.export()
    again = bench.exporter().again(1, bench.out, PASSWORD)  # its own file is in its place already
    assert again.same
    with pytest.raises(FileInTheWay):
        bench.exporter().again(1, bench.out, "another-password-0123456789")
    assert verify(again.path, PASSWORD) == again.manifest
    assert files(bench) == ["rehearsal-999997-tax-000001.zip"]


def test_erased_and_damaged_rows_are_told_and_do_not_stop_the_others(bench: Bench) -> None:
    from sqlalchemy import update

    from consumers.store import tables

    rows = bench.accepted(document(1), document(2), document(3))
    bench.erase(rows[0])
    with bench.store._writing() as db:
        db.execute(update(tables.content).where(tables.content.c.event == rows[1]).values(ciphertext=bytes(100)))
    report = bench.export()
    assert receipts(only(report.written).path) == ["R7-99999-000000003"]
    assert [(left.receipt_number, left.why) for left in report.left_out] == [
        ("R7-99999-000000001", "erased"),
        ("R7-99999-000000002", "damaged"),
    ]


def test_a_foreign_file_is_never_replaced_and_the_rows_go_into_the_next_run(bench: Bench) -> None:
    bench.accepted(document(1))
    foreign = bench.out / "rehearsal-999997-tax-000001.zip"
    foreign.write_bytes(b"somebody else's")
    with pytest.raises(FileInTheWay):
        bench.export()
    assert foreign.read_bytes() == b"somebody else's"
    assert files(bench) == [foreign.name]
    done = only(bench.export().written)
    assert (done.manifest.run, receipts(done.path)) == (2, ["R7-99999-000000001"])
    assert [run.state for run in bench.store.exports.runs()] == [RunState.RELEASED, RunState.DONE]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KiB, where mounting is allowed."""
    point = tmp_path / "disk"
    point.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(point)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a file system is not allowed here")
    yield point
    subprocess.run(["umount", str(point)], check=True)


def incompressible(number: int) -> dict[str, object]:
    return document(number, remarks=os.urandom(2_000).hex())


def test_a_full_disk_leaves_nothing_behind_and_the_rows_wait(bench: Bench, small_disk: Path) -> None:
    bench.accepted(*(incompressible(n) for n in range(1, 61)))
    with pytest.raises(ExportDiskFull) as caught:
        bench.export(directory=small_disk)
    assert caught.value.retriable
    assert caught.value.hint
    assert list(small_disk.iterdir()) == []
    assert len(bench.store.exports.candidates("tax")) == 60
    done = only(bench.export().written)
    assert done.manifest.rows == 60
    assert verify(done.path, PASSWORD) == done.manifest


def test_a_full_disk_in_a_repetition_or_a_resumption_leaves_nothing_behind(bench: Bench, small_disk: Path) -> None:
    bench.accepted(*(incompressible(n) for n in range(1, 61)))
    bench.export()
    with pytest.raises(ExportDiskFull):
        bench.exporter().again(1, small_disk, PASSWORD)
    assert list(small_disk.iterdir()) == []
    wish = bench.wish("other", directory=small_disk)
    bench.store.exports.claim(bench.exporter()._new(wish), bench.exporter().choose(wish).decisions)
    with pytest.raises(ExportDiskFull):
        bench.exporter().export(wish, PASSWORD)
    assert list(small_disk.iterdir()) == []
    (done,) = bench.export(series="other", elsewhere=True).written
    assert (done.resumed, done.manifest.run, done.manifest.rows) == (True, 2, 60)


@pytest.mark.parametrize(
    ("number", "error"),
    [(errno.ENOSPC, ExportDiskFull), (errno.EDQUOT, ExportDiskFull), (errno.EIO, ExportNotWritable)],
)
@pytest.mark.parametrize("call", ["write", "fsync", "rename"])
def test_an_error_of_the_disk_at_any_step_leaves_nothing_behind(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception], call: str
) -> None:
    bench.accepted(*(incompressible(n) for n in range(1, 6)))

    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    if call == "fsync":
        monkeypatch.setattr(placing.os, "fsync", fails)
    elif call == "rename":
        monkeypatch.setattr(Path, "rename", fails)
    else:
        opened = os.fdopen

        def full(descriptor: int, mode: str) -> object:
            file = opened(descriptor, mode, buffering=0)
            count = iter(range(6))

            class Full:
                def __getattr__(self, name: str) -> object:
                    return getattr(file, name)

                def write(self, data: bytes) -> int:
                    if next(count, None) is None:
                        fails()
                    return file.write(data)

            return Full()

        monkeypatch.setattr(placing.os, "fdopen", full)
    with pytest.raises(error):
        bench.export()
    assert files(bench) == []
    monkeypatch.undo()
    assert only(bench.export().written).manifest.rows == 5


def test_a_directory_that_does_not_sync_leaves_the_run_to_be_finished(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.accepted(document(1))
    sync = os.fsync
    calls = iter([sync])

    def only_the_file(descriptor: int) -> None:
        if next(calls, None) is None:
            raise OSError(errno.EIO, "")
        sync(descriptor)

    monkeypatch.setattr(placing.os, "fsync", only_the_file)
    with pytest.raises(ExportUnsettled):
        bench.export()
    monkeypatch.undo()
    assert files(bench) == ["rehearsal-999997-tax-000001.zip"]
    before = (bench.out / files(bench)[0]).read_bytes()
    done = only(bench.export().written)
    assert done.resumed
    assert done.path.read_bytes() == before
    assert bench.export().written == ()


def test_two_exports_of_a_desk_do_not_run_at_once(bench: Bench) -> None:
    bench.accepted(document(1))
    with placing.alone(bench.directory / "export.lock"), pytest.raises(ExportBusy):
        bench.export()
    assert only(bench.export().written)


@pytest.mark.parametrize("series", ["", "A", "a" * 33, "../x", "-a", "a b"])
def test_a_series_is_a_plain_name(bench: Bench, series: str) -> None:
    with pytest.raises(SeriesInvalid):
        bench.export(series=series)


def test_a_directory_that_is_not_there_and_an_unfit_password_claim_nothing(bench: Bench) -> None:
    bench.accepted(document(1))
    with pytest.raises(ExportNotWritable):
        bench.export(directory=bench.out / "none")
    for password in ("", "short", "に" * 20, "with a space in it 0123"):
        with pytest.raises(PasswordUnfit):
            bench.exporter().export(bench.wish(), password)
    assert bench.store.exports.runs() == []


def test_a_link_in_the_place_of_the_part_is_not_followed(bench: Bench) -> None:
    bench.accepted(document(1))
    victim = bench.directory / "victim"
    victim.write_text("keep")
    (bench.out / ".rehearsal-999997-tax-000001.zip.part").symlink_to(victim)
    assert only(bench.export().written)
    assert victim.read_text() == "keep"


def test_an_unfinished_run_waits_for_its_directory_or_is_finished_elsewhere(bench: Bench, tmp_path: Path) -> None:
    bench.accepted(document(1))
    gone, other = tmp_path / "gone", tmp_path / "other"
    gone.mkdir()
    other.mkdir()
    wish = bench.wish(directory=gone)
    choice = bench.exporter().choose(wish)
    assert bench.store.exports.claim(bench.exporter()._new(wish), choice.decisions) is not None
    gone.rmdir()
    with pytest.raises(DirectoryGone):
        bench.export(directory=other)
    bench.accepted(document(2))
    first, second = bench.export(directory=other, elsewhere=True).written
    assert (first.resumed, receipts(first.path)) == (True, ["R7-99999-000000001"])
    assert (second.resumed, receipts(second.path)) == (False, ["R7-99999-000000002"])


def test_a_choice_changes_nothing(bench: Bench) -> None:
    bench.accepted(document(1), document(2, applicant_name="𠮷"))
    choice = bench.exporter().choose(bench.wish(encoding="cp932"))
    assert (len(choice.decisions), choice.withdrawals, len(choice.left_out)) == (1, 0, 1)
    assert bench.store.exports.runs() == []
    assert files(bench) == []


def test_the_history_of_a_case_tells_of_its_exports(bench: Bench) -> None:
    from consumers.review.queries import ReviewQueries

    (row,) = bench.accepted(document(1))
    bench.export()
    bench.decide(row, "revoke", "resident-tax")
    bench.export()
    (shown,) = ReviewQueries(bench.store, bench.vault).show("R7-99999-000000001")
    told = [(entry["what"], entry["detail"]) for entry in shown["history"]]
    assert [entry for entry in told if "export" in entry[0]] == [
        ("exported", "tax run 1"),
        ("export-withdrawn", "tax run 2"),
    ]
    assert [entry.what for entry in bench.store.history(row)] == ["stored"]
    assert [each.what for each in bench.store.exports.passages(row)] == [What.ROW, What.WITHDRAWN]


def peak_kib() -> int:
    """The most memory that this process held since it was last reset, in KiB (Linux)."""
    (line,) = [each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM:")]
    return int(line.split()[1])


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="peaks of memory are read from /proc")
def test_two_thousand_rows_pass_in_bounded_memory(bench: Bench) -> None:
    for start in range(1, 2_001, 250):
        text = "架空の経過です。" * 500
        bench.accepted_at_once([document(n, remarks=text) for n in range(start, start + 250)])
    bench.accepted(document(9_999))
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_kib()
    done = only(bench.export().written)
    grown = peak_kib() - before
    (declared,) = [each for each in done.manifest.files if each.name == SEIZURE]
    assert declared.rows == 2_001
    assert declared.size > 22 * 2**20
    assert grown * 1_024 < declared.size / 3
    assert verify(done.path, PASSWORD) == done.manifest
    assert bench.export().written == ()


def test_the_desk_speaks_once_of_each_file_that_was_taken_out(bench: Bench) -> None:
    (row,) = bench.accepted(document(1))
    bench.export()
    bench.decide(row, "revoke", "resident-tax")
    bench.export()
    bench.exporter().again(1, bench.out, PASSWORD)
    told: list[Fact] = []
    watch = ExportWatch("review-999997", bench.store, told.append, bench.clock)
    assert (watch.look(), watch.look()) == (3, 0)
    assert told == [
        RowsExported("review-999997", 1, 1, 0),
        RowsExported("review-999997", 2, 0, 1),
        RowsExported("review-999997", 1, 1, 0, again=True),
    ]
