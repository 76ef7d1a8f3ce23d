"""TLS contexts that take up renewed certificate files: for connections made from then on, without a restart.

A context is followed as long as somebody uses it. New authorities are added; that one is no longer trusted holds only
for contexts made afterwards, for OpenSSL forgets none.
"""

from __future__ import annotations

import ssl
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

_Stamp: TypeAlias = tuple[int, int, int]


@dataclass(slots=True)
class _Followed:
    context: weakref.ReferenceType[ssl.SSLContext]
    certificate: Path
    private_key: Path
    ca: Path
    stamps: tuple[_Stamp, ...]


_FOLLOWED: list[_Followed] = []
_LOCK = threading.Lock()


def load_files(context: ssl.SSLContext, certificate: Path, private_key: Path, ca: Path) -> ssl.SSLContext:
    """Load PEM files into a context and follow them from now on; returns it. Raises OSError, ssl.SSLError."""
    stamps = _stamps(certificate, private_key, ca)
    context.load_verify_locations(ca)
    context.load_cert_chain(certificate, private_key)
    with _LOCK:
        _FOLLOWED[:] = [each for each in _FOLLOWED if each.context() is not None]
        _FOLLOWED.append(_Followed(weakref.ref(context), certificate, private_key, ca, stamps))
    return context


def take_renewed() -> int:
    """Load again what has changed since; return for how many contexts.

    Files that do not belong together, as while they are being replaced, are left for the next call.
    """
    taken = 0
    with _LOCK:
        for each in _FOLLOWED:
            context = each.context()
            try:
                stamps = _stamps(each.certificate, each.private_key, each.ca)
                if context is None or stamps == each.stamps:
                    continue
                _load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), each)  # a pair that is none would spoil one in use
                _load(context, each)
            except (OSError, ValueError):
                continue
            each.stamps = stamps
            taken += 1
    return taken


def _load(context: ssl.SSLContext, files: _Followed) -> None:
    context.load_verify_locations(files.ca)
    context.load_cert_chain(files.certificate, files.private_key)


def _stamps(*paths: Path) -> tuple[_Stamp, ...]:
    found = (path.stat() for path in paths)
    return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in found)
