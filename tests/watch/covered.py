"""Which tests make which alert fire on a running hub; and, said plainly, which alerts only promtool fires."""

from __future__ import annotations

from typing import Final

from monitoring.prometheus.routes import WATCHDOG

OF_THE_MACHINE: Final = ("HubDiskNearlyFull", "HubDiskEmpty", "HubMemoryHigh", "HubHostMemoryLow", "HubFilesExhausted")
"""through limits that every machine is short of"""
IN_CI: Final = (
    *(WATCHDOG, "HubControlStoppedRefusing", "HubRightsExcess", "HubProcessDown", "HubPathUnreported"),
    *("HubDeadLettersBurst", "HubDeadLetterWaits", "HubDeadLetterExpiring", "HubForgery", "HubOperationsRefused"),
    *("HubAuthenticationFailures", "HubDenialsBurst", "HubPeerUnexpected", "HubConfigurationRefused"),
    *("HubCertificateEndsIn1Day", "HubCertificateEndsIn7Days", "HubCertificateEndsIn30Days"),
    *OF_THE_MACHINE,
)
"""tests/watch/test_alerts_fire.py"""
BROKERS_AWAY: Final = (
    *("HubBrokersUnreachable", "HubPaused", "HubNotReady", "HubPathDown", "HubJournalWaiting"),
    *("HubOperationsWaiting", "HubBrokerDown", "HubAnalysisSilent"),
)
STORE_LOCKED: Final = ("HubLag", "HubJournalDeep", "HubBacklogOld")
LONG: Final = (
    *BROKERS_AWAY,
    *STORE_LOCKED,
    *("HubEventsUnconfirmed", "HubProcessRestarting", "HubEventLoopLate", "HubNothingScraped"),
    *("HubControlsUnwatched", "HubOperationsLogStopped", "HubAuditLogStopped", "HubDiskFillsSoon", "HubLogLinesLost"),
    *(
        "HubFindingTicket",
        "HubAnalysisRefuses",
        "HubHandshakesRefused",
        "HubBrokerAuthenticationFailures",
    ),
    *("HubScrapeFailing", "HubAlertmanagerAway", "HubNotificationsFailing", "HubRulesFailing"),
)
"""tests/watch/test_alerts_long.py"""
_WINDOWS: Final = "its windows are hours and days"
_CLUSTER: Final = "needs several brokers; the embedded one is alone"
_INSIDER: Final = "needs an insider's forgery; the alarm it counts is raised in tests/broker and tests/attacks"
ONLY_PROMTOOL: Final = {
    **dict.fromkeys(
        ("HubStorageBurnsIn2Days", "HubStorageBurnsIn5Days", "HubStorageBurnsIn10Days", "HubStorageBurnsIn30Days"),
        _WINDOWS,
    ),
    **dict.fromkeys(("HubContradiction", "HubConflict", "HubChainBroken", "HubEventsMissing"), _INSIDER),
    **dict.fromkeys(("HubUnderReplicated", "HubUnderMinIsr", "HubBrokerFenced", "HubNoController"), _CLUSTER),
    **dict.fromkeys(
        ("HubKeyEndsIn1Day", "HubKeyEndsIn7Days", "HubKeyEndsIn30Days"),
        "the administrator signs keys for their whole time; HubCertificateEnds… tries the same expression",
    ),
    **dict.fromkeys(
        ("HubEpochEndsIn1Day", "HubEpochEndsIn7Days", "HubEpochEndsIn30Days"),
        "ends with the calendar month; HubCertificateEnds… tries the same expression",
    ),
    "HubAlarm": "whatever has no alert of its own",
    "HubClocksDisagree": "would set the machine's clock",
    "HubStandingBehind": "a role that runs and hears nothing for minutes; tests of the tenants have none",
    "HubNetworkErrors": "needs a broken wire",
    "HubClockOff": "would set the machine's clock",
    "HubClockUnsynchronised": "would stop the machine's time service; in a container it may fire by itself",
    "HubPartitionsOffline": "a single broker that is down tells nothing: HubBrokerDown",
    "HubLogDirectoryOffline": "a single broker that loses its disk ends: HubBrokerDown",
    "HubTransactionHangs": "a router frozen with a thousand records in one transaction",
    "HubInvalidRecords": "no client of ours can send them",
    "HubBrokerUnread": "another version of the broker",
    "HubAuditLogShrank": "needs a store that was exchanged",
    "HubOperationsLogShrank": "needs a store that was exchanged",
    "HubOperationsMissing": "needs records that were withheld; tests of the collector find them",
    "HubAuditPublicationBehind": "nothing is published unless a directory is configured",
    "HubOperationsPublicationBehind": "nothing is published unless a directory is configured",
    "HubWitnessContradicts": "needs a witness; tests/broker/test_proofs.py has one",
    "HubWitnessSilent": "needs a witness; tests/broker/test_proofs.py has one",
    "HubWeakTls": "needs a listener below TLS 1.3, which the embedded broker has no setting for",
    "HubControlUntried": "an attempt that comes to nothing, for ten minutes, with brokers that are there",
    "HubOperationsStopped": "needs a spool that is full; tests of the operations log fill one",
    "HubLabelOverflow": "takes more label sets than a test can make; tests of the metrics fill them",
    "HubFactsLost": "an error of the program",
    "HubLogValuesWithheld": "an error of the program",
    "HubBrokerLogUnread": "another version of the broker",
    "HubReceiptsWaiting": "brokers that are there and do not take receipts",
    "HubTransactionsAborting": "chance decides whether a transaction is open when a broker dies",
    "HubPartitionFenced": "two routers that take turns for minutes",
    "HubPartitionUnowned": "a router that runs and owns nothing",
    "HubFindingPage": "as HubFindingTicket, by other rules",
    "HubFindingNotice": "as HubFindingTicket, by other rules",
    **dict.fromkeys(
        ("HubListenerCertificateEndsIn1Day", "HubListenerCertificateEndsIn7Days", "HubListenerCertificateEndsIn30Days"),
        "the embedded broker renews its certificate in time",
    ),
}
"""and why"""
