"""Choose whom to seal to: the audience keys valid now, never an older or another one than before.

Functions on what was read; `hub.producing.key_directory` reads it (docs/envelope.md, "Trust").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.envelope.records import AudienceKey
from hub.producing.errors import AudienceKeyMissing, AudienceKeyRefused


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A verified audience key; `record_hash` is SHA-256 of its signed record's body."""

    key: AudienceKey
    record_hash: bytes


def choose(audience: str, known: Iterable[SealingKey], used: tuple[int, bytes] | None, now: datetime) -> SealingKey:
    """Return the key of the highest epoch that is valid at `now`.

    `used` is the highest epoch sealed to so far and its record hash. Raises `AudienceKeyMissing` if no key
    is valid, `AudienceKeyRefused` if the best is of a lower epoch than `used`, or differs in the same
    epoch, or if two different keys claim one epoch and neither is the one used.
    """
    valid = [
        found for found in known if found.key.audience == audience and found.key.not_before <= now < found.key.not_after
    ]
    if not valid:
        raise AudienceKeyMissing(audience)
    epoch = max(found.key.epoch for found in valid)
    best = {found.record_hash: found for found in valid if found.key.epoch == epoch}
    if used is not None and epoch < used[0]:
        raise AudienceKeyRefused(f"{audience}: epoch {epoch} after {used[0]}")
    if used is not None and epoch == used[0]:
        if used[1] not in best:
            raise AudienceKeyRefused(f"{audience}: another key in epoch {epoch}")
        return best[used[1]]
    if len(best) > 1:
        raise AudienceKeyRefused(f"{audience}: two keys in epoch {epoch}")
    return next(iter(best.values()))


def choose_all(
    audiences: Sequence[str],
    known: Iterable[SealingKey],
    used: Mapping[str, tuple[int, bytes] | None],
    now: datetime,
) -> tuple[SealingKey, ...]:
    """Return one key per audience, in the order asked for."""
    keys = tuple(known)
    return tuple(choose(audience, keys, used.get(audience), now) for audience in audiences)
