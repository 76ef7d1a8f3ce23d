"""Records that do not count, and with which code. Imports nothing of the hub."""

from __future__ import annotations

import json
from typing import Any

from tests.vectors import avro_reference as avro
from tests.vectors import reference
from tests.vectors.build_records import delivery_receipt
from tests.vectors.build_world import (
    AUDIT,
    END,
    EPOCH,
    HELPDESK,
    NOW,
    NS,
    OTHER,
    REVIEW,
    STATUS,
    SUBMISSIONS,
    TAX,
    Json,
    T,
    audience_key,
    audience_public,
    identity,
    partition,
    record,
    seed,
    session,
    signed,
    suite_of,
)

HOUR = 3_600_000
ALL = ["router", REVIEW, HELPDESK]


class Bad:
    """Collects cases of one judge after the other."""

    def __init__(self, known: dict[str, Json], sent: dict[str, Json], listed: list[Json]) -> None:
        self.known, self.sent = known, sent
        self.by_name = {each["name"]: each for each in listed}
        self.portal = known["submissions"]
        self.cases: list[Json] = []

    def add(self, judge: str, name: str, code: str, value: bytes | str, **how: Any) -> None:
        shown = value.hex() if isinstance(value, bytes) else value
        self.cases.append({"name": name, "judge": judge} | how | {"value": shown, "code": code})

    def again(self, name: str, *signers: str, **change: Any) -> str:
        """A record of the vectors with other fields, signed by whom it should be, or by others."""
        good = self.by_name[name]
        made = record(good["record"], name, good["fields"] | change)
        whom = signers or tuple(mark["principal"] for mark in good["signatures"])
        return str(signed(made, *whom)["signed"])


def _raw(body: bytes, marks: list[bytes]) -> bytes:
    listed = reference.zigzag(len(marks)) + b"".join(marks) + b"\0" if marks else b"\0"
    return reference.framed(avro.contract("SignedRecord")[0], reference.avro_bytes(body) + listed)


def signatures(to: Bad) -> None:
    """The form of signed records, shown on a session."""
    how = {"topic": f"{NS}.sessions"}
    good = bytes.fromhex(to.portal["signed"])
    body = bytes.fromhex(to.portal["body"])
    mark = bytes.fromhex(to.portal["signatures"][0]["key_id"] + to.portal["signatures"][0]["signature"])

    def add(name: str, code: str, value: bytes) -> None:
        to.add("session", name, code, value, **how)

    add("a plaintext", "not-framed", b"{}")
    add("not signed", "foreign-schema", body)
    add("cut short", "truncated", good[:-1])
    add("with a byte too many", "trailing-bytes", good + b"\0")
    add("no signature", "malformed", _raw(body, []))
    add("nine signatures", "too-large", _raw(body, [bytes([n]) * 72 for n in range(9)]))
    add("one signature twice", "malformed", _raw(body, [mark, mark]))
    add("signatures in the wrong order", "malformed", _raw(body, [b"\xff" * 72, mark]))
    add("a signature with a bit turned", "bad-signature", _raw(body, [mark[:-1] + bytes([mark[-1] ^ 1])]))
    scalar = int.from_bytes(mark[40:], "little") + 2**252 + 27742317777372353535851937790883648493
    add(
        "a signature with its scalar above the order",
        "bad-signature",
        _raw(body, [mark[:40] + scalar.to_bytes(32, "little")]),
    )
    other = bytes.fromhex(identity("portal")["key_id"]) + bytes.fromhex(
        signed(record("KeyDestroyed", "", _destroyed()), "portal")["signatures"][0]["signature"]
    )
    add("the signature of another record", "bad-signature", _raw(body, [other]))
    add("a body of another record", "foreign-schema", bytes.fromhex(to.by_name["first checkpoint"]["signed"]))
    add("a body of an unknown id", "unknown-schema", _raw(b"\0\xff\xff\xff\xff" + body[5:], [mark]))
    add("a body that is not framed", "not-framed", _raw(b"{}", [mark]))
    add("a body with a byte too many", "trailing-bytes", _raw(body + b"\0", [mark]))
    add("a body cut short", "truncated", _raw(body[:-1], [mark]))
    start = 5 + 16
    wide = body[:start] + bytes([body[start] | 0x80, 0]) + body[start + 1 :]
    add("a body in which a length has a byte too many", "malformed", _raw(wide, [mark]))
    add("a body with a negative length", "malformed", _raw(body[:start] + b"\1" + body[start + 1 :], [mark]))


