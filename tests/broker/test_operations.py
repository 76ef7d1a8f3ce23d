"""The operations log of a real hub: what people do is on the topic, chained and signed, or it is not done."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from assurance.leaks import Scanner
from cli.main import app
from cli.people import open_role
from hub.crypto.hkdf import sha256
from hub.envelope.operations import FIRST, Kind, Operation, OperationEvent, fingerprint, line_hash
from hub.envelope.signed import Signed
from hub.operations.errors import Unlogged
from hub.operations.spool import FILE, Spool
from hub.role import Role
from hub.transport import KafkaRecord, PartitionReader
from tests.broker.documents import SECRETS, document
from tests.broker.hub import Hub, eventually, metrics_of, running
from tests.unit.consumers.exporting import PASSWORD
from topics import names

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

RECEIPT, UNKNOWN, TENANT = "R7-13104-000000171", "R7-13104-000000999", "131041"
REVIEW = f"review-{TENANT}"
LINES = 40
"""so many lines wait at most in these tests; a start is four of them"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub for the module; its logs on disk are small, and its commands run in the process of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_OPERATIONS_LINES", str(LINES))
        with running(tmp_path_factory.mktemp("hub")) as started:
            patch.setenv("HUB_HOME", str(started.home.path))
            patch.setenv("SSH_CONNECTION", "192.0.2.44 50022 192.0.2.1 22")
            patch.setenv("LOGNAME", "officer-1")
            started.submit(document(RECEIPT))
            started.stored(RECEIPT)
            yield started


def run(*command: str) -> Result:
    return CliRunner().invoke(app, [*command, "--json"])


def good(*command: str) -> list[dict[str, Any]]:
    done = run(*command)
    assert done.exit_code == 0, (command, done.output)
    return [json.loads(line) for line in done.stdout.splitlines()]


def role(hub: Hub, principal: str) -> Role:
    return open_role(hub.home, principal)


def on_topic(hub: Hub) -> list[bytes]:
    """The values of all lines that are on `<ns>.operations` now; each lies under the key of its log."""

    async def read() -> list[bytes]:
        topic = names.operations(hub.stack.topology.namespace)
        async with PartitionReader(hub.stack.admin(), {(topic, number): 0 for number in range(3)}) as reader:
            found = await reader.read_to_end()
        return [_line(each) for each in found if (each.key or b"").startswith(b"operation/")]

    return asyncio.run(read())


def _line(record: KafkaRecord) -> bytes:
    assert record.value is not None
    assert record.key == OperationEvent.parse(record.value)[0].key.encode()
    return record.value


def believed(hub: Hub) -> list[OperationEvent]:
    """All lines, once each, whose signers count; asserts that each log is a chain from its first line on."""
    trust = role(hub, "admin").trust
    previous: dict[bytes, tuple[int, bytes]] = {}
    first: dict[str, bytes] = {}
    lines = []
    for value in on_topic(hub):
        line = OperationEvent.read(value, trust)
        assert isinstance(line, OperationEvent), line
        body = sha256(Signed.parse(value).body)
        if first.setdefault(line.event_id, body) != body:
            raise AssertionError(f"{line.event_id} was said twice, differently")
        at, before = previous.get(line.log, (-1, FIRST))
        if line.sequence <= at:
            continue  # the same again
        assert (line.sequence, line.previous) == (at + 1, before), "no gap, and in order"
        previous[line.log] = (line.sequence, line_hash(value))
        lines.append(line)
    return lines


def has(lines: list[OperationEvent], principal: str, kind: Kind, **wanted: object) -> list[Operation]:
    """The operations of one role and kind that say just this."""
    return [
        each.operation
        for each in lines
        if (each.principal, each.operation.kind) == (principal, kind)
        and all(getattr(each.operation, name) == value for name, value in wanted.items())
    ]


def test_what_people_do_is_on_the_topic_with_account_address_and_fingerprint(hub: Hub, tmp_path: Path) -> None:
    good("review", "list")
    good("review", "show", RECEIPT, "--save", str(tmp_path / "saved"))
    eventually(lambda: run("helpdesk", "lookup", RECEIPT).exit_code == 0, pause=1)
    item = ("--reason", "with-findings", "--tax-item", "light-vehicle-tax")
    good("review", "decide", RECEIPT, "accept", *item, "--by", "officer-2")
    (tmp_path / "out").mkdir()
    where = ("--to", str(tmp_path / "out"), "--password-file", str(_password(tmp_path)))
    good("review", "export", "--tenant", TENANT, *where)
    prove = ("audit", "prove", RECEIPT, "-o", str(tmp_path / "proof"), "--tenant", TENANT)
    eventually(lambda: good("audit", "publish", "--tenant", TENANT) and run(*prove).exit_code == 0, pause=1)
    good("portal", "status", RECEIPT)
    good("dead-letters", "list")
    good("topics", "apply")
    assert run("review", "show", UNKNOWN).exit_code == 1
    print_, unknown = fingerprint(RECEIPT), fingerprint(UNKNOWN)

    def there() -> list[OperationEvent] | None:
        lines = believed(hub)
        return lines if has(lines, REVIEW, Kind.VIEWED, receipt=unknown) else None

    lines = eventually(there, pause=1)
    for principal, kind, wanted in (
        (REVIEW, Kind.LISTED, {"count": 1, "about": "review list"}),
        (REVIEW, Kind.VIEWED, {"receipt": print_, "about": "review show", "outcome": "ok"}),
        (REVIEW, Kind.EXPORTED, {"receipt": print_, "about": "review show --save"}),
        (REVIEW, Kind.KEY_USED, {"about": REVIEW}),
        (f"helpdesk-{TENANT}", Kind.LOOKED_UP, {"receipt": print_, "outcome": "ok"}),
        (f"helpdesk-{TENANT}", Kind.KEY_USED, {"about": f"helpdesk-{TENANT}"}),
        (REVIEW, Kind.EXPORTED, {"about": "review export", "code": "default run 1", "count": 1}),
        (f"audit-{TENANT}", Kind.PROVED, {"receipt": print_, "about": "audit prove"}),
        ("portal", Kind.VIEWED, {"receipt": print_, "about": "portal status"}),
        ("operator", Kind.LISTED, {"about": "dead-letters list", "count": 0}),
        ("admin", Kind.COMMANDED, {"about": "topics apply"}),
        (REVIEW, Kind.VIEWED, {"receipt": unknown, "outcome": "not-found", "count": 0}),
    ):
        found = has(lines, principal, kind, actor="officer-1", **wanted)
        assert found, (principal, kind, wanted)
        assert all(each.address.endswith("@192.0.2.44") for each in found), "its login stands beside another's name"
    (decided,) = has(lines, REVIEW, Kind.DECIDED)
    assert (decided.actor, decided.receipt, decided.code, decided.tenant) == ("officer-2", print_, "accept", TENANT)
    for name in hub.stack.roles.running:
        mine = [each.operation.kind for each in lines if each.principal == name]
        assert mine[0] is Kind.STARTED and {Kind.CONFIGURED, Kind.CONNECTED} <= {*mine}
        (configured, *_) = has(lines, name, Kind.CONFIGURED)
        assert len(configured.code) == 16 and configured.about.startswith("trust ")


