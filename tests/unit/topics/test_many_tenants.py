"""What is done for each tenant is done once for it: work grows with the number of tenants, not with its square."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from benchmarks.artificial import codes, declared
from topics.access import IMPLIED, may
from topics.declaration import Declaration, parse
from topics.expanding import expand
from topics.layout import Acl, Operation, Resource, Topology
from topics.plan import Current, plan, tenants_added


def instructions(work: Callable[[], object]) -> int:
    """How many instructions of Python a piece of work takes; the same every time, on every machine."""
    counted = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal counted
        frame.f_trace_opcodes = True
        counted += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return counted


@pytest.fixture(scope="module")
def few() -> Declaration:
    return parse(declared(60))


@pytest.fixture(scope="module")
def many() -> Declaration:
    return parse(declared(120))


def asked(topology: Topology) -> None:
    """What the start of a role asks of its topology."""
    for tenant in topology.tenants:
        topology.routes_of(tenant.code)
        topology.principal(f"review-{tenant.code}")


WORK: dict[str, Callable[[Declaration], object]] = {
    "lay out": lambda each: expand(each, "rehearsal"),
    "look up": lambda each: asked(expand(each, "rehearsal")),
    "rights": lambda each: expand(each, "rehearsal").acls,
    "plan": lambda each: plan(Current(1), expand(each, "rehearsal")),
    "add": lambda each: tenants_added(expand(parse(declared(1)), "rehearsal"), expand(each, "rehearsal")),
}


@pytest.mark.parametrize("name", WORK)
def test_twice_the_tenants_are_twice_the_work(name: str, few: Declaration, many: Declaration) -> None:
    assert instructions(lambda: WORK[name](many)) < 2.2 * instructions(lambda: WORK[name](few))


def test_rights_are_laid_out_for_who_asks_and_are_the_same_for_one_and_for_all(few: Declaration) -> None:
    topology = expand(few, "rehearsal")
    asked(topology)
    assert topology._acls is None, "no role needs the rights of all the others"
    apart = [topology.acls_of(each.name) for each in topology.principals]
    assert topology.acls == frozenset(acl for some in apart for acl in some)
    assert all(
        {acl.principal for acl in some} <= {each.name} for some, each in zip(apart, topology.principals, strict=True)
    )
    assert not topology.acls_of("nobody")


def test_a_right_is_found_as_the_list_of_all_rights_says(few: Declaration) -> None:
    topology = expand(few, "rehearsal")
    own, other = codes(2)

    def listed(acl: Acl, name: str) -> bool:
        return name.startswith(acl.name) if acl.prefixed else name == acl.name

    asked_for = [
        (Resource.TOPIC, f"rehearsal.{own}.review"),
        (Resource.TOPIC, f"rehearsal.{other}.review"),
        (Resource.TOPIC, "rehearsal.control"),
        (Resource.GROUP, "rehearsal.router"),
        (Resource.TRANSACTIONAL_ID, "rehearsal.router/rehearsal.submissions/0"),
    ]
    reached = 0
    for who in ("router", f"review-{own}", "portal", "operator", "nobody"):
        for resource, name in asked_for:
            for operation in Operation:
                wanted = IMPLIED.get(operation, (operation,))
                expected = any(
                    acl.principal == who and acl.resource is resource and acl.operation in wanted and listed(acl, name)
                    for acl in topology.acls
                )
                assert may(topology, who, resource, name, operation) is expected, (who, name, operation)
                reached += expected
    assert reached > 10


def test_artificial_codes_are_nobodys_and_have_their_check_digit() -> None:
    made = parse(declared(1_788)).tenants
    assert len({tenant.code for tenant in made}) == 1_788
    assert all(tenant.artificial and int(tenant.code[:2]) > 47 for tenant in made)
