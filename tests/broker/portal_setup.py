"""A namespace on the test broker with everything the portal needs, and a role directory for its process."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hub.crypto.audience import AudiencePrivateKey
from hub.crypto.hkdf import sha256
from hub.crypto.identity import IdentityKey
from hub.envelope.records import AudienceKey, StoredReceipt
from hub.envelope.signed import sign
from hub.envelope.times import epoch_bounds, epoch_of, next_epoch
from hub.envelope.trust import Right, Trust
from hub.envelope.trust_builder import TrustBuilder
from hub.transport import BatchWriter, Endpoint, NotAuthorized, Outgoing, PartitionReader, TlsIdentity
from hub.transport.admin import Admin
from tests.kafka import TestKafka
from tests.unit.producing.wire import Seen, look
from topics import declaration, names
from topics.expanding import expand
from topics.layout import Topology
from topics.plan import plan

TENANTS = ("131041", "999997")


def identity_of(namespace: str, principal: str) -> IdentityKey:
    """Return a principal's artificial identity key."""
    return IdentityKey.from_seed(sha256(f"{namespace}/{principal}".encode()))


def tls_of(kafka: TestKafka, principal: str) -> TlsIdentity:
    """Return a principal's certificate."""
    issued = kafka.identity(principal)
    return TlsIdentity(issued.certificate, issued.private_key, issued.ca)


@dataclass(frozen=True)
class Role:
    """What `PortalProducer` needs, loaded from a directory as its process would."""

    principal: str
    instance: str
    namespace: str
    bootstrap: str
    tls: TlsIdentity
    identity: IdentityKey
    trust: Trust
    topology: Topology
    state_directory: Path

    async def catch_up(self) -> None:
        """Nobody declares anything here."""

    def holds_back(self) -> bool:
        """No topic grows."""
        return False


def load_role(directory: Path) -> Role:
    """Load the role from the files that `prepare` wrote."""
    said = json.loads((directory / "role.json").read_text())
    namespace = said["namespace"]
    return Role(
        "portal",
        "portal-1",
        namespace,
        said["bootstrap"],
        TlsIdentity(*(Path(said[name]) for name in ("certificate", "private_key", "ca"))),
        identity_of(namespace, "portal"),
        Trust.load((directory / "trust.bin").read_bytes(), identity_of(namespace, "admin").public),
        expand(declaration.load(), namespace),
        directory / "state",
    )


@dataclass
class Portal:
    """The prepared namespace: where the portal's directory is, and how to look at the topics."""

    kafka: TestKafka
    namespace: str
    topology: Topology
    directory: Path

    def admin(self) -> Endpoint:
        return Endpoint(self.kafka.bootstrap, tls_of(self.kafka, "admin"), "test-admin")

    async def seen(self) -> Seen:
        """Read the submissions and sessions topics whole, committed records only."""
        events = names.submissions(self.namespace)
        places = [(events, partition) for partition in range(self.topology.partitions)]
        places.append((names.sessions(self.namespace), 0))
        async with PartitionReader(self.admin(), dict.fromkeys(places)) as reader:
            records = await reader.read_to_end()
        by_place = {place: [(r.key, r.value) for r in records if (r.topic, r.partition) == place] for place in places}
        return look(
            by_place[places[-1]],
            {partition: by_place[events, partition] for partition in range(self.topology.partitions)},
        )

    async def confirm(self, receipt: StoredReceipt, signer: str) -> None:
        """Write a receipt to the tenant's status topic as the desk would, signed by `signer`."""
        value = sign(StoredReceipt.RECORD, receipt.encode(), identity_of(self.namespace, signer))
        topic = names.status(self.namespace, receipt.tenant)
        async with BatchWriter(self.admin()) as writer:
            await writer.write(topic, receipt.partition, [Outgoing(receipt.key.encode(), value)])

    def environment(self, crash_point: str = "", mark: Path | None = None) -> dict[str, str]:
        """Return the environment of a portal process, armed with a crash point if one is named."""
        environment = {**os.environ, "PORTAL_DIRECTORY": str(self.directory)}
        if crash_point:
            environment["HUB_CRASH_POINT"] = crash_point
            environment["HUB_CRASH_MARK"] = str(mark)
        return environment


def _narrowed(topology: Topology, max_bytes: int | None) -> Topology:
    """Return the topology with a smaller limit on the submissions topic than the portal believes in."""
    if max_bytes is None:
        return topology
    return replace(
        topology,
        topics=tuple(
            replace(topic, configs={**topic.configs, "max.message.bytes": str(max_bytes)})
            if topic.name == names.submissions(topology.namespace)
            else topic
            for topic in topology.topics
        ),
    )


async def prepare(
    kafka: TestKafka, namespace: str, directory: Path, *, max_submission_bytes: int | None = None
) -> Portal:
    """Create topics and rights, publish audience keys, write the portal's files into `directory`."""
    topology = _narrowed(expand(declaration.load(), namespace), max_submission_bytes)
    portal = Portal(kafka, namespace, topology, directory)
    async with Admin(portal.admin()) as admin:
        await admin.execute(plan(await admin.current(topology), topology))
    now = datetime.now(UTC)
    builder = TrustBuilder(namespace)
    for principal in topology.principals:
        rights = [Right(topic.rpartition(".")[2], None) for topic in principal.produces]
        builder.principal(principal.name, may_produce=rights, instances=principal.instances or None)
        builder.identity(
            principal.name,
            identity_of(namespace, principal.name).public,
            now - timedelta(days=1),
            now + timedelta(days=400),
        )
        if principal.audience is not None:
            builder.audience(principal.audience, owner=principal.name)
    administrator = identity_of(namespace, "admin")
    (directory / "trust.bin").write_bytes(builder.sign(now, administrator))
    records = []
    for principal in topology.principals:
        if principal.audience is None:
            continue
        epoch = epoch_of(now)
        for month in (epoch, next_epoch(epoch)):
            private = AudiencePrivateKey.generate()
            key = AudienceKey(
                principal.audience, month, private.key_id, private.suite, private.public, *epoch_bounds(month)
            )
            owner = identity_of(namespace, principal.name)
            records.append(Outgoing(key.key.encode(), sign(AudienceKey.RECORD, key.encode(), owner, administrator)))
    async with BatchWriter(portal.admin()) as writer:
        await writer.write(names.audiences(namespace), 0, records)
    tls = tls_of(kafka, "portal")
    said = {
        "namespace": namespace,
        "bootstrap": kafka.bootstrap,
        "certificate": str(tls.certificate),
        "private_key": str(tls.private_key),
        "ca": str(tls.ca),
    }
    (directory / "role.json").write_text(json.dumps(said))
    await _until_rights_hold(Endpoint(kafka.bootstrap, tls_of(kafka, "portal"), "test-portal"), portal)
    return portal


async def _until_rights_hold(endpoint: Endpoint, portal: Portal) -> None:
    """New rights reach the broker's authorizer a little after they are acknowledged."""
    places = {(names.audiences(portal.namespace), 0): None}
    places |= {(names.status(portal.namespace, tenant), 0): None for tenant in TENANTS}
    async with asyncio.timeout(30):
        while True:
            try:
                async with PartitionReader(endpoint, places):
                    return
            except NotAuthorized:
                await asyncio.sleep(0.1)
