"""`dead-letters` as people use it, on a whole hub: every role a process of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from cli.people import open_role
from hub.transport import BatchWriter, Outgoing
from tests.broker.hub import Hub, eventually, metrics_of, running
from topics import names

pytestmark = [pytest.mark.broker, pytest.mark.soak, pytest.mark.timeout(300)]
GARBAGE = "見本太郎 個人番号なし".encode()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with running(tmp_path_factory.mktemp("letters")) as made:
        yield made


def gauge(hub: Hub, name: str, **labels: str) -> float | None:
    """The value of one sample of the monitor's process; None if there is none."""
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    for line in metrics(hub).splitlines():
        found, _, value = line.rpartition(" ")
        if found.startswith(name + "{") and wanted <= set(found[len(name) + 1 : -1].split(",")):
            return float(value)
    return None


def metrics(hub: Hub) -> str:
    return metrics_of(hub.stack.roles.running["monitor"])


def put(hub: Hub, value: bytes) -> None:
    """Write as a portal that has lost its mind."""

    async def write() -> None:
        role = open_role(hub.home, "portal")
        async with BatchWriter(role.endpoint) as writer:
            await writer.write(names.submissions(role.namespace), 1, [Outgoing(b"k", value)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUB_HOME", str(hub.home.path))
        asyncio.run(write())


def test_a_letter_is_listed_shown_refused_for_replay_and_discarded(hub: Hub) -> None:
    put(hub, GARBAGE)
    (listed,) = eventually(lambda: hub.json("dead-letters", "list"))
    assert (listed["reason"], listed["state"], listed["waits_for"], listed["tenant"]) == (
        "not-framed", "open", "never", None,
    )  # fmt: skip
    mine = {"tenant": "shared", "reason": "not-framed"}
    eventually(lambda: gauge(hub, "hub_dead_letters_open", **mine) == 1)
    assert (gauge(hub, "hub_dead_letters_oldest_seconds", **mine) or 0) > 0

    shown = hub.run("dead-letters", "show", listed["letter"], "--json")
    assert GARBAGE not in shown.stdout and "見本".encode() not in shown.stdout
    detail = json.loads(shown.stdout)
    assert (detail["value_bytes"], detail["record"], detail["seal"]) == (len(GARBAGE), "unknown", "not-framed")

    refused = hub.run("dead-letters", "replay", listed["letter"], "--json")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["code"] == "letter.hopeless"
    skipped = hub.json("dead-letters", "replay", "--all", "--reason", "not-framed")
    assert [(row["what"], row["code"]) for row in skipped] == [("skipped", "letter.hopeless")]

    discard = ("dead-letters", "discard", listed["letter"])
    (done,) = hub.json(*discard, "--reason", "not-ours", "--note", "a probe of the network team", "--by", "sato")
    assert (done["what"], done["by"], done["reason"]) == ("discarded", "sato", "not-ours")
    assert hub.json("dead-letters", "list") == []
    (after,) = hub.json("dead-letters", "list", "--all")
    assert after["state"] == "discarded"

    def audited() -> bool:
        return all(row["discarded"] == 1 for row in hub.json("audit", "verify"))

    eventually(audited)  # nobody's: told to the audit desk of every tenant
    eventually(lambda: gauge(hub, "hub_dead_letters_open", **mine) == 0)
    assert gauge(hub, "hub_dead_letters_ended_total", **mine, outcome="discarded") == 1


def test_an_unknown_letter_is_named(hub: Hub) -> None:
    for name in ("router/0/999", "nonsense"):
        answer = hub.run("dead-letters", "show", name, "--json")
        assert (answer.returncode, json.loads(answer.stdout)["error"]["code"]) == (1, "letter.unknown")
