"""Keeps a process's memory out of files: no core dump, and no other process of the same user that reads it.

What this cannot do stands in docs/secrets.md: swap, hibernation and snapshots of virtual machines are the site's.
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4


def keep_memory_here() -> None:
    """Forbid core dumps for this process and its children, and attaching to it (Linux) for all but root.

    Both are needed: a core pattern that is a pipe does not ask for the limit, and the limit is inherited by
    programs that we start, while being undumpable ends with exec.
    """
    with contextlib.suppress(ValueError, OSError):  # a hard limit that is lower still
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
