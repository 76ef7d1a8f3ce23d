"""What may come of hostile bytes: a value, or an error of the closed list that repeats nothing of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import TypeVar

from hub.envelope.reasons import EnvelopeError, Reason
from schemas import registry
from schemas.errors import HubError

_T = TypeVar("_T")
_WORD = re.compile(r"[^\s()/,.:;'\"{}\[\]<>=]{6,}")
MAX_TEXT = 300
_DETAILS = frozenset(
    re.findall(
        r"\S+",
        """manifest members encryption encoding content columns signature namespace declaration partitions principal
        unreadable format checkpoint entries extension identity instance passphrase characters receipt record reason
        portal router review helpdesk audit operator admin handed answered decided decision-log handover-log""",
    )
)
"""what errors say beside their class, all of it ours; some of it stands in sound files, too"""


class Finding(AssertionError):
    """A decoder broke a promise. Its text names the promise and the decoder, never the input."""


def ensure(good: bool, promise: str) -> None:
    """Raise a Finding unless a promise was kept."""
    if not good:
        raise Finding(promise)


def refusal(
    errors: tuple[type[HubError], ...],
    data: bytes,
    call: Callable[[], _T],
    *,
    own_words: Iterable[str] = (),
    names_input: bool = False,
) -> _T | None:
    """Call a decoder; its documented errors are a refusal (None), every other exception passes on as a finding.

    `own_words` may stand in an error's text although they stand in the input: names that we declared. With
    `names_input` it may name what it found: the administrator's own file.
    """
    try:
        return call()
    except errors as error:
        check_error(error, b"" if names_input else data, own_words)
        return None


def check_error(error: HubError, data: bytes, own_words: Iterable[str] = ()) -> None:
    """Raise a Finding if an error has no code, or its text is long or repeats the input."""
    ensure(bool(type(error).code), "an error without a code")
    if isinstance(error, EnvelopeError):
        ensure(isinstance(error.reason, Reason), "a reason that is not in the list")
    for text in (str(error), error.advice):
        ensure(len(text) <= MAX_TEXT, "an error whose text is as long as its sender likes")
        for known in own_words:
            text = text.replace(known, "")
        said = set(_WORD.findall(text)) - _known_words()
        for word in said:
            ensure(
                word.encode() not in data and word not in data.decode("utf-8", "ignore"),
                f"{type(error).__name__} repeats its input",
            )


@cache
def _known_words() -> frozenset[str]:
    """Words of our own: what errors say, names of contracts and of their fields, reasons."""
    words = set(_DETAILS)
    for contract in registry.all_contracts():
        words.add(contract.name)
    for reason in Reason:
        words.add(reason.value)
    known = [HubError]
    while known:
        kind = known.pop()
        known += kind.__subclasses__()
        words |= set(_WORD.findall((kind.__doc__ or "") + " " + kind.hint)) | set(kind.code.split("."))
    return frozenset(words)
