"""Takes the commands out of a runbook and runs them in a shell, as a person would type them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
_ENTRY = f"{sys.executable} -m cli"


@dataclass(frozen=True)
class Done:
    """What a block of commands said, and its exit status."""

    status: int
    out: str
    errors: str


def blocks(runbook: str, heading: str) -> list[str]:
    """The `sh` blocks of a section, in order; there is at least one."""
    text = (RUNBOOKS / f"{runbook}.md").read_text("utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    assert found, f"no commands under {heading} in {runbook}"
    return found


def headings(runbook: str) -> list[str]:
    """The sections of a runbook that have commands."""
    text = (RUNBOOKS / f"{runbook}.md").read_text("utf-8")
    parts = re.split(r"\n## (.*)\n", text)[1:]
    return [name for name, body in zip(parts[::2], parts[1::2], strict=True) if "```sh\n" in body]


def execute(runbook: str, heading: str, home: Path, *, good: bool = True, **words: str) -> list[Done]:
    """Run a section's blocks; a word in capitals stands for what the reader puts there.

    Each block is a shell of its own that ends at its first failing line. With `good`, each must end well.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "JAVA"))}
    environment = {**kept, "PATH": "/usr/bin:/bin", "HUB_HOME": str(home), "PYTHONPATH": str(RUNBOOKS.parents[1])}
    said = []
    for block in blocks(runbook, heading):
        script = block
        for word, value in words.items():
            assert any(re.search(rf"\b{word}\b", each) for each in blocks(runbook, heading)), word
            script = re.sub(rf"\b{word}\b", lambda _, value=value: value, script)
        shell = f'set -eu\numask 077\neltax-hub() {{ {_ENTRY} "$@"; }}\n{script}'
        done = subprocess.run(
            ["/bin/bash", "-c", shell],
            capture_output=True,
            text=True,
            cwd=home.parent,
            env=environment,
            timeout=500,
            check=False,
        )
        said.append(Done(done.returncode, done.stdout, done.stderr))
        assert not good or done.returncode == 0, (block, done.stdout[-2_000:], done.stderr[-2_000:])
    return said
