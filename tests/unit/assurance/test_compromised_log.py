"""A compromised audit desk: it has the log's key and its database, and tells another history than it told before.

What was handed out (a checkpoint with a witness's line, a proof, a filer's receipt) is out of its reach.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assurance.reconcile import Entry, Kind, Report, reconcile
from consumers.audit.checking import NotProved, check
from consumers.audit.log_directory import LogDirectory
from consumers.audit.proving import NotInLog, find_event, find_index, find_stored, prove
from consumers.reporting import entries
from consumers.store.sql import SqlStore
from hub.crypto.checkpoints import LogProof, open_checkpoint
from hub.crypto.identity import IdentityKey
from hub.crypto.notes import Note, NoteSigner
from hub.envelope import delivery
from hub.envelope.sealed import parse
from hub.facts import Alarm
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker, Verdict
from tests.unit.assurance.test_witnessing import Stage, at, own
from tests.unit.consumers.making import TENANT
from tests.unit.consumers.published import (
    IDENTITY,
    SIGNER,
    event_entry,
    event_leaf,
    events,
    grow,
    receipt_entry,
    receipt_record,
    sealed_record,
)
from tests.unit.consumers.test_audit_log import uuid7

KEY = SIGNER.verifier().encode().encode() + b"\n"
LATTICE, CLASSIC = 2, 1
"""witnesses: one signs with ML-DSA-44, one with Ed25519"""
GONE = 101
"""the event that is to disappear; the review desk signed that it stored it"""


def key_of(number: int) -> bytes:
    return own(number).cosigner().encode().encode() + b"\n"


def resigned(proof: LogProof, note: Note) -> bytes:
    """A proof with another checkpoint under it."""
    return LogProof(proof.index, proof.hashes, note, proof.extra).encode()


@dataclass
class Log:
    """An honest log that was published and cosigned, and what people took away from it."""

    stage: Stage
    proof: LogProof
    entry: bytes
    stored: bytes
    receipt: bytes

    def rewritten(self, name: str, numbers: list[int]) -> tuple[SqlStore, Note, int]:
        """The same desk's other database, published with the same key, and offered to the same witnesses."""
        store = self.stage.store = self.stage.open(name)
        grow(store, [event_entry(n) for n in numbers])
        events(store, range(0))
        with self.stage.witness(CLASSIC) as one, self.stage.witness(LATTICE) as two:
            done = self.stage.publisher(at(one, CLASSIC), at(two, LATTICE), out=name).publish()
        return store, Note.parse((self.stage.directory / name / "checkpoint").read_bytes()), done.cosignatures


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with ExitStack() as stack:
        stage = Stage(tmp_path, stack)
        grow(stage.store, [*(event_entry(n) for n in range(300)), receipt_entry(range(100, 103))])
        events(stage.store, range(300))
        with stage.witness(CLASSIC) as one, stage.witness(LATTICE) as two:
            assert stage.publisher(at(one, CLASSIC), at(two, LATTICE)).publish().cosignatures == 2
        tlog = LogDirectory(tmp_path / "tlog")
        found, stored = find_event(stage.store, uuid7(GONE)), find_stored(stage.store, uuid7(GONE))
        yield Log(
            stage,
            prove(tlog, IDENTITY.keys, found),
            found.entry,
            prove(tlog, IDENTITY.keys, stored).encode(),
            delivery.write(receipt_record(range(100, 103)), parse(sealed_record(GONE))),
        )


def test_what_it_rewrites_no_witness_cosigns(log: Log, attack: Attack) -> None:
    without = [n for n in range(400) if n != GONE]
    for name, numbers, attempt in (
        ("omitted", without[:301], "signs another tree of the same size, without an event"),
        ("larger", without[:390], "signs a larger tree in which an event was left out"),
        ("replaced", [*range(GONE), 7_000, *range(GONE + 1, 310)], "signs a tree in which an event is another"),
        ("shorter", list(range(250)), "signs an older, shorter tree, to take back what came since"),
    ):
        row = attack(Attacker.AUDIT, attempt, Verdict.DETECTED)
        _, note, cosignatures = log.rewritten(name, numbers)
        open_checkpoint(note, IDENTITY.keys)  # the log's own signature is good
        assert cosignatures == 0
        codes = {fact.code for fact in log.stage.facts if isinstance(fact, Alarm)}
        assert codes == {"witness-contradicts"}
        with pytest.raises(NotProved, match="did not cosign"):
            check(KEY, resigned(log.proof, note), log.entry, [key_of(CLASSIC)])
        row.detected(
            by="every witness",
            how="not cosigned (`witness-contradicts`); a proof from it is refused by `audit check --witness-key`",
            within="the next published checkpoint",
        )
    evidence = log.stage.directory / f"w{CLASSIC}" / "evidence"
    assert len(list(evidence.iterdir())) >= 2, "signed by the log: it cannot say that it was not"


