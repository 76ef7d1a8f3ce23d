"""Where random bytes come from. Tests pass their own source; nothing else may.

HPKE and key generation draw inside the library from the operating system; they cannot be steered.
"""

from __future__ import annotations

import os
from collections.abc import Callable

Randomness = Callable[[int], bytes]
"""n → n random bytes"""


def system_random(count: int) -> bytes:
    """Return `count` bytes of the operating system's generator."""
    return os.urandom(count)
