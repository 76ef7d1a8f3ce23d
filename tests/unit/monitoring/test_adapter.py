"""Every fact of the core becomes a number, and those a person must see become a line."""

from __future__ import annotations

import ast
import io
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.envelope.operations import Kind, Operation, OperationEvent
from hub.facts import (
    Alarm,
    BacklogAge,
    BatchRouted,
    CheckpointWritten,
    DeadLettered,
    DecisionsTold,
    EventsAcknowledged,
    EventsConfirmed,
    EventsStored,
    Fact,
    HandedOver,
    JournalDepth,
    Lag,
    LetterEnded,
    LettersOpen,
    Lifecycle,
    LogExtended,
    LogPublished,
    PartitionFenced,
    PartitionLost,
    Paused,
    Ready,
    ReceiptsSent,
    RowsExported,
    SessionEnded,
    SessionStarted,
    StandingTaken,
    SubmissionJudged,
    TransactionAborted,
    Unconfirmed,
    WitnessAnswered,
)
from hub.operations.facts import BrokersReached, OperationSent, OperationsWaiting
from monitoring.adapter import TO_LOG, TO_METRICS, combine, log_observer, metrics_observer
from monitoring.analysis.facts import AnalysedUntil, FindingMade, LinesAnalysed
from monitoring.analysis.findings import Finding, Severity
from monitoring.endpoint import ScrapesRefused
from monitoring.health import LoopBeat
from monitoring.logs import KEYS, configure
from monitoring.metrics import Metrics
from monitoring.network.facts import ControlJudged, ListenerUndeclared, PathHeard, PathProbed, RoundEnded, TlsSeen
from monitoring.network.judgement import Verdict
from monitoring.operations.facts import (
    BrokerSeen,
    OperationsCollected,
    OperationsDeleted,
    OperationsPublished,
    OperationsRefused,
)
from monitoring.process import ProcessSource

ROOT = Path(__file__).parents[3]
SLUG = "heirs"
T = "131041"

LINE = OperationEvent(
    f"review-{T}",
    "a",
    "eltax",
    bytes(16),
    0,
    bytes(32),
    Operation(Kind.VIEWED, datetime(2026, 4, 1, tzinfo=UTC), "ok", "sato", "192.0.2.1", T, "ab" * 16, "review show"),
)
FINDING = Finding(
    "ab" * 16,
    "bulk-viewing",
    Severity.TICKET,
    datetime(2026, 4, 1, tzinfo=UTC),
    datetime(2026, 4, 1, 1, tzinfo=UTC),
    "sato",
    T,
    60,
    (f"{'ab' * 16}-1",),
)

