"""Many lines at once are believed for the same reasons as one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.crypto.identity import IdentityKey
from hub.envelope.operations import Kind, OperationEvent
from hub.envelope.reasons import Reason
from hub.envelope.signed import Signature, Signed
from hub.envelope.trust import Trust
from monitoring.analysis.lines import read_lines
from tests.unit.monitoring.analysis.support import DESK, chained, line, trust

KEY, OTHER = IdentityKey.generate(), IdentityKey.generate()
KEYS = {DESK: KEY, "portal": OTHER}
TRUST = trust(KEYS)
LINES = [line(Kind.KEY_USED, n, count=n) for n in range(8)]
VALUES = chained(LINES, KEY)
THERE = chained([line(Kind.KEY_USED, n, principal="portal", log=2) for n in range(8)], OTHER)


def alone(values: list[bytes], listed: Any = TRUST) -> list[OperationEvent | Reason]:
    return [OperationEvent.read(value, listed) for value in values]


def spoiled(value: bytes) -> bytes:
    """The same line under a signature that is none."""
    signed = Signed.parse(value)
    marks = tuple(Signature(each.key_id, bytes(64)) for each in signed.signatures)
    return Signed(signed.body, marks).encode()


def test_good_lines_are_read_as_one_by_one() -> None:
    mixed = [value for pair in zip(VALUES, THERE, strict=True) for value in pair]
    assert read_lines(mixed, TRUST) == alone(mixed)
    assert all(isinstance(each, OperationEvent) for each in read_lines(mixed, TRUST))
    assert read_lines([], TRUST) == []


def test_a_run_costs_one_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = Trust.signed_by

    def counted(self: Any, signed: Any, principal: str, at: datetime) -> Reason | None:
        asked.append(principal)
        return real(self, signed, principal, at)

    monkeypatch.setattr(Trust, "signed_by", counted)
    assert all(isinstance(each, OperationEvent) for each in read_lines([*VALUES, *THERE], TRUST))
    assert sorted(asked) == sorted([DESK, "portal"])


def test_a_line_whose_signature_is_bad_counts_only_if_a_later_one_vouches_for_it() -> None:
    found = read_lines([VALUES[0], spoiled(VALUES[1]), VALUES[2]], TRUST)
    assert [isinstance(each, OperationEvent) for each in found] == [True, True, True]
    found = read_lines([VALUES[0], VALUES[1], spoiled(VALUES[2])], TRUST)
    assert found[2] is Reason.BAD_SIGNATURE
    assert [isinstance(each, OperationEvent) for each in found[:2]] == [True, True], "verified by themselves"
    assert read_lines([spoiled(VALUES[1]), spoiled(VALUES[2])], TRUST) == [Reason.BAD_SIGNATURE] * 2


def test_an_exchanged_line_breaks_the_run_and_is_judged_alone() -> None:
    forged = spoiled(replace(LINES[1], sequence=1, previous=bytes([9]) * 32).sign(KEY))
    assert read_lines([VALUES[0], forged, VALUES[2]], TRUST)[1] is Reason.BAD_SIGNATURE
    assert isinstance(read_lines([VALUES[0], forged, VALUES[2]], TRUST)[2], OperationEvent)


def test_nobody_vouches_for_another_principal_or_key() -> None:
    """The portal signs a line that names, as its predecessor, one that pretends to be the desk's."""
    forged = spoiled(VALUES[0])
    after = replace(line(Kind.KEY_USED, 1, principal="portal", sequence=1), previous=Signed.parse(forged).hash).sign(
        OTHER
    )
    found = read_lines([forged, after], TRUST)
    assert found[0] is Reason.BAD_SIGNATURE
    assert isinstance(found[1], OperationEvent)
    liar = replace(line(Kind.KEY_USED, 1, sequence=1), previous=Signed.parse(forged).hash).sign(OTHER)
    assert read_lines([forged, liar], TRUST) == [Reason.BAD_SIGNATURE, Reason.UNTRUSTED]


@pytest.mark.parametrize(
    "values",
    [
        [b""],
        [VALUES[0][:-1], *VALUES[1:]],
        [chained([line(Kind.VIEWED, principal="nobody")], KEY)[0], *VALUES],
        [replace(LINES[0], instance="review-131041-2").sign(KEY)],
        [replace(LINES[0], namespace="eltax").sign(KEY)],
        [VALUES[3], VALUES[3], VALUES[2]],
    ],
    ids=["empty", "cut", "unknown", "instance", "namespace", "repeated"],
)
def test_what_does_not_count_alone_does_not_count_here(values: list[bytes]) -> None:
    assert read_lines(values, TRUST) == alone(values)


def test_a_revoked_key_and_one_that_has_run_out_vouch_for_nothing() -> None:
    revoked = trust(KEYS, review_131041=datetime(2026, 2, 1, tzinfo=UTC))
    assert read_lines(VALUES, revoked) == [Reason.REVOKED] * len(VALUES)
    late = [line(Kind.KEY_USED, n * 86_400 * 100) for n in range(5)]
    values = chained(late, KEY)
    assert read_lines(values, TRUST) == alone(values)
    assert [isinstance(each, OperationEvent) for each in read_lines(values, TRUST)] == [True, True, True, True, False]


def test_a_line_with_two_signatures_is_verified_by_itself() -> None:
    signed = Signed.parse(VALUES[1])
    two = Signed(
        signed.body, tuple(sorted((*signed.signatures, Signature(bytes(8), bytes(64))), key=lambda s: s.key_id))
    )
    values = [VALUES[0], two.encode(), VALUES[2]]
    assert read_lines(values, TRUST) == alone(values)
