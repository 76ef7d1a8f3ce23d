"""How a registry differs from the lock, by hand-made findings; and which addresses a client takes."""

from __future__ import annotations

import ssl
import subprocess
import sys

import pytest

from broker import ports
from schemas.publication import LEVEL, Difference, Found, Held, Kind, differences, subject, text
from schemas.registry import all_contracts, contract
from schemas.remote.client import RegistryClient
from schemas.remote.errors import RegistryAddress, RegistryAway
from schemas.remote.publishing import publish
from tests.registry.contract import made

OURS = made("Ours", 1, 7, ("a", False))
OTHER = text(made("Other", 1, 7, ("a", False)))
NAME = subject(OURS)
WHOLE = Found({7: text(OURS)}, {NAME: {1: Held(7, text(OURS))}}, {NAME: LEVEL})


def kinds(found: Found) -> list[Kind]:
    return [each.kind for each in differences((OURS,), found)]


def test_a_registry_that_has_everything_does_not_differ() -> None:
    assert kinds(WHOLE) == []


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Found({}), [Kind.MISSING]),
        (Found({7: text(OURS)}), [Kind.MISSING]),
        (Found({}, WHOLE.versions, WHOLE.levels), [Kind.MISSING]),
        (Found({7: OTHER}), [Kind.MISSING, Kind.OTHER_TEXT]),
        (Found({7: "no JSON"}, WHOLE.versions, WHOLE.levels), [Kind.OTHER_TEXT]),
        (Found(WHOLE.texts, {NAME: {1: Held(8, text(OURS))}}, WHOLE.levels), [Kind.OTHER_ID]),
        (Found(WHOLE.texts, {NAME: {1: Held(7, OTHER)}}, WHOLE.levels), [Kind.FOREIGN_VERSION]),
        (Found(WHOLE.texts, WHOLE.versions), [Kind.LEVEL]),
        (Found(WHOLE.texts, WHOLE.versions, {NAME: "NONE"}), [Kind.LEVEL]),
    ],
)
def test_each_way_to_differ_is_told(found: Found, told: list[Kind]) -> None:
    assert sorted(kinds(found)) == sorted(told)


def test_a_version_that_is_not_ours_is_told_with_its_id() -> None:
    more = {NAME: {1: Held(7, text(OURS)), 2: Held(9, OTHER)}}
    assert differences((OURS,), Found(WHOLE.texts, more, WHOLE.levels)) == (
        Difference(NAME, 2, 9, Kind.FOREIGN_VERSION),
    )


def test_what_is_published_is_the_contract_to_the_letter() -> None:
    assert subject(contract("SealedEvent")) == "jp.eltax_hub.SealedEvent"
    assert len({text(each) for each in all_contracts()}) == len(all_contracts())


@pytest.mark.parametrize(
    "url",
    [
        "http://registry.example.jp/apis/ccompat/v7",
        "http://localhost:8080/apis/ccompat/v7",
        "http://10.0.0.1:8080/apis/ccompat/v7",
        "https://somebody:secret@registry.example.jp/apis/ccompat/v7",
        "https://registry.example.jp/apis/ccompat/v7?x=1",
        "https://registry.example.jp:port/",
        "ftp://127.0.0.1/",
        "127.0.0.1:8080",
        "",
    ],
)
def test_an_address_that_is_not_safe_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(RegistryAddress):
        RegistryClient(url, ssl.create_default_context())


def test_https_needs_a_context() -> None:
    with pytest.raises(RegistryAddress):
        RegistryClient("https://127.0.0.1/apis/ccompat/v7", None)


def test_nobody_there_is_said_and_can_be_tried_again() -> None:
    with RegistryClient(f"http://127.0.0.1:{ports.choose()}/apis/ccompat/v7", None) as client:
        with pytest.raises(RegistryAway) as caught:
            publish(client, all_contracts())
        assert caught.value.retriable


def test_publishing_needs_an_address_beside_which_ids_can_be_kept() -> None:
    with RegistryClient("http://127.0.0.1:9/", None) as client, pytest.raises(RegistryAddress):
        publish(client, all_contracts())


def test_no_role_so_much_as_loads_the_client_of_a_registry() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, cli.roles, cli.role_process, hub.router.role, hub.producing.producer, consumers.kit;"
            "print(sorted(each for each in sys.modules if each.startswith('schemas.remote')))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "[]"
