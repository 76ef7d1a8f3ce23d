"""`brokers status|wait|order|restart|finish-upgrade`: what restarts and upgrades of a running cluster need."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import typer

from cli.output import console, fail, json_line, reports_errors
from schemas.errors import HubError

if TYPE_CHECKING:
    from cli.home import Home
    from topics.brokers import Cluster, Missing

app = typer.Typer(help="The Kafka brokers. / Kafkaブローカー", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="one object per line")]
Seconds = Annotated[float, typer.Option("--seconds", min=0, help="how long to wait for a whole cluster")]
_LOOK_SECONDS: Final = 1.0
_STEADY_SECONDS: Final = 2.0
"""the second look: a copy that has just come back may be out again at once"""
_SHOWN: Final = 20


class NotWhole(HubError):
    """Something is missing elsewhere, so that stopping this broker would stop filings."""

    code: ClassVar[str] = "brokers.not-whole"
    hint: ClassVar[str] = "`eltax-hub brokers wait` says what and waits for it. Nothing was stopped."


class UnknownBroker(HubError):
    """The cluster has no such broker."""

    code: ClassVar[str] = "brokers.unknown"
    hint: ClassVar[str] = "`eltax-hub brokers order` lists them."


class RunElsewhere(HubError):
    """The brokers are not children of an `up` on this machine."""

    code: ClassVar[str] = "brokers.elsewhere"
    hint: ClassVar[str] = "Restart it where it runs; docs/runbooks/rolling-restart.md has containers and systemd."


class Mixed(HubError):
    """Not every broker is there to say what it knows."""

    code: ClassVar[str] = "brokers.mixed"
    hint: ClassVar[str] = "First all brokers on the new version and in sync: `eltax-hub brokers wait`."


def _look(home: Home) -> Cluster:
    from hub.applying import admin_endpoint
    from hub.transport.admin import Admin

    async def asked() -> Cluster:
        async with Admin(admin_endpoint(home.path, home.running().bootstrap)) as admin:
            return await admin.cluster()

    return asyncio.run(asked())


def _show(cluster: Cluster, found: tuple[Missing, ...], *, as_json: bool) -> None:
    if as_json:
        json_line(
            {
                "whole": not found,
                "brokers": sorted(cluster.registered),
                "live": sorted(cluster.live),
                "controller": cluster.controller,
                "voters": {str(each.node): _seconds(each.behind_seconds) for each in cluster.voters},
                "partitions": len({(each.topic, each.number) for each in cluster.partitions}),
                "missing": [{"lack": m.lack.value, "about": m.about, "brokers": list(m.brokers)} for m in found],
                "metadata_version": cluster.level,
                "metadata_version_possible": cluster.possible,
            }
        )
        return
    count = len({(each.topic, each.number) for each in cluster.partitions})
    console.print(
        f"{len(cluster.live)} of {len(cluster.registered)} brokers, active controller {cluster.controller}, "
        f"{count} partitions, metadata.version {cluster.level} of {cluster.possible}"
    )
    for each in found[:_SHOWN]:
        console.print(str(each), markup=False)
    if len(found) > _SHOWN:
        console.print(f"and {len(found) - _SHOWN} more; --json lists all")
    if not found:
        console.print("whole: every copy is in sync, every controller follows")


def _seconds(behind: float) -> float | None:
    return round(behind, 1) if behind < float("inf") else None


@app.command("status")
@reports_errors
def status(as_json: Json = False) -> None:
    """Say whether every copy is in sync and every controller follows; exit 1 and name what is not. / 同期状態を見る"""
    from cli.people import the_home
    from topics.brokers import missing

    cluster = _look(the_home())
    found = missing(cluster)
    _show(cluster, found, as_json=as_json)
    if found:
        raise typer.Exit(1)


@app.command("wait")
@reports_errors
def wait(seconds: Seconds = 300.0, as_json: Json = False) -> None:
    """Wait until the cluster is whole, twice in a row; exit 1 and say what is missing. / 同期が揃うまで待つ"""
    from cli.people import the_home

    if not _whole(the_home(), seconds, as_json=as_json):
        raise typer.Exit(1)


def _whole(home: Home, seconds: float, *, as_json: bool) -> bool:
    from hub.transport.errors import BrokerUnavailable
    from topics.brokers import missing

    deadline, good = time.monotonic() + seconds, 0
    while True:
        try:
            cluster = _look(home)
        except BrokerUnavailable:
            if time.monotonic() > deadline:
                raise
            good = 0
        else:
            found = missing(cluster)
            good = 0 if found else good + 1
            if good == 2 or time.monotonic() > deadline:
                _show(cluster, found, as_json=as_json)
                return not found
        time.sleep(_STEADY_SECONDS if good else _LOOK_SECONDS)


@app.command("order")
@reports_errors
def order(as_json: Json = False) -> None:
    """List the brokers in the order in which to restart them: the active controller last. / 再起動の順序"""
    from cli.people import the_home

    cluster = _look(the_home())
    for each in cluster.order:
        if as_json:
            json_line({"broker": each, "active_controller": each == cluster.controller})
        else:
            console.print(str(each))


@app.command("restart")
@reports_errors
def restart(
    broker: Annotated[int, typer.Argument(min=1, help="its number, as `order` lists it")],
    seconds: Seconds = 300.0,
    as_json: Json = False,
) -> None:
    """Stop and start a broker of the `up` that runs here, and wait until all is in sync; others go on. / 再起動する

    Refuses while anything is missing elsewhere. With one broker, everybody waits meanwhile.
    """
    from cli.broker_requests import ask
    from cli.noting import noted
    from cli.people import open_role, the_home
    from hub.envelope.names import ADMIN
    from hub.envelope.operations import Kind
    from topics.brokers import in_the_way, missing

    home = the_home()
    if home.running().elsewhere:
        raise RunElsewhere
    cluster = _look(home)
    if broker not in cluster.registered:
        raise UnknownBroker(f"({broker})")
    blocking = in_the_way(missing(cluster), cluster, broker)
    if blocking:
        raise NotWhole(f"({'; '.join(str(each) for each in blocking[:3])}{' …' if len(blocking) > 3 else ''})")
    name = "broker" if len(cluster.registered) == 1 else f"broker-{broker}"
    with noted(open_role(home, ADMIN), "brokers restart") as notes, notes.attempt(Kind.COMMANDED, code=name):
        ask(home, name)
    if not _whole(home, seconds, as_json=as_json):
        raise typer.Exit(1)


@app.command("finish-upgrade")
@reports_errors
def finish_upgrade(as_json: Json = False) -> None:
    """Raise metadata.version to what all brokers know: after this no older broker can come back. / 版を確定する"""
    from cli.noting import noted
    from cli.people import open_role, the_home
    from hub.applying import admin_endpoint
    from hub.envelope.names import ADMIN
    from hub.envelope.operations import Kind
    from hub.transport.admin import Admin
    from topics.brokers import missing

    home = the_home()
    cluster = _look(home)
    if missing(cluster) or not cluster.possible:
        raise Mixed(f"({len(cluster.live)} of {len(cluster.registered)} brokers answer)")
    before = cluster.level
    if cluster.possible > before:

        async def carry_out() -> None:
            async with Admin(admin_endpoint(home.path, home.running().bootstrap)) as admin:
                await admin.raise_level(cluster.possible)

        with (
            noted(open_role(home, ADMIN), "brokers finish-upgrade") as notes,
            notes.attempt(Kind.COMMANDED, code=f"metadata.version-{cluster.possible}"),
        ):
            asyncio.run(carry_out())
        cluster = _look(home)
        if cluster.level <= before:
            fail("brokers.not-raised", f"metadata.version is {cluster.level} still", as_json=as_json)
    if as_json:
        json_line({"metadata_version": cluster.level, "before": before})
    else:
        console.print(f"metadata.version {before} -> {cluster.level}")
