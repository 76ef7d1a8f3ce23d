"""Another language on a real hub: it opens what the portal produced, and the hub takes what it sealed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cli.home import Home
from hub.envelope.header import decode
from hub.envelope.sealed import parse
from hub.transport import BatchWriter, Endpoint, KafkaRecord, Outgoing, PartitionReader, TlsIdentity
from schemas.generator import generate
from tests.broker.hub import Hub, running
from tests.unit.envelope import test_vectors as vectors
from topics import names
from topics.declaration import read

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
JAVA = ROOT / "examples" / "java"
JAR = JAVA / "target" / "eltax-hub-reader.jar"
SPACE, TENANT, PARTITIONS = "rehearsal", "131041", 3
REVIEW = f"review-{TENANT}"


@pytest.fixture(scope="module")
def reader() -> Path:
    """The program, built if anything of it has changed. Without Maven and a JDK: left out, and a failure in CI."""
    if not os.environ.get("CI") and not (shutil.which("mvn") and shutil.which("javac")):
        pytest.skip("there is no Maven or no JDK here")
    built = subprocess.run(["make", str(JAR.relative_to(ROOT))], cwd=ROOT, capture_output=True, check=False)
    assert built.returncode == 0, (built.stdout[-3_000:], built.stderr[-1_000:])
    return JAR


@pytest.fixture(scope="module")
def hub(reader: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub for the module, with a second instance of the portal declared."""
    directory = tmp_path_factory.mktemp("hub")
    home = Home(directory / "home")
    home.prepare()
    home.declaration.write_text(
        read().replace("instances: [portal-1]", "instances: [portal-1, java-1]"), encoding="utf-8"
    )
    try:
        with running(directory, partitions=PARTITIONS) as started:
            yield started
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def java(*arguments: object, good: int = 0) -> list[dict[str, Any]]:
    """Run the reader; return what it printed."""
    done = subprocess.run(
        ["java", "-jar", str(JAR), *map(str, arguments)], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == good, (done.returncode, done.stdout[-2_000:], done.stderr[-2_000:])
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def endpoint(hub: Hub, principal: str) -> Endpoint:
    role = hub.home.role(principal)
    return Endpoint(hub.stack.bootstrap, TlsIdentity(role / "tls.crt", role / "tls.key", role / "ca.crt"), "java-test")


def records(hub: Hub, topic: str, partitions: int) -> Sequence[KafkaRecord]:
    """Read a topic whole, as it lies there."""

    async def read() -> Sequence[KafkaRecord]:
        starts = {(topic, partition): None for partition in range(partitions)}
        async with PartitionReader(endpoint(hub, "admin"), starts) as reader:
            return await reader.read_to_end()

    return asyncio.run(read())


def trusting(hub: Hub, principal: str) -> list[object]:
    role = hub.home.role(principal)
    return ["--trust", role / "trust.bin", "--administrator", role / "admin.pub"]


def opening(hub: Hub, record: KafkaRecord, sessions: Sequence[KafkaRecord], into: Path, audience: str) -> list[object]:
    """Return the arguments that open one audience's section of a record."""
    role = hub.home.role(audience)
    key = min((role / "keys").glob(f"audience.{audience}.*"))  # of this month, as the session has it
    session = decode(parse(record.value or b"").header).session.hex()
    (announced,) = (each.value for each in sessions if each.key == session.encode())
    (into / "session").write_bytes(announced or b"")
    (into / "event").write_bytes(record.value or b"")
    where = ["--topic", record.topic, "--partition", record.partition, "--partitions", PARTITIONS]
    named = ["--key", (record.key or b"").decode(), "--audience", audience]
    held = ["--key-file", key, "--passphrase-file", role / "passphrase"]
    return [*trusting(hub, audience), "--session", into / "session", "--event", into / "event", *where, *named, *held]


def as_sent(items: Any) -> Any:
    """Items without those that were not filled in, and without what the portal derived from them."""
    if isinstance(items, list):
        return [as_sent(each) for each in items]
    if not isinstance(items, dict):
        return items
    return {name: as_sent(each) for name, each in items.items() if each is not None and not name.endswith("_parsed")}


def test_python_opens_what_java_sealed(reader: Path, tmp_path: Path) -> None:
    written = tmp_path / "event.json"
    done = subprocess.run(
        ["java", "-jar", str(reader), "vectors", "tests/vectors", "--write", str(written)],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()[-2_000:]
    event = json.loads(written.read_text())
    assert event["session_id"] != vectors.EVENTS[0]["session_id"]
    vectors.test_a_second_implementation_derives_every_value_of_the_vectors(event)
    vectors.test_session_of_the_vectors_is_read_signed_and_opened(event)
    vectors.test_header_of_the_vectors_is_written_and_read(event)
    vectors.test_event_of_the_vectors_is_sealed_routed_and_opened(event)


def test_the_reader_in_java_opens_what_the_portal_produced(hub: Hub, tmp_path: Path) -> None:
    sent = next(generate(5, 1, [TENANT]))
    (accepted,) = hub.submit(sent)
    hub.stored(sent["receipt_number"])
    sessions = records(hub, names.sessions(SPACE), 1)
    written = records(hub, names.submissions(SPACE), PARTITIONS)
    (event,) = (each for each in written if each.key == accepted["event_id"].encode())
    marks = []
    for number, each in enumerate(
        each for each in written if each.partition == event.partition and (each.key or b"").startswith(b"checkpoint/")
    ):
        (tmp_path / f"checkpoint-{number}").write_bytes(each.value or b"")
        marks += ["--checkpoint", tmp_path / f"checkpoint-{number}"]

    command = opening(hub, event, sessions, tmp_path, REVIEW)
    (opened,) = java("open", *command, *marks)
    assert opened["confirmed"] is True
    assert opened["header"]["receipt_number"] == sent["receipt_number"]
    assert opened["leaf"] == parse(event.value or b"").leaf().hex()
    filing = opened["value"]["submission"]
    assert as_sent(filing["items"]) == sent["items"]
    assert [each["content"] for each in filing["attachments"]] == [
        each["content_base64"] for each in sent["attachments"]
    ]


def test_the_hub_takes_what_was_sealed_in_java(hub: Hub, tmp_path: Path) -> None:
    sent = next(generate(6, 1, [TENANT]))
    (tmp_path / "filing.json").write_text(json.dumps(sent, ensure_ascii=False), encoding="utf-8")
    role = hub.home.role("portal")
    (identity,) = (role / "keys").glob("identity.*")
    made = java(
        "seal",
        *trusting(hub, "portal"),
        *("--identity", identity, "--passphrase-file", role / "passphrase"),
        *("--audience-keys", hub.home.path / "audience-keys", "--filing", tmp_path / "filing.json"),
        *("--partitions", PARTITIONS, "--instance", "java-1", "--out", tmp_path / "out"),
    )
    assert [each["file"] for each in made] == ["session.bin", "event.bin", "checkpoint.bin", "close.bin"]

    async def write() -> None:
        async with BatchWriter(endpoint(hub, "portal")) as writer:
            for each in made:
                value = (tmp_path / "out" / each["file"]).read_bytes()
                await writer.write(each["topic"], each["partition"], [Outgoing(each["key"].encode(), value)])

    asyncio.run(write())
    shown = hub.stored(sent["receipt_number"])  # stored by the desk, and confirmed by the checkpoint
    assert shown["event_id"] == made[1]["key"]
    assert shown["items"] == sent["items"]
    log = next(each for each in hub.json("audit", "verify") if each["tenant"] == TENANT)
    assert log["verified"] and (log["gaps"], log["unconfirmed"], log["troubles"]) == (0, 0, {})
