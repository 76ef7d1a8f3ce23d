"""Publishes the contracts so that the registry's ids are the locked ones, or refuses.

A registry numbers what it is given, and Apicurio takes `"id"` in a registration for nothing, also in its mode IMPORT
(measured, docs/decisions/0250). So the texts are brought first, under their ids, by Apicurio's own import; then each is
registered in its subject, where the registry finds the text under the id it has, and holds it to the subject's level.
The import answers 204 whatever it skipped: each text is read back before anything is registered.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Sequence

from schemas.publication import CURABLE, LEVEL, Difference, Found, Kind, differences, publishable, same, subject, text
from schemas.registry import Contract
from schemas.remote.client import RegistryClient
from schemas.remote.errors import RegistryAddress, RegistryDisagrees

_EPOCH = (1980, 1, 1, 0, 0, 0)


def survey(client: RegistryClient, contracts: Iterable[Contract]) -> Found:
    """Ask a registry for everything that our contracts can differ from. Raises RegistryError."""
    listed = tuple(contracts)
    subjects = {subject(each) for each in listed}
    versions = {name: client.versions(name) for name in sorted(subjects)}
    said = {each.schema_id: client.text(each.schema_id) for each in listed}
    levels = {name: client.level(name) for name, held in versions.items() if held}
    return Found(
        {number: each for number, each in said.items() if each is not None},
        versions,
        {name: level for name, level in levels.items() if level is not None},
    )


def publish(client: RegistryClient, contracts: Iterable[Contract]) -> tuple[Contract, ...]:
    """Bring a registry to what the lock says and return the contracts that it did not have yet.

    Raises IncompatibleContract before anything is asked, RegistryDisagrees before anything is written if what is there
    is not ours, and afterwards if the registry did not take it as it was meant; else RegistryError. What was cut short
    is finished by the next call.
    """
    ordered = publishable(contracts)
    if not client.keeps_ids:
        raise RegistryAddress("(publishing)")
    told = differences(ordered, survey(client, ordered))
    _refuse([each for each in told if each.kind not in CURABLE])
    missing = {(each.subject, each.version) for each in told if each.kind is Kind.MISSING}
    wanted = tuple(each for each in ordered if (subject(each), each.version) in missing)
    _bring(client, wanted)
    levelled = {each.subject for each in told if each.kind is Kind.LEVEL}
    for name in sorted(levelled):
        client.set_level(name, LEVEL)
    for each in wanted:
        given = client.register(subject(each), text(each))
        if given != each.schema_id:
            raise RegistryDisagrees(f"({subject(each)}: it gave id {given}, ours is {each.schema_id})")
        client.set_level(subject(each), LEVEL)
    _refuse(differences(ordered, survey(client, ordered)))
    return wanted


def archive(contracts: Iterable[Contract]) -> bytes:
    """Apicurio's import format 3.0 with the texts of contracts under their ids, and no subjects."""
    made = io.BytesIO()
    manifest = {"systemVersion": "3.0", "systemName": "eltax-hub", "exportVersion": "3.0", "exportedOn": 0}
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as out:

        def write(name: str, content: str) -> None:
            out.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)

        write("eltax-hub.Manifest.json", json.dumps(manifest))
        for each in contracts:
            content = text(each)
            digest = hashlib.sha256(content.encode()).hexdigest()
            about = {
                "contentId": each.schema_id,
                "contentHash": digest,
                "canonicalHash": None,  # the registry works it out where it is told the type
                "artifactType": "AVRO",
                "contentType": "application/json",
                "serializedReferences": None,
            }
            write(f"content/{digest}.Content.json", json.dumps(about))
            write(f"content/{digest}.Content.data", content)
    return made.getvalue()


def _bring(client: RegistryClient, wanted: Sequence[Contract]) -> None:
    """Have each text stand under its id, before any subject names it."""
    if not wanted:
        return
    client.bring(archive(wanted))
    for each in wanted:
        said = client.content(each.schema_id)
        if said is None:  # it has the text already, under an id of its own giving
            raise RegistryDisagrees(f"({subject(each)}: the registry did not take id {each.schema_id})")
        if not same(each, said):
            raise RegistryDisagrees(f"({Difference(subject(each), each.version, each.schema_id, Kind.OTHER_TEXT)})")


def _refuse(told: Sequence[Difference]) -> None:
    if told:
        more = f", and {len(told) - 1} more" if len(told) > 1 else ""
        raise RegistryDisagrees(f"({told[0]}{more})")
