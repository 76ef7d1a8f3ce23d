"""Apicurio Registry from its Maven archive: a Confluent-compatible schema registry for trials, tests and small sites.

It runs on loopback, without TLS: the released build cannot ask for client certificates (`quarkus.http.ssl.client-auth`
is fixed when Apicurio is built; told to require them it starts with a warning and lets everybody in). Others reach it
through `broker.registry_door`. The archive is pinned by SHA-256, verified and unpacked anew at every start.

    python -m broker.apicurio fetch DIRECTORY   the archive, for a machine that has no network (HUB_JARS)
    python -m broker.apicurio serve DIRECTORY HOST:PORT CERTIFICATE KEY CA [PRINCIPAL…]
                                                a registry with its door, until a signal; PRINCIPALs may write (admin)
"""

from __future__ import annotations

import fcntl
import http.client
import os
import shutil
import signal
import sys
import tarfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from broker import java, ports
from broker.errors import BrokerInUse, RegistryFailed
from broker.jars import Jar, cache_directory, class_path
from broker.process import KeptProcess
from broker.registry_door import RegistryDoor
from hub.crypto.certificates import IssuedCertificate

VERSION: Final = "3.3.3"
ARCHIVE: Final = Jar(
    "io.apicurio",
    "apicurio-registry-app",
    VERSION,
    "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63",
    classifier="all",
    packaging="tar.gz",
)
CCOMPAT: Final = "/apis/ccompat/v7"
_MAIN: Final = "io.quarkus.bootstrap.runner.QuarkusEntryPoint"
_START_SECONDS: Final = 90.0


def archive(directory: Path | None = None) -> Path:
    """The verified archive, downloaded if it is not there yet. Raises JarsUnavailable, JarMismatch."""
    where = directory or (
        cache_directory() if "HUB_JARS" in os.environ else cache_directory().parent / f"apicurio-{VERSION}"
    )
    return class_path((ARCHIVE,), where)[0]


class Apicurio:
    """One registry with its data in `directory`. Blocking, for one thread at a time; ends with our process."""

    def __init__(self, directory: Path, *, heap: str = "256m") -> None:
        """Prepare; nothing runs yet."""
        self.directory: Final = directory.resolve()
        self._heap = heap
        self._process: KeptProcess | None = None
        self._lock: IO[str] | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """The address of its Confluent-compatible API, on loopback; the same after a restart."""
        return f"http://127.0.0.1:{self._port}{CCOMPAT}"

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return self._port

    @property
    def pid(self) -> int:
        """Process id of Java; 0 when it does not run."""
        return self._process.pid if self._process and self._process.running() else 0

    def start(self) -> None:
        """Start and wait until it answers. Raises BrokerInUse, RegistryFailed, JarsUnavailable, JarMismatch."""
        if self._process is not None and self._process.running():
            return
        self._forget()
        for name in ("config", "data", "logs", "tmp"):
            (self.directory / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = (self.directory / ".lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._forget()
            raise BrokerInUse(f"({self.directory})") from None
        try:
            self._unpack()
            if not self._port or not ports.is_free(self._port):
                self._port = ports.choose()
            (self.directory / "config" / "application.properties").write_text(self._settings(), "ascii")
            self._process = KeptProcess(
                java.command([Path("app/quarkus-run.jar")], self._heap, _MAIN),
                directory=self.directory,
                environment=java.environment(),
                console=self.directory / "logs" / "console.log",
                hold=self._lock.fileno(),
            )
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop in order; the data stay."""
        if self._process is not None:
            self._process.stop()
        self._forget()

    def __enter__(self) -> Apicurio:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _unpack(self) -> None:
        app = self.directory / "app"
        shutil.rmtree(app, ignore_errors=True)
        with tarfile.open(archive()) as packed:
            if hasattr(tarfile, "data_filter"):  # Debian 12 has a Python without it
                packed.extraction_filter = tarfile.data_filter
            packed.extractall(app)  # noqa: S202 - the pinned archive, to the last byte

    def _settings(self) -> str:
        wanted = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": str(self._port),
            "quarkus.http.limits.max-body-size": "4M",
            "quarkus.http.access-log.enabled": "false",
            "quarkus.http.cors.enabled": "false",
            "quarkus.management.enabled": "false",
            "quarkus.log.level": "WARN",
            "quarkus.log.file.enabled": "false",
            "apicurio.storage.kind": "sql",
            "apicurio.storage.sql.kind": "h2",
            "apicurio.datasource.url": "jdbc:h2:file:./data/registry",
            "apicurio.ui.enabled": "false",
            "apicurio.import.work-dir": "tmp",
        }
        return "".join(f"{name}={value}\n" for name, value in wanted.items())

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        assert self._process is not None
        while not self._answers():
            if not self._process.running() or time.monotonic() > deadline:
                raise RegistryFailed(f"(in {self.directory})\n{self._last_words()}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", f"{CCOMPAT}/mode")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _last_words(self) -> str:
        console = self.directory / "logs" / "console.log"
        lines = console.read_text("utf-8", "replace").splitlines() if console.exists() else []
        return "\n".join([line for line in lines if not line.startswith("\tat ")][-15:])

    def _forget(self) -> None:
        self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def main(arguments: Sequence[str]) -> int:
    """The commands of the module's docstring."""
    match list(arguments):
        case ["fetch", directory]:
            sys.stdout.write(f"{archive(Path(directory))}, verified\n")
        case ["serve", directory, address, certificate, key, ca, *publishers]:
            host, _, port = address.rpartition(":")
            served = IssuedCertificate(Path(certificate), Path(key), Path(ca))
            ended = threading.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: ended.set())
            with Apicurio(Path(directory)) as registry:
                door = RegistryDoor(
                    registry.port, served, publishers=publishers or ("admin",), host=host, port=int(port)
                )
                with door:
                    sys.stdout.write(f"{door.url}\n")
                    sys.stdout.flush()
                    while registry.pid and not ended.wait(1.0):
                        pass
                return 0 if ended.is_set() else 1
        case _:
            sys.stdout.write(f"{(__doc__ or '').split(chr(10) * 2)[-1]}\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
