"""Each field of header, event, session and checkpoint exchanged with that of another, through the running router.

The matrix is made of the Avro contracts: a field that is added there has no expectation here, and the test fails.
The attacker without keys (broker) re-encodes and keeps mac and signatures; the portal seals and signs again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.crypto import sections as keys
from hub.crypto.hkdf import sha256
from hub.envelope.leaf import leaf
from hub.envelope.padding import pad
from hub.envelope.reasons import Reason
from hub.envelope.records import Checkpoint
from hub.envelope.sealed import build, parse
from hub.envelope.session import SessionSecrets
from hub.envelope.signed import Signed, sign
from hub.transport import BatchWriter, Outgoing
from schemas import codec
from tests.attacking import Attacker
from tests.attacking.plugin import Attack
from tests.attacks.exchanging import decoded, exchanged, fields
from tests.broker.router_stage import (
    OTHER,
    PARTITIONS,
    Event,
    Session,
    Stage,
    assert_exactly_once,
)
from tests.kafka import TestKafka, fresh_namespace
from topics import names
from topics.partition import partition_for

pytestmark = pytest.mark.broker

R = Reason
Expected = Mapping[str, set[Reason | None]]
_LIES: set[Reason | None] = {None}
"""what the router delivers: a producer's own word, or what only the desk that it is for can check"""
_HEADER_BY_BROKER: Expected = {
    "session": {R.BAD_MAC},
    "kind": {R.BAD_MAC},
    "tenant": {R.BAD_MAC},
    "producer": {R.BAD_MAC},
    "partition": {R.BAD_MAC},
    "sequence": {R.BAD_MAC},
    "event_id": {R.BAD_MAC},
    "receipt_number": {R.BAD_MAC},
    "procedure": {R.BAD_MAC},
    "procedure_version": {R.BAD_MAC},
    "tax_item": {R.BAD_MAC},
    "accepted_at": {R.BAD_MAC},
    "produced_at": {R.BAD_MAC},
    "calculation_check": {R.BAD_MAC},
    "signature_check": {R.BAD_MAC},
    "cause.event_id": {R.BAD_MAC},
    "cause.leaf": {R.BAD_MAC},
}
_HEADER_BY_PORTAL: Expected = {
    "session": {R.BAD_MAC},
    "kind": {R.WRONG_TOPIC},
    "tenant": {R.WRONG_TENANT},
    "producer": {R.WRONG_PRODUCER},
    "partition": {R.WRONG_PARTITION},
    "sequence": _LIES,
    "event_id": {R.WRONG_KEY},
    "receipt_number": {R.WRONG_PARTITION},
    "procedure": _LIES,
    "procedure_version": _LIES,
    "tax_item": _LIES,
    "accepted_at": _LIES,
    "produced_at": {None, R.PRODUCED_OUTSIDE_SESSION},
    "calculation_check": _LIES,
    "signature_check": _LIES,
    "cause.event_id": {R.CAUSE},
    "cause.leaf": {R.CAUSE},
}
_EVENT_BY_BROKER: Expected = {
    "header": {R.BAD_MAC},
    "sections[].audience": {R.BAD_MAC, R.AUDIENCE_ORDER},
    "sections[].digest": {R.BAD_MAC},
    "sections[].ciphertext": {R.DIGEST_MISMATCH},
    "mac": {R.BAD_MAC},
}
_SESSION_BY_BROKER: Expected = {
    "salt": {R.BAD_SIGNATURE},
    "tenant": {R.BAD_SIGNATURE},
    "created_at": {R.BAD_SIGNATURE},
    "expires_at": {R.BAD_SIGNATURE},
    "previous": {R.BAD_SIGNATURE},
    "audiences[].commitment": {R.BAD_SIGNATURE},
    "audiences[].sealed": {R.BAD_SIGNATURE},
    "instance": {R.UNTRUSTED},
    "producer": {R.UNTRUSTED},
    "topic": {R.WRONG_TOPIC},
    "audiences[].audience": {R.BAD_SIGNATURE},
    "audiences[].epoch": {R.BAD_SIGNATURE},
}
_SESSION_BY_PORTAL: Expected = {
    **_SESSION_BY_BROKER,
    "salt": {R.SECRET},
    "tenant": {R.SECRET},
    "created_at": _LIES,
    "expires_at": _LIES,
    "previous": _LIES,
    "audiences[].audience": {R.SECTIONS},
    "audiences[].epoch": {None, R.SECRET},
    "audiences[].commitment": {None, R.COMMITMENT},
    "audiences[].sealed": {None, R.SECRET},
}
_CHECKPOINT_BY_BROKER: Expected = {
    "session": {R.BAD_SIGNATURE},
    "partition": {R.BAD_SIGNATURE},
    "first_sequence": {R.BAD_SIGNATURE, R.BROKEN_CHAIN},
    "entries[].leaf": {R.BAD_SIGNATURE},
    "entries[].void": {R.BAD_SIGNATURE},
    "previous": {R.BAD_SIGNATURE},
    "produced_at": {R.BAD_SIGNATURE},
}


