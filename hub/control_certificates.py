"""Certificates that exist to be refused, kept with the monitor for the network watch (docs/network-watch.md).

    roles/monitor/probes/canary/   a certificate like any other, whose name has no right: nothing may be granted to it
    roles/monitor/probes/expired/  the same name, and its time is over: no connection may be granted to it

Neither is listed in the trust list, and the name stands in no declaration. Both are made where principals are
enrolled, for they need the authority's key, and made anew in good time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from hub.crypto.certificates import CertificateAuthority, expires_at

MONITOR: Final = "monitor"
PROBES: Final = "probes"
CANARY: Final = "canary"
"""the common name of both; a principal that is called so would make them worthless"""
EXPIRED: Final = "expired"
_RENEW_BEFORE: Final = timedelta(days=60)
_DAY: Final = timedelta(days=1)


def keep_control_certificates(
    home: Path, authority: CertificateAuthority, *, now: datetime, anew: bool = False
) -> None:
    """Make the monitor's control certificates where they are missing, end soon, or must be made `anew`.

    Nothing is done in a home without a monitor.
    """
    if not (home / "roles" / MONITOR).is_dir():
        return
    kept = home / "roles" / MONITOR / PROBES
    canary = kept / CANARY / f"{CANARY}.crt"
    if anew or not canary.exists() or expires_at(canary) - now < _RENEW_BEFORE:
        authority.issue(CANARY, canary.parent)
    expired = kept / EXPIRED / f"{CANARY}.crt"
    if anew or not expired.exists():
        authority.issue(CANARY, expired.parent, not_before=now - 2 * _DAY, not_after=now - _DAY)
