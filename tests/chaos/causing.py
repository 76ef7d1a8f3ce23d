"""Causes each fault and heals it; returns who it happened to."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from broker.cluster import ClusterNode
from tests.broker.hub import eventually
from tests.chaos.plan import Fault, chosen
from tests.chaos.site import READY_SECONDS, SECOND, SMALL_BROKER, STORE, Site
from topics import names

FAKETIME: Final = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
OUT_SECONDS: Final = 14.0
"""longer than a group waits for its member (10 s) and a controller for its broker (6 s)"""
AWAY_SECONDS: Final = 5.0
_ROUTERS: Final = ("router", SECOND)


@contextmanager
def _stopped(*pids: int) -> Iterator[None]:
    """SIGSTOP, and SIGCONT in the end."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _kill(site: Site, *victims: str) -> str:
    for name in victims:
        site.roles[name].process.kill()
    time.sleep(AWAY_SECONDS)
    for name in victims:
        site.start_role(name)
    return ", ".join(victims)


def _of_kind(site: Site, kind: str, draw: int) -> str:
    return chosen(draw, sorted(name for name in site.roles if name.startswith(kind)))


def portal_killed(site: Site, draw: int) -> str:
    """While filings are on their way."""
    eventually(lambda: site.load.waiting, 60, pause=0.01)
    site.load.restart()
    return "portal"


def portal_frozen(site: Site, draw: int) -> str:
    """Brokers hear nothing of it; its producer's transactions and connections grow old."""
    with _stopped(site.load.pid):
        time.sleep(OUT_SECONDS)
    return "portal"


def router_killed(site: Site, draw: int) -> str:
    """One of two."""
    return _kill(site, chosen(draw, _ROUTERS))


def routers_killed(site: Site, draw: int) -> str:
    """Both."""
    return _kill(site, *_ROUTERS)


def router_zombie(site: Site, draw: int) -> str:
    """Until the other has its partitions; then it goes on where it was, and must be fenced."""
    name = chosen(draw, _ROUTERS)
    with _stopped(site.roles[name].process.pid):
        time.sleep(OUT_SECONDS)
    return name


def rebalance_storm(site: Site, draw: int) -> str:
    """Partitions change hands ten times."""
    for _ in range(5):
        site.stop_role(SECOND)
        site.start_role(SECOND)
        eventually(site.roles[SECOND].ready, READY_SECONDS, pause=0.1)
    return SECOND


def desk_killed(kind: str) -> Callable[[Site, int], str]:
    """A desk of a kind."""
    return lambda site, draw: _kill(site, _of_kind(site, kind, draw))


