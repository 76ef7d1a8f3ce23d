"""Proofs from a whole hub: its desks publish and are cosigned, and a stranger checks with files alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hub.envelope.times import JST
from tests.broker.documents import SECRETS, document
from tests.broker.hub import ENTRY, Hub, eventually, running
from tests.vectors import tlog_reference

pytestmark = [pytest.mark.broker, pytest.mark.soak, pytest.mark.timeout(600)]
RECEIPTS = [f"R7-13104-0000003{n:02}" for n in range(3)]
EVENTS: dict[str, str] = {}
"""event ids by receipt number, as `submit` answered"""


def command(*arguments: str, **environment: str) -> bytes:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return subprocess.run([*ENTRY, *arguments], env={**kept, **environment}, stdout=subprocess.PIPE, check=True).stdout


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("proofs")
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def witness(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Somebody else's process, made before the hub starts: it is given the logs' public keys and nothing else."""
    (directory / "home").mkdir()
    command("keys", "init", HUB_HOME=str(directory / "home"))
    (directory / "logs.vkey").write_bytes(command("audit", "key", HUB_HOME=str(directory / "home")))
    key = str(directory / "witness" / "w1.key")
    (directory / "w1.vkey").write_bytes(command("witness", "init", "--key", key, "--name", "witness.example/w1"))
    process = subprocess.Popen(
        [*ENTRY, "witness", "run", "--key", key, "--log-key", str(directory / "logs.vkey"), "--json"],
        env={name: value for name, value in os.environ.items() if not name.startswith("HUB_")},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["url"]
    (directory / "witnesses").write_text(f"{url} {(directory / 'w1.vkey').read_text()}")
    yield process
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0


@pytest.fixture(scope="module")
def hub(directory: Path, witness: subprocess.Popen[bytes]) -> Iterator[Hub]:
    """A hub whose audit desks publish every half second and ask the witness."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_TLOG_SECONDS", "0.5")
        patch.setenv("HUB_TLOG_WITNESSES", str(directory / "witnesses"))
        with running(directory) as started:
            for answer in started.submit(*(document(receipt) for receipt in RECEIPTS)):
                EVENTS[answer["receipt_number"]] = answer["event_id"]
            yield started


def checked(files: Path, *arguments: str) -> dict[str, Any]:
    """`audit check` as a stranger runs it: another directory, no setting."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", "audit", "check", *arguments, "--json"],
        cwd=files,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def files(directory: Path, hub: Hub) -> Path:
    """What an auditor takes away: keys, proofs, an entry, an opening, the filer's receipt."""
    out = directory / "out"
    out.mkdir()
    shutil.copy(directory / "w1.vkey", out)
    keys = (directory / "logs.vkey").read_text().splitlines(keepends=True)
    (out / "log.vkey").write_text(next(key for key in keys if "/131041+" in key))

    def made(*arguments: str) -> bool:
        return hub.run(*arguments).returncode == 0

    wanted, tenant = RECEIPTS[2], ("--tenant", "131041")
    eventually(lambda: made("portal", "receipt", wanted, "-o", str(out / "receipt.json")))
    eventually(lambda: (directory / "home" / "roles" / "audit-131041" / "state" / "tlog" / "checkpoint").exists())
    eventually(
        lambda: made(
            "audit", "prove", wanted, *tenant,
            "-o", str(out / "event.tlog-proof"),
            "--entry", str(out / "event.entry"), "--opening", str(out / "opening.json"),
        )
    )  # fmt: skip
    eventually(lambda: made("audit", "prove", wanted, "--stored", *tenant, "-o", str(out / "stored.tlog-proof")))
    return out


def test_a_stranger_checks_the_event_with_its_receipt_number_and_a_witness(hub: Hub, files: Path) -> None:
    said = checked(
        files, "--key", "log.vkey", "--proof", "event.tlog-proof", "--entry", "event.entry",
        "--witness-key", "w1.vkey", "--opening", "opening.json",
    )  # fmt: skip
    assert (said["entry"]["event_id"], said["receipt_number"]) == (EVENTS[RECEIPTS[2]], RECEIPTS[2])
    assert [each["witness"] for each in said["cosigned"]] == ["witness.example/w1"]


def test_a_stranger_checks_the_filers_delivery_receipt(hub: Hub, files: Path) -> None:
    said = checked(files, "--key", "log.vkey", "--proof", "stored.tlog-proof", "--entry", "receipt.json")
    assert said["receipt_number"] == RECEIPTS[2]
    assert EVENTS[RECEIPTS[2]] in {each["event_id"] for each in said["entry"]["events"]}


