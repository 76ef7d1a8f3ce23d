"""A command asks the running `up` to restart one of its brokers, for they are its children; two files in `run/`.

HUB_HOME is its owner's alone, so whoever may write there could as well start `up`. One command at a time: it holds a
lock from its question to the answer. A question is answered once, and one that nobody waits for any more is done too.
"""

from __future__ import annotations

import fcntl
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import SubprocessError
from typing import Any, ClassVar, Final

from cli.home import Home
from hub.crypto.certificates import write_private
from schemas.errors import HubError

_REQUEST: Final = "broker.request"
_ANSWER: Final = "broker.answer"
_LOCK: Final = "broker.lock"
_LOOK_SECONDS: Final = 0.2
_TAKEN_SECONDS: Final = 60.0
"""`up` looks twice a second, unless it is at work for somebody else"""


class AlreadyRestarting(HubError):
    """Another command restarts a broker of this home just now."""

    code: ClassVar[str] = "brokers.busy"
    hint: ClassVar[str] = "One at a time: wait for it."
    retriable: ClassVar[bool] = True


class RestartFailed(HubError):
    """The broker was not restarted, or did not come back."""

    code: ClassVar[str] = "brokers.restart-failed"
    hint: ClassVar[str] = "The others serve on. See what it says, and do the same again; it is started if it is away."


class NotAnswered(HubError):
    """`up` does not answer."""

    code: ClassVar[str] = "brokers.not-answered"
    hint: ClassVar[str] = "Does `eltax-hub up` still run? Was it started by an older version?"


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    with (home.run / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRestarting from None
        yield


def ask(home: Home, broker: str) -> None:
    """Have a broker (`broker-2`) stopped and started, and wait for that.

    Raises NoHub, AlreadyRestarting, NotAnswered, RestartFailed.
    """
    with _alone(home):
        number = secrets.token_hex(8)
        home.running()
        _write(home.run / _REQUEST, {"id": number, "broker": broker})
        deadline = time.monotonic() + _TAKEN_SECONDS
        while True:
            home.running()  # raises when `up` has ended meanwhile
            said = _read(home.run / _ANSWER)
            if said.get("id") == number and said.get("state") != "taken":
                break
            if said.get("id") != number and time.monotonic() > deadline:
                (home.run / _REQUEST).unlink(missing_ok=True)
                raise NotAnswered
            time.sleep(_LOOK_SECONDS)
        if said["state"] != "done":
            raise RestartFailed(f"({broker}: {said.get('error', '')})")


def forget(home: Home) -> None:
    """Nobody asked the `up` that begins now."""
    for name in (_REQUEST, _ANSWER):
        (home.run / name).unlink(missing_ok=True)


def serve(home: Home, restart: Callable[[str], None]) -> None:
    """Do what was asked, if anything was. What goes wrong is the asker's to hear: the hub goes on."""
    path = home.run / _REQUEST
    if not path.exists():
        return
    asked = _read(path)
    path.unlink(missing_ok=True)
    number, broker = str(asked.get("id", "")), str(asked.get("broker", ""))
    _write(home.run / _ANSWER, {"id": number, "state": "taken"})
    try:
        restart(broker)
    except (HubError, OSError, SubprocessError) as error:
        said = f"{error.code}: {error}" if isinstance(error, HubError) else type(error).__name__
        _write(home.run / _ANSWER, {"id": number, "state": "failed", "error": said})
    else:
        _write(home.run / _ANSWER, {"id": number, "state": "done"})


def _read(path: Path) -> dict[str, Any]:
    with suppress(FileNotFoundError, ValueError):
        said = json.loads(path.read_text("utf-8"))
        if isinstance(said, dict):
            return said
    return {}


def _write(path: Path, said: dict[str, str]) -> None:
    write_private(path, json.dumps(said).encode())