def _destroyed(**change: Any) -> Json:
    return {"audience": TAX, "epoch": 202603, "key_id": "00" * 8, "destroyed_at": NOW, "waivers": []} | change


def sessions(to: Bad) -> None:
    where = f"{NS}.sessions"

    def add(
        name: str, code: str, *, topic: str = where, of: str = SUBMISSIONS, for_: Any = None, key: Any = 0, **more: Any
    ) -> None:
        how = {"now": more.pop("now")} if "now" in more else {}
        made = session(of, for_ or ALL, f"bad: {name}", **more)
        to.add("session", name, code, made["signed"], topic=topic, key=made["key"] if key == 0 else key, **how)

    add("of 24 hours and a millisecond", "invalid-session", expires_at=NOW + 24 * HOUR + 1)
    add("that ends as it begins", "invalid-session", expires_at=NOW)
    ahead = NOW + 3 * HOUR + 600_001
    add("dated more than ten minutes ahead", "invalid-session", created_at=ahead, expires_at=ahead + HOUR)
    add("without an audience", "invalid-session", audiences=[])
    add("for submissions without the router", "invalid-session", for_=[REVIEW, HELPDESK])
    add(
        "for decisions with the router",
        "invalid-session",
        topic=f"{NS}.{T}.sessions",
        of=STATUS,
        for_=["portal", "router"],
    )
    add("for a tenant of five digits", "invalid-session", tenant="13104")
    add("of an instance without a name", "invalid-session", instance="")
    listed = session(SUBMISSIONS, ALL, "bad order")["fields"]["audiences"]
    add("with audiences in the wrong order", "audience-order", audiences=listed[::-1])
    add("with an audience of 64 characters", "invalid-session", audiences=[*listed, listed[0] | {"audience": "x" * 64}])
    add("with an audience that is not ASCII", "invalid-session", audiences=[*listed, listed[0] | {"audience": "見本"}])
    add("with a secret of a suite that is not allowed", "suite", audiences=_with(listed, REVIEW, sealed="00" * 80))
    add("with a secret of no suite", "suite", audiences=_with(listed, REVIEW, sealed="00" * 81))
    add("for an audience that is not listed", "suite", audiences=[*listed, listed[-1] | {"audience": "tax-x"}])
    there: Json = {"topic": f"{NS}.{T}.sessions", "of": f"{NS}.{T}.accepted", "for_": [TAX]}
    add("with an epoch below the minimum", "old-epoch", **there, epoch=202603)
    late: Json = {"created_at": END - HOUR, "expires_at": END + HOUR, "now": END - HOUR}
    add("that outlives an audience's key", "expired", **late)
    add("on the sessions topic of a tenant", "wrong-topic", topic=f"{NS}.{T}.sessions")
    add("for the topic of another tenant", "wrong-tenant", **there, tenant=OTHER)
    add("under another Kafka key", "wrong-key", key="00" * 32)
    add("of an instance that is not listed", "untrusted", instance="vector-2")
    add("of a producer that is not listed", "untrusted", producer="nobody")
    add("of a producer without the right", "not-permitted", producer="router", signer="router")
    add("signed by somebody else", "untrusted", signer="router")
    add("signed with a key of last year", "untrusted", signer="portal, of last year")
    add("signed with a revoked key", "revoked", signer="portal, revoked")


def _with(listed: list[Json], audience: str, **change: Any) -> list[Json]:
    return [each | change if each["audience"] == audience else each for each in listed]


def checkpoints(to: Bad) -> None:
    number = partition(to.sent["submission"]["header_fields"]["receipt_number"])
    own = {"session": to.portal["id"], "partition": number}

    def add(
        name: str, code: str, *signers: str, key: str | None = None, of: str = "first checkpoint", **change: Any
    ) -> None:
        judge = "close" if of == "end of the session" else "checkpoint"
        to.add(judge, name, code, to.again(of, *signers, **change), key=key, **own)

    add("of another session", "foreign-session", session=to.known["status"]["id"])
    add("on another partition", "wrong-partition", partition=number + 1)
    add("under another Kafka key", "wrong-key", key="checkpoint/x")
    add("that begins in the middle", "broken-chain", first_sequence=1)
    add("with a negative sequence", "malformed", first_sequence=-1)
    add("whose sequences have 64 bits", "malformed", first_sequence=2**63 - 1)
    add("dated before its session", "produced-outside-session", produced_at=NOW - 1)
    add("dated more than ten minutes ahead", "produced-outside-session", produced_at=NOW + 3 * HOUR + 600_001)
    add("signed by a desk", "untrusted", REVIEW)
    end = "end of the session"
    add("of another session", "foreign-session", of=end, session=to.known["status"]["id"])
    twice = to.by_name[end]["fields"]["partitions"]
    add("with a partition twice", "malformed", of=end, partitions=[twice[0], twice[0]])
    add("with a last sequence of -2", "malformed", of=end, partitions=[twice[0] | {"last_sequence": -2}])
    add("under another Kafka key", "wrong-key", of=end, key="close/x")
    add("signed by the router", "untrusted", "router", of=end)
    add("dated before its session", "produced-outside-session", of=end, closed_at=NOW - 1)


