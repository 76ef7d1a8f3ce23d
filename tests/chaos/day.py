"""One bad day: file, cause, heal, wait, look; in the end count everything by a client that is not ours."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from tests.broker.hub import eventually
from tests.chaos.causing import CAUSES
from tests.chaos.judging import Judgement, judge
from tests.chaos.plan import Fault, Moment, kept_back, plan
from tests.chaos.site import READY_SECONDS, Site

RECOVERY_SECONDS = 180.0
"""when it has taken longer, the day has failed"""


@dataclass(frozen=True, slots=True)
class Row:
    """What one fault did."""

    moment: Moment
    victim: str
    filed: int
    """filings so far when it began"""
    caused_seconds: float
    """from its beginning to its end"""
    recovery_seconds: float
    """from its end until all roles were ready and all that was acknowledged before was on every output"""
    stall_seconds: float
    """the longest time without an acknowledgement, from its beginning until then"""
    restarted: int
    """processes that ended by themselves and that a supervisor started again"""
    agreed: bool | None
    """whether reconciliation and the audit logs agreed; None if they were not asked"""


@dataclass(slots=True)
class Day:
    """What came of it."""

    seed: int
    events: int
    rate: float
    rows: list[Row] = field(default_factory=list)
    acknowledged: int = 0
    duplicates: int = 0
    """answers that said: known already"""
    records: int = 0
    """committed records on all outputs"""
    judgement: Judgement = field(default_factory=Judgement)
    agreed: bool = False
    verified: bool = False
    dead_letters: int = 0
    portals: int = 0
    seconds: float = 0.0
    weights: dict[str, tuple[tuple[int, int], tuple[int, int]]] = field(default_factory=dict)
    """by process: MiB and descriptors at the beginning and in the end"""

    @property
    def good(self) -> bool:
        """Nothing acknowledged was lost, nothing came twice, all in order, and the hub says so itself."""
        return self.judgement.good and self.agreed and self.verified and not self.dead_letters


Tell = Callable[[str], None]


def live(
    site: Site, seed: int, events: int, faults: Collection[Fault], *, ask_each_time: bool, tell: Tell = print
) -> Day:
    """Live through it. Raises AssertionError if the hub does not recover in time."""
    day = Day(seed, events, site.load.rate)
    began = time.monotonic()
    eventually(lambda: len(site.load.answers) > 20, READY_SECONDS)
    before = site.weights()
    moments = plan(seed, events, faults)
    for number, moment in enumerate(moments):
        eventually(lambda after=moment.after: site.load.filed >= min(after, site.load.most), 3_600)  # type: ignore[misc]
        shares = kept_back(events, len(moments), len(moments) - number)
        row = _suffer(site, moment, shares, ask_each_time=ask_each_time)
        day.rows.append(row)
        tell(
            f"{row.filed:>8} {moment.fault.value:<18} {row.victim:<28} recovered in {row.recovery_seconds:5.1f} s, "
            f"stall {row.stall_seconds:5.1f} s" + ("" if row.agreed is not False else "  NOT AGREED")
        )
    eventually(lambda: site.load.done, 3_600)
    eventually(site.ready, RECOVERY_SECONDS)
    _everywhere(site, _known(site))
    day.agreed, day.verified, day.dead_letters = _asked(site)
    day.acknowledged = len({each.event_id for each in site.load.answers})
    day.duplicates = sum(each.status == "duplicate" for each in site.load.answers)
    day.portals = site.load.portals
    site.count_anew()
    day.judgement = _judged(site)
    _, outputs = site.records()
    day.records = sum(len(ids) for found in outputs.values() for ids in found.values())
    day.weights = {name: (before[name], now) for name, now in site.weights().items() if name in before}
    day.seconds = time.monotonic() - began
    return day


def _suffer(site: Site, moment: Moment, shares: tuple[int, int], *, ask_each_time: bool) -> Row:
    """`shares` say how many may be filed when it is healed, and when it is over."""
    began, filed, restarts = time.monotonic(), site.load.filed, site.restarts
    site.load.most = shares[0]
    victim = CAUSES[moment.fault](site, moment.draw)
    site.load.check()
    healed = time.monotonic()
    site.load.most = shares[1]
    known = _known(site)
    eventually(site.ready, RECOVERY_SECONDS, pause=0.1)
    site.cluster.settle(RECOVERY_SECONDS)
    _everywhere(site, known)
    _again_acknowledged(site, healed)
    recovered = time.monotonic()
    agreed = None
    if ask_each_time:
        agreed = _in_peace(site)
    return Row(
        moment,
        victim,
        filed,
        healed - began,
        recovered - healed,
        _stall([each.at for each in site.load.answers if began <= each.at <= recovered], began, recovered),
        site.restarts - restarts,
        agreed,
    )


def _again_acknowledged(site: Site, since: float) -> None:
    """Wait for an answer to what was filed after the fault, unless all is filed."""
    eventually(lambda: site.load.done or any(each.at > since for each in site.load.answers[-2_000:]), RECOVERY_SECONDS)


def _stall(answers: list[float], began: float, ended: float) -> float:
    """The longest pause between two of them."""
    points = [began, *answers, ended]
    return max(later - earlier for earlier, later in itertools.pairwise(points))


def _everywhere(site: Site, known: Mapping[str, str]) -> None:
    """Wait until all of these events, each of a city, are on every output of it."""
    missing = {
        topic: [each for each, tenant in known.items() if tenant == of] for topic, of in site.tenant_of_topic.items()
    }

    def there() -> bool:
        site.tend()
        for topic, ids in missing.items():
            missing[topic] = site.watch.missing(topic, ids)
        return not any(missing.values())

    eventually(there, RECOVERY_SECONDS, pause=0.2)


def _in_peace(site: Site) -> bool:
    """Stop filing for a moment, wait until all is quiet, and have the hub compare; then go on."""
    rate, site.load.rate = site.load.rate, 0.0
    try:
        eventually(lambda: not site.load.waiting, RECOVERY_SECONDS)
        agreed, verified, letters = _asked(site)
        return agreed and verified and not letters and _judged(site).good
    finally:
        site.load.rate = rate


def _asked(site: Site) -> tuple[bool, bool, int]:
    """What reconciliation says, whether every audit log verifies, and how many dead letters there are."""
    said = site.hub.agreed(RECOVERY_SECONDS)
    verified = site.hub.run("audit", "verify", "--json", seconds=600)
    logs = [json.loads(line) for line in verified.stdout.splitlines()]
    assert len(logs) == len(site.tenants), verified.stderr[-2_000:]
    return (
        bool(said["agreed"]),
        all(each["verified"] for each in logs),
        int(said["dead_letters"]),
    )


def _known(site: Site) -> dict[str, str]:
    """The events that are acknowledged, each with its city."""
    return {each.event_id: site.load.tenants[each.receipt] for each in list(site.load.answers)}


def _judged(site: Site) -> Judgement:
    filed, outputs = site.records()
    tenants = _known(site)
    return judge(tenants, filed, outputs, tenants, site.tenant_of_topic)
