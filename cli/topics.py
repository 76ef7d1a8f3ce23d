"""`topics plan|prepare|apply`: what the cluster lacks, and making it so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.growing import grow
from cli.output import console, fail, json_line, reports_errors, table
from schemas.errors import HubError

if TYPE_CHECKING:
    from hub.applying import Wanted
    from hub.role import Role
    from hub.shutting_out import Changed
    from hub.transport import Endpoint
    from topics.plan import Step

app = typer.Typer(help="Topics, rights, quotas. / トピックと権限", no_args_is_help=True)

_ROWS: Final = 4
"""of one kind of step; more is no table to read"""

Prune = Annotated[bool, typer.Option("--prune", help="also take away rights and quotas that nobody declared")]
DeleteData = Annotated[bool, typer.Option("--delete-data", help="also delete the topics that are not declared")]
Force = Annotated[bool, typer.Option("--force", help="remove a tenant although events of it are undelivered")]
Json = Annotated[bool, typer.Option("--json", help="one object per step")]


def _hub() -> tuple[Path, Wanted, Endpoint]:
    """The home, what is declared now, and how the administrator reaches the hub that runs here."""
    from cli.people import the_home
    from hub.applying import Wanted, admin_endpoint
    from hub.settings import HomeSettings
    from topics.declaration import read

    home = the_home()
    running = home.running()
    text = read(home.declared_in(HomeSettings().topics_file))
    wanted = Wanted.of(text, running.namespace, running.partitions)
    return home.path, wanted, admin_endpoint(home.path, running.bootstrap)


def _show(steps: tuple[Step, ...], title: str, *, as_json: bool) -> None:
    if as_json:
        for step in steps:
            json_line({"kind": title, **step.describe()})
    elif steps:
        from topics.plan import CreateTopic

        rows: list[tuple[str, int | str, str]] = []
        by_kind: dict[str, list[str]] = {}
        for step in steps:
            said = step.describe()
            if isinstance(step, CreateTopic):
                del said["configs"]
            by_kind.setdefault(said.pop("step"), []).append(_in_words(said))
        for kind, listed in by_kind.items():
            rows += [(kind, "" if at else len(listed), each) for at, each in enumerate(listed[:_ROWS])]
            if len(listed) > _ROWS:
                rows.append(("", "", f"and {len(listed) - _ROWS} more; --json lists all"))
        table(title, ("step", "how many", "what"), rows)


def _show_shut_out(home: Path, principals: tuple[str, ...], *, as_json: bool) -> None:
    from hub.shut_out_book import shut_out_at

    since = shut_out_at(home)
    for name in principals:
        if as_json:
            json_line({"kind": "shut-out", "principal": name, "since": since[name]})
        else:
            console.print(f"[bold red]shut out[/] {name} since {since[name]}: the broker denies it everything")


def _in_words(said: dict[str, Any]) -> str:
    """A step's own words: names and values, without the braces of nested ones."""
    words = []
    for key, value in said.items():
        if isinstance(value, dict):
            words.append(_in_words(value))
        elif isinstance(value, tuple):
            words += [f"{each[0]}={each[1] or '<default>'}" if isinstance(each, tuple) else each for each in value]
        elif value is not False:
            words.append(f"{key}={value}")
    return " ".join(words)


def _emptied(steps: tuple[Step, ...]) -> set[str]:
    """The tenants whose topics were deleted."""
    from hub.envelope.names import parse_topic
    from topics.plan import DeleteTopic

    names = [parse_topic(step.name) for step in steps if isinstance(step, DeleteTopic)]
    return {name.tenant for name in names if name is not None and name.tenant is not None}


def _say(as_json: bool, what: str, about: object) -> None:
    if as_json:
        json_line({"kind": what, "about": str(about)})
    else:
        console.print(f"{what} {about}")


