"""Takes the figures of a report from the roles of this home: each of its own, in its own process, with its own key.

What cannot be had is told on standard error and stands in the report as missing; nothing else stops for it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Final

from cli.forked import run_each
from cli.home import Home, NoHub
from cli.output import errors
from cli.processes import role_environment
from hub.applying import Wanted, last_applied
from hub.enrolment import pinned_at
from hub.envelope.declared import AppliedDeclaration
from hub.envelope.times import to_ms
from hub.envelope.trust import Trust
from hub.settings import HomeSettings
from hub.standing import DECLARATION
from monitoring.analysis import findings as analysis
from monitoring.glance.reading import read as numbers_of
from monitoring.report import operations, sources
from monitoring.report.model import Basis, Findings, Period
from schemas.catalogue import procedures
from schemas.errors import HubError
from topics.declaration import read
from topics.layout import Topology

_SECONDS: Final = 600
_PLACES: Final = ("portal", "audit", "review", "helpdesk")


def gather(home: Home, period: Period, tenant: str | None, at: datetime) -> list[Basis]:
    """Return the figures of one tenant of this home, or of each. Raises HubError if there is no such home."""
    topology = _topology(home)
    wanted = [each for each in topology.tenants if tenant in (None, each.code)]
    if not wanted:
        raise NoHub(f"({home.path} serves no tenant {tenant})")
    desks = [f"{kind}-{each.code}" for each in wanted for kind in _PLACES[1:]]
    figures, logs = _figures(home, topology, ["portal", *desks, "monitor"], period)
    made = []
    for served in wanted:
        mine = sorted((f for f in figures if f.tenant == served.code), key=lambda f: _PLACES.index(f.place.kind))
        log = next((each for each in logs if each.tenant == served.code), None)
        made.append(
            Basis(
                tenant=served.code,
                organisation=served.name,
                namespace=topology.namespace,
                artificial=served.artificial,
                period=period,
                taken_at_ms=to_ms(at),
                version=metadata.version("eltax-hub"),
                trust_serial=_serial(home, "trust.bin"),
                declaration_serial=_serial(home, DECLARATION),
                places=tuple(f.place for f in mine),
                audit=next((f.audit for f in mine if f.audit is not None), None),
                use=None if log is None else log.use,
                log=None if log is None else log.log,
                findings=_findings(home, served.code, period),
                retention=(*(() if log is None else log.retention), *sources.retention(topology)),
                labels=tuple((slug, procedure.label) for slug, procedure in procedures().items()),
            )
        )
    return made


def _topology(home: Home) -> Topology:
    """What is served: the declaration that was applied last, else the one that is wanted."""
    applied = last_applied(home.path, DECLARATION)
    if applied is not None:
        return applied.topology
    settings = HomeSettings()
    wanted = read(home.declared_in(settings.topics_file))
    return Wanted.of(wanted, settings.namespace, settings.partitions).topology


def _figures(
    home: Home, topology: Topology, principals: Iterable[str], period: Period
) -> tuple[tuple[sources.Figures, ...], tuple[operations.Operations, ...]]:
    directory = home.path / "reports"
    directory.mkdir(exist_ok=True, mode=0o700)
    there = [each for each in principals if home.role(each).is_dir()]
    files = {each: directory / f"{each}.figures" for each in there}
    for path in files.values():
        path.unlink(missing_ok=True)
    span = ["--month" if period.monthly else "--day", period.name]
    try:
        bootstrap = home.running().bootstrap
    except NoHub:
        bootstrap = "127.0.0.1:1"  # what is asked for lies on the disk
    environments = {
        each: role_environment(
            home, each, bootstrap=bootstrap, namespace=topology.namespace, partitions=topology.partitions
        )
        for each in there
    }
    waiting = [there, *([each] for each in there)]  # all side by side; whom another's failure kept away, alone
    for some in waiting:
        missing = [each for each in some if not files[each].exists()]
        if missing:
            commands = {each: ["monitor", "figures", *span, "--output", str(files[each])] for each in missing}
            run_each(commands, environments, seconds=_SECONDS)
    found: list[sources.Figures] = []
    logs: tuple[operations.Operations, ...] = ()
    for principal, path in files.items():
        try:
            if principal == "monitor":
                logs = operations.read(path.read_bytes())
            else:
                found += sources.read(path.read_bytes())
        except (OSError, HubError):
            _missing(principal)
        finally:
            path.unlink(missing_ok=True)
    return tuple(found), logs


def _findings(home: Home, tenant: str, period: Period) -> Findings | None:
    state = home.role("analysis") / "state"
    try:
        return sources.of_analysis(state / analysis.FILE, tenant, period, _analysed_until(home, state / "run.json"))
    except sqlite3.Error:
        _missing("analysis")
        return None


def _analysed_until(home: Home, run_file: Path) -> int | None:
    """Ask the analysis, if it runs: nothing on the disk says how far it came."""
    try:
        url = json.loads(run_file.read_text())["metrics"]
        answer = home.scraper().get(f"{url}/metrics", "analysis")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    said = [value for _, value in numbers_of(answer.body).rows("hub_analysis_watermark_seconds")]
    return int(min(said) * 1_000) if answer.status == 200 and said and min(said) > 0 else None


def _serial(home: Home, name: str) -> int | None:
    path: Path = home.path / name
    try:
        raw, pinned = path.read_bytes(), pinned_at(home.path)
        return Trust.load(raw, pinned).serial if name == "trust.bin" else AppliedDeclaration.load(raw, pinned).serial
    except (OSError, HubError):
        return None


def _missing(source: str) -> None:
    errors.print(f"[yellow]no figures of {source}[/]: the report says so")
