"""What can go wrong with a schema registry, each with what to do next."""

from __future__ import annotations

from typing import ClassVar

from schemas.errors import HubError


class RegistryError(HubError):
    """The schema registry could not do what was asked."""

    code: ClassVar[str] = "registry"


class RegistryAddress(RegistryError):
    """This address of a schema registry cannot be used."""

    code: ClassVar[str] = "registry.address"
    hint: ClassVar[str] = (
        "https://HOST:PORT/apis/ccompat/v7; plain http:// only to a loopback address. Publishing needs Apicurio "
        "Registry 3, whose own API stands beside that path."
    )


class RegistryAway(RegistryError):
    """The schema registry does not answer."""

    code: ClassVar[str] = "registry.away"
    retriable: ClassVar[bool] = True
    hint: ClassVar[str] = "No role needs it: the hub runs on. Try again when it is back."


class RegistryUntrusted(RegistryError):
    """The schema registry and we do not trust each other's certificates."""

    code: ClassVar[str] = "registry.untrusted"
    hint: ClassVar[str] = "Look at HUB_REGISTRY_CA, HUB_REGISTRY_CERTIFICATE and HUB_REGISTRY_KEY."


class RegistryRefused(RegistryError):
    """The schema registry refused a request."""

    code: ClassVar[str] = "registry.refused"
    hint: ClassVar[str] = (
        "403: this certificate may not write. 409: the change is incompatible. See the registry's log."
    )


class RegistryStrange(RegistryError):
    """The schema registry gave an answer that is none."""

    code: ClassVar[str] = "registry.strange"
    hint: ClassVar[str] = "Is it a Confluent-compatible registry (Apicurio: /apis/ccompat/v7)?"


class RegistryDisagrees(RegistryError):
    """The schema registry holds something else under our ids or subjects; nothing of ours counts there."""

    code: ClassVar[str] = "registry.disagrees"
    hint: ClassVar[str] = (
        "`eltax-hub schemas check --registry URL` lists it. Whoever resolves such an id reads our records wrongly: "
        "use a registry of the hub's own, empty, and publish again. Our ids are never changed."
    )
