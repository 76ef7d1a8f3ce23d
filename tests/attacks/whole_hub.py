"""The hub as `up` runs it, under an attacker's eyes: what leaks of a marked person, what of a key, and shutting out.

Collected by tests/broker/test_hub.py, whose hub these tests share.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import consumers.store.vault as vault
import hub.envelope.session as session
from assurance.leaks import Scanner, labels
from cli.main import app
from hub.applying import admin_endpoint
from hub.crypto.keystore import FileKeyStore
from hub.crypto.secret import Secret
from hub.role import Role, load_role
from hub.settings import RoleSettings
from hub.shut_out_book import lines, shut_out_at
from hub.transport import BatchWriter, NotAuthorized, Outgoing, PartitionReader
from portal.producer import PortalProducer
from tests.attacking import Attacker
from tests.attacking.plugin import Attack
from tests.attacks.sweeping import sweep
from tests.broker.documents import SECRETS, document
from tests.broker.hub import ENTRY, Hub, eventually
from topics import names

ROOT = Path(__file__).parents[2]
TENANT, DESK = "131041", "helpdesk-131041"
RECEIPT = "R7-13104-000000901"


@pytest.fixture
def temporary(hub: Hub) -> Path:
    """Where all processes of the hub put temporary files."""
    return hub.home.path.parent / "temporary"


@pytest.fixture(scope="module")
def worked(hub: Hub) -> Hub:
    """A marked person's filings went through all hands, and everything was done wrong with them that can be."""
    hub.submit(document(RECEIPT), document("R7-13104-000000902"), document("R7-99999-000000901", "999997"))
    for receipt in (RECEIPT, "R7-13104-000000902", "R7-99999-000000901"):
        hub.stored(receipt)
    hub.json(
        "review",
        "decide",
        RECEIPT,
        "accept",
        "--reason",
        "with-findings",
        "--tax-item",
        "resident-tax",
        "--by",
        "shinsa-1",
    )
    eventually(lambda: hub.run("helpdesk", "lookup", RECEIPT, "--json").returncode == 0)
    refused = hub.json("submit", "-", stdin=_all_wrong(), good=1)
    assert {each["status"] for each in refused} == {"refused"}
    hub.json("portal", "status")
    assert all(each["verified"] for each in hub.json("audit", "verify"))
    return hub


def _all_wrong() -> bytes:
    """Lines in which content stands where none belongs."""
    good = document("R7-13104-000000903")
    marks = list(SECRETS.values())
    # a receipt number is public, and the portal's to give: whatever fits its pattern is one
    wrong: list[dict[str, Any]] = [{**good, key: mark} for key in good if key != "receipt_number" for mark in marks]
    wrong += [{**good, mark: 1} for mark in marks]
    wrong += [{**good, "items": {mark: mark}} for mark in marks]
    wrong += [{**good, "items": {name: [mark]}} for mark in marks for name in good["items"]]
    wrong += [{**good, "attachments": [{"file_name": mark, mark: mark, "content_base64": mark}]} for mark in marks]
    text = [json.dumps(each, ensure_ascii=False).encode() for each in wrong]
    return b"\n".join([*text, *(mark.encode() for mark in marks), "\n".join(marks).encode("cp932")])


