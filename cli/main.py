"""`eltax-hub`: all commands in one place, each in a file of its own."""

from __future__ import annotations

import typer

from cli import (
    audit,
    audit_report,
    authority,
    backup,
    deadletters,
    deciding,
    demo,
    deploy,
    doctor,
    export,
    generate,
    helpdesk,
    keys,
    lost,
    mirror,
    monitor,
    portal,
    proofs,
    reconcile,
    reports_command,
    review,
    roles,
    rolling,
    schemas,
    status,
    tax,
    topics,
    up,
    witness,
)
from cli.hardening import keep_memory_here

app = typer.Typer(
    name="eltax-hub",
    help="Event hub for sealed eLTAX submissions on Apache Kafka. / 電子申告データの封緘イベント基盤",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("submit")(portal.submit)
app.command("generate")(generate.generate)
app.command("reconcile")(reconcile.reconcile)
app.command("report", hidden=True)(reports_command.report)
app.command("doctor")(doctor.doctor)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("route")(roles.route)
app.add_typer(roles.consume, name="consume")
app.add_typer(monitor.app, name="monitor")
status.register(portal.app)
portal.app.command("close-lost")(lost.close_lost)
app.add_typer(portal.app, name="portal")
deciding.register(review.app)
export.register(review.app)
app.add_typer(review.app, name="review")
app.add_typer(helpdesk.app, name="helpdesk")
app.add_typer(tax.app, name="tax")
proofs.register(audit.app)
audit_report.register(audit.app)
app.add_typer(audit.app, name="audit")
app.add_typer(witness.app, name="witness")
app.add_typer(topics.app, name="topics")
app.add_typer(rolling.app, name="brokers")
app.add_typer(schemas.app, name="schemas")
keys.app.command("new-escrow")(backup.new_escrow)
keys.app.command("renew")(authority.renew)
keys.app.add_typer(authority.app, name="authority")
app.add_typer(keys.app, name="keys")
app.add_typer(deadletters.app, name="dead-letters")
app.add_typer(mirror.app, name="mirror")
app.add_typer(deploy.app, name="deploy")


def main() -> None:
    """Run the command line; whatever it opens stays in its memory."""
    keep_memory_here()
    app()
