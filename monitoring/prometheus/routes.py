"""The configuration of Alertmanager: who is told of what, together with what, and what explains what.

Inhibitions come from the alerts (`silenced_by`). What is `LOUDEST` goes past all grouping and is never inhibited.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from monitoring.prometheus.base import Alert, Severity, Team, in_seconds
from monitoring.prometheus.contacts import RECEIVERS, Contacts, Receiver
from monitoring.prometheus.plain_yaml import Plain

WATCHDOG: Final = "HubWatchdog"
LOUDEST: Final = frozenset({"HubControlStoppedRefusing"})
"""a way stands open that must be closed: told at once, alone, and again until it is closed"""
_TEXT: Final = (
    "{{ range .Alerts }}[{{ .Status }}] {{ .Labels.alertname }}\n{{ .Annotations.summary_ja }}\n"
    "{{ .Annotations.summary }}\n{{ .Annotations.runbook_url }}\n\n{{ end }}"
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a group waits for its members, for more of them, and until it is told again."""

    wait: str
    interval: str
    repeat: str

    def times(self, factor: float) -> dict[str, Plain]:
        """As a route says it; `factor` below 1 is for tests."""
        found = {"group_wait": self.wait, "group_interval": self.interval, "repeat_interval": self.repeat}
        return {name: f"{max(1, round(in_seconds(each) * factor * 1000))}ms" if factor != 1 else each
                for name, each in found.items()}  # fmt: skip


LOUD: Final = Pace("0s", "1m", "10m")
PAGED: Final = Pace("10s", "1m", "1h")
TICKETS: Final = Pace("1m", "5m", "1d")
NOTICES: Final = Pace("5m", "1h", "7d")
ALIVE: Final = Pace("0s", "1m", "1m")


def configuration(alerts: Mapping[str, Alert], contacts: Contacts, *, factor: float = 1.0) -> dict[str, Plain]:
    """Return alertmanager.yml as plain values."""
    return {
        "global": _global(contacts),
        "route": _routes(alerts, factor),
        "inhibit_rules": inhibitions(alerts.values()),
        "receivers": [_receiver(name, contacts.of(name)) for name in RECEIVERS],
    }


def _routes(alerts: Mapping[str, Alert], factor: float) -> Plain:
    loud = sorted(LOUDEST & alerts.keys())
    by_team: list[Plain] = [
        {
            "matchers": [f'team="{team.value}"', f'severity="{severity.value}"'],
            "receiver": team.value,
            **pace.times(factor),
        }
        for team in Team
        for severity, pace in ((Severity.PAGE, PAGED), (Severity.TICKET, TICKETS), (Severity.NOTICE, NOTICES))
    ]
    first: list[Plain] = [
        {"matchers": [f'alertname="{WATCHDOG}"'], "receiver": "watchdog", **ALIVE.times(factor)},
        *(
            {
                "matchers": [f'alertname="{name}"'],
                "receiver": "control",
                "group_by": ["..."],
                "continue": True,
                **LOUD.times(factor),
            }
            for name in loud
        ),
        {
            "matchers": [f'severity="{Severity.PAGE.value}"', *(f'alertname!="{name}"' for name in loud)],
            "receiver": "page",
            "continue": True,
            **PAGED.times(factor),
        },
    ]
    return {
        "receiver": Team.OPERATOR.value,  # what no route knows
        "group_by": ["alertname", "tenant"],
        **TICKETS.times(factor),
        "routes": [*first, *by_team],
    }


def inhibitions(alerts: Iterable[Alert]) -> list[Plain]:
    """Return one rule per explaining alert and set of equal labels. ValueError for a loud alert."""
    silenced: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for alert in alerts:
        for each in alert.silenced_by:
            if alert.name in LOUDEST:
                raise ValueError(f"{alert.name} is never silenced")
            silenced[each.by, each.same].append(alert.name)
    return [
        {
            "source_matchers": [f'alertname="{by}"'],
            "target_matchers": [f'alertname=~"{"|".join(sorted(names))}"'],
            **({"equal": list(same)} if same else {}),
        }
        for (by, same), names in sorted(silenced.items())
    ]


def _global(contacts: Contacts) -> dict[str, Plain]:
    names = {
        "smarthost": "smtp_smarthost",
        "from": "smtp_from",
        "username": "smtp_auth_username",
        "password_file": "smtp_auth_password_file",
    }
    smtp: dict[str, Plain] = {names[name]: value for name, value in contacts.smtp.items()}
    # an alert that Prometheus says nothing more of counts as over after this; Prometheus itself says when
    return {"resolve_timeout": "5m", **(smtp if any(each.emails for each in contacts.receivers.values()) else {})}


def _receiver(name: str, told: Receiver) -> Plain:
    found: dict[str, Plain] = {"name": name}
    resolved = name != "watchdog"
    if told.webhooks:
        found["webhook_configs"] = [{"url": url, "send_resolved": resolved} for url in told.webhooks]
    if told.emails:
        found["email_configs"] = [
            {"to": address, "send_resolved": resolved, "require_tls": True, "html": "", "text": _TEXT}
            for address in told.emails
        ]
    return found
