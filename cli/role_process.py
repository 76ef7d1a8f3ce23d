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
_GROWN = -1
"""instead of an exit status: another generation of topics, which the next start works with"""


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
) -> int:
    """Run one role until SIGTERM or SIGINT; return its exit status (0 stopped, 1 failed).

    When the topics have grown it begins anew, under the same process id: whoever looks after it sees nothing of it.
    Without `own_path` its work itself probes the way to the brokers. With `leave_seconds` the process ends so long
    after its work at the latest: for work with a library whose tasks and threads may wait for brokers without end.
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
        status = loop_run(_leaving(_until_stopped(role, frame, command, work, path), leave_seconds))
    if status == _GROWN:
        _begin_anew()
    return status


def _begin_anew() -> None:
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - ourselves


async def _leaving(work: Awaitable[int], seconds: float | None) -> int:
    """Have the process end `seconds` after its work, whoever still waits in it; everything is on disk by then."""
    status = await work

    def leave() -> None:
        if status == _GROWN:
            _begin_anew()
        os._exit(status)

    if seconds is not None:
        timer = threading.Timer(seconds, leave)
        timer.daemon = True
        timer.start()
    return status


def configuration(settings: RoleSettings) -> dict[str, object]:
    """What a process was told from outside, without secrets and without the place of its endpoint."""
    told = settings.model_dump(exclude={"key_passphrase_file", "log_file", "metrics_port", "metrics_address"})
    return told | {"log": LogSettings().model_dump(), "operations": SpoolSettings().model_dump()}


def codes(error: BaseException) -> set[str]:
    """The codes of all errors in an exception or group; the class name where there is no code."""
    if isinstance(error, BaseExceptionGroup):
        return set().union(*(codes(each) for each in error.exceptions))
    return {error.code if isinstance(error, HubError) else type(error).__name__}


async def _until_stopped(role: Role, frame: Frame, command: str, work: Work, path: OwnPath) -> int:
    observer = frame.observer
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
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
            if RoleGrown.code in codes(error):
                observer(Lifecycle("stopped", {"command": command, "code": RoleGrown.code}))
                return _GROWN
            observer(Lifecycle("failed", {"command": command, "code": ",".join(sorted(codes(error)))}))
            tell_failure(error)
            return 1
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        observer(Lifecycle("stopped", {"command": command}))
        return 0


def _tell_end(task: asyncio.Task[None]) -> None:
    """What goes on beside the work ends when it is cancelled; an error of it is told, and the work goes on."""
    if not task.cancelled() and (error := task.exception()) is not None:
        tell_failure(error)