SAMPLES: list[Fact] = [
    SubmissionJudged("refused", T, SLUG, ("unknown-item", "bad-date")),
    EventsAcknowledged("eltax.submissions", 3, 7, 0.02),
    JournalDepth(5, 2),
    SessionStarted("eltax.submissions", T, "ab" * 32),
    SessionEnded("eltax.submissions", T, "ab" * 32, True),
    CheckpointWritten("eltax.submissions", 3, 7),
    BatchRouted(3, {(T, SLUG): 6}, 1, {"bad-mac": 2}, 0.05, (0.1, 0.2)),
    TransactionAborted(3, "kafka.transaction-failed", "kafka.unavailable"),
    PartitionFenced(3),
    PartitionLost(3, True),
    EventsStored(f"review-{T}", 3, {(T, SLUG): 6}, 1, 2, 0.03, (0.4,)),
    EventsConfirmed(f"review-{T}", {(T, "heirs"): 4, ("flood", "flood"): 2}),
    Unconfirmed(f"review-{T}", 3),
    Unconfirmed(f"review-{T}", 4, 1, 61.5),
    ReceiptsSent(f"review-{T}", 6, 2),
    DecisionsTold(f"review-{T}", "return", 3, "heirs"),
    HandedOver(f"tax-resident-tax-{T}", "accept", 4, "heirs"),
    RowsExported(f"review-{T}", 2, 5, 1),
    RowsExported(f"review-{T}", 2, 7, 1, again=True),
    DeadLettered("review", "bad-ciphertext", 3),
    LettersOpen({(T, "unknown-session"): (3, 7200.5), ("shared", "bad-mac"): (0, 0.0)}),
    LetterEnded(T, "unknown-session", "replayed", 2),
    LogExtended(T, 900),
    LogPublished(T, 880, 2),
    WitnessAnswered(T, "unreachable"),
    Alarm("second-leaf", f"eltax.{T}.audit"),
    Lag(f"eltax.{T}.review", 3, 12),
    BacklogAge(f"eltax.{T}.review", 7.5),
    Paused("router", "dead-letters-full", True),
    Ready("store", True),
    StandingTaken(7, 3, (T, "999989")),
    Lifecycle("started", {"command": "route"}),
    LoopBeat(0.002),
    LinesAnalysed({"access": 5, "system": 2}, 1, {"bad-signature": 3}),
    LinesAnalysed({"access": 1}),
    AnalysedUntil(1_775_000_000_500),
    FindingMade(FINDING),
    OperationSent(LINE),
    OperationsWaiting(7, True),
    BrokersReached(True),
    BrokersReached(False, "kafka.unavailable"),
    ScrapesRefused("not-named", 3),
    PathProbed(f"review-{T}", "127.0.0.1:9093", True, "", 0.001, 0.012, 1_798_761_600.0),
    PathProbed(f"review-{T}", "broker-2.example:9093", False, "unverified-expired", changed=True),
    TlsSeen("127.0.0.1:9093", "TLSv1.3", "TLS_AES_256_GCM_SHA384", present=True),
    TlsSeen("127.0.0.1:9093", "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256", present=False),
    ControlJudged("no-certificate", Verdict.REFUSED, "alert-certificate-required", "127.0.0.1:9093", changed=True),
    ControlJudged("plaintext", Verdict.ACCEPTED, "answered", "[fd00::1]:9092", changed=True),
    ControlJudged("tls-1-2", Verdict.UNKNOWN, "hung", "127.0.0.1:9093", changed=True),
    PathHeard(f"audit-{T}", False, changed=True),
    RoundEnded(1_795_000_000.5, 14, 1, refused=False),
    ListenerUndeclared("127.0.0.1:9092", "kafka"),
    OperationsCollected({"access": 3}, 2, 40),
    OperationsRefused("bad-signature", 4),
    OperationsDeleted({"system": 6}),
    OperationsPublished(38, 1),
    BrokerSeen({"review-131041": 2, "mallory": 1}, {"no-certificate": 5}, 7, 1),
]

