"""Reads what is on the topics as a stranger would: kcat (librdkafka), committed records only, nothing deduplicated."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.home import Home


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
        ]  # fmt: skip
        self._partitions = partitions
        self._next: dict[tuple[str, int], int] = {}
        self._keys: dict[str, dict[int, list[str]]] = {}

    def read(self, topics: Sequence[str]) -> Mapping[str, Mapping[int, Sequence[str]]]:
        """The keys of all committed records of these topics, by partition in the order of offsets."""
        for topic in topics:
            for partition in range(self._partitions):
                place = (topic, partition)
                start = self._next.get(place, 0)
                where = ["-t", topic, "-p", str(partition), "-o", str(start), "-f", "%o %k\n"]
                done = subprocess.run([*self._command, *where], capture_output=True, timeout=300, check=True)
                keys = self._keys.setdefault(topic, {}).setdefault(partition, [])
                for line in done.stdout.splitlines():
                    offset, _, key = line.partition(b" ")
                    assert int(offset) >= self._next.get(place, 0), "an offset twice"
                    self._next[place] = int(offset) + 1
                    keys.append(key.decode("ascii"))
        return {topic: self._keys[topic] for topic in topics}
