"""The frame of a role process: settings, log, metrics endpoint, signals, and an honest exit status."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from cli.process_frame import Frame, framed, renewing
from hub.facts import Lifecycle, Observer
from hub.loop import loop_run
from hub.reading.control import kept_current, reporter
from hub.role import Role, load_role
from hub.settings import LogSettings, RoleSettings, SpoolSettings, WatchSettings
from hub.standing import RoleGrown
from monitoring.hooks import install_hooks, tell_failure
from monitoring.logs import configure
from monitoring.network.own_path import OwnPath
from schemas.errors import HubError

Work = Callable[[Role, Observer, asyncio.Event], Awaitable[None]]

_PR_SET_PDEATHSIG = 1
_ANEW = -1
"""instead of an exit status: the next start goes on, with another generation of topics or without what was left over"""
_LAST_WORDS_SECONDS = 2.0
STUCK = "role.stuck"
"""the code of a process that had to end before its work did"""


def _die_with_parent() -> None:
    """Ask the kernel (Linux) for SIGTERM when the process that started us is gone; no orphan stays behind."""
    parent = os.environ.get("HUB_PARENT_PID")
    if not parent or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it went before we had asked
        sys.exit(1)


def _announce(run_file: Path, url: str) -> None:
    new = run_file.with_suffix(".new")
    new.write_text(json.dumps({"pid": os.getpid(), "metrics": url}))
    new.replace(run_file)


def run_role(
    command: str,
    conditions: frozenset[str],
    work: Work,
    *,
    own_path: bool = True,
    leave_seconds: float | None = None,
    anew: frozenset[str] = frozenset(),
) -> int:
    """Run one role until SIGTERM or SIGINT; return its exit status (0 stopped, 1 failed).

    When the topics have grown, or its work ends with one of the codes `anew`, it begins anew, under the same
    process id: whoever looks after it sees nothing of it. Without `own_path` its work itself probes the way to the
    brokers. With `leave_seconds` the process ends at the latest so long after it was told to stop or its work has
    ended: for a library whose tasks and threads wait for brokers without end.
    """
    _die_with_parent()
    settings = RoleSettings.from_environment()
    configure(principal=settings.role_dir.name, instance=settings.instance or command, file=settings.log_file)
    install_hooks()
    role = load_role(settings)
    with framed(
        role, conditions, configuration(settings), host=settings.metrics_address, port=settings.metrics_port
    ) as frame:
        _announce(role.state_directory / "run.json", frame.url)
        frame.observer(Lifecycle("started", {"command": command, "principal": role.principal}))
        path = OwnPath(role, frame.observer, WatchSettings().watch_seconds * own_path)
        leaving = _Leaving(leave_seconds, command, frame)
        status = loop_run(_until_stopped(role, frame, command, work, path, leaving, anew | {RoleGrown.code}))
        leaving.left()
    if status == _ANEW:
        _begin_anew()
    return status


def _begin_anew() -> None:
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves


class _Leaving:
    """Ends the process some time after it was told to stop or its work has ended, whoever still waits in it."""

    def __init__(self, seconds: float | None, command: str, frame: Frame) -> None:
        """Without `seconds` it never does."""
        self._seconds, self._command, self._frame = seconds, command, frame
        self._timer: threading.Timer | None = None
        self.status: int | None = None

    def begin(self) -> None:
        """From now on `seconds` are left; asked again it changes nothing."""
        if self._seconds is not None and self._timer is None:
            self._timer = threading.Timer(self._seconds, self._leave)
            self._timer.daemon = True
            self._timer.start()

    def left(self) -> None:
        """The loop is closed; what is left is a thread that the interpreter would wait for, or nothing."""
        others = (each for each in threading.enumerate() if each is not threading.main_thread() and not each.daemon)
        if self._timer is not None and not any(others):
            self._timer.cancel()

    def _leave(self) -> None:
        if self.status is None:
            self._frame.observer(Lifecycle("failed", {"command": self._command, "code": STUCK}))
            self.status = 1
        self._frame.operations.flush(_LAST_WORDS_SECONDS)
        if self.status == _ANEW:
            _begin_anew()
        os._exit(self.status)


def configuration(settings: RoleSettings) -> dict[str, object]:
    """What a process was told from outside, without secrets and without the place of its endpoint."""
    told = settings.model_dump(exclude={"key_passphrase_file", "log_file", "metrics_port", "metrics_address"})
    return told | {"log": LogSettings().model_dump(), "operations": SpoolSettings().model_dump()}


def codes(error: BaseException) -> set[str]:
    """The codes of all errors in an exception or group; the class name where there is no code."""
    if isinstance(error, BaseExceptionGroup):
        return set().union(*(codes(each) for each in error.exceptions))
    return {error.code if isinstance(error, HubError) else type(error).__name__}


async def _until_stopped(
    role: Role, frame: Frame, command: str, work: Work, path: OwnPath, leaving: _Leaving, anew: frozenset[str]
) -> int:
    observer = frame.observer
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        stop.set()
        leaving.begin()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    beside = (
        asyncio.create_task(frame.health.beat(observer), name="heartbeat"),
        asyncio.create_task(path.run(stop), name="own-path"),
        asyncio.create_task(renewing(), name="certificates"),
    )
    for task in beside:
        task.add_done_callback(_tell_end)
    async with frame.operations.sending(observer):
        try:
            await kept_current(role, observer, stop, lambda: work(role, observer, stop), report=reporter(role))
        except Exception as error:  # noqa: BLE001 - the log says class and place, never a text; then we end
            found = codes(error)
            again = found & anew
            leaving.status = _ANEW if again else 1
            if again:
                observer(Lifecycle("stopped", {"command": command, "code": ",".join(sorted(again))}))
                return _ANEW
            observer(Lifecycle("failed", {"command": command, "code": ",".join(sorted(found))}))
            tell_failure(error)
            return 1
        else:
            leaving.status = 0
        finally:
            leaving.begin()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        observer(Lifecycle("stopped", {"command": command}))
        return 0


def _tell_end(task: asyncio.Task[None]) -> None:
    """What goes on beside the work ends when it is cancelled; an error of it is told, and the work goes on."""
    if not task.cancelled() and (error := task.exception()) is not None:
        tell_failure(error)