@dataclass(frozen=True)
class Case:
    """One record in which one field is another's."""

    matrix: str
    path: str
    expected: set[Reason | None]
    partition: int
    record: Outgoing


@dataclass
class Ran:
    """What came of all cases."""

    cases: dict[tuple[int, int], Case] = field(default_factory=dict)
    """by partition and offset"""
    found: dict[tuple[int, int], Reason] = field(default_factory=dict)

    def of(self, matrix: str) -> Iterator[tuple[Case, Reason | None]]:
        """Yield the cases of a matrix and what was found."""
        for place, case in self.cases.items():
            if case.matrix == matrix:
                yield case, self.found.get(place)


@dataclass
class Material:
    """Records to exchange fields of: the victim's and those of others, as plain values."""

    stage: Stage
    victim: Session
    other: Session
    foreign: Session
    event: Event
    headers: list[dict[str, Any]]
    sessions: list[dict[str, Any]]
    number: int = 5_000

    def fresh(self) -> tuple[dict[str, Any], bytes, bytes]:
        """Return header, framed header and value of a new good event of the victim's session."""
        self.number += 1
        while partition_for(f"R8-13104-{self.number:09d}", PARTITIONS) != 1:
            self.number += 1
        event = self.victim.seal(self.number)
        framed = parse(event.out.value).header
        return decoded(framed)[1], framed, event.out.value


def _session_value(secrets: SessionSecrets) -> dict[str, Any]:
    return decoded(Signed.parse(secrets.signed).body)[1]


def _status_session(stage: Stage) -> SessionSecrets:
    review = stage.role("review-131041")
    created = Session(stage).secrets.session
    return SessionSecrets.create(
        producer=review.principal,
        instance=review.instance,
        topic=names.status(stage.namespace, "131041"),
        tenant="131041",
        created_at=created.created_at + timedelta(seconds=1),
        expires_at=created.expires_at - timedelta(seconds=1),
        audiences=[stage.audience_key("helpdesk-131041"), stage.audience_key("portal")],
        identity=review.identity,
        previous=bytes(range(32)),
    )


async def _material(stage: Stage) -> Material:
    victim, other = await Session(stage).announce(), await Session(stage).announce()
    foreign = await Session(stage, OTHER).announce()
    event = victim.seal(next(n for n in range(100) if partition_for(f"R8-13104-{n:09d}", PARTITIONS) == 1))
    strange = next(n for n in range(100, 200) if partition_for(f"R8-13104-{n:09d}", PARTITIONS) == 2)
    own = decoded(parse(event.out.value).header)[1]
    day = 24 * 3_600 * 1_000
    differing = {
        "kind": "status",
        "producer": "review-131041",
        "procedure": "another-procedure",
        "procedure_version": 2,
        "tax_item": "resident-tax",
        "accepted_at": own["accepted_at"] - day,
        "produced_at": own["produced_at"] + day,
        "calculation_check": "failed",
        "signature_check": "passed",
        "sequence": own["sequence"] + 7,
        "cause": {"event_id": event.out.event_id, "leaf": event.out.leaf},
    }
    donors = [decoded(parse(each.out.value).header)[1] for each in (other.seal(strange), foreign.seal(strange))]
    donors.append({**donors[0], **differing})
    values = [_session_value(foreign.secrets), _session_value(_status_session(stage))]
    here = _session_value(victim.secrets)
    values.append({**here, "audiences": [{**each, "epoch": each["epoch"] + 1} for each in here["audiences"]]})
    return Material(stage, victim, other, foreign, event, donors, values)


