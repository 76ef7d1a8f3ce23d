"""`monitor report`: the periodic report of each municipality, for an officer's signature."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import console, errors, fail, json_line, reports_errors

if TYPE_CHECKING:
    from cli.home import Home
    from monitoring.report.model import Basis

FORMATS = ("html", "pdf", "both")


@reports_errors
def report(
    day: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="a day in Japan")] = None,
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="a month in Japan")] = None,
    into: Annotated[Path | None, typer.Option(file_okay=False, help="directory; default HUB_HOME/reports")] = None,
    form: Annotated[str, typer.Option("--format", help="html, pdf or both")] = "both",
    tenant: Annotated[str | None, typer.Option(help="tenant code; default all tenants of this home")] = None,
    figures: Annotated[
        Path | None, typer.Option("--from", exists=True, dir_okay=False, help="make it again from its JSON file")
    ] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="ISO 8601; when the figures count as taken")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one object per report")] = False,
) -> None:
    """Write the periodic report: what was filed, watched, used and found. / 定期分析報告書を作成する"""
    from cli.people import the_home

    if form not in FORMATS:
        fail("cli.usage", "there is no such format", f"One of {', '.join(FORMATS)}.", as_json=as_json, status=2)
    if [day, month, figures].count(None) != 2:
        fail("cli.usage", "give --day, --month or --from", as_json=as_json, status=2)
    home = the_home()
    target = home.path / "reports" if into is None else into
    if figures is not None:
        from monitoring.report.model import Basis

        found = [Basis.from_json(figures.read_bytes())]
    else:
        found = _taken(home, day, month, tenant, _moment(at, as_json=as_json), as_json=as_json)
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    for basis in found:
        _write(basis, target, form, as_json=as_json)


def _moment(text: str | None, *, as_json: bool) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min
    if found.tzinfo is None:
        fail(
            "cli.usage", "--at is a time with its offset, such as 2026-11-01T09:00:00+09:00", as_json=as_json, status=2
        )
    return found


def _taken(
    home: Home, day: str | None, month: str | None, tenant: str | None, at: datetime, *, as_json: bool
) -> list[Basis]:
    from cli.monitor.gathering import gather
    from consumers.audit.report import NoPeriod
    from monitoring.report import sources

    try:
        period = sources.parsed(day, month)
    except NoPeriod as error:
        fail(error.code, str(error), error.advice, as_json=as_json, status=2)
    if at.timestamp() * 1_000 < period.end_ms:
        errors.print("[yellow]the period has not ended yet[/]: its figures will change")
    return gather(home, period, tenant, at)


def _write(basis: Basis, target: Path, form: str, *, as_json: bool) -> None:
    from hub.crypto.certificates import write_private
    from monitoring.report import html, pdf
    from monitoring.report.composing import compose
    from monitoring.report.judging import judge, to_look_at

    document = compose(basis)
    name = f"{basis.namespace}-{basis.tenant}-{basis.period.name}"
    drawn = {"json": basis.to_json}
    if form != "pdf":
        drawn["html"] = lambda: html.render(document)
    if form != "html":
        drawn["pdf"] = lambda: pdf.render(document)
    files = {}
    for suffix, draw in drawn.items():
        files[suffix] = target / f"{name}.{suffix}"
        write_private(files[suffix], draw())
    checks = judge(basis)
    count = to_look_at(checks.values())
    if as_json:
        json_line(
            {
                "tenant": basis.tenant,
                "period": basis.period.name,
                "sha256": basis.sha256,
                "to_look_at": count,
                "checks": {
                    key: {"verdict": each.verdict.name.lower(), "said": each.said} for key, each in checks.items()
                },
                "files": {suffix: str(path) for suffix, path in files.items()},
            }
        )
        return
    whole = checks["whole"]
    console.print(
        f"{basis.tenant} {basis.period.name}: {whole.verdict.value}　{whole.said}", highlight=False, markup=False
    )
    console.print(
        f"  要確認 {count}件　" + "  ".join(str(each) for each in files.values()), highlight=False, soft_wrap=True
    )
