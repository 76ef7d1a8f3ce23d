"""What the number of tenants costs: planning, applying, enrolling, starting, memory, and the router's rate.

For each number a fresh hub: one declaration with that many artificial municipalities, an embedded Kafka of its own,
the product's own processes. The router's rate is taken twice per round, with events of all tenants and with events of
one alone, on the same cluster and one after the other: only their ratio means anything on a shared machine.

    python -m benchmarks.tenants --tenants 1 10 100 --partitions 6 --directory /dev/shm
    python -m benchmarks.tenants --tenants 1000 1788 --partitions 1 --directory /dev/shm --heap 4g

One JSON object a line, and the line of a number comes when that number is done.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.artificial import codes, declared
from benchmarks.bench_router import Bench
from broker.embedded import EmbeddedKafka
from cli.home import Home
from cli.processes import Roles
from hub.applying import Wanted, admin_endpoint, apply, survey
from hub.crypto.certificates import CertificateAuthority
from hub.enrolment import enrol, published_keys
from hub.envelope.records import AudienceKey
from hub.envelope.session import SessionSecrets
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust
from hub.facts import BatchRouted, Fact, PartitionFenced
from hub.loop import loop_run
from hub.role import Role, load_role
from hub.router.engine import Router
from hub.settings import RoleSettings
from hub.transport import BatchWriter, Outgoing
from hub.transport.admin import Admin
from hub.transport.survey import Surveyor
from schemas.generator import generate
from topics import names

SEED: Final = 20251201
NAMESPACE: Final = "rehearsal"
_PATIENCE: Final = 240.0
_RECORD_ROOM: Final = 500
_REQUESTS: Final = 200


@dataclass(slots=True)
class Clock:
    """Seconds of each named piece of work."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time a piece."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - began, 2)
            tell(f"  {name}: {self.seconds[name]} s")


def tell(what: str) -> None:
    """Say how far we are, beside the figures."""
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()


