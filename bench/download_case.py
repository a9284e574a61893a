"""What the download benchmark times: one payload from the gateway's HTTPS server, by a device and by curl.

The device is a whole one: shell, core, folder. It verifies the offer, fetches the payload, writes it into its
staging area, hashes every byte and stores how far it has come. Nothing is synced to the disk, for curl does
not either.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from advisories import mcuboot, suit
from advisories.topics import Topics
from bench.cases import GaveWayError
from device_sim.core.profile import AutoConsent, Platform, Profile
from device_sim.home import Home
from device_sim.installer import InstallerPlatform
from device_sim.shell import DeviceShell, Event
from keys.errors import TocsinError
from tests import helpers
from tests.gateway.https import make_pki

SECONDS_MAX = 120.0
VERSION = (1, 4, 2, 0)
_INSTALLER = "#!/bin/sh\n[ $1 = booted ] && echo version=1.4.1 && echo slot=0 && echo trial=no\nexit 0\n"


class Retaining:
    """A link to a broker that holds some retained messages, and swallows what the device says."""

    def __init__(self, retained: Mapping[str, bytes]) -> None:
        self.on_connect: Any = None
        self.on_disconnect: Any = None
        self.on_message: Any = None
        self.on_failure: Any = None
        self.connected = False
        self._retained = retained

    def connect_later(self, delay: float = 0.0) -> None:
        """Be connected in the next turn of the loop."""
        asyncio.get_running_loop().call_later(delay, self._up)

    def _up(self) -> None:
        self.connected = True
        self.on_connect(False)
        for topic in self._retained:
            self.subscribe(topic)

    async def connect(self) -> None:
        """Be connected."""
        self.connect_later()

    def start_over(self, *filters: str) -> None:
        """Have no filters: all there is comes anyway."""

    def subscribe(self, *filters: str) -> None:
        """Deliver what is retained there."""
        for topic in filters:
            if topic in self._retained:
                asyncio.get_running_loop().call_soon(self.on_message, topic, self._retained[topic])

    def unsubscribe(self, *filters: str) -> None:
        """Have nothing to do."""

    def publish(self, _topic: str, _payload: bytes) -> bool:
        """Swallow a message."""
        return True

    def drop(self, pause_s: float = 0.0) -> None:
        """Come back after a while."""
        self.connected = False
        self.connect_later(pause_s)

    def give_up(self, error: Exception) -> None:
        """Pass on why the device ends."""
        self.on_failure(error)

    async def close(self) -> None:
        """Be gone."""
        self.connected = False


class Downloads:
    """A payload, the server that has it, and who brings it.

    Args:
        folder: an empty one, for everything.
        size: bytes of the payload.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.fleet = helpers.make_fleet()
        payload = os.urandom(size)
        self.digest = hashlib.sha256(payload).digest()
        self.pki = make_pki(folder)
        (folder / self.digest.hex()).write_bytes(payload)
        self.base = ""

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run the server."""
        words = [sys.executable, "-m", "bench.payload_server", str(self.folder)]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            self.base = server.stdout.readline().strip()
            if not self.base:
                raise GaveWayError
            try:
                yield
            finally:
                assert server.stdin is not None
                server.stdin.close()

    def curl(self) -> float:
        """Return the seconds that curl takes, its start and end included."""
        out = self.folder / "by-curl"
        words = ["curl", "--silent", "--fail", "--cacert", str(self.pki.ca), "-o", str(out)]
        start = time.perf_counter()
        subprocess.run([*words, self.base + self.digest.hex()], check=True)
        seconds = time.perf_counter() - start
        self._require(out)
        return seconds

    def device(self) -> float:
        """Return the seconds that a device takes: from asking for the payload to the last byte stored."""
        folder = self.folder / "device"
        shutil.rmtree(folder, ignore_errors=True)
        seconds = asyncio.run(self._device(folder))
        self._require(folder / "staging.bin")
        return seconds

    def _require(self, path: Path) -> None:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").digest() != self.digest:
                raise GaveWayError
        path.unlink()

    async def _device(self, folder: Path) -> float:
        home = self._home(folder)
        retained = self._documents(home.profile)
        times: dict[str, float] = {}
        over = asyncio.Event()

        def told(event: Event) -> None:
            name = event.detail.rpartition(" ")[2]
            if name in {"DOWNLOADING", "DOWNLOADED"}:
                times[name] = time.perf_counter()
            if name == "DOWNLOADED" or event.kind == "failed":
                over.set()

        began = time.monotonic()
        platform = InstallerPlatform(home, folder / "installer", install_s=60, tell=lambda _line: None)
        shell = DeviceShell(
            home,
            Retaining(retained),
            platform=platform,
            clock=lambda: helpers.NOW + 60 + time.monotonic() - began,
            on_event=told,
        )
        shell.boot()
        await shell.link.connect()
        async with asyncio.timeout(SECONDS_MAX):
            await over.wait()
        await shell.stop()
        await platform.close()
        if shell.failure is not None:
            raise shell.failure if isinstance(shell.failure, TocsinError) else GaveWayError
        return times["DOWNLOADED"] - times["DOWNLOADING"]

    def _home(self, folder: Path) -> Home:
        vendor, class_id = suit.identifiers("example.com", helpers.PRODUCT)
        profile = Profile(
            id=helpers.DEVICE,
            product=helpers.PRODUCT,
            vendor_id=vendor,
            class_id=class_id,
            auto_consent=AutoConsent.ALWAYS,
            platform=Platform.INSTALLER,
            artefacts=self.base.removesuffix("artefact/"),
            slot_bytes=2 * self.size,
        )
        signer = helpers.key(helpers.DEVICE)
        image = mcuboot.pack(b"what runs", (1, 4, 1, 0))
        home = Home.create(folder, profile, signer, self.fleet.root_document, image, durable=False)
        home.save_certificate(b"", self.pki.ca.read_bytes())
        (folder / "cert.pem").unlink()
        (folder / "installer").write_text(_INSTALLER)
        (folder / "installer").chmod(stat.S_IRWXU)
        return home

    def _documents(self, profile: Profile) -> dict[str, bytes]:
        topics, fleet, product = Topics(), self.fleet, helpers.PRODUCT
        sequence = 7
        file = suit.File(self.digest, self.size, f"artefact/{self.digest.hex()}")
        plan = suit.PatchPlan(
            sequence=sequence,
            vendor_id=profile.vendor_id,
            class_id=profile.class_id,
            payloads=(suit.Payload((file,), suit.COMPONENT, VERSION),),
        )
        envelope = suit.compose(plan)
        for role in ("release", "security"):
            envelope = suit.authenticate(envelope, fleet.signer(role))
        digest = suit.manifest_digest(envelope)
        catalogue = helpers.catalogue(fleet, patches=((sequence, digest),))
        offer = helpers.offer(fleet, profile.id, digest=digest, sequence=sequence)
        return {
            topics.catalogue(product): fleet.seal(catalogue),
            topics.timestamp(product): fleet.seal(helpers.timestamp(fleet, catalogue)),
            topics.device(profile.id, "offer"): fleet.seal(offer),
            topics.patch(product, sequence): envelope,
        }
