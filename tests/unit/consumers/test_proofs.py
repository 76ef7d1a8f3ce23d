"""Proofs for people outside: made from the published log, checked from three files, refused if anything differs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from consumers.audit import opening as opened
from consumers.audit.checking import NotProved, check
from consumers.audit.entries import EventEntry, ReceiptEntry
from consumers.audit.log_directory import LogContradicted, LogDirectory, NotPublished
from consumers.audit.proving import Ambiguous, NotInLog, event_of, find_event, find_index, find_stored, prove
from consumers.store.sql import SqlStore
from hub.crypto.identity import IdentityKey
from hub.crypto.notes import Note, NoteSigner
from hub.envelope import delivery
from hub.envelope.sealed import parse
from hub.envelope.signed import Signature, Signed
from tests.attacking import Attacker
from tests.attacking.plugin import Attack
from tests.unit.consumers.making import NOW, TENANT, batch, new_event
from tests.unit.consumers.published import (
    IDENTITY,
    ORIGIN,
    SIGNER,
    event_entry,
    event_leaf,
    events,
    grow,
    open_store,
    publisher,
    receipt_entry,
    receipt_record,
    sealed_record,
)
from tests.unit.consumers.test_audit_log import header, uuid7
from tests.vectors import tlog_reference

KEY = SIGNER.verifier().encode().encode() + b"\n"
WITNESS = NoteSigner("witness.example/w1", IdentityKey.from_seed(bytes(31) + b"\x09"))
WITNESS_KEY = WITNESS.cosigner().encode().encode() + b"\n"
COUNT = 270


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def store(home: Path) -> Iterator[SqlStore]:
    """270 events and a receipt of the desk for three of them, published and cosigned."""
    made = open_store(home)
    grow(made, [*(event_entry(n) for n in range(COUNT)), receipt_entry(range(100, 103))])
    events(made, range(COUNT))
    publisher(made, home / "tlog").publish()
    path = home / "tlog" / "checkpoint"
    note = Note.parse(path.read_bytes())
    path.write_bytes(note.with_signatures([WITNESS.cosign(note.text, NOW // 1_000)]).encode())
    yield made
    made.close()


@pytest.fixture(scope="module")
def tlog(home: Path, store: SqlStore) -> LogDirectory:
    return LogDirectory(home / "tlog")


def delivery_receipt(number: int, record: bytes) -> bytes:
    """What the portal hands to a filer."""
    return delivery.write(record, parse(sealed_record(number)))


def test_every_entry_of_the_log_can_be_proved(store: SqlStore, tlog: LogDirectory) -> None:
    for index in range(COUNT + 1):
        found = find_index(store, index)
        proof = prove(tlog, IDENTITY.keys, found)
        done = check(KEY, proof.encode(), found.entry)
        assert (done.index, done.size, done.origin) == (index, COUNT + 1, ORIGIN)
        # A reader that shares no code with the hub says the same.
        vkey, witness = KEY.decode().strip(), WITNESS_KEY.decode().strip()
        assert tlog_reference.check_proof(proof.encode(), vkey, found.entry, witness) == index


def test_an_event_is_proved_by_receipt_number_or_event_id(store: SqlStore, tlog: LogDirectory) -> None:
    for wanted in ("R7-99999-000000100", uuid7(100)):
        found = find_event(store, wanted)
        done = check(KEY, prove(tlog, IDENTITY.keys, found).encode(), found.entry)
        assert isinstance(done.meaning, EventEntry)
        assert (done.meaning.event_id, done.meaning.leaf) == (uuid7(100), event_leaf(100))


def test_a_filer_proves_his_delivery_receipt(store: SqlStore, tlog: LogDirectory) -> None:
    found = find_stored(store, "R7-99999-000000101")
    proof = prove(tlog, IDENTITY.keys, found).encode()
    done = check(KEY, proof, delivery_receipt(101, receipt_record(range(100, 103))))
    assert isinstance(done.meaning, ReceiptEntry)
    assert done.receipt is not None
    assert (done.receipt.header, done.receipt.receipt.desk) == (header(101), f"review-{TENANT}")


def test_another_receipt_is_not_proved(store: SqlStore, tlog: LogDirectory, attack: Attack) -> None:
    tried = attack(Attacker.AUDIT, "hands a filer the proof of another event, or of another receipt")
    stored = prove(tlog, IDENTITY.keys, find_stored(store, uuid7(101))).encode()
    event = prove(tlog, IDENTITY.keys, find_event(store, uuid7(101))).encode()
    mine = delivery_receipt(101, receipt_record(range(100, 103)))
    with pytest.raises(NotProved, match="--stored"):
        check(KEY, event, mine)
    with pytest.raises(NotProved, match="another event"):
        check(KEY, stored, delivery_receipt(104, receipt_record(range(100, 103))))
    with pytest.raises(NotProved, match="not the one in the log"):
        check(KEY, stored, delivery_receipt(101, receipt_record(range(101, 103))))
    tried.prevented(by="`audit check`", how="not proved", within="the check")


def test_a_receipt_with_a_strangers_signature_is_the_same_receipt(
    store: SqlStore, tlog: LogDirectory, attack: Attack
) -> None:
    """The broker shows the portal and the audit desk one record, with other signatures besides the desk's."""
    tried = attack(Attacker.BROKER, "adds a signature of nobody to a stored receipt, for the portal's eyes alone")
    stored = prove(tlog, IDENTITY.keys, find_stored(store, uuid7(101))).encode()
    plain = Signed.parse(receipt_record(range(100, 103)))
    stranger = Signature(bytes(8), bytes(64))
    more = Signed(plain.body, tuple(sorted((*plain.signatures, stranger), key=lambda each: each.key_id)))
    assert check(KEY, stored, delivery_receipt(101, more.encode())).receipt is not None
    for other in (
        Signed(plain.body, (stranger,)),
        Signed(plain.body, (replace(plain.signatures[0], key_id=bytes(8)),)),
    ):
        with pytest.raises(NotProved, match="not the one in the log"):
            check(KEY, stored, delivery_receipt(101, other.encode()))
    tried.prevented(
        by="`audit check`", how="proved all the same: the desk's own signature is in both", within="the check"
    )


