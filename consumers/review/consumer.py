"""The review desk as a process: `ReviewConsumer(...).run(stop)`."""

from __future__ import annotations

import asyncio

from consumers.assembly import Surroundings, routed
from consumers.desk import DeskJudge
from consumers.review.desk import ReviewDesk
from topics import names


class ReviewConsumer:
    """Reads `<ns>.<T>.review`, keeps submissions, signs receipts to `<ns>.<T>.status`."""

    def __init__(self, surroundings: Surroundings) -> None:
        """Nothing is opened before `run`."""
        self._around = surroundings

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; raises what cannot heal."""
        around = self._around
        role, tenant = around.role, around.tenant
        topic = names.review(role.namespace, tenant)
        keys = around.keys()
        sessions_at_hand = around.sessions()
        judge = DeskJudge(
            role.principal,
            ReviewDesk(role.principal, tenant, role.identity, names.status(role.namespace, tenant)),
            around.intake(sessions_at_hand, role.principal, {topic: routed(role.namespace, tenant, role.principal)}),
            around.vault(keys),
            around.letters(),
            sessions_at_hand.prepare,
        )
        await around.run(judge, [topic], stop, keys)