def keys(to: Bad) -> None:
    def add(name: str, code: str, value: str, key: str | None = None) -> None:
        to.add("audience-key", name, code, value, key=key)

    good = f"key of {REVIEW}"
    add("signed by its owner alone", "untrusted", to.again(good, REVIEW))
    add("signed by the administrator alone", "untrusted", to.again(good, "admin"))
    add("signed by another desk", "untrusted", to.again(good, HELPDESK, "admin"))
    add("under another Kafka key", "wrong-key", to.again(good), f"{REVIEW}/{EPOCH}/{'00' * 8}")
    add("whose id is not its hash", "malformed", to.again(good, key_id="00" * 8))
    short = audience_public(REVIEW)[:-1]
    add("that is a byte short", "malformed", to.again(good, public_key=short.hex()))
    add("that ends before it begins", "malformed", to.again(good, not_after=NOW - HOUR * 24 * 60))
    add("of month 13", "malformed", to.again(good, epoch=202613))
    add("of an audience that is not listed", "untrusted", to.again(good, audience="tax-x"))
    add("of an epoch below the minimum", "old-epoch", to.again(f"key of {TAX}", epoch=202603))
    add("of a suite that is not allowed", "suite", audience_key(REVIEW, suite="X25519")["signed"])
    gone, waived = "key destroyed", "key destroyed, leaves waived"
    to.add("key-destroyed", "signed by somebody else", "untrusted", to.again(gone, REVIEW))
    to.add("key-destroyed", "leaves waived without the administrator", "untrusted", to.again(waived, TAX))
    leaves = to.by_name[waived]["fields"]["waivers"]
    to.add("key-destroyed", "waivers in the wrong order", "malformed", to.again(waived, waivers=leaves[::-1]))
    to.add("key-destroyed", "of an audience that is not listed", "untrusted", to.again(gone, audience="tax-x"))
    to.add("key-destroyed", "of month 0", "malformed", to.again(gone, epoch=202600))
    to.add("key-destroyed", "dated ahead", "expired", to.again(gone, destroyed_at=NOW + 3 * HOUR + 600_001))
    report = "report of a role"
    to.add("report", "of another namespace", "wrong-topic", to.again(report, namespace="eltax"))
    to.add("report", "part two of one", "malformed", to.again(report, part=2))
    to.add("report", "signed by somebody else", "untrusted", to.again(report, "router"))
    to.add("report", "dated ahead", "expired", to.again(report, created_at=NOW + 3 * HOUR + 600_001))


def statements(to: Bad) -> None:
    said = "receipt of the review desk"
    own = {"partition": to.by_name[said]["fields"]["partition"], "key": None}
    entries = to.by_name[said]["fields"]["entries"]

    def add(name: str, code: str, *signers: str, key: str | None = None, **change: Any) -> None:
        to.add("receipt", name, code, to.again(said, *signers, **change), **(own | {"key": key}))

    add("of another tenant", "wrong-tenant", tenant=OTHER)
    add("of another partition", "wrong-partition", partition=own["partition"] + 1)
    add("under another Kafka key", "wrong-key", key="stored/x")
    add("of another desk", "not-permitted", desk=HELPDESK)
    add("signed by another desk", "untrusted", HELPDESK)
    add("dated ahead", "expired", stored_at=NOW + 3 * HOUR + 600_001)
    add("of nothing", "malformed", entries=[])
    add("with entries in the wrong order", "malformed", entries=entries[::-1])
    add("with an entry twice", "malformed", entries=[entries[0], entries[0]])
    add(
        "with an event id in capitals", "malformed", entries=[entries[0] | {"event_id": entries[0]["event_id"].upper()}]
    )

    def notice(name: str, code: str, *signers: str, key: str | None = None, **change: Any) -> None:
        to.add("notice", name, code, to.again("notice", *signers, **change), key=key)

    digests = to.by_name["notice"]["fields"]["digests"]
    notice("of another tenant", "wrong-tenant", tenant=OTHER)
    notice("under the event's own key", "wrong-key", key=to.sent["submission"]["key"])
    notice("signed by a desk", "untrusted", REVIEW)
    notice("with a reason that is no code", "malformed", reason="because")
    notice("with digests in the wrong order", "audience-order", digests=digests[::-1])
    many = [{"audience": f"tax-{n:02}", "digest": seed("x").hex()} for n in range(17)]
    notice("with seventeen digests", "too-large", digests=many)
    notice("for an audience that is not ASCII", "malformed", digests=[digests[0] | {"audience": "見本"}])


