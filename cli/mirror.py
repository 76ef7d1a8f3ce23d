"""`mirror prepare|run|status|verify|take-over|missing`: the disaster copy (docs/runbooks/disaster-copy.md)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from cli.output import console, json_line, reports_errors, table

app = typer.Typer(help="The disaster copy on another Kafka. / 災害用の写し", no_args_is_help=True)

Directory = Annotated[Path, typer.Argument(metavar="DIRECTORY", file_okay=False, help="the mirror's own")]
Copy = Annotated[str, typer.Option("--copy", metavar="HOST:PORT[,HOST:PORT]", help="the brokers of the copy")]
Json = Annotated[bool, typer.Option("--json", help="one object per line")]


@app.command("prepare")
@reports_errors
def prepare(directory: Directory, copy: Copy, as_json: Json = False) -> None:
    """Lay out the copy as declared, and make the mirror's directory; may be done again. / 写しを用意する"""
    from cli.noting import noted
    from cli.people import open_role, the_home
    from hub.applying import admin_endpoint, last_applied
    from hub.envelope.names import ADMIN
    from hub.envelope.operations import Kind
    from hub.mirroring import Errand, NoMirror, lay_out_copy

    home = the_home()
    running = home.running()
    applied = last_applied(home.path)
    if applied is None:
        raise NoMirror
    errand = Errand.of(applied.topology, running.bootstrap, copy)
    with noted(open_role(home, ADMIN), "mirror prepare") as notes, notes.attempt(Kind.COMMANDED):
        done = asyncio.run(lay_out_copy(applied.topology, admin_endpoint(home.path, copy)))
        errand.save(directory, home.certificates)
    if as_json:
        json_line({"directory": str(directory), "topics": len(errand.topics), "steps": len(done.steps)})
    else:
        console.print(
            f"{len(errand.topics)} topics to copy, {len(done.steps)} steps at {copy}; {directory} is all that"
        )
        console.print("the mirror needs: `eltax-hub mirror run` there, one process, started again whenever it ends")


@app.command("run")
@reports_errors
def run(directory: Directory, as_json: Json = False) -> None:
    """Copy until Ctrl-C; one line when it copies. Ends with 1 if a task fails. / 写し続ける"""
    from cli.mirror_run import copy_on

    copy_on(directory, lambda said: json_line(said) if as_json else console.print(f"copying {said['topics']} topics"))


@app.command("status")
@reports_errors
def status(directory: Directory, as_json: Json = False) -> None:
    """Say what is not copied yet and for how long; exit 1 if nothing copies. / 写しの遅れを示す"""
    from assurance.copying import behind, failures
    from cli.mirror_run import since
    from hub.mirroring import Errand
    from hub.transport.verbatim import topics_shown
    from topics.copying import OFFSETS, STATUS

    errand = Errand.load(directory)
    source, copy = errand.endpoints(directory)
    started_ms = since(directory)

    async def look() -> None:
        running, failed = 0, tuple[str, ...]()
        if started_ms is not None:
            running, failed = await failures(copy, errand.own(STATUS), started_ms)
        found = await behind(source, copy, errand.own(OFFSETS), errand.topics)
        late = [each for each in found if each.records]
        forgotten = sorted(await topics_shown(source, errand.namespace) - {each.name for each in errand.topics})
        waiting = [each.since_ms for each in late if each.since_ms is not None]
        oldest = max(0.0, time.time() - min(waiting) / 1_000) if waiting else 0.0
        total = sum(each.records for each in late)
        if as_json:
            said = {"running": running, "failed": list(failed), "behind": total, "oldest_seconds": round(oldest, 1)}
            places = [{"topic": each.topic, "partition": each.partition, "behind": each.records} for each in late]
            json_line({**said, "partitions": places, "forgotten": forgotten})
        else:
            _forgotten(forgotten)
            if late:
                table(
                    "not copied yet",
                    ("topic", "partition", "records"),
                    [(e.topic, e.partition, e.records) for e in late],
                )
            state = "copying" if running and not failed else f"failed: {', '.join(failed)}" if failed else "not running"
            console.print(f"{state}; {total} records behind, the oldest for {oldest:.0f} s")
        if not running or failed or forgotten:
            raise typer.Exit(1)

    asyncio.run(look())


