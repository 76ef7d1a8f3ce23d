"""What can go wrong with the embedded Kafka, each with what to do next."""

from __future__ import annotations

from typing import ClassVar

from schemas.errors import HubError


class BrokerError(HubError):
    """The embedded Kafka could not do what was asked."""

    code: ClassVar[str] = "broker"


class JarsUnavailable(BrokerError):
    """The Kafka jars could not be downloaded."""

    code: ClassVar[str] = "broker.jars-unavailable"
    hint: ClassVar[str] = (
        "The first start needs Maven Central once. On a machine that has it, run `python -m broker.jars fetch "
        "DIRECTORY`; then copy the files into the directory named here, or set HUB_JARS to where they are. "
        "They are verified there too."
    )


class JarMismatch(BrokerError):
    """A jar is not the one that the lock names."""

    code: ClassVar[str] = "broker.jar-mismatch"
    hint: ClassVar[str] = (
        "It was not put on the class path. Delete it and start again; if that repeats, do not trust its source."
    )


class LockDamaged(BrokerError):
    """A file of pinned jars cannot be read as one."""

    code: ClassVar[str] = "broker.lock-damaged"
    hint: ClassVar[str] = "`python -m broker.jars lock VERSION FILE` writes one; without it the hub's own counts."


class CompilerUnknown(BrokerError):
    """HUB_KAFKA_COMPILER names none of the ways to compile."""

    code: ClassVar[str] = "broker.compiler-unknown"
    hint: ClassVar[str] = "Leave it out for a node that stays; `quick` is for one that lives for minutes."


class BrokerInUse(BrokerError):
    """Another process runs a broker on this directory."""

    code: ClassVar[str] = "broker.in-use"
    hint: ClassVar[str] = "Stop it first, or choose another HUB_HOME."


class BrokerPortTaken(BrokerError):
    """The port that the broker was told to use is taken."""

    code: ClassVar[str] = "broker.port-taken"
    hint: ClassVar[str] = "End the program that listens there, or let the broker choose a port."


class BrokerFailed(BrokerError):
    """The broker did not start."""

    code: ClassVar[str] = "broker.failed"
    hint: ClassVar[str] = "The last lines of its log are above; the whole log is in the broker directory under logs/."


class BrokerDiskFull(BrokerFailed):
    """The broker did not start: its disk is full."""

    code: ClassVar[str] = "broker.disk-full"
    hint: ClassVar[str] = "Make room, then start again. What was acknowledged is kept."


class BrokerDataDamaged(BrokerFailed):
    """The broker did not start: its data directory cannot be read."""

    code: ClassVar[str] = "broker.data-damaged"
    hint: ClassVar[str] = (
        "Restore the broker directory from a copy. Only where its records may be lost (a trial): delete it and "
        "start again."
    )


class NotSettled(BrokerError):
    """A cluster did not become whole in time, or has no active controller."""

    code: ClassVar[str] = "broker.not-settled"
    hint: ClassVar[str] = "More than half of the nodes must run; logs/server.log of each says what it waits for."
    retriable: ClassVar[bool] = True


class RegistryFailed(BrokerError):
    """The schema registry did not start."""

    code: ClassVar[str] = "broker.registry-failed"
    hint: ClassVar[str] = "Its last lines are above; the whole log is in its directory under logs/."


class MirrorFailed(BrokerError):
    """MirrorMaker ended, or one of its tasks failed."""

    code: ClassVar[str] = "mirror.failed"
    hint: ClassVar[str] = "The whole log is in its directory under logs/mirror.log; start it again: it goes on there."


class MirrorInUse(BrokerError):
    """Another mirror runs in this directory."""

    code: ClassVar[str] = "mirror.in-use"
    hint: ClassVar[str] = "End it first; two would only fence each other."
