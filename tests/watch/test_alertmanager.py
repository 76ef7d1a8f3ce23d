"""The routes on a real Alertmanager with a real receiver: who is told, together with what, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitoring.prometheus.base import Severity
from monitoring.prometheus.contacts import RECEIVERS, Contacts, Receiver
from monitoring.prometheus.plain_yaml import dump
from monitoring.prometheus.routes import LOUDEST, WATCHDOG, configuration
from monitoring.prometheus.rules import all_alerts
from tests.watch import receiving
from tests.watch.receiving import Notification
from tests.watch.servers import ALERTMANAGER, AMTOOL, Alertmanager, alertmanager, need, tool

need(ALERTMANAGER, AMTOOL)

ALERTS = all_alerts()
FACTOR = 1 / 60
"""a page waits 10 s for others and a minute for more of them: here 170 ms and a second"""


@dataclass
class Site:
    """An Alertmanager with our routes, and the mailboxes."""

    server: Alertmanager
    mail: receiving.Receiver

    def fire(self, name: str, *, resolved: bool = False, **labels: str) -> None:
        """Hand over an alert as Prometheus does."""
        self.fire_all([(name, labels)], resolved=resolved)

    def fire_all(self, alerts: list[tuple[str, dict[str, str]]], *, resolved: bool = False) -> None:
        """Hand over several at once."""
        now = datetime.now(UTC)
        ends = now - timedelta(seconds=1) if resolved else now + timedelta(minutes=5)
        self.server.post(
            *(
                {
                    "labels": {
                        "alertname": name,
                        "severity": ALERTS[name].severity.value,
                        "team": ALERTS[name].team.value,
                        **labels,
                    },
                    "annotations": {"summary_ja": ALERTS[name].summary_ja},
                    "startsAt": (now - timedelta(seconds=2)).isoformat(),
                    "endsAt": ends.isoformat(),
                }
                for name, labels in alerts
            )
        )

    def told(self, receiver: str) -> list[Notification]:
        """What came to a receiver."""
        return [each for each in self.mail.seen if each.path == f"/{receiver}"]

    def until(self, receiver: str, name: str, status: str = "firing", **labels: str) -> Notification:
        """Wait until a receiver is told of an alert."""

        def wanted(each: Notification) -> bool:
            return each.path == f"/{receiver}" and any(
                alert["labels"]["alertname"] == name
                and alert["status"] == status
                and labels.items() <= alert["labels"].items()
                for alert in each.body["alerts"]
            )

        return self.mail.until(wanted)


def contacts(mailbox: str) -> Contacts:
    """Every receiver has a mailbox of its own."""
    return Contacts({name: Receiver((f"{mailbox}/{name}",)) for name in RECEIVERS})


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with receiving.receiver() as mail:
        routes = dump(configuration(ALERTS, contacts(mail.url), factor=FACTOR))
        with alertmanager(tmp_path / "alertmanager", routes) as server:
            yield Site(server, mail)


def test_amtool_accepts_the_configuration_with_and_without_contacts(tmp_path: Path) -> None:
    smtp = {"smarthost": "mail.example.invalid:587", "from": "hub@example.invalid", "username": "hub"}
    full = Contacts(
        {name: Receiver(("https://pager.example.invalid/x",), ("a@example.invalid",)) for name in RECEIVERS},
        {**smtp, "password_file": "/etc/eltax-hub/smtp"},
    )
    for number, each in enumerate((Contacts(), full)):
        file = tmp_path / f"{number}.yml"
        file.write_text(dump(configuration(ALERTS, each)))
        done = tool(AMTOOL, "check-config", file)
        assert done.returncode == 0, done.stdout + done.stderr


OF_EACH_KIND = sorted(
    {*LOUDEST, WATCHDOG, *{(alert.severity, alert.team): name for name, alert in ALERTS.items()}.values()}
)
"""the loud one, the watchdog, and one alert of each severity and team"""


@pytest.mark.parametrize("name", OF_EACH_KIND)
def test_amtool_routes_an_alert_to_its_team_and_pages_at_any_hour(name: str, routes: Path) -> None:
    alert = ALERTS[name]
    labels = (f"alertname={name}", f"severity={alert.severity.value}", f"team={alert.team.value}")
    done = tool(AMTOOL, "config", "routes", "test", f"--config.file={routes}", *labels)
    expected = [alert.team.value]
    if name in LOUDEST:
        expected = ["control", alert.team.value]
    elif alert.severity is Severity.PAGE:
        expected = ["page", alert.team.value]
    elif name == WATCHDOG:
        expected = ["watchdog"]
    assert done.stdout.strip().split(",") == expected, done.stderr


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("routes") / "alertmanager.yml"
    file.write_text(dump(configuration(ALERTS, contacts("https://pager.example.invalid"))))
    return file


def test_alerts_of_one_name_and_tenant_come_together(site: Site) -> None:
    site.fire_all(
        [("HubLag", {"instance": f"{desk}-131041", "tenant": "131041"}) for desk in ("review", "helpdesk", "audit")]
        + [("HubLag", {"instance": "review-131059", "tenant": "131059"})]
    )
    site.until("operator", "HubLag", tenant="131041")
    site.until("operator", "HubLag", tenant="131059")
    groups = {each.body["groupLabels"]["tenant"]: each.names for each in site.told("operator")}
    assert groups == {"131041": ["HubLag"] * 3, "131059": ["HubLag"]}
    assert not site.told("page")


def test_what_explains_an_alert_silences_it_and_only_there(site: Site) -> None:
    site.fire("HubProcessDown", instance="router", job="hub")
    site.until("page", "HubProcessDown")
    site.fire("HubNotReady", instance="router", condition="fenced")
    site.fire("HubNotReady", instance="review-131041", condition="store")
    told = site.until("page", "HubNotReady")
    assert [each["labels"]["instance"] for each in told.body["alerts"]] == ["review-131041"]

    def inhibited() -> dict[str, bool]:
        return {
            each["labels"]["instance"]: bool(each["status"]["inhibitedBy"])
            for each in site.server.alerts()
            if each["labels"]["alertname"] == "HubNotReady"
        }

    assert inhibited() == {"router": True, "review-131041": False}
    site.fire("HubProcessDown", resolved=True, instance="router", job="hub")
    site.until("page", "HubProcessDown", "resolved")
    site.until("page", "HubNotReady", instance="router")  # nothing explains it any more


def test_an_open_control_is_heard_while_everything_else_fires(site: Site) -> None:
    """Whatever could silence, group or delay: all at once, and the control is told of first, alone, and again."""
    others = [
        (name, {"instance": f"{instance}", "tenant": "131041", "control": "plaintext"})
        for name in ALERTS
        if name not in LOUDEST
        for instance in ("router", "monitor")
    ]
    site.fire_all(others)
    site.fire("HubControlStoppedRefusing", control="plaintext", instance="monitor")
    told = site.until("control", "HubControlStoppedRefusing")
    assert told.names == ["HubControlStoppedRefusing"]
    site.until("monitor", "HubControlStoppedRefusing")
    (alert,) = [each for each in site.server.alerts() if each["labels"]["alertname"] == "HubControlStoppedRefusing"]
    assert alert["status"] == {"state": "active", "silencedBy": [], "inhibitedBy": []}
    assert {name for each in site.told("control") for name in each.names} == set(LOUDEST)
    site.fire("HubControlStoppedRefusing", resolved=True, control="plaintext", instance="monitor")
    site.until("control", "HubControlStoppedRefusing", "resolved")
    site.until("watchdog", WATCHDOG)
    site.until("page", "HubProcessDown")
    told_to: dict[str, set[Any]] = {
        name: {alert["labels"]["severity"] for each in site.told(name) for alert in each.body["alerts"]}
        for name in RECEIVERS
    }
    assert told_to["page"] == {"page"}
    assert told_to["watchdog"] == {"notice"}
