"""What makes a reader wait. None of these ever turns an event into a dead letter."""

from __future__ import annotations

from schemas.errors import HubError


class SessionsUnavailable(HubError):
    """A sessions topic cannot be read; whether a session is known cannot be told."""

    code = "sessions.unavailable"
    retriable = True
    hint = "Reading pauses until the topic can be read again."


class AudiencesUnavailable(HubError):
    """The audiences topic cannot be read."""

    code = "audiences.unavailable"
    retriable = True
    hint = "Reading pauses until the topic can be read again."


class KeyNotLoaded(HubError):
    """A session is sealed to an epoch whose own key is not loaded."""

    code = "key.not-loaded"
    retriable = True
    hint = "Put the epoch's key file into keys/, or record that the epoch was destroyed."
