"""`up` takes on what a declaration adds, leaves removal to `topics apply`, and follows what was applied."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from cli.home import Home
from cli.stack import Stack
from hub.applying import APPLIED
from hub.envelope.declared import DeclarationRefused
from hub.standing import DECLARATION
from tests.unit.standing.world import FIRST, NEW, NS, PARTITIONS, SECOND, TEXT, WITH_NEW, WITHOUT_SECOND, Office

KINDS = ("review", "helpdesk", "audit")


@dataclass
class Roles:
    """Processes as names; a new one is ready when a test says so."""

    running: dict[str, Any] = field(default_factory=dict)
    is_ready: bool = False

    def start(self, name: str, principal: str, *command: str) -> None:
        assert command == ("consume", name.partition("-")[0])
        process = SimpleNamespace(pid=1_000 + len(self.running))
        self.running[name] = SimpleNamespace(metrics="", process=process, ready=lambda: self.is_ready)

    def stop(self, names: Collection[str]) -> None:
        for name in names:
            del self.running[name]


def stack_of(office: Office, text: str, told: list[str]) -> Stack:
    home = Home(office.home)
    home.declaration.write_text(text, encoding="utf-8")
    (office.home / "run").mkdir(exist_ok=True)
    return Stack(home, namespace=NS, partitions=PARTITIONS, tell=told.append)


def tenants(stack: Stack) -> set[str]:
    return {tenant.code for tenant in stack.topology.tenants}


@pytest.mark.parametrize(
    ("applied", "declared", "served"),
    [
        (None, WITH_NEW, {FIRST, SECOND, NEW}),
        (TEXT, WITH_NEW, {FIRST, SECOND, NEW}),
        (WITH_NEW, TEXT, {FIRST, SECOND, NEW}),
        (TEXT, WITHOUT_SECOND, {FIRST, SECOND}),
    ],
)
def test_a_start_adds_tenants_and_removes_none(
    office: Office, applied: str | None, declared: str, served: set[str]
) -> None:
    told: list[str] = []
    if applied is not None:
        (office.home / APPLIED).write_bytes(office.declare(1, applied))
    stack = stack_of(office, declared, told)
    stack._begin_with()
    assert tenants(stack) == served
    assert bool(told) is (applied is not None and len(served) > declared.count("artificial: "))


def test_desks_start_and_stop_with_what_was_applied_and_nobody_waits_for_them(office: Office) -> None:
    told: list[str] = []
    stack, roles = stack_of(office, TEXT, told), Roles()
    stack._roles, stack._kafka = (
        roles,
        SimpleNamespace(  # type: ignore[assignment]
            bootstrap="127.0.0.1:1", controllers="127.0.0.1:2", nodes=[]
        ),
    )
    for code in (FIRST, SECOND):
        for kind in KINDS:
            roles.start(f"{kind}-{code}", f"{kind}-{code}", "consume", kind)
    before = dict(roles.running)
    stack.follow()
    assert roles.running == before, "nothing was applied"

    (office.home / DECLARATION).write_bytes(office.declare(1, WITH_NEW))
    stack.follow()
    new = {f"{kind}-{NEW}" for kind in KINDS}
    assert roles.running.keys() == before.keys() | new
    assert all(roles.running[name] is process for name, process in before.items()), "who was there was left alone"
    assert told == []
    roles.is_ready = True
    stack.follow()
    assert {name for line in told for name in line.removeprefix("ready: ").split(", ")} == new

    (office.home / DECLARATION).write_bytes(office.declare(2, WITHOUT_SECOND))
    stack.follow()
    assert roles.running.keys() == {f"{kind}-{FIRST}" for kind in KINDS}
    assert tenants(stack) == {FIRST}
    assert SECOND not in str(stack.describe().pids)


def test_a_declaration_that_somebody_else_wrote_is_not_followed(office: Office) -> None:
    stack = stack_of(office, TEXT, [])
    (office.home / DECLARATION).write_bytes(b"\x00")
    with pytest.raises(DeclarationRefused):
        stack.follow()
    assert tenants(stack) == {FIRST, SECOND}
