"""The cases of the alerts on what ends, and on the brokers."""

from __future__ import annotations

from typing import Final

from tests.watch.rules.case import Case, always, case, risen
from tests.watch.rules.cases import LIMITS, ROUTER

_NOW: Final = 1800
"""when the cases are looked at, in seconds"""
_OLDEST: Final = 'hub_backlog_oldest_seconds{instance="review-131041",tenant="131041",dataset="review"}'
_CLOCK: Final = f"hub_clock_offset_seconds{{{ROUTER}}}"
_FAILED: Final = 'kafka_failed_authentications_total{instance="broker",listener="MTLS",processor="1"}'
_UNSTABLE: Final = 'kafka_last_stable_offset_lag_records{instance="broker",topic="eltax.submissions",partition="0"}'


def _ends(name: str, series: str) -> tuple[Case, ...]:
    return tuple(
        case(
            f"{name}In{days}Day{'s' if days > 1 else ''}",
            always(series, _NOW + days * 86400 - 1),
            (always(series, _NOW + days * 86400), always(series, 0)),
        )
        for days in (1, 7, 30)
    )


ENDS: Final = (
    *_ends("HubListenerCertificateEnds", f'hub_watch_peer_not_after_seconds{{{ROUTER},listener="127.0.0.1:9094"}}'),
    *_ends("HubCertificateEnds", f"hub_certificate_not_after_seconds{{{ROUTER}}}"),
    *_ends("HubKeyEnds", f'hub_key_not_after_seconds{{{ROUTER},purpose="identity"}}'),
    *_ends("HubEpochEnds", f"hub_epoch_not_after_seconds{{{ROUTER}}}"),
    case(
        "HubClockOff",
        (always(_CLOCK, LIMITS.clock_seconds + 0.01), always(_CLOCK, -LIMITS.clock_seconds - 0.01)),
        (always(_CLOCK, LIMITS.clock_seconds), always(_CLOCK, -LIMITS.clock_seconds)),
        begins=5,
    ),
    case(
        "HubClockUnsynchronised",
        always(f"hub_clock_synchronised{{{ROUTER}}}", 0),
        always(f"hub_clock_synchronised{{{ROUTER}}}", 1),
        at="40m",
        begins=30,
    ),
    risen("HubClocksDisagree", f'hub_negative_durations_total{{{ROUTER},metric="hub_router_delay_seconds"}}'),
    case(
        "HubBacklogOld",
        always(_OLDEST, LIMITS.backlog_seconds + 1),
        always(_OLDEST, LIMITS.backlog_seconds),
        begins=1,
    ),
)


def _above(alert: str, series: str, begins: int | None = None) -> Case:
    return case(alert, always(series, 1), always(series, 0), begins=begins)


BROKERS: Final = (
    case("HubBrokerDown", {'up{job="broker"}': "1x5 0x30"}, always(f"up{{{ROUTER}}}", 0), begins=7),
    _above("HubUnderReplicated", 'kafka_under_replicated_partitions{instance="broker"}', 5),
    _above("HubUnderMinIsr", 'kafka_under_min_isr_partitions{instance="broker"}', 1),
    _above("HubPartitionsOffline", 'kafka_offline_partitions{instance="broker"}'),
    _above("HubLogDirectoryOffline", 'kafka_offline_log_directories{instance="broker"}'),
    case(
        "HubNoController",
        (
            always('kafka_active_controllers{instance="broker"}', 0),
            {f'kafka_active_controllers{{instance="{each}"}}': "1x60" for each in ("a", "b")},
        ),
        {'kafka_active_controllers{instance="a"}': "1x60", 'kafka_active_controllers{instance="b"}': "0x60"},
        begins=1,
    ),
    _above("HubBrokerFenced", 'kafka_fenced_brokers{instance="broker"}', 5),
    case(
        "HubTransactionHangs",
        always(_UNSTABLE, LIMITS.unstable_records + 1),
        always(_UNSTABLE, LIMITS.unstable_records),
        begins=5,
    ),
    risen("HubInvalidRecords", 'kafka_invalid_records_total{instance="broker"}'),
    case(
        "HubBrokerAuthenticationFailures",
        {_FAILED: f"5x20 {LIMITS.handshakes + 5}x40"},
        {_FAILED: f"5x20 {LIMITS.handshakes + 4}x40"},
    ),
    _above("HubBrokerUnread", 'jmx_scrape_error{instance="broker"}', 5),
)