def test_what_is_published_is_the_log_and_nothing_about_people(hub: Hub, directory: Path, files: Path) -> None:
    out = directory / "published"
    published = hub.json("audit", "publish", "--tenant", "131041", "--to", str(out))[0]
    verified = next(each for each in hub.json("audit", "verify") if each["tenant"] == "131041")
    entries = tlog_reference.load_log(out, (files / "log.vkey").read_text().strip())
    assert len(entries) == published["size"]
    assert verified["size"] >= published["size"]
    whole = b"".join(entries)
    for secret in (*SECRETS.values(), *RECEIPTS):
        assert secret.encode() not in whole


def test_the_desk_publishes_by_itself_and_by_hand_changes_nothing(hub: Hub, directory: Path) -> None:
    tlog = directory / "home" / "roles" / "audit-131041" / "state" / "tlog"
    size = int((tlog / "checkpoint").read_text().split("\n")[1])
    assert size >= len(RECEIPTS)
    assert "— witness.example/w1 " in (tlog / "checkpoint").read_text()

    def again() -> dict[str, Any] | None:
        done = hub.run("audit", "publish", "--tenant", "131041", "--json")  # the desk may hold the lock
        return json.loads(done.stdout) if done.returncode == 0 else None

    assert eventually(again)["size"] >= size


def test_the_report_counts_what_was_sent(hub: Hub) -> None:
    month = datetime.now(JST).strftime("%Y-%m")

    def whole() -> dict[str, Any] | None:
        said = hub.json("audit", "report", "--month", month, "--tenant", "131041")[0]
        expected = {"submission": {"vehicle-tax-secondary-liability-exemption": len(RECEIPTS)}}
        return said if said["events"] == expected else None

    said = eventually(whole)
    assert said["sequences_missing"] == 0
    assert hub.run("audit", "report", "--day", "yesterday").returncode == 2
    assert hub.run("audit", "report").returncode == 2


@pytest.mark.parametrize(
    ("point", "receipt"),
    [("audit.in-tile:2", "R7-13104-000000311"), ("audit.before-checkpoint:1", "R7-13104-000000312")],
)
def test_a_desk_killed_while_it_publishes_loses_nothing_and_doubles_nothing(
    hub: Hub, directory: Path, files: Path, tmp_path: Path, point: str, receipt: str
) -> None:
    roles, name, mark = hub.stack.roles, "audit-131041", tmp_path / "reached"
    tlog = directory / "home" / "roles" / name / "state" / "tlog"
    vkey = (files / "log.vkey").read_text().strip()
    old = roles.running.pop(name)
    old.process.terminate()
    old.process.wait(60)
    old.stderr.close()
    before = tlog_reference.load_log(tlog, vkey)
    armed = {"HUB_CRASH_POINT": point, "HUB_CRASH_MARK": str(mark)}
    crashing = roles.start(name, name, "consume", "audit", extra=armed)
    hub.submit(document(receipt))
    crashing.process.wait(120)
    crashing.stderr.close()
    assert mark.read_text() == point.partition(":")[0], "the point was reached"
    assert tlog_reference.load_log(tlog, vkey) == before  # what was said before still holds

    del roles.running[name]
    roles.start(name, name, "consume", "audit")
    proof, entry = tmp_path / "proof", tmp_path / "entry"
    wanted = ("audit", "prove", receipt, "--tenant", "131041", "-o", str(proof), "--entry", str(entry))
    eventually(lambda: hub.run(*wanted).returncode == 0, 120)
    after = tlog_reference.load_log(tlog, vkey)
    assert after[: len(before)] == before
    assert len(set(after)) == len(after)  # each record of each topic once
    assert tlog_reference.check_proof(proof.read_bytes(), vkey, entry.read_bytes()) >= len(before)
    verified = next(each for each in hub.json("audit", "verify") if each["tenant"] == "131041")
    assert (verified["verified"], verified["duplicates"], verified["gaps"]) == (True, 0, 0)


def test_an_altered_tile_stops_publishing_and_rings(hub: Hub, directory: Path) -> None:
    tlog = directory / "home" / "roles" / "audit-131041" / "state" / "tlog"
    tile = max((tlog / "tile" / "0").rglob("*.p/*"), key=lambda path: int(path.name))
    good = tile.read_bytes()
    tile.write_bytes(bytes(len(good)))
    done = hub.run("audit", "publish", "--tenant", "131041", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] in ("publishing.contradicted", "publishing.busy")
    assert tile.read_bytes() == bytes(len(good))
    tile.write_bytes(good)
