"""One private key in one file, under a passphrase.

    file   = clear ‖ AES-256-GCM(file key, nonce, seeds, aad = clear)
    clear  = ASCII `ELTAXKEY` ‖ u8 version ‖ u8 suite ‖ u8 log2 N ‖ u8 r ‖ u8 p ‖ salt(16) ‖ nonce(12)
             ‖ u16 len(name) ‖ UTF-8 name
    suite  = 1 Ed25519 (32-byte seed) | 2 MLKEM768_X25519 (64 + 32) | 3 X25519 (32) | 4 ML-DSA-44 (32)
    file key, version 1 = scrypt(passphrase, salt, N, r, p), 32 bytes
    file key, version 2 = HKDF-Expand(key, L("key file") ‖ salt, 32); log2 N, r and p are 0

Version 2 is for a passphrase that is none: `key-1:` and 64 lower-case hex digits, 32 random bytes that nobody can try
out, as the hub makes it for whoever brings no passphrase (`fresh_passphrase`). Stretching it would cost each start and
each command 0.3 s and 128 MiB for nothing; a file of version 2 opens under nothing else.

Everything in the clear is authenticated, so a file cannot be passed off as another audience's, and costs
cannot be lowered unseen. Files of one store share a salt: one derivation (0.28 s with scrypt) opens them all;
nonces are random, and a store holds tens of keys.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.crypto.errors import KeyFileDamaged, WeakKeyFile
from hub.crypto.hkdf import expand
from hub.crypto.labels import label
from hub.crypto.random import Randomness, system_random
from hub.crypto.secret import Unprintable

_MAGIC: Final = b"ELTAXKEY"
_STRETCHED, _UNSTRETCHED = 1, 2
"""versions"""
_RANDOM_KEY: Final = re.compile(rb"key-1:([0-9a-f]{64})")
_STRETCHING: Final = BoundedSemaphore(os.cpu_count() or 1)
"""each takes 128 MiB and a core, however many threads ask"""
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
_FIXED_BYTES: Final = len(_MAGIC) + 5 + SALT_BYTES + NONCE_BYTES + 2

ED25519: Final = 1
MLKEM768_X25519: Final = 2
X25519: Final = 3
ML_DSA_44: Final = 4
_SEED_BYTES: Final = {ED25519: 32, MLKEM768_X25519: 96, X25519: 32, ML_DSA_44: 32}
MAX_FILE_BYTES: Final = 1_024


@dataclass(frozen=True, slots=True)
class ScryptCost:
    """scrypt's N = 2^log2_n, r, p; memory 128 · N · r bytes."""

    log2_n: int = 17
    r: int = 8
    p: int = 1

    @property
    def acceptable(self) -> bool:
        """At least the standard cost (128 MiB), and no more than a machine can bear (1 GiB)."""
        return 17 <= self.log2_n <= 20 and self.r == 8 and self.p == 1


STANDARD: Final = ScryptCost()
NOTHING_TO_STRETCH: Final = ScryptCost(0, 0, 0)
"""of files of version 2"""
FOR_TESTS: Final = ScryptCost(4)
"""useless against anyone; refused unless a store is told to accept weak files"""


@dataclass(frozen=True, slots=True)
class Clear:
    """What a key file says in the clear."""

    suite: int
    name: str
    cost: ScryptCost
    salt: bytes
    nonce: bytes

    def encode(self) -> bytes:
        """Write it."""
        name = self.name.encode()
        version = _UNSTRETCHED if self.cost == NOTHING_TO_STRETCH else _STRETCHED
        numbers = bytes((version, self.suite, self.cost.log2_n, self.cost.r, self.cost.p))
        return _MAGIC + numbers + self.salt + self.nonce + len(name).to_bytes(2, "big") + name


def read_clear(data: bytes) -> tuple[Clear, int]:
    """Read the clear part; return it and its length. Raises KeyFileDamaged."""
    if len(data) < _FIXED_BYTES or not data.startswith(_MAGIC):
        raise KeyFileDamaged
    version, suite, log2_n, r, p = data[8:13]
    cost = ScryptCost(log2_n, r, p)
    if version != (_UNSTRETCHED if cost == NOTHING_TO_STRETCH else _STRETCHED):
        raise KeyFileDamaged
    salt = data[13 : 13 + SALT_BYTES]
    nonce = data[29 : 29 + NONCE_BYTES]
    end = _FIXED_BYTES + int.from_bytes(data[41:_FIXED_BYTES], "big")
    seeds = _SEED_BYTES.get(suite)
    if seeds is None or len(data) != end + seeds + 16:
        raise KeyFileDamaged
    try:
        name = data[_FIXED_BYTES:end].decode()
    except UnicodeDecodeError as problem:
        raise KeyFileDamaged from problem
    return Clear(suite, name, cost, salt, nonce), end


def fresh_passphrase(random: Randomness = system_random) -> bytes:
    """Return a passphrase of 32 random bytes that needs no stretching: 70 ASCII characters."""
    return b"key-1:" + random(32).hex().encode()


class PassphraseKeys(Unprintable):
    """Derives file keys from one passphrase, each (salt, cost) once."""

    __slots__ = ("_allow_weak", "_key", "_known", "_passphrase")

    def __init__(self, passphrase: bytes, *, allow_weak: bool = False) -> None:
        """Hold the passphrase; `allow_weak` is for tests."""
        if not passphrase:
            raise WeakKeyFile("empty passphrase")
        self._passphrase = passphrase
        random_key = _RANDOM_KEY.fullmatch(passphrase)
        self._key = bytes.fromhex(random_key[1].decode()) if random_key is not None else None
        self._allow_weak = allow_weak
        self._known: dict[tuple[bytes, ScryptCost], bytes] = {}

    @property
    def cost(self) -> ScryptCost:
        """What a new file under this passphrase costs."""
        return STANDARD if self._key is None else NOTHING_TO_STRETCH

    def derive(self, salt: bytes, cost: ScryptCost) -> bytes:
        """Return the 32-byte file key. Raises WeakKeyFile if the cost is not acceptable for this passphrase."""
        if cost == NOTHING_TO_STRETCH and self._key is not None:
            return expand(self._key, label("key file") + salt)
        if not cost.acceptable and not (self._allow_weak and cost == FOR_TESTS):
            raise WeakKeyFile(f"scrypt 2^{cost.log2_n}")
        key = self._known.get((salt, cost))
        if key is None:
            memory = 128 << cost.log2_n
            with _STRETCHING:
                key = hashlib.scrypt(
                    self._passphrase,
                    salt=salt,
                    n=1 << cost.log2_n,
                    r=cost.r,
                    p=cost.p,
                    maxmem=memory * cost.r + (1 << 20),
                    dklen=32,
                )
            self._known[salt, cost] = key
        return key


def seal_file(clear: Clear, seeds: bytes, keys: PassphraseKeys) -> bytes:
    """Return the file's bytes."""
    head = clear.encode()
    return head + AESGCM(keys.derive(clear.salt, clear.cost)).encrypt(clear.nonce, seeds, head)


def open_file(data: bytes, keys: PassphraseKeys) -> tuple[Clear, bytes]:
    """Return what the file says and its seeds. Raises KeyFileDamaged or WeakKeyFile."""
    clear, end = read_clear(data)
    key = keys.derive(clear.salt, clear.cost)
    try:
        return clear, AESGCM(key).decrypt(clear.nonce, data[end:], data[:end])
    except InvalidTag as problem:
        raise KeyFileDamaged from problem
