"""Every byte that a hub leaves outside its processes' memory, by the place where it is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from assurance.leaks import Leak, Scanner
from tests.broker.hub import Hub


def processes(hub: Hub) -> dict[str, int]:
    """All processes of the hub and their children (the brokers' keepers), by name."""
    found = {name: role.process.pid for name, role in hub.stack.roles.running.items()}
    for node in hub.stack.kafka.nodes:
        found[node.name] = node.pid
        found[f"keeper of {node.name}"] = int(Path(f"/proc/{node.pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def process_list(hub: Hub, more: dict[str, int] | None = None) -> Iterator[tuple[str, bytes]]:
    """What `ps` shows of them: arguments, environment, names of open files; what nobody but root may see, to root."""
    for name, pid in {**processes(hub), **(more or {})}.items():
        for part in ("cmdline", "environ", "comm"):
            with contextlib.suppress(PermissionError):
                yield f"{part} of {name}", Path(f"/proc/{pid}/{part}").read_bytes()
        with contextlib.suppress(PermissionError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    yield f"open file of {name}", os.fsencode(link.readlink())


def endpoints(hub: Hub) -> Iterator[tuple[str, bytes]]:
    """What every process says over HTTP, also to requests that it refuses."""
    for role in hub.stack.roles.running.values():
        for path in ("metrics", "healthz", "readyz", "no-such-page"):
            answer = role.scrape(path, seconds=10)
            yield f"{path} of {role.name}", answer.body + answer.headers.encode()


def sweep(scanner: Scanner, hub: Hub, temporary: Path, more: dict[str, int] | None = None) -> tuple[set[Leak], int]:
    """Search it all, and `more` processes by name; returns what was found, and how many bytes of files there were."""
    leaks: set[Leak] = set()
    for place, data in [*process_list(hub, more), *endpoints(hub)]:
        leaks |= scanner.search(data, place)
    for directory in (hub.home.path, temporary):
        leaks |= scanner.search_tree(directory)
    searched = sum(
        path.stat().st_blocks * 512 for path in hub.home.path.rglob("*") if path.is_file() and not path.is_symlink()
    )
    return leaks, searched
