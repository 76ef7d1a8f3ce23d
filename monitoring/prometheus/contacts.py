"""Whom Alertmanager tells: what a site fills in, as JSON. No secret stands in it; passwords are named by their file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from schemas.errors import HubError

RECEIVERS: Final = {
    "control": "a control stopped refusing: whoever can close it, at any hour",
    "page": "somebody must look now, at any hour",
    "operator": "those who run processes, brokers and machines",
    "monitor": "those who watch over controls, peers and the watch itself",
    "audit": "those who answer for completeness",
    "watchdog": "a service outside that rings when it hears nothing for some minutes",
}
_SMTP: Final = ("smarthost", "from", "username", "password_file")


class ContactsInvalid(HubError):
    """The file of contacts is not what it must be."""

    code = "contacts.invalid"
    hint = "`eltax-hub monitor prometheus` writes an example beside the configuration."


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where one kind of notification goes: webhook URLs and mail addresses; none of both tells nobody."""

    webhooks: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()

    @property
    def nobody(self) -> bool:
        """Whether nobody would hear."""
        return not self.webhooks and not self.emails


@dataclass(frozen=True, slots=True)
class Contacts:
    """All receivers, and the mail server if there are addresses."""

    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    smtp: Mapping[str, str] = field(default_factory=dict)

    def of(self, receiver: str) -> Receiver:
        """Who gets these; `control` is paged like everything else unless it has contacts of its own."""
        found = self.receivers.get(receiver, Receiver())
        return self.of("page") if receiver == "control" and found.nobody else found

    @property
    def unheard(self) -> tuple[str, ...]:
        """The receivers that tell nobody."""
        return tuple(name for name in RECEIVERS if self.of(name).nobody)


def read(file: Path) -> Contacts:
    """Read a file of contacts. Raises ContactsInvalid, which quotes no value."""
    try:
        return parse(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError):
        raise ContactsInvalid(f"{file.name} is not there, or is no JSON") from None


def parse(value: Any) -> Contacts:
    """Return the contacts that a JSON value says. Raises ContactsInvalid."""
    top = _keys("file", value, ("receivers", "smtp", "about"))
    smtp = _keys("smtp", top.get("smtp", {}), _SMTP)
    if not all(isinstance(each, str) and each for each in smtp.values()):
        raise ContactsInvalid("smtp: texts only")
    receivers = {
        name: _receiver(name, each) for name, each in _keys("receivers", top.get("receivers", {}), RECEIVERS).items()
    }
    if any(each.emails for each in receivers.values()) and not {"smarthost", "from"} <= smtp.keys():
        raise ContactsInvalid("emails need smtp with smarthost and from")
    return Contacts(receivers, smtp)


def _receiver(name: str, value: Any) -> Receiver:
    found = _keys(name, value, ("webhooks", "emails"))
    for each in found.values():
        if not isinstance(each, list) or not all(isinstance(text, str) and text for text in each):
            raise ContactsInvalid(f"{name}: lists of texts only")
    webhooks = tuple(found.get("webhooks", ()))
    if not all(url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")) for url in webhooks):
        raise ContactsInvalid(f"{name}: a webhook is https://…, or http:// on this machine")
    return Receiver(webhooks, tuple(found.get("emails", ())))


def _keys(where: str, value: Any, allowed: Mapping[str, str] | tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ContactsInvalid(f"{where}: an object is expected")
    if not value.keys() <= set(allowed):
        raise ContactsInvalid(f"{where}: only {', '.join(allowed)}")
    return value


def example() -> str:
    """A file to begin with: it tells nobody until it is filled in."""
    value = {
        "about": RECEIVERS,
        "receivers": {name: {"webhooks": [], "emails": []} for name in RECEIVERS},
        "smtp": {"smarthost": "mail.example.invalid:587", "from": "eltax-hub@example.invalid"},
    }
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
