"""The public page says what the code does: tables of docs/envelope.md against constants, contracts and vectors."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from consumers.assembly import produced, routed
from hub.crypto import keyfile
from hub.envelope import delivery, limits
from hub.envelope.names import Kind
from hub.envelope.reasons import Reason
from hub.producing import lanes
from schemas import checks, counting, decisions, parts, registry
from tests.unit.vectors.files import WORLD, load

PAGE = (Path(__file__).parents[3] / "docs" / "envelope.md").read_text(encoding="utf-8")
NAMESPACE, TENANT = WORLD["namespace"], WORLD["tenant"]
LIMITS = {
    "sealed event": limits.MAX_SEALED_BYTES,
    "header": limits.MAX_HEADER_BYTES,
    "sections of an event": limits.MAX_SECTIONS,
    "audience": limits.MAX_AUDIENCE_BYTES - 1,
    "receipt number": limits.MAX_RECEIPT_NUMBER_BYTES,
    "other names": limits.MAX_NAME_BYTES,
    "topic": limits.MAX_TOPIC_BYTES,
    "session": limits.MAX_SESSION_MS,
    "audiences of a session": limits.MAX_SESSION_AUDIENCES,
    "partitions": limits.MAX_PARTITIONS,
    "sequence of an event, and the one after a checkpoint's last": limits.MAX_SEQUENCE,
    "entries of a checkpoint": limits.MAX_CHECKPOINT_ENTRIES,
    "entries of a receipt": limits.MAX_RECEIPT_ENTRIES,
    "entries of a report's part": limits.MAX_REPORT_ENTRIES,
    f"items of all arrays of a record longer than {counting.COUNTED_BYTES:,} bytes": counting.MAX_ITEMS,
    "the same of a trust list": counting.MOST_ITEMS["Trust"],
    "body of a signed record": limits.MAX_BODY_BYTES,
    "signatures of a record": limits.MAX_SIGNATURES,
    "time": limits.MAX_TIME_MS,
    "ahead of the reader's clock": limits.MAX_CLOCK_AHEAD_MS,
    "note on a discarded letter": limits.MAX_NOTE_CHARACTERS,
    "delivery receipt": delivery.MAX_BYTES,
    "key file": keyfile.MAX_FILE_BYTES,
    "part of an attachment": parts.PART_BYTES,
    "parts of a submission together": parts.MAX_PARTS,
    "attachments of a submission together": checks.MAX_ATTACHMENT_BYTES,
    "message to the filer": decisions.MAX_MESSAGE_CHARACTERS,
}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table that follows a heading of columns."""
    lines = PAGE[PAGE.index(heading) :].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: lines.index("")]]


