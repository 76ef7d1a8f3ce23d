"""Files known submissions through `submit -`, at a rate, and keeps every answer; a portal that dies is started again.

What was handed to a portal and not answered is handed to the next one: the same input is the same event, so in the end
every submission has an answer. Answers are kept as they come, never by receipt: one too many is seen.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from tests.broker.hub import ENTRY

_MOST_WAITING: Final = 1_500
"""filings without an answer at most; fewer than the portal takes at once, or a frozen one would block us for ever"""
_TICK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What the portal said of one submission."""

    receipt: str
    event_id: str
    status: str
    at: float
    """`time.monotonic()`"""


class Load:
    """Filings on their way; `start`, then look at `filed` and `answers`, then `finish`."""

    def __init__(self, environment: Mapping[str, str], log: Path, documents: Iterator[dict[str, Any]], rate: float):
        """`rate` is filings per second; nothing is filed before `start`."""
        self._environment, self._log_path, self._documents = dict(environment), log, documents
        self.rate = rate
        self.most: float = float("inf")
        """how many may be filed so far"""
        self.answers: list[Answer] = []
        self.filed = 0
        self.tenants: dict[str, str] = {}
        """of each receipt number"""
        self.portals = 0
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._feeder = threading.Thread(target=self._feed, name="filings")
        self._problem: BaseException | None = None

    def start(self) -> None:
        """Begin."""
        self._begin()
        self._feeder.start()

    @property
    def pid(self) -> int:
        """Of the portal that files now."""
        assert self._process is not None
        return self._process.pid

    @property
    def waiting(self) -> int:
        """How many filings have no answer yet."""
        return len(self._waiting)

    @property
    def done(self) -> bool:
        """Everything is filed and answered."""
        self.check()
        return self._ended.is_set() and not self._waiting

    def check(self) -> None:
        """Raise what ended the filing."""
        if self._problem is not None:
            raise self._problem

    def restart(self) -> None:
        """The portal is dead or dies now (kill -9): a new one takes over, and is handed what has no answer."""
        assert self._process is not None
        self._process.kill()  # before the lock: who writes to a portal that does not read holds it
        with self._lock:
            self._begin()

    def finish(self) -> None:
        """Stop filing and end the portal."""
        self._stop.set()
        self._feeder.join(60)
        if self._process is not None:
            with contextlib.suppress(BrokenPipeError):
                assert self._process.stdin is not None
                self._process.stdin.close()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._log is not None:
            self._log.close()

    def _begin(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            assert self._process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # what was not handed over yet; it waits for its answer still
                self._process.stdin.close()
        if self._log is None:
            self._log = self._log_path.open("ab")
        self._process = subprocess.Popen(
            [*ENTRY, "submit", "-", "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self._environment,
            start_new_session=True,
        )
        self.portals += 1
        self._reader = threading.Thread(target=self._read, args=(self._process,), name="answers")
        self._reader.start()
        self._write([line for _, line in self._waiting])

    def _write(self, lines: list[bytes]) -> None:
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(b"".join(lines))
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # it died: whoever comes next is handed these again

    def _feed(self) -> None:
        began, owed = time.monotonic(), 0.0
        try:
            for document in self._documents:
                while self._held(owed) and not self._stop.is_set():
                    time.sleep(_TICK_SECONDS)
                    now = time.monotonic()
                    owed, began = min(owed + (now - began) * self.rate, 2 * self.rate), now
                if self._stop.is_set():
                    return
                owed -= 1
                receipt = document["receipt_number"]
                line = json.dumps(document, ensure_ascii=False).encode() + b"\n"
                with self._lock:
                    self.tenants[receipt] = document["tenant"]
                    self._waiting.append((receipt, line))
                    self.filed += 1
                    self._write([line])
            self._ended.set()
        except BaseException as problem:
            self._problem = problem

    def _held(self, owed: float) -> bool:
        """Whether the next one has to wait, with so many owed by now."""
        return owed < 1 or self.filed >= self.most or self.waiting >= _MOST_WAITING

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if not line.endswith(b"\n"):
                    return  # cut off by its death
                said = json.loads(line)
                self.answers.append(Answer(said["receipt_number"], said["event_id"], said["status"], time.monotonic()))
                receipt, _ = self._waiting.popleft()  # answers come in the order of filing
                assert receipt == said["receipt_number"], "an answer out of order"
                assert said["status"] in ("accepted", "duplicate"), said
        except BaseException as problem:
            self._problem = problem
        finally:
            process.stdout.close()
