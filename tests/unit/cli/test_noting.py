"""Who is noted: the account that a person goes by, and never without the one that the kernel knows."""

from __future__ import annotations

import os
import pwd
import socket
from pathlib import Path

import pytest

from cli.noting import Notes, Person, notes_of
from consumers.own_keys import OwnKeys
from hub.crypto.keystore import FileKeyStore
from hub.envelope.operations import Kind, fingerprint
from hub.operations.errors import Unlogged
from schemas.errors import HubError
from tests.unit.envelope.support import REVIEW, T
from tests.unit.operations.world import Desk, spool, viewed, waiting
from tests.unit.standing.world import Office

LOGIN = pwd.getpwuid(os.getuid()).pw_name


def test_the_login_stands_beside_every_other_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    here = socket.gethostname()
    assert Person.here(None, {}) == Person(LOGIN, here)
    assert Person.here("sato", {}) == Person("sato", f"{LOGIN}@{here}")
    assert Person.here(None, {"SSH_CONNECTION": "192.0.2.7 50022 192.0.2.1 22"}) == Person(LOGIN, "192.0.2.7")
    monkeypatch.setenv("LOGNAME", "somebody-else")
    assert Person.here(None, {}) == Person("somebody-else", f"{LOGIN}@{here}"), "a variable hides nobody"


def notes(directory: Path) -> Notes:
    return notes_of(Desk(directory), "review show", "sato", spool(directory))


def test_a_line_says_who_what_and_never_the_number(tmp_path: Path) -> None:
    notes(tmp_path).note(Kind.VIEWED, receipt="R8-13104-000000017", count=2)
    notes(tmp_path).note(Kind.VIEWED, receipt="\udcff", outcome="not-found")
    line, odd = (each.operation for each in waiting(spool(tmp_path)))
    assert (line.actor, line.tenant, line.about, line.count) == ("sato", T, "review show", 2)
    assert line.receipt == fingerprint("R8-13104-000000017") and odd.receipt == fingerprint("?")


def test_what_fails_is_noted_once_more_with_its_code(tmp_path: Path) -> None:
    with pytest.raises(HubError), notes(tmp_path).attempt(Kind.DECIDED, code="accept"):
        raise HubError
    with pytest.raises(ZeroDivisionError), notes(tmp_path).attempt(Kind.DECIDED):
        _ = 1 / 0
    with notes(tmp_path).attempt(Kind.DECIDED):
        pass
    lines = [each.operation for each in waiting(spool(tmp_path))]
    assert [(each.outcome, each.count) for each in lines] == [
        ("ok", 1),
        ("hub", 0),
        ("ok", 1),
        ("ZeroDivisionError", 0),
        ("ok", 1),
    ]


def test_what_cannot_be_noted_is_not_attempted(tmp_path: Path) -> None:
    log = spool(tmp_path, lines=8)
    for number in range(8):
        log.note(viewed(number))
    done = []
    with pytest.raises(Unlogged), notes_of(Desk(tmp_path), "x", "sato", log).attempt(Kind.VIEWED):
        done.append("shown")
    notes_of(Desk(tmp_path), "topics shut-out", "sato", log).tell(Kind.COMMANDED)
    assert not done and log.waiting().lost == 1, "what is only told is counted"


def test_a_key_is_read_after_it_was_noted_or_not_at_all(tmp_path: Path) -> None:
    office = Office(tmp_path)
    office.enrol()
    keys: FileKeyStore = office.keys(REVIEW)
    log = spool(tmp_path / "log")
    own = OwnKeys(REVIEW, keys, notes_of(Desk(tmp_path / "log"), "review show", "sato", log).key_used)
    assert own.of(202604) and own.of(202604) and not own.of(202601)
    (line,) = waiting(log)
    said = line.operation
    assert (said.kind, said.about, said.code, said.actor) == (Kind.KEY_USED, REVIEW, "202604", "sato")
    log.close()
    (tmp_path / "log" / "operations.db").write_bytes(b"no database of ours" * 400)
    with pytest.raises(Unlogged):
        own.of(202605)