def test_a_witness_that_is_demanded_must_have_cosigned(store: SqlStore, tlog: LogDirectory) -> None:
    found = find_event(store, uuid7(3))
    proof = prove(tlog, IDENTITY.keys, found)
    done = check(KEY, proof.encode(), found.entry, [WITNESS_KEY])
    assert [each.name for each in done.cosigned] == ["witness.example/w1"]
    other = NoteSigner("witness.example/w2", WITNESS.key).cosigner()
    with pytest.raises(NotProved, match="did not cosign"):
        check(KEY, proof.encode(), found.entry, [other.encode().encode() + b"\n"])
    with pytest.raises(NotProved, match="no witness"):
        check(KEY, proof.encode(), found.entry, [KEY])


def test_a_witness_does_not_stand_in_for_the_log(store: SqlStore, tlog: LogDirectory) -> None:
    found = find_event(store, uuid7(3))
    proof = prove(tlog, IDENTITY.keys, found)
    with pytest.raises(NotProved):
        check(WITNESS_KEY, proof.encode(), found.entry)


def test_a_log_does_not_stand_in_for_another(store: SqlStore, tlog: LogDirectory, attack: Attack) -> None:
    """The same key under another name is another log."""
    tried = attack(Attacker.AUDIT, "proves from another log under the same key")
    found = find_event(store, uuid7(3))
    proof = prove(tlog, IDENTITY.keys, found)
    other = NoteSigner("audit.example/rehearsal/999998", SIGNER.key).verifier().encode().encode() + b"\n"
    with pytest.raises(NotProved):
        check(other, proof.encode(), found.entry)
    tried.prevented(by="`audit check`", how="not proved: the log's name is signed", within="the check")


def flips(data: bytes) -> Iterator[bytes]:
    """Every byte with its lowest bit, the bit that makes letters small, and its highest bit turned."""
    for at in range(len(data)):
        for bit in (0x01, 0x20, 0x80):
            yield data[:at] + bytes((data[at] ^ bit,)) + data[at + 1 :]


def cuts(data: bytes) -> Iterator[bytes]:
    for at in range(len(data)):
        yield data[:at]
        yield data[:at] + data[at + 1 :]
    for more in (b"\n", b"\x00", b" ", data):
        yield data + more
        yield more + data


def test_every_byte_of_every_file_counts(store: SqlStore, tlog: LogDirectory, attack: Attack) -> None:
    attempt = attack(Attacker.AUDIT, "alters any byte of a proof, its entry, or the keys that it is checked with")
    found = find_event(store, uuid7(7))
    proof = prove(tlog, IDENTITY.keys, found).encode()
    good = {"key": KEY, "proof": proof, "entry": found.entry, "witness": WITNESS_KEY}

    def tried(**files: bytes) -> None:
        now = good | files
        check(now["key"], now["proof"], now["entry"], [now["witness"]])

    tried()
    for name, data in good.items():
        for changed in (*flips(data), *cuts(data)):
            if (
                name in ("key", "witness")
                and set(changed.splitlines()) == set(data.splitlines())
                and changed[-1:] == b"\n"
            ):
                continue  # the same key twice
            with pytest.raises(NotProved):
                tried(**{name: changed})
    attempt.prevented(by="whoever checks the proof", how=f"`{NotProved.code}`", within="at once")


def test_every_byte_of_a_delivery_receipt_counts(store: SqlStore, tlog: LogDirectory, attack: Attack) -> None:
    attempt = attack(Attacker.APPLICANT, "alters any byte of a delivery receipt, or cuts it")
    proof = prove(tlog, IDENTITY.keys, find_stored(store, uuid7(101))).encode()
    good = delivery_receipt(101, receipt_record(range(100, 103)))
    assert check(KEY, proof, good).receipt is not None
    for changed in (*flips(good), *cuts(good)):
        with pytest.raises(NotProved):
            check(KEY, proof, changed)
    attempt.prevented(by="whoever checks the proof", how=f"`{NotProved.code}`", within="at once")


