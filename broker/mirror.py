"""MirrorMaker 2 as a child process: copies topics from one Kafka to another, exactly once, under the same names.

    <directory>/  mirror.json   tls.crt tls.key ca.crt   config/ logs/ tmp/

Its jars are its own (`mirror.lock`), so that no broker's start is burdened with them. Apache published no
`connect-mirror` of Kafka 4.4.0; 4.3.1 is the newest, whole with its own libraries (docs/decisions/0263).

    python -m broker.mirror list | fetch DIRECTORY | lock      as `python -m broker.jars`
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from broker import java
from broker.configuration import CIPHER_SUITES
from broker.errors import MirrorFailed, MirrorInUse
from broker.jars import GROUP, cache_directory, class_path, read_lock, resolve, write_lock
from broker.process import KeptProcess
from hub.crypto.certificates import write_private

LOCK: Final = Path(__file__).parent / "mirror.lock"
ARTIFACT: Final = "connect-mirror"
VERSION: Final = "4.3.1"
_EXTRA: Final = (
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.5"),
    ("org.apache.logging.log4j", "log4j-api", "2.25.5"),
    ("org.apache.logging.log4j", "log4j-core", "2.25.5"),
)
_LEFT_OUT: Final = frozenset({"jaxb-api", "activation", "javax.activation-api"})
"""of Connect's REST server, which is never started; the only ones under the CDDL alone"""
_MAIN: Final = "org.apache.kafka.connect.mirror.MirrorMaker"
CONNECTOR: Final = "MirrorSourceConnector"
SOURCE: Final = "source"
COPY: Final = "copy"
_KEYSTORE: Final = "config/keystore.pem"
_PROPERTIES: Final = "config/mirror.properties"
_RECORD_BYTES: Final = 17 * 2**20
"""of the largest topic, with its batch"""
_TRANSACTION_SECONDS: Final = 30
"""how long a mirror that hangs can hold up who reads the copy"""


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """`bootstrap`s are `host:port[,host:port]`; `topics` are copied; the others are the mirror's own at the copy."""

    source: str
    copy: str
    topics: Sequence[str]
    group: str
    offsets: str
    status: str
    configs: str

    def properties(self) -> Mapping[str, str]:
        """What MirrorMaker is told. Paths are relative to its directory."""
        made = {
            "clusters": f"{SOURCE},{COPY}",
            f"{SOURCE}.bootstrap.servers": self.source,
            f"{COPY}.bootstrap.servers": self.copy,
            f"{SOURCE}->{COPY}.enabled": "true",
            f"{COPY}->{SOURCE}.enabled": "false",
            # sessions, seals and lanes name topic and partition: both stay as they are
            "replication.policy.class": "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
            f"{SOURCE}->{COPY}.topics": ",".join(each.replace(".", "[.]") for each in self.topics),
            "tasks.max": "1",
            # only what a transaction committed, each record once; how far it is goes into the same transaction
            f"{SOURCE}.consumer.isolation.level": "read_committed",
            f"{COPY}.exactly.once.source.support": "enabled",
            f"{COPY}.transaction.boundary": "poll",
            # topics, configurations and rights of the copy come from the declaration, not from the source
            "sync.topic.configs.enabled": "false",
            "sync.topic.acls.enabled": "false",
            # offsets differ; nobody's place is translated (docs/decisions/0264)
            "emit.heartbeats.enabled": "false",
            "heartbeats.replication.enabled": "false",
            "emit.checkpoints.enabled": "false",
            "sync.group.offsets.enabled": "false",
            "emit.offset-syncs.enabled": "false",
            "refresh.groups.enabled": "false",
            "refresh.topics.interval.seconds": "60",
            "dedicated.mode.enable.internal.rest": "false",
            f"{COPY}.topic.tracking.enabled": "false",
            f"{COPY}.plugin.discovery": "service_load",
            f"{COPY}.group.id": self.group,
            f"{COPY}.offset.storage.topic": self.offsets,
            f"{COPY}.status.storage.topic": self.status,
            f"{COPY}.config.storage.topic": self.configs,
            f"{COPY}.offset.storage.partitions": "1",
            f"{COPY}.status.storage.partitions": "1",
            f"{COPY}.offset.storage.replication.factor": "-1",
            f"{COPY}.status.storage.replication.factor": "-1",
            f"{COPY}.config.storage.replication.factor": "-1",
            f"{COPY}.producer.max.request.size": str(_RECORD_BYTES + 2**20),
            f"{COPY}.producer.buffer.memory": str(40 * 2**20),
            f"{COPY}.producer.transaction.timeout.ms": str(_TRANSACTION_SECONDS * 1_000),
            f"{SOURCE}.consumer.max.partition.fetch.bytes": str(_RECORD_BYTES + 2**20),
            f"{SOURCE}.consumer.fetch.max.bytes": str(_RECORD_BYTES + 2**20),
            f"{SOURCE}.consumer.max.poll.records": "500",
        }
        for cluster in (SOURCE, COPY):
            made |= {f"{cluster}.{key}": value for key, value in _TLS.items()}
        return made


