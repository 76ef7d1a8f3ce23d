"""Log lines are JSON with known keys; content cannot get in, by whatever door it tries."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from hub.envelope.reasons import Reason
from monitoring.describing import described
from monitoring.logs import KEYS, WITHHELD, LibraryHandler, configure, presentable
from monitoring.metrics import Metrics
from schemas.errors import HubError

NAME = "見本太郎"
KANA = "ミホンタロウ"
ADDRESS = "テスト区架空町一丁目"
NUMBER = "123456789012"
ASCII_NAME = "MIHON TARO MARKED"
MARKS = (NAME, KANA, ADDRESS, NUMBER, ASCII_NAME)


def traces(marked: str) -> Iterator[bytes]:
    """Yield every form in which a marked text could have got out."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "cp932"):
        raw = marked.encode(encoding)
        yield raw
        yield raw.hex().encode()
        for shift in range(3):  # base64 at every alignment, without the characters that depend on neighbours
            coded = base64.b64encode(b"\0" * shift + raw)
            yield coded[4 if shift else 0 : -4]
    escaped = json.dumps(marked)[1:-1].encode()
    yield escaped
    yield escaped.upper() if not marked.isascii() else escaped
    yield repr(marked.encode("utf-8"))[2:-1].encode()
    yield marked.encode("unicode_escape")


def assert_clean(data: bytes) -> None:
    for marked in MARKS:
        for trace in traces(marked):
            assert trace not in data, (marked, trace)


def test_the_search_itself_finds_each_form() -> None:
    for marked in MARKS:
        for plain in (
            marked.encode("utf-8"),
            marked.encode("cp932"),
            base64.b64encode(b"xx" + marked.encode("utf-16-le") + b"yyy"),
            json.dumps({"a": marked}).encode(),
        ):
            with pytest.raises(AssertionError):
                assert_clean(b"before " + plain + b" after")


class Refusal(HubError):
    """Something was refused."""

    code = "refused-for-test"


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "role.log"
    configured = configure(principal="review-131041", instance="desk-1", file=file)
    try:
        yield file
    finally:
        configured.close()


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="ascii").splitlines()]


def test_a_line_says_when_who_and_what(written: Path) -> None:
    structlog.get_logger().info("started", command="consume review", count=3)
    (line,) = lines(written)
    assert list(line)[:5] == ["timestamp", "level", "event", "principal", "instance"]
    moment = datetime.fromisoformat(str(line.pop("timestamp")))
    assert moment.utcoffset() is not None and not moment.utcoffset()
    assert line == {
        "level": "info",
        "event": "started",
        "principal": "review-131041",
        "instance": "desk-1",
        "command": "consume review",
        "count": 3,
    }


@pytest.mark.parametrize(
    "value",
    [
        NAME,
        f"refused {NAME}",
        "two\nlines",
        "\x1b[31mred",
        "\x7f",
        "a" * 201,
        NUMBER,
        f"id {NUMBER} x",
        123456789012,
        1234567890123,
        b"bytes",
        [NAME],
        {"a": NAME},
        ValueError(NAME),
        Path("/tmp"),
    ],
    ids=repr,
)
def test_what_could_be_content_is_withheld_and_counted(written: Path, value: object) -> None:
    metrics = Metrics(procedures=())
    metrics.families()
    before = metrics.value("hub_log_values_withheld_total")
    structlog.get_logger().warning("happened", about=value)
    (line,) = lines(written)
    assert (line["about"], line["withheld"]) == (WITHHELD, 1)
    metrics.families()
    assert metrics.value("hub_log_values_withheld_total") == before + 1


@pytest.mark.parametrize(
    "value",
    [
        "R7-13104-000000017",
        "ab" * 32,
        "0193b3f0-7c1e-7abc-8def-123456789012",  # an event id whose last group happens to be digits
        "rehearsal.131041.review",
        "2026-04-01T09:00:00.000+00:00",
        10**11 - 1,
        0.25,
        True,
        None,
    ],
)
def test_ids_counts_and_codes_pass(value: object) -> None:
    assert presentable(value)


def test_a_code_of_an_enum_is_written_as_its_text(written: Path) -> None:
    structlog.get_logger().info("happened", reason=Reason.BAD_MAC)
    assert lines(written)[0]["reason"] == "bad-mac"


