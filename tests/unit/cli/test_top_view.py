"""How a glance is drawn: narrow and wide, without colour, and with texts that would steer a terminal."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from cli.monitor.top import plain
from cli.monitor.top_view import draw, sentence
from monitoring.glance.state import Answer, Glance, Journal, Row
from tests.unit.monitoring.glance.test_state import GOOD, glance

HOSTILE = "\x1b[2J\x1b]0;title\x07[red]x[/red]\r\n\u202e" + "長" * 200


def shown(found: Glance, width: int) -> str:
    """The drawing as a terminal without colour gets it."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None, force_terminal=False).print(draw(found, width))
    return out.getvalue()


@pytest.mark.parametrize("width", [30, 60, 99, 100, 200])
def test_it_fits_every_terminal(width: int) -> None:
    from rich.cells import cell_len

    text = shown(glance({**GOOD}, Journal(0, 4, 8, 1)), width)
    assert "全て到達" in text
    assert all(cell_len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize(
    ("answer", "word"),
    [(Answer.YES, "全て到達"), (Answer.UNDER_WAY, "処理中"), (Answer.NO, "要確認"), (Answer.UNKNOWN, "不明")],
)
def test_the_answer_is_a_word_and_a_sign(answer: Answer, word: str) -> None:
    found = glance({**GOOD})
    assert word in sentence(replace(found.whole, answer=answer))


def test_numbers_that_nobody_says_are_question_marks() -> None:
    said = sentence(glance({}).whole)
    assert "受付 ?" in said
    assert "振分 ?" in said


def test_hostile_names_are_shown_and_not_obeyed() -> None:
    rows = (Row(HOSTILE, HOSTILE, 1.0),)
    found = glance({**GOOD, "monitor": "hub_ready 1\n"})
    process = replace(found.processes[0], name=HOSTILE, not_ready=(HOSTILE,), ready=False)
    paused = replace(process, paused=(HOSTILE,))
    whole = replace(found.whole, reasons=(HOSTILE,))
    hostile = replace(
        found,
        whole=whole,
        processes=(process, paused),
        letters=rows,
        controls=rows,
        paths_down=rows,
        findings=rows,
        alarms=rows,
        expiries=rows,
        operations=rows,
    )
    for width in (40, 160):
        text = shown(hostile, width)
        assert not set(text) & {"\x1b", "\x07", "\r", "\u202e"}
        assert "[red]" in text  # as text, not as markup
    json.dumps(plain(hostile), allow_nan=False)


def test_json_has_no_infinity() -> None:
    found = glance({**GOOD})
    stage = replace(found.stages[0], p99=float("inf"))
    assert json.loads(json.dumps(plain(replace(found, stages=(stage,))), allow_nan=False))["stages"][0]["p99"] is None


def test_a_control_that_stopped_refusing_stands_first_in_words() -> None:
    text = shown(glance({**GOOD, "monitor": 'hub_watch_control_refuses{control="plaintext"} 0\n'}), 120)
    assert "✘ 拒否しない" in text
    text = shown(glance({**GOOD, "monitor": 'hub_watch_control_refuses{control="plaintext"} NaN\n'}), 120)
    assert "? 判定できず" in text
