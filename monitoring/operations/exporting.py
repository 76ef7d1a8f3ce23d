"""Lines for somebody else: a file of JSON Lines, and a file that proves each of them by a signed checkpoint.

    export  {"number", "class", … , "hash", "value": base64 of the signed record}          one line each
    proof   {"format": "eltax-hub-operations-proof/1", "checkpoint": signed note,
             "lines": [{"index", "entry": base64 of 65 bytes, "hashes": [base64, …]}, …]}   in the same order

`check` needs these two files and the log's public key: no hub, no store, no network.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, NoReturn

from consumers.store.errors import StoreDamaged
from hub.crypto.checkpoints import TreeCheckpoint, sign_checkpoint
from hub.crypto.durable import sync_directory
from hub.crypto.merkle import verify_inclusion
from hub.crypto.notes import NoteSigner, VerifierKey, to_base64
from hub.crypto.tiles import TiledTree, TileEdge, TileName
from hub.envelope.operations import OperationEvent
from hub.envelope.reasons import EnvelopeError
from monitoring.operations.entries import Entry
from monitoring.operations.reading import Stored, Wanted, described, lines
from monitoring.operations.store import entries
from monitoring.operations.verifying import ForeignCheckpoint, read_checkpoint
from schemas.errors import HubError

FORMAT: Final = "eltax-hub-operations-proof/1"
MAX_FILE_BYTES: Final = 2**31


class NotProved(HubError):
    """These files do not prove these lines."""

    code: ClassVar[str] = "operations.not-proved"
    hint: ClassVar[str] = "Ask for both files again; if they come the same, somebody altered them or the log."


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    lines: int
    size: int
    root: bytes


def export(db: sqlite3.Connection, wanted: Wanted, signer: NoteSigner, file: Path, proof: Path) -> Exported:
    """Write the two files of a `reading.snapshot`, whole or not at all, mode 0600.

    The tree is made anew from the leaves (32 bytes of memory for each). Raises StoreDamaged if they do not give the
    root that was kept, OSError if the files cannot be written.
    """
    tree, kept = _tree(db)
    note = sign_checkpoint(TreeCheckpoint(signer.name, tree.size, tree.root()), signer)
    proved = []
    count = 0

    def text() -> Iterator[str]:
        nonlocal count
        for line in lines(db, wanted):
            count += 1
            entry = kept[line.number]
            hashes = [to_base64(each) for each in tree.inclusion(line.number)]
            proved.append({"index": line.number, "entry": to_base64(entry), "hashes": hashes})
            yield _dumped(_exported(line))

    _write(file, text())
    _write(proof, [_dumped({"format": FORMAT, "checkpoint": note.encode().decode(), "lines": proved})])
    return Exported(count, tree.size, tree.root())


def _exported(line: Stored) -> dict[str, object]:
    return {**line.as_json(), "value": to_base64(line.value)}


def _tree(db: sqlite3.Connection) -> tuple[TiledTree, dict[int, bytes]]:
    edge = TileEdge()
    tiles: dict[TileName, bytes] = {}
    kept: dict[int, bytes] = {}
    for number, entry in entries(db):
        if number != len(kept):
            raise StoreDamaged(f"operations, leaf {len(kept)}")
        kept[number] = entry.encode()
        tiles.update({tile.name: tile.data for tile in edge.add(entry.leaf)})
    tiles.update({tile.name: tile.data for tile in edge.partial()})
    tree = TiledTree(len(kept), tiles.get)
    found = db.execute("SELECT size, root FROM tree").fetchone()
    if kept and found != (tree.size, tree.root()):
        raise StoreDamaged("operations, root")
    return tree, kept


def _dumped(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"


def _write(path: Path, text: Iterable[str]) -> None:
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii", newline="\n") as file:
        for each in text:
            file.write(each)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_directory(path.absolute().parent)


@dataclass(frozen=True, slots=True)
class Proved:
    """What the two files prove."""

    lines: int
    checkpoint: TreeCheckpoint


def check(exported: bytes, proof: bytes, keys: Collection[VerifierKey]) -> Proved:
    """Verify an export; what is handed in is hostile until the checkpoint's signature holds. Raises NotProved.

    Each line must be what its signed record says, and this record be in the tree at its number. Whether the role
    that signed it was listed is for who has the trust list (`monitor operations verify`).
    """
    if max(len(exported), len(proof)) > MAX_FILE_BYTES:
        _not_proved("too large")
    try:
        said = json.loads(proof)
        if said["format"] != FORMAT:
            _not_proved("format")
        checkpoint = read_checkpoint(said["checkpoint"].encode(), keys)
        given = exported.decode("ascii").split("\n")
        proofs = said["lines"]
        if given.pop() != "" or len(given) != len(proofs):
            _not_proved("number of lines")
        last = -1
        for number, (line, proved) in enumerate(zip(given, proofs, strict=True)):
            last = _checked(number, json.loads(line), proved, checkpoint, last)
    except ForeignCheckpoint as problem:
        raise NotProved(f"({problem.code})") from problem
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, RecursionError, EnvelopeError):
        _not_proved("unreadable")
    return Proved(len(given), checkpoint)


def _checked(number: int, line: dict[str, Any], proved: dict[str, Any], checkpoint: TreeCheckpoint, last: int) -> int:
    value = base64.b64decode(line["value"], validate=True)
    entry = Entry.decode(base64.b64decode(proved["entry"], validate=True))
    index = proved["index"]
    event, signed = OperationEvent.parse(value)
    hashes = [base64.b64decode(each, validate=True) for each in proved["hashes"]]
    if not isinstance(index, int) or index <= last or line["number"] != index:
        _not_proved(f"line {number}: order")
    if not verify_inclusion(entry.leaf, index, checkpoint.size, hashes, checkpoint.root):
        _not_proved(f"line {number}: not in the tree")
    if (event.log, event.sequence, signed.hash) != (entry.log, entry.sequence, entry.hash):
        _not_proved(f"line {number}: another record")
    if line["hash"] != signed.hash.hex() or any(line[name] != text for name, text in described(event).items()):
        _not_proved(f"line {number}: says something else than its record")
    return index


def _not_proved(what: str) -> NoReturn:
    raise NotProved(f"({what})")