@app.command("verify")
@reports_errors
def verify(
    directory: Directory,
    seconds: Annotated[float, typer.Option(help="how long the copy is waited for, per record")] = 60.0,
    as_json: Json = False,
) -> None:
    """Compare every record of the source with the copy, byte for byte; opens nothing. / 写しを照合する"""
    from assurance.copying import Compared, compare
    from hub.mirroring import Errand
    from hub.transport.verbatim import topics_shown

    errand = Errand.load(directory)
    source, copy = errand.endpoints(directory)
    forgotten: list[str] = []

    async def look() -> list[Compared]:
        found = []
        now_ms = time.time_ns() // 1_000_000
        forgotten.extend(sorted(await topics_shown(source, errand.namespace) - {each.name for each in errand.topics}))
        async for each in compare(source, copy, errand.topics, seconds=seconds, now_ms=now_ms):
            found.append(each)
            if as_json:
                said = {"topic": each.topic, "partition": each.partition, "same": each.records, "older": each.older}
                json_line({**said, "expired": each.expired, "trouble": each.trouble or None, "at": each.at})
        return found

    found = asyncio.run(look())
    bad = [each for each in found if each.trouble]
    if not as_json:
        if bad:
            table(
                "not the same",
                ("topic", "partition", "what", "offset"),
                [(e.topic, e.partition, e.trouble, e.at) for e in bad],
            )
        _forgotten(forgotten)
        count = sum(each.records for each in found)
        console.print(f"{count} records the same in {len(found) - len(bad)} of {len(found)} partitions")
    elif forgotten:
        json_line({"forgotten": forgotten})
    if bad or forgotten:
        raise typer.Exit(1)


def _forgotten(topics: list[str]) -> None:
    """Tell of topics at the source that the mirror may read and was not told to copy."""
    for name in topics:
        console.print(f"[bold red]not copied at all:[/] {name}: `eltax-hub mirror prepare` again, then start it again")


@app.command("take-over")
@reports_errors
def take_over(copy: Copy, as_json: Json = False) -> None:
    """End the copying and make this HUB_HOME, which must not run, ready to go on at the copy. / 写しで再開する"""
    from assurance.taking_over import make_ready
    from cli.home import NoHub
    from cli.noting import noted
    from cli.people import open_role, the_home
    from cli.stack import AlreadyUp
    from hub.applying import admin_endpoint, last_applied
    from hub.envelope.names import ADMIN
    from hub.envelope.operations import Kind
    from hub.mirroring import NoMirror, end_copying

    home = the_home()
    try:
        home.running()
    except NoHub:
        pass
    else:
        raise AlreadyUp(str(home.path))
    applied = last_applied(home.path)
    if applied is None:
        raise NoMirror
    with noted(open_role(home, ADMIN), "mirror take-over") as notes, notes.attempt(Kind.COMMANDED):
        taken = asyncio.run(end_copying(applied.topology, admin_endpoint(home.path, copy)))
        done = make_ready(home.path, applied.topology.namespace)
    if as_json:
        said = {"rights": taken, "stores": len(done.places), "places": sum(done.places.values())}
        json_line({**said, "set_aside": list(done.aside), "unconfirmed": list(done.unconfirmed)})
        return
    console.print(
        f"{taken} rights of the mirror taken; {len(done.places)} stores will read the copy from its beginning"
    )
    console.print(f"{len(done.aside)} files set aside")
    console.print(
        f"{len(done.unconfirmed)} filings in a journal without a desk's receipt: when all desks have read the copy,"
    )
    console.print("`eltax-hub mirror missing` says which of them are nowhere")


@app.command("missing")
@reports_errors
def missing(as_json: Json = False) -> None:
    """List filings that the portal's journals have and no review desk: to be filed again. / 再送すべき受付"""
    from assurance.taking_over import nowhere
    from cli.people import the_home
    from hub.applying import last_applied
    from hub.mirroring import NoMirror

    home = the_home()
    applied = last_applied(home.path)
    if applied is None:
        raise NoMirror
    found = nowhere(home.path, applied.topology.namespace)
    for number in found:
        if as_json:
            json_line({"receipt_number": number})
        else:
            console.print(number)
    if not found and not as_json:
        console.print("none")
