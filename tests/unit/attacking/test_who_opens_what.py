"""Curious insiders with what they really have: each role's own directory, its key files, its signing key.

Every role tries every section of every topic of two cities with all of its keys, and says everything that can be
said with its signature. What it may comes from the declaration; everything else must fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.crypto.audience import AudiencePrivateKey, Suite
from hub.crypto.certificates import CertificateAuthority
from hub.crypto.keyfile import ScryptCost
from hub.crypto.secret import Secret
from hub.enrolment import Enrolled, enrol
from hub.envelope import header as headers
from hub.envelope import validation as v
from hub.envelope.event_ids import new_event_id
from hub.envelope.header import Cause, Check, EventHeader
from hub.envelope.letters import Place
from hub.envelope.names import Kind
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.records import (
    AudienceKey,
    Checkpoint,
    CheckpointEntry,
    DeadLetterNotice,
    KeyDestroyed,
    LetterResolved,
    Session,
    SessionClose,
    StoredEvent,
    StoredReceipt,
)
from hub.envelope.sealed import Sealed, parse
from hub.envelope.session import SessionSecrets, open_section, open_session
from hub.envelope.signed import Signed, sign
from hub.envelope.times import to_ms
from hub.role import Role, load_role
from hub.settings import RoleSettings
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker, Verdict
from topics import declaration, names
from topics.expanding import expand
from topics.layout import Topology

NAMESPACE, OWN, OTHER = "rehearsal", "131041", "999997"
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Sent:
    """One event as everybody who may read its topic sees it."""

    secrets: SessionSecrets
    event: Sealed

    @property
    def session(self) -> Session:
        return self.secrets.session


@dataclass
class Office:
    """Two cities, enrolled as `keys init` does, and one event on each topic of each."""

    topology: Topology
    roles: dict[str, Role]
    published: dict[tuple[str, int], AudienceKey]
    sent: list[Sent]

    def keys(self, principal: str) -> list[AudiencePrivateKey]:
        """All keys that lie in a role's directory."""
        store = self.roles[principal].keystore
        listed = [each for each in store.list() if each.audience is not None and each.epoch is not None]
        return [store.load_audience(each.audience, each.epoch, each.key_id) for each in listed]


def _sealed(office: Office, producer: str, topic: str, tenant: str, kind: Kind, audiences: list[str]) -> Sent:
    role = office.roles[producer]
    current = min(epoch for _, epoch in office.published)
    secrets = SessionSecrets.create(
        producer=producer,
        instance=role.instance,
        topic=topic,
        tenant=tenant,
        created_at=NOW,
        expires_at=NOW + timedelta(minutes=1),
        audiences=[office.published[name, current] for name in audiences],
        identity=role.identity,
    )
    header = secrets.header(
        partition=0,
        sequence=0,
        event_id=new_event_id(to_ms(NOW)),
        receipt_number="R8-13104-000000001",
        procedure="tobacco-tax",
        procedure_version=1,
        tax_item=None,
        accepted_at_ms=to_ms(NOW),
        produced_at_ms=to_ms(NOW) + 1,
        calculation_check=Check.PASSED,
        signature_check=Check.PASSED,
        cause=None if kind is Kind.SUBMISSION else Cause(new_event_id(to_ms(NOW)), bytes(32)),
    )
    out = secrets.seal(header, {name: f"artificial, for {name}".encode() for name in secrets.audiences})
    return Sent(secrets, parse(out.value))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    home = tmp_path_factory.mktemp("office")
    topology = expand(declaration.load(), NAMESPACE, partitions=1)
    authority = CertificateAuthority.create(home / "authority")
    enrolled: Enrolled = enrol(home, topology, authority, now=NOW, cost=ScryptCost(log2_n=4))
    roles = {
        each.name: load_role(
            RoleSettings(
                role_dir=home / "roles" / each.name, bootstrap="127.0.0.1:1", namespace=NAMESPACE, partitions=1
            ),
            allow_weak=True,
        )
        for each in topology.roles
    }
    keys = [AudienceKey.decode(Signed.parse(value).body) for _, value in enrolled.audience_keys]
    office = Office(topology, roles, {(key.audience, key.epoch): key for key in keys}, [])
    for tenant in (OWN, OTHER):
        desk = f"review-{tenant}"
        teams = [each.name for each in topology.principals if each.name.startswith("tax-") and each.tenant == tenant]
        for producer, topic, kind, audiences in (
            ("portal", names.submissions(NAMESPACE), Kind.SUBMISSION, ["router", desk, f"helpdesk-{tenant}"]),
            (desk, names.status(NAMESPACE, tenant), Kind.STATUS, ["portal", f"helpdesk-{tenant}"]),
            (desk, names.accepted(NAMESPACE, tenant), Kind.ACCEPTED, sorted(teams)),
        ):
            office.sent.append(_sealed(office, producer, topic, tenant, kind, audiences))
    assert len(roles) > 10 and len(office.sent) == 6
    return office


