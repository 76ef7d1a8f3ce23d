"""Every line once, through renames and cuts; what went away unread is told."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from monitoring.operations import follower as module
from monitoring.operations.follower import Follower, Look


def took(follower: Follower) -> list[bytes]:
    """Look until there is no more."""
    found: list[bytes] = []
    while True:
        look = follower.look()
        assert look.readable
        assert not look.lost
        follower.taken(look)
        found += look.lines
        if not look.more:
            return found


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "network.log"
    path.write_bytes(b"")
    return path


@pytest.fixture
def follower(log: Path) -> Follower:
    return Follower(log.parent, "network")


def add(log: Path, data: bytes) -> None:
    with log.open("ab") as file:
        file.write(data)


def roll(log: Path, number: int) -> None:
    """What Kafka does: the file gets another name, and a new one its own."""
    log.rename(log.with_name(f"network.{number}.log"))
    log.write_bytes(b"")


def test_lines_come_once_and_a_half_line_waits(log: Path, follower: Follower) -> None:
    add(log, b"one\ntwo\nthr")
    assert took(follower) == [b"one", b"two"]
    assert took(follower) == []
    add(log, b"ee\n")
    assert took(follower) == [b"three"]


def test_a_look_that_was_not_taken_comes_again(log: Path, follower: Follower) -> None:
    add(log, b"one\n")
    assert follower.look().lines == [b"one"]
    assert took(follower) == [b"one"]


def test_another_process_goes_on_where_the_last_one_stopped(log: Path, follower: Follower) -> None:
    add(log, b"one\n")
    took(follower)
    roll(log, 1)
    add(log, b"two\n")
    assert took(Follower(log.parent, "network", follower.places)) == [b"two"]


def test_renamed_files_are_read_to_their_end_in_order(log: Path, follower: Follower) -> None:
    add(log, b"one\n")
    took(follower)
    add(log, b"two\n")
    roll(log, 1)
    add(log, b"three\n")
    roll(log, 2)
    add(log, b"four\nfi")
    assert took(follower) == [b"two", b"three", b"four"]
    (log.parent / "network.1.log").unlink()
    assert took(follower) == [], "it was read, so nothing is lost"


def test_a_renamed_file_that_ends_in_a_half_line_gives_it(log: Path, follower: Follower) -> None:
    add(log, b"one\ntw")
    took(follower)
    roll(log, 1)
    assert took(follower) == [b"tw"]


@pytest.mark.parametrize("how", ["removed", "cut", "cut short", "written over", "renamed away"])
def test_what_went_away_before_it_was_read_is_told_once(log: Path, follower: Follower, how: str) -> None:
    add(log, b"one\n" * 50)
    took(follower)
    if how == "cut short":
        with log.open("r+b") as file:
            file.truncate(100)
    elif how == "removed":
        log.unlink()
        log.write_bytes(b"new\n")
    elif how == "cut":
        log.write_bytes(b"")
        add(log, b"n\n")
    elif how == "written over":
        log.write_bytes(b"new one, and longer\n" * 10)
    else:
        log.rename(log.with_name("elsewhere"))
        log.write_bytes(b"new\n")
    look = follower.look()
    assert look.lost
    follower.taken(look)
    assert not follower.look().lost
    assert look.lines in ([b"new"], [b"n"], [b"new one, and longer"] * 10, [b"one"] * 25)


def test_a_long_line_is_passed_over_whole(log: Path, follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody puts where it would be cut must not be read as a line."""
    monkeypatch.setattr(module, "MAX_READ_BYTES", 100)
    add(log, b"one\n" + b"x" * 100 + b"forged" * 40)
    found = took(follower)
    assert found[0] == b"one"
    assert len(found) == 2
    assert b"forged" not in found
    again = Follower(log.parent, "network", follower.places)
    add(log, b"forged\nthree\n")
    assert took(again) == [b"three"]


def test_a_bound_is_kept_and_there_is_more(log: Path, follower: Follower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_READ_BYTES", 100)
    add(log, b"".join(b"line %03d\n" % number for number in range(50)))
    look = follower.look()
    assert look.more
    assert sum(map(len, look.lines)) <= 100
    assert took(follower) == [b"line %03d" % number for number in range(50)]


def test_other_files_and_links_are_not_read(log: Path, follower: Follower, tmp_path: Path) -> None:
    for name in ("server.log", "network.log.gz", "network.x.log", "networks.log", "network.1.logx"):
        (tmp_path / name).write_bytes(b"no\n")
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret\n")
    add(log, b"one\n")
    assert took(follower) == [b"one"]
    log.unlink()
    log.symlink_to(secret)
    assert follower.look() == Look((), follower.places, readable=False)


def test_no_directory_and_no_file_are_not_readable(tmp_path: Path) -> None:
    assert not Follower(tmp_path / "none", "network").look().readable
    assert not Follower(tmp_path, "network").look().readable


@pytest.mark.parametrize("seed", range(12))
def test_against_a_plain_list(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random writes, renames, looks, restarts: all lines, once, in order."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    monkeypatch.setattr(module, "MAX_READ_BYTES", chance.choice((64, 500, 10_000)))
    log = tmp_path / "network.log"
    log.write_bytes(b"")
    follower, number, rolled = Follower(tmp_path, "network"), 0, 0
    found: list[bytes] = []
    for _ in range(120):
        match chance.randrange(5):
            case 0 | 1:
                for _ in range(chance.randrange(1, 9)):
                    add(log, b"%d %s\n" % (number, b"x" * chance.randrange(30)))
                    number += 1
            case 2:
                rolled += 1
                roll(log, rolled)
            case 3:
                follower = Follower(tmp_path, "network", follower.places)
            case 4:
                look = follower.look()
                assert not look.lost
                if chance.random() < 0.8:
                    follower.taken(look)
                    found += look.lines
    found += took(follower)
    assert [int(line.partition(b" ")[0]) for line in found] == list(range(number))
