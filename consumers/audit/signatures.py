"""Who must have signed each statement of the log, asked again by `verify`.

Records of years ago must still hold: what was a question of its day (minimum epoch, allowed suites,
rights) was answered when the record was entered. Only the signature is asked again. A key that was
revoked later still counts for what it signed before, because the log had it before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from consumers.audit.codec import Statement
from consumers.audit.entries import SessionEntry
from hub.envelope.names import ADMIN, OPERATOR
from hub.envelope.reasons import EnvelopeError
from hub.envelope.records import Checkpoint, DeadLetterNotice, LetterResolved, Session, SessionClose, StoredReceipt
from hub.envelope.signed import Signed
from hub.envelope.times import from_ms
from hub.envelope.trust import Trust


class SignatureRules:
    """Answers for `verify`. A statement about a session that the log never announced does not hold."""

    def __init__(self, trust: Trust, principal: str) -> None:
        """`principal` is audit-T, whose identity signs tree heads."""
        self._trust = trust
        self._principal = principal

    def statement_holds(self, statement: Statement, sessions: Mapping[bytes, SessionEntry]) -> bool:
        """Say whether a statement is signed by whom it must be, at the time that it names."""
        signed = statement.signed
        try:
            match statement.name:
                case Session.RECORD:
                    session = Session.decode(signed.body)
                    return self._signed(signed, session.producer, session.created_at)
                case StoredReceipt.RECORD:
                    receipt = StoredReceipt.decode(signed.body)
                    desk = f"review-{receipt.tenant}"
                    return receipt.desk == desk and self._signed(signed, desk, receipt.stored_at)
                case DeadLetterNotice.RECORD:  # a desk's; the router's are entries of their own
                    notice = DeadLetterNotice.decode(signed.body)
                    return self._signed(signed, f"review-{notice.tenant}", notice.noticed_at)
                case LetterResolved.RECORD:
                    return self._signed(signed, OPERATOR, LetterResolved.decode(signed.body).resolved_at)
                case Checkpoint.RECORD:
                    made = Checkpoint.decode(signed.body)
                    return self._by_producer(signed, sessions.get(made.session), made.produced_at)
                case SessionClose.RECORD:
                    close = SessionClose.decode(signed.body)
                    return self._by_producer(signed, sessions.get(close.session), close.closed_at)
        except EnvelopeError:
            return False
        return False

    def _by_producer(self, signed: Signed, session: SessionEntry | None, at: datetime) -> bool:
        if session is None:
            return False
        return self._signed(signed, session.producer, at) or self._signed(signed, ADMIN, at)

    def _signed(self, signed: Signed, principal: str, at: datetime) -> bool:
        """Signed by a key that spoke then; a key that was revoked since counts for what came before."""
        if self._trust.signed_by(signed, principal, at) is None:
            return True
        known = self._trust.principals.get(principal)
        return known is not None and any(
            identity.revoked_at is not None
            and identity.not_before <= at < min(identity.not_after, identity.revoked_at)
            and signed.verify(identity.key_id, identity.public)
            for identity in known.identities
        )

    def head_holds(self, signed: Signed, at_ms: int) -> bool:
        """Say whether a tree head is signed by this desk."""
        return self._signed(signed, self._principal, from_ms(at_ms))
