"""Tenants come and go by the declaration, while the hub runs and the others' submissions flow."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from assurance.census import take_census
from cli.home import Home
from hub.applying import admin_endpoint
from hub.reading.control import TRUST_KEY, kept_current
from hub.role import load_role
from hub.settings import RoleSettings
from hub.standing import RolledBack
from hub.transport import BatchWriter, Outgoing, TlsIdentity
from hub.transport.endpoint import Endpoint
from portal.producer import PortalProducer
from portal.results import Result
from schemas.generator import generate
from tests.attacks.test_rights import TOPIC_AUTHORIZATION_FAILED, fetched, produced
from tests.broker.documents import document
from tests.broker.hub import ENTRY
from tests.kafka import brokers_here, own_node
from topics import names

pytestmark = [pytest.mark.broker, pytest.mark.soak, pytest.mark.timeout(600)]

FIRST, NEW = "131041", "999989"
BEFORE = '  - {code: "999997"'
ROW = f'  - {{code: "{NEW}", name: 架空第二市（試験用）, name_en: Second Artificial City, artificial: true}}\n'
PARTITIONS = 3
OF_OWNERS = ("partition-fenced", "partition-lost", "transaction-aborted", "alarm", "paused", "resumed")


class Shell:
    """A person at a home where `eltax-hub up` runs as a process of its own."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "JAVA"))}
        return {**kept, "PATH": "/usr/bin:/bin", "HUB_HOME": str(self.home.path)}

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*ENTRY, *arguments], capture_output=True, timeout=120, env=self.environment(), check=False
        )

    async def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return await asyncio.to_thread(self._run, *arguments)

    async def json(self, *arguments: str, good: int = 0) -> list[dict[str, Any]]:
        done = await self.run(*arguments, "--json")
        assert done.returncode == good, (arguments, done.returncode, done.stdout[-2_000:], done.stderr[-2_000:])
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def edit(self, old: str, new: str) -> None:
        text = self.home.declaration.read_text(encoding="utf-8")
        assert old in text
        self.home.declaration.write_text(text.replace(old, new, 1), encoding="utf-8")

    @property
    def pids(self) -> dict[str, int]:
        return dict(self.home.running().pids)

    def log(self, role: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.home.logs / f"{role}.jsonl").read_text().splitlines()]

    def admin(self) -> Endpoint:
        return admin_endpoint(self.home.path, self.home.running().bootstrap)

    def endpoint(self, principal: str) -> Endpoint:
        directory = self.home.role(principal)
        tls = TlsIdentity(directory / "tls.crt", directory / "tls.key", directory / "ca.crt")
        return Endpoint(self.home.running().bootstrap, tls, principal)


@contextmanager
def up(directory: Path) -> Iterator[Shell]:
    """`eltax-hub up` in a fresh home, stopped by its pid."""
    own_node()
    shell = Shell(Home(directory / "home"))
    process = subprocess.Popen(
        [*ENTRY, "up", "--partitions", str(PARTITIONS), "--brokers", str(brokers_here()), "--json"],
        env=shell.environment(),
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["namespace"] == "rehearsal"
        yield shell
        assert process.poll() is None, "the hub ended although nobody asked it to"
    finally:
        process.terminate()
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()
        shutil.rmtree(directory, ignore_errors=True)


@asynccontextmanager
async def portal(shell: Shell, directory: Path, *, live: bool) -> AsyncIterator[PortalProducer]:
    """A portal that stays up; one that is not `live` hears nothing of what is declared after its start."""
    running = shell.home.running()
    role = load_role(
        RoleSettings(
            role_dir=directory,
            bootstrap=running.bootstrap,
            namespace=running.namespace,
            partitions=running.partitions,
        )
    )
    stop, opened = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def work() -> None:
        async with PortalProducer(role, close_seconds=5.0) as made:
            opened.set_result(made)
            await stop.wait()

    task = asyncio.create_task(kept_current(role, lambda fact: None, stop, work) if live else work())
    await asyncio.wait([task, opened], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    try:
        yield await opened
    finally:
        stop.set()
        await task


class Load:
    """Submissions of the first tenant, one after the other, for as long as the rest of the test takes."""

    def __init__(self, out: PortalProducer) -> None:
        self._out = out
        self._stop = asyncio.Event()
        self.accepted = 0

    async def run(self) -> None:
        for each in generate(7, 1_000_000, [FIRST], rehearsal=True):
            if self._stop.is_set():
                return
            result = await self._out.submit(json.dumps(each, ensure_ascii=False).encode())
            assert result.status == "accepted", result
            self.accepted += 1
            await asyncio.sleep(0.05)

    async def more(self, count: int) -> None:
        """Wait until so many more have gone in."""
        wanted = self.accepted + count
        await eventually(lambda: self.accepted >= wanted)

    def end(self) -> None:
        self._stop.set()


@asynccontextmanager
async def flowing(out: PortalProducer) -> AsyncIterator[Load]:
    load = Load(out)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.run())
        try:
            yield load
        finally:
            load.end()


async def eventually(probe: Callable[[], Any], seconds: float = 180) -> Any:
    async with asyncio.timeout(seconds):
        while True:
            found = probe()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.2)