def words(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def template(topic: str | None) -> str:
    """A topic's name as the page writes it."""
    return (topic or "").replace(f".{TENANT}.", ".<T>.").replace(f"{NAMESPACE}.", "<ns>.", 1)


def test_limits() -> None:
    said = {
        what: int(re.findall(r"[0-9][0-9,]*", most)[0].replace(",", "")) for what, most in rows("| what | at most |")
    }
    assert said == LIMITS


def test_every_bound_of_the_envelope_is_on_the_page() -> None:
    bounds = {name for name in vars(limits) if name.startswith("MAX_")}
    assert {value for name in bounds if (value := getattr(limits, name))} - {limits.MAX_AUDIENCE_BYTES} <= set(
        LIMITS.values()
    )


def test_ids_of_records() -> None:
    cells = [cell for row in rows("| id | record | id |") for cell in row]
    said = {name.strip("`"): int(number) for number, name in zip(cells[::2], cells[1::2], strict=True) if number}
    folders = ("envelope", "desk")
    files = [path.name.split(".")[0] for each in folders for path in (registry.CONTRACTS / each).glob("*.avsc")]
    assert said == {name: registry.contract(name).schema_id for name in [*files, "HelpdeskRecord"]}


def test_topics_and_keys_of_signed_records() -> None:
    told = {words(name)[0]: where for name, where, _, _ in rows("| record | Kafka topic and key |")}
    signed = [each for each in load("records") + load("sessions") + load("operations") if "signed" in each]
    assert told.keys() == {each["record"] for each in signed}
    for each in signed:
        if each["topic"] is None:
            assert "not on Kafka" in told[each["record"]]
            continue
        where = told[each["record"]]
        if each["record"] not in ("Checkpoint", "DeadLetterNotice", "LetterResolved", "SessionClose", "LetterTold"):
            assert f"`{template(each['topic'])}`" in where, each["record"]
        shapes = [shape for shape in words(where) if not shape.startswith("<ns>")]
        if shapes and "/" in shapes[0] and each["record"] != "SessionClose":
            assert len(shapes[0].split("/")) == len(each["key"].split("/")), each["record"]
            first = shapes[0].split("/")[0]
            assert first == "audience" or each["key"].startswith(f"{first}/")


def test_every_signed_record_has_its_checks_and_every_code_in_them_exists() -> None:
    table = rows("| record | checks |")
    named = {name for row in table for name in words(row[0])}
    assert named == {words(row[0])[0] for row in rows("| record | Kafka topic and key |")}
    section = PAGE[PAGE.index("## Encoding") : PAGE.index("## What the sections hold")]
    codes = set(re.findall(r"`([a-z]+-[a-z-]+)`", section))
    known = {each.value for each in Reason}
    ours = {"eltax-hub", "review-", "not_performed"}
    assert {code for code in codes if code not in known and not any(code.startswith(each) for each in ours)} <= {
        "review-T",
        "helpdesk-T",
        "audit-T",
    }


def test_sections_table() -> None:
    told = rows("| topic | kind | procedure | audience | record |")
    for event in load("events"):
        for section in event["sections"]:
            audience = section["audience"].replace(TENANT, "T").replace("resident-tax", "<item>")
            part = event["header_fields"]["procedure"] == "attachment-part"
            found = [
                row
                for row in told
                if f"`{event['header_fields']['kind']}`" in row[1]
                and ("attachment-part" in row[2]) == part
                and f"`{audience}`" in row[3] + row[4]
                and f"`{section['record']}`" in row[4]
            ]
            assert found, (event["name"], audience)
            topic = template(event["topic"])
            assert any(f"`{topic}`" in row[0] or row[0] == "the same two" for row in found)


def test_the_header_table_has_every_field() -> None:
    told = {name.strip() for row in rows("| field | a reader learns |") for name in row[0].split(",")}
    fields = {each["name"] for each in registry.contract("EventHeader").schema["fields"]}
    assert told == fields | {"audiences", "digests", "lengths of ciphertexts"}


@pytest.mark.parametrize("desk", ["review", "helpdesk", "audit"])
def test_who_takes_which_form_of_the_operators_word(desk: str) -> None:
    form = routed(NAMESPACE, TENANT, None if desk == "audit" else f"{desk}-{TENANT}").resolutions
    assert form == ("LetterResolved" if desk == "audit" else "LetterTold")
    assert produced(NAMESPACE, TENANT, Kind.STATUS).resolutions is None
    assert (
        "take `LetterResolved` only; the operator's topic and the review and helpdesk outputs take `LetterTold`" in PAGE
    )


def test_the_page_of_the_vectors_lists_every_file() -> None:
    place = Path(__file__).parents[2] / "vectors"
    told = set(re.findall(r"^\| `([a-z0-9-]+\.json)`", (place / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert told == {path.name for path in place.glob("*.json")}
    judges = {each["judge"] for each in json.loads((place / "negative.json").read_text(encoding="utf-8"))["cases"]}
    said = set(re.findall(r"^\| (`.*?) \|", (place / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert judges <= {word for cell in said for word in words(cell)}


def test_what_a_published_log_shows_of_an_event() -> None:
    (row,) = (line for line in PAGE.splitlines() if line.startswith("| an audit log's published files |"))
    told = set(re.findall(r"[a-z_]+", row.partition("anybody:")[2].partition(";")[0]))
    assert told == {field["name"] for field in registry.contract("AuditedEvent").schema["fields"]}
    assert "receipt" not in "".join(told)


def test_how_often_a_producer_lists_what_it_sent() -> None:
    said = f"at least every {lanes.CHECKPOINT_EVENTS} events or {lanes.CHECKPOINT_SECONDS * 1_000:.0f} ms"
    assert f"{said}; an empty one every {lanes.HEARTBEAT_SECONDS:.0f} seconds" in PAGE
