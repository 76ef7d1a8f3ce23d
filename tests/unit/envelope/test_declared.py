"""The applied declaration and what roles answer to it: only its signer's words, only for this namespace."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.crypto.identity import IdentityKey
from hub.envelope.contracts import encode_body
from hub.envelope.declared import AppliedDeclaration, DeclarationRefused, StandingReport
from hub.envelope.reasons import Reason
from hub.envelope.signed import sign
from tests.unit.envelope.support import NOW, NS, REVIEW, YEAR, identity, trust, trust_builder
from tests.unit.envelope.test_trust import reloaded

ADMIN = identity("admin")
DECLARED = AppliedDeclaration(NS, 7, NOW, 12, "tenants: []\n")
REPORT = StandingReport("router", "router-1", NS, 3, 7, NOW)


def test_declaration_is_read_as_the_administrator_signed_it() -> None:
    other = IdentityKey.generate()
    assert AppliedDeclaration.load(DECLARED.sign(ADMIN), [ADMIN.public]) == DECLARED
    assert AppliedDeclaration.load(DECLARED.sign(other, ADMIN), [bytes(32), ADMIN.public]) == DECLARED


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (DECLARED.sign(identity("router")), "signature"),
        (DECLARED.sign(ADMIN)[:-1], "truncated"),
        (REPORT.sign(ADMIN), "foreign-schema"),
        (replace(DECLARED, partitions=0).sign(ADMIN), "partitions"),
        (replace(DECLARED, partitions=4_097).sign(ADMIN), "partitions"),
    ],
)
def test_declaration_of_another_or_that_makes_no_sense_is_refused(value: bytes, code: str) -> None:
    with pytest.raises(DeclarationRefused) as refused:
        AppliedDeclaration.load(value, [ADMIN.public])
    assert refused.value.detail == code and refused.value.code == "declaration.refused"
    assert "admin.pub" in refused.value.hint


def test_nobody_is_pinned_nobody_is_believed() -> None:
    with pytest.raises(DeclarationRefused):
        AppliedDeclaration.load(DECLARED.sign(ADMIN), [])


def test_declaration_may_have_1_to_4096_partitions() -> None:
    for count in (1, 4_096):
        made = replace(DECLARED, partitions=count)
        assert AppliedDeclaration.load(made.sign(ADMIN), [ADMIN.public]) == made


def test_declaration_from_outside_of_time_is_refused() -> None:
    fields: dict[str, Any] = {"namespace": NS, "serial": 1, "issued_at": -1, "partitions": 1, "declaration": ""}
    value = sign("AppliedDeclaration", encode_body("AppliedDeclaration", fields), ADMIN)
    with pytest.raises(DeclarationRefused, match="malformed"):
        AppliedDeclaration.load(value, [ADMIN.public])


def test_report_counts_for_its_own_signer_instance_and_namespace() -> None:
    assert StandingReport.read(REPORT.sign(identity("router")), trust()) == REPORT
    assert REPORT.key == "standing/router/router-1"
    assert StandingReport.read(REPORT.sign(identity("portal")), trust()) is Reason.UNTRUSTED
    for strange in (replace(REPORT, namespace="eltax"), replace(REPORT, principal="nobody")):
        assert StandingReport.read(strange.sign(identity("router")), trust()) is Reason.NOT_PERMITTED
    named = reloaded(trust_builder().principal("router", instances=["router-2"]))
    assert StandingReport.read(REPORT.sign(identity("router")), named) is Reason.NOT_PERMITTED
    assert StandingReport.read(replace(REPORT, instance="router-2").sign(identity("router")), named) != REPORT


def test_report_counts_at_the_time_that_it_names() -> None:
    early = replace(REPORT, taken_at=NOW - YEAR - timedelta(days=1))
    assert StandingReport.read(early.sign(identity("router")), trust()) is Reason.UNTRUSTED


def test_what_is_no_report_is_refused_for_what_it_is() -> None:
    assert StandingReport.read(b"", trust()) is Reason.NOT_FRAMED
    assert StandingReport.read(DECLARED.sign(identity(REVIEW)), trust()) is Reason.FOREIGN_SCHEMA
    fields = {"principal": "router", "instance": "r", "namespace": NS, "trust_serial": 1, "declaration_serial": 1}
    body = encode_body("StandingReport", fields | {"taken_at": -1})
    assert StandingReport.read(sign("StandingReport", body, identity("router")), trust()) is Reason.MALFORMED
