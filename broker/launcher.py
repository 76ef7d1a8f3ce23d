"""Starts the Java process so that it ends when whoever started it is gone, even by kill -9.

Run as `python -I launcher.py <parent pid> <program> <arguments...>`: asks the kernel (Linux) for SIGTERM
at the parent's death, then becomes the program. Elsewhere it only becomes the program.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2]
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(1)
    os.execv(program, sys.argv[2:])  # noqa: S606 - the program is our own Java runtime


if __name__ == "__main__":
    main()
