"""The way back to the filer and on to the tax teams, on a running hub, from outside."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.processes import role_environment
from consumers.store.sql import open_sqlite
from hub.envelope.inspection import PRODUCED
from hub.envelope.names import Kind
from hub.envelope.reasons import Reason
from hub.reading.at_hand import SessionsAtHand
from hub.reading.intake import Arrived, Expectation, Intake, Refused
from hub.reading.secrets import OwnSecrets
from hub.reading.sessions import SessionRegistry
from hub.role import Role, load_role
from hub.settings import RoleSettings
from hub.transport import KafkaRecord, NotAuthorized, PartitionReader
from tests.broker.documents import SECRETS, document
from tests.broker.hub import ENTRY, Hub, eventually, running
from topics import names

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

TENANT = "131041"
RESIDENT, VEHICLE, TOBACCO = (f"tax-{item}-{TENANT}" for item in ("resident-tax", "light-vehicle-tax", "tobacco-tax"))
STORE = "state/tax.db"
BOTH, ONE, BACK, TAKEN_BACK, HELD = (f"R7-13104-0000003{n:02d}" for n in range(5))
MESSAGE = "個人番号をご確認のうえ、訂正して再提出してください。"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub for the module, with five filings and the desk's decisions on them."""
    directory = tmp_path_factory.mktemp("returns")
    try:
        with running(directory) as started:
            file(started, BOTH, ONE, BACK, TAKEN_BACK, HELD)
            decide(
                started,
                accept(BOTH, "resident-tax", "light-vehicle-tax"),
                accept(ONE, "light-vehicle-tax"),
                {"receipt": BACK, "decision": "return", "reason": "number-invalid", "message": MESSAGE},
                accept(TAKEN_BACK, "resident-tax"),
                {"receipt": TAKEN_BACK, "decision": "revoke", "reason": "decided-in-error"},
                {"receipt": HELD, "decision": "hold", "reason": "inquiry"},
            )
            yield started
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def file(hub: Hub, *receipts: str) -> None:
    """Submit, and wait until the desk has stored all of it."""
    hub.submit(*(document(receipt) for receipt in receipts))

    def stored() -> bool:
        return set(receipts) <= {row["receipt_number"] for row in hub.json("review", "list") if row["confirmed"]}

    eventually(stored, pause=1)


def accept(receipt: str, *items: str) -> dict[str, Any]:
    return {"receipt": receipt, "decision": "accept", "reason": "with-findings", "tax_items": list(items)}


def decide(hub: Hub, *orders: dict[str, Any]) -> None:
    """Decide by the command, and wait until everybody who is to be told is told."""
    lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in orders).encode()
    assert len(hub.json("review", "decide", "-", "--by", "架空の審査担当", stdin=lines)) == len(orders)
    principal = f"review-{TENANT}"
    store = open_sqlite(hub.home.role(principal) / "state" / "store.db", f"rehearsal/{principal}")
    try:
        eventually(lambda: store.cases.untold_count() == 0)
    finally:
        store.close()


def as_role(hub: Hub, principal: str) -> dict[str, str]:
    """The environment of a role's process."""
    return role_environment(
        hub.home,
        principal,
        bootstrap=hub.stack.bootstrap,
        namespace=hub.stack.topology.namespace,
        partitions=hub.stack.topology.partitions,
    )


