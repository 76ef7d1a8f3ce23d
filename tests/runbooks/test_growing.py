"""docs/runbooks/growing.md on a hub that is being filed to, and whose growing is killed at each of its steps."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from assurance.census import account, take_census
from assurance.reconcile import Kind
from cli.demo_work import take_over
from cli.desks import opened
from cli.reconcile import read
from cli.reports import file_name
from hub.enrolment import pinned_at
from hub.envelope.declared import AppliedDeclaration
from hub.role import load_role
from hub.settings import RoleSettings
from hub.transport import BatchWriter, Endpoint, NotAuthorized, Outgoing
from hub.transport.endpoint import TlsIdentity
from tests.broker.documents import document
from tests.broker.hub import Hub, eventually, running
from tests.runbooks.steps import execute, headings
from topics import names
from topics.partition import partition_for

pytestmark = [pytest.mark.soak(target="runbooks"), pytest.mark.timeout(870)]
TENANT = "131041"
TWICE = "R7-13104-000009003"
"""a receipt that is filed in the first generation and again in the second"""
BEFORE, AFTER, AGAIN = 3, 6, 7
CRASHES = ("grow.paused", "grow.fenced", "apply.before-publishing:2", "grow.applied")


class Filing:
    """A portal that is never stopped: each turn puts a file into its inbox, every fifth of a receipt that was there."""

    def __init__(self, hub: Hub, directory: Path) -> None:
        """Start `portal serve` and file until `stop`."""
        self.hub = hub
        self.inbox = directory / "inbox"
        self.filed: list[str] = []
        self._putting = threading.Lock()
        hub.stack.roles.start("portal", "portal", "portal", "serve", str(self.inbox))
        eventually(hub.stack.roles.running["portal"].ready)
        self.go_on()

    def go_on(self) -> None:
        """File from now on."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._file, name="filing")
        self._thread.start()

    def put(self, receipt: str, **more: Any) -> str:
        """Rename one document into the inbox; return the name of its file."""
        with self._putting:
            name = f"{len(self.filed):06d}.json"
            new = self.inbox / f".{name}"
            new.write_text(json.dumps({**document(receipt), **more}, ensure_ascii=False), encoding="utf-8")
            new.replace(self.inbox / "in" / name)
            self.filed.append(receipt)
        return name

    def _file(self) -> None:
        while not self._stop.wait(0.25):
            number = len(self.filed)
            receipt = self.filed[number - 5] if number % 5 == 0 and number >= 5 else f"R7-13104-{number:09d}"
            self.put(receipt, accepted_at=f"2025-12-01T09:{number // 60 % 60:02d}:{number % 60:02d}+09:00")

    def stop(self) -> None:
        """File nothing more, and wait until all is answered."""
        self._stop.set()
        self._thread.join()
        eventually(lambda: not any((self.inbox / "in").glob("*.json")), 90, pause=0.5)

    def longest_wait(self, since: float) -> float:
        """Seconds between an answer and the next, at most, since a time of this machine's clock."""
        times = sorted(each.stat().st_mtime for each in (self.inbox / "answers").glob("[!.]*.answers.jsonl"))
        late = [each for each in times if each > since]
        return max(after - before for before, after in pairwise(late))

    def answers(self) -> list[dict[str, Any]]:
        """What the portal answered, in the order of filing."""
        files = sorted((self.inbox / "answers").glob("[!.]*.answers.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with three partitions; `up`'s own loop looks after its roles."""
    with running(tmp_path_factory.mktemp("growing"), partitions=BEFORE) as made:
        done = threading.Event()

        def follow() -> None:
            while not done.wait(0.5):
                made.stack.follow()

        thread = threading.Thread(target=follow, name="follow")
        thread.start()
        try:
            yield made
        finally:
            done.set()
            thread.join()


@pytest.fixture(scope="module")
def filing(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filing]:
    """The portal, filing from now on."""
    made = Filing(hub, tmp_path_factory.mktemp("portal"))
    try:
        yield made
    finally:
        made.stop()


def _endpoint(hub: Hub, principal: str) -> Endpoint:
    where = hub.home.certificates
    tls = TlsIdentity(where / f"{principal}.crt", where / f"{principal}.key", where / "ca.crt")
    return Endpoint(hub.stack.bootstrap, tls, principal)


def _declared(hub: Hub) -> AppliedDeclaration:
    return AppliedDeclaration.load((hub.home.path / "declaration.bin").read_bytes(), pinned_at(hub.home.path))


def _decide(hub: Hub) -> None:
    """Accept what nobody has decided on, for one tax team or two."""
    rows = hub.json("review", "list", "--tenant", TENANT, "--status", "stored")
    assert rows
    orders = [
        {"receipt": row["event_id"], "tenant": TENANT, "decision": "accept", "reason": "with-findings"}
        | {"tax_items": ["resident-tax", "tobacco-tax"][: 1 + number % 2]}
        for number, row in enumerate(rows)
    ]
    lines = "".join(json.dumps(each) + "\n" for each in orders).encode()
    assert len(hub.json("review", "decide", "-", "--tenant", TENANT, "--by", "架空の担当", stdin=lines)) == len(rows)


def _pids(hub: Hub) -> dict[str, int]:
    return {name: role.process.pid for name, role in hub.stack.roles.running.items()}


def test_every_section_is_executed_here() -> None:
    assert headings("growing") == ["Look first", "Grow", "Afterwards", "When retention has passed"]


def test_the_hub_is_filed_to_and_people_decide(hub: Hub, filing: Filing) -> None:
    filing.put(TWICE)
    hub.stored(TWICE)
    execute("growing", "Look first", hub.home.path)
    _decide(hub)
    take_over(hub.stack)


def test_a_portal_that_stands_still_in_a_session_is_waited_for_and_then_all_is_as_before(
    hub: Hub, filing: Filing
) -> None:
    portal = hub.stack.roles.running["portal"].process
    eventually(lambda: len(filing.answers()) > 5, pause=0.5)
    portal.send_signal(signal.SIGSTOP)
    try:
        said = hub.json("topics", "grow", "--check", good=1)
        assert [each for each in said if each["kind"] == "left" and each["what"] == "open session"]
        said = hub.json("topics", "grow", "--partitions", str(AFTER), "--wait", "4", good=1)
    finally:
        portal.send_signal(signal.SIGCONT)
    assert said[-1]["error"]["code"] == "topics.under-way"
    assert "generation" not in _declared(hub).text
    answered = len(filing.answers())
    eventually(lambda: len(filing.answers()) > answered + 5, pause=0.5)


def test_the_number_can_only_grow(hub: Hub) -> None:
    for number in (BEFORE, 2):
        (*_, refused) = hub.json("topics", "grow", "--partitions", str(number), good=1)
        assert refused["error"]["code"] == "topics.growth"


@pytest.fixture(scope="module")
def of_before(hub: Hub) -> dict[str, bytes]:
    """What the administrator's home said before the topics grew."""
    return {name: (hub.home.path / name).read_bytes() for name in ("declaration.bin", "applied.bin")}


@pytest.mark.usefixtures("of_before")
def test_growing_is_killed_at_each_step_and_in_the_end_it_is_done(hub: Hub, filing: Filing, tmp_path: Path) -> None:
    pids = _pids(hub)
    for point in CRASHES:
        mark = tmp_path / "mark"
        grow = ("topics", "grow", "--partitions", str(AFTER))
        done = hub.run(*grow, seconds=250, HUB_CRASH_POINT=point, HUB_CRASH_MARK=str(mark))
        assert done.returncode == -signal.SIGKILL, (point, done.stdout[-2_000:], done.stderr[-2_000:])
        assert mark.read_text() == point.partition(":")[0]
        mark.unlink()
        if point == "grow.fenced":  # to give up is one way out: what was taken is given back
            answered = len(filing.answers())
            hub.json("topics", "apply")
            eventually(lambda answered=answered: len(filing.answers()) > answered + 5, pause=0.5)
            continue
        growing = point != "grow.applied"
        assert [each.get("kind") for each in hub.json("topics", "plan", good=1)].count("growing") == growing
    execute("growing", "Grow", hub.home.path, PARTITIONS=str(AFTER))
    assert _declared(hub).partitions == AFTER
    text = hub.home.declaration.read_text("utf-8")
    assert f"partitions: {AFTER}\ngeneration: 2\nearlier: [{{generation: 1, partitions: {BEFORE}}}]\n" in text
    eventually(lambda: hub.stack.topology.generation == 2)
    eventually(lambda: all(role.ready() for role in hub.stack.roles.running.values()), 120, pause=0.5)
    assert _pids(hub) == pids  # who looks after processes has seen nothing


def test_what_was_filed_meanwhile_was_only_waiting(hub: Hub, filing: Filing) -> None:
    waiting = len(filing.filed)
    eventually(lambda: len(filing.answers()) > waiting, 90, pause=0.5)
    assert {each["status"] for each in filing.answers()} == {"accepted"}


def test_nobody_writes_to_the_old_generation_any_more(hub: Hub) -> None:
    namespace = hub.stack.topology.namespace
    old = {
        "portal": [names.submissions(namespace), names.sessions(namespace), names.dead_letters(namespace, "portal")],
        "router": [names.review(namespace, TENANT), names.audit(namespace, TENANT)],
        f"review-{TENANT}": [names.status(namespace, TENANT), names.desk_sessions(namespace, TENANT)],
        "operator": [names.submissions(namespace)],
    }

    async def attempt(principal: str, topic: str) -> None:
        async with BatchWriter(_endpoint(hub, principal)) as writer:
            await writer.write(topic, 0, [Outgoing(b"key", b"value")])

    for principal, topics in old.items():
        for topic in topics:
            with pytest.raises(NotAuthorized):
                asyncio.run(attempt(principal, topic))


def test_a_receipt_of_the_first_generation_is_filed_again_in_the_second(hub: Hub, filing: Filing) -> None:
    assert partition_for(TWICE, BEFORE) != partition_for(TWICE, AFTER)  # or the test would show less
    name = filing.put(TWICE, accepted_at="2025-12-02T10:00:00+09:00")
    eventually((filing.inbox / "answers" / f"{name}.answers.jsonl").exists, pause=0.5)
    filing.stop()
    hub.quiet()
    _decide(hub)
    take_over(hub.stack)


def test_nothing_is_lost_doubled_or_out_of_order(hub: Hub, filing: Filing) -> None:
    _in_order_of_generations(hub, _whole(hub, filing), 2)


def _in_order_of_generations(hub: Hub, topics: dict[str, list[str]], last: int) -> None:
    """The receipt that was filed in each of them was stored from each of them, one after the other."""
    every = [names.review(hub.stack.topology.namespace, TENANT, number) for number in range(1, last + 1)]
    assert list(dict.fromkeys(topics[TWICE])) == every
    assert topics[TWICE] == sorted(topics[TWICE])


def _whole(hub: Hub, filing: Filing) -> dict[str, list[str]]:
    """All that was filed is everywhere once, and each receipt's events are stored in the order of filing."""
    assert hub.agreed()["submitted"] == len(filing.filed)
    topology = hub.stack.topology
    counted = asyncio.run(take_census(hub.stack.admin(), topology))
    (portal,) = read(hub.home, [hub.home.path / "reports" / file_name("portal", Kind.PORTAL)])
    found = account(counted, portal, topology)
    assert (found.submitted, found.routed) == (len(filing.filed), len(filing.filed))
    assert (found.lost, found.duplicates, found.extra, found.dead_letters) == (0, 0, 0, 0)
    filed: dict[str, list[str]] = defaultdict(list)
    for answer in filing.answers():
        filed[answer["receipt_number"]].append(answer["event_id"])
    stored, topics = _stored(hub)
    assert stored == filed
    return topics


def _stored(hub: Hub) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """By receipt the events, and their topics, in the order in which the review desk stored them."""
    topology = hub.stack.topology
    role = load_role(
        RoleSettings(
            role_dir=hub.home.role(f"review-{TENANT}"), bootstrap=hub.stack.bootstrap, namespace=topology.namespace
        )
    )
    events: dict[str, list[str]] = defaultdict(list)
    topics: dict[str, list[str]] = defaultdict(list)
    with opened(role) as (around, _, _):
        after = 0
        while page := around.store.events(after=after, limit=1_000):
            for row in page:
                events[row.event.receipt_number].append(row.event.event_id)
                topics[row.event.receipt_number].append(row.event.topic)
            after = page[-1].number
    return events, topics


def test_afterwards_as_the_runbook_says(hub: Hub) -> None:
    for done in execute("growing", "Afterwards", hub.home.path):
        assert not done.status
    assert all(each["verified"] and not each["gaps"] for each in hub.json("audit", "verify"))


def test_an_administrator_s_home_of_before_takes_nothing_back(hub: Hub, of_before: dict[str, bytes]) -> None:
    serial = _declared(hub).serial
    for name, value in of_before.items():
        (hub.home.path / name).write_bytes(value)
    hub.home.declaration.unlink()
    for command in ("plan", "apply"):
        (*_, refused) = hub.json("topics", command, good=1)
        assert refused["error"]["code"] == "topics.generation"
    execute("growing", "Grow", hub.home.path, PARTITIONS=str(AFTER))
    assert (_declared(hub).serial, _declared(hub).partitions) == (serial, AFTER)
    assert not hub.json("topics", "plan")


def test_a_desk_restored_from_before_reads_the_old_generation_first(hub: Hub) -> None:
    """Its store is gone altogether: it reads both from their beginning, in their order."""
    before = _stored(hub)
    hub.stack.roles.stop([f"helpdesk-{TENANT}"])
    store = hub.home.role(f"helpdesk-{TENANT}") / "state" / "store.db"
    for each in store.parent.glob("store.db*"):
        each.unlink()
    hub.stack._start_role(f"helpdesk-{TENANT}")
    eventually(hub.stack.roles.running[f"helpdesk-{TENANT}"].ready, 90, pause=0.5)
    hub.agreed()
    assert _stored(hub) == before


def test_a_second_time_it_grows_under_filing_with_nothing_in_its_way(hub: Hub, filing: Filing) -> None:
    filing.go_on()
    begin, answered = time.time(), len(filing.answers())
    eventually(lambda: len(filing.answers()) > answered + 5, pause=0.5)
    execute("growing", "Grow", hub.home.path, PARTITIONS=str(AGAIN))
    eventually(lambda: hub.stack.topology.generation == 3)
    answered = len(filing.answers())
    eventually(lambda: len(filing.answers()) > answered + 5, 90, pause=0.5)
    filing.put(TWICE, accepted_at="2025-12-03T10:00:00+09:00")
    filing.stop()
    print(f"filing waited {filing.longest_wait(begin):.1f} s; {len(filing.filed)} filed in all")
    _in_order_of_generations(hub, _whole(hub, filing), 3)


def test_when_retention_has_passed_the_old_topics_go(hub: Hub) -> None:
    pids = _pids(hub)
    text = hub.home.declaration.read_text("utf-8")
    kept = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("earlier:"))
    hub.home.declaration.write_text(kept, encoding="utf-8")
    (applied,) = execute("growing", "When retention has passed", hub.home.path)
    assert "DeleteTopic" in applied.out
    eventually(lambda: all(role.ready() for role in hub.stack.roles.running.values()), 120, pause=0.5)
    hub.stack.roles.check()
    assert _pids(hub) == pids
    hub.stack.roles.stop(["portal"])
    hub.submit(document("R7-13104-000009002"))
    hub.stored("R7-13104-000009002")
    assert not hub.json("topics", "plan")
