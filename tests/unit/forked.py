"""Runs code in a process of its own that need not import anything again: what dies by kill -9 is tried by the dozen.

One warm process imports what the code imports, forks for each run, and tells how the child ended. The child has its own
memory, files, environment and crash point, and a power cut of it is its own. It is less than a fresh process: modules
that read another variable while they are imported have read that of the warm one, and it does not wait for threads.
"""

from __future__ import annotations

import ast
import atexit
import importlib
import json
import os
import select
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TextIO


def run(code: str, directory: Path, environment: Mapping[str, str], *, seconds: float = 120) -> Ended:
    """Run code with `directory` as its only argument; raises TimeoutExpired, and then no child is left."""
    return _warm().run(code, directory, environment, seconds)


class Ended:
    """How a child ended; `returncode` as subprocess has it: minus the signal that killed it."""

    def __init__(self, returncode: int, stdout: str, stderr: str) -> None:
        """What it wrote, as text."""
        self.returncode, self.stdout, self.stderr = returncode, stdout, stderr


class _Warm:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.forked"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
        atexit.register(self.close)

    def close(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, 9)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def run(self, code: str, directory: Path, environment: Mapping[str, str], seconds: float) -> Ended:
        try:
            return self._ask(code, directory, environment, seconds)
        except BaseException:  # an answer may be under way that the next one would take for its own
            self.close()
            _warm.cache_clear()
            raise

    def _ask(self, code: str, directory: Path, environment: Mapping[str, str], seconds: float) -> Ended:
        assert self._process.stdin is not None and self._process.stdout is not None
        with tempfile.TemporaryDirectory() as place:
            out, err = Path(place) / "out", Path(place) / "err"
            wanted = {
                "code": code, "argument": str(directory), "environment": {**os.environ, **environment},
                "out": str(out), "err": str(err),
            }  # fmt: skip
            self._process.stdin.write(json.dumps(wanted) + "\n")
            ready, _, _ = select.select([self._process.stdout], [], [], seconds)
            if not ready:
                raise subprocess.TimeoutExpired("a forked child", seconds)
            status = self._process.stdout.readline()
            assert status, "the warm process has ended: what the code imports cannot be imported"
            return Ended(int(status), out.read_text(), err.read_text())


@cache
def _warm() -> _Warm:
    return _Warm()


def _serve(requests: TextIO) -> None:
    for line in requests:
        wanted = json.loads(line)
        imports = [node for node in ast.parse(wanted["code"]).body if isinstance(node, ast.Import | ast.ImportFrom)]
        exec(compile(ast.Module(imports, []), "<imports>", "exec"), {})
        child = os.fork()
        if child == 0:
            _live(wanted)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _live(wanted: Mapping[str, Any]) -> None:
    """The child: never returns."""
    status = 0
    try:
        for number, name in ((1, "out"), (2, "err")):
            with Path(wanted[name]).open("wb") as target:
                os.dup2(target.fileno(), number)
        os.environ.clear()
        os.environ.update(wanted["environment"])
        crashpoints = importlib.import_module("hub.crashpoints")
        crashpoints._target, crashpoints._seen = crashpoints._armed(), 0
        sys.argv = ["-c", wanted["argument"]]
        exec(compile(wanted["code"], "<forked>", "exec"), {"__name__": "__main__"})
    except SystemExit as leave:
        status = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve(sys.stdin)
