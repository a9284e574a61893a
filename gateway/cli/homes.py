"""Simulated devices for a workspace: their homes (the simulator's) and their records (the operator's)."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from advisories import mcuboot
from advisories.catalogue import DeviceRecord
from advisories.states import Surface
from advisories.versions import Version
from device_sim.core.profile import Profile
from device_sim.home import Home
from gateway.service.entries import Product
from gateway.service.operations import devices
from gateway.service.workspace import Workspace
from keys.signer import LocalSigner, Signer, generate

IMAGE_BODY_BYTES = 16_384  # of the firmware that a simulated device is made with


@dataclass(frozen=True, slots=True)
class Wish:
    """One device to be made."""

    id: str
    product: Product
    languages: tuple[str, ...]
    """By preference."""
    version: Version
    auto_consent: bool
    signer: LocalSigner


def firmware(product: str, version: Version, *, size: int = IMAGE_BODY_BYTES) -> bytes:
    """Return the MCUboot image of a simulated product: the same arguments give the same bytes.

    Args:
        product: its id, so that two products differ.
        version: what the image's header says.
        size: bytes of code.
    """
    seed = hashlib.sha256(f"{product} {version}".encode()).digest()
    body = hashlib.shake_256(seed).digest(size)
    return mcuboot.pack(body, version, security_counter=0)


def wishes(
    product: Product,
    count: int,
    *,
    version: Version,
    languages: Sequence[str] = (),
    entropy: Callable[[int], bytes] = os.urandom,
) -> list[Wish]:
    """Plan ``count`` devices of a product, each with a random id and key.

    Args:
        product: what they are.
        count: how many.
        version: of the firmware they are made with.
        languages: preferred ones, dealt out in turn; the product's own if empty.
        entropy: where ids come from.
    """
    preferred = tuple(languages) or product.languages
    made = []
    for number in range(count):
        first = preferred[number % len(preferred)]
        others = tuple(language for language in product.languages if language != first)
        made.append(
            Wish(
                id=entropy(8).hex(),
                product=product,
                languages=(first, *others),
                version=version,
                auto_consent=product.consent == "agreed",
                signer=generate(),
            )
        )
    return made


def make(workspace: Workspace, planned: Sequence[Wish], operator: Signer, *, now: int) -> list[Home]:
    """Make the homes of planned devices and register their keys; all of it or nothing.

    Raises:
        InputError: NO_ROOT, NO_PRODUCT, HOME_EXISTS, HOME_IMAGE.
        RefusedError: when the operator's key does not satisfy the root's policy.
        UnavailableError: HOME_WRITE.
    """
    workspace.trusted()  # every root is whole
    root_1 = workspace.root_documents()[0]
    images = {(wish.product.id, wish.version): firmware(wish.product.id, wish.version) for wish in planned}
    homes: list[Home] = []
    try:
        for wish in planned:
            profile = Profile(
                id=wish.id,
                product=wish.product.id,
                vendor_id=wish.product.vendor_id,
                class_id=wish.product.class_id,
                languages=wish.languages,
                surface=Surface[wish.product.surface.upper()],
                auto_consent=wish.auto_consent,
                topics=workspace.topics,
                slot_bytes=wish.product.slot_bytes,
            )
            image = images[wish.product.id, wish.version]
            path = workspace.path / "devices" / wish.id
            homes.append(Home.create(path, profile, wish.signer, root_1, image, durable=False))
        os.sync()  # once for all of them
        records = [
            DeviceRecord(
                id=wish.id,
                product=wish.product.id,
                key=wish.signer.public,
                valid_from=now - devices.BACKDATE_SECONDS,
                valid_to=now + devices.VALID_SECONDS,
                revoked=False,
            )
            for wish in planned
        ]
        devices.register(workspace, records, operator, now=now)
    except BaseException:
        for home in homes:
            shutil.rmtree(home.path, ignore_errors=True)
        raise
    return homes
