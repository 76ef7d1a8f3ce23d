"""Lays out verified jars for Kafka's launcher: `jars.py DIRECTORY` keeps what is pinned, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

from broker.jars import class_path, read_agents, read_lock


def main(top: Path) -> int:
    """Write `classpath`, put the agent where the launcher expects it, and remove what is not pinned."""
    jars, (agent,) = class_path(read_lock(), top / "jars"), class_path(read_agents(), top / "jars")
    agent.replace(top / "agent.jar")
    kept = {each.name for each in jars}
    for found in (top / "jars").iterdir():
        if found.name not in kept:
            found.unlink()
    (top / "classpath").write_text(":".join(str(each) for each in jars), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
