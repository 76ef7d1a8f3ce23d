"""What keeps a role from writing its operations log."""

from __future__ import annotations

from schemas.errors import HubError


class Unlogged(HubError):
    """The operations log cannot be written, so nothing is shown, exported or decided."""

    code = "operations.unlogged"
    retriable = True
    hint = "Is the disk full, or has the role not been able to send for long? docs/operations-log.md, `What stops`."


class SpoolDamaged(Unlogged):
    """The file of the operations log is damaged or is not this role's, so nothing is shown, exported or decided."""

    code = "operations.damaged"
    retriable = False
    hint = "Keep state/operations.db as evidence under another name; a new log begins, and everybody sees that it does."