def test_an_unknown_key_is_dropped_with_its_value(written: Path) -> None:
    structlog.get_logger().info("happened", decedent_name="MIHON", **{NAME: 1})
    (line,) = lines(written)
    assert line["withheld"] == 2
    assert set(line) <= KEYS
    assert "MIHON" not in written.read_text()


def test_the_event_itself_is_held_to_the_rule(written: Path) -> None:
    structlog.get_logger().info(f"submission of {NAME}")
    assert lines(written)[0]["event"] == WITHHELD


@given(st.text(max_size=250) | st.binary() | st.integers() | st.floats())
def test_every_line_is_one_line_of_plain_json(value: object) -> None:
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", stream)
        configured = configure(principal="portal", instance="a")
        try:
            structlog.get_logger().info("happened", about=value, count=value)
        finally:
            configured.close()
    (line,) = stream.getvalue().splitlines()
    assert line.isascii() and line.isprintable()
    json.loads(line)


def test_an_error_is_class_code_and_place_never_text(written: Path) -> None:
    try:
        raise Refusal(NAME) from ValueError(ASCII_NAME)
    except Refusal:
        structlog.get_logger().error("failed", exc_info=True)
    (line,) = lines(written)
    assert (line["exception"], line["code"]) == ("Refusal", "refused-for-test")
    assert re.fullmatch(r"tests\.unit\.monitoring\.test_logs:\d+", str(line["where"]))
    assert_clean(written.read_bytes())


def test_of_a_group_of_errors_the_classes_of_its_leaves_are_told() -> None:
    group = ExceptionGroup(NAME, [ValueError(NAME), ExceptionGroup(NAME, [Refusal(NAME), OSError(NAME)])])
    assert described(group) == {"exception": "OSError,Refusal,ValueError", "code": "refused-for-test"}


def test_what_libraries_say_loses_its_text(written: Path) -> None:
    for logger in ("aiokafka.consumer", "asyncio", "sqlalchemy.engine"):
        logging.getLogger(logger).warning("record %s of %r", NAME, NUMBER)
        try:
            raise UnicodeError(ADDRESS)
        except UnicodeError:
            logging.getLogger(logger).exception(ASCII_NAME)
        logging.getLogger(logger).info("unheard %s", NAME)
    told = lines(written)
    assert [(line["event"], line["level"], line["logger"]) for line in told[:2]] == [
        ("library", "warning", "aiokafka.consumer"),
        ("library", "error", "aiokafka.consumer"),
    ]
    assert len(told) == 6
    assert told[1]["exception"] == "UnicodeError"
    assert_clean(written.read_bytes())


