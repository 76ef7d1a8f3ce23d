"""Asks the endpoints of the hub's processes with a certificate that they admit; each proves who it is."""

from __future__ import annotations

import http.client
import socket
import ssl
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hub.crypto.following_files import load_files
from topics.names import endpoint_host

_USER: Final = "prometheus"
_MOST_BYTES: Final = 64 * 2**20
"""of an answer: the most metrics there can be are a fraction of it"""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and header lines of an answer."""

    status: int
    body: bytes
    headers: str


class Scraper:
    """A client with one certificate and one TLS context; for any number of threads."""

    def __init__(self, certificate: Path, private_key: Path, ca: Path) -> None:
        """Load the PEM files; raises OSError or ssl.SSLError."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._context.hostname_checks_common_name = False
        load_files(self._context, certificate, private_key, ca)

    def get(self, url: str, principal: str, *, seconds: float = 5.0, password: str = "") -> Answer:
        """Ask `principal`'s process for `https://<address>:<port>/<page>`.

        Raises OSError (ssl.SSLError among them: it is not that process, or refuses us) if there is no whole answer.
        A `password` is that of a broker's exporter. `seconds` bounds each wait for the network, not their sum.
        """
        parts = urlsplit(url)
        if parts.scheme != "https" or parts.hostname is None or parts.port is None:
            raise OSError("an address of an endpoint is https://<address>:<port>")
        connection = _Connection(parts.hostname, parts.port, self._context, endpoint_host(principal), seconds)
        try:
            secret = b64encode(f"{_USER}:{password}".encode()).decode()
            connection.request(
                "GET", parts.path or "/", headers={"Authorization": f"Basic {secret}"} if password else {}
            )
            answer = connection.getresponse()
            body = answer.read(_MOST_BYTES + 1)
        except http.client.HTTPException as error:
            raise OSError(type(error).__name__) from error
        finally:
            connection.close()
        if len(body) > _MOST_BYTES:
            raise OSError("an answer without end")
        return Answer(answer.status, body, str(answer.headers))

    def ok(self, url: str, principal: str, *, seconds: float = 2.0) -> bool:
        """Whether the answer is 200."""
        try:
            return self.get(url, principal, seconds=seconds).status == 200
        except OSError:
            return False


class _Connection(http.client.HTTPSConnection):
    """To an address, but to whoever bears the name of the endpoint there."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, name: str, seconds: float) -> None:
        super().__init__(host, port, timeout=seconds, context=context)
        self._tls = context
        self._name = name
        self._seconds = seconds

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), self._seconds)
        try:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self._name)
        except BaseException:
            plain.close()
            raise
