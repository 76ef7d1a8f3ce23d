"""`deploy`: the jobs of a deployment in containers, and a load through a running one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import console, json_line, reports_errors

if TYPE_CHECKING:
    from hub.applying import Wanted

app = typer.Typer(help="Containers: their jobs, and a load. / コンテナ構成の準備と負荷試験", no_args_is_help=True)
Top = Annotated[Path, typer.Argument(help="the deployment's directory", file_okay=False)]


@app.command("keys")
@reports_errors
def keys(top: Top) -> None:
    """Make authority, keys, certificates and configurations; needs no network. / 鍵・証明書・設定を作る"""
    from cli.home import Home
    from deploy.keys import prepare
    from hub.settings import HomeSettings

    settings = HomeSettings()
    Home(top / "home").prepare()
    topology = prepare(
        top, _wanted(), listen=os.environ.get("HUB_METRICS_ADDRESS", "127.0.0.1"), topics_file=settings.topics_file
    )
    console.print(f"{len(topology.roles)} roles, {len(topology.tenants)} tenants in {top}", markup=False)


@app.command("setup")
@reports_errors
def setup(top: Top) -> None:
    """Make topics, rights, trust list and schemas hold (HUB_BOOTSTRAP, HUB_REGISTRY_URL). / トピック等を適用する"""
    from cli.home import Home, Running
    from cli.schemas import publish
    from deploy.setup import settle
    from hub.settings import RegistrySettings

    home, bootstrap = Home(top / "home"), os.environ["HUB_BOOTSTRAP"]
    wanted = settle(home.path, _wanted(), bootstrap, lambda said: console.print(said, markup=False))
    topology = wanted.topology
    home.announce(
        Running(
            bootstrap=bootstrap,
            home=str(home.path),
            certificates=str(home.certificates),
            namespace=topology.namespace,
            partitions=topology.partitions,
            topics=[topic.name for topic in topology.topics],
            elsewhere=True,
        )
    )
    if RegistrySettings().url:
        publish()


@app.command("load")
@reports_errors
def load(
    top: Top,
    submissions: Annotated[int, typer.Option("--submissions", "-n", min=1, help="how many")] = 900,
    seed: Annotated[int, typer.Option(help="of the generator")] = 131041,
    seconds: Annotated[float, typer.Option(min=1, help="in which all must have arrived")] = 300.0,
    as_json: Annotated[bool, typer.Option("--json", help="one object")] = False,
) -> None:
    """File N artificial submissions in a running deployment and reconcile; exit 1 on any loss. / 負荷をかけ照合する"""
    from cli.containers import Containers, drive

    found = drive(Containers(top.resolve()), submissions, seed, seconds)
    if as_json:
        json_line(found)
    else:
        console.print(" · ".join(f"{name} {value}" for name, value in found.items() if not isinstance(value, dict)))
    if not found["good"]:
        raise typer.Exit(1)


def _wanted() -> Wanted:
    from hub.applying import Wanted
    from hub.settings import HomeSettings
    from topics.declaration import read

    settings = HomeSettings()
    return Wanted.of(read(settings.topics_file), settings.namespace, settings.partitions)
