"""Reads what is on the topics as a stranger would: kcat (librdkafka), committed records only, nothing deduplicated."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

from cli.home import Home

_SIDE_BY_SIDE: Final = 4


def _kcat(home: Home, bootstrap: str) -> list[str]:
    """The command of a consumer as the administrator. kcat must be there."""
    program = shutil.which("kcat")
    assert program is not None, "kcat is missing (Debian: apt install kcat)"
    certificates: Path = home.certificates
    return [
        program, "-C", "-q", "-u", "-b", bootstrap, "-X", "security.protocol=ssl",
        "-X", f"ssl.ca.location={certificates / 'ca.crt'}",
        "-X", f"ssl.certificate.location={certificates / 'admin.crt'}",
        "-X", f"ssl.key.location={certificates / 'admin.key'}",
        "-X", "isolation.level=read_committed", "-X", "check.crcs=true",
    ]  # fmt: skip


class Counter:
    """Remembers the keys of every partition, and each time reads on from where it stopped."""

    def __init__(self, home: Home, bootstrap: str, partitions: int) -> None:
        """Nothing is read yet."""
        # with -e it ends at the first empty answer, so brokers need not wait before they give one
        self._command = [*_kcat(home, bootstrap), "-e", "-X", "fetch.wait.max.ms=10"]
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


class Watch:
    """`with Watch(home, bootstrap, topics) as watch`: follows topics and knows which keys have come.

    For waiting only: a follower that lost its brokers begins anew, so it cannot count. What holds, Counter reads.
    """

    def __init__(self, home: Home, bootstrap: str, topics: Sequence[str], log: Path) -> None:
        """Begins when it is entered. What kcat complains of goes to `log`."""
        self._log = log
        self._command = [  # without -E: who finds no broker at all ends, so that none outlives the brokers
            *_kcat(home, bootstrap), "-o", "beginning", "-f", "%k\n",
            "-X", "socket.timeout.ms=6000", "-X", "reconnect.backoff.max.ms=1000", "-X", "fetch.wait.max.ms=200",
        ]  # fmt: skip
        self._keys: dict[str, set[str]] = {topic: set() for topic in topics}
        self._closed = threading.Event()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._follow, args=(topic,), name=f"watch {topic}") for topic in topics
        ]

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        with self._lock:
            self._closed.set()
            for process in self._running.values():
                process.kill()
        for thread in self._threads:
            thread.join()

    def missing(self, topic: str, keys: Iterable[str]) -> list[str]:
        """Return those of the keys that have not come on a topic."""
        come = self._keys[topic]
        return [key for key in keys if key not in come]

    def _follow(self, topic: str) -> None:
        come = self._keys[topic]
        while not self._closed.is_set():
            with self._lock:
                if self._closed.is_set():
                    return
                with self._log.open("ab") as log:
                    process = subprocess.Popen(
                        [*self._command, "-t", topic], stdout=subprocess.PIPE, stderr=log, start_new_session=True
                    )
                self._running[topic] = process
            assert process.stdout is not None
            with process.stdout as lines:
                for line in lines:
                    come.add(line.rstrip(b"\n").decode("ascii", "replace"))
            process.wait()
            self._closed.wait(0.2)