def letters(to: Bad) -> None:
    for about in ("replayed", "discarded"):
        told, bare = to.by_name[f"letter {about}, told"]["fields"], f"letter {about}"
        other = to.by_name[f"what was confided with a letter {'discarded' if about == 'replayed' else 'replayed'}"]
        to.add(
            "told",
            f"what was confided belongs to another: {about}",
            "malformed",
            to.again(f"{bare}, told", confided=other["body"]),
        )
        to.add("told", f"without what was confided: {about}", "foreign-schema", to.by_name[bare]["signed"])
        to.add("resolved", f"with what was confided: {about}", "foreign-schema", to.by_name[f"{bare}, told"]["signed"])
        to.add("told", f"cut short: {about}", "truncated", to.again(f"{bare}, told", resolved=told["resolved"][:-2]))
    for name, code, change in (
        ("that says replayed with a reason", "malformed", {"reason": "not-ours"}),
        ("that says discarded of what was replayed", "malformed", {"kind": "discarded"}),
        ("replayed to nowhere", "malformed", {"replayed_to": None}),
        ("of generation 1 without a former letter", "malformed", {"generation": 1}),
        ("of a tenant of five digits", "malformed", {"tenant": "13104"}),
        ("refused for no code", "malformed", {"refused": "because"}),
        ("of another tenant", "wrong-tenant", {"tenant": OTHER}),
        ("dated ahead", "expired", {"resolved_at": NOW + 3 * HOUR + 600_001}),
    ):
        to.add("resolved", name, code, to.again("letter replayed", **change))
    to.add("resolved", "signed by the router", "untrusted", to.again("letter replayed", "router"))
    to.add("resolved", "under another Kafka key", "wrong-key", to.again("letter replayed"), key="resolved/x")
    clear, shut = to.by_name["dead letter of an authentic event"], to.by_name["dead letter in quarantine"]

    def letter(name: str, code: str, good: Json, **change: Any) -> None:
        to.add("dead-letter", name, code, avro.encode("DeadLetter", good["fields"] | change))

    to.add("dead-letter", "cut short", "truncated", clear["body"][:-2])
    letter("in the clear and in quarantine", "malformed", clear, quarantine=shut["fields"]["quarantine"])
    letter("neither in the clear nor in quarantine", "malformed", clear, authentic=False)
    letter("in quarantine with a key in the clear", "malformed", shut, key="00")
    letter("refused for no code", "malformed", clear, reason="because")
    letter("moved to another offset", "secret", shut, offset=44)
    letter("moved to another topic", "secret", shut, topic=f"{NS}.{T}.review")
    to.add("open-session", "by who is not among its audiences", "not-addressed", to.portal["body"], reader=TAX)
    listed = to.portal["fields"]["audiences"]
    sealed = {each["audience"]: bytes.fromhex(each["sealed"]) for each in listed}
    known = {each["audience"]: {name: bytes.fromhex(each[name]) for name in ("seeds", "info", "secret")}
             for each in to.portal["opened"]}  # fmt: skip
    zero = {
        name: reference.hpke_seal_to_zero(
            suite_of(name), known[name]["seeds"], known[name]["info"], known[name]["secret"]
        )
        for name in (HELPDESK, REVIEW)
    }
    turned = {name: bytes([value[0] ^ 1]) + value[1:] for name, value in sealed.items()}
    for name, audience, value in (
        ("an enc of zeros, X25519's point of small order", HELPDESK, zero[HELPDESK]),
        ("an X25519 enc with a bit turned", HELPDESK, turned[HELPDESK]),
        ("an ML-KEM ciphertext with a bit turned", REVIEW, turned[REVIEW]),
        ("a hybrid enc whose X25519 half is zeros", REVIEW, zero[REVIEW]),
        ("a ciphertext without its last byte", REVIEW, sealed[REVIEW][:-1]),
        ("nothing but an enc", REVIEW, sealed[REVIEW][:1120]),
        ("another audience's", HELPDESK, sealed[REVIEW]),
    ):
        body = avro.encode("Session", to.portal["fields"] | {"audiences": _with(listed, audience, sealed=value.hex())})
        to.add("open-session", name, "secret", body, reader=audience)


