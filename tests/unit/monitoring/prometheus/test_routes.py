"""Who is told of what; the real Alertmanager is asked in tests/watch."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitoring.prometheus.base import Explained
from monitoring.prometheus.contacts import RECEIVERS, Contacts, ContactsInvalid, Receiver, example, parse, read
from monitoring.prometheus.routes import LOUDEST, configuration, inhibitions
from monitoring.prometheus.rules import all_alerts

ALERTS = all_alerts()


def test_what_is_loudest_is_silenced_by_nothing() -> None:
    for rule in inhibitions(ALERTS.values()):
        assert isinstance(rule, dict)
        assert not any(name in str(rule["target_matchers"]) for name in LOUDEST)
    loud = replace(ALERTS["HubPaused"], name="HubControlStoppedRefusing", silenced_by=(Explained("HubProcessDown"),))
    with pytest.raises(ValueError, match="never silenced"):
        inhibitions([loud])


def test_an_explanation_is_told_once_per_set_of_labels() -> None:
    rules: list[Any] = inhibitions(ALERTS.values())
    for rule in rules:
        (source,) = rule["source_matchers"]
        (target,) = rule["target_matchers"]
        name = source.removeprefix('alertname="').removesuffix('"')
        targets = target.removeprefix('alertname=~"').removesuffix('"').split("|")
        for each in targets:
            assert Explained(name, tuple(rule.get("equal", ()))) in ALERTS[each].silenced_by
    assert len(rules) == len({(each.by, each.same) for alert in ALERTS.values() for each in alert.silenced_by})


def test_an_alert_and_what_explains_it_share_the_labels_that_must_be_equal() -> None:
    from monitoring.declared import BY_NAME
    from monitoring.prometheus.expressions import asked, grouped

    def labels(name: str) -> set[str]:
        expr = ALERTS[name].expr
        own = {label for each in asked(expr) if each.metric in BY_NAME for label in BY_NAME[each.metric].labels}
        return set(grouped(expr)) or own | {"instance", "job", "role"}

    for alert in ALERTS.values():
        for each in alert.silenced_by:
            assert set(each.same) <= labels(alert.name), (alert.name, each)
            assert set(each.same) <= labels(each.by), (alert.name, each)


def test_contacts_are_read_and_the_example_tells_nobody(tmp_path: Path) -> None:
    file = tmp_path / "contacts.json"
    file.write_text(example())
    assert read(file).unheard == tuple(RECEIVERS)
    value = json.loads(example())
    value["receivers"]["page"] = {"webhooks": ["https://pager.example.invalid/a"], "emails": ["a@example.invalid"]}
    found = parse(value)
    assert (
        found.of("control")
        == found.of("page")
        == Receiver(("https://pager.example.invalid/a",), ("a@example.invalid",))
    )
    assert found.unheard == ("operator", "monitor", "audit", "watchdog")
    made: Any = configuration(ALERTS, found)
    assert made["global"]["smtp_smarthost"] == "mail.example.invalid:587"
    assert [each["name"] for each in made["receivers"]] == list(RECEIVERS)
    assert "smtp_smarthost" not in configuration(ALERTS, Contacts())["global"]  # type: ignore[operator]


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"pager": {}},
        {"receivers": {"nobody": {}}},
        {"receivers": {"page": {"webhook": []}}},
        {"receivers": {"page": {"webhooks": "https://x"}}},
        {"receivers": {"page": {"webhooks": ["http://elsewhere.invalid/"]}}},
        {"receivers": {"page": {"webhooks": [""]}}},
        {"receivers": {"page": {"emails": ["a@example.invalid"]}}},
        {"smtp": {"password": "secret-word"}},
        {"smtp": {"smarthost": 1}},
    ],
)
def test_contacts_that_are_none_are_refused_without_being_quoted(value: Any) -> None:
    with pytest.raises(ContactsInvalid) as refused:
        parse(value)
    assert "secret-word" not in str(refused.value)
    assert "elsewhere" not in str(refused.value)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContactsInvalid):
        read(tmp_path / "contacts.json")
    (tmp_path / "contacts.json").write_bytes(b"\xff{")
    with pytest.raises(ContactsInvalid):
        read(tmp_path / "contacts.json")
