"""The tax team as a process: takes over, row and place in one transaction, until it is stopped or up to date."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, Final

from consumers.kit import Delivery, accepted_submissions
from consumers.own_keys import OwnKeys
from consumers.patience import Patience
from consumers.store.errors import ContentErased
from consumers.store.vault import Vault
from consumers.tax.store import Handed, TaxStore
from hub import crashpoints
from hub.crypto.random import system_random
from hub.envelope.times import from_ms, to_ms
from hub.facts import Alarm, HandedOver, Observer, Ready
from hub.reading.stream import StreamRole
from schemas.errors import HubError
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
        places = await self._patience.until_done(_STORE, partial(asyncio.to_thread, self._store.places), stop)
        if places is None:
            return taken
        self._observe(Ready(_STORE, True))
        handed_over = accepted_submissions(
            self._role, places, self._observe, follow=follow, stop=stop, progress=self._passed
        )
        async with aclosing(handed_over):
            async for delivery in handed_over:
                new = await self._patience.until_done(
                    _STORE,
                    partial(asyncio.to_thread, self._keep, delivery),
                    stop,
                )
                if new is None:
                    return taken
                crashpoints.reached("tax.after-commit")
                taken += new
                self._observe(HandedOver(self._role.principal, delivery.decision, int(new), delivery.procedure))
        return taken

    def _passed(self, partition: int, place: str) -> None:
        """Keep a place between hand-overs if the store is there: without it, some is read twice after a restart."""
        try:
            self._store.passed(partition, place)
        except HubError as error:
            if not error.retriable:
                raise
            self._observe(Alarm(error.code, self._role.principal))

    def _keep(self, delivery: Delivery) -> bool:
        content = None
        if delivery.submission is not None:
            text = json.dumps(as_sent(delivery.submission), ensure_ascii=False, separators=(",", ":"))
            content = self._vault.seal(delivery.epoch, delivery.tenant, delivery.event_id, delivery.leaf, text.encode())
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
    """Yield hand-overs, opened; `current` says whether none is newer.

    `submission` is null for a revocation, and (`erased`) where the key of its month exists no more.
    """
    vault = vault_of(role, store)
    for row, current in store.rows(receipt_number):
        opened, erased = None, False
        if row.content is not None:
            try:
                opened = json.loads(vault.open(row.tenant, row.event_id, row.leaf, row.content))
            except ContentErased:
                erased = True
        yield {
            "event_id": row.event_id,
            "receipt_number": row.receipt_number,
            "tenant": row.tenant,
            "tax_item": row.tax_item,
            "procedure": row.procedure,
            "decision": row.decision,
            "revision": row.revision,
            "current": current,
            "decided_at": from_ms(row.decided_at_ms).isoformat(timespec="milliseconds"),
            "erased": erased,
            "submission": opened,
        }
