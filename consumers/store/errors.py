"""What can go wrong with a store, sorted by what to do next."""

from __future__ import annotations

from schemas.errors import HubError


class StoreError(HubError):
    """The store refused."""

    code = "store"


class StoreUnavailable(StoreError):
    """The store cannot be written at the moment; nothing of the batch was kept."""

    code = "store-unavailable"
    retriable = True
    hint = "Free space on the disk of the state directory, or make it writable; the desk goes on by itself."


class StoreDamaged(StoreError):
    """The database file is damaged or is not a database."""

    code = "store-damaged"
    hint = "Stop the desk, keep the file, and restore from a backup; the topics replay what came after."


class StorePositionLost(StoreError):
    """Another writer moved this store's place in a topic; this process must end."""

    code = "store-position-lost"
    hint = "Two processes share one role directory. Stop one of them."


class StoreMismatch(StoreError):
    """The store belongs to another role, tenant or namespace."""

    code = "store-mismatch"
    hint = "Each role directory belongs to one principal in one namespace; check HUB_ROLE_DIR and HUB_NAMESPACE."


class StoreTooNew(StoreError):
    """The store was written by a newer version of the hub."""

    code = "store-too-new"
    hint = "Install the hub version that wrote it, or a newer one."


class ContentErased(StoreError):
    """The content of this submission was erased, or the key of its epoch was destroyed."""

    code = "content-erased"


class ContentDamaged(StoreError):
    """The stored content does not open: it is not what this desk wrote."""

    code = "content-damaged"
    hint = "Keep the file as evidence; read the submission again from its topic or from a backup."


class DecisionConflict(StoreError):
    """Somebody else has decided or assigned since this was looked at; nothing was changed."""

    code = "decision.conflict"
    hint = "Look at the submission again (`review show`), and decide on what it says now."


class EventErased(StoreError):
    """The submission was erased; nothing can be decided on it any more."""

    code = "decision.erased"


class NotFound(StoreError):
    """No submission is stored under this receipt number or event id."""

    code = "not-found"
