"""What a periodic report is made from: one frozen value, kept as JSON beside the report so that it can be made again.

All times are milliseconds since 1970 UTC. `None` for a source means that it was not there when the figures were taken:
the report says so and asks for a look, it never counts as good. Texts come from logs and are hostile; who draws them
escapes them. Everything is bounded: `MAX_…` say how much is kept, `…_total` how much there was.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from pydantic import TypeAdapter, ValidationError

from schemas.errors import HubError

MAX_LISTED: Final = 200
"""findings, gaps and the like that a report lists one by one"""
MAX_NAMED: Final = 10_000
"""accounts, peers and the like that are told apart; all others are counted together"""
MAX_EVIDENCE: Final = 20
OTHERS: Final = "(others)"
WITHIN_MS: Final = 30_000
"""objective: stored at the desk within 30 s of acknowledgement"""
OBJECTIVE: Final = 0.999
CONFIRMED_WITHIN_MS: Final = 60_000
DELAY_EDGES_MS: Final = (1_000, 5_000, 10_000, 30_000, 60_000)


class BasisUnreadable(HubError):
    """A file with the figures of a report is damaged, or of another version."""

    code = "report.basis"
    hint = "Take the figures again with `monitor report`, without --from."


@dataclass(frozen=True, slots=True)
class Period:
    """A day or month in Japan, from `begin_ms` to before `end_ms`; `name` is YYYY-MM-DD or YYYY-MM."""

    name: str
    begin_ms: int
    end_ms: int

    @property
    def monthly(self) -> bool:
        """Whether it is a month."""
        return len(self.name) == 7


@dataclass(frozen=True, slots=True)
class Delays:
    """Time from production to storage at the review desk, one value per submission; in milliseconds."""

    count: int
    p50: int
    p99: int
    longest: int
    within: int
    """stored within the objective"""
    spread: tuple[int, ...]
    """counts up to each of DELAY_EDGES_MS, the last above all"""


@dataclass(frozen=True, slots=True)
class Place:
    """What one place holds of the submissions whose event ids were made in the period.

    `digest` is the sum of all leaf hashes modulo 2^256, in hex: equal counts and digests mean the same submissions.
    """

    kind: str
    """portal, audit, review or helpdesk"""
    held: int
    digest: str
    unconfirmed: int = 0
    confirmed_late: int = 0
    """confirmed by a checkpoint later than 60 s after storage"""
    pending: int = 0
    """journaled and not acknowledged (portal)"""
    void: int = 0
    """finally refused by the broker and told so (portal)"""
    dead_letters: int = 0
    by_procedure: tuple[tuple[str, int], ...] = ()
    by_slot: tuple[int, ...] = ()
    """by hour of the day, or by day of the month"""
    delays: Delays | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit log at the end of the period, as `audit report` computes it from signed heads."""

    closed: bool
    size_before: int
    size: int
    root: str
    signed_at_ms: int | None
    sequences_missing: int
    sessions_without_end: int
    alarms: tuple[tuple[str, int], ...] = ()
    dead_letters: tuple[tuple[str, int], ...] = ()
    resolved: tuple[tuple[str, int], ...] = ()
    refused: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The signed state of the collected operations log that the report rests on."""

    size: int
    root: str
    signed_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Gap:
    """Lines that are known to have been written and were not collected."""

    principal: str
    log: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Probed:
    """One control of the network watch: what its attempts gave in the period; `unknown` proved nothing."""

    control: str
    good: int
    bad: int
    unknown: int
    last_outcome: str
    last_at_ms: int


@dataclass(frozen=True, slots=True)
class Process:
    """What the log says of one principal in the period."""

    principal: str
    started: int
    stopped: int
    failed: int
    paused: int
    lines: int
    configurations: tuple[str, ...]
    last_kind: str
    last_at_ms: int


@dataclass(frozen=True, slots=True)
class Counted:
    """How often a pair of names occurred: (account, kind), (principal, object) and the like."""

    name: str
    about: str
    count: int


@dataclass(frozen=True, slots=True)
class Use:
    """The operations log of the period in numbers; see `tallying`."""

    lines: int
    by_class: tuple[tuple[str, tuple[int, ...]], ...]
    """class of lines → by slot"""
    by_kind: tuple[tuple[str, int], ...]
    access: tuple[Counted, ...]
    """by (account, kind), submissions touched"""
    access_by_slot: tuple[int, ...]
    access_by_hour: tuple[int, ...]
    refused_access: int
    commands: tuple[Counted, ...]
    """by (actor, command)"""
    letters_ended: tuple[tuple[str, int], ...]
    alarms: tuple[Counted, ...]
    """by (code, principal)"""
    denied: tuple[Counted, ...]
    """by (principal, object)"""
    handshakes_refused: tuple[tuple[str, int], ...]
    peers_unexpected: tuple[Counted, ...]
    """by (address, name)"""
    network_by_slot: tuple[int, ...]
    """refused and unexpected"""
    probes: tuple[Probed, ...]
    processes: tuple[Process, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """The operations log itself: whether it holds."""

    checkpoint: Checkpoint | None
    verified: bool
    gaps: tuple[Gap, ...]
    missing: int
    """lines in all gaps"""
    refused: tuple[tuple[str, int], ...] = ()
    """records on the topic that did not count, by reason"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of the analysis."""

    id: str
    rule: str
    severity: str
    """page, ticket or notice"""
    begin_ms: int
    end_ms: int
    subject: str
    count: int
    evidence: tuple[str, ...]
    """event ids of lines, the earliest"""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the analysis found in the period."""

    listed: tuple[Finding, ...]
    total: int
    by_rule: tuple[tuple[str, int], ...]
    rules: tuple[tuple[str, str], ...] = ()
    """all rules that were applied, with their Japanese titles"""
    until_ms: int | None = None
    """up to when the analysis had heard everything when the figures were taken; None: it could not be asked"""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a kind of record is kept, in hours; None: until it is erased by a person."""

    what: str
    hours: int | None


@dataclass(frozen=True, slots=True)
class Basis:
    """Everything a report says of one municipality and period."""

    tenant: str
    organisation: str
    namespace: str
    artificial: bool
    period: Period
    taken_at_ms: int
    """when the figures were taken; the report's 作成日時"""
    version: str
    trust_serial: int | None
    declaration_serial: int | None
    places: tuple[Place, ...] = ()
    audit: Audit | None = None
    use: Use | None = None
    log: Log | None = None
    findings: Findings | None = None
    retention: tuple[Retention, ...] = ()
    labels: tuple[tuple[str, str], ...] = field(default=())
    """slug of a procedure → its Japanese name"""

    def to_json(self) -> bytes:
        """Return the file that `from_json` reads: one line, keys as declared."""
        return _ADAPTER.dump_json(self) + b"\n"

    @property
    def sha256(self) -> str:
        """SHA-256 of `to_json`, in hex; stands on the report and ties a signature on paper to the figures."""
        return hashlib.sha256(self.to_json()).hexdigest()

    @staticmethod
    def from_json(raw: bytes) -> Basis:
        """Read figures. Raises BasisUnreadable."""
        try:
            return _ADAPTER.validate_json(raw, strict=True)
        except ValidationError:
            raise BasisUnreadable from None


_ADAPTER: Final = TypeAdapter(Basis)
