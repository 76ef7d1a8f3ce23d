"""A tax system's own table, filled from the hub: `python tax_table.py DATABASE`, as the role in HUB_ROLE_DIR.

Row and place are one transaction of the tax system's own database, so each hand-over is in the table exactly
once whatever stops where. The table holds what this system needs and nothing else.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from contextlib import closing

from consumers.kit import Delivery, accepted_submissions
from hub.role import load_role
from hub.settings import RoleSettings

TABLES = """
CREATE TABLE IF NOT EXISTS filing (
  submission TEXT PRIMARY KEY, receipt_number TEXT NOT NULL, procedure TEXT NOT NULL,
  revision INTEGER NOT NULL, accepted INTEGER NOT NULL, items INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS place (partition INTEGER PRIMARY KEY, place TEXT NOT NULL);
"""


def keep(database: sqlite3.Connection, delivery: Delivery) -> None:
    """Take over one acceptance or revocation; an older decision never replaces a newer one."""
    with database:  # one transaction
        database.execute(
            "INSERT INTO filing VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (submission) DO UPDATE SET"
            " revision = excluded.revision, accepted = excluded.accepted, items = excluded.items"
            " WHERE excluded.revision > filing.revision",
            (
                delivery.submission_event_id,
                delivery.receipt_number,
                delivery.procedure,
                delivery.revision,
                delivery.submission is not None,
                len(delivery.submission.items or ()) if delivery.submission is not None else 0,
            ),
        )
        database.execute("INSERT OR REPLACE INTO place VALUES (?, ?)", (delivery.partition, delivery.place))


async def main(path: str) -> None:
    """Take over what is there now; with `follow=True` it would go on."""
    role = load_role(RoleSettings.from_environment())
    with closing(sqlite3.connect(path)) as database:
        database.executescript(TABLES)
        places = dict(database.execute("SELECT partition, place FROM place"))
        async for delivery in accepted_submissions(role, places, follow=False):
            keep(database, delivery)
        for row in database.execute("SELECT receipt_number, procedure, accepted, items FROM filing"):
            print(*row)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
