"""The sessions that events name: found, verified, and remembered within a bound.

    record ─> framed and signed, and the id that its key says? ─> index (id → offset), newest bytes held
    ensure ─> verdict ─> else bytes ─> else read again at its offset ─> else catch up, once ─> else unknown

A record costs two hashes to index; its signature is checked when an event first names it. Bytes, verdicts
and index are bounded each, so neither many sessions nor garbage fill memory: what fell out of the first two
is read again, what fell out of the index is unknown, which is a dead letter that can be replayed. A half
full index takes only what is signed. Chains of sessions and their closes are audit's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from hub.envelope.contracts import schema_id
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import Session
from hub.envelope.signed import Signed
from hub.envelope.trust import Trust
from hub.envelope.validation import KeyLookup, validate_session
from hub.envelope.wire import frame_id
from hub.facts import Alarm, Observer
from hub.reading.errors import SessionsUnavailable
from hub.reading.following import Follower, OpenReader, reader_of
from hub.transport import Endpoint, KafkaRecord

MAX_INDEX_ENTRIES: Final = 250_000
MAX_HELD_BYTES: Final = 32 * 2**20
MAX_VERDICTS: Final = 10_000
"""above the number of events in one poll, so that all that a poll names is at hand together"""
_MAX_COPIES: Final = 4
"""a crashed producer sends its session again; more copies of one body are noise"""
_REFUSED_FOR: Final = timedelta(seconds=60)
"""how long a refusal stands before it is judged anew: trust and clocks move on"""
_UNLISTED: Final = frozenset({Reason.SUITE, Reason.UNTRUSTED, Reason.NOT_PERMITTED})
"""what a newer trust list may grant"""
_FORGED: Final = frozenset({Reason.UNTRUSTED, Reason.BAD_SIGNATURE, Reason.REVOKED})
"""what is said of a copy: another one of the same body may be its sender's"""
_SCHEMA_ID: Final = schema_id(Session.RECORD)


class _Spot(NamedTuple):
    topic: str
    offset: int


class _Verdict(NamedTuple):
    outcome: Session | Reason
    at: datetime
    trust: Trust

    def holds(self, now: datetime, trust: Trust) -> bool:
        return self.trust is trust and (isinstance(self.outcome, Session) or now - self.at < _REFUSED_FOR)


