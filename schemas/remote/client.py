"""A client of a Confluent-compatible schema registry, and of the few calls of Apicurio's own API that keep ids.

One connection, for one thread. Answers are bounded; what a registry says is judged, never executed or followed.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from schemas.publication import Held
from schemas.remote.errors import RegistryAddress, RegistryAway, RegistryRefused, RegistryStrange, RegistryUntrusted

CCOMPAT: Final = "/apis/ccompat/v7"
NATIVE: Final = "/apis/registry/v3"
_MOST_BYTES: Final = 16 * 2**20
"""of an answer"""
_HOST: Final = re.compile(r"[A-Za-z0-9._:-]+")
_JSON: Final = "application/vnd.schemaregistry.v1+json"


class RegistryClient:
    """Speaks to one registry. Every method raises RegistryAway, RegistryUntrusted, RegistryRefused, RegistryStrange."""

    def __init__(self, url: str, context: ssl.SSLContext | None, *, seconds: float = 15.0) -> None:
        """Prepare; nothing is sent. `seconds` bounds each wait for the network. Raises RegistryAddress.

        `context` is what TLS goes by; without one only http:// to a loopback address is taken.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise RegistryAddress from None
        if not _HOST.fullmatch(host) or parts.query or parts.fragment or parts.username is not None:
            raise RegistryAddress
        if parts.scheme == "https" and context is not None:
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=seconds, context=context
            )
        elif parts.scheme == "http" and _is_loopback(host):
            self._connection = http.client.HTTPConnection(host, port, timeout=seconds)
        else:
            raise RegistryAddress(f"({parts.scheme or 'no scheme'})")
        self._path = parts.path.rstrip("/")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> RegistryClient:
        """Nothing is opened before it is needed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def text(self, schema_id: int) -> str | None:
        """The text of an id, as a consumer of Confluent's resolves it; None if the registry knows no such id."""
        said = self._asked(f"/schemas/ids/{schema_id}")
        return None if said is None else _text(said)

    def subjects(self) -> tuple[str, ...]:
        """The subjects that the registry has (Apicurio tells 1,000 at most)."""
        said = self._asked("/subjects")
        if not isinstance(said, list) or not all(isinstance(each, str) for each in said):
            raise RegistryStrange
        return tuple(said)

    def versions(self, subject: str) -> dict[int, Held]:
        """All versions of a subject; empty if there is none of that name."""
        said = self._asked(f"/subjects/{quote(subject, safe='')}/versions")
        if said is None:
            return {}
        if not isinstance(said, list) or not all(type(each) is int for each in said):
            raise RegistryStrange
        held = {}
        for version in said:
            one = self._asked(f"/subjects/{quote(subject, safe='')}/versions/{version}")
            held[version] = Held(_number(one, "id"), _text(one))
        return held

    def id_of(self, subject: str, text: str) -> int | None:
        """The id under which a text stands in a subject; None if it does not."""
        said = self._asked(f"/subjects/{quote(subject, safe='')}", {"schema": text})
        return None if said is None else _number(said, "id")

    def level(self, subject: str) -> str | None:
        """The compatibility level that the registry holds new versions to; None without one of the subject's own."""
        said = self._asked(f"/config/{quote(subject, safe='')}")
        level = said.get("compatibilityLevel") if isinstance(said, dict) else None
        return level if isinstance(level, str) else None

    def set_level(self, subject: str, level: str) -> None:
        """Set the compatibility level of a subject."""
        self._asked(f"/config/{quote(subject, safe='')}", {"compatibility": level}, method="PUT")

    def register(self, subject: str, text: str) -> int:
        """Add a version to a subject and return the id that the registry gave it; RegistryRefused if it refuses."""
        said = self._asked(f"/subjects/{quote(subject, safe='')}/versions", {"schema": text})
        if said is None:
            raise RegistryRefused("(404)")
        return _number(said, "id")

    @property
    def keeps_ids(self) -> bool:
        """Whether the address is one beside which Apicurio's own API stands."""
        return self._path.endswith(CCOMPAT)

    def content(self, content_id: int) -> str | None:
        """The content of an id, registered under a subject or not yet (Apicurio). None if the id is free."""
        status, body = self._sent("GET", f"{self._native}/ids/contentIds/{content_id}", None, {})
        return None if status == 404 else _utf8(_good(status, body))

    def bring(self, archive: bytes) -> None:
        """Import an archive of contents under the ids that stand in it (Apicurio).

        The registry answers the same when it has skipped some: look at `content` afterwards.
        """
        headers = {
            "Content-Type": "application/zip",
            "X-Registry-PreserveGlobalId": "false",
            "X-Registry-PreserveContentId": "true",
        }
        path = f"{self._native}/admin/import?requireEmptyRegistry=false"
        _good(*self._sent("POST", path, archive, headers))

    @property
    def _native(self) -> str:
        if not self.keeps_ids:
            raise RegistryAddress("(its path does not end in /apis/ccompat/v7)")
        return self._path.removesuffix(CCOMPAT) + NATIVE

    def _asked(self, path: str, body: Mapping[str, str] | None = None, *, method: str = "") -> Any:
        """What the registry answered, parsed; None for 404."""
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Accept": f"{_JSON}, application/json", **({"Content-Type": _JSON} if sent else {})}
        status, answer = self._sent(method or ("POST" if sent else "GET"), self._path + path, sent, headers)
        if status == 404:
            return None
        try:
            return json.loads(_good(status, answer))
        except ValueError:
            raise RegistryStrange("(no JSON)") from None

    def _sent(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        try:
            self._connection.request(method, path, body, dict(headers))
            answer = self._connection.getresponse()
            content = answer.read(_MOST_BYTES + 1)
        except ssl.SSLError as error:
            self.close()
            raise RegistryUntrusted(f"({error.reason or type(error).__name__})") from None
        except OSError as error:
            self.close()
            raise RegistryAway(f"({type(error).__name__})") from None
        except (http.client.HTTPException, ValueError) as error:
            self.close()
            raise RegistryStrange(f"({type(error).__name__})") from None
        if len(content) > _MOST_BYTES:
            self.close()
            raise RegistryStrange("(an answer without end)")
        if answer.status == 503:
            raise RegistryAway("(503)")
        return answer.status, content


def _good(status: int, body: bytes) -> bytes:
    """The body of an answer that grants what was asked; a body of an error is not looked at."""
    if not 200 <= status < 300:
        raise RegistryRefused(f"({status})")
    return body


def _utf8(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise RegistryStrange("(not UTF-8)") from None


def _text(said: Any) -> str:
    if not isinstance(said, dict) or not isinstance(said.get("schema"), str):
        raise RegistryStrange("(no schema)")
    if said.get("schemaType", "AVRO") != "AVRO" or said.get("references"):
        raise RegistryStrange("(not a whole Avro schema)")
    return str(said["schema"])


def _number(said: Any, name: str) -> int:
    if not isinstance(said, dict) or type(said.get(name)) is not int:
        raise RegistryStrange(f"(no {name})")
    return int(said[name])


def _is_loopback(host: str) -> bool:
    """Only an address counts: a name could be resolved to anywhere."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