def _fails(hub: Hub, *command: str, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run a command that runs out of disk in the midst of it."""
    return subprocess.run(
        [*ENTRY, *command],
        input=stdin,
        capture_output=True,
        env=hub.environment(),
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_960, 40_960)),
    )


@pytest.fixture
def planted(worked: Hub, temporary: Path) -> Iterator[dict[str, str]]:
    """A mark in each kind of place, each in another encoding: where the search must find it, and nowhere else."""
    mark = SECRETS["name"]
    files = {
        worked.home.logs / "planted.jsonl": json.dumps({"event": mark}).encode(),
        worked.home.role(DESK) / "state" / "leftover.db-journal": mark.encode("utf-16-le"),
        temporary / "planted": base64.b64encode(b"x" + mark.encode()),
    }
    for path, data in files.items():
        path.write_bytes(data)
    header, value = (names.operations(worked.stack.topology.namespace), names.control(worked.stack.topology.namespace))
    asyncio.run(_plant(worked, header, b"", [("planted", mark.encode("cp932"))]))
    asyncio.run(_plant(worked, value, base64.b32encode(mark.encode()), []))
    segments = {
        str(node.directory / "data" / f"{topic}-0" / f"{0:020}.log")
        for topic in (header, value)
        for node in worked.stack.kafka.nodes
    }
    with subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(170)", mark],
        env={**os.environ, "LEAK": mark},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            shown = {"cmdline of planted", "environ of planted"}
            yield {"pid": str(process.pid)} | dict.fromkeys({*map(str, files), *segments, *shown}, "planted")
        finally:
            process.kill()
    for path in files:
        path.unlink(missing_ok=True)


async def _plant(hub: Hub, topic: str, value: bytes, headers: list[tuple[str, bytes]]) -> None:
    from aiokafka import AIOKafkaProducer

    options = admin_endpoint(hub.home.path, hub.stack.bootstrap).client_options()
    async with AIOKafkaProducer(**options) as producer:
        await producer.send_and_wait(topic, value, key=b"planted", partition=0, headers=headers)


def test_nothing_of_a_marked_person_is_anywhere_but_where_it_was_planted(
    worked: Hub, temporary: Path, planted: dict[str, str], attack: Attack
) -> None:
    broker = attack(Attacker.BROKER, "reads every byte on the broker's disk, internal topics and headers included")
    disk = attack(Attacker.BACKUP, "reads every file of every role: databases, journals beside them, logs, leftovers")
    ps = attack(Attacker.CONTRACTOR, "reads arguments, environment and open files of every process")
    scrape = attack(Attacker.OUTSIDER, "reads /metrics, /healthz and /readyz of every process")
    failing = attack(Attacker.APPLICANT, "makes commands fail on content in every wrong place, and reads what they log")
    scanner, pid = Scanner(SECRETS), int(planted.pop("pid"))
    full = _fails(worked, "submit", "-", stdin=json.dumps(document("R7-13104-000000904"), ensure_ascii=False).encode())
    assert full.returncode == 1
    assert scanner.search(full.stdout + full.stderr, "output") == set()
    leaks, searched = sweep(scanner, worked, temporary, {"planted": pid})
    assert {leak.place for leak in leaks} == planted.keys()
    assert labels(leaks) == {"name"}
    assert searched > 500_000
    there = {path.name for path in worked.home.path.rglob("*")}
    assert {"store.db-wal", "journal.db"} & there, "databases are searched with what stands beside them"
    assert any(name.startswith("__consumer_offsets-") for name in there)
    assert any(name.startswith("__transaction_state-") for name in there)
    for row in (broker, disk, ps, scrape, failing):
        row.prevented(by="assurance.leaks", how="none of the marks, in any encoding", within="the whole run")


# keys


def _role(hub: Hub, principal: str) -> Role:
    return load_role(
        RoleSettings(
            role_dir=hub.home.role(principal),
            bootstrap=hub.stack.bootstrap,
            namespace=hub.stack.topology.namespace,
            partitions=hub.stack.topology.partitions,
        )
    )


async def _submit(role: Role, *receipts: str) -> list[str]:
    async with PortalProducer(role, close_seconds=5.0) as portal:
        done = [await portal.submit(json.dumps(document(each), ensure_ascii=False).encode()) for each in receipts]
    return [result.status.value for result in done]


def test_no_key_is_on_a_disk_but_sealed(
    worked: Hub, temporary: Path, monkeypatch: pytest.MonkeyPatch, attack: Attack
) -> None:
    """The bytes of the keys themselves, taken from the memory of a portal and of a desk that run in this process."""
    sessions = attack(Attacker.BACKUP, "looks for session secrets in journals, databases, logs and leftovers")
    private = attack(Attacker.LAPTOP, "looks for an identity or audience key in the clear in a role's directory")
    stores = attack(Attacker.BACKUP, "looks for the data keys of submissions beside the store that they open")
    listed = attack(Attacker.CONTRACTOR, "looks for passphrases and keys in arguments and environments")
    keys: dict[str, bytes] = {}

    class Seen(Secret):
        __slots__ = ()

        def __init__(self, value: bytes) -> None:
            keys.setdefault(f"session secret {len(keys)}", value)
            super().__init__(value)

    def unwrap(wrapping_key: bytes, wrapped: bytes, place: bytes) -> bytes:
        data_key = before(wrapping_key, wrapped, place)
        keys.update({"store key": wrapping_key, "data key": data_key})
        return data_key

    before = vault.unwrap
    monkeypatch.setattr(session, "Secret", Seen)
    monkeypatch.setattr(vault, "unwrap", unwrap)
    monkeypatch.setenv("HUB_HOME", str(worked.home.path))
    assert asyncio.run(_submit(_role(worked, "portal"), "R7-13104-000000905")) == ["accepted"]
    worked.stored("R7-13104-000000905")
    shown = CliRunner().invoke(app, ["review", "show", RECEIPT, "--json"])
    assert json.loads(shown.output)["items"] == document(RECEIPT)["items"]
    assert {"store key", "data key"} < keys.keys() and len(keys) >= 5
    for principal in worked.home.roles(""):
        directory = worked.home.role(principal)
        store = FileKeyStore(directory / "keys", (directory / "passphrase").read_bytes().strip())
        for entry in store.list():
            name = f"{entry.audience or 'identity'} of {principal} {entry.epoch}"
            if entry.audience is None:
                keys |= {f"{name} {each.key_id.hex()}": each.seed() for each in store.load_identities()}
            else:
                keys[name] = store.load_audience(entry.audience, entry.epoch or 0).seeds()
        digits = (directory / "passphrase").read_bytes().strip().removeprefix(b"key-1:")
        keys[f"passphrase of {principal}"] = bytes.fromhex(digits.decode())  # found in hex, too
    leaks, _ = sweep(Scanner(keys), worked, temporary)
    where = {f"passphrase of {each}": str(worked.home.role(each) / "passphrase") for each in worked.home.roles("")}
    assert {(leak.label, leak.place) for leak in leaks} == set(where.items()), "for trials: docs/secrets.md"
    for row in (sessions, private, stores, listed):
        row.prevented(by="assurance.leaks", how="none of the keys, in any encoding", within="the whole run")


def test_a_process_leaves_no_core_and_lets_nobody_in(worked: Hub, tmp_path: Path, attack: Attack) -> None:
    core = attack(Attacker.CONTRACTOR, "makes a process crash, to read the keys in its core dump")
    debugger = attack(Attacker.CONTRACTOR, "attaches a debugger to a role as the role's own user")
    for role in worked.stack.roles.running.values():
        limits = Path(f"/proc/{role.process.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits), role.name
    hardened = "from cli.hardening import keep_memory_here as keep; keep(); "
    waits = "print(flush=True); import time; time.sleep(60)"
    bare, kept = (_aborted(program, tmp_path) for program in (waits, hardened + waits))
    assert not os.WCOREDUMP(kept)
    assert not list(tmp_path.glob("core*")) or os.WCOREDUMP(bare)
    check = hardened + "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    told = subprocess.run([sys.executable, "-c", check], capture_output=True, cwd=ROOT, check=True, timeout=60)
    assert told.stdout.strip() == b"0", "PR_GET_DUMPABLE"
    core.prevented(by="every process", how="RLIMIT_CORE is 0 and it is not dumpable", within="its start")
    debugger.prevented(by="the kernel", how="it is not dumpable: nobody but root may trace it", within="its start")


def _aborted(program: str, directory: Path) -> int:
    """The wait status of a program that was allowed the largest core there may be, and was killed to leave one."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=directory,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)),
    )
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        os.kill(process.pid, signal.SIGABRT)
        _, status = os.waitpid(process.pid, 0)
    process.returncode = -signal.SIGABRT
    return status


