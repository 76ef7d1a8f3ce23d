"""`demo`: the whole hub on a real Kafka, N artificial submissions, decisions, and the proof that none is missing."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.output import console, json_line, reports_errors, table
from schemas.errors import HubError

if TYPE_CHECKING:
    from cli.demo_work import Done
    from cli.stack import Stack

_DRAIN_SECONDS = 120.0
_STAGES = ("submitted", "routed", "review", "helpdesk", "audit")


class DemoIncomplete(HubError):
    """Not every submission arrived in time."""

    code = "demo.incomplete"
    hint = "The logs under HUB_HOME/demo/logs tell where they stopped."


@reports_errors
def demo(
    submissions: Annotated[int, typer.Option("--submissions", "-n", min=1, help="how many")] = 900,
    seed: Annotated[int, typer.Option(help="of the generator")] = 131041,
    partitions: Annotated[int | None, typer.Option(min=1, help="default as declared")] = None,
    brokers: Annotated[int | None, typer.Option(min=1, max=9, help="Kafka nodes")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON at the end")] = False,
) -> None:
    """Start everything, submit, route, decide, hand over, reconcile, stop; exit 1 on any loss. / 全体の実演"""
    from cli.home import LAYOUT, Home
    from cli.stack import Stack
    from hub.settings import HomeSettings

    settings = HomeSettings()
    directory = settings.home.resolve() / "demo"
    if (directory / "layout").exists() and (directory / "layout").read_text().strip() == LAYOUT:
        _refuse_if_running(Home(directory))
        shutil.rmtree(directory)  # the last demonstration's; anything else would be refused below
    quiet = as_json or not console.is_terminal
    tell: Callable[[str], None] = (lambda _: None) if as_json else (lambda step: console.print(f"[dim]·[/] {step}"))
    stack = Stack(
        Home(directory),
        namespace="rehearsal",
        partitions=partitions or settings.partitions,
        brokers=brokers or settings.brokers,
        topics_file=settings.topics_file,
        tell=tell,
    )
    with stack:
        source = directory / "submissions.jsonl"
        _write(source, submissions, seed, stack)
        report, seconds = _send_and_wait(stack, source, submissions, quiet=quiet)
        source.unlink()  # artificial, but a home holds no plaintext
        done = _work(stack, tell)
        tell("everything is counted and verified")
        outcome = _prove(stack, submissions, report, seconds, done)
    if as_json:
        json_line(outcome)
    else:
        _show(outcome)
    if not _good(outcome, submissions):
        raise typer.Exit(1)


def _refuse_if_running(home: Any) -> None:
    from cli.home import NoHub
    from cli.stack import AlreadyUp

    try:
        home.running()
    except NoHub:
        return
    raise AlreadyUp(str(home.path))


def _write(path: Path, count: int, seed: int, stack: Stack) -> None:
    from schemas.generator import generate

    tenants = [tenant.code for tenant in stack.topology.tenants]
    with path.open("w", encoding="utf-8") as out:
        for document in generate(seed, count, tenants, rehearsal=True):
            out.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")


def _send_and_wait(stack: Stack, source: Path, count: int, *, quiet: bool) -> tuple[Counter[str], float]:
    """Run `submit` as the portal's own process and follow the counters of all roles until everything arrived."""
    from cli.processes import role_environment

    environment = role_environment(
        stack.home,
        "portal",
        bootstrap=stack.bootstrap,
        namespace=stack.topology.namespace,
        partitions=stack.topology.partitions,
    )
    started = time.monotonic()
    with (stack.home.logs / "portal.stderr").open("wb") as stderr:
        portal = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "cli", "submit", str(source), "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            encoding="utf-8",
        )
        answers: Counter[str] = Counter()
        reader = threading.Thread(target=_count_answers, args=(portal, answers), name="answers")
        reader.start()
        try:
            seconds = _follow(stack, portal, answers, count, started, quiet=quiet)
        except BaseException:
            portal.kill()
            raise
        finally:
            reader.join()
            portal.wait()
            assert portal.stdout is not None
            portal.stdout.close()
    if portal.returncode:
        raise DemoIncomplete(f"the portal's process ended with {portal.returncode}")
    return answers, seconds


def _count_answers(portal: subprocess.Popen[str], answers: Counter[str]) -> None:
    assert portal.stdout is not None
    for line in portal.stdout:
        answers[json.loads(line)["status"]] += 1


def _follow(
    stack: Stack, portal: subprocess.Popen[str], answers: Counter[str], count: int, started: float, *, quiet: bool
) -> float:
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet, transient=False) as progress:
        bars = {stage: progress.add_task(stage, total=count) for stage in _STAGES}
        deadline = time.monotonic() + _DRAIN_SECONDS + count / 50
        while True:
            stack.roles.check()
            seen = {**_counters(stack), "submitted": answers.total()}
            for stage, bar in bars.items():
                progress.update(bar, completed=min(count, seen[stage]))
            if all(seen[stage] >= count for stage in _STAGES) and portal.poll() is not None:
                return time.monotonic() - started
            if portal.poll() not in (None, 0):
                raise DemoIncomplete(f"the portal's process ended with {portal.returncode}")
            if time.monotonic() > deadline:
                raise DemoIncomplete(", ".join(f"{stage} {seen[stage]}" for stage in _STAGES))
            time.sleep(0.2)


def _counters(stack: Stack) -> dict[str, int]:
    """How many events each kind of role says it has handled, from the roles' own /metrics."""
    counted: Counter[str] = Counter(dict.fromkeys(_STAGES, 0))
    for name, role in stack.roles.running.items():
        kind = name.partition("-")[0]
        metric = "hub_router_events_total" if kind == "router" else "hub_consumer_events_stored_total"
        for line in role.scrape().body.decode().splitlines():
            if line.startswith(metric + "{"):
                counted["routed" if kind == "router" else kind] += int(float(line.rsplit(" ", 1)[1]))
    return counted


