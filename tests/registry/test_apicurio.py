"""Apicurio from its Maven archive, behind its door, under the contract of a registry; and what a site does with it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.apicurio import Apicurio
from broker.registry_door import RegistryDoor
from cli.main import app
from hub.crypto.certificates import CertificateAuthority, IssuedCertificate, Usage
from hub.transport.endpoint import TlsIdentity, ssl_context
from schemas.publication import LEVEL, Kind, differences, subject, text
from schemas.registry import Contract, all_contracts, contract
from schemas.remote.client import RegistryClient
from schemas.remote.errors import RegistryAway, RegistryDisagrees, RegistryRefused, RegistryUntrusted
from schemas.remote.publishing import archive, publish, survey
from tests.registry.contract import RegistryContract, changed, made

pytestmark = [pytest.mark.soak(target="registry"), pytest.mark.timeout(300)]


def context_of(issued: IssuedCertificate) -> ssl.SSLContext:
    return ssl_context(TlsIdentity(issued.certificate, issued.private_key, issued.ca))


@dataclass
class Site:
    """A home with its authority, a registry, and the door to it."""

    home: Path
    apicurio: Apicurio
    door: RegistryDoor
    authority: CertificateAuthority

    def client(self, principal: str = "admin") -> RegistryClient:
        issued = self.authority.issue(principal, self.home.parent / "clients" / principal)
        return RegistryClient(self.door.url, context_of(issued))


class Remote:
    """The registry as publisher and as consumer see it."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    def text(self, schema_id: int) -> str | None:
        return self._client.text(schema_id)

    def id_of(self, name: str, said: str) -> int | None:
        return self._client.id_of(name, said)

    def versions(self, name: str) -> Mapping[int, int]:
        return {version: held.schema_id for version, held in self._client.versions(name).items()}

    def publish(self, contracts: tuple[Contract, ...]) -> tuple[int, ...]:
        return tuple(each.schema_id for each in publish(self._client, contracts))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("registry")
    patch = pytest.MonkeyPatch()
    patch.setenv("HUB_HOME", str(directory / "home"))
    assert CliRunner().invoke(app, ["keys", "init"]).exit_code == 0
    authority = CertificateAuthority.load(directory / "home" / "authority")
    served = authority.issue("registry", directory / "served", usage=Usage.SERVER, hosts=("127.0.0.1",))
    with Apicurio(directory / "apicurio") as apicurio, RegistryDoor(apicurio.port, served) as door:
        patch.setenv("HUB_REGISTRY_URL", door.url)
        try:
            yield Site(directory / "home", apicurio, door, authority)
        finally:
            patch.undo()


def run(*arguments: str) -> tuple[int, dict[str, object]]:
    done = CliRunner().invoke(app, [*arguments, "--json"])
    return done.exit_code, json.loads(done.stdout.splitlines()[-1])


def test_an_empty_registry_is_filled_by_the_command_and_then_agrees(site: Site) -> None:
    ids = [each.schema_id for each in all_contracts()]
    status, said = run("schemas", "check", "--registry", site.door.url)
    assert status == 1
    assert isinstance(said["differences"], list)
    assert len(said["differences"]) == len(ids)
    status, said = run("schemas", "publish")
    assert (status, sorted(said["published"])) == (0, ids)  # type: ignore[call-overload]
    assert run("schemas", "publish")[1]["published"] == []
    assert run("schemas", "check", "--registry", site.door.url)[0] == 0
    sealed = contract("SealedEvent")
    status, said = run("schemas", "resolve", str(sealed.schema_id), "--registry", site.door.url)
    assert (status, said["name"], said["schema"]) == (0, "SealedEvent", dict(sealed.schema))
    assert run("schemas", "resolve", "4000000", "--registry", site.door.url)[0] == 1


@pytest.fixture(scope="module")
def registry(site: Site) -> Iterator[Remote]:
    with site.client() as client:
        yield Remote(client)


class TestApicurio(RegistryContract):
    """All tests are inherited."""


def test_the_registry_itself_refuses_an_incompatible_version(site: Site) -> None:
    worse = changed("Session", 2, 0)
    with site.client() as client:
        assert client.level(subject(worse)) == LEVEL
        with pytest.raises(RegistryRefused, match="409"):
            client.register(subject(worse), text(worse))
        assert set(client.versions(subject(worse))) == {1}


