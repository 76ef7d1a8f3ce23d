"""A witness: what it answers to each request, and that it forgets nothing."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from assurance.witness.key import Algorithm, WitnessNameRefused, create, load
from assurance.witness.memory import Memory, WitnessBusy, WitnessMemoryDamaged, origin_hash
from assurance.witness.rules import MAX_REQUEST_BYTES
from assurance.witness.witness import Answer, Witness
from hub import crashpoints
from hub.crypto.checkpoints import TreeCheckpoint, sign_checkpoint
from hub.crypto.errors import KeyExists, KeyFileDamaged, KeyFileExposed
from hub.crypto.identity import IdentityKey
from hub.crypto.keyfile import FOR_TESTS
from hub.crypto.lattice import LatticeKey
from hub.crypto.merkle import consistency_proof, root
from hub.crypto.notes import Note, NoteSigner, read_lines, to_base64
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker

ORIGIN = "audit.example/rehearsal/999997"
LOG = NoteSigner(ORIGIN, IdentityKey.from_seed(bytes(31) + b"\x01"))
OTHER = NoteSigner("audit.example/rehearsal/999998", IdentityKey.from_seed(bytes(31) + b"\x02"))
OWN = NoteSigner("witness.example/w1", IdentityKey.from_seed(bytes(31) + b"\x09"))
KEY = OWN.cosigner()
NOW = 1_800_000_000
LEAVES = [hashlib.sha256(b"leaf %d" % n).digest() for n in range(200)]
FORKED = [*LEAVES[:10], *(hashlib.sha256(b"other %d" % n).digest() for n in range(190))]


def note(size: int, leaves: list[bytes] = LEAVES, signer: NoteSigner = LOG) -> Note:
    return sign_checkpoint(TreeCheckpoint(signer.name, size, root(leaves[:size])), signer)


def request(
    old: int | str, made: Note | bytes, proof: tuple[bytes, ...] | None = None, leaves: list[bytes] = LEAVES
) -> bytes:
    data = made.encode() if isinstance(made, Note) else made
    if proof is None:
        size = int(data.split(b"\n")[1])
        proof = consistency_proof(leaves[:size], int(old)) if int(old) else ()
    return "\n".join([f"old {old}", *(to_base64(each) for each in proof), "", ""]).encode() + data


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "state") as held:
        yield held


@pytest.fixture
def witness(memory: Memory) -> Witness:
    return Witness(OWN, [LOG.verifier(), OTHER.verifier()], memory, lambda: NOW)


def cosigned(answer: Answer, made: Note) -> bool:
    lines = read_lines(answer.body)
    return answer.status == 200 and len(lines) == 1 and KEY.holds(made.text, lines[0].signature)


def test_a_growing_log_is_cosigned_at_every_step(witness: Witness) -> None:
    old = 0
    for size in (0, 1, 2, 3, 3, 64, 65, 128, 200):
        answer = witness.add_checkpoint(request(old, note(size)))
        assert cosigned(answer, note(size)), (old, size)
        old = size


def test_a_witness_with_a_lattice_key_goes_on_after_a_restart(tmp_path: Path) -> None:
    lattice = NoteSigner("witness.example/pq", LatticeKey(bytes(32)))
    for old, size in ((0, 20), (20, 50), (50, 50)):
        with Memory(tmp_path) as held:
            answer = Witness(lattice, [LOG.verifier()], held, lambda: NOW).add_checkpoint(request(old, note(size)))
            (line,) = read_lines(answer.body)
            assert lattice.cosigner().holds(note(size).text, line.signature)


def test_every_step_of_a_small_log_is_cosigned(tmp_path: Path) -> None:
    for old in range(1, 18):
        for size in range(old, 18):
            with Memory(tmp_path / f"{old}-{size}") as held:
                fresh = Witness(OWN, [LOG.verifier()], held, lambda: NOW)
                assert fresh.add_checkpoint(request(0, note(old))).status == 200
                assert fresh.add_checkpoint(request(old, note(size))).status == 200


def test_an_unknown_log_is_not_found(witness: Witness) -> None:
    stranger = NoteSigner("audit.example/other", LOG.key)
    assert witness.add_checkpoint(request(0, note(3, signer=stranger))).status == 404


def test_a_checkpoint_that_the_log_did_not_sign_is_forbidden(witness: Witness) -> None:
    good = note(3)
    another = NoteSigner(ORIGIN, OTHER.key).sign(good.text)
    assert witness.add_checkpoint(request(0, another)).status == 403
    bad = good.encode().replace(b"\n3\n", b"\n4\n")
    assert witness.add_checkpoint(request(0, bad, ())).status == 403
    # A key of another log that this witness trusts does not speak for this one.
    foreign = OTHER.sign(good.text)
    assert witness.add_checkpoint(request(0, foreign)).status == 403


def test_unknown_signatures_are_ignored_and_not_kept(witness: Witness, memory: Memory) -> None:
    good = note(3)
    more = good.with_signatures([NoteSigner("x.example", OTHER.key).cosign(good.text, 5)])
    assert cosigned(witness.add_checkpoint(request(0, more)), good)
    kept = memory.read(ORIGIN, KEY, [LOG.verifier()])
    assert kept is not None
    assert [each.name for each in kept[1].signatures] == [ORIGIN, "witness.example/w1"]


def test_an_old_size_above_the_checkpoint_is_a_bad_request(witness: Witness) -> None:
    assert witness.add_checkpoint(request(4, note(3), ())).status == 400


def test_another_old_size_is_a_conflict_that_names_the_right_one(witness: Witness) -> None:
    first = witness.add_checkpoint(request(2, note(3)))
    assert (first.status, first.body, first.content_type) == (409, b"0\n", "text/x.tlog.size")
    assert witness.add_checkpoint(request(0, note(5))).status == 200
    for old in (0, 3):
        again = witness.add_checkpoint(request(old, note(9)))
        assert (again.status, again.body, again.content_type) == (409, b"5\n", "text/x.tlog.size")


def test_a_tree_never_shrinks(witness: Witness, attack: Attack) -> None:
    tried = attack(Attacker.AUDIT, "asks a witness to cosign a smaller tree than it has seen")
    assert witness.add_checkpoint(request(0, note(9))).status == 200
    assert witness.add_checkpoint(request(9, note(5), ())).status == 400
    assert witness.add_checkpoint(request(5, note(5))).status == 409
    tried.prevented(by="witness", how="refused (400, 409)", within="the request")


def test_another_history_is_never_cosigned_and_kept_as_evidence(witness: Witness, tmp_path: Path) -> None:
    assert witness.add_checkpoint(request(0, note(20))).status == 200
    # The same size with another root; and every proof that the other history can offer for a larger one.
    assert witness.add_checkpoint(request(20, note(20, FORKED), ())).status == 422
    larger = note(50, FORKED)
    for proof in ((), consistency_proof(FORKED[:50], 20), consistency_proof(LEAVES[:50], 20)):
        assert witness.add_checkpoint(request(20, larger, proof)).status == 422
    kept = {path.read_bytes() for path in (tmp_path / "state" / "evidence").iterdir()}
    assert kept == {note(20, FORKED).encode(), larger.encode()}
    assert cosigned(witness.add_checkpoint(request(20, note(50))), note(50))


def test_evidence_is_bounded_and_nobody_else_can_fill_it(witness: Witness, tmp_path: Path) -> None:
    assert witness.add_checkpoint(request(0, note(20))).status == 200
    larger = note(50, FORKED)
    for number in range(120):
        mark = NoteSigner(f"x{number}.example", OTHER.key).cosign(larger.text, 5)
        assert witness.add_checkpoint(request(20, larger.with_signatures([mark]), ())).status == 422
    assert len(list((tmp_path / "state" / "evidence").iterdir())) == 1


def test_a_proof_that_must_be_empty_is(witness: Witness) -> None:
    assert witness.add_checkpoint(request(0, note(3), (LEAVES[0],))).status == 422
    assert witness.add_checkpoint(request(0, note(3))).status == 200
    assert witness.add_checkpoint(request(3, note(3), (LEAVES[0],))).status == 422


def test_an_empty_tree_has_the_empty_root(witness: Witness) -> None:
    wrong = sign_checkpoint(TreeCheckpoint(ORIGIN, 0, bytes(32)), LOG)
    assert witness.add_checkpoint(request(0, wrong)).status == 422
    assert witness.add_checkpoint(request(0, note(0))).status == 200


GOOD = request(20, note(50))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 20",
        note(50).encode(),
        GOOD.replace(b"old 20", b"old 020"),
        GOOD.replace(b"old 20", b"old -1"),
        GOOD.replace(b"old 20", b"old 9223372036854775808"),
        GOOD.replace(b"old 20", b"old  20"),
        GOOD.replace(b"old 20", b"OLD 20"),
        GOOD.replace(b"old 20", b"old \xd9\xa0"),
        GOOD.replace(b"\n\n", b"\nAAAA\n\n", 1),
        GOOD.replace(b"=\n\n", b"\n\n", 1),
        GOOD.replace(b"\n", b"\r\n"),
        GOOD[:-1],
        GOOD + b"\n",
        GOOD.replace(b"\n50\n", b"\n050\n"),
        request(20, note(50), tuple(LEAVES[:64])),
        GOOD + b"x" * MAX_REQUEST_BYTES,
    ],
)
def test_what_is_no_request_is_a_bad_request(witness: Witness, body: bytes) -> None:
    assert witness.add_checkpoint(request(0, note(20))).status == 200
    assert witness.add_checkpoint(body).status == 400
    assert witness.add_checkpoint(GOOD).status == 200


def test_any_flipped_byte_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    """Whatever comes, a cosignature covers the text that the log signed."""
    for at in range(len(GOOD)):
        for bit in (0x01, 0x20, 0x80):
            with Memory(tmp_path / "state") as held:
                fresh = Witness(OWN, [LOG.verifier()], held, lambda: NOW)
                answer = fresh.add_checkpoint(request(0, note(20)))
                changed = GOOD[:at] + bytes((GOOD[at] ^ bit,)) + GOOD[at + 1 :]
                assert fresh.add_checkpoint(changed).status in (400, 403, 404, 409, 422), (at, bit)
            for path in (tmp_path / "state").glob("*.checkpoint"):
                path.unlink()
            assert answer.status == 200


def test_a_witness_that_starts_again_goes_on_where_it_was(tmp_path: Path) -> None:
    with Memory(tmp_path) as held:
        assert Witness(OWN, [LOG.verifier()], held, lambda: NOW).add_checkpoint(request(0, note(20))).status == 200
    with Memory(tmp_path) as held:
        again = Witness(OWN, [LOG.verifier()], held, lambda: NOW)
        assert again.add_checkpoint(request(0, note(50, FORKED))).body == b"20\n"
        assert again.add_checkpoint(GOOD).status == 200


def test_a_memory_that_was_altered_stops_the_witness(tmp_path: Path) -> None:
    with Memory(tmp_path) as held:
        Witness(OWN, [LOG.verifier()], held, lambda: NOW).add_checkpoint(request(0, note(20)))
    path = next(tmp_path.glob("*.checkpoint"))
    good = path.read_bytes()
    forged = note(3).with_signatures([NoteSigner(OWN.name, OTHER.key).cosign(note(3).text, NOW)])
    other = note(3, signer=OTHER)
    for bad in (
        b"", good[:-1], good.replace(b"\n20\n", b"\n19\n"), note(20).encode(), forged.encode(),
        other.with_signatures([OWN.cosign(other.text, NOW)]).encode(),
    ):  # fmt: skip
        path.write_bytes(bad)
        with Memory(tmp_path) as held, pytest.raises(WitnessMemoryDamaged):
            Witness(OWN, [LOG.verifier()], held, lambda: NOW)


def test_two_witnesses_cannot_share_a_memory(tmp_path: Path) -> None:
    with Memory(tmp_path), pytest.raises(WitnessBusy):
        Memory(tmp_path)
    Memory(tmp_path).__exit__(None, None, None)


def test_nothing_is_cosigned_that_could_not_be_remembered(witness: Witness, tmp_path: Path) -> None:
    directory = tmp_path / "state" / f".{origin_hash(ORIGIN)}.checkpoint.new"
    directory.mkdir()
    assert witness.add_checkpoint(request(0, note(20))).status == 503
    directory.rmdir()
    assert witness.add_checkpoint(request(0, note(20))).status == 200


def test_of_two_requests_at_once_only_one_is_answered(witness: Witness) -> None:
    """The race of the specification: look, judge and remember are one step."""
    old = 0
    for _ in range(20):
        start, found = threading.Barrier(2), dict[int, int]()

        def ask(size: int, old: int, start: threading.Barrier, found: dict[int, int]) -> None:
            body = request(old, note(size))
            start.wait()
            found[size] = witness.add_checkpoint(body).status

        threads = [threading.Thread(target=ask, args=(old + more, old, start, found)) for more in (3, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found.values()) == [200, 409]
        old = next(size for size, status in found.items() if status == 200)


KILLED = """
import sys
from pathlib import Path
from assurance.witness.memory import Memory
from assurance.witness.witness import Witness
from tests.unit.assurance.test_witness import GOOD, LOG, NOW, OWN, note, request
with Memory(Path(sys.argv[1])) as held:
    witness = Witness(OWN, [LOG.verifier()], held, lambda: NOW)
    witness.add_checkpoint(request(0, note(20)))
    sys.stdout.buffer.write(witness.add_checkpoint(GOOD).body)
