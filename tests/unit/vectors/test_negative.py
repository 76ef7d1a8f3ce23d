"""What must be refused is refused, with the code that the vectors say."""

from __future__ import annotations

from typing import Any

import pytest

from hub.envelope.reasons import Reason
from tests.unit.vectors.files import WORLD, load, names
from tests.unit.vectors.judges import judge

SAID: dict[str, Any] = load("negative")
CASES: list[dict[str, Any]] = SAID["cases"]
READERS = ("portal", f"helpdesk-{WORLD['tenant']}")
IDS = [f"{each['judge']}: {each['name']}" for each in CASES]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_it_is_refused_by_its_code(case: dict[str, Any]) -> None:
    assert judge(case) == case["code"]


def test_every_code_that_bytes_can_show_has_a_case() -> None:
    shown = {each["code"] for each in CASES}
    assert {each.value for each in Reason} - shown == set(SAID["not_by_bytes_alone"])
    assert len(set(IDS)) == len(IDS)


@pytest.mark.parametrize("event", load("events"), ids=names(load("events")))
def test_the_same_judges_take_what_is_good(event: dict[str, Any]) -> None:
    """Or they might refuse everything."""
    base = {"judge": "event", "partition": event["partition"], "key": event["key"]}
    copies = [(copy["keeps"] or "audit", copy["topic"], copy["value"]) for copy in event["routed"]]
    if event["routed"]:
        copies.append(("router", event["topic"], event["value"]))
    else:
        readers = [section["audience"] for section in event["sections"] if section["audience"] in READERS]
        copies += [(name, event["topic"], event["value"]) for name in readers]
    for reader, topic, value in copies:
        assert judge(base | {"reader": reader, "topic": topic, "value": value}) is None
