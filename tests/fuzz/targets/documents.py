"""What filers send and what desks open: input JSON, files of documents, every Avro contract, plaintexts, letters."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from consumers.desk import Reading, new_event
from consumers.helpdesk.desk import HelpdeskDesk
from consumers.operator.letters import Declared, read_letter
from consumers.review.desk import Kept, ReviewDesk
from consumers.review.export.characters import Writing
from consumers.review.export.columns import forms_of
from consumers.review.export.rows import Acceptance, judged
from consumers.review.export.rows import lines as export_lines
from consumers.store.casework import KeptDecision
from consumers.store.model import StoredEvent
from hub.crypto.audience import Suite
from hub.crypto.hkdf import sha256
from hub.envelope.header import Check, EventHeader
from hub.envelope.inspection import Inspected, inspect
from hub.envelope.letters import Content, DeadLetter, Place, Quarantined, open_quarantine, quarantine
from hub.envelope.limits import MAX_TIME_MS
from hub.envelope.padding import pad, unpad
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.sealed import outputs
from hub.envelope.sealed import parse as parse_event
from hub.envelope.times import to_ms
from hub.reading.intake import Arrived
from hub.transport import KafkaRecord
from portal import results
from portal.status import Message, read_message
from schemas import codec, registry
from schemas.catalogue import procedures
from schemas.codec import CodecError
from schemas.decisions import AcceptedRecord, DecisionRecord, encode_accepted
from schemas.edge_cases import edge_cases
from schemas.errors import HubError
from schemas.generator import generate
from schemas.judging import as_portal, judge
from schemas.lines import Document, split_documents
from schemas.parts import ATTACHMENT_PART, Part, encode_section, split
from schemas.problems import MAX_PROBLEMS
from schemas.sections import helpdesk_section, read_review_section, review_section
from schemas.submission import Refused, Submission, as_sent, canonical, parse
from tests.fuzz import mutate, world
from tests.fuzz.guard import ensure, refusal
from tests.fuzz.target import Target

_TENANTS = (world.T, "131059")


def run_submission(data: bytes) -> None:
    """First byte: 0 one document; else a file of documents, cut at odd places."""
    if not data:
        return
    kind, document = data[0], data[1:]
    if kind & 1:
        _file(kind, document)
        return
    made = parse(document, rehearsal=True, tenants=None if kind & 2 else _TENANTS)
    if isinstance(made, Refused):
        ensure(0 < len(made.problems) <= 4 * MAX_PROBLEMS, "a refusal lists problems, not without end")
        json.dumps([asdict(each) for each in results.refused(made.problems, made.receipt_number).errors]).encode()
        ensure(all(each.path.isascii() and len(each.path) < 400 for each in made.problems), "a path repeats no input")
        return
    _sound(made)


def _sound(made: Submission) -> None:
    """What is accepted goes all the way: findings, sections, header, seal, inspection, both desks."""
    once = canonical(made)
    again = parse(once, rehearsal=True)
    ensure(isinstance(again, Submission) and again == made, "what is accepted is read again the same")
    found = judge(made)
    kept, places = split(made)
    ensure(not places, "a small submission travels whole")
    section, masked = encode_section(kept, as_portal(found)), helpdesk_section(made)
    ensure(read_review_section(review_section(made)) == made, "the desk reads what was sent, text for text")
    header = world.header(
        number=1,
        receipt_number=made.receipt_number,
        procedure=made.procedure,
        tax_item=made.tax_item,
        accepted_at_ms=to_ms(datetime.fromisoformat(made.accepted_at)),
        calculation_check=Check(made.calculation_check),
        signature_check=Check(made.signature_check),
    )
    if made.tenant != world.T:
        return
    sealed = world.session().seal(header, {world.REVIEW: section, world.HELPDESK: masked})
    one = world.lane_of(world.SUBMISSIONS, router=True)
    ensure(
        isinstance(inspect(sealed.value, sealed.event_id.encode(), {one.session: one}), Inspected),
        "the router takes it",
    )
    ensure(isinstance(_review().read(header, section), Reading), "the review desk takes it")
    ensure(isinstance(HelpdeskDesk().read(header, masked), Reading), "the helpdesk takes it")


def _file(kind: int, document: bytes) -> None:
    name = ("a.json", "a.jsonl", "a", "a.txt")[kind >> 1 & 3]
    step = (1, 7, 64, 1 << 20)[kind >> 3 & 3]
    pieces = [document[at : at + step] for at in range(0, len(document), step)]
    found = list(split_documents(pieces, name, 512))
    whole = list(split_documents([document] if document else [], name, 512))
    ensure(found == whole, "documents do not depend on how a file was read")
    for each in found:
        if isinstance(each, Document):
            ensure(len(each.data) <= 512 and each.data in document, "a document is a piece of its file")
            parse(each.data, rehearsal=True)
    if not kind & 32:
        run_submission(b"\x00" + document)


def _document(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def submission_seeds() -> Iterator[bytes]:
    made = list(generate(5, 24, [world.T]))
    seen: set[str] = set()
    for each in made:
        for attachment in each.get("attachments", ()):
            attachment["content_base64"] = "JVBERi0xLjc="
        if each["procedure"] not in seen:
            seen.add(each["procedure"])
            yield b"\x00" + _document(each)
    for _, each in edge_cases(5, [world.T]):
        if len(_document(each)) < 1_500 and "edge" not in seen:
            seen.add("edge")
            yield b"\x02" + _document(each)
    yield b"\x01" + b"[" + b" ,\n".join(b'{"a":"]\\""}' for _ in range(3)) + b"]"
    yield b"\x0b" + b'{"a":1}\n{"b":[1,"}"]}\n\n{"c":null}'
    yield b"\x11" + b'\xef\xbb\xbf{\n "a": {"b": "\xe8\xa6\x8b\xe6\x9c\xac"}\n}\n'


SUBMISSION = Target(
    "submission",
    "input JSON: parser, checks, rules, media, masks, sections; files of documents (JSON, arrays, lines)",
    run_submission,
    submission_seeds,
    max_bytes=8_192,
    change=mutate.as_json(1),
    words=(
        b'"items"',
        b'"attachments"',
        b'"\\ud800"',
        b"\\u0000",
        b"1e999",
        "令和".encode(),
        b"9999-12-31T23:59:59+00:00",
    ),
)


def run_avro(data: bytes) -> None:
    contract = registry.by_id(int.from_bytes(data[1:5], "big")) if len(data) > 4 else None
    names = {each.name for each in registry.all_contracts()}
    found = refusal((CodecError,), data, lambda: codec.decode(data, names))
    if found is not None:
        ensure(contract is not None and found.name == contract.name, "a record is what its id says")
        ensure(codec.encode(found.name, found.value) == data, "an accepted record has one encoding")
    for other in ({"Session"}, {"HelpdeskRecord"}, set[str]()):
        if contract is None or contract.name not in other:
            taken = refusal((CodecError,), data, partial(codec.decode, data, other))
            ensure(taken is None, "a foreign record is refused")


def avro_seeds() -> Iterator[bytes]:
    from tests.unit.schemas.support import named_types, random_value

    rng = random.Random(7)
    for contract in registry.all_contracts():
        made = codec.encode(contract.name, random_value(contract.schema, rng, named_types(contract.schema)))
        for _attempt in range(20):
            other = codec.encode(contract.name, random_value(contract.schema, rng, named_types(contract.schema)))
            made = min(made, other, key=lambda each: (len(each) < 60, len(each)))
        yield made


AVRO = Target(
    "avro",
    "framing and Avro of every contract in the lock",
    run_avro,
    avro_seeds,
    change=mutate.avro(0),
)


def _review() -> ReviewDesk:
    return ReviewDesk(world.REVIEW, world.T, world.identity(world.REVIEW), world.STATUS)


def _about(framed: bytes) -> dict[str, Any]:
    """What a header must say so that the section's own words agree with it."""
    try:
        value = codec.decode(framed, {each.name for each in registry.all_contracts()}).value
        if isinstance(value.get("submission"), bytes) and "rules" in value:
            return _about(value["submission"])
    except HubError:
        return {}
    said: dict[str, Any] = {
        "procedure": value.get("procedure", ATTACHMENT_PART),
        "receipt_number": value.get("receipt_number", "x"),
        "tax_item": value.get("tax_item"),
    }
    for check in ("calculation_check", "signature_check"):
        if value.get(check) in set(Check):
            said[check] = Check(value[check])
    with suppress(ValueError, OverflowError, KeyError):
        said["accepted_at_ms"] = to_ms(datetime.fromisoformat(value["accepted_at"]))
    return said


