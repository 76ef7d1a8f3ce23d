"""What can go wrong with a backup or a restore, each with what to do next."""

from __future__ import annotations

from typing import ClassVar

from schemas.errors import HubError


class BackupError(HubError):
    """The backup or restore could not be done."""

    code: ClassVar[str] = "backup"


class NoEscrow(BackupError):
    """No escrow key is registered, or it cannot be read."""

    code: ClassVar[str] = "backup.no-escrow"
    hint: ClassVar[str] = "`eltax-hub keys new-escrow DIRECTORY` makes one; keep that directory on another machine."


class BackupExists(BackupError):
    """An archive of this name is there already; nothing is written over."""

    code: ClassVar[str] = "backup.exists"
    hint: ClassVar[str] = "Wait a second, or choose another directory."


class BackupFailed(BackupError):
    """The backup could not be written whole; what was begun was removed."""

    code: ClassVar[str] = "backup.failed"
    retriable: ClassVar[bool] = True
    hint: ClassVar[str] = "Look at the room on both disks and at the rights of the directory, then do it again."


class StoreUnreadable(BackupError):
    """A database could not be copied whole."""

    code: ClassVar[str] = "backup.store"
    hint: ClassVar[str] = "No backup was made. If it is damaged, restore that role from an older one."


class HomeTaken(BackupError):
    """There is something in HUB_HOME; a restore writes over nothing."""

    code: ClassVar[str] = "restore.home-taken"
    hint: ClassVar[str] = "Choose another HUB_HOME, or move what is there away."


class NotTheseArchives(BackupError):
    """These archives do not belong together."""

    code: ClassVar[str] = "restore.archives"
    hint: ClassVar[str] = "One backup-….eltax and escrow archives that were made with it, or none of an epoch."


class RestoreBroken(BackupError):
    """What came out of the archives is not a home that works; nothing was put in place."""

    code: ClassVar[str] = "restore.broken"
    hint: ClassVar[str] = "Use another backup. The check that failed is named above."
