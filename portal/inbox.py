"""A directory as the way in: whole files that appear in it are submitted, and answered in another.

    in/         a file is put beside it and renamed into it; names that begin with a dot are not looked at
    answers/    <name>.answers.jsonl, one answer a document, as `submit --json` gives them; whole or not there
    refused/    a file of which a document was refused; somebody must look at it

A file that was accepted whole is removed: what it said is in the journal, sealed, and this machine keeps no plaintext.
After a crash it is still in `in/` and is submitted again; the same input is the same event and is answered `duplicate`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from hub.facts import Alarm, Observer
from portal.files import Takes, chunks, submit_documents
from portal.results import Status
from schemas.errors import HubError

IN: Final = "in"
ANSWERS: Final = "answers"
REFUSED: Final = "refused"
LOOK_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 2.0
MOST_AT_ONE_LOOK: Final = 1_000
_SUFFIXES: Final = (".json", ".jsonl")
STAGE: Final = "inbox"


class InboxUnusable(HubError):
    """The inbox is not a directory that we may read and write."""

    code = "portal.inbox"
    hint = "It and its in/, answers/ and refused/ must belong to the user that the portal runs as."


class Inbox:
    """The three directories; made if they are missing."""

    def __init__(self, directory: Path) -> None:
        """Raises InboxUnusable."""
        self.incoming, self.answers, self.refused = (directory / name for name in (IN, ANSWERS, REFUSED))
        try:
            for each in (self.incoming, self.answers, self.refused):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not os.access(each, os.R_OK | os.W_OK | os.X_OK):
                    raise InboxUnusable(each.name)
        except OSError as error:
            raise InboxUnusable(type(error).__name__) from None

    def waiting(self) -> list[Path]:
        """The files to be submitted, by name; at most 1,000 at once. Raises InboxUnusable."""
        try:
            with os.scandir(self.incoming) as entries:
                found = [Path(each.path) for each in entries if _is_meant(each)]
        except OSError as error:
            raise InboxUnusable(type(error).__name__) from None
        return sorted(found)[:MOST_AT_ONE_LOOK]

    async def submit(self, portal: Takes, file: Path) -> bool:
        """Submit one file, write its answers, take it out of `in/`; False if a document of it was refused.

        Raises a HubError if nothing can be accepted at the moment: the file stays and is submitted again.
        """
        answers = self.answers / f"{file.name}.answers.jsonl"
        new = answers.with_name(f".{answers.name}")
        good = True
        with new.open("w", encoding="utf-8") as out:
            async for answered in submit_documents(portal, chunks(file), file.name):
                good = good and answered.result.status is not Status.REFUSED
                out.write(json.dumps(answered.result.as_json(), ensure_ascii=False, separators=(",", ":")) + "\n")
            out.flush()
            os.fsync(out.fileno())
        self._done(file, new, answers, good)
        return good

    def _done(self, file: Path, new: Path, answers: Path, good: bool) -> None:
        new.replace(answers)
        if good:
            file.unlink()
        else:
            file.replace(self.refused / file.name)


async def serve(
    portal: Takes,
    inbox: Inbox,
    stop: asyncio.Event,
    observer: Observer,
    *,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Submit what appears until `stop`; what cannot be submitted now is tried again, in order."""
    while not stop.is_set():
        waited = LOOK_SECONDS
        for file in inbox.waiting():
            if stop.is_set():
                return
            try:
                await inbox.submit(portal, file)
            except FileNotFoundError:  # whoever put it there took it away again
                continue
            except HubError as error:
                if not error.retriable:
                    raise
                observer(Alarm(error.code, STAGE))
                waited = RETRY_SECONDS
                break
        await _until(stop, pause(waited))


async def _until(stop: asyncio.Event, pausing: Awaitable[object]) -> None:
    """Wait for the pause or `stop`, whichever comes first."""
    both = [asyncio.ensure_future(pausing), asyncio.ensure_future(stop.wait())]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    for each in both:
        each.cancel()
    for each in both:
        with contextlib.suppress(asyncio.CancelledError):
            await each


def _is_meant(entry: os.DirEntry[str]) -> bool:
    """A plain file of our kind: no link leads the portal to another file."""
    if entry.name.startswith(".") or not entry.name.endswith(_SUFFIXES):
        return False
    try:
        return stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