def take_over(hub: Hub, team: str, **more: str) -> int:
    """Let a team take over what is there; return the exit status."""
    done = subprocess.run(
        [*ENTRY, "consume", "tax", "--drain"],
        env={**as_role(hub, team), **more},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    return done.returncode


def rows(hub: Hub, team: str) -> list[tuple[str, str, bool]]:
    return [(row["receipt_number"], row["decision"], row["current"]) for row in hub.json("tax", "list", team)]


# --- back to the filer


def test_the_filers_side_opens_the_messages_in_a_process_of_its_own(hub: Hub) -> None:
    process = subprocess.Popen(
        [*ENTRY, "portal", "status", "--follow", "--json"], stdout=subprocess.PIPE, env=hub.environment()
    )
    assert process.stdout is not None
    try:
        got: dict[tuple[str, int], dict[str, Any]] = {}
        while len(got) < 6:
            said = json.loads(process.stdout.readline())
            got[said["receipt_number"], said["revision"]] = said
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()
    statuses = {(receipt, said["status"]) for (receipt, _), said in got.items()}
    assert statuses == {
        (BOTH, "accepted"),
        (ONE, "accepted"),
        (BACK, "returned"),
        (TAKEN_BACK, "accepted"),
        (TAKEN_BACK, "revoked"),
        (HELD, "held"),
    }
    (back,) = (said for (receipt, _), said in got.items() if receipt == BACK)
    assert (back["message"], back["reason"]) == (MESSAGE, "number-invalid")
    assert back["submission_event_id"] == hub.json("review", "show", BACK)[0]["event_id"]


def test_resumed_status_shows_each_message_once(hub: Hub) -> None:
    first = hub.json("portal", "status", "--resume")
    assert len({(each["receipt_number"], each["revision"]) for each in first}) == len(first) == 6
    assert hub.json("portal", "status", "--resume") == []
    decide(hub, accept(HELD, "tobacco-tax"))
    (later,) = hub.json("portal", "status", "--resume")
    assert (later["receipt_number"], later["status"]) == (HELD, "accepted")
    sent, *messages = hub.json("portal", "status", HELD)
    assert sent["sent"] in ("acknowledged", "stored")
    assert [each["status"] for each in messages] == ["held", "accepted"]


def test_the_helpdesk_sees_the_course_of_things_and_not_the_message(hub: Hub) -> None:
    def there() -> dict[str, Any] | None:
        (shown,) = hub.json("helpdesk", "lookup", BACK)
        return shown if shown["status"] == "returned" else None

    shown = eventually(there)
    course = [each["what"] for each in shown["timeline"]]
    assert course[0] == "accepted-by-portal"
    assert course[-1] == "return"
    assert shown["decisions"][0]["reason"] == "number-invalid"
    assert MESSAGE not in json.dumps(shown, ensure_ascii=False)
    assert SECRETS["my_number"] not in json.dumps(shown, ensure_ascii=False)


# --- on to the tax teams


def test_each_team_takes_over_its_own_and_nothing_else(hub: Hub) -> None:
    assert [take_over(hub, team) for team in (RESIDENT, VEHICLE)] == [0, 0]
    assert sorted(rows(hub, RESIDENT)) == [
        (BOTH, "accept", True),
        (TAKEN_BACK, "accept", False),
        (TAKEN_BACK, "revoke", True),
    ]
    assert sorted(rows(hub, VEHICLE)) == [(BOTH, "accept", True), (ONE, "accept", True)]
    (opened,) = hub.json("tax", "list", RESIDENT, "--receipt", BOTH)
    assert opened["submission"]["items"] == document(BOTH)["items"]
    assert opened["submission"]["attachments"] == document(BOTH)["attachments"]
    other = f"tax-bathing-tax-{TENANT}"
    assert take_over(hub, other) == 0
    assert rows(hub, other) == []
    assert take_over(hub, RESIDENT) == 0
    assert len(rows(hub, RESIDENT)) == 3


def test_nothing_personal_is_readable_in_a_teams_directory(hub: Hub) -> None:
    files = [path for path in hub.home.role(RESIDENT).rglob("*") if path.is_file()]
    assert any(path.name == "tax.db" for path in files)
    data = b"".join(path.read_bytes() for path in files)
    assert BOTH.encode() in data  # the search looks where the rows are
    for text in SECRETS.values():
        for encoding in ("utf-8", "utf-16-le", "utf-16-be", "cp932", "euc-jp"):
            assert text.encode(encoding) not in data


def test_a_killed_team_that_stays_away_and_comes_back_has_each_row_once(hub: Hub, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    before = [f"R7-13104-0000004{n:02d}" for n in range(4)]
    file(hub, *before)
    decide(hub, *(accept(each, "tobacco-tax") for each in before))
    died = take_over(hub, TOBACCO, HUB_CRASH_POINT="tax.after-commit:2", HUB_CRASH_MARK=str(mark))
    assert died == -signal.SIGKILL
    assert mark.read_text() == "tax.after-commit"
    kept = [receipt for receipt, _, _ in rows(hub, TOBACCO)]
    assert len(kept) == len(set(kept)) == 2
    away = [f"R7-13104-0000005{n:02d}" for n in range(3)]
    file(hub, *away)
    decide(hub, *(accept(each, "tobacco-tax") for each in away))
    assert take_over(hub, TOBACCO) == 0
    assert sorted(receipt for receipt, _, _ in rows(hub, TOBACCO)) == sorted([HELD, *before, *away])


def test_fifty_megabytes_come_to_a_tax_team_byte_for_byte(hub: Hub) -> None:
    content = os.urandom(1 << 20) * 50
    filed = document("R7-13104-000000600")
    filed["attachments"] = [
        {
            "file_name": "大きな図面.bin",
            "media_type": "application/octet-stream",
            "content_base64": base64.b64encode(content).decode(),
        }
    ]
    hub.submit(filed)
    hub.stored(filed["receipt_number"])
    decide(hub, accept(filed["receipt_number"], "light-vehicle-tax"))
    assert take_over(hub, VEHICLE) == 0
    (row,) = hub.json("tax", "list", VEHICLE, "--receipt", filed["receipt_number"])
    (attachment,) = row["submission"]["attachments"]
    got = base64.b64decode(attachment["content_base64"])
    assert hashlib.sha256(got).hexdigest() == hashlib.sha256(content).hexdigest()
    assert attachment["file_name"] == "大きな図面.bin"


# --- what refuses


def test_the_broker_refuses_a_tax_team_every_topic_but_its_own(hub: Hub) -> None:
    role = loaded(hub, RESIDENT)
    assert asyncio.run(_all_of(role, names.accepted(role.namespace, TENANT)))
    for topic in (
        names.status(role.namespace, TENANT),
        names.review(role.namespace, TENANT),
        names.helpdesk(role.namespace, TENANT),
        names.submissions(role.namespace),
        names.accepted(role.namespace, "999997"),
    ):
        with pytest.raises(NotAuthorized):
            asyncio.run(_all_of(role, topic))


def test_one_teams_keys_do_not_open_what_is_sealed_for_another(hub: Hub) -> None:
    """Both may read the topic; what keeps them apart is the cipher. Each is given the other's sections as its own."""
    vehicle, resident = loaded(hub, VEHICLE), loaded(hub, RESIDENT)
    opened, refused = asyncio.run(_opened(vehicle, VEHICLE)), asyncio.run(_opened(resident, VEHICLE))
    texts = [each.plaintext for each in opened if isinstance(each, Arrived) and each.plaintext is not None]
    assert len(texts) >= 2
    assert any(SECRETS["name"].encode() in text for text in texts)
    addressed = [each for each in refused if not isinstance(each, Arrived) or each.plaintext is not None]
    assert len(addressed) == len(texts)
    assert {each.reason for each in addressed if isinstance(each, Refused)} == {Reason.SECRET}
    assert not any(isinstance(each, Arrived) for each in addressed)


def loaded(hub: Hub, principal: str) -> Role:
    """A role as its own process loads it."""
    return load_role(
        RoleSettings(
            role_dir=hub.home.role(principal),
            bootstrap=hub.stack.bootstrap,
            namespace=hub.stack.topology.namespace,
            partitions=hub.stack.topology.partitions,
        )
    )


async def _all_of(role: Role, topic: str) -> list[KafkaRecord]:
    places = {(topic, number): None for number in range(role.topology.partitions)}
    async with PartitionReader(role.endpoint, places) as reader:
        return await reader.read_to_end()


async def _opened(role: Role, audience: str) -> list[Any]:
    """Judge the accepted topic as `audience`, with the keys of `role`; checkpoints are left out."""
    topic = names.accepted(role.namespace, TENANT)
    records = await _all_of(role, topic)

    class Renamed:
        """The role's own keys, said to be those of the audience."""

        def list(self) -> list[Any]:
            return [
                replace(each, audience=audience) for each in role.keystore.list() if each.audience == role.principal
            ]

        def load_audience(self, name: str, epoch: int, key_id: bytes) -> Any:
            return role.keystore.load_audience(role.principal, epoch, key_id)

    from hub.producing.producer import now_utc

    registry = SessionRegistry(
        role.endpoint,
        [names.desk_sessions(role.namespace, TENANT)],
        lambda: role.trust,
        now_utc,
        lambda fact: None,
    )
    at_hand = SessionsAtHand(registry)
    await at_hand.prepare(records)
    await registry.close()
    secrets = OwnSecrets(audience, Renamed(), announced=lambda _: True, destroyed=lambda _: False)  # type: ignore[arg-type]
    expected = Expectation(TENANT, Kind.ACCEPTED, topic, PRODUCED)
    intake = Intake(
        audience, lambda _: expected, role.topology.partitions_of.__getitem__, at_hand, secrets, lambda: role.trust
    )
    found = [intake.take(record, now_utc()) for record in records]
    return [each for each in found if isinstance(each, Arrived | Refused)]


# --- proofs


def test_a_delivery_receipt_is_checked_with_three_files_and_nothing_else(hub: Hub, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    large = "R7-13104-000000600"
    for receipt in (BOTH, large):
        file = elsewhere / f"{receipt}.json"
        (said,) = hub.json("portal", "receipt", receipt, "--output", str(file))
        assert said["event_id"] == hub.json("review", "show", receipt)[0]["event_id"]  # not that of a part
    shutil.copy(hub.home.path / "trust.bin", elsewhere)
    shutil.copy(hub.home.role("admin") / "admin.pub", elsewhere)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path.cwd()), "HUB_HOME": str(tmp_path / "none")}

    def check(name: str) -> subprocess.CompletedProcess[bytes]:
        command = [*ENTRY, "portal", "check-receipt", name, "--trust", "trust.bin", "--admin", "admin.pub", "--json"]
        return subprocess.run(command, env=environment, cwd=elsewhere, capture_output=True, timeout=60, check=False)

    for receipt in (BOTH, large):
        done = check(f"{receipt}.json")
        assert done.returncode == 0, done.stderr
        proven = json.loads(done.stdout)
        assert (proven["verified"], proven["receipt_number"]) == (True, receipt)
    assert sorted(path.name for path in elsewhere.iterdir()) == sorted(
        [f"{BOTH}.json", f"{large}.json", "trust.bin", "admin.pub"]
    )
    forged = (elsewhere / f"{BOTH}.json").read_bytes().replace(BOTH.encode(), large.encode())
    (elsewhere / "forged.json").write_bytes(forged)
    refused = check("forged.json")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["code"] == "portal.receipt-invalid"
    (elsewhere / "admin.pub").write_bytes(b"00" * 32)
    assert check(f"{BOTH}.json").returncode == 1
    (elsewhere / "admin.pub").write_bytes("何でもない".encode())
    broken = check(f"{BOTH}.json")
    assert (broken.returncode, b"Traceback" in broken.stderr) == (1, False)


def test_there_is_no_receipt_of_what_was_never_sent(hub: Hub, tmp_path: Path) -> None:
    (said,) = hub.json("portal", "receipt", "R7-13104-999999999", "--output", str(tmp_path / "none"), good=1)
    assert said["error"]["code"] == "portal.not-sent"
    assert list(tmp_path.iterdir()) == []


def test_reconciliation_follows_decisions_and_hand_overs_and_names_what_is_gone(hub: Hub) -> None:
    for team in (RESIDENT, VEHICLE, TOBACCO):
        assert take_over(hub, team) == 0
    said = hub.agreed(250)
    decided = len(hub.json("portal", "status"))
    assert said["decisions"]["agreed"] and said["handovers"]["agreed"]
    assert said["decisions"]["decided"] == said["decisions"]["answered"] == said["decisions"]["told"] == decided
    handed = sum(len(rows(hub, team)) for team in (RESIDENT, VEHICLE, TOBACCO))
    assert said["handovers"]["handed-over"] == said["handovers"]["taken-over"] == handed

    with sqlite3.connect(hub.home.role(RESIDENT) / STORE) as database:
        ((gone,),) = database.execute("SELECT event_id FROM handed WHERE receipt_number = ?", (BOTH,)).fetchall()
        database.execute("DELETE FROM handed WHERE event_id = ?", (gone,))
    database.close()
    done = hub.run("reconcile", "--json", seconds=250)
    said = json.loads(done.stdout)
    assert (done.returncode, said["agreed"]) == (1, False)
    assert said["decisions"]["agreed"]
    assert said["handovers"]["lost"] == 1
    assert said["handovers"]["listed"]["lost"] == [{"tenant": TENANT, "event_id": gone, "at": "taken-over"}]
