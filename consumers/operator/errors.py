"""Why the operator may not do what was asked with a letter."""

from __future__ import annotations

from typing import ClassVar

from schemas.errors import HubError


class LetterError(HubError):
    """A dead letter cannot be handled like this."""

    code: ClassVar[str] = "letter"


class LetterUnknown(LetterError):
    """There is no such dead letter."""

    code = "letter.unknown"
    hint = "`eltax-hub dead-letters list --all` shows all that retention has left, with their names."


class LetterResolved(LetterError):
    """The letter was replayed or discarded before."""

    code = "letter.resolved"
    hint = "`dead-letters show` says when and by whom. `replay --again` sends the same record once more."


class LetterHopeless(LetterError):
    """The letter can never succeed: its own bytes are what was refused."""

    code = "letter.hopeless"
    hint = "Have its producer send a new record, and discard the letter with the reason why."


class LetterSealed(LetterError):
    """The letter lies in quarantine and the operator's key of its month is not here."""

    code = "letter.sealed"
    hint = "The key was destroyed, or belongs to another machine's role directory."


class LetterAstray(LetterError):
    """The letter names a place that its writer does not read, so nothing may be sent there for it."""

    code = "letter.astray"
    hint = "Letters lead back only to topics that the hop which wrote them reads. Ask how it came about; discard it."


class LetterGone(LetterError):
    """The letter lies no longer where it was: retention has deleted it."""

    code = "letter.gone"


class DeskAway(LetterError):
    """A desk of the tenant has no topic to be told on, and nothing is done untold."""

    code = "letter.desk-away"
    hint = "`eltax-hub topics plan` shows what is missing."


class DiscardReasonUnknown(LetterError):
    """A letter is discarded for one of the declared reasons."""

    code = "letter.discard-reason"
    hint = "`eltax-hub dead-letters reasons` lists them."


class NoteRefused(LetterError):
    """The note must be one line of 1 to 200 characters without long numbers."""

    code = "letter.note"
    hint = "It is kept for years in the audit log: name no person, no address, no number of anybody."


class ActorRefused(LetterError):
    """Whoever acts needs a name of 1 to 128 bytes."""

    code = "letter.actor"
