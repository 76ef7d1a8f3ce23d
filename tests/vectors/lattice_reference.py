"""ML-KEM-768 from the pages of FIPS 203: slow, for vectors only. Encapsulation takes its randomness from the caller."""

from __future__ import annotations

import hashlib

N, Q, K, ETA, DU, DV = 256, 3329, 3, 2, 10, 4


def _reversed_bits(number: int) -> int:
    return int(f"{number:07b}"[::-1], 2)


ZETAS = [pow(17, _reversed_bits(i), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * _reversed_bits(i) + 1, Q) for i in range(128)]


def _ntt(poly: list[int]) -> list[int]:
    f, i, length = list(poly), 1, 128
    while length >= 2:
        for start in range(0, N, 2 * length):
            zeta = ZETAS[i]
            i += 1
            for j in range(start, start + length):
                t = zeta * f[j + length] % Q
                f[j + length], f[j] = (f[j] - t) % Q, (f[j] + t) % Q
        length //= 2
    return f


def _inverse_ntt(poly: list[int]) -> list[int]:
    f, i, length = list(poly), 127, 2
    while length <= 128:
        for start in range(0, N, 2 * length):
            zeta = ZETAS[i]
            i -= 1
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % Q, zeta * (f[j + length] - t) % Q
        length *= 2
    return [each * 3303 % Q for each in f]


def _times(a: list[int], b: list[int]) -> list[int]:
    out: list[int] = []
    for i, gamma in enumerate(GAMMAS):
        a0, a1, b0, b1 = a[2 * i], a[2 * i + 1], b[2 * i], b[2 * i + 1]
        out += [(a0 * b0 + a1 * b1 * gamma) % Q, (a0 * b1 + a1 * b0) % Q]
    return out


def _plus(*polys: list[int]) -> list[int]:
    return [sum(each) % Q for each in zip(*polys, strict=True)]


def _pack(poly: list[int], bits: int) -> bytes:
    whole = sum(value << (bits * place) for place, value in enumerate(poly))
    return whole.to_bytes(N * bits // 8, "little")


def _unpack(data: bytes, bits: int) -> list[int]:
    whole = int.from_bytes(data, "little")
    return [(whole >> (bits * place)) % (1 << bits) for place in range(N)]


def _uniform(seed: bytes) -> list[int]:
    stream, at = hashlib.shake_128(seed).digest(4_096), 0
    out: list[int] = []
    while len(out) < N:
        a, b, c = stream[at : at + 3]
        at += 3
        out += [d for d in (a + 256 * (b % 16), b // 16 + 16 * c) if d < Q]
    return out[:N]


def _small(key: bytes, count: int) -> list[int]:
    bits = int.from_bytes(hashlib.shake_256(key + bytes([count])).digest(64 * ETA), "little")
    out = []
    for i in range(N):
        part = bits >> (2 * ETA * i)
        out.append(((part & 1) + (part >> 1 & 1) - (part >> 2 & 1) - (part >> 3 & 1)) % Q)
    return out


def _matrix(rho: bytes) -> list[list[list[int]]]:
    return [[_uniform(rho + bytes([j, i])) for j in range(K)] for i in range(K)]


def public_key(seeds: bytes) -> bytes:
    """The encapsulation key (1,184 bytes) of d ‖ z."""
    wide = hashlib.sha3_512(seeds[:32] + bytes([K])).digest()
    rho, sigma = wide[:32], wide[32:]
    s = [_ntt(_small(sigma, n)) for n in range(K)]
    e = [_ntt(_small(sigma, K + n)) for n in range(K)]
    rows = [_plus(e[i], *(_times(a, s[j]) for j, a in enumerate(row))) for i, row in enumerate(_matrix(rho))]
    return b"".join(_pack(row, 12) for row in rows) + rho


def encapsulate(public: bytes, m: bytes) -> tuple[bytes, bytes]:
    """(shared secret, ciphertext of 1,088 bytes) for 32 bytes of randomness."""
    wide = hashlib.sha3_512(m + hashlib.sha3_256(public).digest()).digest()
    shared, r = wide[:32], wide[32:]
    t = [_unpack(public[384 * i : 384 * (i + 1)], 12) for i in range(K)]
    a = _matrix(public[384 * K :])
    y = [_ntt(_small(r, n)) for n in range(K)]
    u = [_plus(_inverse_ntt(_plus(*(_times(a[j][i], y[j]) for j in range(K)))), _small(r, K + i)) for i in range(K)]
    message = [bit * 1665 for bit in _unpack(m, 1)]
    v = _plus(_inverse_ntt(_plus(*(_times(t[i], y[i]) for i in range(K)))), _small(r, 2 * K), message)
    return shared, b"".join(_squeezed(each, DU) for each in u) + _squeezed(v, DV)


def _squeezed(poly: list[int], bits: int) -> bytes:
    return _pack([((each << bits) + Q // 2) // Q % (1 << bits) for each in poly], bits)