def _tries(keys: list[AudiencePrivateKey], sent: Sent) -> Iterator[str]:
    """Every audience whose part somebody opens with these keys, in any way."""
    for audience in [each.audience for each in sent.session.audiences]:
        secrets: list[Secret] = []
        for key in keys:
            try:
                secrets.append(open_session(sent.session, audience, key))
            except EnvelopeError as refused:
                assert refused.reason is Reason.SECRET
        if secrets:
            yield audience
        for secret in secrets:
            for section in sent.event.sections:
                for name in {section.audience, audience}:
                    try:
                        open_section(secret, sent.event.header, name, section.ciphertext or b"")
                    except EnvelopeError as refused:
                        assert refused.reason is Reason.NOT_AUTHENTIC
                    else:
                        assert section.audience == audience == name
                        yield f"section of {audience}"


ATTEMPTS = {
    "tax-": (Attacker.TAX, "opens other teams' hand-overs, filings and decisions with all of its key files"),
    "helpdesk-": (Attacker.HELPDESK, "opens filings, hand-overs and messages to filers with all of its key files"),
    "review-": (Attacker.TENANT, "opens filings, decisions and hand-overs of another city with all of its key files"),
    "audit-": (Attacker.AUDIT, "opens anything at all: it has no key to open with"),
    "router": (Attacker.ROUTER, "opens any section with all of its key files"),
    "operator": (Attacker.CONTRACTOR, "opens filings or decisions with the operator's key for dead letters"),
    "monitor": (Attacker.CONTRACTOR, "opens anything with what the monitor or the administrator has"),
}


@pytest.mark.parametrize("kind", ATTEMPTS)
def test_each_role_opens_its_own_sections_and_nothing_else(office: Office, attack: Attack, kind: str) -> None:
    row = attack(*ATTEMPTS[kind])
    mine = [name for name in office.roles if name.startswith(kind)] + (["admin"] if kind == "monitor" else [])
    assert mine
    for name in mine:
        for sent in office.sent:
            addressed = {each.audience for each in sent.session.audiences} & {name}
            sections = {f"section of {each}" for each in addressed if each != "router"}
            assert set(_tries(office.keys(name), sent)) == addressed | sections, (name, sent.session.topic)
    row.prevented(
        by="cipher", how="`secret`: no session secret opens; `not-authentic`: no section", within="the attempt"
    )


def _owner(office: Office, topic: str, tenant: str) -> set[str]:
    """Who may produce to a topic for a tenant, as declared."""
    return {
        each.name for each in office.topology.principals if topic in each.produces and each.tenant in (None, tenant)
    }


def test_a_session_counts_only_for_who_is_declared_to_produce(office: Office, attack: Attack) -> None:
    row = attack(Attacker.TENANT, "announces sessions for submissions, decisions and hand-overs that are not its own")
    counted = 0
    for sent in office.sent:
        for name, role in office.roles.items():
            was = sent.session
            body = Session(
                was.salt, name, role.instance, was.topic, was.tenant, NOW, NOW + timedelta(minutes=1), None,
                was.audiences,
            ).encode()  # fmt: skip
            found = v.validate_session(sign(Session.RECORD, body, role.identity), role.trust, NOW)
            if name in _owner(office, was.topic, was.tenant):
                assert isinstance(found, Session), (name, found)
                counted += 1
            else:
                assert found is Reason.NOT_PERMITTED, (name, found)
            forged = v.validate_session(sign(Session.RECORD, Signed.parse(sent.secrets.signed).body, role.identity),
                                        role.trust, NOW)  # fmt: skip
            assert isinstance(forged, Session) if name == was.producer else forged is Reason.UNTRUSTED
    assert counted == len(office.sent)
    row.prevented(by="every reader", how="`not-permitted`; in another's name `untrusted`", within="its batch")


