"""The tax team as a process: takes over, row and place in one transaction, until it is stopped or up to date."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from consumers.kit import Delivery, accepted_submissions
from consumers.own_keys import OwnKeys
from consumers.patience import Patience
from consumers.store.vault import Vault
from consumers.tax.store import Handed, TaxStore
from hub import crashpoints
from hub.crypto.random import system_random
from hub.envelope.times import epoch_of, from_ms, to_ms
from hub.facts import HandedOver, Observer, Ready
from hub.reading.stream import StreamRole
from schemas.submission import as_sent

_STORE: Final = "store"


class TaxConsumer:
    """Takes over what was accepted for one team."""

    def __init__(self, role: StreamRole, store: TaxStore, observer: Observer) -> None:
        """`store` is the role's own; the caller closes it."""
        self._role = role
        self._store = store
        self._observe = observer
        self._vault = vault_of(role, store)
        self._patience = Patience(role.principal, observer)

    async def run(self, stop: asyncio.Event, *, follow: bool = True) -> int:
        """Take over until `stop`, or (`follow` False) up to where the topic ends now; return how many were new."""
        taken = 0
        places = await asyncio.to_thread(self._store.places)
        self._observe(Ready(_STORE, True))
        async for delivery in accepted_submissions(
            self._role, places, self._observe, follow=follow, stop=stop, progress=self._store.passed
        ):
            new = await self._patience.until_done(
                _STORE,
                partial(asyncio.to_thread, self._keep, delivery),
                stop,
            )
            if new is None:
                return taken
            crashpoints.reached("tax.after-commit")
            taken += new
            self._observe(HandedOver(self._role.principal, delivery.decision, int(new)))
        return taken

    def _keep(self, delivery: Delivery) -> bool:
        content = None
        if delivery.submission is not None:
            text = json.dumps(as_sent(delivery.submission), ensure_ascii=False, separators=(",", ":"))
            epoch = epoch_of(delivery.decided_at)
            content = self._vault.seal(epoch, delivery.tenant, delivery.event_id, delivery.leaf, text.encode())
        row = Handed(
            delivery.event_id,
            delivery.leaf,
            delivery.tenant,
            delivery.tax_item,
            delivery.receipt_number,
            delivery.procedure,
            delivery.decision,
            delivery.revision,
            to_ms(delivery.decided_at),
            delivery.submission_event_id,
            content,
        )
        keys = self._vault.new_keys()
        new = self._store.keep(row, delivery.partition, delivery.place, keys)
        self._vault.committed(keys)
        return new


def vault_of(role: StreamRole, store: TaxStore) -> Vault:
    """Return the encryption at rest of a team's store."""
    keys = OwnKeys(role.principal, role.keystore)
    return Vault(f"{role.namespace}/{role.principal}", keys, store.store_key, system_random)


def shown(role: StreamRole, store: TaxStore, receipt_number: str | None = None) -> Iterator[Mapping[str, Any]]:
    """Yield hand-overs, opened; `submission` is null for a revocation, `current` says whether none is newer."""
    vault = vault_of(role, store)
    rows = list(store.rows(receipt_number))
    newest: dict[str, int] = {}
    for row in rows:
        newest[row.submission_event_id] = max(newest.get(row.submission_event_id, 0), row.revision)
    for row in rows:
        opened = None
        if row.content is not None:
            opened = json.loads(vault.open(row.tenant, row.event_id, row.leaf, row.content))
        yield {
            "event_id": row.event_id,
            "receipt_number": row.receipt_number,
            "tenant": row.tenant,
            "tax_item": row.tax_item,
            "procedure": row.procedure,
            "decision": row.decision,
            "revision": row.revision,
            "current": row.revision == newest[row.submission_event_id],
            "decided_at": from_ms(row.decided_at_ms).isoformat(timespec="milliseconds"),
            "submission": opened,
        }
