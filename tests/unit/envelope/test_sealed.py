"""SealedEvent by hand against fastavro: what we accept has one reading and one encoding."""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.crypto import sections as keys
from hub.envelope.limits import MAX_SECTIONS
from hub.envelope.reasons import EnvelopeError, Reason
from hub.envelope.sealed import SCHEMA_ID, Sealed, build, check_audience, outputs, parse
from schemas import registry
from tests.unit.envelope.support import HELPDESK, REVIEW, world

PARSED = registry.contract("SealedEvent").parsed


def oracle(value: bytes) -> tuple[dict[str, Any], bytes]:
    """What fastavro reads, and the bytes it writes of that."""
    read: Any = fastavro.schemaless_reader(BytesIO(value[5:]), PARSED, None)
    out = BytesIO()
    fastavro.schemaless_writer(out, PARSED, read)
    return read, value[:5] + out.getvalue()


def as_dict(sealed: Sealed) -> dict[str, Any]:
    return {
        "header": sealed.header,
        "sections": [
            {"audience": each.audience, "digest": each.digest, "ciphertext": each.ciphertext}
            for each in sealed.sections
        ],
        "mac": sealed.mac,
    }


names = st.text("abz-059", min_size=1, max_size=63)
values = st.builds(
    lambda header, sections, mac: build(header, [(n, *rest) for n, rest in sections.items()], mac),
    st.binary(max_size=300),
    st.dictionaries(
        names,
        st.tuples(st.binary(min_size=32, max_size=32), st.none() | st.binary(max_size=200)),
        max_size=4,
    ),
    st.none() | st.binary(min_size=32, max_size=32),
)


def agrees(value: bytes) -> bool:
    """Accepted, and then exactly as fastavro sees it; or refused."""
    try:
        sealed = parse(value)
    except EnvelopeError:
        return False
    read, written = oracle(value)
    assert read == as_dict(sealed)
    assert written == value
    return True


@given(values)
def test_what_we_write_is_what_fastavro_writes(value: bytes) -> None:
    assert agrees(value)


@settings(max_examples=400)
@given(st.binary(max_size=120), st.booleans())
def test_any_bytes_are_refused_or_read_as_fastavro_reads_them(junk: bytes, framed: bool) -> None:
    agrees(b"\x00" + SCHEMA_ID.to_bytes(4, "big") + junk if framed else junk)


@settings(max_examples=400)
@given(values, st.data())
def test_any_edit_is_refused_or_read_as_fastavro_reads_it(value: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(5, len(value) - 1))
    until = data.draw(st.integers(at, min(at + 4, len(value))))
    agrees(value[:at] + data.draw(st.binary(max_size=4)) + value[until:])


def test_every_truncation_of_an_event_is_refused() -> None:
    value = world().event.value
    for end in range(len(value)):
        with pytest.raises(EnvelopeError):
            parse(value[:end])


def test_every_flipped_bit_is_refused_or_changes_leaf_digest_or_mac() -> None:
    value = world().event.value
    good = parse(value)
    for at in range(len(value)):
        changed = bytearray(value)
        changed[at] ^= 1 << (at % 8)
        try:
            bad = parse(bytes(changed))
        except EnvelopeError:
            continue
        assert bad.leaf() != good.leaf() or not bad.digests_hold() or bad.mac != good.mac, at


def test_every_flipped_bit_of_the_frame_is_refused() -> None:
    value = world().event.value
    for bit in range(40):
        changed = bytearray(value)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(EnvelopeError) as refused:
            parse(bytes(changed))
        assert refused.value.reason is (Reason.NOT_FRAMED if bit < 8 else Reason.FOREIGN_SCHEMA)


D, M = bytes(32), bytes(32)
FRAME = b"\x00" + SCHEMA_ID.to_bytes(4, "big")


def section(name: bytes, tail: bytes = b"\x00") -> bytes:
    return bytes([len(name) * 2]) + name + D + tail


