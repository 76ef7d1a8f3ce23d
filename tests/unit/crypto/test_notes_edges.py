"""Notes at their bounds, and which part of a bad one is named."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from hub.crypto.checkpoints import TreeCheckpoint
from hub.crypto.identity import IdentityKey
from hub.crypto.notes import (
    MAX_NOTE_BYTES,
    Note,
    NoteMalformed,
    NoteNotSigned,
    NoteSignature,
    NoteSigner,
    SignatureType,
    VerifierKey,
    cosigned_at,
    from_base64,
    name_allowed,
    read_keys,
    read_lines,
    subtree_message,
    to_base64,
)

SIGNER = NoteSigner("audit.example/log", IdentityKey.from_seed(bytes(31) + b"\x05"))
NOTE = SIGNER.sign("text\n")
MARK = NOTE.signatures[0]
LINE = MARK.line()
TEXT = TreeCheckpoint(SIGNER.name, 7, bytes(32)).text()


def vkey(name: str, material: bytes) -> str:
    """A vkey with the right id, whatever is in it."""
    named = hashlib.sha256(name.encode() + b"\n" + material).digest()[:4].hex()
    return f"{name}+{named}+{to_base64(material)}"


PUBLIC = SIGNER.key.public


@pytest.mark.parametrize(
    ("read", "given", "part"),
    [
        (from_base64, "AAA", "base64"),
        (from_base64, "AAA\n=", "base64"),
        (from_base64, "AA!A", "base64"),
        (from_base64, "AAB=", "base64"),
        (from_base64, "区AAA", "base64"),
        (VerifierKey.parse, "", "vkey"),
        (VerifierKey.parse, vkey("a b", b"\x01" + PUBLIC), "vkey"),
        (VerifierKey.parse, vkey("a", b"\x01" + PUBLIC[1:]), "vkey type"),
        (VerifierKey.parse, vkey("a", b"\x06" + PUBLIC), "vkey type"),
        (VerifierKey.parse, vkey("a", b"\x02" + PUBLIC), "vkey type"),
        (VerifierKey.parse, "b" + vkey("a", b"\x01" + PUBLIC)[1:], "vkey id"),
        (read_keys, SIGNER.verifier().encode().encode(), "vkey file without a line end"),
        (read_keys, "鍵\n".encode(), "vkey"),
        (NoteSignature.parse, LINE[1:-1], "signature line"),
        (NoteSignature.parse, LINE[:-1] + " more", "signature line"),
        (NoteSignature.parse, LINE[:-1].replace("log", "l+g"), "signature line"),
        (NoteSignature.parse, f"— a {to_base64(bytes(4))}", "signature line"),
        (read_lines, LINE[:-1].encode(), "signature lines"),
        (read_lines, LINE.encode() * 65, "too many signatures"),
        (Note.parse, b"text\xff\n\n" + LINE.encode(), "UTF-8"),
        (Note.parse, b"te\x1fxt\n\n" + LINE.encode(), "control character"),
        (Note.parse, b"text\n" + LINE.encode(), "no signatures"),
        (Note.parse, b"x" * (MAX_NOTE_BYTES + 1), "too large"),
        (SIGNER.sign, "text", "text without a line end"),
        (lambda name: NoteSigner(name, SIGNER.key), "a b", "key name"),
    ],
)
def test_bad_note_is_told_by_its_part(read: Callable[[Any], object], given: object, part: str) -> None:
    with pytest.raises(NoteMalformed) as refused:
        read(given)
    assert refused.value.detail == f"({part})"


def test_least_and_most_that_is_read() -> None:
    assert NoteSignature.parse(f"— a {to_base64(bytes(5))}").signature == b"\x00"
    assert len(read_lines(LINE.encode() * 64)) == 64
    assert Note.parse(b"\n\n" + LINE.encode()) == Note("\n", (MARK,))
    assert MAX_NOTE_BYTES == 262_144
    room = MAX_NOTE_BYTES - len(NOTE.encode())
    longest = Note("x" * room + NOTE.text, NOTE.signatures)
    assert len(longest.encode()) == MAX_NOTE_BYTES and Note.parse(longest.encode()) == longest


@pytest.mark.parametrize("name", ["a\x01b", "a\x1bb", "a\tb", "a b", "a+b", "", "a\u3000b"])
def test_name_without_spaces_plus_or_control_characters(name: str) -> None:
    assert not name_allowed(name) and name_allowed("a!b") and name_allowed("区")


def test_only_cosigners_speak_with_a_time() -> None:
    assert [kind.cosigns for kind in (SignatureType.ED25519, SignatureType.COSIGNATURE, SignatureType.ML_DSA_44)] == [
        False,
        True,
        True,
    ]


def test_line_names_the_key_of_its_name_and_id() -> None:
    key = SIGNER.verifier()
    assert MARK.names(key) and not MARK.names(SIGNER.cosigner())
    assert not MARK.names(NoteSigner("other", SIGNER.key).verifier())


def test_line_of_the_same_key_is_replaced_and_others_stay() -> None:
    other = NoteSigner("other", SIGNER.key).sign("text\n").signatures[0]
    fresh = NoteSignature(MARK.name, MARK.key_id, b"fresh")
    assert NOTE.with_signatures([other]).signatures == (MARK, other)
    assert NOTE.with_signatures([other]).with_signatures([fresh]).signatures == (other, fresh)


def test_cosignature_has_a_time_and_one_of_two_lengths() -> None:
    one = (1).to_bytes(8, "big")
    for length, seconds in ((64, 1), (2_420, 1), (63, None), (65, None), (2_419, None), (0, None)):
        assert cosigned_at(one + bytes(length)) == seconds
    assert cosigned_at(bytes(72)) is cosigned_at(b"\x80" + bytes(71)) is None
    assert cosigned_at(b"\x7f" + b"\xff" * 7 + bytes(64)) == 2**63 - 1
    assert SIGNER.cosigner().holds(TEXT, SIGNER.cosign(TEXT, 1).signature)
    for seconds in (0, -1, 2**63):
        with pytest.raises(ValueError, match=r"^seconds$"):
            SIGNER.cosign(TEXT, seconds)


def test_signature_of_another_length_is_none() -> None:
    key = SIGNER.verifier()
    for bad in (b"", MARK.signature[:-1], MARK.signature + b"\x00"):
        assert not key.holds("text\n", bad)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n1\n",
        f"log\n1\n{to_base64(bytes(31))}\n",
        f"log\n1\n{to_base64(bytes(33))}\n",
        "log\n1\nno base64\n",
        f"log\n{2**64}\n{to_base64(bytes(32))}\n",
        "log\nx\nAAAA\n",
        "log\n01\nAAAA\n",
    ],
)
def test_text_that_is_no_checkpoint_has_no_subtree_message(text: str) -> None:
    assert subtree_message("w", text, 1) is None


def test_subtree_message_is_as_specified() -> None:
    """tlog-cosignature, "ML-DSA-44 signed message"."""
    root = bytes(range(32))
    said = subtree_message("w", f"log\n{2**64 - 1}\n{to_base64(root)}\nmore\n", 5)
    assert said == (b"subtree/v1\n\0" + b"\x01w" + (5).to_bytes(8, "big") + b"\x03log" + bytes(8) + b"\xff" * 8 + root)
    assert subtree_message("w" * 255, TEXT, 5) is not None and subtree_message("w" * 256, TEXT, 5) is None


def test_codes_stay() -> None:
    assert (NoteMalformed.code, NoteNotSigned.code) == ("note.malformed", "note.not-signed")
