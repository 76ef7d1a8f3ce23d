"""One round of the monitor: every listener visited, every control tried there, undeclared listeners looked for.

Listeners are tried side by side, the attempts at one after another, each with a deadline of its own. What lets in whom
it must (the contrast) is seen first: a refusal where nobody gets in proves nothing.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

from hub.control_certificates import CANARY, EXPIRED
from hub.crypto.certificates import CertificateAuthority, principal_of
from hub.transport import TlsIdentity
from monitoring.network.addresses import Address, hosts
from monitoring.network.deeds import Beyond, beyond, tried
from monitoring.network.judgement import Control, Tried, Verdict, judged
from monitoring.network.line import Came
from monitoring.network.reach import SCRAPE, Visit, in_the_clear, is_open, let_in, visit
from topics.layout import Topology

T = TypeVar("T")
R = TypeVar("R")
SIDE_BY_SIDE: Final = 8
MAX_LISTENERS: Final = 128
CLOSED, KAFKA = "", "kafka"
_KNOCK_SECONDS: Final = 1.0
"""for a port that should be closed"""


@dataclass(frozen=True, slots=True)
class Certificates:
    """With what the monitor connects: its own, and those that are kept or made to be refused (None: not there)."""

    own: TlsIdentity
    foreign: TlsIdentity
    canary: TlsIdentity | None
    expired: TlsIdentity | None


def certificates(own: TlsIdentity, kept: Path, scratch: Path) -> Certificates:
    """Take the control certificates from `<role>/probes`, and make a foreign one of an authority called like ours.

    What is in `scratch` is worth nothing to anybody: no broker knows the authority that signed it.
    """
    if not (scratch / "ca.crt").exists():
        CertificateAuthority.create(scratch)
    made = CertificateAuthority.load(scratch).issue("admin", scratch / "issued")
    return Certificates(
        own,
        TlsIdentity(made.certificate, made.private_key, own.ca),
        _kept(kept / CANARY, own.ca),
        _kept(kept / EXPIRED, own.ca),
    )


def _kept(directory: Path, ca: Path) -> TlsIdentity | None:
    found = TlsIdentity(directory / f"{CANARY}.crt", directory / f"{CANARY}.key", ca)
    return found if found.certificate.is_file() and found.private_key.is_file() else None


@dataclass(frozen=True, slots=True)
class Places:
    """Where to try: `brokers` are declared for clients, `also` are other declared listeners (a controller's).

    On every broker's host that is not this machine itself, `ports` are looked at for listeners that nobody declared;
    on this machine too with `here`.
    """

    brokers: tuple[Address, ...]
    also: tuple[Address, ...] = ()
    ports: tuple[int, ...] = ()
    here: bool = False


@dataclass(frozen=True, slots=True)
class Round:
    """What a round found: the visits as ourselves, and every attempt."""

    visits: dict[Address, Visit]
    tried: tuple[Tried, ...]
    undeclared: tuple[tuple[Address, str], ...]
    """listeners that are not declared, and what they speak: `told` ones the brokers sent us to"""


def one_round(places: Places, known: Certificates, topology: Topology, turn: int, *, seconds: float) -> Round:
    """Try everything once; `seconds` is the deadline of each attempt, `turn` says which topics it is this time."""
    declared = tuple(dict.fromkeys((*places.brokers, *places.also)))[:MAX_LISTENERS]
    visits = _visited(declared, places.also, known, seconds)
    told = _told(visits, declared)
    visits |= _visited(told, (), known, seconds)
    limits = {
        Control.RIGHTS: beyond(topology, principal_of(known.own.certificate)),
        Control.NO_RIGHTS: beyond(topology, CANARY) if CANARY not in _names(topology) else None,
    }

    def at(address: Address) -> list[Tried]:
        is_broker = address not in places.also
        return _at(address, visits[address], known, limits, turn, is_broker=is_broker, seconds=seconds)

    found: list[Tried] = []
    for address, attempts in zip(visits, side_by_side(at, tuple(visits)), strict=True):
        found += _nothing(address, "failed", is_broker=address not in places.also) if attempts is None else attempts
    doors = [
        Address(host, port)
        for host in hosts((*places.brokers, *told))
        for port in places.ports
        if (places.here or not Address(host, port).loopback) and Address(host, port) not in visits
    ]
    spoken = zip(doors, side_by_side(_spoken_at, doors), strict=True)
    opened = [(each, "failed" if what is None else what) for each, what in spoken if what != CLOSED]
    in_clear = [each for each, what in opened if what == KAFKA]
    found += [Tried(Control.PLAINTEXT, str(each), Verdict.ACCEPTED, Came.ANSWERED.value) for each in in_clear]
    undeclared = [(each, "told") for each in told] + opened
    found += _undeclared(places, undeclared, visits)
    return Round(visits, tuple(found), tuple(undeclared))


def _names(topology: Topology) -> frozenset[str]:
    return frozenset(each.name for each in topology.principals)


def _visited(
    places: Sequence[Address], also: Sequence[Address], known: Certificates, seconds: float
) -> dict[Address, Visit]:
    def one(address: Address) -> Visit:
        return visit(address, known.own, seconds=seconds, metadata=address not in also)

    failed = Visit(Came.UNTRIED, "failed")
    return {each: seen or failed for each, seen in zip(places, side_by_side(one, places), strict=True)}


def _told(visits: dict[Address, Visit], declared: Sequence[Address]) -> tuple[Address, ...]:
    """Where the brokers send clients to, and nobody declared."""
    said = dict.fromkeys(each for seen in visits.values() if seen.cluster for each in seen.cluster.brokers)
    return tuple(each for each in said if each not in declared)[: MAX_LISTENERS - len(declared)]


def _at(
    address: Address,
    seen: Visit,
    known: Certificates,
    limits: dict[Control, Beyond | None],
    turn: int,
    *,
    is_broker: bool,
    seconds: float,
) -> list[Tried]:
    """Every control at one listener."""
    if seen.came is Came.UNREACHABLE:
        return _nothing(address, seen.problem, is_broker=is_broker)
    if seen.came is Came.HUNG:  # the others would hang as long; but whoever speaks in the clear may wait for our words
        came, code = in_the_clear(address, seconds=seconds)
        clear = Tried(Control.PLAINTEXT, str(address), *judged(Control.PLAINTEXT, came, code, contrast=False))
        return [clear, *_nothing(address, seen.problem, is_broker=is_broker)[1:]]
    canary = Came.UNTRIED if known.canary is None else let_in(address, known.canary, seconds=seconds)[0]

    def judge(control: Control, came: Came, code: str, *, contrast: bool = seen.good) -> Tried:
        return Tried(control, str(address), *judged(control, came, code, contrast=contrast))

    found = [
        judge(Control.PLAINTEXT, *in_the_clear(address, seconds=seconds)),
        judge(Control.NO_CERTIFICATE, *let_in(address, None, seconds=seconds)),
        judge(Control.UNKNOWN_CA, *let_in(address, known.foreign, seconds=seconds)),
        judge(
            Control.EXPIRED,
            *(let_in(address, known.expired, seconds=seconds) if known.expired else (Came.UNTRIED, "no-certificate")),
            contrast=seen.good and canary is Came.ANSWERED,  # the same name and use, in its time
        ),
        judge(Control.OLD_TLS, *let_in(address, known.own, seconds=seconds, newest=ssl.TLSVersion.TLSv1_2)),
    ]
    for control, who in ((Control.RIGHTS, known.own), (Control.NO_RIGHTS, known.canary)) if is_broker else ():
        lies = limits[control]
        if who is None or lies is None:
            found.append(Tried(control, str(address), Verdict.UNKNOWN, "untried-no-certificate"))
        else:
            found.append(Tried(control, str(address), *tried(address, who, lies, turn, seconds=seconds)))
    return found


_OF_BROKERS: Final = (Control.RIGHTS, Control.NO_RIGHTS)
"""a controller that is no broker has no topics to ask for"""
_AT_LISTENERS: Final = (
    *(Control.PLAINTEXT, Control.NO_CERTIFICATE, Control.UNKNOWN_CA, Control.EXPIRED, Control.OLD_TLS),
    *_OF_BROKERS,
)


def _nothing(address: Address, code: str, *, is_broker: bool) -> list[Tried]:
    """Every control at one listener, where none could be tried."""
    controls = [each for each in _AT_LISTENERS if is_broker or each not in _OF_BROKERS]
    return [Tried(each, str(address), Verdict.UNKNOWN, code) for each in controls]


def _spoken_at(address: Address) -> str:
    """What a door that should not be there speaks: nothing, for it is closed; Kafka in the clear; TLS; or something."""
    if not is_open(address, seconds=_KNOCK_SECONDS):
        return CLOSED
    came, _ = in_the_clear(address, seconds=_KNOCK_SECONDS)
    return {Came.ANSWERED: KAFKA, Came.ALERT: "tls"}.get(came, "something")


def _undeclared(places: Places, opened: Iterable[tuple[Address, str]], visits: dict[Address, Visit]) -> list[Tried]:
    """Nobody is there but who is declared: known only where a broker said who there is."""
    found = [Tried(Control.UNDECLARED, str(each), Verdict.ACCEPTED, what) for each, what in opened]
    for each in places.brokers:
        if visits[each].cluster is None:
            found.append(Tried(Control.UNDECLARED, str(each), Verdict.UNKNOWN, visits[each].problem))
        elif not found:
            found.append(Tried(Control.UNDECLARED, str(each), Verdict.REFUSED, "none"))
    return found


def scraped(address: Address, known: Certificates, *, seconds: float) -> list[Tried]:
    """Ask a process for its metrics without a certificate, over TLS and in the clear, and as one who may not.

    No contrast is asked for: it is scraped by who may in the same round, and its silence is an alarm of its own.
    """

    def judge(came: Came, code: str) -> Tried:
        return Tried(Control.SCRAPE, str(address), *judged(Control.SCRAPE, came, code, contrast=True))

    came, code = let_in(address, None, seconds=seconds, request=SCRAPE)
    if came is Came.UNREACHABLE:  # nobody listens, so that nothing is shown to anybody
        return []
    found = [judge(came, code)]
    if found[0].verdict is Verdict.UNKNOWN:
        clear = judge(*in_the_clear(address, seconds=seconds, request=SCRAPE))
        found += [clear] if clear.verdict is Verdict.ACCEPTED else []
    if known.canary is not None:
        found.append(judge(*let_in(address, known.canary, seconds=seconds, request=SCRAPE)))
    return found


def side_by_side(work: Callable[[T], R], items: Sequence[T]) -> list[R | None]:
    """Do work on each item in a few threads, and return what came, in order; None where it failed in any way."""
    waiting: SimpleQueue[int] = SimpleQueue()
    for number in range(len(items)):
        waiting.put(number)
    done: list[R | None] = [None] * len(items)

    def go_on() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except Empty:
                return
            try:
                done[number] = work(items[number])
            except Exception:  # noqa: BLE001, S112 - one attempt that fails is unknown, and the others go on
                continue

    workers = [threading.Thread(target=go_on, name="watch", daemon=True) for _ in range(min(SIDE_BY_SIDE, len(items)))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return done
