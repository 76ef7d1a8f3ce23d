"""One line of an operations log: what a process or a person did, signed by the role and chained to the line before.

    key     = "operation/" ‖ hex(log)                    (all lines of one log on one partition, in order)
    chained = event[n].previous is SHA-256(body of event[n - 1]), 32 zero bytes for n = 0

Whoever holds the lines of a log sees a gap, an exchange or a fork; whoever holds a newer line commits to all before it.
A line names a submission by the fingerprint of its receipt number, people by their account, everything else by
declared names: no item of a submission, no name of a filer, no free text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

from hub.crypto.hkdf import sha256
from hub.crypto.identity import IdentityKey
from hub.envelope.contracts import decode_body, encode_body
from hub.envelope.limits import MAX_NAME_BYTES, MAX_SEQUENCE
from hub.envelope.names import is_tenant
from hub.envelope.reading_rules import moment
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.resolutions import receipt_fingerprint
from hub.envelope.signed import Signed, sign
from hub.envelope.times import to_ms
from hub.envelope.trust import Trust

LOG_BYTES: Final = 16
HASH_BYTES: Final = 32
FIRST: Final = bytes(HASH_BYTES)
"""what the first line of a log names as the line before"""
MAX_FIELD_CHARACTERS: Final = 200
_PLAIN: Final = re.compile(r"[\x20-\x7e]*")
_NUMBER: Final = re.compile(
    r"(?<![0-9A-Za-z-])[0-9](?:[ -]?[0-9]){11,12}(?![0-9A-Za-z-])"  # 個人番号, 法人番号, also in groups
    r"|[0-9]{5}-[0-9]{6,}"  # a receipt number: `fingerprint` stands for it
)
"""what could be a number of a person or a filing has no place in a log"""
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{32}")
WITHHELD: Final = "withheld"


class Class(StrEnum):
    """What kind of log a line belongs to; how long it is kept is set for each."""

    SYSTEM = "system"
    """state of processes and machines"""
    NETWORK = "network"
    """connections, handshakes, refusals, probes"""
    ACCESS = "access"
    """use of submissions by people, and of keys"""
    ADMINISTRATION = "administration"
    """what operators and administrators did to the hub itself"""


class Kind(StrEnum):
    """What happened."""

    STARTED = "started"
    STOPPED = "stopped"
    FAILED = "failed"
    CONFIGURED = "configured"
    """`code` is the configuration's hash"""
    ALARM = "alarm"
    PAUSED = "paused"
    RESUMED = "resumed"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    DENIED = "denied"
    """a broker's authorizer refused `actor` an operation on `about`"""
    HANDSHAKE_REFUSED = "handshake-refused"
    PROBED = "probed"
    """a probe of the network watch, `about` is the control"""
    PEER_UNEXPECTED = "peer-unexpected"
    VIEWED = "viewed"
    LISTED = "listed"
    LOOKED_UP = "looked-up"
    """by the helpdesk"""
    EXPORTED = "exported"
    DECIDED = "decided"
    KEY_USED = "key-used"
    PROVED = "proved"
    LETTER_ENDED = "letter-ended"
    COMMANDED = "commanded"
    """another command of an operator or administrator, `about` names it"""
    FINDING = "finding"
    """of the analysis, `about` is the rule"""


CLASS_OF: Final[dict[Kind, Class]] = {
    Kind.STARTED: Class.SYSTEM,
    Kind.STOPPED: Class.SYSTEM,
    Kind.FAILED: Class.SYSTEM,
    Kind.CONFIGURED: Class.SYSTEM,
    Kind.ALARM: Class.SYSTEM,
    Kind.PAUSED: Class.SYSTEM,
    Kind.RESUMED: Class.SYSTEM,
    Kind.CONNECTED: Class.NETWORK,
    Kind.DISCONNECTED: Class.NETWORK,
    Kind.DENIED: Class.NETWORK,
    Kind.HANDSHAKE_REFUSED: Class.NETWORK,
    Kind.PROBED: Class.NETWORK,
    Kind.PEER_UNEXPECTED: Class.NETWORK,
    Kind.VIEWED: Class.ACCESS,
    Kind.LISTED: Class.ACCESS,
    Kind.LOOKED_UP: Class.ACCESS,
    Kind.EXPORTED: Class.ACCESS,
    Kind.DECIDED: Class.ACCESS,
    Kind.KEY_USED: Class.ACCESS,
    Kind.PROVED: Class.ACCESS,
    Kind.LETTER_ENDED: Class.ADMINISTRATION,
    Kind.COMMANDED: Class.ADMINISTRATION,
    Kind.FINDING: Class.ADMINISTRATION,
}


def fingerprint(receipt_number: str) -> str:
    """Return the 32 hex digits under which a receipt number stands in a line."""
    return receipt_fingerprint(receipt_number).hex()


def plain(text: str) -> str:
    """Return a text that may stand in a line: itself, or `withheld` if it could be content or break a line."""
    good = len(text) <= MAX_FIELD_CHARACTERS and _PLAIN.fullmatch(text) and not _NUMBER.search(text)
    return text if good else WITHHELD


