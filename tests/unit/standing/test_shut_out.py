"""Who is shut out stays out until somebody says otherwise: of plans, of the trust list, of what `up` runs."""

from __future__ import annotations

import asyncio
import shutil
import stat
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from hub import enrolment
from hub.applying import Wanted
from hub.crypto.certificates import CertificateAuthority, ForeignCertificate, expires_at
from hub.enrolment import new_authority
from hub.envelope.announcements import AudienceKey
from hub.envelope.trust import Trust
from hub.envelope.validation import validate_audience_key
from hub.role import RoleIncomplete
from hub.shut_out_book import BOOK, BookUnreadable, Done, lines, note, shut_out_at
from hub.shutting_out import HasNothing, shut_out
from hub.standing import RoleWithdrawn
from hub.transport import Endpoint
from hub.transport.admin.protocol import CreateAcls, DeleteAcls, denials
from monitoring.role_endpoint import tls_of
from tests.unit.standing.test_up import KINDS, Roles, stack_of
from tests.unit.standing.world import FIRST, NOW, NS, PARTITIONS, SECOND, TEXT, WITH_NEW, Office, laid_out
from topics.plan import Current, LetIn, ShutOut, plan

DESK = f"helpdesk-{FIRST}"


def test_the_book_keeps_what_was_done_and_the_last_line_counts(office: Office) -> None:
    assert shut_out_at(office.home) == {}
    note(office.home, Done.SHUT_OUT, DESK, NOW)
    note(office.home, Done.SHUT_OUT, DESK, NOW + timedelta(days=1))
    note(office.home, Done.LET_IN, "portal", NOW)
    assert shut_out_at(office.home) == {DESK: "2026-04-01T03:00:00+00:00"}, "and since when, not since again"
    note(office.home, Done.LET_IN, DESK, NOW)
    note(office.home, Done.SHUT_OUT, "portal", NOW)
    assert shut_out_at(office.home).keys() == {"portal"}
    assert [each.done for each in lines(office.home)] == ["shut-out", "let-in", "shut-out"]
    assert (office.home / BOOK).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["no JSON", '{"at": "x"}', '{"at": "x", "done": "opened", "principal": "portal"}', "[]"]
)
def test_a_book_that_cannot_be_read_lets_nobody_in(office: Office, text: str) -> None:
    (office.home / BOOK).write_text(text, "utf-8")
    with pytest.raises(BookUnreadable):
        office.enrol()


def test_its_keys_are_revoked_and_no_run_lists_it_again(office: Office) -> None:
    office.enrol()
    role = office.role(DESK)
    note(office.home, Done.SHUT_OUT, DESK, NOW)
    first = office.enrol()
    assert first.withdrawn == (DESK,)
    assert first.changed
    trust = office.role("admin").trust
    assert trust.revoked(role.identity.key_id)
    assert trust.principals[DESK].may_produce == ()
    with pytest.raises(RoleWithdrawn):
        role.take_trust(first.trust)
    with pytest.raises(RoleIncomplete):
        office.role(DESK)

    _counts(first.audience_keys, trust, DESK)
    again = office.enrol(WITH_NEW)
    assert not again.withdrawn
    assert DESK not in again.added
    assert office.role("admin").trust.revoked(role.identity.key_id)

    note(office.home, Done.LET_IN, DESK, NOW)
    back = office.enrol(WITH_NEW)
    assert back.added == (DESK,)
    fresh = office.role(DESK)
    assert fresh.identity.key_id != role.identity.key_id
    assert fresh.trust.revoked(role.identity.key_id), "what it was shut out for never counts again"
    assert fresh.trust.audiences[DESK].owner == DESK
    _counts(back.audience_keys, trust, DESK)  # whichever a sealing role hears of first
    _counts(back.audience_keys, fresh.trust, DESK)


def _counts(published: Iterable[tuple[str, bytes]], trust: Trust, audience: str) -> None:
    """All others can seal to the audience: a filing has sections for everybody, or is none."""
    found = [value for key, value in published if key.startswith(f"{audience}/")]
    assert len(found) == 2
    for value in found:
        assert isinstance(validate_audience_key(value, trust, NOW), AudienceKey)


def test_a_plan_keeps_it_out_and_only_a_word_lets_it_in() -> None:
    wanted = laid_out()
    have = Current(1, (), wanted.acls, wanted.quotas)
    first, *_ = plan(have, wanted, shut_out=[DESK]).steps
    assert first == ShutOut(DESK), "before anything else"
    stands = plan(Current(1, (), wanted.acls, wanted.quotas, denied=frozenset({DESK})), wanted, shut_out=[DESK])
    assert stands.shut_out == (DESK,)
    assert not [step for step in stands.steps if isinstance(step, ShutOut)]
    unknown = plan(Current(1, (), wanted.acls, wanted.quotas, denied=frozenset({DESK})), wanted, prune=True)
    assert unknown.drift == (LetIn(DESK),), "somebody shut it out: who tidies up does not let it in"
    assert not [step for step in unknown.steps if isinstance(step, LetIn)]
    assert LetIn(DESK).deletes and not ShutOut(DESK).deletes


def test_a_denial_is_of_everything_there_is() -> None:
    rows = CreateAcls(denials(DESK)).build(lambda given: given)
    assert {(kind, name) for kind, name, *_ in rows} == {(2, "*"), (3, "*"), (5, "*"), (6, "*"), (4, "kafka-cluster")}
    for _, _, pattern, holder, host, operation, permission in rows:
        assert (pattern, holder, host, operation, permission) == (3, f"User:CN={DESK}", "*", 2, 2), "literal, all, deny"
    assert DeleteAcls(denials(DESK)).build(lambda given: given) == rows


