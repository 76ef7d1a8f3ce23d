"""Sealed exactly-once routing against a bare aiokafka relay, over the same mTLS broker, in interleaved rounds.

Both read the same sealed events from the same topic and write three records of the same sizes for each. The
relay does nothing else: no check, no transaction, at-least-once, batches built per partition. Differences
between machines and hours are large; only the ratio within one run means anything.

    python -m benchmarks.bench_router [--events 20000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from broker.embedded import EmbeddedKafka
from hub.crypto.certificates import CertificateAuthority
from hub.crypto.keyfile import ScryptCost
from hub.enrolment import enrol, publish_audience_keys
from hub.envelope.event_ids import new_event_id
from hub.envelope.header import Check
from hub.envelope.records import AudienceKey
from hub.envelope.sealed import outputs, parse
from hub.envelope.session import SessionSecrets
from hub.envelope.signed import Signed
from hub.envelope.times import to_ms
from hub.facts import BatchRouted, Fact, PartitionFenced
from hub.loop import loop_run
from hub.role import Role, load_role
from hub.router.engine import Router
from hub.settings import RoleSettings
from hub.transport import BatchWriter, Outgoing
from hub.transport.admin import Admin
from topics import declaration, names
from topics.expanding import expand
from topics.layout import Topology
from topics.partition import partition_for
from topics.plan import CreateTopic, Plan, plan

NAMESPACE: Final = "rehearsal-bench"
PARTITIONS: Final = 6
TENANTS: Final = ("131041", "999997")
REVIEW_BYTES: Final = 2_000
HELPDESK_BYTES: Final = 900
_RELAY: Final = ("relay-review", "relay-helpdesk", "relay-audit")


@dataclass(frozen=True, slots=True)
class Figures:
    """One round of one engine."""

    events_per_second: float
    cpu_us_per_event: float


@dataclass(slots=True)
class Bench:
    """The prepared namespace, and sessions to seal under."""

    home: Path
    bootstrap: str
    topology: Topology
    sessions: list[SessionSecrets]
    sealed: int = 0

    def role(self, principal: str) -> Role:
        settings = RoleSettings(
            role_dir=self.home / "roles" / principal,
            bootstrap=self.bootstrap,
            namespace=NAMESPACE,
            partitions=PARTITIONS,
        )
        return load_role(settings, allow_weak=True)

    def seal(self, count: int, *, partitions: int = PARTITIONS) -> dict[int, list[Outgoing]]:
        """Seal events of all tenants, by partition."""
        made: dict[int, list[Outgoing]] = {partition: [] for partition in range(partitions)}
        now_ms = to_ms(datetime.now(UTC))
        for number in range(self.sealed, self.sealed + count):
            secrets = self.sessions[number % len(self.sessions)]
            tenant = secrets.session.tenant
            receipt = f"R8-{tenant[:5]}-{number:09d}"
            partition = partition_for(receipt, partitions)
            header = secrets.header(
                partition=partition,
                sequence=number,
                event_id=new_event_id(now_ms),
                receipt_number=receipt,
                procedure="heir-representative-designation",
                procedure_version=1,
                tax_item=None,
                accepted_at_ms=now_ms,
                produced_at_ms=now_ms,
                calculation_check=Check.PASSED,
                signature_check=Check.PASSED,
            )
            out = secrets.seal(
                header, {f"review-{tenant}": b"\x00" * REVIEW_BYTES, f"helpdesk-{tenant}": b"\x00" * HELPDESK_BYTES}
            )
            made[partition].append(Outgoing(out.event_id.encode(), out.value))
        self.sealed += count
        return made

    async def preload(self, events: dict[int, list[Outgoing]]) -> None:
        """Write events to submissions."""
        async with BatchWriter(self.role("portal").endpoint) as writer:
            for partition, records in events.items():
                for start in range(0, len(records), 500):
                    await writer.write(names.submissions(NAMESPACE), partition, records[start : start + 500])


async def prepare(home: Path, bootstrap: str, authority: CertificateAuthority) -> Bench:
    """Make topics, rights, roles, keys and sessions."""
    topology = expand(declaration.load(), NAMESPACE, partitions=PARTITIONS)
    # The portal's quota is for portals, not for filling a benchmark.
    topology = replace(topology, quotas=())
    enrolled = enrol(home, topology, authority, now=datetime.now(UTC), cost=ScryptCost(log2_n=4))
    bench = Bench(home, bootstrap, topology, [])
    async with Admin(bench.role("admin").endpoint) as admin:
        await admin.execute(plan(await admin.current(topology), topology))
        relays = tuple(CreateTopic(f"{NAMESPACE}.{name}", PARTITIONS, 1, _plain(topology)) for name in _RELAY)
        await admin.execute(Plan(relays, ()))
        await admin.settle(topology)
    await publish_audience_keys(bootstrap, home, topology, enrolled)
    keys = [AudienceKey.decode(Signed.parse(value).body) for _, value in enrolled.audience_keys]
    now = datetime.now(UTC)
    current = {key.audience: key for key in keys if key.not_before <= now < key.not_after}
    portal = bench.role("portal")
    for tenant in TENANTS:
        secrets = SessionSecrets.create(
            producer="portal",
            instance=portal.instance,
            topic=names.submissions(NAMESPACE),
            tenant=tenant,
            created_at=now,
            expires_at=now + timedelta(hours=2),
            audiences=[current[name] for name in ("router", f"review-{tenant}", f"helpdesk-{tenant}")],
            identity=portal.identity,
        )
        bench.sessions.append(secrets)
        async with BatchWriter(portal.endpoint) as writer:
            record = Outgoing(secrets.session.key.encode(), secrets.signed)
            await writer.write(names.sessions(NAMESPACE), 0, [record])
    return bench


def _plain(topology: Topology) -> dict[str, str]:
    configs = next(dict(topic.configs) for topic in topology.topics if topic.key == "review")
    return {**configs, "min.insync.replicas": "1"}


async def route(bench: Bench, count: int) -> Figures:
    """Run the router until it has routed `count` events; timed from owning a partition to the last commit."""
    stop = asyncio.Event()
    routed = 0
    began = ended = cpu_began = cpu_ended = 0.0

    def observe(fact: Fact) -> None:
        nonlocal routed, began, ended, cpu_began, cpu_ended
        if isinstance(fact, PartitionFenced) and not began:
            began, cpu_began = time.perf_counter(), time.process_time()
        elif isinstance(fact, BatchRouted):
            if fact.dead_letters:
                raise AssertionError("an event of the benchmark became a dead letter")
            routed += sum(fact.events.values())
            if routed >= count:
                ended, cpu_ended = time.perf_counter(), time.process_time()
                stop.set()

    await Router(bench.role("router"), observe).run(stop)
    return Figures(count / (ended - began), (cpu_ended - cpu_began) / count * 1e6)


async def latency(bench: Bench, rate: int, seconds: float) -> dict[str, float]:
    """Send `rate` events a second one by one; return percentiles in ms from produced_at to the router's commit."""
    stop, delays = asyncio.Event(), []
    fenced: set[int] = set()

    def observe(fact: Fact) -> None:
        if isinstance(fact, PartitionFenced):
            fenced.add(fact.partition)
        elif isinstance(fact, BatchRouted):
            delays.extend(fact.delays)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Router(bench.role("router"), observe).run(stop))
        while len(fenced) < PARTITIONS:  # noqa: ASYNC110 - facts come from the router's own tasks
            await asyncio.sleep(0.05)
        async with BatchWriter(bench.role("portal").endpoint) as writer:
            due, count = time.perf_counter(), int(rate * seconds)
            for _ in range(count):
                for partition, records in bench.seal(1).items():
                    if records:
                        tasks.create_task(writer.write(names.submissions(NAMESPACE), partition, records))
                due += 1 / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            while len(delays) < count:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
        stop.set()
    cuts = statistics.quantiles((delay * 1_000 for delay in delays), n=100)
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1)}