async def send(out: PortalProducer, receipt: str) -> Result:
    return await out.submit(json.dumps(document(receipt, NEW), ensure_ascii=False).encode())


async def codes_of(shell: Shell, principal: str, tenant_topics: list[str]) -> set[int]:
    """What the broker itself answers to fetches and produces with a principal's certificate."""
    from aiokafka.client import AIOKafkaClient

    client = AIOKafkaClient(**shell.endpoint(principal).client_options())
    await client.bootstrap()
    try:
        return {
            *(await fetched(client, tenant_topics)).values(),
            *(await produced(client, tenant_topics)).values(),
        }
    finally:
        await client.close()


async def test_a_tenant_comes_and_goes_while_the_others_flow(tmp_path: Path) -> None:
    with up(tmp_path) as shell:
        assert (await shell.run("topics", "init")).returncode == 0
        first_list = (shell.home.role("router") / "trust.bin").read_bytes()
        before = shell.pids
        async with portal(shell, shell.home.role("portal"), live=True) as out, flowing(out) as load:
            await load.more(10)
            await comes(shell, out)
            await load.more(10)
            # without its journal: what is on its way in a copied journal would be sent by both
            shutil.copytree(
                shell.home.role("portal"), tmp_path / "stale" / "portal", ignore=shutil.ignore_patterns("state")
            )
            async with portal(shell, tmp_path / "stale" / "portal", live=False) as stale:
                await goes(shell, out, stale)
            await load.more(10)
            await an_old_list_is_refused(shell, first_list)
            await load.more(10)
        after = shell.pids
        assert after == before, "nobody was started again, and the desks of the tenant are gone"
        await nothing_is_lost_or_doubled(shell, load.accepted)


async def test_a_tenant_that_comes_back_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with up(tmp_path) as shell:
        assert (await shell.run("topics", "init")).returncode == 0
        async with portal(shell, shell.home.role("portal"), live=True) as out:
            shell.edit(BEFORE, ROW + BEFORE)
            await shell.json("topics", "apply")
            await arrives(shell, out, "R7-99998-000000001")

            await removed(shell)
            shell.edit(BEFORE, ROW + BEFORE)
            await shell.json("topics", "apply")
            await arrives(shell, out, "R7-99998-000000002")
            assert await shown(shell, "R7-99998-000000001"), "its store is the one of before"
            verified = await shell.json("audit", "verify")
            assert {each["verified"] for each in verified} == {True}

            done = await removed(shell, "--delete-data")
            aside = {each["about"] for each in done if each["kind"] == "set-aside"}
            assert {f"removed/declaration-5/{kind}-{NEW}/state" for kind in ("review", "helpdesk", "audit")} <= aside
            shell.edit(BEFORE, ROW + BEFORE)
            await shell.json("topics", "apply")
            await arrives(shell, out, "R7-99998-000000003")
            assert not await shown(shell, "R7-99998-000000001"), "that was deleted by name"


async def shown(shell: Shell, receipt: str) -> bool:
    return (await shell.run("review", "show", receipt, "--json")).returncode == 0


async def arrives(shell: Shell, out: PortalProducer, receipt: str) -> None:
    assert (await send(out, receipt)).status == "accepted"
    await eventually(lambda: shown(shell, receipt))


async def removed(shell: Shell, *more: str) -> list[dict[str, Any]]:
    """Remove the tenant as soon as everything of it has arrived."""
    shell.edit(ROW, "")

    async def applied() -> list[dict[str, Any]] | None:
        done = await shell.run("topics", "apply", "--json", *more)
        return [json.loads(line) for line in done.stdout.decode().splitlines()] if done.returncode == 0 else None

    found: list[dict[str, Any]] = await eventually(applied)
    await eventually(lambda: f"review-{NEW}" not in shell.pids)
    return found


