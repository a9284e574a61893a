"""Simulated devices for a workspace: their homes (the simulator's) and their records (the operator's)."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from advisories import mcuboot
from advisories.catalogue import DeviceRecord
from advisories.states import Surface
from advisories.topics import is_id
from advisories.versions import Version
from device_sim.core.profile import AutoConsent, Profile
from device_sim.home import Home
from gateway import files
from gateway.operations.identity import devices
from gateway.operations.identity.certificates import Issued
from gateway.workspace.entries import Product
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from keys.errors import InputError, TocsinError
from keys.signer import LocalSigner, Signer, generate

IMAGE_BODY_BYTES = 16_384  # of the firmware that a simulated device is made with
ALGORITHMS: Final = frozenset({Algorithm.ED25519, Algorithm.ESP256})
"""What the firmware of a simulated device can verify, unless more is asked for."""


CONSENTS = {"ask": AutoConsent.NEVER, "urgent": AutoConsent.URGENT, "agreed": AutoConsent.ALWAYS}
"""What ``products.toml`` calls them."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One device to be made."""

    id: str
    product: Product
    languages: tuple[str, ...]
    """By preference."""
    version: Version
    auto_consent: AutoConsent
    signer: LocalSigner
    algorithms: frozenset[Algorithm] = ALGORITHMS
    """What its firmware can verify."""


def firmware(
    product: str,
    version: Version,
    *,
    size: int = IMAGE_BODY_BYTES,
    algorithms: Iterable[Algorithm] = ALGORITHMS,
) -> bytes:
    """Return the MCUboot image of a simulated product: the same arguments give the same bytes.

    Args:
        product: its id, so that two products differ.
        version: what the image's header says.
        size: bytes of code.
        algorithms: what it declares that it can verify; the device goes by it.
    """
    seed = hashlib.sha256(f"{product} {version}".encode()).digest()
    body = hashlib.shake_256(seed).digest(size)
    return mcuboot.pack(body, version, security_counter=0, algorithms=algorithms)


def wishes(
    product: Product,
    count: int,
    *,
    version: Version,
    languages: Sequence[str] = (),
    algorithms: Iterable[Algorithm] = ALGORITHMS,
    entropy: Callable[[int], bytes] = os.urandom,
) -> list[Wish]:
    """Plan ``count`` devices of a product, each with a random id and key.

    Args:
        product: what they are.
        count: how many.
        version: of the firmware they are made with.
        languages: preferred ones, dealt out in turn; the product's own if empty.
        algorithms: what their firmware can verify.
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
                auto_consent=CONSENTS[product.consent],
                signer=generate(),
                algorithms=frozenset(algorithms),
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
    images = {
        kind: firmware(kind[0], kind[1], algorithms=kind[2]) for kind in {_kind(wish) for wish in planned}
    }
    homes: list[Home] = []
    with _making(workspace):
        settle(workspace)
        try:
            for wish in planned:
                path = workspace.path / "devices" / wish.id
                if path.exists():
                    mend = "Choose another id."
                    raise InputError("HOME_EXISTS", "This device exists already.", mend=mend, where=str(path))
                profile, image = _profile(workspace, wish), images[_kind(wish)]
                Home.create(_fresh(workspace) / wish.id, profile, wish.signer, root_1, image, durable=False)
                homes.append(Home(path, profile, wish.signer, root_1, durable=False))
            os.sync()  # once for all of them
            devices.register(workspace, [_record(wish, now) for wish in planned], operator, now=now)
        finally:
            with contextlib.suppress(TocsinError):  # what cannot be settled now is settled next time
                settle(workspace)
    return homes


def _fresh(workspace: Workspace) -> Path:
    """Return where homes wait until their devices are registered."""
    return workspace.path / "devices" / ".making"


@contextlib.contextmanager
def _making(workspace: Workspace) -> Iterator[None]:
    """Wait for another command that makes devices here: its homes are not ours to settle."""
    path = workspace.path / "devices" / ".making.lock"
    with files.os_errors(path, "locked"):
        path.parent.mkdir(exist_ok=True)
        handle = path.open("wb")
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def recover(workspace: Workspace) -> None:
    """Settle what a killed ``device add`` left behind, unless one is at work right now."""
    if _fresh(workspace).is_dir():
        with _making(workspace):
            settle(workspace)


def settle(workspace: Workspace) -> None:
    """Move fresh homes of registered devices into place and do away with the others."""
    fresh = _fresh(workspace)
    if not fresh.is_dir():
        return
    registered = {row.id for row in devices.listed(workspace)}
    with files.os_errors(fresh, "moved"):
        for home in list(fresh.iterdir()):
            if home.name in registered:
                home.rename(fresh.parent / home.name)
        shutil.rmtree(fresh)
        files.sync_folder(fresh.parent)


def _kind(wish: Wish) -> tuple[str, Version, frozenset[Algorithm]]:
    """Return what decides the bytes of a device's firmware."""
    return wish.product.id, wish.version, wish.algorithms


def names(workspace: Workspace) -> list[str]:
    """Return the ids of the simulated devices."""
    recover(workspace)
    folder = workspace.path / "devices"
    return sorted(path.name for path in folder.glob("*") if path.is_dir() and path.name[0] != ".")


def open_home(workspace: Workspace, device: str) -> Home:
    """Open a simulated device (InputError: NO_HOME)."""
    path = workspace.path / "devices" / device
    if not is_id(device) or not path.is_dir():
        message = f"There is no simulated device '{device}'."
        raise InputError("NO_HOME", message, mend="Leave --simulated out for a real one.", where=str(path))
    return Home.open(path)


def give_certificate(workspace: Workspace, home: Home, issued: Issued) -> None:
    """Put a certificate and the CA's own into a simulated device."""
    ca = files.read_stored(workspace.path / "tls" / "ca.pem", what="CA certificate", mend="Restore it.")
    home.save_certificate(issued.pem, ca)


def _profile(workspace: Workspace, wish: Wish) -> Profile:
    return Profile(
        id=wish.id,
        product=wish.product.id,
        vendor_id=wish.product.vendor_id,
        class_id=wish.product.class_id,
        languages=wish.languages,
        surface=Surface[wish.product.surface.upper()],
        auto_consent=wish.auto_consent,
        topics=workspace.topics,
        slot_bytes=wish.product.slot_bytes,
        delta=importlib.util.find_spec("detools") is not None,
    )


def _record(wish: Wish, now: int) -> DeviceRecord:
    return DeviceRecord(
        id=wish.id,
        product=wish.product.id,
        key=wish.signer.public,
        valid_from=now - devices.BACKDATE_SECONDS,
        valid_to=now + devices.VALID_SECONDS,
        revoked=False,
        algorithms=tuple(sorted(wish.algorithms)),
    )
