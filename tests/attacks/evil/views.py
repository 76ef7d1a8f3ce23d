"""Attacks on what must be the same for all: the audit log, decisions, the administrator's lists. And plain reading."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assurance.reconcile import DECISIONS, Entry, Kind, Report, State, compare
from assurance.witness.memory import Memory
from assurance.witness.witness import Witness
from cli.log import log_identity
from consumers.audit.log_directory import LogDirectory
from consumers.audit.publishing import Cosigners, Publisher
from consumers.audit.signatures import SignatureRules
from consumers.audit.witnesses import WitnessAddress, Witnesses
from consumers.reporting import decided
from hub.crypto.identity import IdentityKey
from hub.crypto.notes import NoteSigner
from hub.enrolment import administrator
from hub.envelope.declared import AppliedDeclaration
from hub.envelope.names import Kind as EventKind
from hub.envelope.records import ReportEntry
from hub.envelope.trust_builder import TrustBuilder
from hub.facts import Fact
from hub.hearing import Hearing
from hub.reading.control import DECLARATION_KEY, TRUST_KEY, Control, reporter
from hub.role import Role, load_role
from hub.settings import LogSettings
from hub.transport import KafkaRecord, Outgoing
from portal.report import answered_entries
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker, Verdict
from tests.attacks.evil.singles import CALLED, MINUTE
from tests.attacks.evil.stage import Desk, EvilStage, alarms_in
from tests.attacks.evil.tampering import header_of, is_event
from tests.broker.router_stage import CHEAP, PARTITIONS, TENANT
from tests.unit.assurance.test_witness_http import serving
from topics import names
from topics.declaration import PACKAGED

_WITNESS = NoteSigner("witness.example/w1", IdentityKey.from_seed(bytes(31) + b"\x09"))


async def histories(stage: EvilStage, attack: Attack, directory: Path) -> None:
    """Two audit desks of one city, on two machines, are shown histories that differ by one event and its checkpoint."""
    victim, topic = f"audit-{TENANT}", names.audit(stage.namespace, TENANT)
    copies, settings = stage.evil.copies, LogSettings()
    tried = attack(Attacker.BROKER, "shows two audit desks of a city different histories", Verdict.DETECTED)
    await stage.evil.settled()
    roots: list[tuple[int, bytes]] = []
    facts: list[Fact] = []
    signer = log_identity(stage.stage.role(victim), settings).signer
    with (
        Memory(directory / "memory") as memory,
        serving(Witness(_WITNESS, [signer.verifier()], memory, lambda: 1_800_000_000)) as server,
    ):
        address = WitnessAddress(server.url, _WITNESS.cosigner())
        asked = Witnesses([address], TENANT, lambda fact: facts.append(fact))
        for number, cut in enumerate((0, 5)):
            copies.anew(victim)
            for partition in range(PARTITIONS):
                honest = copies.honest((topic, partition))
                copies.show(victim, (topic, partition), honest[: len(honest) - cut])
            async with stage.desk(victim) as desk:
                await desk.through_all()
                roots.append(_publish(desk, settings, directory / str(number), asked))
    assert roots[0] != roots[1]
    rung = alarms_in(facts)
    assert rung == {"witness-contradicts": 1}
    how = "alarm `witness-contradicts`: the two checkpoints are of no one log, and the witness has cosigned the other"
    tried.detected(by="witness", how=how, within="the next checkpoint")


def _publish(desk: Desk, settings: LogSettings, directory: Path, asked: Cosigners) -> tuple[int, bytes]:
    rules = SignatureRules(desk.role.trust, desk.role.principal)
    identity = log_identity(desk.role, settings)
    done = Publisher(desk.store, LogDirectory(directory), identity, rules.head_holds, asked).publish()
    return done.size, done.root


async def decisions(stage: EvilStage, attack: Attack) -> None:
    """A decision is withheld from helpdesk, audit desk and portal."""
    status, copies = names.status(stage.namespace, TENANT), stage.evil.copies
    await stage.evil.settled()
    told = [each for number in range(PARTITIONS) for each in copies.honest((status, number)) if is_event(each)]
    (hidden, *_) = told
    event_id = (hidden.key or b"").decode()
    for kind in ("helpdesk", "audit"):
        victim = f"{kind}-{TENANT}"
        tried = attack(Attacker.BROKER, f"withholds a decision from the {CALLED[kind]}", Verdict.DETECTED)
        copies.anew(victim)
        _hide(stage, victim, status, hidden)
        async with stage.desk(victim) as desk:
            await desk.through_all()
            assert "missing-event" not in desk.alarms()
            desk.clock.a_minute_passes()
            alarm = await desk.rings("missing-event")
            rows = {row.event.event_id for row in desk.store.events() if row.event.kind == EventKind.STATUS.value}
            assert {(each.key or b"").decode() for each in told} - rows == {event_id}
        tried.detected(by=CALLED[kind], how=f"alarm `{alarm}`", within=MINUTE)

    tried = attack(Attacker.BROKER, "withholds a decision from the portal", Verdict.DETECTED)
    copies.anew("portal")
    _hide(stage, "portal", status, hidden)
    answered = await answered_entries(stage.role("portal"))
    async with stage.desk(f"review-{TENANT}", "review-honest") as desk:
        ours = list(decided(desk.store))
    mine = [_report(f"review-{TENANT}", Kind.DECIDED, ours), _report("portal", Kind.ANSWERED, answered)]
    lost = [each.event_id for each in compare(DECISIONS, mine).lost.listed if each.at is Kind.ANSWERED]
    assert (lost, len(ours), len(answered)) == ([event_id], len(told), len(told) - 1)
    tried.detected(by="reconciliation", how="`lost` at answered", within="the next reconciliation")
    copies.anew("portal")


def _hide(stage: EvilStage, victim: str, topic: str, hidden: KafkaRecord) -> None:
    for number in range(PARTITIONS):
        honest = stage.evil.copies.honest((topic, number))
        stage.evil.copies.show(victim, (topic, number), [each for each in honest if each != hidden])


def _report(principal: str, kind: Kind, found: Sequence[ReportEntry]) -> Report:
    lines = tuple(Entry(each.tenant, each.event_id, each.leaf, State(each.state)) for each in found)
    return Report(principal, None if principal == "portal" else TENANT, kind, datetime.now(UTC), lines)


async def lists(stage: EvilStage, attack: Attack, directory: Path) -> None:
    """The administrator's newer list of keys and declaration: withheld, altered, rolled back."""
    control, victim = (names.control(stage.namespace), 0), "router"
    role = _own_copy(stage, victim, directory)
    now, admin = datetime.now(UTC), administrator(stage.stage.home, cost=CHEAP)
    newer = TrustBuilder.following(role.trust).sign(now, admin)
    declared = AppliedDeclaration(stage.namespace, 1, now, PARTITIONS, PACKAGED.read_text("utf-8")).sign(admin)
    older = (stage.stage.home / "roles" / victim / "trust.bin").read_bytes()
    facts: list[Fact] = []
    copies = stage.evil.copies
    follower = Control(role, lambda fact: facts.append(fact), report=reporter(role))
    copies.lie(victim, control[0], lambda partition, new: [])
    tried = attack(Attacker.BROKER, "withholds the administrator's newer lists from a role", Verdict.DETECTED)
    try:
        async with Hearing(stage.stage.role("admin").endpoint, stage.namespace, [role.instance], 1) as hearing:
            news = [Outgoing(TRUST_KEY, newer), Outgoing(DECLARATION_KEY, declared)]
            await stage.stage.write(*control, news, "admin")
            await follower.refresh()
            assert (role.trust.serial, role.standing.declaration_serial) == (1, 0)
            unheard = await hearing.until_all(role.trust, seconds=1)
            assert unheard == (role.instance,)
            tried.detected(by="administrator", how="`topics apply` names it as unheard", within="20 s")
            copies.lie(victim, control[0], lambda partition, new: new)
            copies.log(victim, control).extend(copies.honest(control))
            await follower.refresh()
            assert (role.trust.serial, role.standing.declaration_serial) == (2, 1)
            assert await hearing.until_all(role.trust, seconds=20) == ()
        for what, value in (
            ("rolls a role's list of keys back to an older one", older),
            ("flips a bit in the administrator's list of keys", newer[:-3] + bytes([newer[-3] ^ 1]) + newer[-2:]),
        ):
            tried = attack(Attacker.BROKER, what)
            facts.clear()
            record = copies.honest(control)[0]
            copies.log(victim, control).append(replace(record, key=TRUST_KEY, value=value))
            await follower.refresh()
            (code,) = alarms_in(facts)
            assert role.trust.serial == 2
            tried.prevented(by="router", how=f"alarm `{code}`, the newest that it saw still holds", within="1 s")
    finally:
        await follower.close()