def test_a_library_that_says_the_same_again_and_again_is_counted(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    (ours,) = (handler for handler in logging.getLogger().handlers if isinstance(handler, LibraryHandler))
    monkeypatch.setattr(ours, "_clock", lambda: now)
    for _ in range(300):
        logging.getLogger("aiokafka").error("no broker")
    logging.getLogger("aiokafka").warning("no broker")
    logging.getLogger("aiokafka.consumer").error("no broker")
    now += 10.0
    for _ in range(5):
        logging.getLogger("aiokafka").error("no broker")
    now += 10.0
    logging.getLogger("aiokafka").error("no broker")
    found = [(line["logger"], line["level"], line.get("count")) for line in lines(written)]
    assert found == [
        ("aiokafka", "error", None),
        ("aiokafka", "warning", None),
        ("aiokafka.consumer", "error", None),
        ("aiokafka", "error", 300),
        ("aiokafka", "error", 5),
    ]


def test_a_library_message_that_does_not_fit_its_arguments_prints_nothing(
    written: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = [handler for handler in logging.getLogger().handlers if isinstance(handler, LibraryHandler)]
    monkeypatch.setattr(logging.getLogger(), "handlers", ours)  # pytest's own would format the message
    logging.getLogger("aiokafka").warning("%d %d", NAME)
    assert lines(written)[0]["event"] == "library"
    assert_clean(written.read_bytes())
    assert capfd.readouterr().err == ""


def test_the_file_is_private_and_appended(tmp_path: Path) -> None:
    file = tmp_path / "role.log"
    for number in range(2):
        configured = configure(principal="portal", instance="a", file=file)
        structlog.get_logger().info("happened", count=number)
        configured.close()
    assert [json.loads(line)["count"] for line in file.read_text().splitlines()] == [0, 1]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_loses_lines_not_work() -> None:
    metrics = Metrics(procedures=())
    metrics.families()
    before = metrics.value("hub_log_lines_lost_total")
    configured = configure(principal="portal", instance="a", file=Path("/dev/full"))
    structlog.get_logger().info("happened")
    configured.close()
    metrics.families()
    assert metrics.value("hub_log_lines_lost_total") == before + 1


def test_closing_restores_what_was_there() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    configure(principal="portal", instance="a").close()
    assert (list(root.handlers), root.level) == before


PRELUDE = """
import asyncio, gc, logging, sys, threading, warnings
from monitoring.hooks import install_loop_hook
from monitoring.logs import configure, install_hooks
from schemas.errors import HubError
class Refusal(HubError):
    'Something was refused.'
    code = "refused-for-test"
configure(principal="router", instance="a")
install_hooks()
text = sys.stdin.read()
"""


def run(program: str) -> tuple[int, list[dict[str, object]], bytes]:
    """Run a program as a role process would run, with marked text on its standard input."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "default", "-c", PRELUDE + program],
        input="|".join(MARKS).encode(),
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith(b"{")]
    return done.returncode, told, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("program", "event", "exception"),
    [
        ("raise ValueError(text)", "uncaught", "ValueError"),
        ("raise Refusal(text) from ValueError(text)", "uncaught", "Refusal"),
        ("raise ExceptionGroup(text, [ValueError(text), Refusal(text)])", "uncaught", "Refusal,ValueError"),
        ("{}[text]", "uncaught", "KeyError"),
        ("text.encode('ascii')", "uncaught", "UnicodeEncodeError"),
        ("eval(text)", "uncaught", "SyntaxError"),
        ("type(text, (Exception,), {})\nraise type(text, (Exception,), {})(text)", "uncaught", WITHHELD),
        (
            "def work(): raise ValueError(text)\n"
            "thread = threading.Thread(target=work, name=text)\nthread.start(); thread.join()",
            "uncaught-in-thread",
            "ValueError",
        ),
        (
            "class Broken:\n    def __del__(self): raise ValueError(text)\nBroken(); gc.collect()",
            "unraisable",
            "ValueError",
        ),
        ("warnings.warn(text)", "warning", "UserWarning"),
        ("warnings.warn_explicit(text, DeprecationWarning, text, 1)", "warning", "DeprecationWarning"),
        (
            "async def work(): raise ValueError(text)\n"
            "async def main():\n    task = asyncio.create_task(work(), name=text)\n"
            "    await asyncio.sleep(0); del task; gc.collect()\n"
            "asyncio.run(main())",
            "library",
            "ValueError",
        ),
        (
            "async def work(): raise ValueError(text)\n"
            "async def main():\n    install_loop_hook(asyncio.get_running_loop())\n"
            "    task = asyncio.create_task(work(), name=text)\n"
            "    await asyncio.sleep(0); del task; gc.collect()\n"
            "asyncio.run(main())",
            "uncaught-in-loop",
            "ValueError",
        ),
        (
            "async def main():\n    asyncio.get_running_loop().call_soon(lambda: 1 / 0, context=None)\n"
            "    await asyncio.sleep(0.01)\n"
            "asyncio.run(main())",
            "library",
            "ZeroDivisionError",
        ),
        ("logging.getLogger(text).error('%s', text)", "library", None),
    ],
)
def test_no_door_lets_content_out(program: str, event: str, exception: str | None) -> None:
    _, told, everything = run(program)
    assert_clean(everything)
    assert b"Traceback" not in everything
    assert (event, exception) in [(line["event"], line.get("exception")) for line in told]


def test_a_process_that_dies_of_an_error_still_says_so_by_its_status() -> None:
    assert run("raise ValueError(text)")[0] == 1


def test_an_interpreter_crash_shows_places_and_no_values() -> None:
    status, _, everything = run("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    assert status < 0
    assert b"Fatal Python error" in everything
    assert_clean(everything)