"""


@pytest.mark.parametrize("point", sorted(name for name in crashpoints.POINTS if name.startswith("witness.")))
def test_killed_before_its_answer_a_witness_never_cosigns_another_history(tmp_path: Path, point: str) -> None:
    environment = {"HUB_CRASH_POINT": f"{point}:2", "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env={**os.environ, **environment}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")
    with Memory(tmp_path) as held:
        again = Witness(OWN, [LOG.verifier()], held, lambda: NOW)
        old = int(again.add_checkpoint(request(1, note(60))).body)
        assert old == (50 if point == "witness.before-answer" else 20)
        assert again.add_checkpoint(request(old, note(60, FORKED), consistency_proof(FORKED[:60], old))).status == 422
        assert again.add_checkpoint(request(old, note(60))).status == 200


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_witness_key_is_kept_under_a_passphrase(tmp_path: Path, algorithm: Algorithm) -> None:
    path = tmp_path / "witness.key"
    made = create(path, "witness.example/w1", algorithm=algorithm, cost=FOR_TESTS)
    assert made.cosigner().kind == {"ed25519": 4, "ml-dsa-44": 6}[algorithm.value]
    again = load(path, allow_weak=True)
    assert again.cosigner() == made.cosigner()
    assert made.key.seed() not in path.read_bytes()
    with pytest.raises(KeyExists):
        create(path, "witness.example/w1", cost=FOR_TESTS)
    path.chmod(0o644)
    with pytest.raises(KeyFileExposed):
        load(path, allow_weak=True)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b"/w1", b"/w2"))
    with pytest.raises(KeyFileDamaged):
        load(path, allow_weak=True)
    for name in ("証人", "a b", "a+b", "", "x" * 201):
        with pytest.raises(WitnessNameRefused):
            create(tmp_path / "other.key", name, cost=FOR_TESTS)
