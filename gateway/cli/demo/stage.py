"""The demo's workspace: made once, gone on with after an interruption, made anew after a finished run."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Final

from advisories import mcuboot
from advisories.catalogue import DeviceRecord
from advisories.versions import parse_version
from device_sim.core.profile import AutoConsent
from gateway import files
from gateway.cli import homes
from gateway.cli.demo.cast import FIRST_BUILD, FIXED_VERSION, LANGUAGES, PRODUCTS, Member, draw
from gateway.cli.homes import Wish
from gateway.operations import products
from gateway.operations.catalogues import next_catalogue
from gateway.operations.identity import devices as register
from gateway.operations.trust import keys, roots
from gateway.operations.trust.choosing import signer_for
from gateway.store import publication
from gateway.workspace.entries import Product
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from keys.document import seal
from keys.errors import InputError
from keys.signer import Signer, from_seed, generate

ADVISORY: Final = "EX-2026-0001"
ADVISORY_FILE: Final = f"{ADVISORY}.yaml"
HOLDERS: Final = (
    ("root-1", "root"),
    ("root-2", "root"),
    ("root-3", "root"),
    ("engineering", "engineering"),
    ("legal", "legal"),
    ("communications", "communications"),
    ("release", "release"),
    ("security", "security"),
    ("operator", "operator"),
    ("gateway", "gateway"),
)
"""Key name and role; the holder of each is ``exercise-<name>``, a different one for every key."""
IMAGE_BODY_BYTES: Final = 40_000  # about ten blocks: long enough to break in the middle
SCREENS: Final = "screens"
BOARD: Final = "board"
"""Folder of the device in C: its key, and its flash."""
BOARD_SEED: Final = "key.seed"

_NOTE = ".tocsin-demo.json"
_MADE_BY = "tocsin demo"  # a folder without this mark is never emptied
_SUMMARY = "summary.json"
_FAILS = b"SELFTEST-FAILS"
"""An image with these bytes does not stand the self-test of the device in C (hil/refdevice/core/slots.c)."""


def no_passphrase(_name: str) -> bytes:
    """The demo's keys are not encrypted: the workspace is an exercise."""
    return b""


@dataclass(frozen=True, slots=True)
class Stage:
    """A workspace in which everybody is ready."""

    workspace: Workspace
    cast: tuple[Member, ...]
    resumed: bool
    """True when an interrupted run is gone on with."""

    @property
    def board(self) -> Member | None:
        """The device in C, where one takes part."""
        return next((member for member in self.cast if member.board), None)

    def signer(self, role: str) -> Signer:
        """Open the one key of a role."""
        return signer_for(self.workspace, role, no_passphrase)

    def old_catalogue(self, product: str) -> bytes:
        """Return the first catalogue of a product, which names nothing: what an attacker has recorded."""
        return (self.workspace.path / "trouble" / f"old-catalogue-{product}.cose").read_bytes()


def prepare(path: Path, devices: int, seed: int, now: int, *, board: bool = False) -> Stage:
    """Return the stage in a folder: new, or as an interrupted run of the same demo left it.

    Args:
        path: the folder.
        devices: how many simulated ones.
        seed: decides who is who.
        now: UTC seconds.
        board: let the device in C take part, too; an interrupted run goes on as it began.

    Raises:
        InputError: DEMO_FOLDER, when the folder holds something else; DEMO_OTHER, when an unfinished demo
            of another size or seed lies there, or one with the device in C, which cannot take part now.
        UnavailableError: when the folder may not be written.
    """
    note, wanted = path / _NOTE, {"made_by": _MADE_BY, "devices": devices, "seed": seed}
    found = _read_note(note)
    with_board = bool(found.pop("board", False))
    if found.get("made_by") == _MADE_BY:
        if (path / _SUMMARY).exists() or not found.pop("ready", False):
            _clear(path)
        elif found != wanted:
            raise InputError(
                "DEMO_OTHER",
                f"An unfinished demo lies here: {found.get('devices')} devices, seed {found.get('seed')}.",
                mend="Go on with the same options, name another --workspace, or delete the folder.",
                where=str(path),
            )
        elif with_board and not board:
            raise InputError(
                "DEMO_OTHER",
                "In the unfinished demo that lies here the device in C takes part, and it cannot now.",
                mend="Run it with --hil where QEMU is, name another --workspace, or delete the folder.",
                where=str(path),
            )
        else:
            return Stage(Workspace.open(path), draw(devices, seed, board=with_board), resumed=True)
    elif path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(
            "DEMO_FOLDER",
            "This is not a folder of the demo, and it is not empty.",
            mend="Name another --workspace.",
            where=str(path),
        )
    with files.os_errors(path, "made"):
        path.mkdir(parents=True, exist_ok=True)
        files.write_atomic(note, json.dumps(wanted).encode())
    cast = draw(devices, seed, board=board)
    stage = Stage(_build(path, cast, now), cast, resumed=False)
    ready = {**wanted, **({"board": True} if board else {}), "ready": True}
    files.write_atomic(note, json.dumps(ready).encode())
    return stage


