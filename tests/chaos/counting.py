"""Reads what is on the topics as a stranger would: kcat (librdkafka), committed records only, nothing deduplicated."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from cli.home import Home

_SIDE_BY_SIDE: Final = 4


class Counter:
    """Remembers the keys of every partition, and each time reads on from where it stopped."""

    def __init__(self, home: Home, bootstrap: str, partitions: int) -> None:
        """As the administrator. kcat must be there."""
        program = shutil.which("kcat")
        assert program is not None, "kcat is missing (Debian: apt install kcat)"
        certificates: Path = home.certificates
        self._command = [
            program, "-C", "-e", "-q", "-u", "-b", bootstrap, "-X", "security.protocol=ssl",
            "-X", f"ssl.ca.location={certificates / 'ca.crt'}",
            "-X", f"ssl.certificate.location={certificates / 'admin.crt'}",
            "-X", f"ssl.key.location={certificates / 'admin.key'}",
            "-X", "isolation.level=read_committed", "-X", "check.crcs=true",
            "-X", "fetch.wait.max.ms=10",  # it ends at the first empty answer
        ]  # fmt: skip
        self._partitions = partitions
        self._next: dict[tuple[str, int], int] = {}
        self._keys: dict[str, dict[int, list[str]]] = {}

    def read(self, topics: Sequence[str]) -> Mapping[str, Mapping[int, Sequence[str]]]:
        """The keys of all committed records of these topics, by partition in the order of offsets."""
        places = [(topic, partition) for topic in topics for partition in range(self._partitions)]
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            for (topic, partition), keys in zip(places, pool.map(self._new, places), strict=True):
                self._keys.setdefault(topic, {}).setdefault(partition, []).extend(keys)
        return {topic: self._keys[topic] for topic in topics}

    def _new(self, place: tuple[str, int]) -> list[str]:
        (topic, partition), start = place, self._next.get(place, 0)
        where = ["-t", topic, "-p", str(partition), "-o", str(start), "-f", "%o %k\n"]
        done = subprocess.run([*self._command, *where], capture_output=True, timeout=300, check=True)
        found = []
        for line in done.stdout.splitlines():
            offset, _, key = line.partition(b" ")
            assert int(offset) >= self._next.get(place, 0), "an offset twice"
            self._next[place] = int(offset) + 1
            found.append(key.decode("ascii"))
        return found