def run_sections(data: bytes) -> None:
    """First 9 bytes: accepted_at of the header, and which desk opens it; then the plaintext of a section."""
    if len(data) < 10:
        return
    kind, framed = data[8], data[9:]
    padded = refusal((EnvelopeError,), data, lambda: unpad(framed))
    ensure(padded is None or pad(padded) == framed, "padding has one form")
    ensure(unpad(pad(framed)) == framed, "padding comes off again")
    said = {"accepted_at_ms": int.from_bytes(data[:8], "big") % MAX_TIME_MS, **_about(framed)}
    header = world.header(world.SUBMISSIONS if kind & 1 else world.STATUS, 1, **said)
    read = _review().read(header, framed)
    _kept(header, read)
    read = HelpdeskDesk().read(header, framed)
    ensure(not isinstance(read, Reading) or read.plaintext == framed, "the helpdesk keeps a section as it came")
    arrived = Arrived(header, bytes(32), world.session(world.STATUS).session, framed)
    message = read_message(KafkaRecord(world.STATUS, 0, 0, 0, b"", b""), arrived)
    if isinstance(message, Message):
        json.dumps(message.as_json()).encode()
    accepted = refusal((CodecError,), data, lambda: AcceptedRecord.decode(framed))
    if accepted is not None and accepted.submission is not None:
        json.dumps(as_sent(accepted.submission), ensure_ascii=False).encode()


