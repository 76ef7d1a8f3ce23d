"""Three brokers, two routers, two cities' desks and a portal that files: what a bad day happens to."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psutil

from broker.cluster import LocalCluster
from cli.home import Home
from cli.processes import RoleProcess
from cli.stack import Stack
from schemas.generator import generate
from tests.broker.hub import Hub, eventually
from tests.chaos.counting import Counter, Watch
from tests.chaos.load import Load
from topics import names

PARTITIONS: Final = 4
BROKERS: Final = 3
SECOND: Final = "router-2"
STORE: Final = "review-131041"
"""the desk and the broker whose disks are small, where disks can be mounted"""
SMALL_BROKER: Final = 3
_BROKER_MIB, _STORE_MIB = 2_048, 1_024
READY_SECONDS: Final = 120.0
OVERLOAD_SECONDS: Final = 30.0
"""of a day that also has other faults"""


class Site:
    """What faults are caused on."""

    def __init__(self, hub: Hub, load: Load, log: Path, disks: bool, overload: tuple[float, int]) -> None:
        """Everything runs; `disks` tells whether those of one broker and one desk are small.

        An overload lasts `overload` seconds or filings, whichever is less. `log` is where followers complain.
        """
        self.hub, self.load, self.disks = hub, load, disks
        self.overload_seconds, self.overload_most = overload
        kafka = hub.stack.kafka
        assert isinstance(kafka, LocalCluster)
        self.cluster = kafka
        self.restarts = 0
        self._counter = Counter(hub.home, kafka.bootstrap, PARTITIONS)
        self.watch = Watch(hub.home, kafka.bootstrap, list(self.tenant_of_topic), log)

    @property
    def tenants(self) -> list[str]:
        """Codes of the cities."""
        return [tenant.code for tenant in self.hub.stack.topology.tenants]

    @property
    def tenant_of_topic(self) -> dict[str, str]:
        """The topics that a router writes filings to, and whose they are."""
        kinds = (names.review, names.helpdesk, names.audit)
        return {kind(self.namespace, tenant): tenant for tenant in self.tenants for kind in kinds}

    @property
    def namespace(self) -> str:
        """Of its topics."""
        return self.hub.stack.topology.namespace

    @property
    def roles(self) -> dict[str, RoleProcess]:
        """The role processes by name; the second router is one of them."""
        return self.hub.stack.roles.running

    def start_role(self, name: str, *, preload: str = "") -> RoleProcess:
        """Start a role that has ended, in its place; a router beside the first has a directory of its own."""
        if name in self.roles:
            old = self.roles.pop(name)
            old.process.kill()
            old.process.wait()
            old.stderr.close()
        if name.startswith("router-"):
            return self._worker(name, preload)
        self.hub.stack._start_role(name)
        return self.roles[name]

    def stop_role(self, name: str) -> None:
        """End a role politely."""
        self.hub.stack.roles.stop([name])

    def _worker(self, name: str, preload: str) -> RoleProcess:
        home, stack = self.hub.home, self.hub.stack
        directory = home.path / "workers" / name / "router"  # a role directory has the name of its principal
        if not directory.exists():
            shutil.copytree(home.role("router"), directory, ignore=shutil.ignore_patterns("state"))
            directory.chmod(0o700)
        extra = {"HUB_INSTANCE": name}
        if preload:
            library, _, offset = preload.partition("=")
            extra |= {"LD_PRELOAD": library, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        return stack.roles.start(name, "router", "route", directory=directory, extra=extra)

    def tend(self) -> list[str]:
        """Start again what has ended, as a supervisor would; return whom."""
        ended = [name for name, role in self.roles.items() if role.process.poll() is not None]
        for name in ended:
            self.start_role(name)
        self.restarts += len(ended)
        return ended

    def ready(self) -> bool:
        """Whether every role says that it is ready; who has ended is started again."""
        return not self.tend() and all(role.ready() for role in list(self.roles.values()))

    def count_anew(self) -> None:
        """Forget what was counted: what was there once and is not any more would be taken for there."""
        self._counter = Counter(self.hub.home, self.cluster.bootstrap, PARTITIONS)

    def records(self) -> tuple[dict[int, list[str]], dict[str, dict[int, list[str]]]]:
        """Ids of events on the input, and on each output, by partition in the order of offsets."""
        filed = names.submissions(self.namespace)
        found = self._counter.read([filed, *self.tenant_of_topic])
        events = {
            topic: {partition: [key for key in keys if _is_event(key)] for partition, keys in each.items()}
            for topic, each in found.items()
        }
        return events.pop(filed), events

    def weights(self) -> dict[str, tuple[int, int]]:
        """MiB of memory and open descriptors of every role that runs, and of the brokers."""
        pids = {name: role.process.pid for name, role in self.roles.items()}
        pids |= {node.name: node.pid for node in self.cluster.nodes if node.running()}
        found = {}
        for name, pid in pids.items():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                found[name] = (process.memory_info().rss // 2**20, process.num_fds())
        return found


def _is_event(key: str) -> bool:
    return len(key) == 36 and key.count("-") == 4


@contextmanager
def site(
    directory: Path,
    *,
    seed: int,
    events: int,
    rate: float,
    disks: bool = False,
    overload_seconds: float | None = None,
) -> Iterator[Site]:
    """Start everything, and the filing of `events` submissions at `rate` a second; stop everything in the end.

    An overload lasts `overload_seconds`, or half a minute and a tenth of the day's filings at most.

    With `disks` (root only) one broker and one desk have file systems of their own that can be filled.
    """
    home = Home(directory / "home")
    with ExitStack() as stack:
        if disks:
            home.prepare()
            for number in range(1, BROKERS + 1):  # or it would be the home of one broker
                (home.brokers / f"broker-{number}").mkdir(parents=True, mode=0o700)
            home.brokers.chmod(0o700)
            for place, size in (
                (home.brokers / f"broker-{SMALL_BROKER}", _BROKER_MIB),
                (home.role(STORE) / "state", _STORE_MIB),
            ):
                stack.enter_context(_mounted(place, size))
        up = stack.enter_context(
            Stack(home, namespace="rehearsal", partitions=PARTITIONS, brokers=BROKERS, broker_metrics=False)
        )
        hub = Hub(up)
        tenants = [tenant.code for tenant in up.topology.tenants]
        load = Load(
            hub.environment(), directory / "portal.stderr", generate(seed, events, tenants, rehearsal=True), rate
        )
        overload = (OVERLOAD_SECONDS, events // 10) if overload_seconds is None else (overload_seconds, events)
        found = Site(hub, load, home.logs / "followers.stderr", disks, overload)
        found.start_role(SECOND)
        eventually(found.ready, READY_SECONDS)
        stack.enter_context(found.watch)
        load.start()
        try:
            yield found
        except BaseException:
            _show_last_words(home.logs)
            raise
        finally:
            found.cluster.thaw()
            load.finish()


def _show_last_words(logs: Path) -> None:
    """What the roles said last on standard error, for whoever reads why a day failed; never content."""
    for path in sorted(logs.glob("*.stderr")):
        text = path.read_text(errors="replace")[-2_000:]
        if text.strip():
            print(f"--- {path.name}\n{text}", file=sys.stderr)


@contextmanager
def _mounted(place: Path, mebibytes: int) -> Iterator[None]:
    place.mkdir(parents=True, mode=0o700, exist_ok=True)
    place.parent.chmod(0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700", "eltax-hub", str(place)], check=True)
    try:
        yield
    finally:
        for _ in range(50):
            if subprocess.run(["umount", str(place)], check=False, capture_output=True).returncode == 0:
                break
            time.sleep(0.2)
        else:
            subprocess.run(["umount", "--lazy", str(place)], check=False)