def account(text: str) -> str:
    """Return a name under which the same person is found again: the account, or a digest where it is no plain name."""
    if not text or _ACCOUNT.fullmatch(text):
        return plain(text)
    return WITHHELD if _NUMBER.search(text) else f"account-{sha256(text.encode('utf-8', 'surrogatepass')).hex()[:16]}"


@dataclass(frozen=True, slots=True)
class Operation:
    """What happened, before a log gives it its place. `cleaned` is applied when it is written."""

    kind: Kind
    occurred_at: datetime
    outcome: str = "ok"
    actor: str = ""
    address: str = ""
    tenant: str = ""
    receipt: str = ""
    """32 hex digits, see `fingerprint`"""
    about: str = ""
    code: str = ""
    count: int = 1

    @property
    def cleaned(self) -> Operation:
        """The same with `withheld` where a text could be content, and the actor as `account` says."""
        return replace(
            self,
            outcome=plain(self.outcome),
            actor=account(self.actor),
            address=plain(self.address),
            about=plain(self.about),
            code=plain(self.code),
        )

    def as_json(self) -> dict[str, object]:
        """What happened, in the words of the contract; the time in ISO 8601 with milliseconds."""
        return {
            "occurred_at": self.occurred_at.isoformat(timespec="milliseconds"),
            "kind": self.kind.value,
            "outcome": self.outcome,
            "actor": self.actor,
            "address": self.address,
            "tenant": self.tenant,
            "receipt": self.receipt,
            "about": self.about,
            "code": self.code,
            "count": self.count,
        }


@dataclass(frozen=True, slots=True)
class OperationEvent:
    """A line with its place in a log. `hash` is of the body, 32 bytes, and stands in the next line."""

    RECORD: ClassVar[str] = "OperationEvent"

    principal: str
    instance: str
    namespace: str
    log: bytes
    sequence: int
    previous: bytes
    operation: Operation

    @property
    def key(self) -> str:
        """The Kafka key on `<ns>.operations`."""
        return f"operation/{self.log.hex()}"

    @property
    def event_id(self) -> str:
        """`<log>-<sequence>`: what deduplication goes by."""
        return f"{self.log.hex()}-{self.sequence}"

    def sign(self, identity: IdentityKey) -> bytes:
        """Return the framed, signed record. Raises MALFORMED."""
        said = self.operation.cleaned
        _checked(replace(self, operation=said))
        body = encode_body(
            self.RECORD,
            {
                "principal": self.principal,
                "instance": self.instance,
                "namespace": self.namespace,
                "log": self.log,
                "sequence": self.sequence,
                "previous": self.previous,
                "occurred_at": to_ms(said.occurred_at),
                "kind": said.kind.value,
                "outcome": said.outcome,
                "actor": said.actor,
                "address": said.address,
                "tenant": said.tenant,
                "receipt": said.receipt,
                "about": said.about,
                "code": said.code,
                "count": said.count,
            },
        )
        return sign(self.RECORD, body, identity)

    @classmethod
    def parse(cls, value: bytes) -> tuple[OperationEvent, Signed]:
        """Read a line whoever signed it; raises EnvelopeError. See `read` for one that counts."""
        signed = Signed.parse(value)
        body = decode_body(cls.RECORD, signed.body)
        try:
            kind = Kind(body["kind"])
        except ValueError as problem:
            raise EnvelopeError(Reason.MALFORMED) from problem
        found = cls(
            body["principal"],
            body["instance"],
            body["namespace"],
            body["log"],
            body["sequence"],
            body["previous"],
            Operation(
                kind,
                moment(body["occurred_at"]),
                body["outcome"],
                body["actor"],
                body["address"],
                body["tenant"],
                body["receipt"],
                body["about"],
                body["code"],
                body["count"],
            ),
        )
        return _checked(found), signed

    @classmethod
    def read(cls, value: bytes, trust: Trust) -> OperationEvent | Reason:
        """Return a line whose signer is who it says and listed at that time, or why it does not count."""
        try:
            found, signed = cls.parse(value)
        except EnvelopeError as problem:
            return problem.reason
        if found.namespace != trust.namespace or not trust.instance_known(found.principal, found.instance):
            return Reason.NOT_PERMITTED
        return trust.signed_by(signed, found.principal, found.operation.occurred_at) or found


def line_hash(value: bytes) -> bytes:
    """Return what the next line must name as `previous`: SHA-256 of a framed record's body. Raises EnvelopeError."""
    return sha256(Signed.parse(value).body)


def _checked(event: OperationEvent) -> OperationEvent:
    said = event.operation
    names = (event.principal, event.instance, event.namespace)
    good = (
        len(event.log) == LOG_BYTES
        and len(event.previous) == HASH_BYTES
        and 0 <= event.sequence <= MAX_SEQUENCE
        and (event.sequence > 0) == (event.previous != FIRST)
        and all(1 <= len(name) <= MAX_NAME_BYTES and _PLAIN.fullmatch(name) for name in names)
        and said.cleaned == said
        and (not said.tenant or is_tenant(said.tenant))
        and (not said.receipt or _FINGERPRINT.fullmatch(said.receipt) is not None)
        and 0 <= said.count <= MAX_SEQUENCE
    )
    if not good:
        raise EnvelopeError(Reason.MALFORMED)
    return event
