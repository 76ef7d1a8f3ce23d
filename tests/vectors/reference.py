"""The envelope a second time, from the page and the standard library; imports nothing of the hub.

Block cipher and curve come from `cryptography`, and the lattice where something is opened (`lattice_reference` has
it where something is sealed): HPKE (RFC 9180, base mode), the hybrid KEM (X-Wing, draft-connolly-cfrg-xwing-kem) and
all derivations are written out here.
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

from tests.vectors import lattice_reference as lattice


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
    info: bytes = purpose("session") + value["salt"]
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


KEMS = {"MLKEM768_X25519": (0x647A, 1120), "X25519": (0x0020, 32)}


def kem_shared(suite_name: str, seeds: bytes, encapsulated: bytes) -> bytes:
    """The KEM's shared secret, 32 bytes."""
    return (_x25519_shared if suite_name == "X25519" else _xwing_shared)(seeds, encapsulated)


def hpke_schedule(suite_name: str, shared: bytes, info: bytes) -> tuple[bytes, bytes]:
    """(key, nonce) of the first message: RFC 9180 base mode, HKDF-SHA256 (0x0001), AES-256-GCM (0x0002)."""
    suite = b"HPKE" + KEMS[suite_name][0].to_bytes(2, "big") + bytes.fromhex("00010002")
    context = b"\0" + _labeled_extract(suite, b"", b"psk_id_hash", b"")
    context += _labeled_extract(suite, b"", b"info_hash", info)
    secret = _labeled_extract(suite, shared, b"secret", b"")
    key = _labeled_expand(suite, secret, b"key", context, 32)
    return key, _labeled_expand(suite, secret, b"base_nonce", context, 12)


def hpke_open(suite_name: str, seeds: bytes, info: bytes, message: bytes) -> bytes:
    """Open one message, empty aad."""
    size = KEMS[suite_name][1]
    key, nonce = hpke_schedule(suite_name, kem_shared(suite_name, seeds, message[:size]), info)
    return AESGCM(key).decrypt(nonce, message[size:], b"")


def public_key(suite_name: str, seeds: bytes) -> bytes:
    curve = X25519PrivateKey.from_private_bytes(seeds[-32:]).public_key().public_bytes_raw()
    return curve if suite_name == "X25519" else lattice.public_key(seeds[:64]) + curve


def encapsulate(suite_name: str, public: bytes, randomness: bytes) -> bytes:
    """enc for given randomness: hybrid m(32) then the curve's ephemeral seed(32); X25519 the latter alone."""
    curve = X25519PrivateKey.from_private_bytes(randomness[-32:]).public_key().public_bytes_raw()
    return curve if suite_name == "X25519" else lattice.encapsulate(public[:1184], randomness[:32])[1] + curve


def hpke_seal(suite_name: str, seeds: bytes, info: bytes, plaintext: bytes, randomness: bytes) -> bytes:
    """Seal to the key of these seeds; the shared secret is found by opening, which the library checks."""
    encapsulated = encapsulate(suite_name, public_key(suite_name, seeds), randomness)
    key, nonce = hpke_schedule(suite_name, kem_shared(suite_name, seeds, encapsulated), info)
    return encapsulated + AESGCM(key).encrypt(nonce, plaintext, b"")


def murmur2(data: bytes) -> int:
    """Kafka's hash of keys: Austin Appleby's MurmurHash2, 32 bits, seed 0x9747b28c."""
    m, word = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    while len(data) >= 4:
        k = data[0] | data[1] << 8 | data[2] << 16 | data[3] << 24
        data = data[4:]
        k = k * m & word
        k = (k ^ k >> 24) * m & word
        h = (h * m & word) ^ k
    for place in reversed(range(len(data))):
        h ^= data[place] << 8 * place
    if data:
        h = h * m & word
    h = (h ^ h >> 13) * m & word
    return h ^ h >> 15


def merkle_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, of leaf hashes."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha(b"")
    left = 1 << (len(leaves) - 1).bit_length() - 1
    return sha(b"\1" + merkle_root(leaves[:left]) + merkle_root(leaves[left:]))


def merkle_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1: from the leaf's sibling upwards."""
    if len(leaves) == 1:
        return []
    left = 1 << (len(leaves) - 1).bit_length() - 1
    if index < left:
        return [*merkle_path(index, leaves[:left]), merkle_root(leaves[left:])]
    return [*merkle_path(index - left, leaves[left:]), merkle_root(leaves[:left])]


def merkle_consistency(first: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """RFC 6962, 2.1.2."""
    if first == len(leaves):
        return [] if whole else [merkle_root(leaves)]
    left = 1 << (len(leaves) - 1).bit_length() - 1
    if first <= left:
        return [*merkle_consistency(first, leaves[:left], whole), merkle_root(leaves[left:])]
    return [*merkle_consistency(first - left, leaves[left:], False), merkle_root(leaves[:left])]


def key_file(suite: int, name: str, log2_n: int, salt: bytes, nonce: bytes, passphrase: bytes, seeds: bytes) -> bytes:
    """ELTAXKEY, version 1."""
    text = name.encode()
    clear = b"ELTAXKEY" + bytes((1, suite, log2_n, 8, 1)) + salt + nonce + len(text).to_bytes(2, "big") + text
    return clear + AESGCM(file_key(passphrase, salt, log2_n)).encrypt(nonce, seeds, clear)


def file_key(passphrase: bytes, salt: bytes, log2_n: int) -> bytes:
    return hashlib.scrypt(passphrase, salt=salt, n=1 << log2_n, r=8, p=1, maxmem=1 << 28, dklen=32)


def key_file_2(suite: int, name: str, salt: bytes, nonce: bytes, key: bytes, seeds: bytes) -> tuple[bytes, bytes]:
    """ELTAXKEY, version 2, under 32 random bytes; and the file key."""
    text = name.encode()
    clear = b"ELTAXKEY" + bytes((2, suite, 0, 0, 0)) + salt + nonce + len(text).to_bytes(2, "big") + text
    file_key = hmac.new(key, b"eltax-hub/v1/key file\0" + salt + b"\1", hashlib.sha256).digest()
    return clear + AESGCM(file_key).encrypt(nonce, seeds, clear), file_key


def hpke_seal_to_zero(suite_name: str, seeds: bytes, info: bytes, plaintext: bytes) -> bytes:
    """What must not open: sealed with an X25519 half of zeros, whose secret everybody knows."""
    public, zero = public_key(suite_name, seeds), bytes(32)
    if suite_name == "X25519":
        suite = b"KEM" + (0x0020).to_bytes(2, "big")
        prk = _labeled_extract(suite, b"", b"eae_prk", zero)
        enc, shared = zero, _labeled_expand(suite, prk, b"shared_secret", zero + public, 32)
    else:
        inner, content = lattice.encapsulate(public[:1184], zero)
        enc = content + zero
        shared = hashlib.sha3_256(inner + zero + zero + public[1184:] + rb"\.//^" + b"\\").digest()
    key, nonce = hpke_schedule(suite_name, shared, info)
    return enc + AESGCM(key).encrypt(nonce, plaintext, b"")
