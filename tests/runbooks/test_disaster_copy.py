"""docs/runbooks/disaster-copy.md: a copy made under load and through a kill; its source destroyed, the hub goes on."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from broker.embedded import EmbeddedKafka
from cli.home import Home
from cli.stack import Stack
from hub.crypto.certificates import CertificateAuthority
from hub.transport import BatchWriter, Endpoint, NotAuthorized, Outgoing, TlsIdentity
from tests.broker.documents import SECRETS, document
from tests.broker.hub import Hub, eventually
from tests.runbooks.steps import execute, headings
from topics import names

pytestmark = [pytest.mark.soak(target="runbooks"), pytest.mark.timeout(570)]
BATCH = 20
PARTITIONS = 2


def receipts(number: int) -> list[str]:
    """The receipt numbers of one batch."""
    return [f"R7-13104-{850_000 + number * BATCH + each:09d}" for each in range(BATCH)]


@dataclass
class Site:
    """What is elsewhere: the second Kafka, the mirror's machine, archives and escrow."""

    root: Path
    copy: str

    def words(self, *wanted: str) -> dict[str, str]:
        paths = {each: str(self.root / each.lower()) for each in ("MIRROR", "ARCHIVES", "ESCROW", "PASSPHRASE")}
        return {name: value for name, value in {**paths, "COPY": self.copy}.items() if name in wanted}

    @property
    def mirror(self) -> Path:
        return self.root / "mirror"

    def running(self) -> dict[str, Any] | None:
        """What the mirror's process says of itself; None if it does not run."""
        try:
            said: dict[str, Any] = json.loads((self.mirror / "run.json").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return said

    def endpoint(self, bootstrap: str) -> Endpoint:
        tls = TlsIdentity(self.mirror / "tls.crt", self.mirror / "tls.key", self.mirror / "ca.crt")
        return Endpoint(bootstrap, tls, "mirror")

    def end(self) -> None:
        """End the mirror, as its supervisor would."""
        if (said := self.running()) is not None:
            os.kill(said["pid"], signal.SIGTERM)
            eventually(lambda: self.running() is None)


@contextmanager
def second_site(root: Path, broker: Path, authority: CertificateAuthority) -> Iterator[Site]:
    root.mkdir(parents=True)
    with EmbeddedKafka(broker, authority, heap="320m") as kafka:
        site = Site(root, kafka.bootstrap)
        try:
            yield site
        finally:
            site.end()


def test_every_section_is_executed_here() -> None:
    assert headings("disaster-copy") == [
        "Declare the mirror",
        "Begin the copy",
        "Look whether it copies",
        "The source is gone",
        "Go on at the copy",
        "See that it is whole",
    ]


def test_a_hub_goes_on_at_the_copy_when_its_source_is_destroyed(tmp_path: Path) -> None:
    first, second = Home(tmp_path / "first" / "home"), Home(tmp_path / "second" / "home")
    for home in (first, second):
        home.path.parent.mkdir()
    broker = tmp_path / "second" / "broker"  # the second site's brokers are machines of their own
    kept, copied, lost = receipts(0), [*receipts(1), *receipts(2), *receipts(3)], receipts(4)[:3]
    with Stack(first, namespace="rehearsal", partitions=PARTITIONS, broker_metrics=False) as stack:
        hub = Hub(stack)
        hub.submit(*map(document, kept))
        shown = hub.stored(kept[-1])
        authority = CertificateAuthority.load(first.path / "authority")
        with second_site(tmp_path / "elsewhere", broker, authority) as site:
            execute("disaster-copy", "Declare the mirror", first.path)
            execute("backup", "Once: the escrow key", first.path, **site.words("ESCROW", "PASSPHRASE"))
            execute("backup", "Every night", first.path, **site.words("ARCHIVES"))
            execute("disaster-copy", "Begin the copy", first.path, **site.words("MIRROR", "COPY"))
            _copies_through_a_kill(hub, site, copied)
            said = execute("disaster-copy", "Look whether it copies", first.path, **site.words("MIRROR"))
            print(said[0].out, said[1].out)
            assert "copying; 0 records behind" in said[0].out
            _is_sealed_and_may_write_nowhere_else(site, stack)
            site.end()
            hub.submit(*map(document, lost))  # acknowledged, and nobody copies it
            hub.stored(lost[-1])
            stack.kafka.kill()
            stack.roles.stop()
            assert not _files_with_content(broker)
            shutil.rmtree(first.path)

            words = site.words("ARCHIVES", "ESCROW", "PASSPHRASE")
            execute("disaster-copy", "The source is gone", second.path, **words)
            (done,) = execute("disaster-copy", "Go on at the copy", second.path, **site.words("COPY"))
            print(done.out)
            with pytest.raises(NotAuthorized):
                asyncio.run(_writes(site.endpoint(site.copy), names.submissions("rehearsal")))
    broker.rename(second.broker)
    with Stack(second, namespace="rehearsal", partitions=PARTITIONS, broker_metrics=False) as stack:
        hub = Hub(stack)
        again = hub.stored(kept[-1])
        assert (again["items"], again["event_id"]) == (shown["items"], shown["event_id"])
        _holds(hub, {*kept, *copied})
        hub.submit(*map(document, lost))
        for receipt in lost:
            hub.stored(receipt)
        hub.quiet()
        _holds(hub, {*kept, *copied, *lost})
        _is_whole(hub, {*kept, *copied, *lost})


def test_a_home_that_lost_only_its_brokers_goes_on_and_names_what_was_not_copied(tmp_path: Path) -> None:
    home = Home(tmp_path / "hub" / "home")
    home.path.parent.mkdir()
    broker = tmp_path / "second" / "broker"
    kept, copied, lost = receipts(5)[:5], receipts(6)[:5], receipts(7)[:3]
    with Stack(home, namespace="rehearsal", partitions=PARTITIONS, broker_metrics=False) as stack:
        hub = Hub(stack)
        hub.submit(*map(document, kept))
        hub.stored(kept[-1])
        hub.quiet()
        asyncio.run(_seven_days_pass(stack))  # so that places at the source lie far behind the ends of the copy
        execute("disaster-copy", "Declare the mirror", home.path)
        authority = CertificateAuthority.load(home.path / "authority")
        with second_site(tmp_path / "elsewhere", broker, authority) as site:
            execute("disaster-copy", "Begin the copy", home.path, **site.words("MIRROR", "COPY"))
            stack.roles.stop([name for name in stack.roles.running if name.endswith("-131041")])
            hub.submit(*map(document, copied))  # routed and copied, and no desk has read it
            _caught_up(hub, site)
            hub.json("topics", "shut-out", "mirror")  # it ends by itself, as one who may not go on
            eventually(lambda: "kafka.not-authorized" in (site.mirror / "run.log").read_text(), 90, pause=1)
            assert site.running() is None
            stack.stop_roles()
            hub.submit(*map(document, lost))  # acknowledged; neither routed nor copied
            stack.stop()
            shutil.rmtree(home.broker)
            (done,) = execute("disaster-copy", "Go on at the copy", home.path, **site.words("COPY"))
            print(done.out)
    broker.rename(home.broker)
    with Stack(home, namespace="rehearsal", partitions=PARTITIONS, broker_metrics=False) as stack:
        hub = Hub(stack)
        hub.quiet()
        _holds(hub, {*kept, *copied})
        assert {each["receipt_number"] for each in hub.json("mirror", "missing")} == set(lost)
        hub.submit(*map(document, lost))
        for receipt in lost:
            hub.stored(receipt)
        assert hub.json("mirror", "missing") == []
        hub.quiet()
        _holds(hub, {*kept, *copied, *lost})
        _is_whole(hub, {*kept, *copied, *lost})


def _is_whole(hub: Hub, wanted: set[str]) -> None:
    said = execute("disaster-copy", "See that it is whole", hub.home.path)
    assert min(wanted) in said[0].out and max(wanted) in said[0].out
    print(hub.run("reconcile", "--json", seconds=250).stdout.decode())
    for each in hub.json("audit", "verify"):
        print(each)
        assert (each["verified"], each["gaps"], each["unconfirmed"], each["troubles"]) == (True, 0, 0, {}), each
        assert each["events"] == (len(wanted) if each["tenant"] == "131041" else 0)


def _copies_through_a_kill(hub: Hub, site: Site, copied: list[str]) -> None:
    """Filings go on while the mirror begins, while it is killed in the midst of it, and while it goes on."""
    with ThreadPoolExecutor(1) as pool:
        filing = pool.submit(
            lambda: [hub.submit(*map(document, copied[at : at + BATCH])) for at in range(0, 60, BATCH)]
        )
        running = eventually(site.running, 120)
        eventually(lambda: "copying" in (site.mirror / "run.log").read_text(), 120)
        os.kill(running["java"], signal.SIGKILL)
        eventually(lambda: "mirror.failed" in (site.mirror / "run.log").read_text(), 60)
        assert site.running() is None
        execute("disaster-copy", "Begin the copy", hub.home.path, **site.words("MIRROR", "COPY"))
        filing.result()
    hub.stored(copied[-1])
    _caught_up(hub, site)


def _caught_up(hub: Hub, site: Site) -> None:
    hub.quiet()

    def caught_up() -> bool:
        done = hub.run("mirror", "status", str(site.mirror), "--json")
        if not done.stdout:
            return False
        said = json.loads(done.stdout)
        return bool(done.returncode == 0 and said["running"] and said["behind"] == 0)

    eventually(caught_up, 150, pause=2)


def _is_sealed_and_may_write_nowhere_else(site: Site, stack: Stack) -> None:
    assert not _files_with_content(site.root)
    for source_topic in (names.submissions("rehearsal"), names.operations("rehearsal")):
        with pytest.raises(NotAuthorized):
            asyncio.run(_writes(site.endpoint(stack.bootstrap), source_topic))
    private = [path for path in site.mirror.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert {path.name for path in private} == {"tls.key", "keystore.pem"}, "of its certificate, and no other key"


def _files_with_content(directory: Path) -> list[Path]:
    """The files in which anything of a filing stands in clear."""
    marks = [mark.encode() for mark in SECRETS.values()]
    files = (path for path in directory.rglob("*") if path.is_file())
    return [path for path in files if any(mark in path.read_bytes() for mark in marks)]


async def _seven_days_pass(stack: Stack) -> None:
    """Have the source delete what retention would: every record of the topics that keep it for seven days."""
    week = str(168 * 3_600_000)
    topics = [topic for topic in stack.topology.topics if topic.configs.get("retention.ms") == week]
    places = [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]
    admin = AIOKafkaAdminClient(**stack.admin().client_options())
    await admin.start()
    try:
        await admin.delete_records({place: RecordsToDelete(before_offset=-1) for place in places})
    finally:
        await admin.close()


async def _writes(endpoint: Endpoint, topic: str) -> None:
    async with BatchWriter(endpoint) as writer:
        await writer.write(topic, 0, [Outgoing(b"forged", b"forged")])


def _holds(hub: Hub, wanted: set[str]) -> None:
    """The review desk has each of them once, the audit desk and the helpdesk too."""

    def there() -> bool:
        listed = [each["receipt_number"] for each in hub.json("review", "list")]
        return sorted(listed) == sorted(wanted)

    eventually(there, 120, pause=2)
    for receipt in (min(wanted), max(wanted)):
        assert hub.stored(receipt)["items"]["remarks"] == document(receipt)["items"]["remarks"]
        eventually(lambda receipt=receipt: hub.run("helpdesk", "lookup", receipt, "--json").returncode == 0, pause=1)
