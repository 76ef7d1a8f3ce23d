"""The administrator's part of a disaster copy: laying it out, what the mirror is told, and ending it.

A mirror is given one directory: certificate, key, the authority's certificate, and `mirror.json`. There is no key in it
that opens or signs anything of the hub.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Final, Self

from hub.crypto.certificates import write_private, write_public
from hub.transport import Endpoint, TlsIdentity
from hub.transport.admin import Admin
from schemas.errors import HubError
from topics import copying
from topics.layout import Principal, Topic, Topology
from topics.plan import AllowAcl, DeleteTopic, Plan, RemoveAcl
from topics.plan import plan as plan_for

VERSION: Final = 1
_FILE: Final = "mirror.json"
_SETTLE_SECONDS: Final = 20.0


class NoMirror(HubError):
    """The declaration names no mirror."""

    code: ClassVar[str] = "mirror.undeclared"
    hint: ClassVar[str] = "Declare a principal with `mirrors: true`, `eltax-hub topics apply` (docs/runbooks)."


class CopyInUse(HubError):
    """Somebody else has rights at what was named as the copy: a hub works there."""

    code: ClassVar[str] = "mirror.copy-in-use"
    hint: ClassVar[str] = "Nothing was touched. A copy is a Kafka of its own; is this the source's address?"


class CopyNotSettled(HubError):
    """The brokers of the copy do not answer as they were told."""

    code: ClassVar[str] = "mirror.copy-not-settled"
    retriable: ClassVar[bool] = True
    hint: ClassVar[str] = "Do it again; what is done is not done twice."


class NoErrand(HubError):
    """This directory was not made by `eltax-hub mirror prepare`, or by another version of it."""

    code: ClassVar[str] = "mirror.directory"
    hint: ClassVar[str] = "`eltax-hub mirror prepare DIRECTORY` makes one, and makes it anew."


@dataclass(frozen=True, slots=True)
class Copied:
    """A topic that is copied; `retention_ms` None: the newest record of each key stays."""

    name: str
    partitions: int
    retention_ms: int | None


@dataclass(frozen=True, slots=True)
class Errand:
    """What a mirror is told: from where, to where (`host:port[,host:port]`), which topics."""

    namespace: str
    principal: str
    source: str
    copy: str
    topics: tuple[Copied, ...]

    @classmethod
    def of(cls, topology: Topology, source: str, copy: str) -> Self:
        """What the mirror of a topology is to do. Raises NoMirror."""
        topics = tuple(Copied(each.name, each.partitions, _retention(each)) for each in copying.copied(topology))
        return cls(topology.namespace, the_mirror(topology).name, source, copy, topics)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read a mirror's directory. Raises NoErrand."""
        try:
            said = json.loads((directory / _FILE).read_text("utf-8"))
            if said.pop("version") != VERSION:
                raise NoErrand(f"({directory})")
            return cls(**{**said, "topics": tuple(Copied(**each) for each in said["topics"])})
        except (OSError, ValueError, TypeError, KeyError):
            raise NoErrand(f"({directory})") from None

    def save(self, directory: Path, certificates: Path) -> None:
        """Make the directory, or make it anew: its certificate is that of today."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(directory / "tls.key", (certificates / f"{self.principal}.key").read_bytes())
        write_public(directory / "tls.crt", (certificates / f"{self.principal}.crt").read_bytes())
        write_public(directory / "ca.crt", (certificates / "ca.crt").read_bytes())
        write_private(directory / _FILE, json.dumps({"version": VERSION, **asdict(self)}, indent=1).encode())

    def endpoints(self, directory: Path) -> tuple[Endpoint, Endpoint]:
        """How the mirror reaches source and copy."""
        tls = TlsIdentity(directory / "tls.crt", directory / "tls.key", directory / "ca.crt")
        return Endpoint(self.source, tls, self.principal), Endpoint(self.copy, tls, self.principal)

    def own(self, dataset: str) -> str:
        """The full name of a topic or group of the mirror's own."""
        return f"{self.namespace}.{dataset}"


def _retention(topic: Topic) -> int | None:
    return int(topic.configs["retention.ms"]) if "retention.ms" in topic.configs else None


def the_mirror(topology: Topology) -> Principal:
    """The declared mirror. Raises NoMirror."""
    found = copying.mirror_of(topology)
    if found is None:
        raise NoMirror
    return found


async def lay_out_copy(topology: Topology, copy: Endpoint) -> Plan:
    """Make topics and the mirror's rights at the copy; may be run again, and after a change of the declaration.

    Returns what was done. Raises NoMirror, CopyInUse, CopyNotSettled, PartitionsChanged, TransportError.
    """
    mirror = the_mirror(topology)
    layout = copying.at_copy(topology, mirror)
    async with Admin(copy) as admin:
        current = await admin.current(layout)
        if any(acl.principal != mirror.name for acl in current.acls):
            raise CopyInUse
        planned = plan_for(current, layout)
        leader = [AllowAcl(acl) for acl in copying.leader_rights(topology, mirror.name)]
        await admin.execute(Plan((*planned.steps, *leader), ()))
        if (left := await admin.settle(layout)).steps:
            raise CopyNotSettled(f"({len(left.steps)} steps)")
    return planned


async def end_copying(topology: Topology, copy: Endpoint) -> int:
    """Take from the mirror all that it may do at the copy, and its own topics; returns how many rights that were.

    From then on nothing comes from the old source, should it still run.

    Raises NoMirror, CopyNotSettled, TransportError.
    """
    mirror = the_mirror(topology)
    layout = copying.at_copy(topology, mirror)
    own = {copying.own_topic(topology, each) for each in (copying.OFFSETS, copying.STATUS, copying.CONFIGS)}
    deadline = time.monotonic() + _SETTLE_SECONDS
    taken = 0
    async with Admin(copy) as admin:
        while True:
            current = await admin.current(layout)
            rights = [acl for acl in current.acls if acl.principal == mirror.name]
            topics = [topic.name for topic in current.topics if topic.name in own]
            if not rights and not topics:
                return taken
            if time.monotonic() > deadline:
                raise CopyNotSettled(f"({len(rights)} rights, {len(topics)} topics)")
            leader = copying.leader_rights(topology, mirror.name)
            steps = [RemoveAcl(acl) for acl in (*rights, *leader)] + [DeleteTopic(name) for name in topics]
            taken = max(taken, len(rights))
            await admin.execute(Plan(tuple(steps), ()))
            await asyncio.sleep(0.2)
