"""The operator in a process of its own: `python -m tests.broker.operator_process <reason code>`; see `crashpoints`."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

from consumers.operator.book import Filter
from consumers.operator.desk import LetterDesk, Many
from hub.role import load_role
from hub.settings import RoleSettings


async def main(reason: str) -> None:
    desk = LetterDesk(load_role(RoleSettings(), allow_weak=True), lambda: datetime.now(UTC))  # type: ignore[call-arg]
    outcome = await desk.replay(Many(Filter(reason=reason)), actor="operator-2")
    sys.stdout.write(f"{len(outcome.done)}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
