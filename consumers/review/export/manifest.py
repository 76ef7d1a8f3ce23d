"""manifest.json: what an archive holds, so that its receiver can tell that it is whole. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from consumers.review.export.errors import ArchiveDamaged
from consumers.store.exporting import ExportFile

NAME: Final = "manifest.json"
FORMAT: Final = "eltax-hub-export/1"
MAX_BYTES: Final = 2**20
MAX_FILES: Final = 500
_FILE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,150}\.csv")
_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one run hands over. `rows` and `erased` count submissions, `previous` is the series' run before."""

    namespace: str
    tenant: str
    series: str
    run: int
    previous: int | None
    claimed_at: str
    encoding: str
    replacement: str | None
    columns_version: int
    columns_sha256: str
    rows: int
    withdrawn: int
    erased: int
    files: tuple[ExportFile, ...]

    def encode(self) -> bytes:
        """Return the JSON text: keys in a fixed order, UTF-8, one line break at its end."""
        value = {
            "format": FORMAT,
            "namespace": self.namespace,
            "tenant": self.tenant,
            "series": self.series,
            "run": self.run,
            "previous": self.previous,
            "claimed_at": self.claimed_at,
            "encoding": self.encoding,
            "on_missing": "refuse" if self.replacement is None else "replace",
            "replacement": self.replacement,
            "columns": {"version": self.columns_version, "sha256": self.columns_sha256},
            "rows": self.rows,
            "withdrawn": self.withdrawn,
            "erased": self.erased,
            "files": [
                {"name": each.name, "rows": each.rows, "bytes": each.size, "sha256": each.sha256.hex()}
                for each in self.files
            ],
        }
        return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()

    @classmethod
    def decode(cls, data: bytes) -> Manifest:
        """Read one; only what `encode` writes is accepted. Raises ArchiveDamaged."""
        try:
            value = json.loads(data)
            made = _read(value)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ArchiveDamaged("manifest") from None
        if made.encode() != data:
            raise ArchiveDamaged("manifest")
        return made


def _read(value: Any) -> Manifest:
    if value["format"] != FORMAT or len(value["files"]) > MAX_FILES:
        raise ValueError
    files = tuple(
        ExportFile(
            _matching(_FILE_NAME, each["name"]),
            _count(each["rows"]),
            _count(each["bytes"]),
            bytes.fromhex(_matching(_HASH, each["sha256"])),
        )
        for each in value["files"]
    )
    return Manifest(
        _text(value["namespace"]),
        _text(value["tenant"]),
        _text(value["series"]),
        _count(value["run"]),
        None if value["previous"] is None else _count(value["previous"]),
        _text(value["claimed_at"]),
        _text(value["encoding"]),
        None if value["replacement"] is None else _text(value["replacement"]),
        _count(value["columns"]["version"]),
        _text(value["columns"]["sha256"]),
        _count(value["rows"]),
        _count(value["withdrawn"]),
        _count(value["erased"]),
        files,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError
    return value


def _matching(pattern: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError
    return value
