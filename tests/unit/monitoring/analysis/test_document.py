"""The page says what the table says."""

from __future__ import annotations

from pathlib import Path

from monitoring.analysis.document import main, page
from monitoring.analysis.rules import RULES
from monitoring.analysis.settings import AnalysisSettings

ROOT = Path(__file__).parents[4]


def test_the_committed_page_is_the_generated_one(tmp_path: Path) -> None:
    assert (ROOT / "docs" / "analysis.md").read_text(encoding="utf-8") == page(), "make docs"
    assert main([str(tmp_path / "docs" / "analysis.md")]) == 0
    assert (tmp_path / "docs" / "analysis.md").read_text(encoding="utf-8") == page()


def test_every_rule_and_setting_is_explained() -> None:
    text = page()
    for rule in RULES:
        assert text.count(f"`{rule.name}`") >= 2
        assert rule.do in text
    for name, field in AnalysisSettings.model_fields.items():
        assert f"`HUB_ANALYSIS_{name.upper()}`" in text
        assert field.description
