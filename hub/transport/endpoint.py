"""Where the brokers are and who we are to them: mTLS with TLS 1.3, nothing else."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hub.crypto.following_files import load_files

_IDLE_SECONDS: Final = 15
"""We close what is idle before the brokers do (20 seconds, docs/runbooks/shut-out.md), so that no request meets
a connection that is being closed."""


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """PEM files: our certificate, its private key, and the authority that brokers' certificates come from."""

    certificate: Path
    private_key: Path
    ca: Path


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`host:port[,host:port]` and the identity to speak with; `client_id` is a name for the broker's logs."""

    bootstrap: str
    tls: TlsIdentity
    client_id: str

    def client_options(self) -> dict[str, Any]:
        """What every aiokafka client of ours is made with."""
        return {
            "bootstrap_servers": self.bootstrap,
            "client_id": self.client_id,
            "security_protocol": "SSL",
            "ssl_context": ssl_context(self.tls),
            "connections_max_idle_ms": _IDLE_SECONDS * 1_000,
        }


def ssl_context(identity: TlsIdentity) -> ssl.SSLContext:
    """A client context: TLS 1.3 only, our certificate, the broker's name checked against our authority alone.

    Renewed files are taken up (`hub.crypto.following_files`).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.hostname_checks_common_name = False  # a principal's name is no host's, whatever it is called
    return load_files(context, identity.certificate, identity.private_key, identity.ca)
