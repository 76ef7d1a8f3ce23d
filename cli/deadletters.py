"""`dead-letters list`: what hops refused, by reason; never its content."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from cli.output import json_line, reports_errors, table

app = typer.Typer(help="Dead letters. / 配送不能レコード", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Dead letters. / 配送不能レコード"""


@app.command("list")
@reports_errors
def list_(as_json: Annotated[bool, typer.Option("--json", help="one object per letter")] = False) -> None:
    """List dead letters with stage, place and reason. / 配送不能レコードの一覧"""
    rows = asyncio.run(_letters())
    if as_json:
        for row in rows:
            json_line(row)
    else:
        table(
            "dead letters",
            ("stage", "reason", "topic", "partition", "offset", "written at", "kept"),
            [
                (r["stage"], r["reason"], r["topic"], r["partition"], r["offset"], r["written_at"], r["kept"])
                for r in rows
            ],
        )


async def _letters() -> list[dict[str, Any]]:
    from cli.people import open_role, the_home
    from hub.envelope.letters import DeadLetter
    from hub.transport import PartitionReader

    home = the_home()
    home.running()
    role = open_role(home, "operator")
    topics = [topic for topic in role.topology.topics if topic.key == "dead-letters"]
    starts = {(topic.name, number): None for topic in topics for number in range(topic.partitions)}
    rows = []
    async with PartitionReader(role.endpoint, starts) as reader:
        for record in await reader.read_to_end():
            letter = DeadLetter.decode(record.value or b"")
            rows.append(
                {
                    "letter": f"{record.topic}/{record.partition}/{record.offset}",
                    "stage": letter.stage,
                    "reason": letter.reason.value,
                    "meaning": letter.reason.english,
                    "meaning_ja": letter.reason.japanese,
                    "topic": letter.place.topic,
                    "partition": letter.place.partition,
                    "offset": letter.place.offset,
                    "written_at": letter.written_at.isoformat(timespec="milliseconds"),
                    "kept": "as it was (sealed)" if letter.authentic else "in quarantine",
                    "leaf": None if letter.leaf is None else letter.leaf.hex(),
                }
            )
    return rows
