"""docs/runbooks/upgrade.md: an old hub is exchanged for this one role by role, and back, and forth."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cli.home import Home
from tests.broker.hub import eventually
from tests.chaos.load import Load
from tests.runbooks.steps import execute, headings
from tests.runbooks.upped import (
    HERE,
    Upped,
    answered_since,
    came_to_rest,
    documents,
    environment,
    filing,
    judged,
    reconciled,
    up,
)
from tests.runbooks.versions import OLD, Roles, extracted, roles_of, served

pytestmark = [pytest.mark.soak(target="runbooks"), pytest.mark.timeout(570)]
TENANTS = ("131041", "999997")
DESKS = tuple(f"{kind}-{code}" for kind in ("audit", "helpdesk", "review") for code in TENANTS)
IN_ORDER = (*DESKS, "router", "monitor")
RATE = 4.0


def test_every_section_is_executed_here() -> None:
    assert headings("upgrade") == [
        "See whether both can run side by side",
        "The administrator first",
        "When all are new",
        "Afterwards",
        "Go back",
        "Kafka: the version that runs stays",
        "Kafka: broker by broker",
        "Kafka: go back",
        "Kafka: finish",
    ]


def _exchanged(roles: Roles, tree: Path, names: tuple[str, ...], load: Load) -> None:
    """One by one, under filing: after each, filings are acknowledged again and all others live."""
    for name in names:
        roles.exchange(name, tree)
        answered_since(load, 4)
        roles.check()


def _decided(desk: Upped, portal: Upped, receipt: str) -> None:
    """What one version decides, the other one's filer is told."""
    eventually(lambda: desk.run("review", "show", receipt).returncode == 0, 90, pause=1)
    desk.json("review", "decide", receipt, "return", "--reason", "item-missing", "--message", "記載をご確認ください。")
    told = '"decision": "return"'
    eventually(lambda: told in portal.run("portal", "status", receipt, "--json").stdout.decode(), 90, pause=1)


def _keys(home: Home, principal: str) -> int:
    return len(list((home.role(principal) / "keys").glob("*.key")))


def _opens_all(tree: Path, home: Home, principal: str) -> bool:
    """Whether a version can open every key of a role."""
    program = (
        "import sys; from pathlib import Path; from hub.crypto.keystore import FileKeyStore;"
        "d = Path(sys.argv[1]); store = FileKeyStore(d / 'keys', (d / 'passphrase').read_bytes().strip());"
        "store.load_identities();"
        "[store.load_audience(each.audience, each.epoch) for each in store.list() if each.audience]"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(home.role(principal))],
        env=environment(home, tree),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0 or b"hub.crypto.errors.Key" in done.stderr, done.stderr[-2_000:]
    return done.returncode == 0


def _whole(hub: Upped, bootstrap: str, loads: list[Load]) -> None:
    found = judged(hub.home, bootstrap, TENANTS, *loads)
    assert found.good, found.examples
    said = reconciled(hub)
    assert not said["dead_letters"]
    assert said["submitted"] == sum(len(load.answers) for load in loads), said


def test_a_hub_is_exchanged_role_by_role_under_filing_and_goes_back_and_forth(tmp_path: Path) -> None:
    old = extracted(OLD, tmp_path / "old")
    home, what, loads = Home(tmp_path / "home"), documents(11, TENANTS), list[Load]()
    before, now = Upped(home, old), Upped(home)
    older = {"OLDER": str(old)}
    with up(home, tree=old), filing(home, what, rate=RATE, tree=old) as load:  # a home as that version makes it
        loads.append(load)
        answered_since(load, 10)
        came_to_rest(load)
    with served(home, ()) as bootstrap, roles_of(home, bootstrap) as roles:
        for name in IN_ORDER:
            roles.start(name, old)
        with filing(home, what, rate=RATE, tree=old) as load:
            loads.append(load)
            answered_since(load, 10)
            said = execute("upgrade", "See whether both can run side by side", home.path, **older)
            assert "0 violations" in said[0].out
            execute("upgrade", "The administrator first", home.path)
            roles.check()
            roles.exchange("review-131041", old)  # one that crashed half-way is started as it was
            _exchanged(roles, HERE, DESKS, load)
            first = next(each for each in load.answers if load.tenants[each.receipt] == TENANTS[0])
            _decided(now, before, first.receipt)  # a new desk, an old router and an old portal
            _exchanged(roles, old, ("review-131041",), load)  # half-way back needs nothing
            _exchanged(roles, HERE, ("review-131041",), load)
            _exchanged(roles, HERE, ("router", "monitor"), load)
            came_to_rest(load)
        with filing(home, what, rate=RATE) as load:
            loads.append(load)
            answered_since(load, 4)
            execute("upgrade", "When all are new", home.path)
            answered_since(load, 10)
            came_to_rest(load)
        _whole(now, bootstrap, loads)
        execute("upgrade", "Afterwards", home.path)

        execute("upgrade", "Go back", home.path, **older)
        declared = (old / "topics" / "declaration.yaml").read_bytes()
        eventually(lambda: all(declared in (home.role(n) / "declaration.bin").read_bytes() for n in IN_ORDER), 60)
        with filing(home, what, rate=RATE, tree=old) as load:
            loads.append(load)
            _exchanged(roles, old, ("router", *reversed(DESKS), "monitor"), load)
            came_to_rest(load)
        _whole(before, bootstrap, loads)

        execute("upgrade", "The administrator first", home.path)
        with filing(home, what, rate=RATE) as load:
            loads.append(load)
            _exchanged(roles, HERE, IN_ORDER, load)
            execute("upgrade", "When all are new", home.path)
            came_to_rest(load)
        count = _keys(home, "review-131041")
        now.json("keys", "rotate", "--months", "6")
        assert _keys(home, "review-131041") > count
        assert all(_opens_all(tree, home, name) for tree in (HERE, old) for name in DESKS)
        assert _opens_all(HERE, home, "analysis")
        assert not _opens_all(old, home, "analysis")  # the page says so: not back from roles made meanwhile
    with up(home, "--no-analysis") as hub:
        _whole(hub, home.running().bootstrap, loads)
    print(f"{sum(len(load.answers) for load in loads)} filings through {len(loads)} portals")
