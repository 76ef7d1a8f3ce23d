"""The helpdesk as a process: `HelpdeskConsumer(...).run(stop)`."""

from __future__ import annotations

import asyncio

from consumers.assembly import Surroundings
from consumers.desk import DeskJudge
from consumers.helpdesk.desk import HelpdeskDesk
from hub.envelope.names import Kind


class HelpdeskConsumer:
    """Reads `<ns>.<T>.helpdesk` and `<ns>.<T>.status`, keeps masked records and what became of them."""

    def __init__(self, surroundings: Surroundings) -> None:
        """Nothing is opened before `run`."""
        self._around = surroundings

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; raises what cannot heal."""
        around = self._around
        role = around.role
        expected = {**around.routed("helpdesk", role.principal), **around.produced(Kind.STATUS)}
        keys = around.keys()
        sessions_at_hand = around.sessions()
        judge = DeskJudge(
            role.principal,
            HelpdeskDesk(),
            around.intake(sessions_at_hand, role.principal, expected),
            around.vault(keys),
            around.letters(),
            sessions_at_hand.prepare,
        )
        await around.run(judge, list(expected), stop, keys)
