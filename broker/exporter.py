"""The Prometheus JMX exporter inside the node: what it is told, and which jar it is.

It answers on loopback, over TLS 1.3 under a certificate of its own, to whoever knows a password that is made at each
start and stands in one file. It cannot ask for client certificates: the versions that can are not on Maven Central
(docs/decisions/0211). The password's hash, salted, is all that the exporter is given.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.jars import Fetch, class_path, from_maven, read_agents
from hub.crypto.certificates import CertificateAuthority, Usage, key_store, write_private

USER: Final = "prometheus"
PASSWORD: Final = "config/scrape.password"  # noqa: S105 - the file's name
CONFIGURATION: Final = "config/exporter.json"
_STORE: Final = "config/exporter.p12"
_JAR: Final = "config/exporter.jar"
_SECURITY: Final = "config/java.security"
_ALIAS: Final = "exporter"
_DISABLED: Final = (
    *("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "DTLSv1.0", "DTLSv1.2", "TLS_AES_128_GCM_SHA256", "RC4", "DES"),
    *("3DES_EDE_CBC", "MD5withRSA", "DH keySize < 2048", "EC keySize < 224", "anon", "NULL", "ECDH", "TLS_RSA_*"),
)
"""for the whole Java process, whose other listeners ask for no less: the exporter has no setting for it"""


@dataclass(frozen=True, slots=True)
class Exporter:
    """`rules` are the exporter's settings about beans; `host` is the name that its certificate bears."""

    rules: Mapping[str, object]
    host: str
    password: str = ""
    """where several nodes are scraped with one; empty: a new one at each start"""

    def prepare(
        self, directory: Path, authority: CertificateAuthority, port: int, *, fetch: Fetch = from_maven
    ) -> list[str]:
        """Write what it needs into a node's directory and return Java's options, paths relative to that directory.

        Raises JarsUnavailable, JarMismatch.
        """
        (jar,) = class_path(read_agents(), fetch=fetch)
        link = directory / _JAR  # a path with a `=` could not stand in the option
        link.unlink(missing_ok=True)
        link.symlink_to(jar)
        issued = authority.issue("broker", directory / "config" / "exporter", usage=Usage.SERVER, hosts=(self.host,))
        password, opens = self.password or secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        salt, digest = salted(password)
        write_private(directory / _STORE, key_store(issued, _ALIAS, opens))
        write_private(directory / PASSWORD, password.encode())
        server = {
            "authentication": {
                "basic": {
                    "username": USER,
                    "algorithm": "SHA-256",
                    "salt": salt,
                    "passwordHash": digest,
                }
            },
            "ssl": {"keyStore": {"filename": _STORE, "password": opens}, "certificate": {"alias": _ALIAS}},
        }
        # JSON, for YAML reads that
        write_private(directory / CONFIGURATION, json.dumps({"httpServer": server, **self.rules}).encode())
        write_private(directory / _SECURITY, java_security().encode())
        return [f"-Djava.security.properties={_SECURITY}", f"-javaagent:{_JAR}=127.0.0.1:{port}:{CONFIGURATION}"]


def java_security() -> str:
    """What Java must not speak, as its security properties say it."""
    return f"jdk.tls.disabledAlgorithms={', '.join(_DISABLED)}\n"


def salted(password: str) -> tuple[str, str]:
    """Return a salt and the hash that the exporter compares with.

    The exporter writes its own as a number, without leading zeros; so a salt is drawn for which there is none.
    """
    while True:
        salt = secrets.token_urlsafe(32)
        digest = hashlib.sha256(f"{salt}:{password}".encode()).hexdigest()
        if not digest.startswith("0"):
            return salt, digest
