"""The jars that make up Kafka: pinned, verified before use, fetched once, and a clear word when that is impossible."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from broker import jars as module
from broker.errors import JarMismatch, JarsUnavailable, LockDamaged
from broker.jars import LOCK, Jar, cache_directory, class_path, from_maven, jars_of, main, read_agents, read_lock

CONTENT = {"first": b"first jar", "second": b"second jar"}
JARS = tuple(Jar("org.example", name, "1.0", hashlib.sha256(content).hexdigest()) for name, content in CONTENT.items())


class Source:
    """Gives what it is asked for, and remembers it."""

    def __init__(self, content: dict[str, bytes] | None = None) -> None:
        self.asked: list[str] = []
        self._content = CONTENT if content is None else content

    def __call__(self, jar: Jar, scratch: Path) -> Path:
        self.asked.append(jar.artifact)
        path = scratch / jar.file
        path.write_bytes(self._content[jar.artifact])
        return path


def names(directory: Path) -> set[str]:
    return {each.name for each in directory.iterdir()}


def nowhere(jar: Jar, scratch: Path) -> Path:
    raise AssertionError("nothing was to be downloaded")


def test_the_first_start_fetches_and_the_second_needs_no_source(tmp_path: Path) -> None:
    source = Source()
    first = class_path(JARS, tmp_path / "jars", fetch=source)
    assert [path.read_bytes() for path in first] == list(CONTENT.values())
    assert sorted(source.asked) == sorted(CONTENT)
    assert class_path(JARS, tmp_path / "jars", fetch=nowhere) == first


def test_only_what_is_missing_is_fetched(tmp_path: Path) -> None:
    class_path(JARS, tmp_path, fetch=Source())
    (tmp_path / JARS[1].file).unlink()
    source = Source()
    class_path(JARS, tmp_path, fetch=source)
    assert source.asked == ["second"]


def test_a_source_that_gives_another_jar_is_caught_before_the_cache(tmp_path: Path) -> None:
    with pytest.raises(JarMismatch, match=r"second-1\.0\.jar"):
        class_path(JARS, tmp_path / "jars", fetch=Source({**CONTENT, "second": b"something else"}))
    assert names(tmp_path / "jars") <= {".lock", JARS[0].file}


def test_a_jar_changed_in_the_cache_is_refused_by_name(tmp_path: Path) -> None:
    class_path(JARS, tmp_path, fetch=Source())
    (tmp_path / JARS[0].file).write_bytes(b"changed")
    with pytest.raises(JarMismatch, match=r"first-1\.0\.jar"):
        class_path(JARS, tmp_path, fetch=nowhere)


def test_an_unreachable_repository_says_what_is_missing_and_where_it_belongs(tmp_path: Path) -> None:
    unreachable = partial(from_maven, repositories={"unreachable": "http://127.0.0.1:9"})
    with pytest.raises(JarsUnavailable) as caught:
        class_path(JARS, tmp_path / "jars", fetch=unreachable)
    assert "org.example:first:1.0" in str(caught.value)
    assert str(tmp_path / "jars") in str(caught.value)
    assert "broker.jars fetch" in caught.value.advice
    assert names(tmp_path / "jars") == {".lock"}


def test_a_cache_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JarsUnavailable, match="cannot be written"):
        class_path(JARS, tmp_path / "file" / "jars", fetch=Source())


def test_two_first_starts_at_once_fetch_once(tmp_path: Path) -> None:
    source, found = Source(), list[Sequence[Path]]()
    together = threading.Barrier(2)

    def start() -> None:
        together.wait()
        found.append(class_path(JARS, tmp_path / "jars", fetch=source))

    threads = [threading.Thread(target=start) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found[0] == found[1]
    assert sorted(source.asked) == sorted(CONTENT)


def test_a_start_waits_for_another_process_that_is_fetching(tmp_path: Path) -> None:
    source = Source()
    with (tmp_path / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=class_path, args=(JARS, tmp_path), kwargs={"fetch": source})
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        assert source.asked == []
        for jar in JARS:  # the other process ends its work
            (tmp_path / jar.file).write_bytes(CONTENT[jar.artifact])
    waiting.join()
    assert source.asked == []


def test_the_committed_lock_pins_kafka_and_names_no_host() -> None:
    locked = read_lock()
    assert locked[0].coordinates == f"{module.GROUP}:{module.ARTIFACT}:{module.VERSION}"
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in locked)
    assert len({jar.file for jar in locked}) == len(locked)
    assert "://" not in LOCK.read_text("utf-8")


def test_the_cache_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUB_JARS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg" / "eltax-hub" / f"kafka-{module.VERSION}"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_directory() == tmp_path / "home" / ".cache" / "eltax-hub" / f"kafka-{module.VERSION}"
    monkeypatch.setenv("HUB_JARS", str(tmp_path / "own"))
    assert cache_directory() == tmp_path / "own"


def test_the_list_names_every_jar(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(read_lock()) + len(read_agents())
    assert all(
        jar.file in line and jar.sha256 in line for jar, line in zip((*read_lock(), *read_agents()), lines, strict=True)
    )


def test_wrong_usage_is_2() -> None:
    done = subprocess.run([sys.executable, "-m", "broker.jars", "what"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage" in done.stdout


def _locked(path: Path, *jars: Jar) -> Path:
    path.write_text(json.dumps({"jars": [asdict(jar) for jar in jars], "agents": []}))
    return path


def test_a_home_may_pin_another_kafka_which_has_a_directory_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HUB_JARS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    older = Jar(module.GROUP, module.ARTIFACT, "4.3.1", JARS[0].sha256)
    (tmp_path / "eltax-hub" / "kafka-4.3.1").mkdir(parents=True)
    (tmp_path / "eltax-hub" / "kafka-4.3.1" / older.file).write_bytes(CONTENT["first"])
    assert [path.parent.name for path in jars_of(_locked(tmp_path / "kafka-jars.json", older))] == ["kafka-4.3.1"]
    (tmp_path / "eltax-hub" / "kafka-4.3.1" / older.file).write_bytes(b"changed")
    with pytest.raises(JarMismatch):
        jars_of(tmp_path / "kafka-jars.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"jars": [{"file": "x"}]}', '{"jars": []}'])
def test_a_damaged_lock_is_no_reason_to_run_something_else(tmp_path: Path, text: str) -> None:
    (tmp_path / "kafka-jars.json").write_text(text)
    with pytest.raises(LockDamaged):
        jars_of(tmp_path / "kafka-jars.json")


def test_a_home_without_a_lock_runs_what_comes_with_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "class_path", lambda: ["ours"])
    assert jars_of(None) == jars_of(tmp_path / "kafka-jars.json") == ["ours"]
