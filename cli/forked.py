"""Commands of several roles, each in a process of its own with its own environment, started from one that has the code.

Half of what a short command costs is importing. `multiprocessing`'s fork server imports once, holds no key and no
setting of a role, and every role's process is forked from it; none is forked from another role's.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from typing import Final

AT_ONCE: Final = 4
"""each opens its keys, which takes memory and a core"""
TOO_LONG: Final = -1
_IMPORTED: Final = ["cli.main", "cli.reports", "cli.tax"]


def run_each(
    commands: Mapping[str, Sequence[str]], environments: Mapping[str, Mapping[str, str]], *, seconds: float
) -> dict[str, int]:
    """Run `eltax-hub <command>` for each principal, a few at once; return how each ended, TOO_LONG after `seconds`.

    Nothing of standard output is kept; errors come out on ours. Stops at the first few of which one failed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    principals, ended = list(commands), dict[str, int]()
    for some in (principals[place : place + AT_ONCE] for place in range(0, len(principals), AT_ONCE)):
        running: dict[str, ForkServerProcess] = {}
        try:
            for principal in some:
                told = (list(commands[principal]), dict(environments[principal]))
                running[principal] = context.Process(target=_as_role, args=told, name=principal)
                running[principal].start()
            deadline = time.monotonic() + seconds
            for principal, process in running.items():
                process.join(max(0.0, deadline - time.monotonic()))
                ended[principal] = TOO_LONG if process.exitcode is None else process.exitcode
        finally:
            for process in running.values():
                process.kill()  # which have ended, unless one took too long
                process.join()
                process.close()
        if any(ended[principal] for principal in some):
            break
    return ended


def _as_role(command: list[str], environment: dict[str, str]) -> None:
    """Become the role: its environment and nothing else."""
    from cli.main import main

    os.environ.clear()
    os.environ.update(environment)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    sys.argv = ["eltax-hub", *command]
    main()
