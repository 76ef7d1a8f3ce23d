"""The envelope a second time, from the page and the standard library; imports nothing of the hub.

Only block cipher, curve and lattice come from `cryptography`: HPKE (RFC 9180, base mode), the hybrid KEM
(X-Wing, draft-connolly-cfrg-xwing-kem) and all derivations are written out here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def purpose(name: str) -> bytes:
    return b"eltax-hub/v1/" + name.encode() + b"\0"


def hkdf_expand(key: bytes, info: bytes, length: int) -> bytes:
    out = block = b""
    count = 1
    while len(out) < length:
        block = mac(key, block + info + bytes([count]))
        out += block
        count += 1
    return out[:length]


def session_info(value: Mapping[str, Any], audience: str, epoch: int) -> bytes:
    info = purpose("session") + value["salt"]
    for text in (value["producer"], value["topic"], value["tenant"], audience, str(epoch)):
        info += u32(len(text.encode())) + text.encode()
    return info


def commitment(secret: bytes) -> bytes:
    return hkdf_expand(secret, purpose("commit"), 32)


def mac_key(secret: bytes) -> bytes:
    return hkdf_expand(secret, purpose("mac"), 32)


def event_key(secret: bytes, header: bytes, audience: str) -> bytes:
    return hkdf_expand(secret, purpose("section") + sha(header) + audience.encode(), 32)


def zigzag(number: int) -> bytes:
    rest = number * 2 if number >= 0 else -number * 2 - 1
    out = []
    while True:
        rest, low = divmod(rest, 128)
        out.append(low | (128 if rest else 0))
        if not rest:
            return bytes(out)


def avro_bytes(data: bytes) -> bytes:
    return zigzag(len(data)) + data


def framed(schema_id: int, body: bytes) -> bytes:
    return b"\0" + u32(schema_id) + body


def header(schema_id: int, value: Mapping[str, Any]) -> bytes:
    """`value` has the names of the contract's fields."""
    checks = ["passed", "failed", "not_performed"]
    body = value["session"]
    body += zigzag(["submission", "status", "accepted"].index(value["kind"]))
    body += avro_bytes(value["tenant"].encode()) + avro_bytes(value["producer"].encode())
    body += zigzag(value["partition"]) + zigzag(value["sequence"])
    for name in ("event_id", "receipt_number", "procedure"):
        body += avro_bytes(value[name].encode())
    body += zigzag(value["procedure_version"])
    body += b"\0" if value["tax_item"] is None else b"\2" + avro_bytes(value["tax_item"].encode())
    body += zigzag(value["accepted_at"]) + zigzag(value["produced_at"])
    body += zigzag(checks.index(value["calculation_check"])) + zigzag(checks.index(value["signature_check"]))
    cause = value["cause"]
    body += b"\0" if cause is None else b"\2" + avro_bytes(cause["event_id"].encode()) + cause["leaf"]
    return framed(schema_id, body)


def padded(plaintext: bytes) -> bytes:
    need = len(plaintext) + 1
    size = next((kib * 1024 for kib in (1, 2, 4, 8, 16, 32) if need <= kib * 1024), 0)
    if not size:
        exponent = need.bit_length() - 1
        step = 2 ** (exponent - exponent.bit_length())
        size = -(-need // step) * step
    return plaintext + b"\x80" + bytes(size - need)


def ciphertext(secret: bytes, header_: bytes, audience: str, plaintext: bytes) -> bytes:
    return AESGCM(event_key(secret, header_, audience)).encrypt(bytes(12), padded(plaintext), b"")


def leaf(header_: bytes, digests: list[tuple[str, bytes]]) -> bytes:
    data = b"\0" + u32(len(header_)) + header_
    for audience, digest in digests:
        data += u32(len(audience.encode())) + audience.encode() + digest
    return sha(data)


def sealed(
    schema_id: int, header_: bytes, sections: list[tuple[str, bytes, bytes | None]], mac_: bytes | None
) -> bytes:
    body = avro_bytes(header_) + zigzag(len(sections))
    for audience, digest, content in sections:
        body += avro_bytes(audience.encode()) + digest
        body += b"\0" if content is None else b"\2" + avro_bytes(content)
    body += b"\0" if sections else b""
    return framed(schema_id, body + (b"\0" if mac_ is None else b"\2" + mac_))


def signed(schema_id: int, name: str, body: bytes, seeds: list[bytes]) -> bytes:
    marks = []
    for seed in seeds:
        key = Ed25519PrivateKey.from_private_bytes(seed)
        public = key.public_key().public_bytes_raw()
        marks.append(sha(public)[:8] + key.sign(purpose(name) + body))
    listed = zigzag(len(marks)) + b"".join(sorted(marks)) + b"\0"
    return framed(schema_id, avro_bytes(body) + listed)


def _labeled_extract(suite: bytes, salt: bytes, name: bytes, material: bytes) -> bytes:
    return mac(salt or bytes(32), b"HPKE-v1" + suite + name + material)


def _labeled_expand(suite: bytes, key: bytes, name: bytes, info: bytes, length: int) -> bytes:
    return hkdf_expand(key, length.to_bytes(2, "big") + b"HPKE-v1" + suite + name + info, length)


def _x25519_shared(seed: bytes, encapsulated: bytes) -> bytes:
    """DHKEM(X25519, HKDF-SHA256), RFC 9180, 4.1."""
    private = X25519PrivateKey.from_private_bytes(seed)
    shared = private.exchange(X25519PublicKey.from_public_bytes(encapsulated))
    context = encapsulated + private.public_key().public_bytes_raw()
    suite = b"KEM" + (0x0020).to_bytes(2, "big")
    prk = _labeled_extract(suite, b"", b"eae_prk", shared)
    return _labeled_expand(suite, prk, b"shared_secret", context, 32)


def _xwing_shared(seeds: bytes, encapsulated: bytes) -> bytes:
    lattice = MLKEM768PrivateKey.from_seed_bytes(seeds[:64])
    curve = X25519PrivateKey.from_private_bytes(seeds[64:])
    inner = lattice.decapsulate(encapsulated[:1088])
    outer = curve.exchange(X25519PublicKey.from_public_bytes(encapsulated[1088:]))
    public = curve.public_key().public_bytes_raw()
    return hashlib.sha3_256(inner + outer + encapsulated[1088:] + public + rb"\.//^" + b"\\").digest()


def hpke_open(suite_name: str, seeds: bytes, info: bytes, message: bytes) -> bytes:
    """RFC 9180 base mode, HKDF-SHA256 (0x0001), AES-256-GCM (0x0002), one message, empty aad."""
    kem, size = {"MLKEM768_X25519": (0x647A, 1120), "X25519": (0x0020, 32)}[suite_name]
    encapsulated, content = message[:size], message[size:]
    shared = (_xwing_shared if kem == 0x647A else _x25519_shared)(seeds, encapsulated)
    suite = b"HPKE" + kem.to_bytes(2, "big") + bytes.fromhex("00010002")
    context = b"\0" + _labeled_extract(suite, b"", b"psk_id_hash", b"")
    context += _labeled_extract(suite, b"", b"info_hash", info)
    secret = _labeled_extract(suite, shared, b"secret", b"")
    key = _labeled_expand(suite, secret, b"key", context, 32)
    nonce = _labeled_expand(suite, secret, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, content, b"")
