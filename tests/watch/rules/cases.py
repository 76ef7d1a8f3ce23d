"""The cases of the alerts on processes, flow, proofs and the servers, with the limits that a ward begins with."""

from __future__ import annotations

from typing import Final

from monitoring.analysis.findings import Severity
from monitoring.prometheus.alerts.operations import rules_of
from monitoring.prometheus.alerts.proof import CONTRADICTIONS, FORGERIES, HOLES, TOLD
from monitoring.prometheus.limits import Limits
from tests.watch.rules.case import always, case, risen

ACKNOWLEDGED = 'hub_producer_events_acknowledged_total{instance="portal",tenant="131041",dataset="submissions"}'
LIMITS: Final = Limits.packaged()
ROUTER: Final = 'job="hub",instance="router",role="router"'
LATER: Final = "67m"
"""than the windows of an hour"""
DESK: Final = 'job="hub",instance="review-131041",role="review"'
DISK: Final = f'hub_host_disk_free_bytes{{{DESK},place="state"}}'
SIZE: Final = DISK.replace("_free", "")
LEAVES: Final = 'hub_audit_log_leaves{tenant="131041"}'
PUBLISHED: Final = 'hub_audit_published_leaves{tenant="131041"}'
STORED: Final = f'hub_consumer_events_stored_total{{{DESK},tenant="131041",consumer="review"}}'
OLDEST: Final = 'hub_dead_letters_oldest_seconds{tenant="131041",reason="bad-tag"}'
EXPIRING: Final = LIMITS.letter_retention_seconds - LIMITS.expiring_seconds


def _alarm(code: str) -> str:
    return f'hub_alarms_total{{{DESK},code="{code}"}}'


def _paused(instance: str, stage: str = "read") -> str:
    return f'hub_paused{{instance="{instance}",stage="{stage}",code="kafka.unavailable"}}'


def _beats(above: int) -> dict[str, str]:
    """Sixty beats a minute, of which `above` came later than half a second."""
    name = f"hub_event_loop_lag_seconds_bucket{{{DESK}"
    punctual = 60 - above
    return {
        f'{name},le="0.5"}}': f"0+{punctual}x40",
        f'{name},le="1.0"}}': "0+60x40",
        f'{name},le="+Inf"}}': "0+60x40",
    }


def _answers(code: str, values: str) -> dict[str, str]:
    return {f'hub_audit_witness_answers_total{{tenant="131041",code="{code}"}}': values}


