"""`up` as a process of its own, as a person runs it; steady filing beside it; and how all is counted in the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.home import Home, NoHub
from schemas.generator import generate
from tests.broker.hub import ENTRY, eventually
from tests.chaos.counting import Counter
from tests.chaos.judging import Judgement, judge
from tests.chaos.load import Load
from topics import names

HERE = Path(__file__).parents[2]
PARTITIONS = 3
NAMESPACE = "rehearsal"
UP_SECONDS = 180.0
ARRIVED_SECONDS = 240.0


def environment(home: Home, tree: Path = HERE, **more: str) -> dict[str, str]:
    """What a person's shell would have, with the program that lies in `tree`; no Java on the PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "JAVA"))}
    quick = {name: os.environ[name] for name in ("HUB_KAFKA_COMPILER", "HUB_JARS") if name in os.environ}
    of_tree = {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}  # not from where we happen to stand
    of_hub = {"HUB_HOME": str(home.path), "HUB_NAMESPACE": NAMESPACE}
    return {**kept, **quick, "PATH": "/usr/bin:/bin", **of_tree, **of_hub, **more}


@dataclass(frozen=True)
class Upped:
    """A hub that runs here, and the commands that people use on it."""

    home: Home
    tree: Path = HERE
    """where the program is that people use"""

    def run(self, *arguments: str, seconds: float = 200, **more: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end."""
        return subprocess.run(
            [*ENTRY, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            env=environment(self.home, self.tree, **more),
            check=False,
        )

    def json(self, *arguments: str, good: int = 0) -> list[dict[str, Any]]:
        """Run a command with --json and return its objects; its exit status must be `good`."""
        done = self.run(*arguments, "--json")
        assert done.returncode == good, (done.returncode, done.stdout[-2_000:], done.stderr[-2_000:])
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    @property
    def pids(self) -> dict[str, int]:
        """Of every process of this hub, as it says now."""
        return dict(self.home.running().pids)


@contextmanager
def up(home: Home, *options: str, tree: Path = HERE) -> Iterator[Upped]:
    """`eltax-hub up OPTIONS`, of the program that lies in `tree`, until we leave."""
    log = home.path.parent / "up.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*ENTRY, "up", "--partitions", str(PARTITIONS), *options],
            env=environment(home, tree),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:

        def there() -> bool:
            assert process.poll() is None, log.read_text()[-3_000:]
            try:
                return home.running().pids["up"] == process.pid
            except NoHub:
                return False

        eventually(there, UP_SECONDS)
        yield Upped(home, tree)
        assert process.poll() is None, log.read_text()[-3_000:]
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(90)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def documents(seed: int, tenants: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Artificial submissions; more than a test can wait for."""
    print(f"seed {seed}")
    return generate(seed, 1_000_000, tenants, rehearsal=True)


@contextmanager
def filing(home: Home, what: Iterator[dict[str, Any]], *, rate: float, tree: Path = HERE) -> Iterator[Load]:
    """Steady filing until we leave, through a portal of the program that lies in `tree`."""
    load = Load(environment(home, tree), home.path.parent / "portal.stderr", what, rate)
    load.start()
    try:
        yield load
    finally:
        load.finish()


def answered_since(load: Load, count: int) -> None:
    """Wait until filings of now are acknowledged: `count` more than there are."""
    wanted = len(load.answers) + count
    eventually(lambda: _sound(load) and len(load.answers) >= wanted, ARRIVED_SECONDS)


def came_to_rest(load: Load) -> None:
    """End the portal in order, and see that everything was answered; an older one says the last answers then."""
    load.finish()
    eventually(lambda: _sound(load) and not load.waiting, ARRIVED_SECONDS)


def _sound(load: Load) -> bool:
    load.check()
    return True


def judged(home: Home, bootstrap: str, tenants: Sequence[str], *loads: Load) -> Judgement:
    """Wait until all that was acknowledged is on every output, and count every record by a client that is not ours."""
    counter = Counter(home, bootstrap, PARTITIONS)
    filed = names.submissions(NAMESPACE)
    topics = {kind(NAMESPACE, t): t for t in tenants for kind in (names.review, names.helpdesk, names.audit)}
    tenant_of = {each.event_id: load.tenants[each.receipt] for load in loads for each in load.answers}
    known = set(tenant_of)
    assert known
    last: dict[str, dict[int, list[str]]] = {}

    def there() -> bool:
        nonlocal last
        found = counter.read([filed, *topics])
        last = {name: {at: [k for k in keys if _is_event(k)] for at, keys in found[name].items()} for name in found}
        kinds = {name.rpartition(".")[2] for name in topics}
        for kind in kinds:
            ids = {k for name in topics if name.endswith(f".{kind}") for keys in last[name].values() for k in keys}
            if not known <= ids:
                return False
        return True

    eventually(there, ARRIVED_SECONDS, pause=1)
    return judge(known, last.pop(filed), last, tenant_of, topics)


def reconciled(hub: Upped, seconds: float = ARRIVED_SECONDS) -> dict[str, Any]:
    """Wait until the hub says itself that all agree, and every audit log verifies."""
    deadline = time.monotonic() + seconds
    while True:
        done = hub.run("reconcile", "--json", seconds=250)
        said: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
        if done.returncode == 0 and said.get("agreed") and not said.get("unconfirmed"):
            break
        assert time.monotonic() < deadline, (said, done.stderr[-2_000:])
        time.sleep(2)
    for each in hub.json("audit", "verify"):
        assert each["verified"], each
    return said


def _is_event(key: str) -> bool:
    return len(key) == 36 and key.count("-") == 4
