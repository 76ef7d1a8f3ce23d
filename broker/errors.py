"""What can go wrong with the embedded Kafka, each with what to do next."""

from __future__ import annotations

from schemas.errors import HubError


class JarsUnavailable(HubError):
    """The Kafka jars could not be downloaded."""

    code = "broker.jars-unavailable"
    hint = (
        "The first start needs Maven Central once. Without it: copy the files that broker/jars.lock lists into the "
        "directory named here, or set HUB_JARS to a directory that holds them."
    )


class JarMismatch(HubError):
    """A jar is not the one that the lock names."""

    code = "broker.jar-mismatch"
    hint = "It was not put on the class path. Delete it and start again; if that repeats, do not trust its source."


class BrokerInUse(HubError):
    """Another process runs a broker on this directory."""

    code = "broker.in-use"
    hint = "Stop it first, or choose another HUB_HOME."


class BrokerFailed(HubError):
    """The broker did not start."""

    code = "broker.failed"
    hint = "The last lines of its log are above; the whole log is in the broker directory."
