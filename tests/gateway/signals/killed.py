"""Sends what is due in a process of its own, which a test kills: python -m ... FOLDER."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from gateway.service.deliveries import make
from gateway.workspace.folder import Workspace


async def main() -> None:
    found = Workspace.open(Path(sys.argv[1]))
    workspace = Workspace(found.path, replace(found.settings, webhook_networks=("127.0.0.0/8",)))
    with workspace.store() as store:
        while True:
            await make(workspace, store).round()


if __name__ == "__main__":
    asyncio.run(main())