_TLS: Final = {
    "security.protocol": "SSL",
    "ssl.enabled.protocols": "TLSv1.3",
    "ssl.protocol": "TLSv1.3",
    "ssl.cipher.suites": ",".join(CIPHER_SUITES),
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": _KEYSTORE,
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": "ca.crt",
    "ssl.endpoint.identification.algorithm": "https",
}


def jars(directory: Path | None = None) -> list[Path]:
    """The verified jars, downloaded if they are not there yet. Raises JarsUnavailable, JarMismatch."""
    where = directory or (
        cache_directory() if "HUB_JARS" in os.environ else cache_directory().parent / f"mirror-{VERSION}"
    )
    return class_path(read_lock(LOCK), where)


class Mirror:
    """MirrorMaker in a directory with `tls.crt`, `tls.key` and `ca.crt`. Blocking; ends with our process."""

    def __init__(self, directory: Path, settings: MirrorSettings, *, heap: str = "384m") -> None:
        """Prepare; nothing runs yet. `heap` is Java's `-Xmx`: some records of 16 MiB have to fit at once."""
        self.directory: Final = directory.resolve()
        self._settings = settings
        self._heap = heap
        self._process: KeptProcess | None = None
        self._lock: IO[str] | None = None

    @property
    def pid(self) -> int:
        """Process id of Java; 0 when it does not run."""
        return self._process.pid if self._process and self._process.running() else 0

    def start(self) -> None:
        """Start it; whether it copies is said by its status topic. Raises MirrorInUse, JarsUnavailable, JarMismatch."""
        found = jars()
        for name in ("config", "logs", "tmp"):
            (self.directory / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = (self.directory / ".lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._forget()
            raise MirrorInUse(f"({self.directory})") from None
        pem = (self.directory / "tls.key").read_bytes() + (self.directory / "tls.crt").read_bytes()
        write_private(self.directory / _KEYSTORE, pem)
        lines = (f"{key}={value}\n" for key, value in self._settings.properties().items())
        (self.directory / _PROPERTIES).write_text("".join(lines), "ascii")
        (self.directory / "config" / "log4j2.xml").write_text(_LOGGING, "ascii")
        self._process = KeptProcess(
            java.command(found, self._heap, _MAIN, _PROPERTIES),
            directory=self.directory,
            environment=java.environment(),
            console=self.directory / "logs" / "console.log",
            hold=self._lock.fileno(),
        )

    def check(self) -> None:
        """Raise MirrorFailed if it has ended."""
        if not self.pid:
            raise MirrorFailed(f"(in {self.directory})\n{self._last_words()}")

    def stop(self) -> None:
        """Stop in order: what is under way is committed or aborted."""
        if self._process is not None:
            self._process.stop()
        self._forget()

    def _forget(self) -> None:
        self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _last_words(self) -> str:
        said = []
        for name in ("console.log", "mirror.log"):
            log = self.directory / "logs" / name
            lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
            said += [line for line in lines if not line.startswith("\tat ")][-8:]
        return "\n".join(said)


_LOGGING: Final = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR">
  <Appenders>
    <RollingFile name="mirror" fileName="logs/mirror.log" filePattern="logs/mirror.%i.log">
      <PatternLayout pattern="%d{ISO8601} %p %m (%c)%n"/>
      <Policies><SizeBasedTriggeringPolicy size="20 MB"/></Policies><DefaultRolloverStrategy max="3"/>
    </RollingFile>
  </Appenders>
  <Loggers>
    <Logger name="org.apache.kafka.common.config" level="WARN"/>
    <Logger name="org.apache.kafka.clients" level="WARN"/>
    <Logger name="org.apache.kafka.connect.runtime.isolation" level="ERROR"/>
    <Root level="INFO"><AppenderRef ref="mirror"/></Root>
  </Loggers>
</Configuration>
"""


def main(arguments: Sequence[str]) -> int:
    """The three commands of the module's docstring."""
    match list(arguments):
        case ["list"]:
            for jar in read_lock(LOCK):
                sys.stdout.write(f"{jar.coordinates}  {jar.file}  {jar.sha256}\n")
        case ["fetch", directory]:
            count = len(jars(Path(directory)))
            sys.stdout.write(f"{count} jars of MirrorMaker {VERSION} in {directory}, verified\n")
        case ["lock"]:
            write_lock(LOCK, {"jars": resolve((GROUP, ARTIFACT, VERSION), _EXTRA, without=_LEFT_OUT)})
        case _:
            sys.stdout.write("usage: python -m broker.mirror list | fetch DIRECTORY | lock\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
