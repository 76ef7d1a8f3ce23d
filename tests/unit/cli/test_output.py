"""What is printed for people cannot steer their terminal, whoever wrote it."""

from __future__ import annotations

import io

import pytest

from cli import output
from tests.attacking.plugin import Attack
from tests.attacking.rows import Attacker

STEERING = {
    "clears the screen": "\x1b[2J\x1b[H",
    "sets the window's title": "\x1b]0;decided\x07",
    "goes back over the line": "accepted\r",
    "is an 8-bit control": "\x9b2J",
    "turns the direction of writing": "R8-\u202e1000",
    "hides a joiner": "a\u200db",
    "breaks the line": "a\u2028b",
    "is half a character": "\ud800",
}


def printed(*, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """The text as a cell of a table, as a line, and as an error, on a terminal."""
    out = io.StringIO()
    for name in ("console", "errors"):
        monkeypatch.setattr(output, name, output._Terminal(file=out, force_terminal=True, color_system=None, width=200))
    output.table("T", ["receipt"], [[text]])
    output.console.print(text, markup=False)
    with pytest.raises(output.typer.Exit):
        output.fail("a.code", text, text)
    return out.getvalue()


@pytest.mark.parametrize("what", STEERING)
def test_what_steers_a_terminal_is_shown_and_not_obeyed(
    monkeypatch: pytest.MonkeyPatch, what: str, attack: Attack
) -> None:
    row = attack(Attacker.PORTAL, f"puts into a receipt number or procedure what {what} of who lists it")
    said = printed(monkeypatch=monkeypatch, text=f"R8-{STEERING[what]}-1")
    assert not any(each in said for each in "\x1b\x07\r\x9b\u202e\u200d\u2028\ud800")
    assert said.count("\\") >= 4, "in each place it stands as an escape"
    row.prevented(by="command line", how="shown as an escape", within="always")


def test_texts_that_people_write_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("見本　太郎", "𠮷野", "葛󠄀城", "two\nlines\tand a tab", "[bold]no markup[/]", "naïve – “quoted”"):
        assert output.visible(text) == text
    assert "見本　太郎" in printed(monkeypatch=monkeypatch, text="見本　太郎")