def test_numbers_and_lines_of_the_daemon_tell_what_its_commands_did(hub: Hub) -> None:
    desk = hub.stack.roles.running[REVIEW]
    good("review", "list")
    eventually(lambda: "hub_operations_waiting 0.0" in metrics_of(desk))
    (line,) = [
        each for each in metrics_of(desk).splitlines() if each.startswith('hub_operations_lines_total{class="access"}')
    ]
    assert float(line.split()[-1]) >= 2 and "hub_operations_stopped 0.0" in metrics_of(desk)
    written = [json.loads(each) for each in (hub.home.logs / f"{REVIEW}.jsonl").read_text().splitlines()]
    listed = [each for each in written if each["event"] == "operation" and each["kind"] == "listed"]
    assert listed and all(each["actor"] == "officer-1" and "withheld" not in each for each in listed)


def test_no_line_says_anything_of_a_person(hub: Hub) -> None:
    scanner = Scanner({**SECRETS, "receipt": RECEIPT})
    leaks = set().union(*(scanner.search(value, "a line") for value in on_topic(hub)))
    for file in hub.home.path.glob("roles/*/state/operations.db*"):
        leaks |= scanner.search_file(file)
    assert not leaks


@contextmanager
def kafka_away(hub: Hub) -> Iterator[None]:
    hub.stack.kafka.freeze()
    try:
        yield
    finally:
        hub.stack.kafka.thaw()


def test_while_kafka_is_away_people_work_until_the_bound_and_then_nothing_is_shown(hub: Hub, tmp_path: Path) -> None:
    desk, log = hub.stack.roles.running[REVIEW], Spool(role(hub, REVIEW))
    eventually(lambda: not log.waiting().lines)
    with kafka_away(hub):
        shown = good("review", "show", RECEIPT)
        assert shown[0]["receipt_number"] == RECEIPT and log.waiting().lines
        noted = 0
        with pytest.raises(Unlogged):
            while noted <= LINES:
                log.note(Operation(Kind.VIEWED, datetime.now(UTC), actor="filler", code=f"filler {noted}"))
                noted += 1
        assert log.waiting().lines == LINES
        where = ("--to", str(tmp_path), "--password-file", str(_password(tmp_path)))
        for command in (
            ("review", "show", RECEIPT),
            ("review", "list", "--tenant", TENANT),
            ("review", "export", "--tenant", TENANT, "--again", "1", *where),
            ("review", "decide", RECEIPT, "revoke", "--reason", "wrong-decision"),
        ):
            done = run(*command)
            assert done.exit_code == 1, (command, done.output)
            (said,) = [json.loads(line) for line in done.stdout.splitlines()]
            assert said["error"]["code"] == "operations.unlogged", command
            assert not any(mark in done.output for mark in SECRETS.values())
        assert [each.name for each in tmp_path.iterdir()] == ["password"], "no file was begun"
        eventually(lambda: "hub_operations_stopped 1.0" in metrics_of(desk))
    eventually(lambda: not log.waiting().lines)
    eventually(lambda: "hub_operations_stopped 0.0" in metrics_of(desk))
    assert good("review", "show", RECEIPT)[0]["status"] == "accepted", "nothing was decided"
    fillers = has(believed(hub), REVIEW, Kind.VIEWED, actor="filler")
    assert [each.code for each in fillers] == [f"filler {number}" for number in range(noted)], "all of them, once"
    log.close()


def _password(directory: Path) -> Path:
    secret = directory / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    return secret


def test_a_role_that_is_stopped_says_so_before_it_ends(hub: Hub) -> None:
    name = f"helpdesk-{TENANT}"
    hub.stack.roles.stop([name])
    with closing(sqlite3.connect(hub.home.role(name) / "state" / FILE)) as db:
        (value,) = db.execute("SELECT value FROM line ORDER BY sequence DESC LIMIT 1").fetchone()
    last = OperationEvent.parse(value)[0]
    assert (last.operation.kind, last.operation.about) == (Kind.STOPPED, "consume-helpdesk")
    mine = [each for each in believed(hub) if each.principal == name]
    assert mine[-1].sequence >= last.sequence - 1, "it has seconds to send it; else the next process does"
