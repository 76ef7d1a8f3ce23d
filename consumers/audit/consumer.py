"""The audit desk as a process: `AuditConsumer(...).run(stop)`, and `audit verify` for a role directory."""

from __future__ import annotations

import asyncio

from consumers.assembly import DeskRole, Surroundings
from consumers.audit.judge import Announcements, AuditJudge, resume
from consumers.audit.publication import Publication, publish_while_running
from consumers.audit.signatures import SignatureRules
from consumers.audit.tree import Tree
from consumers.audit.verify import Verification, verify
from consumers.store.port import Store
from hub.envelope.names import Kind
from hub.loop import TaskGroup


class AuditConsumer:
    """Reads every topic of its tenant that speaks of events, and both sessions topics; keeps the log."""

    def __init__(self, surroundings: Surroundings, publication: Publication | None = None) -> None:
        """Nothing is opened before `run`; without a publication the log is kept and not published."""
        self._around = surroundings
        self._publication = publication

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; raises what cannot heal. First checks the log's rows against its head."""
        around = self._around
        role, tenant = around.role, around.tenant
        expected = {
            **around.routed("audit", None),
            **around.produced(Kind.STATUS),
            **around.produced(Kind.ACCEPTED),
        }
        sessions = around.sessions_topics()
        sessions_at_hand = around.sessions()
        judge = AuditJudge(
            around.intake(sessions_at_hand, None, expected),
            Announcements(tenant, sessions_at_hand, lambda: role.trust),
            sessions,
            await asyncio.to_thread(Tree.load, tenant, role.identity, around.store),
            await asyncio.to_thread(resume, around.store),
            around.letters(),
            sessions_at_hand.prepare,
            around.store.unknown,
        )
        if self._publication is None:
            await around.run(judge, [*expected, *sessions], stop, None)
            return
        ended = asyncio.Event()
        async with TaskGroup() as tasks:
            tasks.create_task(
                publish_while_running(self._publication, role.principal, around.observer, ended),
                name=f"{role.principal}-publish",
            )
            try:
                await around.run(judge, [*expected, *sessions], stop, None)
            finally:
                ended.set()  # what was stored last is published too


def verify_store(role: DeskRole, store: Store, now_ms: int) -> Verification:
    """`audit verify`: recompute everything from the rows of the role's store."""
    rules = SignatureRules(role.trust, role.principal)
    return verify(store, rules.statement_holds, rules.head_holds, now_ms)
