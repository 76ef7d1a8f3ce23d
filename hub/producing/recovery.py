"""After a crash: bring every open session of the journal to its close, with the bytes that are there.

The order is that of docs/envelope.md, "Producing" 3: the Session again, identical sealed bytes beyond
acknowledged-through again, checkpoints, close. Only the identity key is needed, the session's secrets are
gone; the close may postdate the session's end. Nothing is sealed here. A crash in here is recovered alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub import crashpoints
from hub.envelope.times import from_ms
from hub.facts import CheckpointWritten, Observer, SessionEnded
from hub.loop import TaskGroup
from hub.producing.delivery import Delivery
from hub.producing.errors import EarlierGeneration
from hub.producing.journal import Journal
from hub.producing.journal_rows import (
    Acknowledge,
    AddClose,
    CheckpointSent,
    DropSession,
    Lane,
    MarkVoid,
    SessionAnnounced,
    SessionClosed,
    SessionState,
    Step,
    StoredSession,
)
from hub.producing.lanes import CHECKPOINT_EVENTS
from hub.producing.sealing import Signer, close_key
from hub.transport import Outgoing

SESSIONS_PARTITION: Final = 0
MAX_BATCH_EVENTS: Final = 256
MAX_BATCH_BYTES: Final = 900_000


@dataclass(frozen=True, slots=True)
class Closer:
    """Finishes sessions of one topic from the journal alone."""

    topic: str
    sessions_topic: str
    journal: Journal
    delivery: Delivery
    signer: Signer
    observer: Observer
    wall: Callable[[], datetime]

    async def recover(self) -> int:
        """Bring every session that an earlier process left open to its close; return how many there were.

        Raises EarlierGeneration.
        """
        found_open = self.journal.open_sessions()
        left = [found for found in found_open if found.topic == self.topic]
        await self._let_go([found for found in found_open if found.topic != self.topic])
        for found in left:
            await self._announce(found)
            async with TaskGroup() as group:
                for lane in self.journal.lanes(found.session):
                    group.create_task(self._finish(lane, found), name=f"recover {lane.partition}")
            await self.close(found)
            self.observer(SessionEnded(self.topic, found.tenant, found.session.hex(), resumed=True))
        return len(left)

    async def _let_go(self, earlier: Sequence[StoredSession]) -> None:
        """Be done with sessions of an earlier generation of this topic, which ended when every close was on its topic.

        So a close that is journaled is there, and a session that is not was never heard of; nothing may be on its way.
        """
        steps: list[Step] = []
        for found in earlier:
            if found.state is SessionState.CLOSING:
                steps.append(SessionClosed(found.session))
            elif found.state is SessionState.JOURNALED and not self.journal.lanes(found.session):
                steps.append(DropSession(found.session))
            else:
                raise EarlierGeneration(found.topic)
        if steps:
            await self.journal.apply(*steps)

    def now(self, created_at_ms: int) -> datetime:
        """Return the wall clock; never before the session began, should the clock have been set back."""
        return max(self.wall(), from_ms(created_at_ms))

    async def close(self, found: StoredSession) -> None:
        """Send the close of a session whose lanes are finished; sign and journal it first if need be."""
        session, record = found.session, found.close
        if record is None:
            crashpoints.reached("portal.before-close")
            now = self.now(found.created_at_ms)
            record = self.signer.close(session, self.journal.lanes(session), now)
            await self.journal.apply(AddClose(session, record))
        await self.delivery.send(self.sessions_topic, SESSIONS_PARTITION, [Outgoing(close_key(session), record)])
        await self.journal.apply(SessionClosed(session))

    async def _announce(self, found: StoredSession) -> None:
        await self.delivery.send(
            self.sessions_topic, SESSIONS_PARTITION, [Outgoing(found.session.hex().encode(), found.record)]
        )
        await self.journal.apply(SessionAnnounced(found.session))

    async def _finish(self, lane: Lane, found: StoredSession) -> None:
        for checkpoint in self.journal.unsent_checkpoints(lane.session, lane.partition):
            await self.delivery.send(self.topic, lane.partition, [Outgoing(checkpoint.key, checkpoint.record)])
            await self.journal.apply(CheckpointSent(lane.session, lane.partition, checkpoint.hash))
        while await self._send_pending(lane := self._again(lane)):
            pass
        while await self._list_settled(lane := self._again(lane), found):
            pass

    def _again(self, lane: Lane) -> Lane:
        return next(found for found in self.journal.lanes(lane.session) if found.partition == lane.partition)

    async def _send_pending(self, lane: Lane) -> bool:
        """Send the next batch beyond acknowledged-through; tell whether there was one.

        Bytes that a verified receipt has already trimmed were stored at the desk, so Kafka had them.
        """
        events = self.journal.pending(lane, MAX_BATCH_EVENTS, MAX_BATCH_BYTES)
        if not events:
            return False
        missing = [event for event in events if event.value is not None]
        refused: frozenset[int] = frozenset()
        if missing:
            records = [Outgoing(event.event_id.encode(), event.value) for event in missing]
            refused = await self.delivery.send(self.topic, lane.partition, records)
            crashpoints.reached("portal.after-send")
        steps: list[Step] = [
            MarkVoid(lane.session, lane.partition, missing[place].sequence) for place in sorted(refused)
        ]
        steps.append(Acknowledge(lane.session, lane.partition, events[-1].sequence))
        await self.journal.apply(*steps)
        return True

    async def _list_settled(self, lane: Lane, found: StoredSession) -> bool:
        """Write the next checkpoint of acknowledged events; tell whether there was one."""
        entries = tuple(self.journal.settled(lane, CHECKPOINT_EVENTS))
        if not entries:
            return False
        step = self.signer.checkpoint(
            lane.session,
            lane.partition,
            lane.checkpointed_through + 1,
            entries,
            lane.checkpoint_hash,
            self.now(found.created_at_ms),
        )
        await self.journal.apply(step)
        await self.delivery.send(self.topic, lane.partition, [Outgoing(step.key, step.record)])
        await self.journal.apply(CheckpointSent(lane.session, lane.partition, step.hash))
        self.observer(CheckpointWritten(self.topic, lane.partition, len(entries)))
        return True