TABLE = {
    "overlong header length": (b"\x82\x00" + b"h" + b"\x00\x00", Reason.MALFORMED),
    "overlong section count": (b"\x02h" + b"\x82\x00" + section(b"a") + b"\x00\x00", Reason.MALFORMED),
    "block with a byte size": (b"\x02h" + b"\x01\x44" + section(b"a") + b"\x00\x00", Reason.MALFORMED),
    "two blocks": (
        b"\x02h" + b"\x02" + section(b"a") + b"\x02" + section(b"b") + b"\x00\x00",
        Reason.MALFORMED,
    ),
    "audiences descend": (
        b"\x02h" + b"\x04" + section(b"b") + section(b"a") + b"\x00\x00",
        Reason.AUDIENCE_ORDER,
    ),
    "audience twice": (
        b"\x02h" + b"\x04" + section(b"a") + section(b"a") + b"\x00\x00",
        Reason.AUDIENCE_ORDER,
    ),
    "audience empty": (b"\x02h" + b"\x02" + section(b"") + b"\x00\x00", Reason.AUDIENCE_ORDER),
    "audience too long": (b"\x02h" + b"\x02" + b"\x80\x01" + b"a" * 64 + D + b"\x00\x00\x00", Reason.MALFORMED),
    "audience not ascii": (
        b"\x02h" + b"\x02" + section("区".encode()) + b"\x00\x00",
        Reason.MALFORMED,
    ),
    "17 sections": (b"\x02h" + b"\x22", Reason.TOO_LARGE),
    "unknown union branch": (b"\x02h" + b"\x02" + section(b"a", b"\x04") + b"\x00\x00", Reason.MALFORMED),
    "union index overlong": (
        b"\x02h" + b"\x02" + section(b"a", b"\x80\x00") + b"\x00\x00",
        Reason.MALFORMED,
    ),
    "mac of another branch": (b"\x02h" + b"\x00" + b"\x04" + M, Reason.MALFORMED),
    "mac too short": (b"\x02h" + b"\x00" + b"\x02" + M[1:], Reason.TRUNCATED),
    "byte behind the mac": (b"\x02h" + b"\x00" + b"\x02" + M + b"\x00", Reason.TRAILING_BYTES),
    "ciphertext of minus one byte": (
        b"\x02h" + b"\x02" + section(b"a", b"\x02\x01") + b"\x00\x00",
        Reason.MALFORMED,
    ),
    "ciphertext of 4 GiB": (
        b"\x02h" + b"\x02" + section(b"a", b"\x02\x80\x80\x80\x80\x20"),
        Reason.TOO_LARGE,
    ),
    "length that never ends": (b"\x80" * 40, Reason.MALFORMED),
    "header of 5,000 bytes": (b"\x90\x4e" + bytes(5_000), Reason.TOO_LARGE),
    "nothing": (b"", Reason.TRUNCATED),
}


@pytest.mark.parametrize("case", TABLE)
def test_malformed_event_is_refused_with_its_reason(case: str) -> None:
    body, reason = TABLE[case]
    with pytest.raises(EnvelopeError) as refused:
        parse(FRAME + body)
    assert refused.value.reason is reason


def test_plaintext_is_refused_as_not_framed() -> None:
    with pytest.raises(EnvelopeError) as refused:
        parse('{"receipt_number": "見本"}'.encode())
    assert refused.value.reason is Reason.NOT_FRAMED


def test_event_over_8_mib_is_refused_before_anything_is_read() -> None:
    with pytest.raises(EnvelopeError) as refused:
        parse(FRAME + bytes(8 * 1024 * 1024))
    assert refused.value.reason is Reason.TOO_LARGE
    with pytest.raises(EnvelopeError) as refused:
        build(b"h", [("a", D, bytes(8 * 1024 * 1024))], None)
    assert refused.value.reason is Reason.TOO_LARGE