def _own_copy(stage: EvilStage, principal: str, directory: Path) -> Role:
    """A role whose own directory learns of new lists; the others of this stage stay as they are."""
    own = directory / principal
    shutil.copytree(stage.stage.home / "roles" / principal, own)
    settings = stage.stage.settings(principal).model_copy(update={"role_dir": own, "bootstrap": stage.evil.bootstrap})
    return load_role(settings, allow_weak=True)


async def reading(stage: EvilStage, attack: Attack, documents: Sequence[Mapping[str, Any]]) -> None:
    """The operator looks into everything that it has."""
    tried = attack(Attacker.BROKER, "reads all that passes and all that is kept", Verdict.CONTAINED)
    await stage.evil.settled()
    everything = b"\n".join((record.key or b"") + b"\n" + (record.value or b"") for record in stage.evil.everything())
    said = [text for each in documents for text in _texts(each.get("items", {})) if _telling(text)]
    assert len(said) > 100
    for text in said:
        for encoding in ("utf-8", "utf-16-le", "utf-16-be", "shift_jis"):
            assert text.encode(encoding, "ignore") not in everything, "a text of a submission is readable"
    assert all(each["receipt_number"].encode() in everything for each in documents), "else the search finds nothing"
    assert any(header_of(each).procedure for each in stage.evil.everything() if is_event(each))
    how = "no text of any item; the public header: receipt number, city, procedure, times, results of checks"
    tried.contained(by="the envelope", how=how, within="always")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _telling(text: str) -> bool:
    """Names, addresses, numbers of people; not a word or a date that may stand anywhere."""
    return (len(text) >= 4 and not text.isascii()) or (text.isdigit() and len(text) >= 12)
