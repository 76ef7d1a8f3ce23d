"""Who is declared to run, and who has told of its path lately: read from the processes' own metrics.

The addresses come from the file of targets that Prometheus reads too (HUB_WATCH_TARGETS;
`up` writes it). A process is heard while the moment of its last round moves on; whose clock is wrong
does not matter, for nothing is compared but one value with the one before.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.envelope.trust import Trust
from hub.transport import TlsIdentity
from monitoring.network.addresses import Address, address
from monitoring.network.line import Came, Deadline, Ended, Line
from monitoring.network.reach import SCRAPE, http_status, verified
from topics.layout import Topology
from topics.names import endpoint_host

MAX_PAGE_BYTES: Final = 8 * 2**20
MAX_FILE_BYTES: Final = 4 * 2**20
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
    """Where a process tells its metrics, over TLS, and the name that its certificate must bear."""

    address: Address
    host: str


def pages(file: Path) -> dict[str, Page]:
    """Read by principal where processes tell their metrics; what is no address is left out. Raises Ended(UNTRIED)."""
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise Ended(Came.UNTRIED, "targets")
        said = {str(group["labels"]["instance"]): str(group["targets"][0]) for group in json.loads(file.read_bytes())}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        raise Ended(Came.UNTRIED, "targets") from None
    found = {}
    for name, target in said.items():
        with contextlib.suppress(ValueError):
            found[name] = Page(address(target), endpoint_host(name))
    return found


def told(page: Page, tls: TlsIdentity, *, seconds: float) -> str:
    """Return the moment of a process's last round as its metrics write it; empty if it has had none. Raises Ended."""
    got = bytearray()
    with Line(page.address, Deadline.after(seconds)) as line:
        line.secure(verified(tls), page.host)
        line.send(SCRAPE)
        while part := line.some(65_536):
            got += part
            if len(got) > MAX_PAGE_BYTES:
                raise Ended(Came.GARBAGE, "size")
    if http_status(bytes(got[:12])) != "200":
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