def test_build_refuses_what_parse_would() -> None:
    many: list[tuple[str, bytes, bytes | None]] = [(f"a{n:02}", D, None) for n in range(MAX_SECTIONS + 1)]
    for sections, reason in (
        (many, Reason.TOO_LARGE),
        ([("a", D, None), ("a", D, None)], Reason.AUDIENCE_ORDER),
        ([("区", D, None)], Reason.MALFORMED),
        ([("a", D[1:], None)], Reason.MALFORMED),
    ):
        with pytest.raises(EnvelopeError) as refused:
            build(b"h", sections, None)
        assert refused.value.reason is reason
    assert len(parse(build(b"h", many[:-1], None)).sections) == MAX_SECTIONS


@given(values)
def test_outputs_hold_exactly_the_readers_own_ciphertext_and_else_the_same(value: bytes) -> None:
    sealed = parse(value)
    audiences = [each.audience for each in sealed.sections]
    keeps = [*audiences, None, "nobody"]
    for keep, copy in zip(keeps, outputs(sealed, keeps), strict=True):
        got = parse(copy)
        assert agrees(copy)
        assert (got.header, got.mac, got.digests) == (sealed.header, sealed.mac, sealed.digests)
        assert got.leaf() == sealed.leaf()
        for each, original in zip(got.sections, sealed.sections, strict=True):
            assert each.ciphertext == (original.ciphertext if each.audience == keep else None)


def test_helpdesk_copy_does_not_carry_the_review_section() -> None:
    sealed = parse(world().event.value)
    review = sealed.ciphertext(REVIEW)
    assert review is not None and sealed.ciphertext("nobody") is None
    assert sha256(review).digest() == dict(sealed.digests)[REVIEW]
    helpdesk = outputs(sealed, [HELPDESK])[0]
    assert review not in helpdesk and sealed.ciphertext(HELPDESK) in helpdesk  # type: ignore[operator]
    assert len(review) == 1024 + keys.TAG_BYTES


def test_longest_audience_and_largest_event_are_read() -> None:
    longest = "a" * 63
    assert parse(build(b"h", [(longest, D, None)], None)).sections[0].audience == longest
    most = 8 * 1024 * 1024
    room = most - len(build(b"h", [("a", D, b"")], None)) - 3  # a length of 8 MiB takes 4 bytes, of 0 one
    value = build(b"h", [("a", D, bytes(room))], None)
    assert len(value) == most and parse(value).value == value
    for refuse in (lambda: build(b"h", [("a", D, bytes(room + 1))], None), lambda: parse(value + b"\x00")):
        with pytest.raises(EnvelopeError) as refused:
            refuse()
        assert refused.value.reason is Reason.TOO_LARGE
    most_header = build(bytes(4_096), [], None)
    assert len(parse(most_header).header) == 4_096
    with pytest.raises(EnvelopeError):
        build(bytes(4_097), [], None)


def test_length_of_an_audience_is_not_negative() -> None:
    for length in (b"\x01", b"\x03", b"\x7f"):
        with pytest.raises(EnvelopeError) as refused:
            parse(FRAME + b"\x02h" + b"\x02" + length + b"a" * 64 + D + b"\x00\x00\x00")
        assert refused.value.reason is Reason.MALFORMED


def test_event_without_sections_is_its_own_output() -> None:
    value = build(b"h", [], M)
    sealed = parse(value)
    assert (sealed.sections, sealed.mac, sealed.value[sealed.tail :]) == ((), M, b"\x02" + M)
    assert outputs(sealed, [None, "a"]) == [value, value]


def test_digests_hold_for_the_ciphertexts_that_are_there() -> None:
    whole = parse(world().event.value)
    stripped = parse(outputs(whole, [None])[0])
    assert whole.digests_hold() and stripped.digests_hold()
    other = [(each.audience, each.digest, b"other") for each in whole.sections]
    assert not parse(build(whole.header, other, whole.mac)).digests_hold()
    assert [each.audience for each in whole.sections if check_audience(each.audience)] == [HELPDESK, REVIEW]


def test_name_of_an_audience_has_1_to_63_ascii_characters() -> None:
    assert check_audience("a") and check_audience("a" * 63)
    assert not any(map(check_audience, ("", "a" * 64, "区")))