@app.command("init")
@reports_errors
def init() -> None:
    """Put the declaration into HUB_HOME, to be edited; refuses to replace one. / 宣言ファイルを用意する"""
    from cli.people import the_home
    from topics.declaration import read

    path = the_home().declaration
    if path.exists():
        fail("topics.exists", str(path), "Edit it; `eltax-hub topics plan` shows what a change would do.")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(read(), encoding="utf-8")
    console.print(f"{path}: edit it, then `eltax-hub topics plan` and `eltax-hub topics apply`")


@app.command("plan")
@reports_errors
def plan_(prune: Prune = False, delete_data: DeleteData = False, as_json: Json = False) -> None:
    """Show what `apply` would do, and what is there beyond the declaration. Exit 1 if anything differs, or grows."""
    from hub.applying import survey

    home, wanted, endpoint = _hub()
    found = asyncio.run(survey(home, wanted, endpoint, prune=prune, delete_data=delete_data))
    _show(found.steps, "step", as_json=as_json)
    _show(found.drift, "drift", as_json=as_json)
    _show_shut_out(home, found.shut_out, as_json=as_json)
    growing = _growing(home)
    if growing:
        _say(as_json, "growing", "filing waits: `topics grow` was cut short; once more, or `topics apply` gives up")
    if not as_json and found.empty:
        console.print("nothing to do" + (f"; {len(found.drift)} not declared, left alone" if found.drift else ""))
    if growing or not found.empty:
        raise typer.Exit(1)


def _growing(home: Path) -> bool:
    """Whether everybody who seals was told to begin nothing new, and nobody has ended that."""
    from hub.applying import last_applied
    from hub.standing import DECLARATION

    published = last_applied(home, DECLARATION)
    return published is not None and published.topology.growing


@app.command("apply")
@reports_errors
def apply(prune: Prune = False, delete_data: DeleteData = False, force: Force = False, as_json: Json = False) -> None:
    """Make the declaration hold, for roles that run too; delete no data unasked. / 宣言どおりに適用する"""
    from cli.home import Home
    from cli.noting import noted
    from cli.setting_aside import set_aside
    from hub.applying import apply as carry_out
    from hub.crypto.certificates import CertificateAuthority
    from hub.envelope.operations import Kind

    home, wanted, endpoint = _hub()
    authority = CertificateAuthority.load(home / "authority")
    with noted(_admin(), "topics apply") as notes, notes.attempt(Kind.COMMANDED):
        done = asyncio.run(
            carry_out(
                home,
                wanted,
                authority,
                endpoint,
                lambda: datetime.now(UTC),
                prune=prune,
                delete_data=delete_data,
                force=force,
            )
        )
    _show(done.plan.steps, "done", as_json=as_json)
    _show(done.plan.drift, "drift", as_json=as_json)
    _show_shut_out(home, done.plan.shut_out, as_json=as_json)
    emptied = _emptied(done.plan.steps) - {tenant.code for tenant in wanted.topology.tenants}
    moved, running = set_aside(Home(home), emptied, f"declaration-{done.declaration_serial}") if emptied else ([], [])
    for path in moved:
        _say(as_json, "set-aside", path.relative_to(home))
    for name in running:
        _say(as_json, "still-running", name)
    if not as_json:
        console.print(f"{len(done.plan.steps)} steps done; trust list {done.trust_serial}")
        for router in done.unheard:
            console.print(f"[yellow]{router} did not say that it has heard; the broker refuses what it still writes[/]")
    if not done.left.empty:
        _show(done.left.steps, "left", as_json=as_json)
        raise typer.Exit(1)


app.command("grow")(grow)


@app.command("prepare")
@reports_errors
def prepare(as_json: Json = False) -> None:
    """Make topics, rights and keys that the declaration adds; no role is told, nothing taken away. / 旧版と並ぶ準備

    While roles of an older version run, which could not read the declaration (docs/runbooks/upgrade.md).
    """
    from cli.noting import noted
    from hub.applying import prepare as carry_out
    from hub.crypto.certificates import CertificateAuthority
    from hub.envelope.operations import Kind

    home, wanted, endpoint = _hub()
    authority = CertificateAuthority.load(home / "authority")
    with noted(_admin(), "topics prepare") as notes, notes.attempt(Kind.COMMANDED):
        done, enrolled = asyncio.run(carry_out(home, wanted, authority, endpoint, lambda: datetime.now(UTC)))
    _show(done.steps, "done", as_json=as_json)
    for name in enrolled:
        _say(as_json, "enrolled", name)
    if not as_json:
        console.print(
            f"{len(done.steps)} steps done; `eltax-hub topics apply` when no role of an older version is left"
        )