async def relay(bench: Bench, events: dict[int, list[Outgoing]], start: dict[int, int], count: int) -> Figures:
    """Read the same events and write three slices of the same sizes, as plainly as the client allows."""
    options = bench.role("admin").endpoint.client_options()
    sample = parse(next(records[0].value or b"" for records in events.values() if records))
    review = next(each.audience for each in sample.sections if each.audience.startswith("review"))
    helpdesk = next(each.audience for each in sample.sections if each.audience.startswith("helpdesk"))
    sizes = [len(copy) for copy in outputs(sample, [review, helpdesk, None])]
    topic = names.submissions(NAMESPACE)
    consumer = AIOKafkaConsumer(
        **options, enable_auto_commit=False, isolation_level="read_committed", max_partition_fetch_bytes=8 * 2**20
    )
    producer = AIOKafkaProducer(**options, acks="all", enable_idempotence=True, max_batch_size=2**20)
    await consumer.start()
    await producer.start()
    try:
        consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
        for partition, offset in start.items():
            consumer.seek(TopicPartition(topic, partition), offset)
        relayed = 0
        began, cpu_began = time.perf_counter(), time.process_time()
        while relayed < count:
            found = await consumer.getmany(timeout_ms=1_000)
            waiting = []
            for place, records in found.items():
                relayed += len(records)
                for name, size in zip(_RELAY, sizes, strict=True):
                    batch = producer.create_batch()
                    for record in records:
                        value = record.value[:size]
                        if batch.append(key=record.key, value=value, timestamp=None) is None:
                            waiting.append(
                                await producer.send_batch(batch, f"{NAMESPACE}.{name}", partition=place.partition)
                            )
                            batch = producer.create_batch()
                            batch.append(key=record.key, value=value, timestamp=None)
                    waiting.append(await producer.send_batch(batch, f"{NAMESPACE}.{name}", partition=place.partition))
            if waiting:
                await asyncio.gather(*waiting)
        ended, cpu_ended = time.perf_counter(), time.process_time()
    finally:
        await producer.stop()
        await consumer.stop()
    return Figures(count / (ended - began), (cpu_ended - cpu_began) / count * 1e6)


