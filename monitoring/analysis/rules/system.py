"""Rules on connections, peers, controls and processes."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hub.envelope.operations import Kind
from monitoring.analysis.findings import Severity
from monitoring.analysis.marks import Family, Mark
from monitoring.analysis.rules.base import HOUR, Conditions, Group, Measure, Rule
from monitoring.declared.base import DEFENCE, INTEGRITY, READINESS, SPARE, WATCH

_PEERS: Final = "network-peer-restriction"
_TEN_MINUTES: Final = timedelta(minutes=10)
CHECKPOINT_ALARMS: Final = frozenset(
    {
        "checkpoint-missing",
        "event-missing",
        "receipt.overdue",
        "receipts.gone",
        "receipt.contradiction",
        "witness-contradicts",
    }
)
"""codes of alarms that say a stream cannot be proved whole"""


def of_checkpoints(mark: Mark, subject: str, conditions: Conditions) -> bool:
    """Look at alarms that say a stream cannot be proved whole."""
    return mark.code in CHECKPOINT_ALARMS


def others(mark: Mark, subject: str, conditions: Conditions) -> bool:
    """Look at all other alarms."""
    return mark.code not in CHECKPOINT_ALARMS


RULES: Final = (
    Rule(
        "refused-handshakes", Severity.TICKET, Family.HANDSHAKE, frozenset({Kind.HANDSHAKE_REFUSED}), Measure.WEIGHT,
        20, _TEN_MINUTES, HOUR,
        "接続拒否の多発",
        "One address failed at many TLS handshakes within ten minutes.",
        "A peer with an old certificate, or a scan: find the machine by its address; disconnect what is not declared.",
        (WATCH, _PEERS, DEFENCE),
    ),
    Rule(
        "denials", Severity.TICKET, Family.PEER, frozenset({Kind.DENIED}), Measure.WEIGHT, 10, _TEN_MINUTES, HOUR,
        "権限外操作の多発",
        "The broker denied one principal many operations within ten minutes.",
        "A wrong declaration (`topics plan`), or a stolen certificate that tries doors: `topics shut-out` closes all.",
        (WATCH, _PEERS),
    ),
    Rule(
        "unexpected-peer", Severity.PAGE, Family.PEER, frozenset({Kind.PEER_UNEXPECTED}), Measure.EACH, 1, HOUR, HOUR,
        "未登録の接続元",
        "Somebody connected whom nobody declared.",
        "Follow docs/runbooks/alerts/HubPeerUnexpected.md; this finding keeps it for the report.",
        (WATCH, _PEERS, DEFENCE), group=Group.ABOUT,
    ),
    Rule(
        "control-stopped", Severity.PAGE, Family.PROCESS, frozenset({Kind.PROBED}), Measure.EACH, 1, HOUR, HOUR,
        "統制の停止",
        "A probe of the network watch found a control that no longer refuses.",
        "Follow docs/runbooks/alerts/HubControlStoppedRefusing.md; this finding keeps it for the report.",
        (WATCH, _PEERS, INTEGRITY), group=Group.ABOUT,
    ),
    Rule(
        "failures", Severity.TICKET, Family.PROCESS, frozenset({Kind.FAILED}), Measure.WEIGHT, 5, _TEN_MINUTES, HOUR,
        "処理障害の多発",
        "One principal's processes failed many times within ten minutes.",
        "It is started again and fails again: the code in the lines says why.",
        (WATCH, READINESS, SPARE),
    ),
    Rule(
        "missing-checkpoints", Severity.PAGE, Family.PROCESS, frozenset({Kind.ALARM}), Measure.EACH, 1, HOUR, HOUR,
        "チェックポイント欠落",
        "A reader said that a checkpoint or event is missing, so a stream cannot be proved whole.",
        "`reconcile` and `audit report` name the events; follow docs/runbooks.",
        (WATCH, INTEGRITY), group=Group.CODE, concerns=of_checkpoints,
    ),
    Rule(
        "alarms", Severity.NOTICE, Family.PROCESS, frozenset({Kind.ALARM}), Measure.WEIGHT, 20, _TEN_MINUTES, HOUR,
        "警報の多発",
        "One principal raised the same alarm many times within ten minutes.",
        "The code says what; see docs/runbooks.",
        (WATCH, READINESS), group=Group.CODE, concerns=others,
    ),
)  # fmt: skip
