"""Publishing while the audit desk runs: every few seconds, in a thread of its own, and once more at the end.

What can heal (disk, another publisher) is waited for. What is published and contradicts the database is an
alarm, and publishing stops until a person has looked; the desk goes on reading, because its rows are what
will show what happened.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from consumers.audit.log_directory import LogContradicted, PublishingBusy
from consumers.audit.publishing import Published, Publisher
from consumers.patience import sleep
from hub.facts import Alarm, LogPublished, Observer, Paused
from schemas.errors import HubError

_STAGE: Final = "audit-publish"


@dataclass(frozen=True, slots=True)
class Publication:
    """A log's publisher, and how often it is to publish, in seconds."""

    publisher: Publisher
    seconds: float


async def publish_while_running(
    publication: Publication, principal: str, observer: Observer, stop: asyncio.Event
) -> None:
    """Publish until `stop`. Raises what is neither retriable nor a contradiction (a damaged store)."""
    tenant = principal.rpartition("-")[2]
    told: Published | None = None
    paused: str | None = None
    last = False
    while not last:
        await sleep(stop, publication.seconds)
        last = stop.is_set()
        try:
            done = await asyncio.to_thread(publication.publisher.publish)
        except LogContradicted as error:
            observer(Alarm(error.code, principal))
            observer(Paused(_STAGE, error.code, True))
            return
        except PublishingBusy:
            continue  # somebody publishes by hand
        except HubError as error:
            if not error.retriable:
                raise
            if paused != error.code:
                observer(Paused(_STAGE, error.code, True))
                observer(Alarm(error.code, principal))
                paused = error.code
            continue
        if paused is not None:
            observer(Paused(_STAGE, paused, False))
            paused = None
        if told is None or (done.size, done.cosignatures) != (told.size, told.cosignatures):
            observer(LogPublished(tenant, done.size, done.cosignatures))
            told = done