@app.command("shut-out")
@reports_errors
def shut_out(
    principal: Annotated[str, typer.Argument(help="as `keys list` names it")],
    as_json: Annotated[bool, typer.Option("--json", help="one object")] = False,
) -> None:
    """Deny a principal everything, on open connections too, and revoke its keys; all others go on. / 締め出す"""
    from hub.shutting_out import shut_out as carry_out

    _change(carry_out, principal, "topics shut-out", as_json=as_json, must_be_logged=False)


@app.command("let-in")
@reports_errors
def let_in(
    principal: Annotated[str, typer.Argument(help="as `topics plan` names it")],
    certificate_was_safe: Annotated[
        bool, typer.Option("--certificate-was-safe", help="nobody else can have had its certificate's private key")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one object")] = False,
) -> None:
    """Give a principal that was shut out its rights and new identity keys. / 締め出しを解く"""
    from hub.shutting_out import let_in as carry_out

    if not certificate_was_safe and not _authority_is_newer(principal):
        fail(
            "shut-out.certificate",
            f"every copy of {principal}'s certificate would have its rights again",
            "If its private key may be out: docs/runbooks/shut-out.md. If it never was: --certificate-was-safe.",
            as_json=as_json,
        )
    _change(carry_out, principal, "topics let-in", as_json=as_json)


def _authority_is_newer(principal: str) -> bool:
    """Whether all certificates that there were when it was shut out are worthless now."""
    from cli.people import the_home
    from hub.crypto.certificates import BACKDATED, made_at
    from hub.shut_out_book import shut_out_at

    home = the_home().path
    since = shut_out_at(home).get(principal)
    if since is None:
        return False
    at, begins = datetime.fromisoformat(since), made_at(home / "authority" / "ca.crt")
    if begins >= at:
        return True
    # one of ours begins before it was made; the one that it replaced bears the time at which that was done
    replaced = max((each.name for each in home.glob("authority-retired-*")), default="")
    return begins + BACKDATED >= at and replaced >= f"authority-retired-{at.astimezone(UTC):%Y%m%dT%H%M%S}"


def _admin() -> Role:
    from cli.people import open_role, the_home
    from hub.envelope.names import ADMIN

    return open_role(the_home(), ADMIN)


def _change(
    carry_out: Callable[..., Coroutine[Any, Any, Changed]],
    principal: str,
    command: str,
    *,
    as_json: bool,
    must_be_logged: bool = True,
) -> None:
    """Who must be kept out is, even if that cannot be logged; all else is not done then."""
    from cli.noting import noted
    from hub.applying import last_applied
    from hub.crypto.certificates import CertificateAuthority
    from hub.envelope.operations import Kind

    home, wanted, endpoint = _hub()
    wanted = last_applied(home) or wanted  # what is edited and not applied yet must not come with it
    authority = CertificateAuthority.load(home / "authority")
    with noted(_admin(), command) as notes:
        (notes.note if must_be_logged else notes.tell)(Kind.COMMANDED, code=principal)
        try:
            done = asyncio.run(carry_out(home, wanted, authority, endpoint, principal, lambda: datetime.now(UTC)))
        except HubError as problem:
            notes.tell(Kind.COMMANDED, code=principal, outcome=problem.code)
            raise
    if as_json:
        json_line({"kind": done.done.value, **asdict(done)})
    else:
        console.print(
            f"{done.done.value}: {done.principal}; {len(done.revoked)} keys revoked, {len(done.listed)} listed; "
            f"trust list {done.trust_serial}"
        )