def summary(name: str, figures: Sequence[Figures]) -> dict[str, Any]:
    """Return minimum, median and maximum of the rounds."""
    rates = [each.events_per_second for each in figures]
    return {
        "name": name,
        "events_per_second": {
            "min": round(min(rates)),
            "median": round(statistics.median(rates)),
            "max": round(max(rates)),
        },
        "cpu_us_per_event": round(statistics.median(each.cpu_us_per_event for each in figures), 1),
    }


async def measure(
    home: Path, bootstrap: str, authority: CertificateAuthority, events: int, rounds: int
) -> dict[str, Any]:
    """Run `rounds` interleaved rounds of `events` events each; return both engines' figures and their ratios."""
    bench = await prepare(home, bootstrap, authority)
    start = dict.fromkeys(range(PARTITIONS), 0)
    routed, relayed = [], []
    for number in range(rounds):
        made = await asyncio.to_thread(bench.seal, events)
        await bench.preload(made)
        if number % 2:
            relayed.append(await relay(bench, made, start, events))
            routed.append(await route(bench, events))
        else:
            routed.append(await route(bench, events))
            relayed.append(await relay(bench, made, start, events))
        start = {partition: start[partition] + len(made[partition]) for partition in start}
    delay = await latency(bench, 200, 10.0)
    ratios = [one.events_per_second / other.events_per_second for one, other in zip(routed, relayed, strict=True)]
    return {
        "events_per_round": events,
        "rounds": rounds,
        "router": summary("sealed exactly-once router", routed),
        "relay": summary("bare aiokafka relay", relayed),
        "latency_ms_at_200_per_second": delay,
        "ratio": {
            "min": round(min(ratios), 2),
            "median": round(statistics.median(ratios), 2),
            "max": round(max(ratios), 2),
        },
    }


def run(events: int = 20_000, rounds: int = 3) -> dict[str, Any]:
    """Start a Kafka of its own, measure, stop it."""
    with tempfile.TemporaryDirectory(prefix="eltax-hub-bench-") as directory:
        home = Path(directory)
        authority = CertificateAuthority.create(home / "authority")
        with EmbeddedKafka(home / "broker", authority, heap="1g") as node:
            return loop_run(measure(home, node.bootstrap, authority, events, rounds))


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.events, arguments.rounds), indent=2))


if __name__ == "__main__":
    main()