def test_an_opening_shows_the_receipt_number_of_an_entry(store: SqlStore, tlog: LogDirectory) -> None:
    found, other = (find_event(store, uuid7(number)) for number in (5, 6))
    event = event_of(found.entry)
    proof = prove(tlog, IDENTITY.keys, found).encode()
    opening = opened.write(sealed_record(5), event)
    assert check(KEY, proof, found.entry, (), opening).header == header(5)
    for changed in (*flips(opening), *cuts(opening)):
        with pytest.raises(NotProved):
            check(KEY, proof, found.entry, (), changed)
    with pytest.raises(NotProved, match="another leaf"):
        check(KEY, prove(tlog, IDENTITY.keys, other).encode(), other.entry, (), opening)
    for record in (sealed_record(6), b"", b"no record"):
        with pytest.raises(opened.NotOpened):
            opened.write(record, event)


def test_only_an_event_can_be_opened(store: SqlStore, tlog: LogDirectory) -> None:
    found = find_stored(store, uuid7(101))
    opening = opened.write(sealed_record(5), event_of(find_event(store, uuid7(5)).entry))
    with pytest.raises(NotProved, match="no event"):
        check(KEY, prove(tlog, IDENTITY.keys, found).encode(), found.entry, (), opening)


def test_a_number_of_two_events_must_be_made_clear(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    grow(store, [event_entry(0)])
    store.commit(batch(1, 2, new_event(0), new_event(0, variant="other")))
    with pytest.raises(Ambiguous):
        find_event(store, "R7-99999-000000000")
    with pytest.raises(NotInLog):
        find_event(store, "R7-99999-000000009")
    with pytest.raises(NotInLog):
        find_index(store, 1)
    store.close()


def test_what_is_not_published_yet_cannot_be_proved(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    grow(store, [event_entry(n) for n in range(3)])
    directory = LogDirectory(tmp_path / "tlog")
    with pytest.raises(NotPublished):
        prove(directory, IDENTITY.keys, find_index(store, 2))
    publisher(store, directory.path).publish()
    grow(store, [event_entry(3)])
    with pytest.raises(NotPublished):
        prove(directory, IDENTITY.keys, find_index(store, 3))
    assert prove(directory, IDENTITY.keys, find_index(store, 2)).index == 2
    store.close()


def test_no_proof_is_made_from_altered_tiles(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    grow(store, [event_entry(n) for n in range(300)])
    publisher(store, tmp_path / "tlog").publish()
    tile = tmp_path / "tlog" / "tile" / "0" / "000"
    for changed in (bytes(8_192), b"", tile.read_bytes()[:-1]):
        tile.write_bytes(changed)
        with pytest.raises(LogContradicted):
            prove(LogDirectory(tmp_path / "tlog"), IDENTITY.keys, find_index(store, 2))
    store.close()


@pytest.fixture(scope="module")
def three_files(store: SqlStore, tlog: LogDirectory, home: Path) -> Path:
    found = find_event(store, uuid7(9))
    out = home / "files"
    out.mkdir()
    (out / "log.vkey").write_bytes(KEY)
    (out / "event.tlog-proof").write_bytes(prove(tlog, IDENTITY.keys, found).encode())
    (out / "event.entry").write_bytes(found.entry)
    return out


def command(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, without any setting, in a directory of its own."""
    return subprocess.run(
        [sys.executable, "-m", "cli", "audit", "check", *arguments],
        cwd=directory,
        env={"PYTHONPATH": str(Path.cwd()), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


FILES = ("--key", "log.vkey", "--proof", "event.tlog-proof", "--entry", "event.entry")


def test_the_command_needs_three_files_and_nothing_else(three_files: Path) -> None:
    before = sorted(path.name for path in three_files.iterdir())
    done = command(three_files, *FILES)
    assert done.returncode == 0, done.stderr
    assert f"entry 9 of the log {ORIGIN}" in done.stdout
    assert uuid7(9) in done.stdout
    assert sorted(path.name for path in three_files.iterdir()) == before
    said = json.loads(command(three_files, *FILES, "--json").stdout)
    assert (said["proved"], said["index"], said["entry"]["event_id"]) == (True, 9, uuid7(9))


def test_the_command_says_what_is_wrong_by_its_exit_status(three_files: Path, tmp_path: Path) -> None:
    assert command(three_files, "--key", "log.vkey").returncode == 2
    assert command(three_files, *FILES[:-1], "nothing-here").returncode == 2
    (tmp_path / "entry").write_bytes(b"\x00" + (three_files / "event.entry").read_bytes())
    refused = command(three_files, *FILES[:-1], str(tmp_path / "entry"))
    assert refused.returncode == 1
    assert "audit.not-proved" in refused.stderr
