"""Signed reports of the roles: written by each with its own key, read by whoever reconciles.

A report is one file: `{ u32 length ‖ SignedRecord(RoleReport) }*`, one RoleReport per 20,000 events, all
with the same principal, namespace, kind and time. Reading believes nothing: signature and trust,
namespace, age, completeness, and that the principal may speak for such a place; every refusal is named.
Files and clocks are the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final

from assurance.reconcile import LOGS, Entry, Kind, Report, State
from hub.crypto.identity import IdentityKey
from hub.envelope.limits import MAX_BODY_BYTES, MAX_REPORT_ENTRIES
from hub.envelope.names import is_tenant
from hub.envelope.reasons import Reason
from hub.envelope.records import ReportEntry, RoleReport
from hub.envelope.signed import sign
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_report
from schemas.errors import HubError

MAX_PART_BYTES: Final = MAX_BODY_BYTES + 1_024
MAX_PARTS: Final = 5_000
"""100 million events"""
UNKNOWN_LEAF: Final = bytes(32)
"""stands for the leaf of a dead letter that cannot be known"""

_SPEAKERS: Final = {
    Kind.PORTAL: ("portal",),
    Kind.ROUTER: ("router", "audit", "admin"),  # whoever may read what was routed
    Kind.AUDIT: ("audit",),
    Kind.REVIEW: ("review",),
    Kind.HELPDESK: ("helpdesk",),
    Kind.DECIDED: ("review",),
    Kind.ANSWERED: ("portal",),
    Kind.TOLD: ("helpdesk",),
    Kind.DECISION_LOG: ("audit",),
    Kind.HANDED: ("review",),
    Kind.TAKEN: ("tax",),
    Kind.HANDOVER_LOG: ("audit",),
}
_SOURCES: Final = frozenset({Kind.PORTAL, Kind.DECIDED, Kind.HANDED})
_ONLY_SOURCES: Final = frozenset({State.PENDING, State.VOID})


class ReportError(HubError):
    """A report cannot be used."""

    code: ClassVar[str] = "report"
    hint: ClassVar[str] = "Let the role write its report again."


class UnreadableReportError(ReportError):
    """A report is not in the form that was agreed."""

    code = "report-unreadable"


class ReportSignatureError(ReportError):
    """A report is not signed by the principal it names, or the trust file does not vouch for the key."""

    code = "report-signature"
    hint = "Was it made by another role, or is the trust file older than the role's key?"


class ReportNamespaceError(ReportError):
    """A report is from another namespace."""

    code = "report-namespace"
    hint = "A rehearsal and the real service are reconciled each for itself."


class StaleReportError(ReportError):
    """A report is too old, or dated in the future."""

    code = "report-stale"


class IncompleteReportError(ReportError):
    """A report lacks a part, or has one twice."""

    code = "report-incomplete"


class ReportSpeakerError(ReportError):
    """A principal reports on a place that is not its own."""

    code = "report-speaker"
    hint = "Each role reports on what it holds itself."


_ONLY_LOGS: Final = frozenset(state for state in State if state.value.startswith(State.DISCARDED.value))

_NAMED: Final[Mapping[Reason, type[ReportError]]] = {
    Reason.WRONG_TOPIC: ReportNamespaceError,
    Reason.EXPIRED: StaleReportError,
    Reason.UNTRUSTED: ReportSignatureError,
    Reason.REVOKED: ReportSignatureError,
    Reason.BAD_SIGNATURE: ReportSignatureError,
}
"""what a reason of docs/envelope.md means for a report; every other one: it cannot be read"""


def write_report(report: Report, namespace: str, identity: IdentityKey) -> bytes:
    """Return a report as the bytes of its file, signed; the counterpart of `read_report`.

    Raises ReportSpeakerError if the principal may not speak for this kind of place.
    """
    _check_speaker(report.principal, report.kind)
    lines = [ReportEntry(e.tenant, e.event_id, e.leaf or UNKNOWN_LEAF, e.state.value) for e in report.entries]
    starts = range(0, max(len(lines), 1), MAX_REPORT_ENTRIES)
    parts = []
    for number, start in enumerate(starts, start=1):
        body = RoleReport(
            report.principal,
            namespace,
            report.kind.value,
            report.created_at,
            tuple(lines[start : start + MAX_REPORT_ENTRIES]),
            number,
            len(starts),
        ).encode()
        parts.append(sign(RoleReport.RECORD, body, identity))
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def read_report(data: bytes, *, trust: Trust, now: datetime, max_age: timedelta = timedelta(hours=1)) -> Report:
    """Check a report's file against the trust file, whose namespace counts, and return what it says.

    Raises a ReportError: unreadable, signature, namespace, stale, incomplete or speaker.
    """
    parts = [_part(value, trust, now) for value in _split(data)]
    first = parts[0]
    about = {(part.principal, part.namespace, part.kind, part.created_at, part.parts) for part in parts}
    # how many there are is compared first: a list of two thousand million numbers is a role's word away
    if len(about) != 1 or len(parts) != first.parts or {part.part for part in parts} != set(range(1, len(parts) + 1)):
        raise IncompleteReportError
    if first.created_at < now - max_age:
        raise StaleReportError
    kind = _kind(first.kind)
    tenant = _check_speaker(first.principal, kind)
    entries = tuple(_entry(line, kind) for part in sorted(parts, key=lambda each: each.part) for line in part.entries)
    return Report(first.principal, tenant, kind, first.created_at, entries)


def _split(data: bytes) -> Sequence[bytes]:
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        part = data[at + 4 : at + 4 + length]
        if not 0 < length <= MAX_PART_BYTES or len(part) != length or len(parts) == MAX_PARTS:
            raise UnreadableReportError
        parts.append(part)
        at += 4 + length
    if not parts:
        raise UnreadableReportError
    return parts


def _part(value: bytes, trust: Trust, now: datetime) -> RoleReport:
    report = validate_report(value, trust, now)
    if isinstance(report, Reason):
        raise _NAMED.get(report, UnreadableReportError)(report.value)
    return report


def _kind(word: str) -> Kind:
    try:
        return Kind(word)
    except ValueError as problem:
        raise UnreadableReportError from problem


def _entry(line: ReportEntry, kind: Kind) -> Entry:
    try:
        state = State(line.state)
    except ValueError as problem:
        raise UnreadableReportError from problem
    if (state in _ONLY_SOURCES and kind not in _SOURCES) or (state in _ONLY_LOGS and kind not in LOGS):
        raise UnreadableReportError
    return Entry(line.tenant, line.event_id, line.leaf, state)


def _check_speaker(principal: str, kind: Kind) -> str | None:
    """Return the tenant that a principal speaks for; None if for all of them."""
    role, _, rest = principal.partition("-")
    tenant = rest.rpartition("-")[2]  # tax-resident-tax-131041 speaks for 131041 too
    if role not in _SPEAKERS[kind]:
        raise ReportSpeakerError(kind.value)
    if role in ("portal", "router", "admin"):
        return None
    if not is_tenant(tenant):
        raise ReportSpeakerError(kind.value)
    return tenant
