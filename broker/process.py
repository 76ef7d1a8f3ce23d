"""A child process that cannot outlive us: started through `keeper.py`, stopped in order, killed, paused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

STOP_SECONDS: Final = 30.0
"""how long an orderly stop may take before the process is killed"""


class Process(Protocol):
    """A process that was started; `pid` is its number."""

    @property
    def pid(self) -> int:
        """As the kernel counts it; 0 if it never started."""

    def running(self) -> bool:
        """Whether it lives."""

    def stop(self) -> None:
        """Ask for an orderly end and wait for it."""

    def kill(self) -> None:
        """kill -9."""

    def pause(self) -> None:
        """SIGSTOP."""

    def resume(self) -> None:
        """SIGCONT."""


class KeptProcess:
    """The program, and the keeper that keeps it; `pid` is the program's."""

    def __init__(
        self, command: Sequence[str], *, directory: Path, environment: Mapping[str, str], console: Path, hold: int
    ) -> None:
        """Start `command` in `directory`. File descriptor `hold` (a lock) stays open until both processes are gone."""
        keeper = Path(__file__).with_name("keeper.py").resolve()
        with console.open("wb") as out:
            self._keeper = subprocess.Popen(  # noqa: S603 - our own interpreter and program
                [sys.executable, "-I", "-S", str(keeper), str(os.getpid()), str(STOP_SECONDS), *command],
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                pass_fds=(hold,),
                start_new_session=True,  # Ctrl-C is for us; we stop the program in order
            )
        assert self._keeper.stdout is not None
        with self._keeper.stdout as said:
            self.pid: Final = int(said.readline() or 0)

    def running(self) -> bool:
        """Whether it lives."""
        return self._keeper.poll() is None

    def stop(self) -> None:
        """Ask for an orderly end and wait for it; the keeper kills what does not end."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait()

    def kill(self) -> None:
        """kill -9, as a power cut would."""
        self._signal(signal.SIGKILL)
        self.stop()

    def pause(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        # while the keeper lives the process id is its child's: it ends once it has collected the child
        if self.pid and self.running():
            os.kill(self.pid, number)
