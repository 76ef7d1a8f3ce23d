"""The alerts that take their time: brokers away, roles frozen, stores locked, disks filled (`make watch-long`)."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Final

import pytest

from monitoring.prometheus.limits import Limits
from monitoring.prometheus.rules import files, write
from tests.broker.hub import eventually
from tests.watch import causing
from tests.watch.covered import BROKERS_AWAY, STORE_LOCKED
from tests.watch.paged import FACTOR, Paged, paged
from tests.watch.servers import ALERTMANAGER, AMTOOL, PROMETHEUS, PROMTOOL, need
from tests.watch.watched import Watched

need(PROMETHEUS, PROMTOOL, ALERTMANAGER, AMTOOL)
pytestmark = [pytest.mark.soak(target="watch-long"), pytest.mark.timeout(600)]

LIMITS: Final = replace(
    Limits.packaged(), lag_records=0, journal_events=0, operations_waiting=0, restarts=1, handshakes=150,
    watch_seconds=10, analysis_seconds=60, backlog_seconds=3, disk_filling_share=1.0,
)  # fmt: skip
DESK: Final = "review-131041"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paged]:
    directory = tmp_path_factory.mktemp("alerts")
    # what the analysis waits for lines that come late is a part of how far it is behind
    settings = {"HUB_WATCH_SECONDS": "2", "HUB_BROKER_LOGS_SECONDS": "1", "HUB_ANALYSIS_LATENESS_SECONDS": "5"}
    with paged(directory, LIMITS, settings, broker=True) as found:
        found.start_analysis()
        found.prometheus.until("hub_watch_control_refuses == 1", holds=lambda series: len(series) > 5)
        yield found


@pytest.fixture
def filing(site: Paged) -> Iterator[Watched]:
    """Filings keep coming."""
    if not site.portal.lives:
        site.new_portal()
    load = Watched(site.hub, site.prometheus, site.portal)
    load.keep_filing(int(time.time()), every_seconds=1.0)
    try:
        yield load
    finally:
        load.rest()


def test_brokers_that_are_away(site: Paged, filing: Watched) -> None:
    kafka = site.hub.stack.kafka
    for name in BROKERS_AWAY:
        site.over(name)  # who is not scraped yet is away, too
    site.prometheus.until('sum(hub_consumer_events_stored_total{consumer="review"}) > 16', 120)
    kafka.kill()
    try:
        for name in BROKERS_AWAY:
            site.fires(name, 120)
        site.told("HubBrokersUnreachable")
    finally:
        kafka.start()
    filing.rest()
    for name in BROKERS_AWAY:
        site.over(name, 180)
    site.told("HubBrokersUnreachable", "resolved")


def test_a_store_that_is_locked(site: Paged, filing: Watched) -> None:
    database = site.hub.home.role(DESK) / "state" / "store.db"
    with closing(sqlite3.connect(database, isolation_level=None, timeout=30)) as other:
        other.execute("begin immediate")
        for name in (*STORE_LOCKED, "HubPaused"):
            site.fires(name, 120)
        other.execute("rollback")
    filing.rest()
    for name in (*STORE_LOCKED, "HubPaused"):
        site.over(name, 180)


def test_a_portal_that_dies(site: Paged) -> None:
    load = Watched(site.hub, site.prometheus, site.portal)
    before = sum(each.value for each in site.prometheus.query("hub_consumer_events_stored_total"))
    load.keep_filing(4711, every_seconds=0.05)  # whenever it dies, something is in no checkpoint yet
    try:
        site.prometheus.until(f"sum(hub_consumer_events_stored_total) > {before}")
        site.portal.kill()
    finally:
        load.rest()
    site.fires("HubEventsUnconfirmed", 120)
    site.told("HubEventsUnconfirmed")
    site.new_portal()
    site.over("HubEventsUnconfirmed", 120)


def test_a_role_that_starts_again_and_again(site: Paged) -> None:
    for times in range(LIMITS.restarts):
        site.hub.stack.roles.stop([DESK])
        site.hub.stack._start_role(DESK)
        role = site.hub.stack.roles.running[DESK]
        deadline = time.monotonic() + 60
        while not role.ready():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        site.aim()
        site.prometheus.until(f'changes(process_start_time_seconds{{instance="{DESK}"}}[60s]) > {times}')
    site.fires("HubProcessRestarting")
    site.over("HubProcessRestarting")


def test_an_event_loop_that_is_late(site: Paged) -> None:
    deadline = time.monotonic() + 120
    while "HubEventLoopLate" not in site.prometheus.firing():
        assert time.monotonic() < deadline
        with causing.stopped(site, DESK):
            time.sleep(1.5)
        time.sleep(1.2)
    site.over("HubEventLoopLate")


def test_targets_that_are_gone(site: Paged) -> None:
    site.hub.home.targets.write_text("[]")
    try:
        site.fires("HubNothingScraped")
        site.fires("HubControlsUnwatched")
        site.told("HubNothingScraped")
    finally:
        site.aim()
    site.over("HubNothingScraped")
    site.over("HubControlsUnwatched")


def test_a_monitor_that_is_frozen(site: Paged) -> None:
    with causing.stopped(site, "monitor"):
        deadline = time.monotonic() + 120
        while "HubOperationsLogStopped" not in site.prometheus.firing():
            assert time.monotonic() < deadline
            site.hub.run("review", "list", "--json")
        site.fires("HubControlsUnwatched")
    site.over("HubOperationsLogStopped")
    site.over("HubControlsUnwatched")


def test_an_audit_log_that_stands_still(site: Paged, filing: Watched) -> None:
    audits = [name for name in site.hub.stack.roles.running if name.startswith("audit-")]
    with causing.stopped(site, *audits):
        site.fires("HubAuditLogStopped")
        site.told("HubAuditLogStopped")
    site.over("HubAuditLogStopped", 120)


def test_a_disk_that_fills(site: Paged) -> None:
    """At some megabytes a second it would be full within the day; the file is taken away before."""
    file = site.hub.home.path / "filler"
    deadline = time.monotonic() + 120
    try:
        with file.open("wb") as filler:
            while "HubDiskFillsSoon" not in site.prometheus.firing():
                assert time.monotonic() < deadline
                filler.write(os.urandom(1 << 20) * 8)
                filler.flush()
                time.sleep(0.5)
    finally:
        file.unlink()
    site.over("HubDiskFillsSoon", 300)


def test_a_log_that_cannot_be_written(site: Paged) -> None:
    site.start_analysis(HUB_LOG_FILE="/dev/full")
    site.fires("HubLogLinesLost")
    site.told("HubLogLinesLost")
    site.start_analysis()
    site.over("HubLogLinesLost")


def test_a_person_who_looks_one_receipt_up_again_and_again(site: Paged) -> None:
    (receipt, *_) = Watched(site.hub, site.prometheus, site.portal).file(16, 99)
    site.hub.stored(receipt)
    for _ in range(11):
        site.hub.run("helpdesk", "lookup", receipt, "--json")
    site.fires("HubFindingTicket", 120)
    site.told("HubFindingTicket")
    site.over("HubFindingTicket", 120)


def test_lines_of_nobody_on_the_operations_log(site: Paged) -> None:
    causing.write(site, (causing.topic(site, "operations"), b"\x00garbage"), key=b"operation/" + b"0" * 32)
    site.fires("HubAnalysisRefuses")
    site.over("HubAnalysisRefuses")


def test_strangers_at_the_brokers_door(site: Paged) -> None:
    for _ in range(200):
        causing.knock(site.hub.stack.bootstrap)
    site.fires("HubHandshakesRefused")
    site.fires("HubBrokerAuthenticationFailures")
    site.over("HubHandshakesRefused")


def test_rules_that_cannot_be_evaluated(site: Paged) -> None:
    bad = site.directory / "rules" / "bad.yaml"
    one = 'label_replace(up, "instance", "x", "instance", ".*")'
    bad.write_text(f"groups: [{{name: bad, interval: 1s, rules: [{{record: 'bad', expr: '{one}'}}]}}]\n")
    site.prometheus.reload()
    try:
        site.fires("HubRulesFailing")
        site.told("HubRulesFailing")
    finally:
        bad.unlink()
        write(site.directory / "rules", files(LIMITS, factor=FACTOR, every="1s"))
        site.prometheus.reload()
    site.over("HubRulesFailing")


def test_a_receiver_that_refuses(site: Paged) -> None:
    site.mail.refuse("/monitor")
    try:
        site.fires("HubNotificationsFailing", 120)
        site.told("HubNotificationsFailing")  # the pager is another receiver
    finally:
        site.mail.refuse("")
    site.over("HubNotificationsFailing", 120)


def test_an_alertmanager_that_is_away(site: Paged) -> None:
    """Late here: it begins anew on its port, and everything is well again."""
    site.pager.process.send_signal(signal.SIGKILL)
    site.pager.process.wait()
    site.fires("HubAlertmanagerAway")
    site.fires("HubScrapeFailing")
    with site.again():
        site.over("HubAlertmanagerAway")
        site.over("HubScrapeFailing")
        site.told("HubAlertmanagerAway", "resolved")


def test_the_hub_goes_on_when_prometheus_and_alertmanager_are_away(site: Paged) -> None:
    """Very last: both servers are gone; filings are stored, and the endpoints stay good."""

    def stored() -> float:
        return sum(each for name, each in site.hub.moving().items() if " hub_consumer_events_stored_total" in name)

    site.pager.stop()
    site.prometheus.stop()
    before = stored()
    filed = Watched(site.hub, site.prometheus, site.portal).file(16, 7)
    eventually(lambda: stored() >= before + len(filed), 120)
    assert all(role.ready() for role in site.hub.stack.roles.running.values())
