"""A router process of its own: `python -m tests.broker.router_process`, settings and crash points by environment.

Says `fenced` and `routed <n>` on standard output; ends with 1 if it must end, 0 on SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from hub.facts import BatchRouted, Fact, Ready
from hub.role import load_role
from hub.router import engine
from hub.router.engine import Router
from hub.settings import RoleSettings
from schemas.errors import HubError


def say(fact: Fact) -> None:
    match fact:
        case Ready("fenced", True):
            line = "fenced"
        case BatchRouted():
            line = f"routed {sum(fact.events.values())}"
        case _:
            return
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def freezing(where: str, mark: Path) -> Callable[[str], None]:
    """Return what stops this process once, in the middle of its work, as SIGSTOP from outside would."""

    def reached(name: str) -> None:
        if name == where and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGSTOP)

    return reached


async def main() -> None:
    if where := os.environ.get("TEST_FREEZE_AT"):
        engine.reached = freezing(where, Path(os.environ["TEST_FREEZE_MARK"]))
    role = load_role(RoleSettings(), allow_weak=True)  # type: ignore[call-arg]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await Router(role, say).run(stop)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except* HubError as errors:
        sys.stdout.write(",".join(sorted({type(error).__name__ for error in errors.exceptions})) + "\n")
        sys.exit(1)
