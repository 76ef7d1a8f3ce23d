"""Who is declared to run, and who has told of its path lately: read from the processes' own metrics.

The addresses come from a file that whoever starts the processes writes (HUB_WATCH_METRICS, as `up --json` says them:
`{"metrics": {process: url}}`). A process is heard while the moment of its last round moves on; whose clock is wrong
does not matter, for nothing is compared but one value with the one before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hub.envelope.trust import Trust
from hub.transport import TlsIdentity
from monitoring.network.addresses import Address, checked
from monitoring.network.line import Came, Deadline, Ended, Line
from monitoring.network.reach import verified
from topics.layout import Topology

MAX_PAGE_BYTES: Final = 8 * 2**20
MAX_FILE_BYTES: Final = 4 * 2**20
ROUND: Final = "hub_watch_last_round_seconds"
_SAMPLE: Final = re.compile(rb"^hub_watch_last_round_seconds ([0-9.e+]{1,30})$", re.MULTILINE)


def expected(topology: Topology, trust: Trust, more: Collection[str] = ()) -> frozenset[str]:
    """Who must always run: the routers, and whoever a route leads to; and who else is named. Pure.

    Portal, tax teams and the operator come and go. Nobody is expected whose keys are all revoked: it is shut out.
    """
    outputs = {route.topic for route in topology.routes}
    always = {
        each.name
        for each in topology.principals
        if not each.super_user and (outputs & set(each.reads) or (each.group and outputs & set(each.writes)))
    }
    serving = {
        name
        for name, known in trust.principals.items()
        if any(identity.revoked_at is None for identity in known.identities)
    }
    return frozenset((always | set(more)) & serving)


@dataclass(frozen=True, slots=True)
class Page:
    """Where a process tells its metrics: its address, and whether over TLS."""

    address: Address
    path: str
    secure: bool


def pages(file: Path) -> dict[str, Page]:
    """Read where each process tells its metrics; what is no address is left out. Raises Ended(UNTRIED)."""
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise Ended(Came.UNTRIED, "metrics-file")
        said = json.loads(file.read_bytes())["metrics"]
        return {str(name): page for name, url in dict(said).items() if (page := _page(str(url))) is not None}
    except (OSError, ValueError, KeyError, TypeError):
        raise Ended(Came.UNTRIED, "metrics-file") from None


def _page(url: str) -> Page | None:
    try:
        parts = urlsplit(url)
        address = checked(parts.hostname or "", parts.port or 0)
    except ValueError:
        return None
    path = parts.path if re.fullmatch(r"[A-Za-z0-9/._-]{0,100}", parts.path) else ""
    return Page(address, path or "/metrics", parts.scheme == "https") if parts.scheme in ("http", "https") else None


def told(page: Page, tls: TlsIdentity, *, name: str | None = None, seconds: float) -> str:
    """Return the moment of a process's last round as its metrics write it; `name` is the endpoint's host, if another.

    Empty if it has had no round yet. Raises Ended.
    """
    got = bytearray()
    with Line(page.address, Deadline.after(seconds)) as line:
        if page.secure:
            line.secure(verified(tls), name or page.address.host)
        line.send(f"GET {page.path} HTTP/1.0\r\nHost: {page.address.host}\r\n\r\n".encode())
        while part := line.some(65_536):
            got += part
            if len(got) > MAX_PAGE_BYTES:
                raise Ended(Came.GARBAGE, "size")
    if not re.match(rb"HTTP/1\.[01] 200 ", got):
        raise Ended(Came.GARBAGE, "status")
    found = _SAMPLE.search(got)
    return found[1].decode() if found else ""


class Hearing:
    """Remembers when each principal was last heard of. `after_seconds` of silence are too long."""

    def __init__(self, after_seconds: float, clock: Callable[[], float]) -> None:
        """`clock` is monotonic, in seconds."""
        self._after = after_seconds
        self._clock = clock
        self._moved: dict[str, tuple[str, float]] = {}

    def judge(self, wanted: Collection[str], said: Mapping[str, str]) -> dict[str, bool]:
        """Say for each wanted principal whether it was heard lately; `said` is what those that answer tell now.

        Who has never been looked for has the whole time from now on.
        """
        now = self._clock()
        self._moved = {name: each for name, each in self._moved.items() if name in wanted}
        for name in wanted:
            moment = said.get(name, "")
            before = self._moved.get(name)
            if before is None or (moment and moment != before[0]):
                self._moved[name] = (moment, now)
        return {name: now - self._moved[name][1] <= self._after for name in wanted}