def test_publishing_refuses_when_an_id_names_another_text_there(site: Site) -> None:
    with site.client() as client:
        taken = client.register("jp.eltax_hub.Foreign", text(made("Foreign", 1, 0, ("theirs", False))))
        ours = made("Ours", 1, taken, ("ours", False))
        with pytest.raises(RegistryDisagrees, match="other-text"):
            publish(client, (ours,))
        assert client.versions(subject(ours)) == {}


def test_publishing_refuses_when_the_registry_gave_our_text_an_id_of_its_own(site: Site) -> None:
    ours = made("Squatted", 1, 5_000, ("a", False))
    with site.client() as client:
        given = client.register("someone.elses.Squatted", text(ours))
        with pytest.raises(RegistryDisagrees, match="did not take id 5000"):
            publish(client, (ours,))
        assert client.versions(subject(ours)) == {}
        client.register(subject(ours), text(ours))
        told = differences((ours,), survey(client, (ours,)))
        assert {each.kind for each in told} >= {Kind.OTHER_ID}
        assert client.text(5_000) is None
        assert given != 5_000


def test_a_version_that_somebody_else_added_is_told_and_stops_publishing(site: Site) -> None:
    ours = made("Extended", 1, 5_100, ("a", False))
    with site.client() as client:
        publish(client, (ours,))
        client.register(subject(ours), text(made("Extended", 2, 0, ("a", False), ("b", True))))
        assert [each.kind for each in differences((ours,), survey(client, (ours,)))] == [Kind.FOREIGN_VERSION]
        with pytest.raises(RegistryDisagrees, match="foreign-version"):
            publish(client, (ours, made("Extended", 2, 5_101, ("a", False), ("c", True))))
        assert client.text(5_101) is None


def test_a_publication_cut_short_is_finished_by_the_next(site: Site) -> None:
    first, second = made("Halfway", 1, 5_200, ("a", False)), made("Halfway", 2, 5_201, ("a", False), ("b", True))
    with site.client() as client:
        publish(client, (first,))
        client.set_level(subject(first), "NONE")
        assert [each.kind for each in differences((first,), survey(client, (first,)))] == [Kind.LEVEL]
        client.bring(archive((second,)))  # the text is there, no subject names it
        assert client.text(5_201) is None
        assert publish(client, (first, second)) == (second,)
        assert differences((first, second), survey(client, (first, second))) == ()


def test_two_versions_that_differ_in_words_alone_are_refused(site: Site) -> None:
    first = made("Worded", 1, 5_300, ("a", False))
    schema = {**first.schema, "doc": "said otherwise"}
    with site.client() as client, pytest.raises(RegistryDisagrees, match="it gave id 5300"):
        publish(client, (first, replace(first, version=2, schema_id=5_301, schema=schema)))


def test_who_is_not_a_publisher_reads_and_cannot_write(site: Site) -> None:
    with site.client("review-131041") as client:
        assert client.text(contract("Session").schema_id) is not None
        for attempt in (
            lambda: client.register("jp.eltax_hub.Mine", text(made("Mine", 1, 0, ("a", False)))),
            lambda: client.set_level("jp.eltax_hub.Session", "NONE"),
            lambda: client.bring(b""),
        ):
            with pytest.raises(RegistryRefused, match="403"):
                attempt()


def test_without_a_certificate_of_the_authority_there_is_no_connection(site: Site, tmp_path: Path) -> None:
    foreign = CertificateAuthority.create(tmp_path / "authority").issue("admin", tmp_path)
    trusting = ssl.create_default_context(cafile=str(site.home / "certificates" / "ca.crt"))
    distrusting = context_of(replace(foreign, ca=site.home / "certificates" / "ca.crt"))
    for context in (trusting, distrusting, context_of(foreign)):
        with RegistryClient(site.door.url, context) as client, pytest.raises((RegistryUntrusted, RegistryAway)):
            client.subjects()


def test_a_registry_that_is_away_stops_nobody_and_comes_back_with_the_same_ids(site: Site) -> None:
    site.apicurio.stop()
    with site.client() as client, pytest.raises(RegistryAway):
        client.text(1)
    status, said = run("schemas", "publish")
    assert (status, said["error"]["code"]) == (1, "registry.away")  # type: ignore[index]
    assert run("schemas", "resolve", "14")[0] == 0
    assert run("schemas", "check")[0] == 0
    port = site.apicurio.port
    site.apicurio.start()
    assert site.apicurio.port == port
    status, said = run("schemas", "check", "--registry", site.door.url)
    # what the contract's tests published beside ours is no difference, but for the version that they added
    assert said["differences"] == ["foreign-version: jp.eltax_hub.TreeHead version 2 (id 51)"]