def test_up_stops_who_is_shut_out_and_starts_who_is_let_in(office: Office) -> None:
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
    before = set(roles.running)
    note(office.home, Done.SHUT_OUT, DESK, NOW)
    stack.follow()
    assert set(roles.running) == before - {DESK}
    assert DESK in told[-1]
    stack.follow()
    assert len(told) == 1
    (office.home / "declaration.bin").write_bytes(office.declare(1, WITH_NEW))
    stack.follow()
    assert DESK not in roles.running, "a declaration starts nobody who is shut out"
    note(office.home, Done.LET_IN, DESK, NOW)
    stack.follow()
    assert DESK in roles.running


def test_who_is_shut_out_sees_no_metrics_either(office: Office) -> None:
    office.enrol()
    router = office.role("router")
    admitted = tls_of(router).admitted
    assert admitted() == {"admin", "monitor", "prometheus"}
    note(office.home, Done.SHUT_OUT, "monitor", NOW)
    router.take_trust(office.enrol().trust)
    assert admitted() == {"admin", "prometheus"}, "while the process runs"
    without = TEXT.replace("  prometheus:\n    certificate_only: true\n    scrapes: true\n", "")
    assert without != TEXT
    router.take_declaration(office.declare(7, without))
    assert admitted() == {"admin"}
    note(office.home, Done.LET_IN, "monitor", NOW)
    router.take_trust(office.enrol(without).trust)
    assert admitted() == {"admin", "monitor"}


def test_who_has_a_certificate_only_has_nothing_to_be_taken(office: Office) -> None:
    office.enrol()
    assert not (office.home / "roles" / "prometheus").exists()
    assert "prometheus" not in office.role("router").trust.principals
    assert expires_at(office.home / "certificates" / "prometheus.crt")
    wanted = Wanted.of(TEXT, NS, PARTITIONS)
    nowhere = Endpoint("127.0.0.1:1", office.role("admin").tls, "admin")
    with pytest.raises(HasNothing):
        asyncio.run(shut_out(office.home, wanted, office.authority, nowhere, "prometheus", lambda: NOW))
    assert shut_out_at(office.home) == {}


def test_a_home_that_is_older_than_endpoints_is_given_what_is_missing(office: Office) -> None:
    office.enrol()
    shutil.rmtree(office.home / "roles" / DESK / "endpoint")
    (office.home / "certificates" / "prometheus.crt").unlink()
    with pytest.raises(RoleIncomplete, match="endpoint"):
        tls_of(office.role(DESK))
    kept = (office.home / "roles" / "router" / "endpoint" / "router.crt").read_bytes()
    assert not office.enrol().changed
    assert tls_of(office.role(DESK)).context()
    assert (office.home / "certificates" / "prometheus.crt").exists()
    assert (office.home / "roles" / "router" / "endpoint" / "router.crt").read_bytes() == kept


def test_a_new_authority_makes_every_old_certificate_worthless(office: Office, tmp_path: Path) -> None:
    office.enrol()
    role = office.home / "roles" / DESK
    before, old_authority = (role / "tls.crt").read_bytes(), (office.home / "authority" / "ca.crt").read_bytes()
    identity = office.role(DESK).identity.key_id
    made, names = new_authority(office.home, now=NOW)
    assert names == tuple(sorted(each.name for each in laid_out().principals))
    assert (role / "tls.crt").read_bytes() != before
    made.renew(role / "endpoint" / f"{DESK}.crt")
    made.renew(office.home / "certificates" / "prometheus.crt")
    assert (role / "ca.crt").read_bytes() == (office.home / "authority" / "ca.crt").read_bytes() != old_authority
    (retired,) = office.home.glob("authority-retired-*")
    assert (retired / "ca.crt").read_bytes() == old_authority
    copy = tmp_path / "old.crt"
    copy.write_bytes(before)
    with pytest.raises(ForeignCertificate):
        made.renew(copy)
    made.renew(role / "tls.crt")
    assert stat.S_IMODE((role / "tls.key").stat().st_mode) == 0o600
    office.authority = made
    assert not office.enrol().added
    assert office.role(DESK).identity.key_id == identity, "keys are another matter"


def test_a_new_authority_that_was_cut_short_is_finished(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.enrol()
    before = enrolment.certify

    def fails(home: Path, name: str, authority: CertificateAuthority) -> None:
        if name == "router":
            raise OSError
        before(home, name, authority)

    monkeypatch.setattr(enrolment, "certify", fails)
    with pytest.raises(OSError):
        new_authority(office.home, now=NOW)
    monkeypatch.undo()
    new_authority(office.home, now=NOW)
    authority = (office.home / "authority" / "ca.crt").read_bytes()
    assert {path.read_bytes() for path in office.home.glob("roles/*/ca.crt")} == {authority}
    assert not (office.home / "authority-new").exists()


def test_an_audience_keeps_its_rules_while_its_owner_is_out(office: Office) -> None:
    office.enrol()
    (office.home / "trust.bin").write_bytes(office.sign(office.following().audience(DESK, minimum_epoch=202603)))
    for done, owner in ((Done.SHUT_OUT, "admin"), (Done.LET_IN, DESK)):
        note(office.home, done, DESK, NOW)
        office.enrol()
        rule = office.role("admin").trust.audiences[DESK]
        assert (rule.owner, rule.minimum_epoch) == (owner, 202603)
