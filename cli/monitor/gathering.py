"""Takes the figures of a report from the roles of this home: each of its own, in its own process, with its own key.

What cannot be had is told on standard error and stands in the report as missing; nothing else stops for it.
"""

from __future__ import annotations

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
from monitoring.report import sources
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
    figures = _figures(home, topology, ["portal", *desks], period)
    made = []
    for each in wanted:
        mine = sorted((f for f in figures if f.tenant == each.code), key=lambda f: _PLACES.index(f.place.kind))
        made.append(
            Basis(
                tenant=each.code,
                organisation=each.name,
                namespace=topology.namespace,
                artificial=each.artificial,
                period=period,
                taken_at_ms=to_ms(at),
                version=metadata.version("eltax-hub"),
                trust_serial=_serial(home, "trust.bin"),
                declaration_serial=_serial(home, DECLARATION),
                places=tuple(f.place for f in mine),
                audit=next((f.audit for f in mine if f.audit is not None), None),
                findings=_findings(home, each.code, period),
                retention=sources.retention(topology),
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


def _figures(home: Home, topology: Topology, principals: Iterable[str], period: Period) -> tuple[sources.Figures, ...]:
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
    for principal, path in files.items():
        try:
            found += sources.read(path.read_bytes())
        except (OSError, HubError):
            _missing(principal)
        finally:
            path.unlink(missing_ok=True)
    return tuple(found)


def _findings(home: Home, tenant: str, period: Period) -> Findings | None:
    try:
        return sources.of_analysis(home.role("analysis") / "state" / analysis.FILE, tenant, period)
    except sqlite3.Error:
        _missing("analysis")
        return None


def _serial(home: Home, name: str) -> int | None:
    path: Path = home.path / name
    try:
        raw, pinned = path.read_bytes(), pinned_at(home.path)
        return Trust.load(raw, pinned).serial if name == "trust.bin" else AppliedDeclaration.load(raw, pinned).serial
    except (OSError, HubError):
        return None


def _missing(source: str) -> None:
    errors.print(f"[yellow]no figures of {source}[/]: the report says so")