def resident_mib(pid: int) -> float:
    """What a process holds in memory now."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1_024, 1)
    raise ProcessLookupError(pid)


def now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


class Trial:
    """One number of tenants, on a hub of its own."""

    def __init__(self, directory: Path, count: int, partitions: int, heap: str, teams: int | None) -> None:
        """Nothing is made before `make`."""
        self.teams = teams
        self.home = Home(directory / "home")
        self.count = count
        self.partitions = partitions
        self.heap = heap
        self.clock = Clock()
        self.memory: dict[str, float] = {}
        self.found: dict[str, Any] = {}

    def make(self) -> None:
        """Declare, enrol, apply: what an operator would do, in its order. Leaves everything as it is."""
        timed = self.clock.timed
        self.home.prepare()
        self.home.declaration.write_text(declared(self.count, self.teams), encoding="utf-8")
        with timed("lay out"):
            wanted = self._wanted()
        topology = wanted.topology
        with timed("rights laid out"):
            rights = len(topology.acls)
        authority = CertificateAuthority.create(self.home.path / "authority")
        with timed("enrol"):
            enrolled = enrol(self.home.path, topology, authority, now=now())
        pinned = [bytes.fromhex(line) for line in (self.home.role("admin") / "admin.pub").read_text().split()]
        with timed("trust list read"):
            Trust.load(enrolled.trust, pinned)
        self.found |= {
            "topics": len(topology.topics),
            "partitions": sum(topic.partitions for topic in topology.topics),
            "principals": len(topology.principals),
            "rights": rights,
            "trust_list_bytes": len(enrolled.trust),
            "audience_keys_bytes": sum(len(value) for _, value in enrolled.audience_keys),
        }
        with self._broker("broker started") as node:
            self._apply(node, wanted, authority)
            self.memory["broker, applied"] = resident_mib(node.pid)
            self.found["broker_maps"] = len(Path(f"/proc/{node.pid}/maps").read_text("ascii").splitlines())
            self.found["broker_files"] = len(list(Path(f"/proc/{node.pid}/fd").iterdir()))

    def use(self, events: int, rounds: int, *, roles: bool) -> None:
        """Start the broker again, the roles and two tenants' desks, and route."""
        with self._broker("broker started again") as node:
            self.found["request_ms"] = loop_run(self._asked(node))
            if roles:
                self._roles(node)
            self.found["router"] = loop_run(self._rates(node, events, rounds))
            self.memory["broker, at the end"] = resident_mib(node.pid)

    def says(self) -> dict[str, Any]:
        """What was found up to now."""
        about = {"tenants": self.count, "partitions_of_a_route": self.partitions, "tax_items": self.teams}
        return {**about, **self.found, "seconds": self.clock.seconds, "resident_mib": self.memory}

    def _wanted(self) -> Wanted:
        return Wanted.of(self.home.declaration.read_text("utf-8"), NAMESPACE, self.partitions)

    @contextmanager
    def _broker(self, name: str) -> Iterator[EmbeddedKafka]:
        authority = CertificateAuthority.load(self.home.path / "authority")
        node = EmbeddedKafka(self.home.path / "kafka", authority, heap=self.heap)
        with self.clock.timed(name):
            node.start()
        try:
            self.memory[name] = resident_mib(node.pid)
            yield node
        finally:
            with self.clock.timed(name.replace("started", "stopped")):
                node.stop()

    def _apply(self, node: EmbeddedKafka, wanted: Wanted, authority: CertificateAuthority) -> None:
        """`topics plan` on an empty cluster, `apply`, `plan` again, and one tenant less and back."""
        home, endpoint = self.home.path, admin_endpoint(self.home.path, node.bootstrap)
        with self.clock.timed("plan, all to do"):
            steps = len(loop_run(survey(home, wanted, endpoint)).steps)
        with self.clock.timed("apply, all"):
            done = loop_run(apply(home, wanted, authority, endpoint, now))
        with self.clock.timed("plan, nothing to do"):
            left = loop_run(survey(home, wanted, endpoint))
        if not left.empty or not done.left.empty:
            raise RuntimeError(f"{len(left.steps)} steps are left")
        self.found["steps"] = steps
        more = Wanted.of(declared(self.count + 1, self.teams), NAMESPACE, self.partitions)
        with self.clock.timed("apply, one tenant more"):
            loop_run(apply(home, more, authority, endpoint, now))

    async def _asked(self, node: EmbeddedKafka) -> dict[str, float]:
        """Milliseconds of one request of a desk, to a topic that all have a right to and to one of its own tenant.

        The broker looks through all rights to a topic each time.
        """
        code = codes(1)[0]
        found = {}
        for kind, topic in (("everybody's", names.control(NAMESPACE)), ("its own", f"{NAMESPACE}.{code}.review")):
            asking = Surveyor(_role(self, node, f"review-{code}").endpoint)
            taken = []
            for _ in range(_REQUESTS):
                began = time.perf_counter()
                await asking.survey([topic])
                taken.append(time.perf_counter() - began)
            await asking.close()
            found[kind] = round(statistics.median(taken) * 1_000, 2)
        router = _role(self, node, "router")
        surveyor = Surveyor(router.endpoint)
        began = time.perf_counter()
        await surveyor.survey([route.topic for route in router.topology.routes])
        found["router's survey"] = round((time.perf_counter() - began) * 1_000, 2)
        await surveyor.close()
        return found

    def _roles(self, node: EmbeddedKafka) -> None:
        """The processes of a hub and of two of its tenants: how long until each is ready, and what it holds."""
        ends = sorted({codes(self.count)[0], codes(self.count)[-1]})
        desks = [(f"{kind}-{code}", kind) for code in ends for kind in ("review", "helpdesk", "audit")]
        roles = Roles(self.home, bootstrap=node.bootstrap, namespace=NAMESPACE, partitions=self.partitions)
        try:
            for name, command in (("router", ("route",)), ("monitor", ("monitor",))):
                with self.clock.timed(f"{name} ready"):
                    roles.start(name, name, *command)
                    roles.wait_ready(_PATIENCE, lambda *_: None)
            with self.clock.timed(f"{len(desks)} desks ready"):
                for name, kind in desks:
                    roles.start(name, name, "consume", kind)
                roles.wait_ready(_PATIENCE, lambda *_: None)
            self._submit(node, roles)
            time.sleep(5)
            for name in ("router", "monitor", *(name for name, _ in desks[:3])):
                self.memory[name.split("-")[0]] = resident_mib(roles.running[name].process.pid)
        finally:
            roles.stop()

    def _submit(self, node: EmbeddedKafka, roles: Roles) -> None:
        """One call of `submit` for some hundred tenants: each gets its session when its first event comes."""
        some = codes(self.count)[:: max(1, self.count // 100)]
        documents = "".join(
            json.dumps(each, ensure_ascii=False) + "\n" for each in generate(SEED, max(100, len(some)), some)
        )
        file = self.home.path / "submissions.jsonl"
        file.write_text(documents, encoding="utf-8")
        environment = os.environ | {
            "HUB_ROLE_DIR": str(self.home.role("portal")),
            "HUB_BOOTSTRAP": node.bootstrap,
            "HUB_NAMESPACE": NAMESPACE,
            "HUB_PARTITIONS": str(self.partitions),
        }
        with self.clock.timed(f"submit for {len(some)} tenants"):
            process = subprocess.Popen(
                [sys.executable, "-m", "cli", "submit", "--json", str(file)], env=environment, stdout=subprocess.PIPE
            )
            assert process.stdout is not None
            answers = process.stdout.read().splitlines()
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        accepted = sum(json.loads(line)["status"] == "accepted" for line in answers)
        if process.returncode or accepted != documents.count("\n"):
            raise RuntimeError(f"submit: {accepted} accepted, status {process.returncode}")
        self.memory["portal, at most"] = round(used.ru_maxrss / 1_024, 1)
        roles.check()

    async def _rates(self, node: EmbeddedKafka, events: int, rounds: int) -> dict[str, Any]:
        """The router's events per second, of all tenants and of one, in turns, after their sessions are known."""
        bench = Bench(self.home.path, node.bootstrap, self._wanted().topology, [])
        async with Admin(admin_endpoint(self.home.path, node.bootstrap)) as admin:
            start = sum((await admin.committed(f"{NAMESPACE}.router")).values())
        tell(f"  routed before: {start}")
        with self.clock.timed("sessions announced"):
            everybody = await sessions(_role(self, node, "portal"), dict(published_keys(self.home.path)), self.count)
        figures: dict[str, list[float]] = {"all": [], "one": []}
        cold: list[float] = []
        for number in range(rounds):
            for kind in ("all", "one") if number % 2 else ("one", "all"):
                bench.sessions = everybody if kind == "all" else everybody[:1]
                known = max(len(bench.sessions) * 2, events // 4)
                made = await asyncio.to_thread(bench.seal, known + events, partitions=self.partitions)
                for partition, records in made.items():
                    async with BatchWriter(_role(self, node, "admin").endpoint) as writer:
                        for at in range(0, len(records), _RECORD_ROOM):
                            await writer.write(names.submissions(NAMESPACE), partition, records[at : at + _RECORD_ROOM])
                seconds, rate = await routed(_role(self, node, "router"), known, known + events)
                figures[kind].append(rate)
                if kind == "all":
                    cold.append(seconds)
        ratios = [one / other for one, other in zip(figures["all"], figures["one"], strict=True)]
        return {
            "events": events,
            "rounds": rounds,
            "per_second": {kind: [round(rate) for rate in rates] for kind, rates in figures.items()},
            "ratio_all_to_one": round(statistics.median(ratios), 2),
            "ratios": [round(ratio, 2) for ratio in ratios],
            "first_event_of_every_tenant_seconds": [round(each, 2) for each in cold],
        }


def _role(trial: Trial, node: EmbeddedKafka, principal: str) -> Role:
    return load_role(
        RoleSettings(
            role_dir=trial.home.role(principal),
            bootstrap=node.bootstrap,
            namespace=NAMESPACE,
            partitions=trial.partitions,
        )
    )


async def sessions(portal: Role, published: dict[str, bytes], count: int) -> list[SessionSecrets]:
    """Open and announce a session for each tenant, as the portal would at its first event."""
    at = now()
    keys = [AudienceKey.decode(Signed.parse(value).body) for value in published.values()]
    current = {key.audience: key for key in keys if key.not_before <= at < key.not_after}
    made = [
        SessionSecrets.create(
            producer="portal",
            instance=portal.instance,
            topic=names.submissions(NAMESPACE),
            tenant=code,
            created_at=at,
            expires_at=at + timedelta(hours=2),
            audiences=[current[name] for name in ("router", f"review-{code}", f"helpdesk-{code}")],
            identity=portal.identity,
        )
        for code in codes(count)
    ]
    async with BatchWriter(portal.endpoint) as writer:
        records = [Outgoing(each.session.key.encode(), each.signed) for each in made]
        for start in range(0, len(records), _RECORD_ROOM):
            await writer.write(names.sessions(NAMESPACE), 0, records[start : start + _RECORD_ROOM])
    return made


async def routed(role: Role, known: int, count: int) -> tuple[float, float]:
    """Route `count` events: seconds until the first `known` are routed, then the rate of the rest."""
    stop = asyncio.Event()
    marks: list[tuple[float, int]] = []
    done = 0
    began = 0.0

    def observe(fact: Fact) -> None:
        nonlocal done, began
        if isinstance(fact, PartitionFenced) and not began:
            began = time.perf_counter()
        elif isinstance(fact, BatchRouted):
            if fact.dead_letters:
                raise AssertionError("an event of the benchmark became a dead letter")
            done += sum(fact.events.values())
            if done >= known:
                marks.append((time.perf_counter(), done))
            if done >= count:
                stop.set()

    await Router(role, observe).run(stop)
    (first, before), (last, after) = marks[0], marks[-1]
    if len(marks) < 3:
        raise RuntimeError("too few batches to tell a rate: more --events")
    return first - began, (after - before) / (last - first)


def main() -> None:
    """Measure each number; print its line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--partitions", type=int, default=6, help="of each topic of a route")
    parser.add_argument("--events", type=int, default=16_000, help="of a round, for each of the two rates")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--heap", default="1g", help="of the broker")
    parser.add_argument("--directory", type=Path, help="where the hubs are made; a RAM disk spares waiting for fsync")
    parser.add_argument("--teams", type=int, help="tax items, each with a team's topic in each tenant; default: all")
    parser.add_argument("--no-roles", action="store_true", help="start no processes")
    parser.add_argument("--keep", type=Path, help="make the hub of one number here, and leave it for --use")
    parser.add_argument("--use", type=Path, help="measure on the hub that --keep left here, and remove it")
    chosen = parser.parse_args()
    fixed = chosen.keep or chosen.use
    for count in chosen.tenants:
        tell(f"{count} tenants")
        directory = fixed or Path(tempfile.mkdtemp(prefix="eltax-hub-tenants-", dir=chosen.directory))
        trial = Trial(directory, count, chosen.partitions, chosen.heap, chosen.teams)
        done = False
        try:
            if not chosen.use:
                trial.make()
            if not chosen.keep:
                trial.use(chosen.events, chosen.rounds, roles=not chosen.no_roles)
            done = True
        finally:
            sys.stdout.write(json.dumps({**trial.says(), "whole": done}, ensure_ascii=False) + "\n")
            sys.stdout.flush()
            if not chosen.keep:
                shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