# shutting out


def _runbook(heading: str, principal: str) -> list[list[str]]:
    """The commands of a section of docs/runbooks/shut-out.md."""
    text = (ROOT / "docs" / "runbooks" / "shut-out.md").read_text("utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    commands = [line.replace("PRINCIPAL", principal) for block in blocks for line in block.splitlines()]
    assert commands and all(line.startswith("eltax-hub ") for line in commands)
    return [shlex.split(line)[1:] for line in commands]


def _done(hub: Hub, heading: str, principal: str) -> None:
    for command in _runbook(heading, principal):
        done = hub.run(*command)
        assert done.returncode == 0, (command, done.stdout[-1_000:], done.stderr[-1_000:])


async def _loses_its_rights(hub: Hub, principal: str, topic: str, heading: str) -> None:
    """A live reader and a live writer of a principal, while it is shut out by the book."""
    role = _role(hub, principal)
    operations = names.operations(role.namespace)
    async with PartitionReader(role.endpoint, {(topic, 0): None}) as reader, BatchWriter(role.endpoint) as writer:

        async def reading() -> None:
            while True:
                await reader.poll(2**20, 500)

        async def writing() -> None:
            while True:
                await writer.write(operations, 1, [Outgoing(b"live", b"live")])
                await asyncio.sleep(0.05)

        tasks = [asyncio.create_task(reading()), asyncio.create_task(writing())]
        await asyncio.sleep(0.5)
        assert not any(task.done() for task in tasks)
        await asyncio.to_thread(_done, hub, heading, principal)
        async with asyncio.timeout(60):
            for task in tasks:
                with pytest.raises(NotAuthorized):
                    await task


def test_who_is_shut_out_by_the_runbook_is_out_and_comes_back_by_it(worked: Hub, attack: Attack) -> None:
    live = attack(Attacker.HELPDESK, "goes on with its running consumer and producer after it was shut out")
    restart = attack(Attacker.HELPDESK, "starts its role anew after it was shut out")
    applied = attack(Attacker.HELPDESK, "waits for the next `topics apply --prune` to be given keys and rights again")
    old = attack(Attacker.LAPTOP, "uses a copy of the certificate of a role that was let in again")
    topic = names.helpdesk(worked.stack.topology.namespace, TENANT)
    asyncio.run(_loses_its_rights(worked, DESK, topic, "Shut out"))
    worked.stack.follow()
    assert DESK not in worked.stack.roles.running
    assert shut_out_at(worked.home.path).keys() == {DESK}
    (said,) = worked.json("topics", "plan")
    assert (said["kind"], said["principal"]) == ("shut-out", DESK)
    partitions = str(worked.stack.topology.partitions)
    told = {"HUB_ROLE_DIR": str(worked.home.role(DESK)), "HUB_BOOTSTRAP": worked.stack.bootstrap}
    again = worked.run("consume", "helpdesk", HUB_HOME="", HUB_PARTITIONS=partitions, **told)
    assert again.returncode == 1
    assert b"role.incomplete" in again.stderr
    worked.json("topics", "apply", "--prune")
    assert [each["kind"] for each in worked.json("topics", "plan")] == ["shut-out"]
    (refused,) = worked.json("topics", "shut-out", "admin", good=1)
    assert refused["error"]["code"] == "shut-out.super-user"
    (refused,) = worked.json("topics", "let-in", DESK, good=1)
    assert refused["error"]["code"] == "shut-out.certificate"
    worked.submit(document("R7-13104-000000906"))
    worked.stored("R7-13104-000000906")  # the others go on

    _done(worked, "Let in again", DESK)
    worked.stack.follow()
    assert DESK in worked.stack.roles.running
    eventually(lambda: worked.run("helpdesk", "lookup", "R7-13104-000000906", "--json").returncode == 0)
    assert worked.json("topics", "plan") == []
    assert [each.done for each in lines(worked.home.path) if each.principal == DESK] == ["shut-out", "let-in"]
    live.prevented(by="broker", how="TOPIC_AUTHORIZATION_FAILED, and `up` ends the role", within="a minute")
    restart.prevented(by="the role itself", how="role.incomplete: no key of its own is listed", within="its start")
    applied.prevented(by="topics apply", how="it stays shut out until `let-in`", within="at once")
    old.prevented(by="topics let-in", how=f"refused: {refused['error']['code']}", within="at once")


def test_what_a_principal_that_is_shut_out_has_signed_counts_no_more(worked: Hub, attack: Attack) -> None:
    """Its key, in hands that may write: an administrator's certificate carries what the portal's key has signed."""
    signed = attack(Attacker.CONTRACTOR, "lends its own certificate to a portal's stolen key after it was shut out")
    portal, admin = _role(worked, "portal"), worked.home.role("admin")
    stolen = replace(portal, tls=replace(
        portal.tls, certificate=admin / "tls.crt", private_key=admin / "tls.key"))  # fmt: skip
    assert asyncio.run(_submit(stolen, "R7-13104-000000907")) == ["accepted"], "as long as nobody knows"
    worked.stored("R7-13104-000000907")
    _done(worked, "Shut out", "portal")
    known = {each["letter"] for each in worked.json("dead-letters", "list")}
    asyncio.run(_submit(stolen, "R7-13104-000000908"))

    def letters() -> list[dict[str, Any]]:
        return [each for each in worked.json("dead-letters", "list") if each["letter"] not in known]

    reasons = {each["reason"] for each in eventually(letters)}
    assert reasons == {"untrusted"}
    assert worked.run("review", "show", "R7-13104-000000908").returncode == 1
    _done(worked, "Let in again", "portal")
    worked.submit(document("R7-13104-000000909"))
    worked.stored("R7-13104-000000909")
    signed.prevented(by="router", how=f"dead letter `{min(reasons)}`", within="its batch")
