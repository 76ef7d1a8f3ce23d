"""A portal process of its own: submits the documents on its standard input, one JSON answer per line.

`python -m tests.broker.portal_process` with PORTAL_DIRECTORY set; crash points by their environment.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from portal.files import submit_documents
from portal.producer import PortalProducer
from tests.broker.portal_setup import load_role


async def main() -> None:
    role = load_role(Path(os.environ["PORTAL_DIRECTORY"]))
    async with PortalProducer(role) as portal:
        async for answered in submit_documents(portal, iter([sys.stdin.buffer.read()]), "standard input"):
            sys.stdout.write(json.dumps(answered.result.as_json()) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