class SessionRegistry:
    """The sessions of one or more sessions topics (`<ns>.sessions`, `<ns>.<T>.sessions`). Use from one event loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        topics: Sequence[str],
        trust: Callable[[], Trust],
        now: Callable[[], datetime],
        observer: Observer,
        *,
        audience_keys: KeyLookup | None = None,
        catch_up: Callable[[], Awaitable[None]] | None = None,
        open_reader: OpenReader | None = None,
        max_index_entries: int = MAX_INDEX_ENTRIES,
        max_held_bytes: int = MAX_HELD_BYTES,
        max_verdicts: int = MAX_VERDICTS,
    ) -> None:
        """Nothing is connected before the first `ensure`. Each topic has one partition; `now` gives aware times.

        With `audience_keys`, a session that outlives one of its audiences' keys is refused. `catch_up` learns of
        a newer trust list: asked before a session is refused because its sender or an audience is not listed.
        """
        self._catch_up = catch_up
        self._follower = Follower(topics, open_reader or reader_of(endpoint), self._take, SessionsUnavailable)
        self._trust = trust
        self._now = now
        self._observer = observer
        self._audience_keys = audience_keys
        self._max_index = max_index_entries
        self._max_held = max_held_bytes
        self._max_verdicts = max_verdicts
        self._index: dict[bytes, tuple[_Spot, ...]] = {}
        self._held: OrderedDict[bytes, tuple[KafkaRecord, ...]] = OrderedDict()
        self._held_bytes = 0
        self._verdicts: OrderedDict[bytes, _Verdict] = OrderedDict()
        self._overflowed = False

    async def ensure(self, wanted: Collection[bytes]) -> None:
        """Make `find` answer for these sessions; with none, catch up.

        Reads the topics to their present end, once, if one of them is not known, or only in a forged copy. Never
        call it inside a transaction. Raises SessionsUnavailable, ControlUnavailable: then nothing can be said of any
        of them.
        """
        caught_up = not wanted or any(self._may_have_come(session) for session in wanted)
        if caught_up:
            await self._follower.catch_up()
        await self._fetch(wanted)
        if not caught_up and any(self.find(session) in _FORGED for session in wanted):
            await self._follower.catch_up()  # what had fallen out of memory was only forged, too
            await self._fetch(wanted)
        if self._catch_up is not None and any(self.find(session) in _UNLISTED for session in wanted):
            await self._catch_up()
            await self._fetch(wanted)

    async def _fetch(self, wanted: Collection[bytes]) -> None:
        """Read again what is indexed and was let go."""
        for session in wanted:
            if self.find(session) is Reason.UNKNOWN_SESSION and session in self._index:
                await self._read_again(session)
                self.find(session)  # the verdict stays when the bytes go

    def _may_have_come(self, session: bytes) -> bool:
        """Say whether reading on could help: nothing is there, or only what somebody else signed."""
        return session not in self._index or self.find(session) in _FORGED

    def find(self, session: bytes) -> Session | Reason:
        """Return a session whose signature, trust and place hold, or why not; UNKNOWN_SESSION if it is not at hand."""
        known = self._verdicts.get(session)
        now, trust = self._now(), self._trust()
        if known is not None and known.holds(now, trust):
            self._verdicts.move_to_end(session)
            return known.outcome
        copies = self._held.get(session)
        if copies is None:
            return Reason.UNKNOWN_SESSION
        outcome = self._judge(copies, trust, now)
        if isinstance(outcome, Reason) and known is None:
            self._observer(Alarm("session.refused", outcome.value))
        self._verdicts[session] = _Verdict(outcome, now, trust)
        self._verdicts.move_to_end(session)
        while len(self._verdicts) > self._max_verdicts:
            self._verdicts.popitem(last=False)
        return outcome

    async def close(self) -> None:
        """Disconnect."""
        await self._follower.close()

    @property
    def sizes(self) -> Mapping[str, int]:
        """Return how many sessions are indexed, how many bytes held, how many verdicts remembered."""
        return {"index": len(self._index), "held_bytes": self._held_bytes, "verdicts": len(self._verdicts)}

    def _judge(self, copies: tuple[KafkaRecord, ...], trust: Trust, now: datetime) -> Session | Reason:
        """Return the first copy that counts: bodies are the same, signatures need not be."""
        refused: Reason = Reason.UNKNOWN_SESSION
        for copy in reversed(copies):
            outcome = validate_session(
                copy.value or b"", trust, now, topic=copy.topic, key=copy.key or b"", audience_keys=self._audience_keys
            )
            if isinstance(outcome, Session):
                return outcome
            refused = outcome
        return refused

    def _take(self, record: KafkaRecord) -> None:
        """Index a record if it is a session under its own id; closes and garbage are not for this registry."""
        session = _named(record)
        if session is None:
            return
        spots = self._index.get(session, ())
        known = self._verdicts.get(session)
        full = len(spots) >= _MAX_COPIES
        if full and known is not None and isinstance(known.outcome, Session):
            return
        if (full or self._crowded) and self._refuses(record):
            return
        # Anybody can write copies of an announced body under bad signatures, before the good one: it goes first.
        self._index[session] = (*spots[-_MAX_COPIES + 1 :], _Spot(record.topic, record.offset))
        if len(self._index) > self._max_index:
            self._index.pop(next(iter(self._index)))
            if not self._overflowed:
                self._overflowed = True
                self._observer(Alarm("sessions.index-full", record.topic))
        if known is not None and isinstance(known.outcome, Reason):
            del self._verdicts[session]  # the new copy may be the good one
        self._hold(session, record)

    @property
    def _crowded(self) -> bool:
        """Whether so much is indexed that from now on only what is signed may come in."""
        return len(self._index) >= self._max_index // 2

    def _refuses(self, record: KafkaRecord) -> bool:
        return isinstance(self._judge((record,), self._trust(), self._now()), Reason)

    def _hold(self, session: bytes, record: KafkaRecord) -> None:
        before = self._held.pop(session, ())
        kept = (*before[-_MAX_COPIES + 1 :], record)
        self._held[session] = kept
        self._held_bytes += sum(copy.size for copy in kept) - sum(copy.size for copy in before)
        while self._held_bytes > self._max_held and len(self._held) > 1:
            _, copies = self._held.popitem(last=False)
            self._held_bytes -= sum(copy.size for copy in copies)

    async def _read_again(self, session: bytes) -> None:
        """Fetch a session whose bytes fell out of memory."""
        for spot in self._index.get(session, ()):
            record = await self._follower.read_one(*spot)
            if record is not None and _named(record) == session:
                self._hold(session, record)


def _named(record: KafkaRecord) -> bytes | None:
    """Return the id of the session in a record, if its key says the same. Says nothing of who signed it."""
    key, value = record.key, record.value
    if key is None or value is None or len(key) != 64:
        return None
    try:
        signed = Signed.parse(value)
        if frame_id(signed.body) != _SCHEMA_ID or signed.hash.hex().encode() != key:
            return None
    except EnvelopeError:
        return None
    return signed.hash
