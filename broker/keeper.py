"""Stands between the hub and its Java process, so that Java ends when the hub is gone, however it went.

Run as `python -I -S keeper.py <parent pid> <grace seconds> <program> <arguments...>`. Standard input is a
pipe whose other end only the parent holds: at its end (stop, crash, kill -9) the program gets SIGTERM and,
after the grace, SIGKILL. Standard output says the program's process id, once; standard error becomes its
console. Should this process be killed itself, the kernel (Linux) kills the program.
Knows nothing of Kafka; standard library only.
"""

import contextlib
import os
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_LOOK_SECONDS = 1.0
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class _Stop(BaseException):
    """A signal asks this process to end."""


def _on_signal(*_: object) -> None:
    raise _Stop


def _become(keeper: int, program: list[str]) -> None:
    """Become the program, in the forked child."""
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.execv(program[0], program)  # noqa: S606 - the program is our own Java runtime


def _ended(child: int) -> int | None:
    """Return the exit code once the child has ended (128 + the signal that killed it), else None."""
    done, status = os.waitpid(child, os.WNOHANG)
    if not done:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _keep(child: int, parent: int) -> int | None:
    """Wait until the child has ended (its exit code) or the parent is gone (None)."""
    watched: list[int] = [0]
    look = _LOOK_SECONDS
    if hasattr(os, "pidfd_open"):
        watched.append(os.pidfd_open(child))
    else:
        look = 0.1
    while True:
        code = _ended(child)
        if code is not None:
            return code
        ready, _, _ = select.select(watched, [], [], look)
        if (0 in ready and not os.read(0, 64)) or os.getppid() != parent:
            return None


def _end(child: int, grace: float) -> int:
    """SIGTERM, also for a stopped child; SIGKILL after the grace. Return the exit code."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)  # it is being done
    for number in (signal.SIGTERM, signal.SIGCONT):
        os.kill(child, number)
    deadline = time.monotonic() + grace
    while (code := _ended(child)) is None:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)
    return code


def main() -> int:
    """Start the program and keep it; return its exit code."""
    parent, grace, program = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # what our parent blocks or ignores is its own affair
    for number in _ENDING:
        signal.signal(number, signal.SIG_DFL)
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            _become(keeper, program)
        except OSError as error:
            os.write(2, f"{program[0]}: {error.strerror}\n".encode())
        os._exit(127)
    for number in _ENDING:
        signal.signal(number, _on_signal)
    code = None
    with contextlib.suppress(_Stop):
        os.write(1, f"{child}\n".encode())
        os.close(1)
        code = _keep(child, parent)
    return _end(child, grace) if code is None else code


if __name__ == "__main__":
    sys.exit(main())
