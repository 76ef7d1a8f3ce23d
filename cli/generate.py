"""`generate`: clearly artificial submissions, one JSON object per line."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.output import errors, reports_errors


@reports_errors
def generate(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="how many submissions")] = 10,
    seed: Annotated[
        int | None, typer.Option(help="the same seed gives the same submissions; printed if not given")
    ] = None,
    tenant: Annotated[list[str] | None, typer.Option(help="tenant code; may be repeated; default all")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="a file instead of standard output")] = None,
    edge_cases: Annotated[
        bool, typer.Option("--edge-cases", help="instead of COUNT: every edge case once for each tenant")
    ] = False,
    namespace: Annotated[str, typer.Option(help="rehearsal (default) or another one")] = "rehearsal",
    as_json: Annotated[bool, typer.Option("--json", help="the output is JSON Lines either way")] = False,
) -> None:
    """Write artificial submissions of all procedures (JSON Lines). / 架空の申請データを作る"""
    from cli.people import the_home
    from hub.settings import HomeSettings, is_rehearsal
    from schemas import edge_cases as edges
    from schemas.generator import generate as make
    from topics.declaration import load

    chosen = secrets.randbelow(2**32) if seed is None else seed
    if seed is None:
        errors.print(f"seed {chosen}")
    tenants = tenant or [known.code for known in load(the_home().declared_in(HomeSettings().topics_file)).tenants]
    rehearsal = is_rehearsal(namespace)
    documents = (
        (made for _, made in edges.edge_cases(chosen, tenants, rehearsal=rehearsal))
        if edge_cases
        else make(chosen, count, tenants, rehearsal=rehearsal)
    )
    out = output.open("w", encoding="utf-8") if output else sys.stdout
    try:
        for document in documents:
            out.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
    finally:
        if output:
            out.close()
