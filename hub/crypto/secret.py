"""A secret in memory: it shows nothing, and does not travel."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Unprintable:
    """Base of everything that holds key material: a repr that says nothing, no pickle, no copy."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show the class, never what is inside."""
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied: key material stays where it is."""
        raise TypeError(f"{type(self).__name__} does not leave this process")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse to be pickled or copied."""
        self.__reduce__()


class Secret(Unprintable):
    """32 secret bytes. `reveal` is the only way in, so that a reader finds every use of it."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        """Hold `value`, 32 bytes."""
        if len(value) != 32:
            raise ValueError("a secret has 32 bytes")
        self._value = value

    def reveal(self) -> bytes:
        """Return the bytes."""
        return self._value

    def __eq__(self, other: object) -> bool:
        """Compare in constant time."""
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a secret is no dictionary key