EXPECTED = {
    'hub_portal_submissions_total{outcome="refused",procedure="heirs",tenant="131041"}': 1,
    'hub_portal_refusals_total{rule="unknown-item"}': 1,
    'hub_authentication_failures_total{listener="metrics",reason="not-named"}': 3,
    'hub_producer_events_acknowledged_total{dataset="submissions",tenant="shared"}': 7,
    'hub_producer_acknowledge_seconds_count{dataset="submissions"}': 1,
    'hub_journal_events{state="unconfirmed"}': 5,
    'hub_journal_events{state="unacknowledged"}': 2,
    'hub_sessions_started_total{dataset="submissions",tenant="131041"}': 1,
    'hub_sessions_ended_total{dataset="submissions",resumed="true",tenant="131041"}': 1,
    'hub_checkpoints_written_total{dataset="submissions",tenant="shared"}': 1,
    'hub_checkpoint_entries_total{dataset="submissions",tenant="shared"}': 7,
    'hub_router_events_total{procedure="heirs",tenant="131041"}': 6,
    "hub_router_checkpoints_total": 1,
    'hub_dead_letters_total{reason="bad-mac",stage="router"}': 2,
    'hub_router_transactions_total{outcome="committed"}': 1,
    'hub_router_transactions_total{outcome="aborted"}': 1,
    'hub_router_aborts_total{reason="kafka.unavailable"}': 1,
    "hub_router_transaction_seconds_count": 1,
    "hub_router_delay_seconds_count": 2,
    'hub_router_partition_owned{partition="3"}': 0,
    'hub_router_partitions_lost_total{fenced="true"}': 1,
    'hub_consumer_events_stored_total{consumer="review",procedure="heirs",tenant="131041"}': 6,
    'hub_consumer_replays_total{consumer="review"}': 1,
    'hub_consumer_conflicts_total{consumer="review"}': 2,
    'hub_consumer_store_seconds_count{consumer="review"}': 1,
    'hub_consumer_delay_seconds_count{consumer="review"}': 1,
    'hub_consumer_events_confirmed_total{consumer="review",procedure="heirs",tenant="131041"}': 4,
    'hub_consumer_events_confirmed_total{consumer="review",procedure="other",tenant="other"}': 2,
    'hub_consumer_unconfirmed_oldest_seconds{consumer="review"}': 61.5,
    'hub_backlog_oldest_seconds{dataset="review",tenant="131041"}': 7.5,
    'hub_access_total{kind="viewed",tenant="131041"}': 1,
    'hub_consumer_events_unconfirmed{consumer="review"}': 4,
    'hub_consumer_events_missing{consumer="review"}': 1,
    'hub_consumer_receipts_sent_total{consumer="review"}': 6,
    'hub_tax_handed_over_total{consumer="tax",outcome="accept",procedure="heirs",tenant="131041"}': 4,
    'hub_review_exported_rows_total{consumer="review",outcome="handed-over"}': 5,
    'hub_review_exported_rows_total{consumer="review",outcome="withdrawn"}': 1,
    'hub_review_exported_rows_total{consumer="review",outcome="repeated"}': 7,
    'hub_review_decisions_told_total{consumer="review",outcome="return",procedure="heirs",tenant="131041"}': 3,
    'hub_consumer_receipts_waiting{consumer="review"}': 2,
    'hub_audit_log_leaves{tenant="131041"}': 900,
    'hub_audit_published_leaves{tenant="131041"}': 880,
    'hub_audit_cosignatures{tenant="131041"}': 2,
    'hub_audit_witness_answers_total{code="unreachable",tenant="131041"}': 1,
    'hub_dead_letters_total{reason="bad-ciphertext",stage="review"}': 3,
    'hub_dead_letters_open{reason="unknown-session",tenant="131041"}': 3,
    'hub_dead_letters_oldest_seconds{reason="unknown-session",tenant="131041"}': 7200.5,
    'hub_dead_letters_open{reason="bad-mac",tenant="shared"}': 0,
    'hub_dead_letters_ended_total{outcome="replayed",reason="unknown-session",tenant="131041"}': 2,
    'hub_alarms_total{code="second-leaf"}': 1,
    'hub_lag_records{dataset="review",partition="3",tenant="131041"}': 12,
    'hub_paused{code="dead-letters-full",stage="router"}': 1,
    'hub_ready{condition="store"}': 1,
    'hub_standing_serial{place="trust"}': 7,
    'hub_standing_serial{place="declaration"}': 3,
    'hub_lifecycle_events_total{event="started"}': 1,
    "hub_event_loop_lag_seconds_count": 1,
    'hub_watch_path_up{listener="127.0.0.1:9093",principal="review-131041"}': 1,
    'hub_watch_path_up{listener="broker-2.example:9093",principal="review-131041"}': 0,
    'hub_watch_connect_seconds_count{listener="127.0.0.1:9093"}': 1,
    'hub_watch_handshake_seconds_count{listener="127.0.0.1:9093"}': 1,
    'hub_watch_peer_not_after_seconds{listener="127.0.0.1:9093"}': 1_798_761_600,
    'hub_watch_tls_info{cipher="TLS_AES_256_GCM_SHA384",listener="127.0.0.1:9093",protocol="TLSv1.3"}': 1,
    'hub_watch_tls_info{cipher="TLS_CHACHA20_POLY1305_SHA256",listener="127.0.0.1:9093",protocol="TLSv1.3"}': 0,
    'hub_watch_control_refuses{control="no-certificate"}': 1,
    'hub_watch_control_refuses{control="plaintext"}': 0,
    'hub_watch_control_unknown{control="plaintext"}': 0,
    'hub_watch_control_unknown{control="tls-1-2"}': 1,
    'hub_watch_path_reported{principal="audit-131041"}': 0,
    "hub_watch_attempts_total": 14,
    "hub_watch_undeclared_listeners_total": 1,
    "hub_watch_last_round_seconds": 1_795_000_000.5,
    'hub_operations_lines_total{class="access"}': 1,
    "hub_operations_waiting": 7,
    "hub_operations_stopped": 1,
    'hub_analysis_events_total{class="access"}': 6,
    'hub_analysis_refused_total{reason="bad-signature"}': 3,
    "hub_analysis_late_total": 1,
    "hub_analysis_watermark_seconds": 1_775_000_000.5,
    'hub_analysis_findings_total{rule="bulk-viewing"}': 1,
    'hub_operations_collected_total{class="access"}': 3,
    "hub_operations_missing": 2,
    "hub_operations_collected_leaves": 40,
    'hub_operations_refused_total{reason="bad-signature"}': 4,
    'hub_operations_deleted_total{class="system"}': 6,
    "hub_operations_published_leaves": 38,
    'hub_broker_denials_total{principal="review-131041"}': 2,
    'hub_broker_denials_total{principal="other"}': 1,
    'hub_broker_handshakes_refused_total{reason="no-certificate"}': 5,
    "hub_peers_unexpected_total": 7,
    "hub_broker_log_lines_unread_total": 1,
    "hub_observer_failures_total": 0,
}