def finish(stage: Stage, summary: str) -> Path:
    """Write ``summary.json``: from now on the run counts as finished."""
    path = stage.workspace.path / _SUMMARY
    files.write_atomic(path, summary.encode())
    return path


def _read_note(note: Path) -> dict[str, object]:
    try:
        return dict(json.loads(note.read_bytes()))
    except (OSError, ValueError, TypeError):
        return {}


def _clear(path: Path) -> None:
    """Empty the folder of an older demo; its note goes last, so that an interruption does no harm."""
    with files.os_errors(path, "cleared"):
        for entry in sorted(path.iterdir(), key=lambda entry: entry.name == _NOTE):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def _build(path: Path, cast: tuple[Member, ...], now: int) -> Workspace:
    # A prefix of its own: on a broker that others use, or that remembers an earlier run, nothing meets.
    workspace = Workspace.create(path, exercise=True, prefix=f"tocsin-demo-{secrets.token_hex(4)}/v1")
    for product in PRODUCTS:
        products.add(
            workspace,
            Product(
                id=product,
                name=product.capitalize(),
                languages=LANGUAGES,
                surface="screen",
                vendor="example.com",
                slot_bytes=262_144,
                consent="ask",
            ),
        )
    for name, role in HOLDERS:
        keys.new(workspace, name, roles=[role], holder=f"exercise-{name}", now=now, by="exercise")
    roots.draft(workspace, now=now, by="exercise")
    for name in ("root-1", "root-2"):
        roots.sign_draft(workspace, name, no_passphrase, now=now, by="exercise")
    roots.publish(workspace, now=now, by="exercise")
    operator = signer_for(workspace, "operator", no_passphrase)
    wishes = [_wish(workspace, member) for member in cast if not member.board]
    homes.make(workspace, wishes, operator, now=now)
    for member in cast:
        if member.board:
            _register_board(workspace, member, operator, now)
    for product in PRODUCTS:
        _first_catalogue(workspace, product, operator, now)
        image = homes.firmware(product, parse_version(FIXED_VERSION[product]), size=IMAGE_BODY_BYTES)
        files.write_atomic(path / "images" / f"{product}-{FIXED_VERSION[product]}.bin", image)
    facts = package_files("gateway.cli.demo").joinpath(ADVISORY_FILE).read_bytes()
    files.write_atomic(path / "advisories" / ADVISORY_FILE, facts)
    return workspace


def _wish(workspace: Workspace, member: Member) -> Wish:
    first = member.language
    return Wish(
        id=member.id,
        product=workspace.product(member.product),
        languages=(first, *(language for language in LANGUAGES if language != first)),
        version=parse_version(member.version),
        auto_consent=AutoConsent.NEVER,
        signer=generate(),
    )


def _register_board(workspace: Workspace, member: Member, operator: Signer, now: int) -> None:
    """Make the key of the device in C, register it, and make the image that it will go back from."""
    seed = secrets.token_bytes(32)
    folder = workspace.path / BOARD
    folder.mkdir(mode=0o700)
    files.write_atomic(folder / BOARD_SEED, seed, mode=0o600)
    record = DeviceRecord(
        id=member.id,
        product=member.product,
        key=from_seed(seed).public,
        valid_from=now - register.BACKDATE_SECONDS,
        valid_to=now + register.VALID_SECONDS,
        revoked=False,
        algorithms=(Algorithm.ED25519,),
    )
    register.register(workspace, [record], operator, now=now)
    code = hashlib.shake_256(f"{member.product} {FIRST_BUILD}".encode()).digest(IMAGE_BODY_BYTES)
    image = mcuboot.pack(
        _FAILS + code[len(_FAILS) :],
        parse_version(FIRST_BUILD),
        security_counter=0,
        algorithms={Algorithm.ED25519},
    )
    files.write_atomic(first_image(workspace, member), image)


def first_image(workspace: Workspace, member: Member) -> Path:
    """Return where the image lies that the device in C will go back from."""
    return workspace.path / "images" / f"{member.product}-{FIRST_BUILD}.bin"


def _first_catalogue(workspace: Workspace, product: str, operator: Signer, now: int) -> None:
    """Publish a catalogue that names nothing, and keep it for the attacker."""
    with workspace.store() as store:
        with store.read() as session:
            body = next_catalogue(session, workspace.fleet(), product, now=now)
        document = seal(body, [operator])
        publication.publish_catalogue(store, document, now, topics=workspace.topics)
    files.write_atomic(workspace.path / "trouble" / f"old-catalogue-{product}.cose", document)
