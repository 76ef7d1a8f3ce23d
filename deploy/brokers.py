"""What a broker's container finds in /etc/kafka: its configuration, and what its exporter is told. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from broker.configuration import Member, NodeConfiguration, Places, logging
from broker.exporter import USER, java_security
from deploy.zones import PLACES, BrokerPlace
from hub.envelope.names import ADMIN

ETC: Final = "/etc/kafka"
LIB: Final = "/var/lib/kafka"
CERTIFICATE: Final = "broker"
"""`broker.crt`, `broker.key`: what the health check shows; Kafka reads both from keystore.pem"""
EXPORTER_STORE: Final = "exporter.p12"
_MEMBERS: Final = tuple(Member(each.client_port, each.controller_port, each.node, each.service) for each in PLACES)


def texts(place: BrokerPlace, listen: str, cluster_id: str) -> dict[str, str]:
    """Return the files that hold no secret, by name. `listen` is the address on which everything listens."""
    made = NodeConfiguration(
        _MEMBERS[place.node - 1],
        (ADMIN, *(each.principal for each in PLACES)),
        members=_MEMBERS,
        places=Places(f"{LIB}/data", f"{ETC}/keystore.pem", f"{ETC}/ca.crt"),
        listen=listen,
    )
    return {
        "server.properties": made.properties(),
        "log4j2.xml": logging(),
        "cluster.id": cluster_id + "\n",
        "java.security": java_security(),
        "exporter.address": f"{listen}:{place.exporter_port}",
    }


def exporter(rules: Mapping[str, object], salt: str, digest: str, opens: str) -> str:
    """Return the exporter's configuration; `opens` is the password of its key store, which lies beside it."""
    server = {
        "authentication": {
            "basic": {"username": USER, "algorithm": "SHA-256", "salt": salt, "passwordHash": digest},
        },
        "ssl": {
            "keyStore": {"filename": f"{ETC}/{EXPORTER_STORE}", "password": opens},
            "certificate": {"alias": "exporter"},
        },
    }
    return json.dumps({"httpServer": server, **rules})
