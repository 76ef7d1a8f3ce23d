"""Named places where a test may end the process, as a power cut would.

In production every call is one dictionary look-up in an empty set. A test sets HUB_CRASH_POINT to
`name` or `name:N` (the N-th arrival, from 1) in the process it starts, and HUB_CRASH_MARK to a file
that is written and synced just before SIGKILL, so that it can show that the point was reached.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

POINTS: Final = frozenset(
    {
        "portal.before-journal",
        "portal.after-journal",  # between journal and send
        "portal.after-send",  # between send and acknowledgement
        "portal.before-close",
        "portal.between-parts",  # an attachment is half sent
        "router.before-send",
        "router.after-send",  # between send and commit
        "router.after-commit",
        "review.before-decision-commit",
        "review.after-decision",  # between decision and outbox
        "review.after-telling",  # between the event's acknowledgement and the mark in the store
        "review.export-after-claim",
        "review.export-in-file",  # a page of rows is written
        "review.export-before-rename",
        "review.export-after-rename",  # between the file in its place and the mark in the store
        "tax.after-commit",
        "operator.before-send",
        "operator.after-replay",  # the record is sent back, nothing is stated
        "operator.after-statement",  # both are sent, nothing is committed
        "operator.after-commit",
        "consumer.after-commit",  # between database commit and outbox
        "audit.in-tile",  # a file of the published log is half written, under its temporary name
        "audit.between-tiles",
        "audit.before-checkpoint",  # every tile is there, the checkpoint is signed and perhaps cosigned
        "audit.after-checkpoint",
        "operations.before-append",  # a line has its place, and is not committed
        "operations.after-append",  # between the line on disk and its way to Kafka
        "operations.after-send",  # acknowledged, and not marked
        "operations.after-mark",
        "collector.before-commit",  # lines, leaves and offsets of a batch are written, and nothing is committed
        "collector.after-commit",
        "collector.before-following",  # lines about brokers are noted, how far their logs were read is not
        "apply.before-publishing",  # topics and rights are there, nobody has heard of them
        "grow.paused",
        "grow.fenced",  # nobody may write, and that all has arrived was not looked at again
        "grow.applied",  # the next generation is in force, its text is not where declarations are edited
        "witness.before-remembering",
        "witness.before-answer",  # remembered, and nobody was told
    }
)


def _armed() -> tuple[str, int] | None:
    wanted = os.environ.get("HUB_CRASH_POINT", "")
    if not wanted:
        return None
    name, _, nth = wanted.partition(":")
    if name not in POINTS:
        raise ValueError(f"unknown crash point {name!r}")
    return name, int(nth or "1")


_target = _armed()
_seen = 0


def reached(name: str) -> None:
    """End this process with SIGKILL if a test asked for it at this point; otherwise do nothing."""
    if _target is None or _target[0] != name:
        return
    global _seen
    _seen += 1
    if _seen < _target[1]:
        return
    mark = os.environ.get("HUB_CRASH_MARK")
    if mark:
        with Path(mark).open("w") as out:
            out.write(name)
            out.flush()
            os.fsync(out.fileno())
    os.kill(os.getpid(), signal.SIGKILL)
