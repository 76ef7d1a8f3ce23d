"""What makes a reader wait. None of these ever turns an event into a dead letter (docs/envelope.md, "Trust")."""

from __future__ import annotations

from typing import ClassVar

from schemas.errors import HubError


class AnnouncementsUnavailable(HubError):
    """A topic of announcements cannot be read to its end; judging without it would be guessing."""

    code: ClassVar[str] = "announcements.unavailable"
    retriable: ClassVar[bool] = True
    hint: ClassVar[str] = "Reading pauses until the topic can be read again. Compare `eltax-hub topics plan`."


class SessionsUnavailable(AnnouncementsUnavailable):
    """A sessions topic cannot be read; whether a session is known cannot be told."""

    code: ClassVar[str] = "sessions.unavailable"


class AudiencesUnavailable(AnnouncementsUnavailable):
    """The audiences topic cannot be read."""

    code: ClassVar[str] = "audiences.unavailable"


class ControlUnavailable(AnnouncementsUnavailable):
    """The control topic cannot be read; the trust list that was taken last holds."""

    code: ClassVar[str] = "control.unavailable"


class KeyNotLoaded(HubError):
    """A session is sealed to an epoch whose own key is not loaded."""

    code: ClassVar[str] = "key.not-loaded"
    retriable: ClassVar[bool] = True
    hint: ClassVar[str] = (
        "`eltax-hub keys rotate`, or the epoch's key file in keys/, or a record that it was destroyed."
    )


class QuarantineKeyMissing(HubError):
    """A record must be put into quarantine, and no key of the operator is known."""

    code: ClassVar[str] = "quarantine-key-missing"
    retriable: ClassVar[bool] = True
    hint: ClassVar[str] = "Let the administrator publish the operator's audience key of this month."
