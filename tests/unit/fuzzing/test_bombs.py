"""Small inputs that would become large: in bytes, in items, in depth, in what they unpack to, in work."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from assurance.reports import IncompleteReportError, UnreadableReportError, read_report
from assurance.witness.rules import BadRequest, read_request
from consumers.audit.checking import NotProved, check
from consumers.audit.opening import NotOpened
from consumers.audit.opening import read as read_opening
from consumers.helpdesk.desk import HelpdeskDesk
from consumers.review.desk import ReviewDesk
from consumers.review.export.archive import verify, writing
from consumers.review.export.errors import ArchiveDamaged
from consumers.review.export.manifest import Manifest
from consumers.store.exporting import ExportFile
from hub.crypto.errors import WeakKeyFile
from hub.crypto.keyfile import Clear, PassphraseKeys, ScryptCost, open_file
from hub.crypto.tiles import Tile, TileName, TilesDamaged, unbundle
from hub.envelope.delivery import NoDeliveryReceipt
from hub.envelope.delivery import read as read_delivery
from hub.envelope.inspection import Refusal, inspect
from hub.envelope.letters import DeadLetter
from hub.envelope.limits import MAX_SEALED_BYTES
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Checkpoint, CheckpointEntry, KeyDestroyed, RoleReport
from hub.envelope.sealed import parse
from hub.envelope.signed import Signed, sign
from hub.envelope.validation import validate_checkpoint, validate_close
from hub.envelope.wire import encode_bytes, encode_long, frame
from hub.reading.intake import Refused, session_named
from hub.transport import KafkaRecord
from portal import results
from schemas import codec, counting, registry
from schemas.codec import CodecError, TooManyItems
from schemas.lines import Document, split_documents
from schemas.parts import read_section
from schemas.submission import Refused as Problems
from schemas.submission import parse as parse_document
from tests.attacking import Attacker, Verdict
from tests.attacking.plugin import Attack
from tests.fuzz import world
from tests.fuzz.targets.events import intake
from tests.fuzz.targets.files import _CONTENT, _PASSWORD, _archive, _manifest
from tests.fuzz.targets.logs import _event_entry, _proof_of, entries
from tests.unit.schemas.support import named_types, random_value
from topics.declaration import parse as parse_declaration
from topics.errors import DeclarationInvalid

MIB = 2**20
HUGE = (2**31, 2**40, 2**62, 2**63 - 1)


@contextmanager
def at_most(mebibytes: int) -> Iterator[None]:
    """Fail if Python takes more memory than that for what happens within."""
    tracemalloc.start()
    try:
        yield
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken < mebibytes * MIB


def id_of(name: str) -> bytes:
    return frame(registry.contract(name).schema_id)


def refused_as(call: Callable[[], object]) -> str:
    with pytest.raises(EnvelopeError) as refused:
        call()
    return refused.value.reason.value


def test_length_bombs_in_sealed_events(attack: Attack) -> None:
    whole = world.event().value
    lane = world.lane_of(world.SUBMISSIONS, router=True)
    tried = attack(Attacker.BROKER, "length bomb in a sealed event: a section that claims to be 2^62 bytes long")
    reasons = set()
    with at_most(8):
        for size in HUGE:
            for at in (5, parse(whole).sections[0].union + 1):
                bomb = whole[:at] + encode_long(size) + whole[at + 2 :]
                found = inspect(bomb, None, {lane.session: lane})
                assert isinstance(found, Refusal)
                reasons.add(found.reason.value)
                assert session_named(bomb) is None
    assert reasons == {"too-large"}
    tried.prevented(by="router and every desk", how="reason `too-large`, nothing is reserved", within="same record")
    with pytest.raises(EnvelopeError):
        parse(whole + bytes(MAX_SEALED_BYTES))


def test_count_bombs_in_signed_records(attack: Attack) -> None:
    session = world.session().session
    tried = attack(Attacker.BROKER, "count bomb in an unsigned session close: a million partitions in 4 MiB")
    count = 1_390_000
    body = id_of("SessionClose") + bytes(32) + encode_long(count) + bytes(3 * count) + b"\x00" + encode_long(1)
    bomb = Signed(body, Signed.parse(world.session().signed).signatures).encode()
    with at_most(24):
        reason = validate_close(bomb, session, world.trust(), world.NOW)
        assert session_named(bomb) is None
    assert reason is Reason.TOO_LARGE
    tried.prevented(by="every reader", how="reason `too-large` before anything is built", within="same record")

    tried = attack(
        Attacker.PORTAL, "signs a checkpoint whose sequences end beyond 63 bits, to stop every desk's database"
    )
    for first in (2**63 - 1, 2**63 - 2):
        entry = CheckpointEntry(bytes(32))
        made = Checkpoint(session.id, world.PARTITION, first, (entry, entry), bytes(32), world.NOW).encode()
        value = sign("Checkpoint", made, world.identity("portal"))
        assert validate_checkpoint(value, session, world.trust(), world.NOW) is Reason.MALFORMED
        outcome = intake().take(KafkaRecord(world.SUBMISSIONS, world.PARTITION, 1, 0, b"", value), world.NOW)
        assert isinstance(outcome, Refused)
        refused = outcome.reason
    tried.prevented(by="every desk", how=f"dead letter `{refused.value}`", within="same record")


BOMBED = ("HelpdeskRecord", "ReviewSection", "GenericSubmission", "SessionClose", "Trust", "RoleReport")


@pytest.mark.parametrize("name", BOMBED)
def test_no_record_grows_beyond_what_is_counted(name: str) -> None:
    """Arrays of the smallest items, as many as fit into 8 MiB."""
    contract = registry.contract(name)
    walk = counting.walk_of(contract.schema)
    assert not isinstance(walk, int)
    with at_most(40):
        for head in _places_of_arrays(contract.schema):
            count = 2 * MIB
            data = id_of(name) + head + encode_long(count) + bytes(3 * MIB)
            with pytest.raises(TooManyItems):
                codec.decode(data, {name})


def _places_of_arrays(schema: Mapping[str, Any]) -> Iterator[bytes]:
    """The bytes before each array of a record whose other fields are empty."""
    body = b""
    for field in schema["fields"]:
        kind = field["type"]
        kind = kind["type"] if isinstance(kind, dict) and kind["type"] in ("array", "fixed", "enum") else kind
        if kind == "array":
            yield body
        elif isinstance(kind, dict):
            return
        body += bytes(field["type"]["size"]) if kind == "fixed" else b"\x00"


def test_counting_steps_over_every_record_that_there_is() -> None:
    """What is counted is what fastavro writes: each walk ends where the record ends, and never refuses a small one."""
    import random

    rng = random.Random(3)
    for contract in registry.all_contracts():
        walk = counting.walk_of(contract.schema)
        for _ in range(5):
            data = codec.encode(contract.name, random_value(contract.schema, rng, named_types(contract.schema)))
            end = codec.FRAME_BYTES + walk if isinstance(walk, int) else walk(data, codec.FRAME_BYTES, [10**6])
            assert end == len(data), contract.name
            assert not counting.too_many(walk, data, codec.FRAME_BYTES)
            for cut in range(codec.FRAME_BYTES, len(data), 7):
                assert not counting.too_many(walk, data[:cut], codec.FRAME_BYTES)


def test_a_trust_list_of_all_municipalities_is_written_and_read_and_no_endless_one() -> None:
    value: dict[str, Any] = {"namespace": "n", "serial": 1, "issued_at": 0}
    audience = {"name": "a", "owner": "a", "minimum_epoch": 0, "suites": []}
    for count, fits in ((counting.MAX_ITEMS + 1, True), (counting.MOST_ITEMS["Trust"] + 1, False)):
        value |= {"principals": [], "audiences": [audience] * count}
        if fits:
            assert len(codec.decode(codec.encode("Trust", value), {"Trust"}).value["audiences"]) == count
        else:
            with pytest.raises(TooManyItems):
                codec.encode("Trust", value)


def test_what_is_too_much_to_read_is_not_written_and_digests_alone_are_not_too_much() -> None:
    items = [{"name": "a", "group": None, "row": None, "shown": ""}] * (counting.MAX_ITEMS + 1)
    empty: dict[str, Any] = {"procedure": "p", "receipt_number": "r", "tenant": "1", "tax_item": None}
    empty |= {"accepted_at": "", "calculation_check": "passed", "signature_check": "passed", "rehearsal": False}
    empty |= {"replaces": None, "withdraws": None, "attachments": 0}
    with pytest.raises(TooManyItems):
        codec.encode("HelpdeskRecord", empty | {"items": items})
    whole = codec.encode("HelpdeskRecord", empty | {"items": items[1:]})
    assert len(codec.decode(whole, {"HelpdeskRecord"}).value["items"]) == counting.MAX_ITEMS
    waived = KeyDestroyed(
        world.REVIEW, 202604, bytes(8), world.NOW, tuple(n.to_bytes(32, "big") for n in range(60_000))
    )
    assert KeyDestroyed.decode(waived.encode()) == waived


def test_count_bombs_in_sections(attack: Attack) -> None:
    empty: dict[str, Any] = {
        "procedure": "p",
        "receipt_number": "r",
        "tenant": "1",
        "tax_item": None,
        "accepted_at": "",
    }
    empty |= {"calculation_check": "passed", "signature_check": "passed", "rehearsal": False}
    empty |= {"replaces": None, "withdraws": None, "attachments": 0, "items": []}
    count = 2 * MIB - 1_000
    masked = codec.encode("HelpdeskRecord", empty)[:-1] + encode_long(count) + bytes(4 * count) + b"\x00"
    tried = attack(Attacker.PORTAL, "count bomb in a helpdesk section: two million items in 8 MiB")
    with at_most(24):
        reason = HelpdeskDesk().read(world.header(), masked)
    assert reason is Reason.PLAINTEXT_INVALID
    tried.prevented(by="helpdesk", how=f"dead letter `{reason.value}` before anything is built", within="same record")

    count = 4 * MIB - 1_000
    section = codec.encode("ReviewSection", {"submission": b"", "rules": "", "findings": [], "large": []})
    bomb = section[:-2] + encode_long(count) + bytes(2 * count) + b"\x00\x00"
    tried = attack(Attacker.PORTAL, "count bomb in a review section: four million findings in 8 MiB")
    desk = ReviewDesk(world.REVIEW, world.T, world.identity(world.REVIEW), world.STATUS)
    with at_most(24):
        read = desk.read(world.header(), bomb)
        with pytest.raises(CodecError):
            read_section(bomb)
    assert read is Reason.PLAINTEXT_INVALID
    tried.prevented(by="review desk", how=f"dead letter `{read.value}` before anything is built", within="same record")


def rules_of(document: bytes) -> set[str]:
    made = parse_document(document, rehearsal=True)
    assert isinstance(made, Problems)
    json.dumps([each.rule for each in results.refused(made.problems, None).errors])
    return {each.rule for each in made.problems}


def test_bombs_in_input_json(attack: Attack) -> None:
    tried = attack(Attacker.APPLICANT, "depth bomb in input JSON: a hundred thousand brackets")
    with at_most(32):
        for sign_ in (b"[", b'{"a":', b'[{"b":['):
            assert rules_of(b'{"items":' + sign_ * 20_000) <= {"json.nesting", "json.syntax", "json.too-many-values"}
        nested = b'{"items":' + b"[" * 9_000 + b"]" * 9_000 + b"}"
        assert rules_of(nested) & {"json.nesting", "json.too-many-values"}
    tried.prevented(by="portal", how="refusal `json.nesting`", within="same document")

    tried = attack(Attacker.APPLICANT, "count bomb in input JSON: millions of empty lists in 8 MiB")
    with at_most(40):
        assert rules_of(b"[" + b"[]," * (8 * MIB // 3) + b"[]]") == {"json.too-many-values"}
    tried.prevented(by="portal", how="refusal `json.too-many-values` before anything is built", within="same document")

    tried = attack(Attacker.APPLICANT, "length bomb in input JSON: a number of a million digits")
    with at_most(16):
        assert "json.number" in rules_of(b'{"items":' + b"9" * MIB + b"}")
    tried.prevented(by="portal", how="refusal `json.number`, the digits are not computed with", within="same document")

    tried = attack(Attacker.APPLICANT, "one endless line in a file of documents, to fill the portal's memory")
    with at_most(16):
        found = list(split_documents((b"{" * MIB for _ in range(64)), "a.jsonl", MIB))
    assert [type(each) for each in found] == [type(found[0])] and not isinstance(found[0], Document)
    tried.prevented(by="portal", how="refusal `json.too-large`, in one document's memory", within="same line")


def test_depth_bombs_in_what_else_is_json(attack: Attack) -> None:
    deep = b'{"format":' + b"[" * 30_000
    tried = attack(Attacker.OUTSIDER, "depth bomb in a delivery receipt or an opening that is handed in")
    with pytest.raises(NoDeliveryReceipt):
        read_delivery(deep)
    with pytest.raises(NotOpened):
        read_opening(deep, _event_entry())
    with pytest.raises(NotProved) as refused:
        check(b"", _proof_of(entries()[1], extra=True), deep)
    with pytest.raises(ArchiveDamaged):
        Manifest.decode(deep)
    tried.prevented(by="whoever checks it", how=f"error `{refused.value.code}`", within="same file")

    tried = attack(Attacker.OUTSIDER, "count bomb in a delivery receipt: millions of empty lists")
    with at_most(24), pytest.raises(NoDeliveryReceipt) as receipt:
        read_delivery(b'{"sections":[' + b"[]," * (7 * MIB // 3) + b"[]]}")
    tried.prevented(by="whoever checks it", how=f"error `{receipt.value.code}`", within="same file")


def test_bombs_in_yaml(attack: Attack) -> None:
    tried = attack(Attacker.CONTRACTOR, "alias bomb in the declaration of topics: ten to the ninth names in one line")
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    laughs += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    with at_most(32):
        for text in (laughs, "- " * 5_000, "? " * 3_000, "x" * 100_000 + ": 1"):
            with pytest.raises(DeclarationInvalid) as refused:
                parse_declaration(text)
            assert len(str(refused.value)) < 400
    with pytest.raises(DeclarationInvalid):
        parse_declaration("tenants: " + "[" * 1_000)
    tried.prevented(by="topics plan and apply", how=f"error `{refused.value.code}`", within="same file")


def test_work_bombs_in_key_files(attack: Attack) -> None:
    tried = attack(Attacker.BACKUP, "gives a key file back that asks for terabytes to be opened")
    keys = PassphraseKeys(b"artificial")
    refused = []
    for cost in (
        ScryptCost(63),
        ScryptCost(21),
        ScryptCost(17, 255),
        ScryptCost(17, 8, 255),
        ScryptCost(0),
        ScryptCost(4),
    ):
        clear = Clear(1, "identity.0011223344556677.key", cost, bytes(16), bytes(12))
        with pytest.raises(WeakKeyFile) as problem:
            open_file(clear.encode() + bytes(48), keys)
        refused.append(problem.value.code)
    tried.prevented(by="key store", how=f"error `{refused[0]}`, nothing is derived", within="same start")


def test_length_bombs_in_tiles_reports_proofs_and_letters(attack: Attack) -> None:
    tried = attack(Attacker.AUDIT, "length bomb in a bundle of a published log")
    with at_most(8):
        with pytest.raises(TilesDamaged) as tiles:
            unbundle(Tile(TileName("long-entries", 0, 1), b"\xff\xff\xff\xff" + bytes(64)))
        with pytest.raises(TilesDamaged):
            unbundle(Tile(TileName("entries", 0, 256), bytes(2) * 100_000))
    tried.prevented(by="publisher and verifier", how=f"error `{tiles.value.code}`", within="same file")

    tried = attack(Attacker.PORTAL, "signs a report of 90 bytes that says it has two thousand million parts")
    made = RoleReport("portal", world.NS, "portal", world.NOW, (), 1, 2**31 - 1).encode()
    value = sign("RoleReport", made, world.identity("portal"))
    with at_most(8), pytest.raises(IncompleteReportError) as incomplete:
        read_report(len(value).to_bytes(4, "big") + value, trust=world.trust(), now=world.NOW)
    tried.prevented(by="reconciliation", how=f"error `{incomplete.value.code}`", within="same file")

    tried = attack(Attacker.OUTSIDER, "length bomb in a role's report that is collected")
    with at_most(8), pytest.raises(UnreadableReportError) as report:
        read_report(b"\xff\xff\xff\xff" + bytes(64), trust=world.trust(), now=world.NOW)
    tried.prevented(by="reconciliation", how=f"error `{report.value.code}`", within="same file")

    tried = attack(Attacker.OUTSIDER, "length bomb in a request to a witness: lines and hashes without end")
    for body in (
        b"old 0\n" + b"A" * 44 + b"\n" * 300_000,
        b"old " + b"9" * 10_000 + b"\n\nx",
        b"old 0\n" + b"AAAA\n" * 70 + b"\nx",
    ):
        with pytest.raises(BadRequest) as witness:
            read_request(body)
    tried.prevented(by="witness", how=f"status 400, error `{witness.value.code}`", within="same request")

    tried = attack(Attacker.ROUTER, "length bomb in a dead letter for the operator")
    letter = id_of("DeadLetter")
    with at_most(8):
        reasons = {refused_as(partial(DeadLetter.decode, letter + encode_long(size) + bytes(64))) for size in HUGE}
    assert reasons <= {"truncated", "malformed"}
    tried.prevented(
        by="operator's desk", how="the record is counted as unread, reason `truncated`", within="same record"
    )


def test_an_archive_that_unpacks_to_much_more_than_it_is(attack: Attack, tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    path.write_bytes(_archive(_manifest((ExportFile("filings.csv", 1, len(_CONTENT), sha256(_CONTENT).digest()),))))
    assert verify(path, _PASSWORD).rows == 1
    tried = attack(Attacker.LAPTOP, "an archive with one line that unpacks to a thousand times its size")
    size = 48 * MIB
    lying = ExportFile("filings.csv", 1, size, bytes(32))
    out = io.BytesIO()
    with writing(out, _PASSWORD, world.NOW) as archive:
        with archive.member("filings.csv") as write:
            write(b"\xef\xbb\xbf")
            for _ in range(size // MIB):
                write(b"a" * MIB)
        with archive.member("manifest.json") as write:
            write(_manifest((lying,)))
    path.write_bytes(out.getvalue())
    with at_most(40), pytest.raises(ArchiveDamaged) as refused:
        verify(path, _PASSWORD)
    tried.prevented(by="export verify", how=f"error `{refused.value.code}` (line)", within="first 8 MiB of the line")


def test_verdicts_are_what_the_rows_say() -> None:
    assert {each.value for each in Verdict} == {"prevented", "detected", "contained"}
    assert encode_bytes(b"") == b"\x00"