async def comes(shell: Shell, out: PortalProducer) -> None:
    assert [each.rule for each in (await send(out, "R7-99998-000000001")).errors] == ["tenant.unknown"]
    before = shell.pids
    shell.edit(BEFORE, ROW + BEFORE)
    steps = await shell.json("topics", "plan", good=1)
    assert [each["code"] for each in steps if each["step"] == "AddTenant"] == [NEW]
    await shell.json("topics", "apply")
    assert (await send(out, "R7-99998-000000002")).status == "accepted", "at once, by a portal that runs"
    assert await shell.json("topics", "plan") == []

    await eventually(lambda: shown(shell, "R7-99998-000000002"))
    desks = {f"{kind}-{NEW}" for kind in ("review", "helpdesk", "audit")}
    assert {name: pid for name, pid in shell.pids.items() if name not in desks} == before
    assert shell.pids.keys() == before.keys() | desks


async def goes(shell: Shell, out: PortalProducer, stale: PortalProducer) -> None:
    desk = shell.pids[f"review-{NEW}"]
    os.kill(desk, signal.SIGSTOP)
    try:
        assert (await send(out, "R7-99998-000000003")).status == "accepted"
        shell.edit(ROW, "")
        (refused,) = await shell.json("topics", "apply", good=1)
        assert refused["error"]["code"] == "topics.undelivered"
        left = {f"{NEW}: 0 not routed, 1 not stored", f"{NEW}: 1 not routed, 0 not stored"}
        assert any(each in refused["error"]["message"] for each in left)
    finally:
        os.kill(desk, signal.SIGCONT)

    async def applied() -> bool:
        return (await shell.run("topics", "apply", "--json")).returncode == 0

    await eventually(applied)
    own = [names.of_tenant("rehearsal", NEW, each) for each in ("review", "helpdesk", "audit", "status", "accepted")]
    shared = [names.sessions("rehearsal"), names.audiences("rehearsal"), names.control("rehearsal")]
    for kind in ("review", "helpdesk", "audit"):
        assert await codes_of(shell, f"{kind}-{NEW}", [*own, *shared]) == {TOPIC_AUTHORIZATION_FAILED}
    denied = [
        line
        for node in shell.home.broker_nodes
        for line in (node / "logs" / "authorizer.log").read_text("utf-8").splitlines()
    ]
    assert any(f"CN=review-{NEW}" in line and "Denied" in line for line in denied)

    assert [each.rule for each in (await send(out, "R7-99998-000000004")).errors] == ["tenant.unknown"]
    assert (await send(stale, "R7-99998-000000005")).status == "accepted", "it does not know better"

    async def letters() -> list[str]:
        return [each["reason"] for each in await shell.json("dead-letters", "list") if each["stage"] == "router"]

    assert set(await eventually(letters)) == {"tenant-unknown"}

    drift = await shell.json("topics", "plan")
    kept = {each["name"] for each in drift if each["step"] == "DeleteTopic"}
    assert kept > set(own), "no data goes unasked"
    assert {each["kind"] for each in drift} == {"drift"}
    await shell.json("topics", "apply", "--delete-data")
    assert await shell.json("topics", "plan") == []


async def an_old_list_is_refused(shell: Shell, old: bytes) -> None:
    directory = shell.home.role("router")
    running = shell.home.running()
    settings = RoleSettings(role_dir=directory, bootstrap=running.bootstrap, namespace=running.namespace)
    newest = load_role(settings).trust.serial
    async with BatchWriter(shell.admin()) as writer:
        await writer.write(names.control("rehearsal"), 0, [Outgoing(TRUST_KEY, old)])
    await eventually(lambda: [e for e in shell.log("router") if e.get("code") == "trust.rolled-back"])
    good = (directory / "trust.bin").read_bytes()
    assert load_role(settings).trust.serial == newest
    (directory / "trust.bin").write_bytes(old)
    with pytest.raises(RolledBack):
        load_role(settings)
    (directory / "trust.bin").write_bytes(good)
    await shell.json("topics", "apply")  # puts the newest list back on the topic


async def nothing_is_lost_or_doubled(shell: Shell, accepted: int) -> None:
    topology = load_role(
        RoleSettings(role_dir=shell.home.role("admin"), bootstrap="127.0.0.1:1", namespace="rehearsal")
    ).topology
    outputs = [route.topic for route in topology.routes_of(FIRST)]

    async def routed() -> list[dict[bytes, int]] | None:
        census = await take_census(shell.admin(), topology)
        found = [dict(census.leaves[topic]) for topic in outputs]
        return found if all(len(each) >= accepted for each in found) else None

    for leaves in await eventually(routed):
        assert len(leaves) == accepted
        assert set(leaves.values()) == {1}
    log = [each for each in shell.log("router") if each["event"] in OF_OWNERS]
    fenced = [each["partition"] for each in log if each["event"] == "partition-fenced"]
    assert sorted(fenced) == [*range(PARTITIONS)], f"no rebalance, nobody fenced again: {log}"
    assert not [each for each in log if each["event"] in ("transaction-aborted", "partition-lost")]
