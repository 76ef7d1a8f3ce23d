"""The people of the demonstration: reviewers who decide on everything that came, tax teams who take it over.

Each works in a process of its own, by the commands that people use: `review list`, `review decide -`,
`consume tax --drain`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import HubError

if TYPE_CHECKING:
    from cli.stack import Stack

_REVIEWER: Final = "架空の審査担当"
_SECONDS: Final = 300.0
_MESSAGES: Final = {
    "item-inconsistent": "（演習）記載内容を確認のうえ、訂正して再提出してください。",
    "superseded": "（演習）訂正の提出を受け付けたため、本件は返戻します。",
    "withdrawn": "（演習）取下げの提出を受け付けたため、本件は返戻します。",
    "inquiry": "（演習）関係部署に照会中です。",
}


class DemoWorkFailed(HubError):
    """A command of the demonstration's people failed."""

    code = "demo.work"
    hint = "Its own words are on standard error above."


@dataclass(slots=True)
class Done:
    """What the reviewers did: decisions by kind, and hand-overs to tax teams that follow from them."""

    decisions: Counter[str] = field(default_factory=Counter)
    handovers: int = 0

    @property
    def decided(self) -> int:
        """How many decisions in all."""
        return self.decisions.total()


def orders(rows: Sequence[Mapping[str, Any]], tax_items: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield lines for `review decide -`: of ten submissions one returned, one held, eight accepted.

    An acceptance goes to one tax team or two; one in twelve is revoked again, which its teams are told too.
    What a later submission corrects or withdraws is returned for that reason.
    """
    replaced = {row["replaces"] for row in rows}
    withdrawn = {row["withdraws"] for row in rows}
    for place, row in enumerate(rows):
        receipt = {"receipt": row["event_id"], "tenant": row["tenant"]}
        if row["receipt_number"] in replaced:
            yield receipt | _back("return", "superseded")
        elif row["receipt_number"] in withdrawn:
            yield receipt | _back("return", "withdrawn")
        elif place % 10 == 3:
            yield receipt | _back("return", "item-inconsistent")
        elif place % 10 == 7:
            yield receipt | _back("hold", "inquiry")
        else:
            first = place % len(tax_items)
            items = [tax_items[first]] if place % 3 else [tax_items[first], tax_items[first - 1]]
            reason = "with-findings" if row["findings"] else "complete"
            yield receipt | {"decision": "accept", "reason": reason, "tax_items": items}
            if place % 12 == 5:
                yield receipt | {"decision": "revoke", "reason": "decided-in-error"}


def _back(decision: str, reason: str) -> dict[str, str]:
    return {"decision": decision, "reason": reason, "message": _MESSAGES[reason]}


def decide(stack: Stack) -> Done:
    """Let the reviewers of each tenant decide on all that is stored; return what they did. Raises DemoWorkFailed."""
    done = Done()
    items = sorted({team.removeprefix("tax-").rpartition("-")[0] for team in _teams(stack)})
    for tenant in stack.topology.tenants:
        listed = _run(stack, "review", "list", "--tenant", tenant.code, "--json")
        wanted = list(orders([json.loads(line) for line in listed.splitlines()], items))
        lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in wanted)
        told = _run(stack, "review", "decide", "-", "--tenant", tenant.code, "--by", _REVIEWER, "--json", given=lines)
        if len(told.splitlines()) != len(wanted):
            raise DemoWorkFailed(f"{len(told.splitlines())} of {len(wanted)} decisions")
        accepted: dict[str, int] = {}
        for order in wanted:
            done.decisions[order["decision"]] += 1
            if order["decision"] == "accept":
                accepted[order["receipt"]] = len(order["tax_items"])
            if order["decision"] in ("accept", "revoke"):
                done.handovers += accepted[order["receipt"]]
    return done


def wait_told(stack: Stack, done: Done, count: Callable[[], Mapping[str, int]], before: Mapping[str, int]) -> None:
    """Wait until helpdesks and audit desks have stored what was decided and handed over. Raises DemoWorkFailed.

    `count` asks all desks how many events each kind of them has stored, `before` is what it said before the decisions.
    """
    expected = {
        "helpdesk": before["helpdesk"] + done.decided,
        "audit": before["audit"] + done.decided + done.handovers,
    }
    deadline = time.monotonic() + _SECONDS
    while True:
        stored = count()
        missing = {kind: wanted - stored[kind] for kind, wanted in expected.items() if stored[kind] < wanted}
        if not missing:
            return
        stack.roles.check()
        if time.monotonic() > deadline:
            raise DemoWorkFailed(f"not told in time: {missing}")
        time.sleep(0.2)


def take_over(stack: Stack) -> None:
    """Let each tax team take over what is there, in a process of its own, then end. Raises DemoWorkFailed."""
    from cli.forked import run_each
    from cli.processes import role_environment

    def environment(team: str) -> dict[str, str]:
        made = role_environment(
            stack.home,
            team,
            bootstrap=stack.bootstrap,
            namespace=stack.topology.namespace,
            partitions=stack.topology.partitions,
        )
        return {**made, "HUB_LOG_FILE": str(stack.home.logs / f"{team}.jsonl")}

    teams = _teams(stack)
    ended = run_each(
        {team: ["consume", "tax", "--drain"] for team in teams},
        {team: environment(team) for team in teams},
        seconds=_SECONDS,
    )
    for team, status in ended.items():
        if status:
            raise DemoWorkFailed(f"{team}, status {status}")


def _teams(stack: Stack) -> list[str]:
    return [each.name for each in stack.topology.principals if each.name.startswith("tax-")]


def _run(stack: Stack, *command: str, given: str = "") -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "cli", *command],
        env={**kept, "HUB_HOME": str(stack.home.path)},
        input=given,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        refused = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"error"')]
        codes = sorted({each["error"]["code"] for each in refused})
        raise DemoWorkFailed(f"{' '.join(command[:2])}, status {done.returncode} {' '.join(codes)}")
    return done.stdout
