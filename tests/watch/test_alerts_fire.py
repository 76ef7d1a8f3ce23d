"""Each alert is made to fire by causing its condition on the running hub, and it resolves when that is over.

Here a representative set at once; the others take their time (test_alerts_long.py). Nobody makes up a metric.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from hub.control_certificates import CANARY
from monitoring.prometheus.expressions import asked
from monitoring.prometheus.limits import Limits
from monitoring.prometheus.routes import LOUDEST, WATCHDOG
from monitoring.prometheus.rules import all_alerts
from tests.watch import causing
from tests.watch.covered import IN_CI
from tests.watch.paged import Paged, paged
from tests.watch.servers import ALERTMANAGER, AMTOOL, PROMETHEUS, PROMTOOL, QueryRefused, need
from topics import names

need(PROMETHEUS, PROMTOOL, ALERTMANAGER, AMTOOL)
pytestmark = pytest.mark.timeout(400)

WEEK: Final = 7 * 86400
SMALL: Final = replace(
    Limits.packaged(),
    letters_in_a_burst=3,
    letter_seconds=2,
    letter_retention_seconds=WEEK + 2,
    refused_connections=3,
    denials=5,
    watch_seconds=60,
    disk_filling_share=0.0,
)
SHORT: Final = replace(
    SMALL, disk_free_bytes=1 << 62, disk_empty_bytes=1 << 62, memory_bytes=1 << 20, host_memory_bytes=1 << 62,
    open_files=0.0,
)  # fmt: skip
"""every machine is short of all this"""
QUIET: Final = frozenset({WATCHDOG, "HubClockUnsynchronised"})
"""nothing keeps the clock of a container right"""
SILENCED: Final = frozenset(
    {
        *("HubPathUnreported", "HubDiskNearlyFull", "HubDeadLetterWaits"),
        *("HubCertificateEndsIn7Days", "HubCertificateEndsIn30Days"),
    }
)
"""fire, and nobody is told, for another one that fires too explains them"""
STOPPED: Final = "helpdesk-131041"
DESK: Final = "review-131041"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paged]:
    directory = tmp_path_factory.mktemp("alerts")
    with paged(directory, SMALL, {"HUB_WATCH_SECONDS": "2", "HUB_BROKER_LOGS_SECONDS": "1"}) as found:
        yield found


@pytest.fixture(scope="module")
def healthy(site: Paged) -> set[str]:
    """What fires before anything was caused, once every role was read and every control was tried."""
    everybody = {*site.hub.stack.roles.running, *site.extra}
    site.prometheus.until("hub_watch_control_refuses == 1", holds=lambda found: len(found) > 5)
    site.prometheus.until(
        'up{job="hub"} == 1', holds=lambda found: everybody <= {each.labels["instance"] for each in found}
    )
    site.told(WATCHDOG)
    site.prometheus.eventually(lambda: site.prometheus.firing() <= QUIET, 60, f"quiet: {site.prometheus.firing()}")
    return site.prometheus.firing()


@pytest.fixture(scope="module")
def storm(site: Paged, healthy: set[str], tmp_path_factory: pytest.TempPathFactory) -> Paged:
    """Everything goes wrong at once."""
    namespace = site.hub.stack.topology.namespace
    causing.grant(site, CANARY, DESK, allowed=True)
    garbage = [(names.submissions(namespace), b"\x00garbage")] * SMALL.letters_in_a_burst
    garbage += [(names.sessions(namespace), b"\x00garbage"), (causing.topic(site, "operations"), b"\x00garbage")]
    forbidden = [(causing.topic(site, "review"), b"x")] * SMALL.denials
    assert causing.write(site, *garbage, *forbidden) == SMALL.denials
    causing.certify(site, DESK, not_after=datetime.now(UTC) + timedelta(hours=12))
    causing.come_as(site, "stranger", tmp_path_factory.mktemp("stranger"))
    for _ in range(2 * SMALL.refused_connections):
        causing.knock(site.hub.stack.describe().metrics["router"])
    site.set_limits(SHORT)
    with pytest.raises(QueryRefused):
        causing.reload_with(site, "nonsense: [1]\n")
    causing.stop(site, STOPPED)
    return site


@pytest.fixture(scope="module")
def calm(storm: Paged) -> Paged:
    """All of it is made good."""
    causing.go_on(storm, STOPPED)
    causing.reload_with(storm, "")
    storm.set_limits(SMALL)
    causing.grant(storm, CANARY, DESK, allowed=False)
    causing.certify(storm, DESK)
    letters = [each["letter"] for each in storm.hub.json("dead-letters", "list")]
    assert letters
    storm.hub.json("dead-letters", "discard", *letters, "--reason", "not-ours", "--note", "a test")
    return storm


def test_a_healthy_hub_disturbs_nobody(healthy: set[str]) -> None:
    """The wait for it is in the fixture."""
    assert healthy - {"HubClockUnsynchronised"} == {WATCHDOG}


def test_prometheus_and_alertmanager_say_what_the_rules_ask_of_them(site: Paged, healthy: set[str]) -> None:
    names_ = {each.metric for alert in all_alerts().values() for each in asked(alert.expr)}
    for name in sorted(each for each in names_ if each.startswith(("prometheus_", "alertmanager_"))):
        assert site.prometheus.query(name), name


@pytest.mark.parametrize("name", IN_CI)
def test_it_fires_and_somebody_is_told(storm: Paged, name: str) -> None:
    storm.fired(name)
    if name in SILENCED:
        return
    told = storm.told(name)
    (alert, *_) = [each for each in told.body["alerts"] if each["labels"]["alertname"] == name]
    assert alert["annotations"]["runbook_url"] == all_alerts()[name].runbook
    for text in ("summary", "summary_ja"):
        said = alert["annotations"][text]
        assert said
        assert "{{" not in said
        assert "<" not in said  # neither <no value> nor <error …>
    expected = "control" if name in LOUDEST else "watchdog" if name == WATCHDOG else ""
    if expected:
        storm.mail.until(lambda each: each.path == f"/{expected}" and each.says(name, "firing"))


def test_what_another_one_explains_is_told_to_nobody(storm: Paged) -> None:
    """Looked at last of the storm: until then there was time enough to tell."""
    silent = {each["labels"]["alertname"] for each in storm.pager.alerts() if each["status"]["inhibitedBy"]}
    assert silent >= {"HubPathUnreported", "HubDiskNearlyFull"}


@pytest.mark.parametrize("name", [each for each in IN_CI if each != WATCHDOG])
def test_it_resolves(calm: Paged, name: str) -> None:
    calm.over(name)
    if name not in SILENCED:
        calm.told(name, "resolved")
