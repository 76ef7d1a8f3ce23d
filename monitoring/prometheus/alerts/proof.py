"""What the cryptographic proofs say: contradictions, forgeries, holes, and an audit log that does not grow."""

from __future__ import annotations

from typing import Final

from monitoring.declared.base import DEFENCE, FLOW, INTEGRITY, READINESS, WATCH
from monitoring.prometheus.base import Alert, Explained, Severity, Team, risen
from monitoring.prometheus.limits import Limits

CONTRADICTIONS: Final = (
    *("second-leaf", "checkpoint-contradiction", "checkpoint-fork", "session-fork", "beyond-close"),
    *("receipt.contradiction", "receipt-without-event", "void-cancelled", "witness-contradicts"),
    *("operations.fork", "operations.broken-link"),
)
"""two signed statements that cannot both be true"""
FORGERIES: Final = (
    *("session.refused", "event.refused", "receipt.refused", "audience-key.refused", "refused-record"),
    "operations.foreign-log",
)
"""signed by nobody who may"""
HOLES: Final = (
    *("checkpoint-gap", "missing-predecessor", "missing-close", "missing-event", "receipt.overdue"),
    *("operations.gap", "operations.not-ended"),
)
"""something signed speaks of what is not there"""
TOLD: Final = (
    *("unconfirmed-event", "letters.about-to-expire", "dead-letter-notice", "produce.waiting", "operations.unlogged"),
    *("watch.control-open", "watch.control-unknown", "watch.path-down", "watch.path-silent", "watch.rights-excess"),
    *("operations.refused", "peer.unexpected", "kafka.unavailable", "kafka.not-authorized", "store-unavailable"),
)
"""have an alert of their own"""


def _codes(*codes: str) -> str:
    return "|".join(code.replace(".", "\\\\.") for code in codes)


def alerts(_: Limits) -> tuple[Alert, ...]:
    """Nearly all of these are for the people of the audit, and hardly any has an innocent cause."""
    own = _codes(*CONTRADICTIONS, *FORGERIES, *HOLES, *TOLD)
    return (
        Alert(
            "HubContradiction",
            risen("hub_alarms_total", f'code=~"{_codes(*CONTRADICTIONS)}"', by="instance, code"), "0s",
            Severity.PAGE, Team.AUDIT,
            "{{ $labels.instance }} holds two signed statements that cannot both be true: {{ $labels.code }}.",
            "{{ $labels.instance }} で矛盾する署名付き記録を検出しました（{{ $labels.code }}）。",
            (WATCH, INTEGRITY, READINESS),
        ),
        Alert(
            "HubConflict", risen("hub_consumer_conflicts_total", by="instance"), "0s", Severity.PAGE, Team.AUDIT,
            "{{ $labels.instance }} stored two events of one id with different content.",
            "{{ $labels.instance }} で同じ番号・異なる内容の記録が保存されました。",
            (WATCH, INTEGRITY, READINESS),
        ),
        Alert(
            "HubForgery", risen("hub_alarms_total", f'code=~"{_codes(*FORGERIES)}"', by="instance, code"), "0s",
            Severity.PAGE, Team.AUDIT,
            "{{ $labels.instance }} refused what nobody who may has signed: {{ $labels.code }}.",
            "{{ $labels.instance }} が正当な署名のない記録を拒否しました（{{ $labels.code }}）。",
            (WATCH, INTEGRITY, DEFENCE),
        ),
        Alert(
            "HubChainBroken", risen("hub_alarms_total", f'code=~"{_codes(*HOLES)}"', by="instance, code"), "0s",
            Severity.TICKET, Team.AUDIT,
            "{{ $labels.instance }} misses something that a signed record speaks of: {{ $labels.code }}.",
            "{{ $labels.instance }} で署名付き記録が示すものが欠けています（{{ $labels.code }}）。",
            (WATCH, INTEGRITY, FLOW),
        ),
        Alert(
            "HubAlarm", risen("hub_alarms_total", f'code!~"{own}"', by="instance, code"), "0s",
            Severity.TICKET, Team.OPERATOR,
            "{{ $labels.instance }} rang an alarm: {{ $labels.code }}.",
            "{{ $labels.instance }} の警報: {{ $labels.code }}。",
            (WATCH, READINESS),
        ),
        Alert(
            "HubAuditLogStopped",
            risen("hub_consumer_events_stored_total", 'consumer="review"', by="tenant")
            + " unless on (tenant) "
            + risen("hub_audit_log_leaves", by="tenant"),
            "5m", Severity.PAGE, Team.AUDIT,
            "The audit log of {{ $labels.tenant }} does not grow although its desk stores filings.",
            "団体 {{ $labels.tenant }} の監査ログが増えていません（窓口には保存されています）。",
            (WATCH, INTEGRITY, READINESS),
            silenced_by=(Explained("HubBrokersUnreachable"),),
        ),
        Alert(
            "HubAuditLogShrank",
            "max by (tenant) (hub_audit_log_leaves) < max by (tenant) (max_over_time(hub_audit_log_leaves[1h]))", "0s",
            Severity.PAGE, Team.AUDIT,
            "The append-only audit log of {{ $labels.tenant }} is smaller than it was.",
            "追記専用の監査ログ（団体 {{ $labels.tenant }}）が縮小しました。",
            (WATCH, INTEGRITY, READINESS),
        ),
        Alert(
            "HubAuditPublicationBehind",
            "max by (tenant) (hub_audit_published_leaves) < max by (tenant) (min_over_time(hub_audit_log_leaves[10m]))",
            "1m", Severity.TICKET, Team.AUDIT,
            "The published audit log of {{ $labels.tenant }} has been behind for ten minutes.",
            "団体 {{ $labels.tenant }} の監査ログの公開が遅れています。",
            (WATCH, INTEGRITY),
        ),
        Alert(
            "HubWitnessContradicts",
            risen("hub_audit_witness_answers_total", 'code="contradicts"', window="1h", by="tenant"), "0s",
            Severity.PAGE, Team.AUDIT,
            "A witness saw another audit log of {{ $labels.tenant }} than the published one.",
            "証人が団体 {{ $labels.tenant }} の異なる監査ログを確認しました。",
            (WATCH, INTEGRITY, READINESS),
        ),
        Alert(
            "HubWitnessSilent",
            risen("hub_audit_witness_answers_total", 'code!="cosigned"', "30m", by="tenant")
            + " unless on (tenant) "
            + risen("hub_audit_witness_answers_total", 'code="cosigned"', "30m", by="tenant"),
            "10m", Severity.TICKET, Team.AUDIT,
            "No witness has cosigned the audit log of {{ $labels.tenant }} for half an hour.",
            "団体 {{ $labels.tenant }} の監査ログへの連署が30分間得られていません。",
            (WATCH, INTEGRITY),
            silenced_by=(Explained("HubWitnessContradicts", ("tenant",)),),
        ),
    )  # fmt: skip