def _headers(made: Material) -> Iterator[Case]:
    for path in fields("EventHeader"):
        for donor in made.headers:
            own, _, value = made.fresh()
            for changed in exchanged("EventHeader", own, donor, path):
                said = decoded(changed)[1]
                key = said["event_id"].encode()
                rebuilt = codec.encode("SealedEvent", {**decoded(value)[1], "header": changed})
                yield Case("header by broker", path, _HEADER_BY_BROKER[path], 1, Outgoing(key, rebuilt))
                anew = _sealed_under(made.victim.secrets, changed)
                key = own["event_id"].encode()
                yield Case("header by portal", path, _HEADER_BY_PORTAL[path], 1, Outgoing(key, anew))


def _sealed_under(secrets: SessionSecrets, framed: bytes) -> bytes:
    """Seal as a portal without our checks would: its own secrets under any header."""
    made = []
    for name, secret in sorted(secrets._secrets.items()):
        if name != "router":
            ciphertext = keys.seal_section(secret, framed, name, pad(b"\x00artificial"))
            made.append((name, sha256(ciphertext), ciphertext))
    assert secrets._mac_key is not None
    digest = leaf(framed, ((name, digest) for name, digest, _ in made))
    return build(framed, made, keys.mac(secrets._mac_key, digest))


def _events(made: Material) -> Iterator[Case]:
    for path in fields("SealedEvent"):
        for donor in (made.fresh()[2], made.other.seal(3).out.value, made.foreign.seal(3).out.value):
            _, _, value = made.fresh()
            for changed in exchanged("SealedEvent", decoded(value)[1], decoded(donor)[1], path):
                key = decoded(parse(changed).header)[1]["event_id"].encode() if path == "header" else None
                key = key or decoded(parse(value).header)[1]["event_id"].encode()
                expected = _EVENT_BY_BROKER[path]
                yield Case("event by broker", path, expected, 1, Outgoing(key, changed))


def _sessions(made: Material) -> Iterator[tuple[Outgoing, Case]]:
    """Yield an altered session, and an event that names it."""
    portal = made.stage.role("portal").identity
    for matrix, expected, secrets in (
        ("session by broker", _SESSION_BY_BROKER, made.other.secrets),
        ("session by portal", _SESSION_BY_PORTAL, made.victim.secrets),
    ):
        original, own = Signed.parse(secrets.signed), _session_value(secrets)
        for path in fields("Session"):
            for donor in made.sessions:
                for body in exchanged("Session", own, donor, path):
                    by_portal = matrix.endswith("portal")
                    value = sign("Session", body, portal) if by_portal else replace(original, body=body).encode()
                    header, _, _ = made.fresh()
                    framed = codec.encode("EventHeader", {**header, "session": sha256(body)})
                    event = Outgoing(header["event_id"].encode(), _sealed_under(secrets, framed))
                    yield Outgoing(sha256(body).hex().encode(), value), Case(matrix, path, expected[path], 1, event)


def _checkpoints(made: Material) -> Iterator[Case]:
    first = made.victim.checkpoint(1).value or b""
    original = Signed.parse(first)
    own = decoded(original.body)[1]
    second = {
        **own,
        "session": made.other.id,
        "partition": 2,
        "first_sequence": 9,
        "entries": [{"leaf": sha256(each["leaf"]), "void": not each["void"]} for each in own["entries"]],
        "previous": sha256(original.body),
        "produced_at": own["produced_at"] + 1,
    }
    for path in fields("Checkpoint"):
        for body in exchanged("Checkpoint", own, second, path):
            said = Checkpoint.decode(body)
            record = Outgoing(said.key.encode(), replace(original, body=body).encode())
            yield Case("checkpoint by broker", path, _CHECKPOINT_BY_BROKER[path], said.partition, record)