PROCESSES: Final = (
    case("HubProcessDown", {f"up{{{ROUTER}}}": "1x5 0x30"}, always(f"up{{{ROUTER}}}", 1), begins=7),
    case("HubNothingScraped", always('up{job="broker"}', 1), always(f"up{{{ROUTER}}}", 0), begins=1),
    case(
        "HubBrokersUnreachable",
        {_paused("router"): "0x5 1x30", _paused("review-131041"): "0x5 1x30"},
        {_paused("router"): "0x5 1x30", _paused("router", "write"): "0x5 1x30"},
    ),
    case(
        "HubProcessRestarting",
        (
            {f"process_start_time_seconds{{{ROUTER}}}": "1x5 2x5 3x5 4x30"},
            {f"process_start_time_seconds{{{ROUTER}}}": "1x5 2x5 _x3 3x5 4x30"},
        ),
        {f"process_start_time_seconds{{{ROUTER}}}": "1x5 2x5 3x30"},
    ),
    case(
        "HubNotReady",
        {f'hub_ready{{{DESK},condition="store"}}': "1x5 0x30"},
        always(f'hub_ready{{{DESK},condition="store"}}', 1),
        begins=8,
    ),
    case("HubPaused", {_paused("router"): "0x5 1x30"}, always(_paused("router"), 0), begins=7),
    case("HubEventLoopLate", _beats(2), _beats(0)),
    case(
        "HubMemoryHigh",
        always(f"process_resident_memory_bytes{{{DESK}}}", LIMITS.memory_bytes + 1),
        always(f"process_resident_memory_bytes{{{DESK}}}", LIMITS.memory_bytes),
        begins=5,
    ),
    case(
        "HubHostMemoryLow",
        always(f"hub_host_memory_available_bytes{{{DESK}}}", LIMITS.host_memory_bytes - 1),
        always(f"hub_host_memory_available_bytes{{{DESK}}}", LIMITS.host_memory_bytes),
        begins=2,
    ),
    case(
        "HubFilesExhausted",
        {f"process_open_fds{{{DESK}}}": "820x60", f"process_max_fds{{{DESK}}}": "1024x60"},
        {f"process_open_fds{{{DESK}}}": "819x60", f"process_max_fds{{{DESK}}}": "1024x60"},
        begins=5,
    ),
    case("HubDiskNearlyFull", always(DISK, LIMITS.disk_free_bytes - 1), always(DISK, LIMITS.disk_free_bytes), begins=5),
    case("HubDiskEmpty", always(DISK, LIMITS.disk_empty_bytes - 1), always(DISK, LIMITS.disk_empty_bytes), begins=1),
    # by 1 GB a minute, which is 1,440 GB a day
    case(
        "HubDiskFillsSoon",
        {DISK: "1450e9-1e9x60", SIZE: "4000e9x60"},
        ({DISK: "1501e9-1e9x60", SIZE: "4000e9x60"}, {DISK: "1450e9-1e9x60", SIZE: "3400e9x60"}),
        at="60m",
    ),
    risen("HubLabelOverflow", f'hub_metric_overflows_total{{{DESK},metric="hub_lag_records"}}', quiet_at=LATER),
    risen("HubLogLinesLost", f"hub_log_lines_lost_total{{{DESK}}}"),
    risen("HubFactsLost", f"hub_observer_failures_total{{{DESK}}}"),
    risen("HubLogValuesWithheld", f"hub_log_values_withheld_total{{{DESK}}}", quiet_at=LATER),
)
FLOW: Final = (
    case(
        "HubEventsUnconfirmed",
        always(f'hub_consumer_events_unconfirmed{{{DESK},consumer="review"}}', 1),
        always(f'hub_consumer_events_unconfirmed{{{DESK},consumer="review"}}', 0),
    ),
    case(
        "HubEventsMissing",
        always(f'hub_consumer_events_missing{{{DESK},consumer="review"}}', 1),
        always(f'hub_consumer_events_missing{{{DESK},consumer="review"}}', 0),
    ),
    case(
        "HubLag",
        {
            f'hub_lag_records{{{DESK},tenant="131041",dataset="review",partition="{each}"}}': "5001x60"
            for each in (0, 1)
        },
        {
            f'hub_lag_records{{{DESK},tenant="131041",dataset="review",partition="{each}"}}': "5000x60"
            for each in (0, 1)
        },
        begins=5,
    ),
    case(
        "HubReceiptsWaiting",
        always(f'hub_consumer_receipts_waiting{{{DESK},consumer="review"}}', LIMITS.receipts_waiting + 1),
        always(f'hub_consumer_receipts_waiting{{{DESK},consumer="review"}}', LIMITS.receipts_waiting),
        begins=5,
    ),
    case(
        "HubJournalWaiting",
        {
            'hub_journal_events{instance="portal",state="unacknowledged"}': "0x5 3x30",
            ACKNOWLEDGED: "0+9x4 36x31",
        },
        (
            {'hub_journal_events{instance="portal",state="unacknowledged"}': "3 2 0 " * 15},
            {  # at work: something is always under way
                'hub_journal_events{instance="portal",state="unacknowledged"}': "30x45",
                ACKNOWLEDGED: "0+9x45",
            },
            always('hub_journal_events{instance="portal",state="unconfirmed"}', 3),
        ),
    ),
    case(
        "HubJournalDeep",
        always('hub_journal_events{instance="portal",state="unconfirmed"}', LIMITS.journal_events + 1),
        always('hub_journal_events{instance="portal",state="unconfirmed"}', LIMITS.journal_events),
        begins=10,
    ),
    case(
        "HubTransactionsAborting",
        (
            {f'hub_router_transactions_total{{{ROUTER},outcome="aborted"}}': "1x20 2 3 4x40"},
            {f'hub_router_transactions_total{{{ROUTER},outcome="aborted"}}': "_x20 3x40"},
        ),
        (
            {f'hub_router_transactions_total{{{ROUTER},outcome="aborted"}}': "1x20 2 3x40"},
            {f'hub_router_transactions_total{{{ROUTER},outcome="committed"}}': "0+9x60"},
        ),
        at="45m",
    ),
    case(
        "HubPartitionFenced",
        {
            f'hub_router_partitions_lost_total{{{ROUTER},fenced="true"}}': "_x20 2x40",
            'hub_router_partitions_lost_total{instance="router-2",fenced="true"}': "1x20 2x40",
        },
        {
            f'hub_router_partitions_lost_total{{{ROUTER},fenced="true"}}': "1x20 3x40",
            f'hub_router_partitions_lost_total{{{ROUTER},fenced="false"}}': "1x20 9x40",
        },
        at="45m",
    ),
    case(
        "HubPartitionUnowned",
        {
            f'hub_router_partition_owned{{{ROUTER},partition="3"}}': "1x5 0x30",
            'hub_router_partition_owned{instance="router-2",partition="3"}': "0x60",
        },
        {
            f'hub_router_partition_owned{{{ROUTER},partition="3"}}': "1x5 0x30",
            'hub_router_partition_owned{instance="router-2",partition="3"}': "0x5 1x30",
        },
        begins=8,
    ),
    case(
        "HubDeadLettersBurst",
        (
            {'hub_dead_letters_total{stage="router",reason="untrusted"}': f"_x20 {LIMITS.letters_in_a_burst}x40"},
            {'hub_dead_letters_total{stage="router",reason="untrusted"}': f"9x20 {9 + LIMITS.letters_in_a_burst}x40"},
        ),
        {'hub_dead_letters_total{stage="router",reason="untrusted"}': f"_x20 {LIMITS.letters_in_a_burst - 1}x40"},
    ),
    case("HubDeadLetterWaits", always(OLDEST, LIMITS.letter_seconds + 1), always(OLDEST, LIMITS.letter_seconds)),
    case("HubDeadLetterExpiring", always(OLDEST, EXPIRING + 1), always(OLDEST, EXPIRING)),
)
PROOF: Final = (
    risen("HubContradiction", *map(_alarm, CONTRADICTIONS)),
    risen("HubConflict", f'hub_consumer_conflicts_total{{{DESK},consumer="review"}}'),
    risen("HubForgery", *map(_alarm, FORGERIES)),
    risen("HubChainBroken", *map(_alarm, HOLES)),
    risen("HubAlarm", _alarm("standing.not-kept"), _alarm("broker-logs.lost")),
    case(
        "HubAlarm",
        {_alarm("x"): "_x20 1x40"},
        {_alarm(code): "_x20 1x40" for code in (*CONTRADICTIONS, *FORGERIES, *HOLES, *TOLD)},
    ),
    case(
        "HubAuditLogStopped",
        ({STORED: "0+1x40", LEAVES: "5x40"}, {STORED: "0+1x40"}),
        (
            {STORED: "0+1x40", LEAVES: "5+1x40"},
            {STORED: "_x20 1x20", LEAVES: "_x20 1x20"},
            {STORED: "5x40", LEAVES: "5x40"},
        ),
    ),
    case("HubAuditLogShrank", {LEAVES: "5x20 4x20"}, {LEAVES: "5x20 6x20"}),
    case(
        "HubAuditPublicationBehind",
        {PUBLISHED: "5x40", LEAVES: "6x40"},
        {PUBLISHED: "0+1x40", LEAVES: "5+1x40"},
    ),
    case(
        "HubWitnessContradicts",
        ({**_answers("contradicts", "_x20 1x40")}, _answers("contradicts", "3x20 4x40")),
        _answers("cosigned", "3x20 4x40"),
    ),
    case(
        "HubWitnessSilent",
        _answers("unreachable", "0+1x60"),
        ({**_answers("unreachable", "0+1x60"), **_answers("cosigned", "1x20 2x40")}, _answers("cosigned", "0+1x60")),
        at="45m",
    ),
)
_OPEN: Final = 'hub_watch_control_refuses{instance="monitor",role="monitor",control="plaintext"}'
_UNKNOWN: Final = 'hub_watch_control_unknown{instance="monitor",role="monitor",control="plaintext"}'
_LAST: Final = 'hub_watch_last_round_seconds{instance="monitor",role="monitor"}'
_PATH: Final = 'hub_watch_path_up{instance="router",principal="router",listener="127.0.0.1:9094"}'
_REFUSED: Final = f'hub_authentication_failures_total{{{ROUTER},listener="metrics",reason="no-certificate"}}'


