"""A report is believed only if the role itself signed it, for this namespace, lately, and as a whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from assurance import reports as module
from assurance.reconcile import Entry, Kind, Report, State, reconcile
from assurance.reports import (
    IncompleteReportError,
    ReportError,
    ReportNamespaceError,
    ReportSignatureError,
    ReportSpeakerError,
    StaleReportError,
    UnreadableReportError,
    read_report,
    write_report,
)
from hub.crypto.identity import IdentityKey
from hub.envelope.records import ReportEntry, RoleReport
from hub.envelope.signed import sign
from hub.envelope.trust import Identity, Trust
from hub.envelope.trust_builder import TrustBuilder

NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
NAMESPACE = "rehearsal-test"
ADMIN = IdentityKey.from_seed(b"a" * 32)
NAMES = ("portal", "router", "audit-131041", "review-131041", "helpdesk-131041", "review-999997")
KEYS = {name: IdentityKey.from_seed(name.encode().ljust(32, b".")) for name in NAMES}


def trusting(namespace: str = NAMESPACE, revoked: str | None = None) -> Trust:
    builder = TrustBuilder(namespace)
    for name, key in KEYS.items():
        builder.principal(name)
        builder.identity(name, key.public, NOW - timedelta(days=1), NOW + timedelta(days=1))
    if revoked is not None:
        builder.revoke(KEYS[revoked].key_id, NOW)
    return Trust.load(builder.sign(NOW, ADMIN), ADMIN.public)


TRUST = trusting()


def event(number: int, state: State = State.HELD, tenant: str = "131041") -> Entry:
    return Entry(tenant, f"0193b3f0-7c1e-7abc-8def-{number:012}", bytes([number % 256]) * 32, state)


def report(principal: str, kind: Kind, *entries: Entry, created_at: datetime = NOW) -> Report:
    tenant = principal.partition("-")[2] or None
    return Report(principal, tenant, kind, created_at, entries)


def written(made: Report, namespace: str = NAMESPACE, key: IdentityKey | None = None) -> bytes:
    return write_report(made, namespace, key or KEYS[made.principal])


def read(data: bytes, trust: Trust = TRUST) -> Report:
    return read_report(data, trust=trust, now=NOW)


def raw(key: IdentityKey = KEYS["review-131041"], **changes: object) -> bytes:
    """One signed part with whatever fields."""
    fields: dict[str, object] = {
        "principal": "review-131041",
        "namespace": NAMESPACE,
        "kind": "review",
        "created_at": NOW,
        "entries": (),
    }
    body = RoleReport(**{**fields, **changes}).encode()  # type: ignore[arg-type]
    part = sign(RoleReport.RECORD, body, key)
    return len(part).to_bytes(4, "big") + part


@pytest.mark.parametrize(
    "made",
    [
        report("portal", Kind.PORTAL, event(1), event(2, State.VOID), event(3, State.PENDING, "999997")),
        report("router", Kind.ROUTER, event(1), Entry("", "", bytes(32), State.DEAD_LETTER)),
        report("audit-131041", Kind.AUDIT, event(1)),
        report("audit-131041", Kind.ROUTER, event(1)),
        report("audit-131041", Kind.AUDIT, event(1, State.DISCARDED), event(2, State.DISCARDED_HELPDESK)),
        report("review-131041", Kind.REVIEW, event(1), event(2, State.ERASED)),
        report("helpdesk-131041", Kind.HELPDESK, event(1, State.UNCONFIRMED)),
        report("review-131041", Kind.REVIEW),
    ],
    ids=lambda made: f"{made.principal}-{made.kind}-{len(made.entries)}",
)
def test_what_a_role_wrote_is_what_is_read(made: Report) -> None:
    expected = replace(made, tenant=None if made.principal in ("portal", "router") else made.tenant)
    assert read(written(made)) == expected


def test_a_large_report_comes_in_parts_and_is_whole_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REPORT_ENTRIES", 3)
    made = report("review-131041", Kind.REVIEW, *(event(number) for number in range(8)))
    data = written(made)
    assert read(data) == made
    first = 4 + int.from_bytes(data[:4], "big")
    assert read(data[first:] + data[:first]) == made  # the order of parts is theirs to say
    with pytest.raises(IncompleteReportError):
        read(data[first:])
    with pytest.raises(IncompleteReportError):
        read(data + data[:first])
    other = written(replace(made, created_at=NOW - timedelta(minutes=1)))
    with pytest.raises(IncompleteReportError):
        read(data[:first] + other[first:])


def test_a_report_that_another_role_signed_is_refused() -> None:
    made = report("review-131041", Kind.REVIEW, event(1))
    for stranger in (KEYS["helpdesk-131041"], KEYS["review-999997"], IdentityKey.from_seed(b"z" * 32)):
        with pytest.raises(ReportSignatureError):
            read(written(made, key=stranger))


def test_a_report_signed_with_a_revoked_key_is_refused() -> None:
    data = written(report("review-131041", Kind.REVIEW))
    with pytest.raises(ReportSignatureError) as caught:
        read(data, trusting(revoked="review-131041"))
    assert caught.value.detail == "revoked"


def test_a_changed_byte_anywhere_is_refused() -> None:
    data = written(report("review-131041", Kind.REVIEW, event(1)))
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(ReportError):
            read(changed)


def test_a_report_from_a_rehearsal_does_not_count_for_another_namespace() -> None:
    with pytest.raises(ReportNamespaceError):
        read(written(report("portal", Kind.PORTAL), namespace="eltax"))
    with pytest.raises(ReportNamespaceError):
        read(written(report("portal", Kind.PORTAL)), trusting("eltax"))


@pytest.mark.parametrize("shift", [timedelta(hours=-1, seconds=-1), timedelta(minutes=11)])
def test_a_report_of_another_time_is_stale(shift: timedelta) -> None:
    with pytest.raises(StaleReportError):
        read(written(report("portal", Kind.PORTAL, created_at=NOW + shift)))


@pytest.mark.parametrize(
    ("principal", "kind"),
    [
        ("review-131041", Kind.HELPDESK),
        ("review-131041", Kind.PORTAL),
        ("helpdesk-131041", Kind.AUDIT),
        ("portal", Kind.REVIEW),
        ("router", Kind.AUDIT),
    ],
)
def test_a_role_cannot_report_on_another_place(principal: str, kind: Kind) -> None:
    with pytest.raises(ReportSpeakerError):
        written(report(principal, kind))
    with pytest.raises(ReportSpeakerError):
        read(raw(KEYS[principal], principal=principal, kind=kind.value))


def test_lines_about_another_municipality_are_seen_by_the_reconciliation() -> None:
    foreign = ReportEntry("999997", event(1).event_id, event(1).leaf, "held")
    outcome = reconcile([read(raw(entries=(foreign,)))])
    assert outcome.foreign == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0\0",
        b"\0\0\0\x05abc",
        b"\xff\xff\xff\xff" + b"a" * 64,
        b"\0\0\0\x03abc",
        raw()[:-1],
        raw() + b"\0",
        raw(kind="mihon"),
        raw(entries=(ReportEntry("131041", event(1).event_id, bytes(32), "mihon"),)),
        raw(entries=(ReportEntry("131041", event(1).event_id, bytes(32), "pending"),)),
        raw(entries=(ReportEntry("131041", event(1).event_id, bytes(32), "discarded"),)),
        raw(entries=(ReportEntry("131041", event(1).event_id, bytes(32), "discarded-review"),)),
    ],
)
def test_what_is_not_a_report_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(UnreadableReportError):
        read(data)


def test_reports_of_every_role_reconcile_end_to_end() -> None:
    made = [
        report("portal", Kind.PORTAL, event(1), event(2)),
        report("audit-131041", Kind.AUDIT, event(1), event(2)),
        report("review-131041", Kind.REVIEW, event(1), event(2)),
        report("helpdesk-131041", Kind.HELPDESK, event(1)),
    ]
    outcome = reconcile([read(written(one)) for one in made], tenants=("131041",))
    assert not outcome.agreed
    assert [(one.event_id, one.at) for one in outcome.lost.listed] == [(event(2).event_id, Kind.HELPDESK)]


def test_the_trust_of_these_tests_knows_its_principals() -> None:
    assert isinstance(TRUST.identity("portal", KEYS["portal"].key_id, NOW), Identity)
