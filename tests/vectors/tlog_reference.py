"""A second reader of published logs, notes and proofs, from the C2SP specifications alone.

Shares no code with the hub: `hashlib`, `struct`, and Ed25519 and ML-DSA-44 from the library. Slow and plain on purpose;
an auditor who wants to write his own may begin here. Raises AssertionError or ValueError for whatever is wrong.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word; takes leaf hashes."""
    n = len(leaves)
    if n == 0:
        return hashlib.sha256(b"").digest()
    if n == 1:
        return leaves[0]
    k = 1
    while k * 2 < n:
        k *= 2
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def chain(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that an audit path leads to, by the recursive definition of RFC 6962, 2.1.1, read backwards."""
    if size == 1:
        assert not path
        return leaf
    k = 1
    while k * 2 < size:
        k *= 2
    sibling = path[-1]
    if index < k:
        return hashlib.sha256(b"\x01" + chain(leaf, index, k, path[:-1]) + sibling).digest()
    return hashlib.sha256(b"\x01" + sibling + chain(leaf, index - k, size - k, path[:-1])).digest()


def open_vkey(vkey: str) -> tuple[str, str, int, bytes]:
    name, key_id, material = vkey.split("+", 2)
    raw = base64.b64decode(material)
    assert hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() == key_id
    return name, key_id, raw[0], raw[1:]


def verify_note(note: bytes, vkey: str) -> tuple[bytes, int | None]:
    """Return the text that the key signed, and a cosignature's time."""
    name, key_id, kind, public = open_vkey(vkey)
    text, _, marks = note.rpartition(b"\n\n")
    text += b"\n"
    for line in marks.decode().splitlines():
        dash, signer, encoded = line.split(" ")
        assert dash == "—"
        blob = base64.b64decode(encoded)
        if signer != name or blob[:4].hex() != key_id:
            continue
        if kind == 1:
            Ed25519PublicKey.from_public_bytes(public).verify(blob[4:], text)
            return text, None
        (seconds,) = struct.unpack(">Q", blob[4:12])
        if kind == 6:
            origin, size, root = text.decode().split("\n")[:3]
            message = b"subtree/v1\n\x00" + struct.pack(">B", len(name)) + name.encode() + blob[4:12]
            message += struct.pack(">B", len(origin)) + origin.encode()
            message += struct.pack(">QQ", 0, int(size)) + base64.b64decode(root)
            MLDSA44PublicKey.from_public_bytes(public).verify(blob[12:], message)
            return text, seconds
        assert kind == 4
        Ed25519PublicKey.from_public_bytes(public).verify(blob[12:], b"cosignature/v1\ntime %d\n" % seconds + text)
        return text, seconds
    raise ValueError("not signed by that key")


def read_checkpoint(text: bytes) -> tuple[str, int, bytes]:
    origin, size, root, *rest = text.decode().split("\n")
    assert rest == [""]
    return origin, int(size), base64.b64decode(root)


def tile_path(level: int | str, index: int, width: int) -> str:
    rest = f"{index % 1000:03d}"
    while index >= 1000:
        index //= 1000
        rest = f"x{index % 1000:03d}/{rest}"
    return f"tile/{level}/{rest}" + ("" if width == 256 else f".p/{width}")


def load_log(directory: Path, vkey: str) -> list[bytes]:
    """Read all entries of a published log, check every tile against them, and the root against the checkpoint."""
    text, _ = verify_note((directory / "checkpoint").read_bytes(), vkey)
    origin, size, root = read_checkpoint(text)
    assert origin == vkey.split("+")[0]
    entries: list[bytes] = []
    for start in range(0, size, 256):
        width = min(256, size - start)
        narrow = directory / tile_path("entries", start // 256, width)
        wide = directory / tile_path("long-entries", start // 256, width)
        assert narrow.exists() != wide.exists()
        data, form = (narrow.read_bytes(), ">H") if narrow.exists() else (wide.read_bytes(), ">I")
        found = 0
        while data:
            (length,) = struct.unpack_from(form, data)
            data = data[struct.calcsize(form) :]
            entries.append(data[:length])
            assert len(entries[-1]) == length
            data = data[length:]
            found += 1
        assert found == width
    leaves = [leaf_hash(entry) for entry in entries]
    assert mth(leaves) == root
    level, reach = 0, 1
    while size // reach:
        hashes = [mth(leaves[at : at + reach]) for at in range(0, size - reach + 1, reach)]
        for at in range(0, len(hashes), 256):
            tile = hashes[at : at + 256]
            assert (directory / tile_path(level, at // 256, len(tile))).read_bytes() == b"".join(tile)
        level, reach = level + 1, reach * 256
    return entries


def check_proof(proof: bytes, vkey: str, entry: bytes, witness: str | None = None) -> int:
    """Verify a tlog-proof; return the index it proves."""
    head, _, checkpoint = proof.partition(b"\n\n")
    first, *lines = head.decode().split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    if lines[0].startswith("extra "):
        lines.pop(0)
    index = int(lines.pop(0).removeprefix("index "))
    text, _ = verify_note(checkpoint, vkey)
    if witness is not None:
        verify_note(checkpoint, witness)
    origin, size, root = read_checkpoint(text)
    assert origin == vkey.split("+")[0]
    assert 0 <= index < size
    assert chain(leaf_hash(entry), index, size, [base64.b64decode(line) for line in lines]) == root
    return index
