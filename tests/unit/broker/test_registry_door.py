"""The door of the schema registry: who comes in, and what is passed on. Behind it stands a closed port: what would
have been passed on is answered 503, the rest is refused before."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import ports
from broker.registry_door import RegistryDoor
from hub.crypto.certificates import CertificateAuthority, Usage
from hub.transport.endpoint import TlsIdentity, ssl_context

PASSED, REFUSED = 503, 403


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def door(authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryDoor]:
    served = authority.issue("registry", tmp_path_factory.mktemp("served"), usage=Usage.SERVER, hosts=("127.0.0.1",))
    with RegistryDoor(ports.choose(), served, publishers=("admin",)) as made:
        yield made


@pytest.fixture(scope="module")
def contexts(authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ssl.SSLContext]:
    made = {}
    for principal in ("admin", "review-131041"):
        issued = authority.issue(principal, tmp_path_factory.mktemp(principal))
        made[principal] = ssl_context(TlsIdentity(issued.certificate, issued.private_key, issued.ca))
    return made


def port(door: RegistryDoor) -> int:
    return int(door.url.split(":")[2].split("/")[0])


def ask(door: RegistryDoor, tls: ssl.SSLContext, method: str, path: str, **headers: str) -> int:
    connection = http.client.HTTPSConnection("127.0.0.1", port(door), context=tls, timeout=10)
    try:
        connection.request(method, path, None if method == "GET" or headers else b"{}", headers)
        return connection.getresponse().status
    finally:
        connection.close()


READS = (
    ("GET", "/apis/ccompat/v7/schemas/ids/14"),
    ("GET", "/apis/ccompat/v7/schemas/ids/14?fetchMaxId=false&subject=a.b-c"),
    ("GET", "/apis/ccompat/v7/subjects"),
    ("GET", "/apis/ccompat/v7/subjects/jp.eltax_hub.Session/versions/latest"),
    ("POST", "/apis/ccompat/v7/subjects/jp.eltax_hub.Session"),
)
WRITES = (
    ("POST", "/apis/ccompat/v7/subjects/jp.eltax_hub.Session/versions"),
    ("PUT", "/apis/ccompat/v7/config/jp.eltax_hub.Session"),
    ("POST", "/apis/registry/v3/admin/import?requireEmptyRegistry=false"),
)
NEVER = (
    ("PUT", "/apis/ccompat/v7/config"),
    ("PUT", "/apis/ccompat/v7/mode"),
    ("GET", "/apis/registry/v3/admin/export"),
    ("GET", "/apis/registry/v3/system/info"),
    ("GET", "/apis/ccompat/v7/subjects/../../registry/v3/admin/export"),
    ("GET", "/apis/ccompat/v7/subjects/%2e%2e/x"),
    ("GET", "/apis/ccompat/v7//subjects"),
    ("GET", "http://127.0.0.1/apis/ccompat/v7/subjects"),
    ("POST", "/apis/registry/v3/admin/import?requireEmptyRegistry=false&x=1"),
    ("POST", "/apis/registry/v3/groups/default/artifacts"),
    ("GET", "/"),
)


@pytest.mark.parametrize(("method", "path"), READS)
def test_everybody_with_a_certificate_reads(
    door: RegistryDoor, contexts: dict[str, ssl.SSLContext], method: str, path: str
) -> None:
    assert ask(door, contexts["review-131041"], method, path) == PASSED


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_only_publishers_write(door: RegistryDoor, contexts: dict[str, ssl.SSLContext], method: str, path: str) -> None:
    assert ask(door, contexts["admin"], method, path) == PASSED
    assert ask(door, contexts["review-131041"], method, path) == REFUSED


@pytest.mark.parametrize(("method", "path"), NEVER)
def test_nothing_else_is_passed_on(
    door: RegistryDoor, contexts: dict[str, ssl.SSLContext], method: str, path: str
) -> None:
    assert ask(door, contexts["admin"], method, path) == REFUSED


def test_other_methods_and_bodies_of_unknown_length_are_refused(
    door: RegistryDoor, contexts: dict[str, ssl.SSLContext]
) -> None:
    tls = contexts["admin"]
    assert ask(door, tls, "DELETE", "/apis/ccompat/v7/subjects/jp.eltax_hub.Session") == 501
    path = "/apis/ccompat/v7/subjects/jp.eltax_hub.Session/versions"
    assert ask(door, tls, "POST", path, **{"Content-Length": "999999999"}) == 413
    assert ask(door, tls, "POST", path, **{"Content-Length": "-1"}) == 411
    assert ask(door, tls, "POST", path, **{"Transfer-Encoding": "chunked"}) == 411


def test_without_a_certificate_of_the_authority_nothing_is_answered(
    door: RegistryDoor, authority: CertificateAuthority, tmp_path: Path
) -> None:
    ours = authority.issue("admin", tmp_path / "ours")
    foreign = CertificateAuthority.create(tmp_path / "foreign").issue("admin", tmp_path / "theirs")
    none = ssl.create_default_context(cafile=str(ours.ca))
    strange = ssl.create_default_context(cafile=str(ours.ca))
    strange.load_cert_chain(foreign.certificate, foreign.private_key)
    old = ssl.create_default_context(cafile=str(ours.ca))
    old.load_cert_chain(ours.certificate, ours.private_key)
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
    for tls in (none, strange, old):
        with pytest.raises((OSError, http.client.HTTPException)):
            ask(door, tls, "GET", "/apis/ccompat/v7/subjects")


def test_who_says_nothing_keeps_nobody_waiting(door: RegistryDoor, contexts: dict[str, ssl.SSLContext]) -> None:
    silent = [socket.create_connection(("127.0.0.1", port(door))) for _ in range(8)]
    try:
        assert ask(door, contexts["admin"], *READS[0]) == PASSED
    finally:
        for each in silent:
            each.close()