def desk_frozen(site: Site, draw: int) -> str:
    """Nobody waits for it: it has its partitions for itself."""
    name = _of_kind(site, ("review", "helpdesk", "audit")[draw % 3], draw // 3)
    with _stopped(site.roles[name].process.pid):
        time.sleep(OUT_SECONDS)
    return name


def desk_slow(site: Site, draw: int) -> str:
    """Half a minute in which it may run 3 s."""
    name = _of_kind(site, ("review", "helpdesk", "audit")[draw % 3], draw // 3)
    for _ in range(30):
        with _stopped(site.roles[name].process.pid):
            time.sleep(0.9)
        time.sleep(0.1)
    return name


def _others(site: Site, draw: int) -> list[ClusterNode]:
    leader = site.cluster.controller()
    found = [node for node in site.cluster.nodes if node is not leader]
    return found if draw % 2 else found[::-1]


def broker_killed(site: Site, draw: int) -> str:
    """A follower of the quorum."""
    node = _others(site, draw)[0]
    node.kill()
    time.sleep(AWAY_SECONDS)
    node.start()
    return node.name


def controller_killed(site: Site, draw: int) -> str:
    """The leader of the quorum."""
    node = site.cluster.controller()
    node.kill()
    time.sleep(AWAY_SECONDS)
    node.start()
    return node.name


def broker_frozen(site: Site, draw: int) -> str:
    """It is fenced meanwhile, and believes for a moment that it leads still."""
    node = _others(site, draw)[0]
    node.freeze()
    try:
        time.sleep(OUT_SECONDS)
    finally:
        node.thaw()
    return node.name


def quorum_lost(site: Site, draw: int) -> str:
    """Two of three: what is acknowledged then would be on one disk only."""
    nodes = [_others(site, draw)[0], site.cluster.controller()]
    for node in nodes:
        node.kill()
    dead = time.monotonic() + 1.0  # what was acknowledged before may still be on its way to us
    time.sleep(AWAY_SECONDS)
    late = [each for each in site.load.answers if each.at > dead and each.status == "accepted"]
    assert not late, f"{len(late)} filings were acknowledged by one broker alone"
    for node in nodes:
        node.start()
    return " and ".join(node.name for node in nodes)


def broker_stutters(site: Site, draw: int) -> str:
    """0.2 s of every 0.4, for 20 s: each of its answers comes late."""
    node = site.cluster.nodes[draw % 3]
    for _ in range(50):
        node.freeze()
        time.sleep(0.2)
        node.thaw()
        time.sleep(0.2)
    return node.name


def broker_isolated(site: Site, draw: int) -> str:
    """Nobody reaches it; it reaches the others still, which is the worse half of a broken network."""
    node = site.cluster.nodes[draw % 3]
    member = site.cluster.member(node.node_id)
    rules = [
        ["INPUT", "-i", "lo", "-p", "tcp", "--dport", str(port), "-j", "DROP"]
        for port in (member.client_port, member.controller_port)
    ]
    for rule in rules:
        subprocess.run(["iptables", "-I", *rule], check=True)
    try:
        time.sleep(OUT_SECONDS)
    finally:
        for rule in rules:
            subprocess.run(["iptables", "-D", *rule], check=True)
    return node.name


def _fill(place: Path) -> None:
    """Take every free byte of a file system for a while, and each that whoever writes there frees; then let it go."""
    ballast, piece = place / "ballast", 2**20
    deadline = time.monotonic() + OUT_SECONDS
    try:
        with ballast.open("ab", buffering=0) as file:
            while time.monotonic() < deadline:
                try:
                    file.write(bytes(piece))
                except OSError:
                    piece = max(512, piece // 2)
                    time.sleep(0.02)
    finally:
        ballast.unlink()


def broker_disk_full(site: Site, draw: int) -> str:
    """It ends by itself, for it has one log directory; with room it starts again."""
    node = site.cluster.nodes[SMALL_BROKER - 1]
    _fill(node.directory)
    if not node.running():
        node.start()
    return node.name


def store_disk_full(site: Site, draw: int) -> str:
    """The desk pauses and stores nothing by halves; it goes on when there is room."""
    _fill(site.hub.home.role(STORE) / "state")
    return STORE


def segment_corrupted(site: Site, draw: int) -> str:
    """On one of three copies, behind what was flushed for certain."""
    node = _others(site, draw)[0]
    node.kill()
    topic = names.submissions(site.namespace)
    segments = sorted(node.directory.glob(f"data/{topic}-*/*.log"), key=lambda each: each.stat().st_size)
    size = segments[-1].stat().st_size
    assert size > 4_096, "nothing there to damage"
    with segments[-1].open("r+b") as file:
        file.seek(size // 2)
        found = file.read(64)
        file.seek(size // 2)
        file.write(bytes(255 - byte for byte in found))
    time.sleep(AWAY_SECONDS)
    node.start()
    return f"{node.name}, {segments[-1].parent.name}"


def clock_skewed(site: Site, draw: int) -> str:
    """Its own clock alone; what it signs is ahead of everybody by four minutes."""
    site.start_role(SECOND, preload=f"{FAKETIME}=+240s")
    eventually(site.roles[SECOND].ready, READY_SECONDS)
    time.sleep(OUT_SECONDS)
    site.start_role(SECOND)
    return SECOND


def overload(site: Site, draw: int) -> str:
    """Ten times the rate, and more than the portal takes: it makes filers wait and loses nothing."""
    usual, until, filed = site.load.rate, time.monotonic() + site.overload_seconds, site.load.filed + site.overload_most
    site.load.rate = 10 * usual
    try:
        eventually(
            lambda: time.monotonic() >= until or site.load.filed >= filed or site.load.done, site.overload_seconds + 60
        )
    finally:
        site.load.rate = usual
    return "portal"


CAUSES: Final[dict[Fault, Callable[[Site, int], str]]] = {
    Fault.PORTAL_KILLED: portal_killed,
    Fault.PORTAL_FROZEN: portal_frozen,
    Fault.ROUTER_KILLED: router_killed,
    Fault.ROUTERS_KILLED: routers_killed,
    Fault.ROUTER_ZOMBIE: router_zombie,
    Fault.REBALANCE_STORM: rebalance_storm,
    Fault.REVIEW_KILLED: desk_killed("review"),
    Fault.HELPDESK_KILLED: desk_killed("helpdesk"),
    Fault.AUDIT_KILLED: desk_killed("audit"),
    Fault.DESK_FROZEN: desk_frozen,
    Fault.DESK_SLOW: desk_slow,
    Fault.BROKER_KILLED: broker_killed,
    Fault.BROKER_FROZEN: broker_frozen,
    Fault.CONTROLLER_KILLED: controller_killed,
    Fault.QUORUM_LOST: quorum_lost,
    Fault.BROKER_STUTTERS: broker_stutters,
    Fault.BROKER_ISOLATED: broker_isolated,
    Fault.BROKER_DISK_FULL: broker_disk_full,
    Fault.STORE_DISK_FULL: store_disk_full,
    Fault.SEGMENT_CORRUPTED: segment_corrupted,
    Fault.CLOCK_SKEWED: clock_skewed,
    Fault.OVERLOAD: overload,
}
