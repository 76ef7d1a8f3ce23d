"""Every record of the vectors is read, written and believed by the hub."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.crypto.identity import IdentityKey
from hub.envelope import validation
from hub.envelope.announcements import AudienceKey, Session, SessionClose
from hub.envelope.declared import AppliedDeclaration, StandingReport
from hub.envelope.letters import Content, DeadLetter, DeadLetterNotice, open_quarantine
from hub.envelope.operations import FIRST, OperationEvent, line_hash
from hub.envelope.resolutions import Confided, LetterResolved
from hub.envelope.signed import Signed, message, sign
from hub.envelope.statements import Checkpoint, KeyDestroyed, RoleReport, StoredReceipt
from hub.envelope.trust import Trust
from hub.envelope.trust_builder import TrustBuilder
from schemas import codec, registry
from tests.unit.vectors.files import NOW, WORLD, as_json, b, from_json, load, names, private_key, trust

RECORDS: list[dict[str, Any]] = load("records") + load("sessions") + load("operations")
SIGNED = [each for each in RECORDS if "signed" in each]
(SESSION,) = (Session.decode(b(each["body"])) for each in load("sessions") if each["name"] == "session of the portal")
Judge = Callable[[bytes, bytes | None], Any]


def judged(kind: Callable[..., Any], *before: Any, **more: Any) -> Judge:
    return lambda value, key: kind(value, *before, trust(), NOW, **more, **({} if key is None else {"key": key}))


JUDGES: dict[str, Judge] = {
    "AudienceKey": judged(validation.validate_audience_key),
    "Session": judged(validation.validate_session),
    "SessionClose": judged(validation.validate_close, SESSION),
    "Checkpoint": judged(validation.validate_checkpoint, SESSION, partition=load("events")[0]["partition"]),
    "StoredReceipt": judged(validation.validate_receipt, tenant=WORLD["tenant"]),
    "DeadLetterNotice": judged(validation.validate_notice, tenant=WORLD["tenant"]),
    "LetterResolved": judged(validation.validate_resolution, tenant=WORLD["tenant"]),
    "LetterTold": judged(validation.validate_resolution, tenant=WORLD["tenant"], told=True),
    "KeyDestroyed": lambda value, _: validation.validate_key_destroyed(value, trust(), NOW),
    "RoleReport": lambda value, _: validation.validate_report(value, trust(), NOW),
    "StandingReport": lambda value, _: StandingReport.read(value, trust()),
    "OperationEvent": lambda value, _: OperationEvent.read(value, trust()),
    "AppliedDeclaration": lambda value, _: AppliedDeclaration.load(value, [b(WORLD["administrator_public"])]),
    "Trust": lambda value, _: Trust.load(value, b(WORLD["administrator_public"])),
}
CLASSES: dict[str, Any] = {
    each.RECORD: each
    for each in (
        AudienceKey,
        Session,
        SessionClose,
        Checkpoint,
        StoredReceipt,
        DeadLetter,
        DeadLetterNotice,
        LetterResolved,
        Confided,
        KeyDestroyed,
        RoleReport,
    )
}


def test_every_record_of_the_envelope_has_a_vector() -> None:
    elsewhere = {"EventHeader", "SealedEvent", "SignedRecord", "DeadLetterContent"}
    contracts = (registry.CONTRACTS / "envelope").glob("*.avsc")
    assert {each["record"] for each in RECORDS} | elsewhere == {path.name.split(".")[0] for path in contracts}


@pytest.mark.parametrize("each", RECORDS, ids=names(RECORDS))
def test_bodies_are_written_and_read(each: dict[str, Any]) -> None:
    body = b(each["body"])
    decoded = codec.decode(body, {each["record"]}).value
    assert as_json(decoded) == each["fields"]
    assert codec.encode(each["record"], from_json(each["fields"], decoded)) == body
    assert int.from_bytes(body[1:5], "big") == each["schema_id"]
    kind = CLASSES.get(each["record"])
    if kind is not None:
        made = kind.decode(body)
        assert made.encode() == body
        if each["key"] is not None:
            assert made.key == each["key"]


@pytest.mark.parametrize("each", SIGNED, ids=names(SIGNED))
def test_signed_records_are_written_read_and_believed(each: dict[str, Any]) -> None:
    body, value = b(each["body"]), b(each["signed"])
    found = Signed.parse(value)
    assert (found.body, found.hash.hex(), found.name) == (body, each["hash"], each["record"])
    assert message(each["record"], body) == b(each["signature_input"])
    signers = [IdentityKey.from_seed(b(mark["seed"])) for mark in each["signatures"]]
    for signer, mark in zip(signers, each["signatures"], strict=True):
        assert (signer.public.hex(), signer.key_id.hex()) == (mark["public"], mark["key_id"])
        assert signer.sign(b(each["signature_input"])) == b(mark["signature"])
        assert found.verify(signer.key_id, signer.public)
    assert sign(each["record"], body, *signers) == found.encode() == value
    key = None if each["key"] is None else each["key"].encode()
    assert not isinstance(JUDGES[each["record"]](value, key), str)


def test_the_trust_list_is_what_its_builder_writes() -> None:
    (said,) = (each for each in RECORDS if each["record"] == "Trust")
    builder = TrustBuilder.following(trust())
    assert builder.says(trust())
    again = builder.sign(trust().issued_at, IdentityKey.from_seed(b(said["signatures"][0]["seed"])))
    body = codec.decode(Signed.parse(again).body, {"Trust"}).value
    assert as_json(body) == said["fields"] | {"serial": said["fields"]["serial"] + 1}


def test_checkpoints_follow_each_other_to_the_close() -> None:
    chain = [Checkpoint.decode(b(each["body"])) for each in RECORDS if each["record"] == "Checkpoint"]
    before = None
    for one in chain:
        assert one.follows(before) and (before is None or not one.follows(None))
        before = one
    assert [len(one.entries) for one in chain] == [1, 0, 2] and chain[-1].entries[-1].void
    close = SessionClose.decode(next(b(each["body"]) for each in RECORDS if each["record"] == "SessionClose"))
    closed = close.partition(chain[-1].partition)
    assert closed is not None and before is not None
    assert (closed.last_sequence, closed.last_checkpoint) == (before.next_sequence - 1, before.hash)


def test_lines_of_operations_follow_each_other_and_are_written_again() -> None:
    before: dict[bytes, bytes] = {}
    for each in load("operations"):
        value = b(each["signed"])
        line, _ = OperationEvent.parse(value)
        assert (line.key, line.previous) == (each["key"], before.get(line.log, FIRST))
        assert line.sign(IdentityKey.from_seed(b(each["signatures"][0]["seed"]))) == value
        before[line.log] = line_hash(value)
    assert len(before) == 2


def test_the_quarantine_opens() -> None:
    (said,) = (each for each in RECORDS if "content" in each)
    letter = DeadLetter.decode(b(said["body"]))
    assert letter.place.info() == b(said["info"])
    content = open_quarantine(letter, private_key("quarantine"))
    assert codec.encode("DeadLetterContent", {"key": content.key, "value": content.value}) == b(said["content"])
    assert content == Content(None, b"{} <- not framed")


def test_what_was_told_holds_what_was_resolved() -> None:
    told = [LetterResolved.hear(b(each["body"])) for each in RECORDS if each["record"] == "LetterTold"]
    bare = [LetterResolved.decode(b(each["body"])) for each in RECORDS if each["record"] == "LetterResolved"]
    confided = [Confided.decode(b(each["body"])) for each in RECORDS if each["record"] == "LetterConfided"]
    assert [each.withheld for each in told] == bare
    assert [each.opened for each in told] == confided
