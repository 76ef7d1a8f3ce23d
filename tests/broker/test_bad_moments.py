"""Bad moments of the whole hub: a desk killed at its worst moment, a broker gone in mid-load, a full disk."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.generator import generate
from tests.broker.hub import ENTRY, Hub, eventually, running

pytestmark = [pytest.mark.broker, pytest.mark.soak, pytest.mark.timeout(300)]

TENANTS = ["131041", "999997"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub for the module; each test leaves it whole."""
    directory = tmp_path_factory.mktemp("bad-moments")
    try:
        with running(directory) as started:
            yield started
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def documents(seed: int, count: int) -> bytes:
    """JSON Lines of artificial submissions."""
    made = generate(seed, count, TENANTS)
    return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in made)


def test_desk_killed_between_its_commit_and_its_outbox_loses_and_doubles_nothing(hub: Hub, tmp_path: Path) -> None:
    roles, name, mark = hub.stack.roles, "review-131041", tmp_path / "reached"
    old = roles.running.pop(name)
    old.process.terminate()
    old.process.wait(30)
    old.stderr.close()
    armed = {"HUB_CRASH_POINT": "consumer.after-commit", "HUB_CRASH_MARK": str(mark)}
    crashing = roles.start(name, name, "consume", "review", extra=armed)
    assert hub.run("submit", "-", stdin=documents(1, 12)).returncode == 0
    crashing.process.wait(60)
    assert mark.read_text() == "consumer.after-commit", "the point was reached"
    crashing.stderr.close()

    del roles.running[name]
    roles.start(name, name, "consume", "review")
    roles.wait_ready(60, lambda *_: None)
    outcome = hub.agreed()
    assert (outcome["review"], outcome["submitted"], outcome["duplicates"]) == (12, 12, 0)
    # the receipts of what was committed before the crash came out after it: audit has seen one for each event
    eventually(lambda: sum(each["receipted"] for each in hub.json("audit", "verify")) == 12, pause=1)


def test_broker_killed_in_mid_load_and_started_again_loses_nothing(hub: Hub) -> None:
    before = hub.agreed()
    kafka = hub.stack.kafka
    submit = subprocess.Popen(
        [*ENTRY, "submit", "-", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=hub.environment(),
    )
    assert submit.stdin is not None
    lines = documents(2, 400).splitlines(keepends=True)
    for line in lines[:150]:
        submit.stdin.write(line)
    submit.stdin.flush()
    time.sleep(1.5)
    kafka.kill()
    for line in lines[150:250]:
        submit.stdin.write(line)
    time.sleep(1)
    kafka.start()
    for line in lines[250:]:
        submit.stdin.write(line)
    output, errors = submit.communicate(timeout=120)
    assert submit.returncode == 0, errors[-1_000:]
    answers = [json.loads(line) for line in output.splitlines()]
    assert [each["status"] for each in answers] == ["accepted"] * 400

    hub.stack.roles.check()
    outcome = hub.agreed(120)
    assert outcome["submitted"] == before["submitted"] + 400
    assert outcome["lost"] == outcome["duplicates"] == outcome["extra"] == 0
    assert all(each["verified"] and not each["gaps"] for each in hub.json("audit", "verify"))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small tmpfs")
def test_full_disk_under_the_journal_is_a_clear_error_and_no_half_state(hub: Hub) -> None:
    before = hub.agreed()
    state = hub.home.role("portal") / "state"
    kept = state.with_name("state.kept")
    shutil.copytree(state, kept)
    size = sum(path.stat().st_size for path in kept.iterdir()) + 8 * 2**20
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(state)], check=True)
    try:
        for path in kept.iterdir():
            shutil.copy2(path, state / path.name)
        filler = state / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as out:
            while True:
                out.write(bytes(4_096))
        full = hub.run("submit", "-", "--json", stdin=documents(3, 50), seconds=200)
        assert full.returncode == 1
        assert b"Traceback" not in full.stderr + full.stdout
        assert b"journal" in full.stdout + full.stderr
        filler.unlink()
        again = hub.run("submit", "-", "--json", stdin=documents(3, 20))
        assert again.returncode == 0, again.stderr[-1_000:]
        outcome = hub.agreed()
        assert outcome["lost"] == outcome["duplicates"] == outcome["extra"] == 0
        assert outcome["submitted"] >= before["submitted"] + 20
        for path in state.iterdir():
            shutil.copy2(path, kept / path.name)
    finally:
        subprocess.run(["umount", str(state)], check=True)
        for path in kept.iterdir():
            shutil.copy2(path, state / path.name)
        shutil.rmtree(kept)


def test_topology_is_applied_again_without_change_and_drift_is_shown(hub: Hub) -> None:
    assert hub.json("topics", "plan") == []
    assert hub.json("topics", "apply") == []