def files(to: Bad) -> None:
    good = to.by_name["trust list"]["fields"]

    def trust(name: str, *signers: str, **change: Any) -> None:
        to.add("trust", name, "trust.refused", to.again("trust list", *signers, **change))

    trust("signed by somebody else", "operator")
    trust("with principals in the wrong order", principals=good["principals"][::-1])
    trust("with a principal twice", principals=[good["principals"][0], *good["principals"]])
    shared = good["principals"][0] | {"identities": good["principals"][1]["identities"]}
    weak = good["principals"][0]["identities"][0] | {"public_key": "01" + "00" * 31}
    trust("with a key of small order", principals=[good["principals"][0] | {"identities": [weak]}])
    trust("with one key for two principals", principals=[shared, *good["principals"][1:]])
    trust(
        "with an audience of 64 characters", audiences=[*good["audiences"], good["audiences"][0] | {"name": "x" * 64}]
    )
    both = good["audiences"][0] | {"suites": ["X25519", "MLKEM768_X25519"]}
    trust("with suites in the wrong order", audiences=[both, *good["audiences"][1:]])
    body = bytes.fromhex(to.by_name["trust list"]["body"])
    turned = bytes.fromhex(to.by_name["trust list"]["signed"]).replace(body[-20:], body[-20:-1] + b"\x02")
    to.add("trust", "with a bit turned", "trust.refused", turned)
    receipt = delivery_receipt(to.known, to.sent)
    text, members = bytes.fromhex(receipt["file"]), receipt["members"]
    for name, data in (
        ("without its last line break", text[:-1]),
        ("on one line", (json.dumps(members, ensure_ascii=False) + "\n").encode()),
        ("in another order", _lines(dict(sorted(members.items())))),
        ("with another receipt number", _lines(members | {"receipt_number": "R8-13104-000000018"})),
        ("with another leaf", _lines(members | {"leaf": seed("x").hex()})),
        ("with a member too many", _lines(members | {"note": "見本"})),
        ("of another format", _lines(members | {"format": "eltax-hub-delivery-receipt/2"})),
        ("with a digest in capitals", text.replace(members["leaf"].encode(), members["leaf"].upper().encode())),
        ("that is no JSON", b"{"),
    ):
        to.add("delivery-receipt", name, "delivery-receipt", data)
    _key_files(to)


def _lines(members: Json) -> bytes:
    return (json.dumps(members, ensure_ascii=False, indent=1) + "\n").encode()


def _key_files(to: Bad) -> None:
    salt, nonce, seeds, words = seed("salt", 16), seed("nonce", 12), seed("seeds"), "見本の合言葉"
    good = reference.key_file(1, "portal", 4, salt, nonce, words.encode(), seeds)

    def add(name: str, data: bytes, code: str = "keystore.damaged", passphrase: str = words, weak: bool = True) -> None:
        to.add("key-file", name, code, data, passphrase=passphrase, allow_weak=weak)

    add("with another passphrase", good, passphrase="見本")
    add("of another name", good.replace(b"portal", b"pirate"))
    add("of another suite of the same length", good[:9] + b"\3" + good[10:])
    add("of an unknown suite", good[:9] + b"\5" + good[10:])
    add("of version 2", good[:8] + b"\2" + good[9:])
    add("cut short", good[:-1])
    add("with a byte too many", good + b"\0")
    add("with a bit of its seeds turned", good[:-1] + bytes([good[-1] ^ 1]))
    add("that is no key file", b"ELTAXKEX" + good[8:])
    add("with too low a cost", good, "keystore.weak", weak=False)
    add("with too high a cost", good[:10] + b"\x15" + good[11:], "keystore.weak")


def cases(known: dict[str, Json], sent: dict[str, Json], listed: list[Json]) -> list[Json]:
    """All of them."""
    to = Bad(known, sent, listed)
    for each in (signatures, sessions, checkpoints, keys, statements, letters, files):
        each(to)
    return to.cases


__all__ = ["AUDIT", "cases"]