def _kept(header: EventHeader, read: Reading | Reason) -> None:
    """What the desk stores, it can show and export."""
    if not isinstance(read, Reading):
        return
    again = Kept.decode(read.plaintext)
    if header.procedure == ATTACHMENT_PART:
        again.part()
        return
    submission = again.reviewed().submission
    json.dumps(as_sent(submission), ensure_ascii=False).encode()
    _exported(header, submission)


def _exported(header: EventHeader, submission: Submission) -> None:
    """An export writes every cell of what was accepted, whoever sent it."""
    record = KafkaRecord(world.SUBMISSIONS, 0, 0, 0, None, None)
    row = StoredEvent(1, new_event(record, header, bytes(32), 0), None, 0, False)
    decision = KeptDecision(
        1, 1, 1, "accept", "complete", "a", to_ms(world.NOW), (), None, None, None, None, None, False
    )
    made = Acceptance(row, decision, submission)
    writing = Writing.declared("cp932", "replace")
    if header.procedure in procedures():
        judged(made, writing)
        for form in forms_of(header.procedure):
            for cells in export_lines(form, made):
                ensure(
                    all(cell is None or isinstance(cell, (str, int)) for cell in cells), "a cell is text or a number"
                )


def sections_seeds() -> Iterator[bytes]:
    start = to_ms(world.NOW).to_bytes(8, "big")
    seen: set[str] = set()
    for number, each in enumerate(generate(6, 24, [world.T])):
        for attachment in each.get("attachments", ()):
            attachment["content_base64"] = "JVBERi0xLjc="
        made = parse(_document(each), rehearsal=True)
        assert isinstance(made, Submission)
        if made.procedure in seen:
            continue
        seen.add(made.procedure)
        yield start + b"\x01" + encode_section(made, as_portal(judge(made)))
        if number < 3:
            yield start + b"\x01" + helpdesk_section(made)
            yield start + b"\x01" + review_section(made)
            record = DecisionRecord(
                made.receipt_number,
                made.tenant,
                made.procedure,
                1,
                "accept",
                "complete",
                "見本",
                ("resident-tax",),
                "2026-05-01",
                to_ms(world.NOW),
            )
            yield start + b"\x00" + record.encode(with_message=True)
            yield start + b"\x00" + record.encode(with_message=False)
            yield start + b"\x00" + encode_accepted(record, "resident-tax", review_section(made))
    yield start + b"\x01" + Part("R8-13104-000000001", world.T, 0, 0, 1, b"%PDF-").encode()
    yield (MAX_TIME_MS - 1).to_bytes(8, "big") + b"\x01" + pad(b"")