async def _scenario(kafka: TestKafka, home: Path) -> Ran:
    stage = await Stage.prepare(kafka, fresh_namespace(), home)
    made = await _material(stage)
    altered = list(_sessions(made))
    await stage.write(names.sessions(stage.namespace), 0, [record for record, _ in altered])
    cases = [case for _, case in altered] + [*_headers(made), *_events(made), *_checkpoints(made)]
    carrier = await Session(stage).announce()
    good = carrier.seal_many(20, first=9_000)
    ran = Ran()
    async with stage.router(), BatchWriter(stage.role("portal").endpoint) as writer:
        for partition in range(PARTITIONS):
            mine = [case for case in cases if case.partition == partition]
            if mine:
                topic = names.submissions(stage.namespace)
                offsets = await writer.write(topic, partition, [case.record for case in mine])
                ran.cases.update({(partition, offset): case for offset, case in zip(offsets, mine, strict=True)})
        await stage.submit(*good)
        await _until_all_are_judged(stage, good)
        letters, outputs = await stage.letters(), await stage.outputs()
    ran.found = {(letter.place.partition, letter.place.offset): letter.reason for letter in letters}
    keys_of_good = {event.key for event in good}
    kept = {name: [r for r in records if r.key in keys_of_good] for name, records in outputs.items()}
    assert_exactly_once(kept, good)
    return ran


async def _until_all_are_judged(stage: Stage, last: Sequence[Event]) -> None:
    """Good events lie behind everything on every partition: where they are routed, all before them is judged."""
    assert {event.partition for event in last} == set(range(PARTITIONS))
    wanted = {event.key for event in last}
    async with asyncio.timeout(60):
        while not wanted <= {record.key for record in (await stage.outputs())["audit"]}:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def ran(kafka: TestKafka, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """All matrices through one running router."""
    return asyncio.run(_scenario(kafka, tmp_path_factory.mktemp("exchanged")))


_MATRICES = {
    "header by broker": (
        "EventHeader",
        _HEADER_BY_BROKER,
        Attacker.BROKER,
        "exchanges any field of an event's header with another event's, session's or tenant's",
    ),
    "header by portal": (
        "EventHeader",
        _HEADER_BY_PORTAL,
        Attacker.PORTAL,
        "seals events whose header has any field of another event, session, producer or tenant",
    ),
    "event by broker": (
        "SealedEvent",
        _EVENT_BY_BROKER,
        Attacker.BROKER,
        "exchanges header, section, digest, ciphertext or mac with another event's",
    ),
    "session by broker": (
        "Session",
        _SESSION_BY_BROKER,
        Attacker.BROKER,
        "exchanges any field of a session with another session's, audience's, epoch's or tenant's",
    ),
    "session by portal": (
        "Session",
        _SESSION_BY_PORTAL,
        Attacker.PORTAL,
        "signs sessions with any field of another session, audience, epoch or tenant",
    ),
    "checkpoint by broker": (
        "Checkpoint",
        _CHECKPOINT_BY_BROKER,
        Attacker.BROKER,
        "exchanges any field of a checkpoint with that of another session, partition or sequence",
    ),
}


@pytest.mark.parametrize("matrix", _MATRICES)
def test_exchanged_field_is_refused_with_its_code(ran: Ran, attack: Attack, matrix: str) -> None:
    contract, expected, attacker, attempt = _MATRICES[matrix]
    tried = attack(attacker, attempt)
    assert set(fields(contract)) == set(expected), "each field of the contract has its expectation"
    found: defaultdict[str, set[Reason | None]] = defaultdict(set)
    for case, reason in ran.of(matrix):
        found[case.path].add(reason)
    assert {path: reasons for path, reasons in found.items() if not reasons <= expected[path]} == {}
    assert set(found) == set(expected), "each field was really exchanged"
    codes = sorted({f"`{reason.value}`" for reasons in found.values() for reason in reasons if reason})
    free = sorted(path for path, reasons in found.items() if None in reasons)
    rest = f"; delivered, as the router cannot know better: {', '.join(free)}" if free else ""
    tried.prevented(by="router", how=f"dead letter {', '.join(codes)}{rest}", within="its batch")
