"""Checkpoints and proofs at their bounds, and which part of a bad one is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.crypto import checkpoints
from hub.crypto.checkpoints import (
    CheckpointMalformed,
    LogProof,
    ProofMalformed,
    TreeCheckpoint,
    open_checkpoint,
    read_decimal,
    sign_checkpoint,
)
from hub.crypto.errors import CryptoError
from hub.crypto.identity import IdentityKey
from hub.crypto.merkle import inclusion_proof, leaf_hash, root
from hub.crypto.notes import NoteMalformed, NoteNotSigned, NoteSigner, to_base64

SIGNER = NoteSigner("audit.example/log", IdentityKey.from_seed(bytes(31) + b"\x05"))
ENTRIES = [b"%d" % n for n in range(11)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
CHECKPOINT = TreeCheckpoint(SIGNER.name, 11, root(LEAVES))
NOTE = sign_checkpoint(CHECKPOINT, SIGNER)
HASH = to_base64(bytes(32))
TAIL = b"\n" + NOTE.encode()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("9", 9),
        ("10", 10),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("10000000000000000000", None),
        ("00", None),
        ("01", None),
        ("", None),
        ("-1", None),
        ("1\n", None),
        ("٣", None),
    ],
)
def test_sizes_and_indices_are_decimal_and_below_2_to_the_63(text: str, number: int | None) -> None:
    assert read_decimal(text) == number


def detail_of(refused: pytest.ExceptionInfo[CryptoError]) -> str:
    return refused.value.detail


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (f"log\n1\n{HASH}\n\nmore\n", "(lines)"),
        ("log\n1\n", "(lines)"),
        ("log\n1\nno base64\n", "(root)"),
        (f"log\nx\n{HASH}\n", "(size or root)"),
        (f"log\n1\n{to_base64(bytes(31))}\n", "(size or root)"),
    ],
)
def test_bad_checkpoint_is_told_by_its_part(text: str, part: str) -> None:
    with pytest.raises(CheckpointMalformed) as refused:
        TreeCheckpoint.parse(text)
    assert detail_of(refused) == part and refused.value.code == "checkpoint.malformed"


def test_a_cosigner_of_the_logs_name_does_not_speak_for_the_log() -> None:
    note = SIGNER.sign(CHECKPOINT.text())
    cosigned = replace(note, signatures=(SIGNER.cosign(note.text, 5),))
    with pytest.raises(NoteNotSigned):
        open_checkpoint(cosigned, [SIGNER.cosigner()])
    both = note.with_signatures(cosigned.signatures)
    assert open_checkpoint(both, [SIGNER.cosigner(), SIGNER.verifier()]) == CHECKPOINT


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "(first line)"),
        (b"c2sp.org/tlog-proof@v1", "(first line)"),
        (b"c2sp.org/tlog-proof@v1\n" + TAIL, "(first line)"),
        (b"c2sp.org/tlog-proof@v2\nindex 0\n" + TAIL, "(first line)"),
        (b"c2sp.org/tlog-proof@v1\nindex 0\n", "(first line)"),
        ("c2sp.org/tlog-proof@v1\nindex ٠\n".encode() + TAIL, "(characters)"),
        (b"c2sp.org/tlog-proof@v1\nextra AAAA\n" + TAIL, "(index)"),
        (b"c2sp.org/tlog-proof@v1\nat 0\n" + TAIL, "(index)"),
        (b"c2sp.org/tlog-proof@v1\n0\n" + TAIL, "(index)"),
        (b"c2sp.org/tlog-proof@v1\nindex 00\n" + TAIL, "(index or hashes)"),
        (b"c2sp.org/tlog-proof@v1\nindex 0\n" + f"{HASH}\n".encode() * 64 + TAIL, "(index or hashes)"),
        (b"c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n" + TAIL, "(hash)"),
    ],
)
def test_bad_proof_is_told_by_its_part(data: bytes, part: str) -> None:
    with pytest.raises(ProofMalformed) as refused:
        LogProof.parse(data)
    assert detail_of(refused) == part and refused.value.code == "proof.malformed"


def test_proof_has_63_hashes_at_most() -> None:
    data = b"c2sp.org/tlog-proof@v1\nindex 0\n" + f"{HASH}\n".encode() * 63 + TAIL
    assert len(LogProof.parse(data).hashes) == 63


def test_proof_has_16_mib_at_most() -> None:
    assert checkpoints.MAX_PROOF_BYTES == 16 * 1024 * 1024
    start = b"c2sp.org/tlog-proof@v1\nextra "
    end = b"\nindex 0\n" + TAIL
    room = checkpoints.MAX_PROOF_BYTES - len(start) - len(end)
    with pytest.raises((ProofMalformed, NoteMalformed)) as refused:
        LogProof.parse(start + b"A" * (room + 1) + end)
    assert detail_of(refused) == "(too large)"
    with pytest.raises(NoteMalformed) as refused:
        LogProof.parse(start + b"=" * room + end)
    assert detail_of(refused) == "(base64)", "read, and refused for what it is"


def test_proof_proves_its_entry_at_its_index_under_that_checkpoint() -> None:
    for index in (0, 7, 10):
        proof = LogProof(index, inclusion_proof(LEAVES, index), NOTE)
        assert proof.proves(ENTRIES[index], CHECKPOINT) is True
        for said, entry, under in (
            (proof, ENTRIES[index - 1], CHECKPOINT),
            (replace(proof, index=index - 1), ENTRIES[index], CHECKPOINT),
            (replace(proof, hashes=proof.hashes[1:]), ENTRIES[index], CHECKPOINT),
            (proof, ENTRIES[index], replace(CHECKPOINT, size=12 if index == 10 else 5)),
            (proof, ENTRIES[index], replace(CHECKPOINT, root=bytes(32))),
        ):
            assert said.proves(entry, under) is False
