"""The report of a day: a row per fault, and what everything came to. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from tests.chaos.day import Day
from tests.chaos.plan import MEANING, Fault


def as_json(day: Day) -> dict[str, Any]:
    """Everything that the report says, for whoever compares days."""
    said = asdict(day)
    said["good"] = day.good
    return said


def rendered(day: Day, command: str, date: str, machine: str, left_out: Collection[Fault]) -> str:
    """Return the page as Markdown."""
    judged = day.judgement
    lines = [
        f"# A bad day, seed {day.seed}",
        "",
        f"`{command}` on {date}, {machine}. Three brokers (min.insync.replicas 2), two routers, two cities,",
        f"{day.rate:g} filings a second; {day.events:,} filings, {len(day.rows)} faults in {day.seconds / 60:.0f} min.",
        "The records on the topics were counted by kcat, reading committed records, none deduplicated; per partition",
        "each output must hold what the input holds, in that order, and no id more often than that (decision 268).",
        "",
        "| what | |",
        "|---|---|",
        f"| acknowledged by the portal | {day.acknowledged:,} |",
        f"| of these lost | {judged.lost} |",
        f"| records on all outputs | {day.records:,} |",
        f"| more often on an output than on the input | {judged.doubled} |",
        f"| sent again by portals that could not know that it had arrived; stored once | {judged.again} |",
        f"| there and not filed | {judged.invented} |",
        f"| out of order or place | {judged.misplaced} |",
        f"| dead letters | {day.dead_letters} |",
        f"| reconciliation | {'agreed' if day.agreed else 'NOT agreed'} |",
        f"| audit logs | {'verified' if day.verified else 'NOT verified'} |",
        f"| filings handed over again after a portal died, answered as known | {day.duplicates:,} |",
        f"| processes that ended by themselves and were started again | {sum(row.restarted for row in day.rows)} |",
        "",
        "Recovery: from the end of the fault until every role is ready and all acknowledged before is on every",
        "output. Stall: the longest time without an acknowledgement from the beginning of the fault until then.",
        "A registry that is away is not among the faults: no role asks one (docs/schema-registry.md).",
        "",
        "| after filings | fault | whom | what it is | lasted s | recovery s | stall s | restarted | reconciled |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in day.rows:
        agreed = {True: "yes", False: "NO", None: "in the end"}[row.agreed]
        fault = row.moment.fault
        lines.append(
            f"| {row.filed:,} | {fault.value} | {row.victim} | {MEANING[fault]} | {row.caused_seconds:.1f} | "
            f"{row.recovery_seconds:.1f} | {row.stall_seconds:.1f} | {row.restarted} | {agreed} |"
        )
    lines += ["", "| process | MiB, beginning | MiB, end | descriptors, beginning | end |", "|---|---|---|---|---|"]
    for name, (before, after) in sorted(day.weights.items()):
        lines.append(f"| {name} | {before[0]} | {after[0]} | {before[1]} | {after[1]} |")
    if left_out:
        lines += ["", f"Not tried here: {', '.join(sorted(left_out))}."]
    if judged.examples:
        lines += ["", "First cases:", "", *(f"- {each}" for each in judged.examples[:20])]
    return "\n".join(lines) + "\n"
