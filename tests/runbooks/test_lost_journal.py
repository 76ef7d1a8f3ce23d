"""docs/runbooks/lost-journal.md: a portal is killed in a session, its journal deleted, and all is proved again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.broker.documents import document
from tests.broker.hub import ENTRY, eventually, running
from tests.runbooks.steps import execute, headings

pytestmark = [pytest.mark.soak(target="runbooks"), pytest.mark.timeout(570)]
FIRST, SECOND, AFTER = "R7-13104-000000821", "R7-13104-000000822", "R7-13104-000000823"


def test_a_portal_without_its_journal_is_ended_and_everything_verifies(tmp_path: Path) -> None:
    assert headings("lost-journal") == [
        "Begin anew",
        "End what nobody else can end",
        "What was accepted and never sent",
    ]
    with running(tmp_path, partitions=2) as hub:
        portal = subprocess.Popen([*ENTRY, "submit", "-", "--json"], stdin=subprocess.PIPE, env=hub.environment())
        assert portal.stdin is not None
        for receipt in (FIRST, SECOND):
            portal.stdin.write(json.dumps(document(receipt), ensure_ascii=False).encode() + b"\n")
            portal.stdin.flush()
            eventually(lambda receipt=receipt: hub.run("review", "show", receipt).returncode == 0, pause=1)
        os.kill(portal.pid, signal.SIGKILL)
        portal.wait()
        portal.stdin.close()
        said = execute("lost-journal", "Begin anew", hub.home.path)
        assert "1 open" in said[0].out
        (found,) = hub.json("portal", "close-lost")
        assert (found["events"], found["state"]) == (2, "open")
        (refused,) = hub.json("portal", "close-lost", "--end", good=1)
        assert refused["error"]["code"] == "lost.alive"
        hub.submit(document(AFTER))  # nobody waits for it
        hub.stored(AFTER)
        assert [each["session"] for each in hub.json("portal", "close-lost")] == [found["session"]]
        eventually(lambda: hub.run("portal", "close-lost", "--end", "--json").returncode == 0, 240, pause=20)
        said = execute("lost-journal", "End what nobody else can end", hub.home.path)
        assert "0 closed" in said[0].out
        assert "0 open" in said[0].out
        for receipt in (FIRST, SECOND, AFTER):
            hub.stored(receipt)  # confirmed: by the administrator's checkpoint where the portal's was missing
        for each in hub.json("audit", "verify"):
            assert (each["verified"], each["unconfirmed"], each["gaps"]) == (True, 0, 0), each
        listed = execute("lost-journal", "What was accepted and never sent", hub.home.path)
        receipts = {json.loads(line)["receipt_number"] for line in listed[0].out.splitlines()}
        assert {FIRST, SECOND, AFTER} <= receipts