_SERIAL: Final = 'hub_standing_serial{{instance="{}",place="trust"}}'
_LOST: Final = f'hub_host_network_errors_total{{{ROUTER},interface="eth0",direction="in"}}'
NETWORK: Final = (
    case("HubControlStoppedRefusing", {_OPEN: "1x5 0x60"}, always(_OPEN, 1)),
    case("HubControlUntried", {_UNKNOWN: "0x5 1x60"}, always(_UNKNOWN, 0), begins=16),
    case(
        "HubControlsUnwatched",
        ({_LAST: "0+60x10 600x60"}, always('hub_watch_last_round_seconds{instance="router",role="router"}', 1800)),
        {_LAST: "-180+60x60"},
    ),
    case("HubPathDown", {_PATH: "1x5 0x60"}, always(_PATH, 1), begins=7),
    case(
        "HubPathUnreported",
        {'hub_watch_path_reported{instance="monitor",principal="router"}': "1x5 0x60"},
        always('hub_watch_path_reported{instance="monitor",principal="router"}', 1),
        begins=11,
    ),
    case(
        "HubWeakTls",
        always('hub_watch_tls_info{listener="a",protocol="TLSv1.2",cipher="x"}', 1),
        {
            'hub_watch_tls_info{listener="a",protocol="TLSv1.2",cipher="x"}': "0x60",
            'hub_watch_tls_info{listener="a",protocol="TLSv1.3",cipher="x"}': "1x60",
        },
    ),
    risen("HubRightsExcess", _alarm("watch.rights-excess")),
    case(
        "HubStandingBehind",
        {_SERIAL.format("router"): "4x5 5x30", _SERIAL.format("review-131041"): "4x60"},
        {_SERIAL.format("router"): "4x5 5x30", _SERIAL.format("review-131041"): "4x7 5x30"},
        begins=11,
    ),
    case(
        "HubNetworkErrors",
        {_LOST: f"0+{LIMITS.packets // 15 + 1}x60"},
        {_LOST: f"0+{LIMITS.packets // 15}x60"},
    ),
    case(
        "HubAuthenticationFailures",
        ({_REFUSED: f"_x20 {LIMITS.refused_connections}x40"}, {_REFUSED: f"3x20 {LIMITS.refused_connections + 3}x40"}),
        {_REFUSED: f"_x20 {LIMITS.refused_connections - 1}x40"},
    ),
)
OPERATIONS: Final = (
    case(
        "HubOperationsStopped",
        always(f"hub_operations_stopped{{{DESK}}}", 1),
        always(f"hub_operations_stopped{{{DESK}}}", 0),
    ),
    case(
        "HubOperationsWaiting",
        always(f"hub_operations_waiting{{{DESK}}}", LIMITS.operations_waiting + 1),
        always(f"hub_operations_waiting{{{DESK}}}", LIMITS.operations_waiting),
        begins=5,
    ),
    *(
        risen(
            f"HubFinding{severity.value.capitalize()}",
            *(f'hub_analysis_findings_total{{instance="analysis",rule="{rule}"}}' for rule in rules_of(severity)),
            quiet_at=LATER,
        )
        for severity in Severity
    ),
    *(
        case(
            f"HubFinding{severity.value.capitalize()}",
            {f'hub_analysis_findings_total{{rule="{rules_of(severity)[0]}"}}': "_x20 1x40"},
            {
                f'hub_analysis_findings_total{{rule="{rule}"}}': "_x20 1x40"
                for other in Severity
                if other is not severity
                for rule in rules_of(other)
            },
        )
        for severity in Severity
    ),
    case(
        "HubAnalysisSilent",
        (
            always("hub_analysis_watermark_seconds", 1500 - LIMITS.analysis_seconds - 1),
            always('hub_ready{instance="analysis",condition="windows"}', 1),
        ),
        (
            always("hub_analysis_watermark_seconds", 1800 - LIMITS.analysis_seconds),
            {
                **always("hub_analysis_watermark_seconds", 1800 - LIMITS.analysis_seconds),
                **always('hub_ready{instance="analysis",condition="windows"}', 1),
            },
            always('hub_ready{instance="router",condition="fenced"}', 1),
        ),
    ),
    risen("HubAnalysisRefuses", 'hub_analysis_refused_total{instance="analysis",reason="signature"}'),
)
_WRITTEN: Final = f'hub_operations_lines_total{{{DESK},class="access"}}'
_COLLECTED: Final = 'hub_operations_collected_total{instance="monitor",class="access"}'
_TREE: Final = 'hub_operations_collected_leaves{instance="monitor"}'
_SHOWN: Final = 'hub_operations_published_leaves{instance="monitor"}'
COLLECTED: Final = (
    case(
        "HubOperationsMissing",
        always('hub_operations_missing{instance="monitor"}', 1),
        always('hub_operations_missing{instance="monitor"}', 0),
        begins=2,
    ),
    risen("HubOperationsRefused", 'hub_operations_refused_total{instance="monitor",reason="signature"}'),
    case(
        "HubOperationsLogStopped",
        ({_WRITTEN: "0+1x60", _COLLECTED: "7x60"}, {_WRITTEN: "0+1x60"}),
        ({_WRITTEN: "0+1x60", _COLLECTED: "0+1x60"}, {_WRITTEN: "7x60", _COLLECTED: "7x60"}),
    ),
    case("HubOperationsLogShrank", {_TREE: "9x20 8x20"}, {_TREE: "8x20 9x20"}),
    case(
        "HubOperationsPublicationBehind",
        {_TREE: "9x80", _SHOWN: "8x80"},
        {_TREE: "30+1x80", _SHOWN: "0+1x80"},
        at="60m",
    ),
    case(
        "HubDenialsBurst",
        (
            {'hub_broker_denials_total{principal="review-131041"}': f"_x20 {LIMITS.denials}x40"},
            {'hub_broker_denials_total{principal="other"}': f"5x20 {LIMITS.denials + 5}x40"},
        ),
        (
            {'hub_broker_denials_total{principal="review-131041"}': f"_x20 {LIMITS.denials - 1}x40"},
            {f'hub_broker_denials_total{{principal="{each}"}}': "0+9x60" for each in ("monitor", "canary")},
        ),
    ),
    case(
        "HubHandshakesRefused",
        {'hub_broker_handshakes_refused_total{reason="no-certificate"}': f"5x20 {LIMITS.handshakes + 5}x40"},
        {'hub_broker_handshakes_refused_total{reason="no-certificate"}': f"5x20 {LIMITS.handshakes + 4}x40"},
    ),
    risen("HubPeerUnexpected", 'hub_peers_unexpected_total{instance="monitor"}'),
    risen("HubBrokerLogUnread", 'hub_broker_log_lines_unread_total{instance="monitor"}', quiet_at=LATER),
)
SERVERS: Final = (
    case("HubWatchdog", always("up", 1), ()),
    case("HubScrapeFailing", {'up{job="broker"}': "1x5 0x30"}, always(f"up{{{ROUTER}}}", 0), begins=8),
    case(
        "HubAlertmanagerAway",
        (
            always("prometheus_notifications_alertmanagers_discovered", 0),
            {
                "prometheus_notifications_alertmanagers_discovered": "1x60",
                'prometheus_notifications_errors_total{alertmanager="x"}': "0+1x60",
            },
        ),
        {
            "prometheus_notifications_alertmanagers_discovered": "1x60",
            'prometheus_notifications_errors_total{alertmanager="x"}': "4x60",
        },
        begins=2,
    ),
    case(
        "HubNotificationsFailing",
        {'alertmanager_notifications_failed_total{integration="webhook"}': "0+1x60"},
        always('alertmanager_notifications_failed_total{integration="webhook"}', 4),
    ),
    case(
        "HubRulesFailing",
        {'prometheus_rule_evaluation_failures_total{rule_group="x"}': "0+1x60"},
        always('prometheus_rule_evaluation_failures_total{rule_group="x"}', 4),
    ),
    case(
        "HubConfigurationRefused",
        (
            always("prometheus_config_last_reload_successful", 0),
            always("alertmanager_config_last_reload_successful", 0),
        ),
        {"prometheus_config_last_reload_successful": "1x60", "alertmanager_config_last_reload_successful": "1x60"},
        begins=1,
    ),
)