def made() -> Metrics:
    return Metrics(tenants=(T,), procedures=(SLUG,), sources=())


def declared_facts() -> set[str]:
    """The names of all classes in the product that are facts, read from the sources."""
    found = set()
    for room in ("hub", "portal", "consumers", "monitoring", "assurance"):
        for source in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("Fact") for base in node.bases):
                    found.add(node.name)
    return found


def test_every_kind_of_fact_has_a_metric_and_a_decision_about_the_log() -> None:
    assert TO_METRICS.keys() == TO_LOG.keys()
    assert {kind.__name__ for kind in TO_METRICS} == declared_facts()


def test_the_samples_of_these_tests_cover_every_kind() -> None:
    assert {type(fact) for fact in SAMPLES} == TO_METRICS.keys()


def test_each_fact_arrives_at_its_numbers() -> None:
    metrics = made()
    observe = metrics_observer(metrics)
    for fact in SAMPLES:
        observe(fact)
    told = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            told[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    assert {name: told.get(name) for name in EXPECTED} == EXPECTED
    assert math.isnan(told['hub_watch_control_refuses{control="tls-1-2"}']), "neither refused nor let in"


def test_every_declared_metric_with_the_hubs_name_is_moved_by_some_fact_or_source() -> None:
    from monitoring.declared import METRICS

    moved = {name.partition("{")[0].removesuffix("_count") for name in EXPECTED}
    sampled = {
        "hub_build_info",
        "hub_metric_overflows_total",
        "hub_log_lines_total",
        "hub_log_lines_lost_total",
        "hub_log_values_withheld_total",
        "hub_negative_durations_total",
        *("hub_certificate_not_after_seconds", "hub_key_not_after_seconds", "hub_epoch_not_after_seconds"),
        *("hub_store_bytes", "hub_journal_bytes"),
        *_sampled_of_the_machine(),
    }
    assert {m.name for m in METRICS if m.name.startswith("hub_")} == moved | sampled


def _sampled_of_the_machine() -> set[str]:
    metrics = Metrics(procedures=(), sources=(ProcessSource({"state": ROOT}),))
    names = {f"{each.name}_total" if each.type == "counter" else each.name for each in metrics.families()}
    return {name for name in names if name.startswith("hub_")} - {"hub_event_loop_lag_seconds"}


def test_each_line_has_only_known_keys_and_nothing_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    configured = configure(principal="review-131041", instance="a")
    try:
        observe = log_observer()
        for fact in SAMPLES:
            observe(fact)
    finally:
        configured.close()
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert {line["event"] for line in lines} == {
        "submission-refused",
        "rows-exported",
        "rows-exported-again",
        "scrapes-refused",
        "not-cosigned",
        "session-started",
        "session-ended",
        "dead-letters-routed",
        "transaction-aborted",
        "partition-fenced",
        "partition-lost",
        "conflicting-events",
        "letter-ended",
        "events-unconfirmed",
        "events-missing",
        "dead-lettered",
        "alarm",
        "paused",
        "ready",
        "standing-taken",
        "path-down",
        "path-silent",
        "control-refused",
        "control-accepted",
        "control-unknown",
        "listener-undeclared",
        "started",
        "operation",
        "connected",
        "disconnected",
        "lines-refused",
        "finding",
        "operations-deleted",
        "operations-refused",
        "broker-refused",
    }
    for line in lines:
        assert set(line) <= KEYS
        assert "withheld" not in line, line


def test_facts_that_say_all_is_well_make_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    configured = configure(principal="portal", instance="a")
    try:
        for fact in (
            SubmissionJudged("accepted", T, SLUG),
            BatchRouted(0, {(T, SLUG): 5_000}, 2, {}, 0.1),
            EventsStored("review", 0, {(T, SLUG): 5_000}),
            Unconfirmed("review", 0),
        ):
            log_observer()(fact)
    finally:
        configured.close()
    assert written.getvalue() == ""


@dataclass(frozen=True, slots=True)
class Unheard(Fact):
    """A fact nobody has an entry for."""


def test_an_observer_never_raises_and_counts_what_it_could_not_tell() -> None:
    metrics = made()
    observe = metrics_observer(metrics)
    observe(Unheard())
    observe(EventsAcknowledged("eltax.submissions", 0, -1, 0.1))
    assert metrics.value("hub_observer_failures_total") == 2


def test_one_observer_that_raises_does_not_keep_the_fact_from_the_others() -> None:
    seen: list[Fact] = []

    def broken(_: Fact) -> None:
        raise RuntimeError

    combine(broken, seen.append, broken)(Ready("store", True))
    assert seen == [Ready("store", True)]
