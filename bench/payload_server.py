"""The gateway's own HTTPS server in a process of its own: python -m bench.payload_server FOLDER."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from gateway.web.artefacts import Artefacts
from tests.gateway.https import Pki, payload_site


async def _serve(folder: Path) -> None:
    pki = Pki(folder / "ca.pem", folder / "server.pem", folder / "server-key.pem")
    async with payload_site(Artefacts(folder, per_second=None), pki.context()) as base:
        print(base, flush=True)
        await asyncio.to_thread(sys.stdin.read)  # until whoever started us closes it, or is gone


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
