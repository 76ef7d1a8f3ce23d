"""A command and a running `up` agree on the restart of a broker, over two files."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from broker.errors import BrokerDiskFull
from cli import broker_requests
from cli.broker_requests import AlreadyRestarting, NotAnswered, RestartFailed, ask, forget, serve
from cli.home import Home, NoHub, Running
from cli.stack import NoSuchBroker


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.prepare()
    made.announce(Running("127.0.0.1:1", str(made.path), "", "rehearsal", 1, [], pids={"up": os.getpid()}))
    return made


@contextmanager
def an_up(home: Home, restart: Callable[[str], None]) -> Iterator[None]:
    """Serves, as `up` does, until we leave."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.01):
            serve(home, restart)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_broker_is_restarted_once_for_each_question(home: Home) -> None:
    done: list[str] = []
    with an_up(home, done.append):
        ask(home, "broker-2")
        ask(home, "broker-3")
    assert done == ["broker-2", "broker-3"]


@pytest.mark.parametrize(
    "error", [NoSuchBroker("(broker-9)"), BrokerDiskFull("(here)"), OSError("path"), TimeoutExpired("java", 90)]
)
def test_what_goes_wrong_is_the_askers_to_hear_and_the_hub_goes_on(home: Home, error: Exception) -> None:
    def restart(name: str) -> None:
        raise error

    with an_up(home, restart):
        for _ in range(2):
            with pytest.raises(RestartFailed) as told:
                ask(home, "broker-9")
    assert getattr(error, "code", type(error).__name__) in str(told.value)
    assert "path" not in str(told.value)


def test_one_command_at_a_time(home: Home) -> None:
    with (home.run / "broker.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRestarting):
            ask(home, "broker-1")
    assert not (home.run / "broker.request").exists()


def test_an_up_that_does_not_know_of_requests_is_told_from_one_at_work(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_requests, "_TAKEN_SECONDS", 0.05)
    with pytest.raises(NotAnswered):
        ask(home, "broker-1")
    assert not (home.run / "broker.request").exists()  # nobody does it later
    with an_up(home, lambda _: time.sleep(0.5)):
        monkeypatch.setattr(broker_requests, "_TAKEN_SECONDS", 30)
        ask(home, "broker-1")


def test_an_up_that_ends_meanwhile_leaves_nobody_waiting(home: Home) -> None:
    def dies(name: str) -> None:
        home.withdraw()
        time.sleep(0.5)
        raise BrokerDiskFull

    with an_up(home, dies), pytest.raises(NoHub):
        ask(home, "broker-1")


def test_what_was_asked_of_another_up_is_not_done(home: Home) -> None:
    (home.run / "broker.request").write_text(json.dumps({"id": "1", "broker": "broker-1"}))
    forget(home)
    done: list[str] = []
    serve(home, done.append)
    assert done == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": 3}'])
def test_a_damaged_question_restarts_nobody(home: Home, text: str) -> None:
    (home.run / "broker.request").write_text(text)
    done: list[str] = []

    def restart(name: str) -> None:
        if not name:
            raise NoSuchBroker
        done.append(name)

    serve(home, restart)
    assert done == []
    assert not (home.run / "broker.request").exists()
