"""Tenants come and go by the declaration, while the hub runs and the others' submissions flow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.home import Home
from tests.broker.hub import ENTRY, eventually
from tests.broker.test_hub import document

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

FIRST, NEW = "131041", "999989"
ROW = f'  - {{code: "{NEW}", name: 架空第二市（試験用）, name_en: Second Artificial City, artificial: true}}\n'


class Shell:
    """A person at a home where `eltax-hub up` runs as a process of its own."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "JAVA"))}
        return {**kept, "PATH": "/usr/bin:/bin", "HUB_HOME": str(self.home.path)}

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*ENTRY, *arguments],
            input=stdin,
            capture_output=True,
            timeout=120,
            env=self.environment(),
            check=False,
        )

    def json(self, *arguments: str, stdin: bytes = b"", good: int = 0) -> list[dict[str, Any]]:
        done = self.run(*arguments, "--json", stdin=stdin)
        assert done.returncode == good, (arguments, done.returncode, done.stdout[-2_000:], done.stderr[-2_000:])
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def submit(self, *documents: dict[str, Any], good: int = 0) -> list[dict[str, Any]]:
        lines = b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in documents)
        return self.json("submit", "-", stdin=lines, good=good)

    def edit(self, old: str, new: str) -> None:
        if not self.home.declaration.exists():
            assert self.run("topics", "init").returncode == 0
        text = self.home.declaration.read_text(encoding="utf-8")
        assert old in text
        self.home.declaration.write_text(text.replace(old, new, 1), encoding="utf-8")


@contextmanager
def up(directory: Path) -> Iterator[Shell]:
    """`eltax-hub up` in a fresh home, stopped by its pid."""
    shell = Shell(Home(directory / "home"))
    process = subprocess.Popen(
        [*ENTRY, "up", "--partitions", "3", "--json"],
        env=shell.environment(),
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["namespace"] == "rehearsal"
        yield shell
        assert process.poll() is None, "the hub ended although nobody asked it to"
    finally:
        process.terminate()
        process.wait(60)
        if process.stdout is not None:
            process.stdout.close()
        shutil.rmtree(directory, ignore_errors=True)


def test_a_tenant_comes_while_the_hub_runs(tmp_path: Path) -> None:
    with up(tmp_path) as shell:
        before = shell.home.running().pids
        assert shell.submit(document("R7-99998-000000001", NEW), good=1)[0]["status"] == "refused"
        shell.edit('  - {code: "999997"', ROW + '  - {code: "999997"')
        steps = shell.json("topics", "plan", good=1)
        assert [each["code"] for each in steps if each["step"] == "AddTenant"] == [NEW]
        shell.json("topics", "apply")
        assert shell.json("topics", "plan") == []
        assert shell.submit(document("R7-99998-000000002", NEW))[0]["status"] == "accepted"

        def shown() -> dict[str, Any] | None:
            done = shell.run("review", "show", "R7-99998-000000002", "--json")
            return json.loads(done.stdout.splitlines()[0]) if done.returncode == 0 else None

        assert eventually(shown)["tenant"] == NEW
        after = shell.home.running().pids
        assert {name: after[name] for name in before} == before, "no process was started again"
        assert after.keys() - before.keys() == {f"{kind}-{NEW}" for kind in ("review", "helpdesk", "audit")}
