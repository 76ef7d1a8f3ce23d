"""Each alert has a page that says what to do, with commands that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.main import app
from monitoring.prometheus.limits import Limits
from monitoring.prometheus.rules import all_alerts, files
from monitoring.prometheus.runbooks import PAGE, page

ALERTS = all_alerts()
DIRECTORY = PAGE.parent
_SECTIONS = ["## Look", "## Do", "## Escalate", "## 対応"]
_CALL = re.compile(r"eltax-hub((?: (?:-{0,2}[a-z][a-z-]*))+)")
_DECISION = re.compile(r"docs/[\w./-]+\.md")


def refused(words: list[str]) -> str:
    """What is wrong with the words after `eltax-hub`: a command or option that does not exist; empty if nothing is."""
    command: Any = typer.main.get_command(app)
    names = list(words)
    while names and hasattr(command, "commands") and not names[0].startswith("-"):
        name = names.pop(0)
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    if hasattr(command, "commands") and not command.invoke_without_command and not names:
        return "a group is no command"
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    missing = [name for name in names if name.startswith("-") and name not in options]
    return f"no option {missing[0]}" if missing else ""


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_page_with_everything_on_it(name: str) -> None:
    text = Path(ALERTS[name].runbook).read_text("utf-8")
    assert text.startswith(f"# {name}\n\n")
    places = [text.index(f"\n{section}\n") for section in _SECTIONS]
    assert places == sorted(places)
    assert re.search(r"[ぁ-ん]", text[places[-1] :])
    assert all(len(section.strip().splitlines()) > 1 for section in text.split("\n## ")[1:])
    for mentioned in re.findall(r"Hub[A-Z]\w+", text):
        assert mentioned in ALERTS, mentioned
    for document in _DECISION.findall(text):
        assert Path(document).is_file(), document


@pytest.mark.parametrize("name", ALERTS)
def test_the_commands_on_a_page_exist(name: str) -> None:
    text = Path(ALERTS[name].runbook).read_text("utf-8")
    for call in _CALL.findall(text):
        assert not refused(call.split()), call
    for line in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0].splitlines():
        assert re.match(r"eltax-hub|promtool|amtool|tail|grep|df|du|ls|ps|pgrep|top|free|timedatectl|chronyc", line), (
            line
        )


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert refused(["topics", "burn"]) == "no command burn"
    assert refused(["topics", "plan", "--all"]) == "no option --all"
    assert refused(["topics"]) == "a group is no command"
    assert not refused(["dead-letters", "list", "--json"])


def test_no_page_is_left_of_an_alert_that_is_gone_and_the_index_is_what_the_alerts_say() -> None:
    assert {path.stem for path in DIRECTORY.glob("*.md")} == {*ALERTS, "README"}
    assert PAGE.read_text("utf-8") == page(), "run `make docs`"


def test_an_alert_bears_the_link_to_its_page() -> None:
    text = "".join(files(Limits.packaged(), runbooks="https://hub.example.invalid/").values())
    for alert in ALERTS.values():
        assert f"runbook_url: 'https://hub.example.invalid/docs/runbooks/alerts/{alert.name}.md'" in text