SECTIONS = Target(
    "sections",
    "plaintexts: review, helpdesk, status, accepted, attachment parts; padding; rules, listing and export of them",
    run_sections,
    sections_seeds,
    max_bytes=6_144,
    change=mutate.avro(9),
)

_LETTERS = f"{world.NS}.dead-letters.router"
_DECLARED = Declared(_TENANTS, world.AUDIENCES, {_LETTERS: "router"})


def run_letters(data: bytes) -> None:
    """First byte: what is done to the framed DeadLetter that follows before it is read."""
    if not data:
        return
    flags, value = data[0], data[1:]
    key = world.private_key("quarantine", Suite.X25519)
    letter = refusal((EnvelopeError,), value, lambda: DeadLetter.decode(value))
    if letter is not None:
        ensure(letter.encode() == value, "an accepted letter has one encoding")
        ensure(len(letter.key) > 2, "a letter has a key")
    if letter is not None and letter.quarantine is not None and flags & 1:
        # what is in the quarantine is hostile too: seal it as the desk would
        place = letter.place if letter.place.partition < 2**31 else Place("t", 0, 0)
        sealed = quarantine(
            place, Content(None, letter.quarantine.sealed), world.audience_key("quarantine", Suite.X25519)
        )
        letter = DeadLetter(letter.reason, "router", place, letter.appended_at, letter.written_at, None, sealed)
        value = letter.encode()

    def open_(each: DeadLetter) -> Content | None:
        if each.quarantine is None:
            return each.content
        return refusal((EnvelopeError,), value, lambda: open_quarantine(each, key))

    record = KafkaRecord(_LETTERS, 0, 3, 0, None, value)
    read = read_letter(record, _DECLARED, open_)
    if read is None:
        return
    said = read[0].described
    if said is not None:
        ensure(said.digest == sha256((read[1] and read[1].value) or b""), "a letter is named by its content's digest")
        ensure(said.tenant is None or said.tenant in _TENANTS, "only declared tenants are named")
        ensure(all(each in world.AUDIENCES for each in said.audiences), "only declared audiences are named")


def letters_seeds() -> Iterator[bytes]:
    event, session = world.event(), world.session().session
    place, when = Place(world.SUBMISSIONS, 3, 9), world.NOW + timedelta(minutes=1)
    content = Content(event.event_id.encode(), event.value[:300])
    yield (
        b"\x00"
        + DeadLetter(Reason.BAD_MAC, "router", place, when, when, content, None, session.id, event.leaf).encode()
    )
    short = Content(b"k", outputs(parse_event(event.value), [None])[0])
    yield b"\x00" + DeadLetter(Reason.WRONG_KEY, "router", place, when, when, short, None).encode()
    yield b"\x00" + DeadLetter(Reason.NOT_FRAMED, "router", place, when, when, Content(None, None), None).encode()
    key = world.audience_key("quarantine", Suite.X25519)
    sealed = quarantine(place, short, key)
    fixed = Quarantined(sealed.epoch, sealed.key_id, short.value or b"")
    yield b"\x01" + DeadLetter(Reason.TRUNCATED, "router", place, when, when, None, fixed).encode()
    yield b"\x00" + DeadLetter(Reason.TRUNCATED, "router", place, when, when, None, fixed).encode()
    signed = Content(b"checkpoint/x", world.session().signed[:200])
    yield b"\x00" + DeadLetter(Reason.BAD_SIGNATURE, "router", place, when, when, signed, None).encode()


LETTERS = Target(
    "letters",
    "dead letters in the clear and in quarantine, and what is said of the records in them",
    run_letters,
    letters_seeds,
    change=mutate.avro(1),
)
