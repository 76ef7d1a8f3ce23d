"""What `monitor analyse` refuses before it starts anything."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from cli.main import app


@pytest.mark.parametrize("moment", ["yesterday", "2026-02-01T00:00:00", "2026-02-30T00:00:00+09:00"])
def test_a_moment_that_is_none_is_wrong_usage(moment: str) -> None:
    done = CliRunner().invoke(app, ["monitor", "analyse", "--until", moment])
    assert done.exit_code == 2, done.output
    assert "2026-02-01T00:00:00+09:00" in done.output


def test_without_faust_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.monitor.analyse.FAUST", "a-package-that-is-not-there")
    done = CliRunner().invoke(app, ["monitor", "analyse"])
    assert done.exit_code == 1
    assert "eltax-hub[analysis]" in done.output
