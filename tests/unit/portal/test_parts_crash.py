"""kill -9 between the parts of an attachment: submitted again, each part and the submission are on the topic once."""

from __future__ import annotations

import base64
import json
import signal
from pathlib import Path

import pytest

from hub.crypto.audience import AudiencePrivateKey
from hub.envelope import header as headers
from hub.envelope import sealed as sealed_events
from hub.envelope.session import open_section, open_session
from schemas.parts import ATTACHMENT_PART, PartName, Reviewed, join, read_part, read_section
from tests.unit import forked
from tests.unit.consumers.office import Topics, keep_secret
from tests.unit.producing.wire import Seen, assert_whole, look

SESSIONS, SUBMISSIONS = "rehearsal.sessions", "rehearsal.submissions"
TENANT = "999997"
AUDIENCE = f"review-{TENANT}"
CONTENTS = [bytes([n]) * size for n, size in enumerate((90_000, 50, 130_000), 1)]

SUBMIT = """
import asyncio, sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from hub.crypto.identity import IdentityKey
from hub.producing.producer import Place, SessionProducer
from hub.producing.sealing import Signer
from portal.submitting import Submitter
from schemas import parts
from tests.unit.consumers.office import Published, Topics
from tests.unit.producing.support import open_journal

parts.PART_BYTES, parts.MAX_WHOLE_BYTES = 40_000, 60_000
NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)

async def nothing_new():
    pass

async def main(directory):
    journal = open_journal(directory)
    async with SessionProducer(
        Place("rehearsal.submissions", "rehearsal.sessions", 3),
        signer=Signer("portal", "portal-1", IdentityKey.from_seed(sha256(b"portal").digest())),
        journal=journal,
        new_writer=Topics(directory / "topics.jsonl").new_writer,
        keys=Published(),
        audiences=lambda tenant: ("router", f"review-{tenant}", f"helpdesk-{tenant}"),
        observer=lambda fact: None,
        wall=lambda: NOW,
    ) as out:
        submitter = Submitter(out, journal, bytes(32), rehearsal=True, tenants=lambda: ("999997",),
                              catch_up=nothing_new, observer=lambda fact: None, wall=lambda: NOW)
        result = await submitter.submit((directory / "document.json").read_bytes())
        print(result.status.value, result.event_id, flush=True)
    journal.close()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    document = {
        "procedure": "seizure-release-under-grace",
        "receipt_number": "R9-99999-000000001",
        "tenant": TENANT,
        "tax_item": None,
        "accepted_at": "2027-01-15T12:00:00+09:00",
        "checks": {"calculation": "passed", "signature": "not_performed"},
        "rehearsal": True,
        "items": {"applicant_name": "見本　太郎"},
        "attachments": [
            {
                "file_name": f"{n}.bin",
                "media_type": "application/octet-stream",
                "content_base64": base64.b64encode(content).decode(),
            }
            for n, content in enumerate(CONTENTS)
        ],
    }
    (tmp_path / "document.json").write_text(json.dumps(document))
    return tmp_path


def submit(directory: Path, point: str = "") -> str | None:
    """Submit the document in a process of its own; return its answer, or None if the process died at the point."""
    mark = directory / "mark"
    mark.unlink(missing_ok=True)
    process = forked.run(SUBMIT, directory, {"HUB_CRASH_POINT": point, "HUB_CRASH_MARK": str(mark)})
    if process.returncode == -signal.SIGKILL:
        assert mark.read_text() == point.partition(":")[0]
        return None
    assert process.returncode == 0, process.stderr[-2_000:]
    return process.stdout


def seen(directory: Path) -> Seen:
    topics = Topics(directory / "topics.jsonl")
    sessions = [each for lane in topics.records(SESSIONS).values() for each in lane]
    return look(sessions, topics.records(SUBMISSIONS))


def opened(found: Seen) -> list[tuple[str, str, bytes, bytes]]:
    """Return (event id, procedure, leaf, review section) of each event, copies left out, in order."""
    key: AudiencePrivateKey = keep_secret(AUDIENCE)
    made = []
    for event_id, leaf in found.events.values():
        event = sealed_events.parse(found.values[event_id])
        header = headers.decode(event.header)
        secret = open_session(found.sessions[header.session], AUDIENCE, key)
        ciphertext = event.ciphertext(AUDIENCE)
        assert ciphertext is not None
        made.append((event_id, header.procedure, leaf, open_section(secret, event.header, AUDIENCE, ciphertext)))
    return made


def assert_all_there_once(directory: Path, event_id: str) -> None:
    found = seen(directory)
    assert_whole(found)
    events = opened(found)
    parts = {PartName(event, leaf): read_part(data) for event, name, leaf, data in events if name == ATTACHMENT_PART}
    ((submitted, section),) = [(event, data) for event, name, _, data in events if name != ATTACHMENT_PART]
    assert submitted == event_id
    reviewed: Reviewed = read_section(section)
    assert [each.position for each in reviewed.large] == [0, 2]
    named = [name for each in reviewed.large for name in each.parts]
    assert sorted(parts, key=lambda each: each.event_id) == sorted(named, key=lambda each: each.event_id)
    assert len(named) == 3 + 4
    for each in reviewed.large:
        assert join(reviewed.submission, each, [parts[name] for name in each.parts]) == CONTENTS[each.position]
    assert reviewed.submission.attachments[1].content == CONTENTS[1]


@pytest.mark.parametrize(
    "point",
    [
        *(f"portal.between-parts:{n}" for n in (1, 3, 4, 7)),
        "portal.after-journal:2",
        "portal.after-send:5",
        "portal.before-close",
    ],
)
def test_killed_between_parts_nothing_is_missing_and_nothing_twice(directory: Path, point: str) -> None:
    assert submit(directory, point) is None
    answer = submit(directory)
    assert answer is not None
    status, event_id = answer.split()
    assert status == ("duplicate" if point == "portal.before-close" else "accepted")
    assert_all_there_once(directory, event_id)
    assert submit(directory) == f"duplicate {event_id}\n"
    assert_all_there_once(directory, event_id)


def test_killed_again_and_again_it_gets_to_the_end(directory: Path) -> None:
    for nth in (2, 5, 7):  # parts that are journaled count as reached, too
        assert submit(directory, f"portal.between-parts:{nth}") is None
    answer = submit(directory)
    assert answer is not None
    assert_all_there_once(directory, answer.split()[1])
