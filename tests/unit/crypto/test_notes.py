"""Signed notes: the published examples, and everything that is not one."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest

from hub.crypto.checkpoints import (
    CheckpointMalformed,
    LogProof,
    ProofMalformed,
    TreeCheckpoint,
    open_checkpoint,
    sign_checkpoint,
)
from hub.crypto.identity import IdentityKey
from hub.crypto.lattice import LatticeKey
from hub.crypto.merkle import inclusion_proof, leaf_hash, root
from hub.crypto.notes import (
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Note,
    NoteMalformed,
    NoteNotSigned,
    NoteSignature,
    NoteSigner,
    VerifierKey,
    cosigned_message,
    read_keys,
    subtree_message,
)
from tests.vectors import tlog_reference as reference

# C2SP signed-note, "Verifier keys", "Example".
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = (
    "This is an example message.\n\n"
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
# golang.org/x/mod/sumdb/note, note_test.go.
GO_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# C2SP tlog-cosignature, the first example: form only, its keys are not given.
COSIGNED = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"  # noqa: E501
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"  # noqa: E501
).encode()

SIGNER = NoteSigner("audit.example/log", IdentityKey.from_seed(bytes(31) + b"\x05"))
WITNESS = NoteSigner("witness.example/w1", IdentityKey.from_seed(bytes(31) + b"\x06"))


def test_the_example_of_the_specification_verifies() -> None:
    key = VerifierKey.parse(EXAMPLE_KEY)
    note = Note.parse(EXAMPLE)
    assert [found for found, _ in note.signed_by([key])] == [key]
    assert (note.encode(), key.encode()) == (EXAMPLE, EXAMPLE_KEY)


def test_the_key_and_note_of_the_go_implementation_are_ours_byte_for_byte() -> None:
    seed = base64.b64decode(GO_SECRET.split("+", 4)[4])[1:]
    signer = NoteSigner("PeterNeumann", IdentityKey.from_seed(seed))
    assert signer.verifier().encode() == GO_KEY
    note = signer.sign(GO_TEXT)
    assert note.encode().decode() == f"{GO_TEXT}\n{GO_LINE}"
    assert note.signed_by([VerifierKey.parse(GO_KEY)])


def test_the_checkpoint_of_the_specification_is_read() -> None:
    note = Note.parse(COSIGNED)
    checkpoint = TreeCheckpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.text() == note.text
    assert [each.name for each in note.signatures] == ["example.com/behind-the-sofa", "witness.example.com/w1"]
    assert int.from_bytes(note.signatures[1].signature[:8], "big") == 1_679_315_147


def test_the_second_implementation_agrees_on_notes_and_cosignatures() -> None:
    text = TreeCheckpoint(SIGNER.name, 7, root([leaf_hash(b"%d" % n) for n in range(7)])).text()
    note = SIGNER.sign(text)
    note = note.with_signatures([WITNESS.cosign(text, 1_679_315_147)])
    assert reference.verify_note(note.encode(), SIGNER.verifier().encode()) == (text.encode(), None)
    witness = WITNESS.cosigner()
    assert reference.verify_note(note.encode(), witness.encode()) == (text.encode(), 1_679_315_147)
    assert [key for key, _ in note.signed_by([witness])] == [witness]


LATTICE = NoteSigner("witness.example/pq", LatticeKey(bytes(31) + b"\x08"))


def test_the_second_implementation_agrees_on_lattice_cosignatures() -> None:
    text = TreeCheckpoint(SIGNER.name, 7, root([leaf_hash(b"%d" % n) for n in range(7)]), ("more",)).text()
    mark = LATTICE.cosign(text, 1_679_315_147)
    key = LATTICE.cosigner()
    assert (len(key.public), len(mark.signature)) == (1_312, 8 + 2_420)
    note = SIGNER.sign(text).with_signatures([mark])
    assert reference.verify_note(note.encode(), key.encode()) == (text.encode(), 1_679_315_147)
    assert [found for found, _ in note.signed_by([key])] == [key]
    assert VerifierKey.parse(key.encode()) == key


def test_a_lattice_cosignature_covers_name_time_origin_size_and_root() -> None:
    said = TreeCheckpoint(SIGNER.name, 7, bytes(32))
    mark, key = LATTICE.cosign(said.text(), 5).signature, LATTICE.cosigner()
    assert key.holds(said.text(), mark)
    for other in (
        replace(said, origin=SIGNER.name + "x"),
        replace(said, size=8),
        replace(said, root=bytes(31) + b"\x01"),
    ):
        assert not key.holds(other.text(), mark)
    assert not replace(key, name="witness.example/px").holds(said.text(), mark)
    assert not key.holds(said.text(), (6).to_bytes(8, "big") + mark[8:])
    for text in (said.text().replace("7", "07"), "7\n", "", "a\nb\nc\n", "x" * 256 + said.text()):
        assert not key.holds(text, mark)
    with pytest.raises(NoteMalformed):
        LATTICE.cosign("no checkpoint\n", 5)


def test_a_log_does_not_sign_with_a_lattice_key_and_no_cosignature_is_without_time() -> None:
    with pytest.raises(NoteMalformed):
        LATTICE.sign("text\n")
    text = TreeCheckpoint(SIGNER.name, 7, bytes(32)).text()
    messages = (subtree_message(LATTICE.name, text, 0), cosigned_message(text, 0))
    for signer, message in zip((LATTICE, WITNESS), messages, strict=True):
        assert message is not None
        assert not signer.cosigner().holds(text, bytes(8) + signer.key.sign(message))
        assert signer.cosigner().holds(text, signer.cosign(text, 2**63 - 1).signature)


def test_a_signature_of_one_type_is_none_of_the_other() -> None:
    """The same key under the same name has two ids, and signs two messages."""
    text = TreeCheckpoint(SIGNER.name, 0, bytes(32)).text()
    plain, timed = SIGNER.verifier(), SIGNER.cosigner()
    assert plain.id != timed.id
    mark = SIGNER.sign(text).signatures[0].signature
    cosigned = SIGNER.cosign(text, 5).signature
    assert plain.holds(text, mark)
    assert not timed.holds(text, mark)
    assert timed.holds(text, cosigned)
    assert not plain.holds(text, cosigned)
    assert not timed.holds(text, b"\xff" * 8 + cosigned[8:])


def test_unknown_signatures_are_ignored_and_bad_ones_of_known_keys_refuse_the_note() -> None:
    note = SIGNER.sign("text\n")
    other = NoteSigner("other.example", WITNESS.key).sign("text\n").signatures[0]
    same_id = NoteSignature("other.example", SIGNER.verifier().id, b"x")
    same_name = NoteSignature(SIGNER.name, b"\x00\x01\x02\x03", b"x")
    more = Note(note.text, (other, same_id, same_name, *note.signatures))
    assert [key for key, _ in more.signed_by([SIGNER.verifier()])] == [SIGNER.verifier()]
    assert Note(note.text, (other,)).signed_by([SIGNER.verifier()]) == ()
    bad = NoteSignature(SIGNER.name, SIGNER.verifier().id, bytes(64))
    for marks in ((bad,), (*note.signatures, bad), (bad, *note.signatures)):
        with pytest.raises(NoteNotSigned):
            Note(note.text, marks).signed_by([SIGNER.verifier()])


def test_text_may_hold_empty_lines_and_ends_at_the_last() -> None:
    note = SIGNER.sign("one\n\ntwo\n\n")
    assert Note.parse(note.encode()) == note
    assert Note.parse(note.encode()).text == "one\n\ntwo\n\n"


GOOD = SIGNER.sign("text\n").encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        GOOD[:-1],
        GOOD + b"\n",
        GOOD + b"x",
        GOOD.replace(b"\n\n", b"\n"),
        GOOD.replace("—".encode(), b"-"),
        GOOD.replace("— ".encode(), "—".encode()),
        GOOD.replace(b"log ", b"log  "),
        GOOD.replace(b"audit.example/log", b"audit+example"),
        GOOD.replace(b"audit.example/log", "audit\u3000example".encode()),
        GOOD.replace(b"audit.example/log", b""),
        GOOD.replace(b"text", b"te\txt"),
        GOOD.replace(b"text", b"te\rxt"),
        GOOD.replace(b"text", b"te\x00xt"),
        GOOD.replace(b"text", b"te\xff"),
        GOOD.replace(b"=\n", b"\n"),
        GOOD[: GOOD.rindex(b" ")] + b" AAAA\n",
        b"text\n\n" + GOOD[6:] * (MAX_SIGNATURES + 1),
        b"x" * MAX_NOTE_BYTES + GOOD,
    ],
)
def test_what_is_no_note_is_refused(data: bytes) -> None:
    with pytest.raises(NoteMalformed):
        Note.parse(data)


def test_at_least_sixteen_signatures_are_read() -> None:
    """signed-note, "Format"."""
    note = Note.parse(b"text\n\n" + GOOD[6:] * 16)
    assert len(note.signed_by([SIGNER.verifier()])) == 16


def test_every_mangled_key_is_refused() -> None:
    """As TestNewVerifier of the Go implementation: any cut, and any other letter."""
    for at in range(len(GO_KEY)):
        before, after = GO_KEY[:at], GO_KEY[at + 1 :]
        for changed in (before, before + after, before + chr(ord(GO_KEY[at]) ^ 1) + after):
            with pytest.raises(NoteMalformed):
                VerifierKey.parse(changed)
    for bad in (GO_KEY.replace("c74f20a3", "C74F20A3"), GO_KEY + "\n", " " + GO_KEY, f"{GO_KEY}+x"):
        with pytest.raises(NoteMalformed):
            VerifierKey.parse(bad)


@pytest.mark.parametrize("kind", [0, 2, 3, 5, 255])
def test_types_that_this_hub_does_not_know_are_refused(kind: int) -> None:
    material = bytes((kind,)) + SIGNER.key.public
    named = hashlib.sha256(b"a\n" + material).digest()[:4].hex()
    with pytest.raises(NoteMalformed):
        VerifierKey.parse(f"a+{named}+{base64.b64encode(material).decode()}")


def test_a_file_of_keys_is_one_key_a_line() -> None:
    keys = read_keys(f"{GO_KEY}\n{EXAMPLE_KEY}\n".encode())
    assert [key.encode() for key in keys] == [GO_KEY, EXAMPLE_KEY]
    for bad in (b"", b"\n", GO_KEY.encode(), f"{GO_KEY}\n\n".encode(), f"{GO_KEY}\r\n".encode(), "鍵\n".encode()):
        with pytest.raises(NoteMalformed):
            read_keys(bad)


def test_signing_refuses_what_no_reader_would_take() -> None:
    for text in ("no end", "", "a\tb\n", "x" * MAX_NOTE_BYTES + "\n"):
        with pytest.raises(NoteMalformed):
            SIGNER.sign(text)
    for name in ("", "a b", "a+b", "a\u00a0b", "a\nb"):
        with pytest.raises(NoteMalformed):
            NoteSigner(name, SIGNER.key)
    with pytest.raises(ValueError, match="seconds"):
        SIGNER.cosign("text\n", 0)


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "log\n1\n",
        f"\n1\n{ROOT}\n",
        f"log\n01\n{ROOT}\n",
        f"log\n-1\n{ROOT}\n",
        f"log\n\n{ROOT}\n",
        f"log\n1.0\n{ROOT}\n",
        f"log\n١\n{ROOT}\n",
        f"log\n9223372036854775808\n{ROOT}\n",
        f"log\n1\n{ROOT[:-1]}\n",
        f"log\n1\n{ROOT[:-4]}\n",
        f"log\n1\n{ROOT[:-2]}B=\n",
        f"log\n1\n{ROOT}\n\nmore\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(CheckpointMalformed):
        TreeCheckpoint.parse(text)


def test_extension_lines_are_read_and_signed() -> None:
    checkpoint = TreeCheckpoint(SIGNER.name, 1, bytes(32), ("more", "and more"))
    note = sign_checkpoint(checkpoint, SIGNER)
    assert open_checkpoint(Note.parse(note.encode()), [SIGNER.verifier()]) == checkpoint


def test_a_checkpoint_counts_only_under_the_name_of_its_key() -> None:
    checkpoint = TreeCheckpoint("other.example/log", 1, bytes(32))
    with pytest.raises(NoteMalformed):
        sign_checkpoint(checkpoint, SIGNER)
    with pytest.raises(NoteNotSigned):
        open_checkpoint(SIGNER.sign(checkpoint.text()), [SIGNER.verifier()])


def test_proofs_are_read_as_they_are_written() -> None:
    entries = [b"%d" % n for n in range(11)]
    leaves = [leaf_hash(entry) for entry in entries]
    note = sign_checkpoint(TreeCheckpoint(SIGNER.name, 11, root(leaves)), SIGNER)
    for index in range(11):
        for extra in (None, b"", b"more"):
            proof = LogProof(index, inclusion_proof(leaves, index), note, extra)
            assert LogProof.parse(proof.encode()) == proof
            assert reference.check_proof(proof.encode(), SIGNER.verifier().encode(), entries[index]) == index


PROOF = LogProof(0, (bytes(32),), sign_checkpoint(TreeCheckpoint(SIGNER.name, 2, bytes(32)), SIGNER), b"extra").encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PROOF.replace(b"@v1", b"@v2"),
        PROOF.replace(b"index 0\n", b""),
        PROOF.replace(b"index 0", b"index 00"),
        PROOF.replace(b"index 0", b"index"),
        PROOF.replace(b"index 0", b"index -1"),
        PROOF.replace(b"extra ZXh0cmE=\nindex 0", b"index 0\nextra ZXh0cmE="),
        PROOF.replace(b"ZXh0cmE=", b"ZXh0cmF="),
        PROOF.replace(b"index 0\n", b"index 0\nAAAA\n"),
        PROOF.replace(b"index 0\n", b"index 0\n" + f"{ROOT}\n".encode() * 63),
        PROOF.replace(b"\n", b"\r\n"),
        PROOF.partition(b"\n\n")[0],
        "c2sp.org/tlog-proof@v1\nindex ٠\n\n".encode() + PROOF.partition(b"\n\n")[2],
    ],
)
def test_what_is_no_proof_is_refused(data: bytes) -> None:
    with pytest.raises((ProofMalformed, NoteMalformed)):
        LogProof.parse(data)