def test_nobody_signs_for_another(office: Office, attack: Attack) -> None:
    """Each statement, signed by every role in turn: it counts for the one whose word it is."""
    sent = office.sent[0]
    session, trust = sent.session, office.roles["portal"].trust
    desk, key = f"review-{OWN}", next(iter(office.published.values()))
    notice = DeadLetterNotice(OWN, sent.event.header, sent.event.digests, Reason.BAD_MAC, NOW)
    place = Place(names.dead_letters(NAMESPACE, "router"), 0, 1)
    said = LetterResolved(
        place, Place(names.submissions(NAMESPACE), 0, 1), Reason.UNKNOWN_SESSION, NOW, OWN, None, "damaged", None, 0,
        None, bytes(32), NOW,
    )  # fmt: skip
    receipt = StoredReceipt(session.id, 0, OWN, desk, (StoredEvent(0, new_event_id(1), bytes(32)),), NOW)
    listed = Checkpoint(session.id, 0, 0, (CheckpointEntry(bytes(32)),), None, NOW)
    gone = KeyDestroyed(key.audience, key.epoch, key.key_id, NOW, ())
    tried = {
        "a receipt that a filing is stored": (
            Attacker.HELPDESK, StoredReceipt, receipt, {desk}, lambda value: v.validate_receipt(value, trust, NOW)),
        "a notice that a filing was refused": (
            Attacker.TAX, DeadLetterNotice, notice, {"router"}, lambda value: v.validate_notice(value, trust, NOW)),
        "the operator's word on a dead letter": (
            Attacker.TENANT, LetterResolved, said, {"operator"},
            lambda value: v.validate_resolution(value, trust, NOW)),
        "a producer's list of what it sent": (
            Attacker.TENANT, Checkpoint, listed, {"portal", "admin"},
            lambda value: v.validate_checkpoint(value, session, trust, NOW)),
        "the end of a producer's session": (
            Attacker.TENANT, SessionClose, SessionClose(session.id, (), NOW), {"portal", "admin"},
            lambda value: v.validate_close(value, session, trust, NOW)),
        "that another's key was destroyed, so that its filings count as erased": (
            Attacker.CONTRACTOR, KeyDestroyed, gone, {trust.owner(key.audience)},
            lambda value: v.validate_key_destroyed(value, trust, NOW)),
        "an audience key for another, with one signature": (
            Attacker.CONTRACTOR, AudienceKey, key, set[str](),
            lambda value: v.validate_audience_key(value, trust, NOW)),
    }  # fmt: skip
    for what, (attacker, record, body, allowed, judge) in tried.items():
        row = attack(attacker, f"signs {what}")
        outcomes = {
            name: judge(sign(record.RECORD, body.encode(), role.identity)) for name, role in office.roles.items()
        }
        assert {name for name, found in outcomes.items() if not isinstance(found, Reason)} == allowed, what
        refused = {found.value for found in outcomes.values() if isinstance(found, Reason)}
        assert refused == {"untrusted"}
        row.prevented(by="every reader", how="`untrusted`", within="its batch")


def test_role_directories_are_closed_to_other_users(office: Office) -> None:
    for role in office.roles.values():
        files = list((Path(role.state_directory).parent / "keys").iterdir())
        assert files and all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_what_stands_in_the_clear_is_the_documented_header_and_no_more(office: Office, attack: Attack) -> None:
    broker = attack(Attacker.BROKER, "reads what of a filing stands in the clear on the topics", Verdict.CONTAINED)
    team = attack(Attacker.TAX, "reads what was handed over to other teams of its city", Verdict.CONTAINED)
    fields = (
        "session kind tenant producer partition sequence event_id receipt_number procedure procedure_version tax_item "
        "accepted_at_ms produced_at_ms calculation_check signature_check cause"
    )
    assert " ".join(EventHeader._fields) == fields
    for sent in office.sent:
        event = sent.event
        said = headers.decode(event.header)
        assert (said.receipt_number, said.procedure) == ("R8-13104-000000001", "tobacco-tax")
        clear = event.header + b"".join(section.audience.encode() + section.digest for section in event.sections)
        sealed = b"".join(section.ciphertext or b"" for section in event.sections)
        assert b"artificial, for" not in clear + sealed + sent.secrets.signed
        # all of these are short: one size each, whatever was written
        assert {len(section.ciphertext or b"") for section in event.sections} == {1_024 + 16}
    how = "the header's 16 fields (receipt number, procedure, tax item, times, checks, cause) and padded sizes"
    broker.contained(by="envelope", how=how, within="while the record is kept")
    team.contained(by="envelope", how=f"all teams read one topic: {how}; no section", within="while the record is kept")


def test_every_key_that_is_handed_out_has_its_lattice_half(office: Office, attack: Attack) -> None:
    row = attack(Attacker.QUANTUM, "looks for an audience whose keys are X25519 alone")
    assert {key.suite for key in office.published.values()} == {Suite.HYBRID}
    for principal in office.roles:
        assert {key.suite for key in office.keys(principal)} <= {Suite.HYBRID}
    row.prevented(by="enrolment", how="every key is MLKEM768-X25519", within="always")
