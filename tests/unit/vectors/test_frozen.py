"""Version 1 does not change any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas import registry
from tests.vectors import freeze


def test_nothing_frozen_was_changed() -> None:
    now = freeze.found()
    changed = [name for name, line in freeze.frozen().items() if now.get(name) != line]
    assert not changed, f"{', '.join(changed)}\n\n{freeze.ADVICE}"


def test_everything_is_frozen() -> None:
    new = sorted(freeze.found().keys() - freeze.frozen().keys())
    assert not new, f"not frozen yet: {', '.join(new)}; if it is as it shall stay: python -m tests.vectors.freeze"


def test_the_list_is_of_what_the_hub_uses() -> None:
    said = {line.split()[2]: (line.split()[1], int(line.split()[3])) for line in _contracts()}
    rows = registry.read_lock().rows
    assert said == {f"{row.name}.{row.version}": (row.sha256, row.schema_id) for row in rows.values()}


def _contracts() -> list[str]:
    return [line for name, line in freeze.frozen().items() if name.startswith("contract ")]


def test_freezing_adds_and_never_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = freeze.frozen()
    listed = tmp_path / "FROZEN"
    monkeypatch.setattr(freeze, "LIST", listed)
    some = sorted(lines.values())[3:]
    listed.write_text("".join(f"{line}\n" for line in some))
    assert freeze.main() == 0 and freeze.frozen() == lines
    altered = listed.read_text().replace(" Session.1 ", " Session.1 9")
    listed.write_text(altered)
    assert freeze.main() == 1 and listed.read_text() == altered
    assert "contract Session.1" in capsys.readouterr().err