def _work(stack: Stack, tell: Callable[[str], None]) -> Done:
    """Let people decide on everything, and tax teams take over what was accepted."""
    from cli.demo_work import decide, take_over, wait_told

    before = _counters(stack)
    tell("reviewers decide")
    done = decide(stack)
    tell(f"filer, helpdesk and tax teams are told of {done.decided} decisions")
    wait_told(stack, done, lambda: _counters(stack), before)
    tell(f"tax teams take over {done.handovers} hand-overs")
    take_over(stack)
    return done


def _prove(stack: Stack, count: int, answers: Counter[str], seconds: float, done: Done) -> dict[str, Any]:
    """Count on the topics, then stop the roles and verify what they keep."""
    from assurance.census import account, account_returns, take_census
    from assurance.reconcile import Kind
    from cli.reconcile import read, run
    from cli.reports import file_name
    from topics import names

    _wait_confirmed(stack)
    outcome = run(stack.home)
    namespace, directory = stack.topology.namespace, stack.home.path / "reports"
    desks = [f"review-{tenant.code}" for tenant in stack.topology.tenants]
    (portal,) = read(stack.home, [directory / file_name("portal", Kind.PORTAL)])
    decided = read(stack.home, [directory / file_name(desk, Kind.DECIDED) for desk in desks])
    handed = read(stack.home, [directory / file_name(desk, Kind.HANDED) for desk in desks])
    counted = asyncio.run(take_census(stack.admin(), stack.topology))
    census = account(counted, portal, stack.topology)
    told = account_returns(counted, decided, lambda tenant: names.status(namespace, tenant))
    accepted = account_returns(counted, handed, lambda tenant: names.accepted(namespace, tenant))
    latency = _latency(stack)
    stack.stop_roles()
    verified = all(found["verified"] for found in _verify(stack))
    parts = (outcome.submissions, outcome.decisions, outcome.handovers)
    totals = outcome.submissions.totals
    return {
        "submitted": answers["accepted"],
        "routed": census.routed,
        "review": totals.review,
        "helpdesk": totals.helpdesk,
        "audit": totals.audit,
        "decided": done.decided,
        "answered": outcome.decisions.counts[Kind.ANSWERED],
        "told": outcome.decisions.counts[Kind.TOLD],
        "handed_over": done.handovers,
        "taken_over": outcome.handovers.counts[Kind.TAKEN],
        "dead_letters": census.dead_letters,
        "lost": census.lost + told.lost + accepted.lost + sum(part.lost.count for part in parts),
        "duplicates": (
            census.duplicates
            + told.duplicates
            + accepted.duplicates
            + told.extra
            + accepted.extra
            + sum(part.duplicates.count for part in parts)
        ),
        "audit_verified": verified,
        "reconciled": outcome.agreed,
        "events_per_second": round(count / seconds, 1),
        "latency_ms": latency,
    }


def _wait_confirmed(stack: Stack) -> None:
    """Give the last checkpoints and receipts a moment to arrive everywhere."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = _verify(stack)
        if all(each["verified"] and not each["unconfirmed"] for each in found):
            return
        time.sleep(0.5)


def _verify(stack: Stack) -> list[dict[str, Any]]:
    from cli.desks import opened
    from consumers.audit.consumer import verify_store
    from hub.role import load_role
    from hub.settings import RoleSettings

    found = []
    for tenant in stack.topology.tenants:
        role = load_role(
            RoleSettings(
                role_dir=stack.home.role(f"audit-{tenant.code}"),
                bootstrap=stack.bootstrap,
                namespace=stack.topology.namespace,
                partitions=stack.topology.partitions,
            )
        )
        with opened(role) as (around, _, _):
            found.append(verify_store(role, around.store, time.time_ns() // 1_000_000).as_json())
    return found


def _latency(stack: Stack) -> dict[str, float]:
    """From the portal's sealing to the review desk's commit, in milliseconds, over all stored submissions."""
    from cli.desks import opened
    from hub.role import load_role
    from hub.settings import RoleSettings

    delays: list[int] = []
    for tenant in stack.topology.tenants:
        role = load_role(
            RoleSettings(
                role_dir=stack.home.role(f"review-{tenant.code}"),
                bootstrap=stack.bootstrap,
                namespace=stack.topology.namespace,
                partitions=stack.topology.partitions,
            )
        )
        with opened(role) as (around, _, _):
            after = 0
            while page := around.store.events(after=after, limit=1_000):
                delays += [row.event.stored_at_ms - row.event.produced_at_ms for row in page]
                after = page[-1].number
    delays.sort()
    if not delays:
        return {"p50": 0.0, "p99": 0.0}
    return {"p50": float(delays[len(delays) // 2]), "p99": float(delays[min(len(delays) - 1, len(delays) * 99 // 100)])}


def _good(outcome: dict[str, Any], count: int) -> bool:
    return (
        all(outcome[stage] == count for stage in _STAGES)
        and all(outcome[place] == outcome["decided"] > 0 for place in ("answered", "told"))
        and outcome["taken_over"] == outcome["handed_over"]
        and not outcome["lost"]
        and not outcome["duplicates"]
        and not outcome["dead_letters"]
        and outcome["audit_verified"]
        and outcome["reconciled"]
    )


def _show(outcome: dict[str, Any]) -> None:
    table("what arrived", ("", ""), [(key.replace("_", " "), value) for key, value in outcome.items()])
    console.print("[bold green]complete[/]" if outcome["audit_verified"] else "[bold red]NOT verified[/]")
