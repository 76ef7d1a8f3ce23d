"""What can go wrong with an export, sorted by what to do next."""

from __future__ import annotations

from schemas.errors import HubError


class ExportError(HubError):
    """The export was refused."""

    code = "export"


class ExportDiskFull(ExportError):
    """There is no room for the file; nothing was left behind, and its rows wait for the next export."""

    code = "export.disk-full"
    retriable = True
    hint = "Free space on the target's disk, or name another directory with --to, and export again."


class ExportNotWritable(ExportError):
    """The file cannot be written; nothing was left behind, and its rows wait for the next export."""

    code = "export.not-writable"
    retriable = True
    hint = "Name an existing directory with --to that you may write to, and export again."


class ExportUnsettled(ExportError):
    """The file is in its place, and the disk did not confirm it; the next export looks at it again."""

    code = "export.unsettled"
    retriable = True
    hint = (
        "Look at the disk, then export again with the same password: the run is finished, no row is handed over twice."
    )


class FileInTheWay(ExportError):
    """A file with the name of this run is there already, and is not this run under this password."""

    code = "export.file-in-the-way"
    hint = "If it is the run's own file, give the password of then; otherwise move it away. Nothing was changed."


class DirectoryGone(ExportError):
    """A run was begun in a directory that is not there now."""

    code = "export.directory-gone"
    hint = "Attach or make that directory again, or finish the run in --to with --elsewhere."


class ExportBusy(ExportError):
    """Another export of this desk is under way."""

    code = "export.busy"
    retriable = True
    hint = "Wait until it has ended."


class RunUnknown(ExportError):
    """There is no finished run of this number."""

    code = "export.unknown-run"
    hint = "`review exports` lists the runs; one that is not done yet is finished by the next export of its series."


class ColumnsChanged(ExportError):
    """The run was written with another version of the columns."""

    code = "export.columns"
    hint = "Repeat it with the version of the hub that wrote it."


class NotTheSame(ExportError):
    """The store does not give what this run handed over then, and no erasure explains it; nothing was written."""

    code = "export.not-the-same"
    hint = "Keep the store as evidence, and compare with a backup."


class SeriesInvalid(ExportError):
    """A series is named by 1 to 32 of a-z, 0-9 and -, beginning with a letter or digit."""

    code = "export.series"


class EncodingUnknown(ExportError):
    """There is no such encoding or treatment of characters."""

    code = "export.encoding"
    hint = "--encoding utf-8 or cp932; --on-missing refuse or replace."


class ReplacementInvalid(ExportError):
    """What stands in for a missing character is one character that CP932 has, no question mark and no formula sign."""

    code = "export.replacement"
    hint = "Leave --replacement out for 〓 (U+3013)."


class PasswordUnfit(ExportError):
    """The password is not fit for an archive of tax secrets."""

    code = "export.password-unfit"
    hint = "16 to 128 printable ASCII characters without spaces, at random: the ZIP format itself slows nobody down."


class PasswordFileOpen(ExportError):
    """Others than its owner may read the password file."""

    code = "export.password-file"
    hint = "chmod 600 it."


class ArchiveDamaged(ExportError):
    """The file is not a whole export."""

    code = "export.damaged"
    hint = "Ask for the run again (`review export --again RUN`); use nothing of this file."


class ArchiveUnreadable(ExportError):
    """The file cannot be read."""

    code = "export.unreadable"
    hint = "Check its path and rights."


class PasswordWrong(ExportError):
    """The file does not open with this password."""

    code = "export.password-wrong"
    hint = "Each run has the password that was given when it was written."