def test_two_readers_who_are_shown_two_logs_hold_the_evidence(log: Log, attack: Attack) -> None:
    row = attack(Attacker.AUDIT, "shows two readers two logs of one size", Verdict.DETECTED)
    _, forked, _ = log.rewritten("forked", [*range(300), 9_000])
    one, other = open_checkpoint(log.proof.checkpoint, IDENTITY.keys), open_checkpoint(forked, IDENTITY.keys)
    assert (one.origin, one.size) == (other.origin, other.size) and one.root != other.root
    with pytest.raises(NotProved):
        check(KEY, resigned(log.proof, forked), log.entry)
    evidence = log.stage.directory / f"w{CLASSIC}" / "evidence"
    kept = [Note.parse(path.read_bytes()) for path in evidence.iterdir()]
    assert [each.text for each in kept] == [forked.text]
    open_checkpoint(kept[0], IDENTITY.keys)
    row.detected(
        by="witness, or two readers who compare",
        how="two checkpoints with the log's signature, one size and two roots; kept in the witness's `evidence/`",
        within="the next published checkpoint",
    )


def test_what_was_proved_once_cannot_be_denied(log: Log, attack: Attack) -> None:
    row = attack(Attacker.AUDIT, "denies that an event was ever entered", Verdict.DETECTED)
    store, _, _ = log.rewritten("denied", [n for n in range(301) if n != GONE])
    with pytest.raises(NotInLog):
        find_event(store, uuid7(GONE))
    keys = [key_of(CLASSIC), key_of(LATTICE)]
    assert len(check(KEY, log.proof.encode(), log.entry, keys).cosigned) == 2
    done = check(KEY, log.stored, log.receipt, keys)
    assert done.receipt is not None and done.receipt.header.event_id == uuid7(GONE)
    row.detected(
        by="whoever kept a proof or a filer's receipt",
        how="`audit check` proves it with files alone, cosigned by the witnesses",
        within="any time",
    )


def test_an_event_that_it_never_enters_is_missed_by_comparing(log: Log, attack: Attack) -> None:
    row = attack(Attacker.AUDIT, "leaves an event out from the beginning", Verdict.DETECTED)
    everywhere = [Entry(TENANT, uuid7(n), event_leaf(n)) for n in range(300)]
    store = log.stage.open("silent")
    events(store, range(GONE))
    told = tuple(Entry(e.tenant, e.event_id, e.leaf) for e in entries(store))
    now = datetime.now(UTC)
    found = reconcile(
        [
            Report("portal", None, Kind.PORTAL, now, tuple(everywhere)),
            Report(f"review-{TENANT}", TENANT, Kind.REVIEW, now, tuple(everywhere)),
            Report(f"helpdesk-{TENANT}", TENANT, Kind.HELPDESK, now, tuple(everywhere)),
            Report(f"audit-{TENANT}", TENANT, Kind.AUDIT, now, told),
        ]
    )  # fmt: skip
    assert not found.agreed and {each.at for each in found.lost.listed} == {Kind.AUDIT}
    assert found.lost.count == 300 - GONE
    row.detected(
        by="reconciliation of signed reports", how="`lost` at the audit desk; and no proof can be made for its filer",
        within="the next `reconcile`",
    )  # fmt: skip


def test_it_cannot_say_that_a_checkpoint_is_older_or_was_seen_by_others(log: Log, attack: Attack) -> None:
    backdates = attack(Attacker.AUDIT, "backdates what a witness saw")
    moves = attack(Attacker.AUDIT, "puts a witness's line for an older checkpoint under a newer one")
    note = log.proof.checkpoint
    for number in (CLASSIC, LATTICE):
        (line,) = [each for each in note.signatures if each.name == own(number).name]
        # C2SP tlog-cosignature: the time stands before the signature, and is signed
        earlier = (int.from_bytes(line.signature[:8], "big") - 86_400).to_bytes(8, "big") + line.signature[8:]
        others = tuple(each for each in note.signatures if each is not line)
        forged = Note(note.text, (*others, type(line)(line.name, line.key_id, earlier)))
        with pytest.raises(NotProved):
            check(KEY, resigned(log.proof, forged), log.entry, [key_of(number)])
    _, newer, _ = log.rewritten("newer", [*range(300), 9_000])
    seen = [each for each in note.signatures if each.name != SIGNER.name]
    with pytest.raises(NotProved):
        check(KEY, resigned(log.proof, newer.with_signatures(seen)), log.entry, [key_of(CLASSIC)])
    how = "refused: the witness's signature covers name, size, root and its own clock's time"
    backdates.prevented(by="`audit check --witness-key`", how=how, within="the check")
    moves.prevented(by="`audit check --witness-key`", how=how, within="the check")


def test_who_breaks_the_logs_signature_later_still_needs_a_witness_that_a_quantum_computer_does_not_break(
    log: Log, attack: Attack
) -> None:
    """Ed25519 falls; the attacker is given the log's own key and the classic witness's, and not the lattice key."""
    row = attack(Attacker.QUANTUM, "signs a rewritten log with the log's and an Ed25519 witness's recovered keys")
    _, forged, _ = log.rewritten("quantum", [n for n in range(302) if n != GONE])
    classic = own(CLASSIC)
    assert isinstance(classic.key, IdentityKey)
    broken = forged.with_signatures([NoteSigner(classic.name, classic.key).cosign(forged.text, 1_900_000_000)])
    tlog = LogDirectory(log.stage.directory / "quantum")
    found = find_index(log.stage.store, 5)
    proof = prove(tlog, IDENTITY.keys, found)
    assert check(KEY, resigned(proof, broken), found.entry, [key_of(CLASSIC)]).cosigned
    with pytest.raises(NotProved, match="did not cosign"):
        check(KEY, resigned(proof, broken), found.entry, [key_of(LATTICE)])
    row.prevented(by="`audit check --witness-key`", how="no ML-DSA-44 cosignature of that tree", within="the check")
