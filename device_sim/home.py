"""A device's folder: what it was made with, what it remembers, and its flash.

    devices/<id>/device.toml    what it is; its owner may edit the wishes in it
                 key.pem        its private key
                 cert.pem       its certificate for TLS, where it was issued one
                 ca.pem         the CA that it trusts in TLS; without it, the system's
                 root-1.cose    the root it was provisioned with
                 state.cbor     what its agent remembers; empty in a factory-new device
                 boot.cbor      which slot boots
                 slot-0.bin, slot-1.bin   image slots; an empty file is erased flash
                 slot-0.1.bin, ...        the same of its further components, where it has some
                 staging.bin              a delta, or what is handed to the platform's own updater
                 made.toml                what it was made as, for a factory reset

State and boot record are replaced whole or not at all. Slots are written in place, as flash is.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from advisories.limits import PAYLOAD_BYTES_MAX
from device_sim.board import Board
from device_sim.core.limits import STATE_BYTES_MAX
from device_sim.core.profile import Platform, Profile
from device_sim.core.slots import RECORD_BYTES_MAX, STAGING, BootRecord
from device_sim.draft import alone, sync
from device_sim.tls import client_context
from device_sim.toml import read_device, write_profile
from keys.codec import dump
from keys.errors import DamagedError, InputError, UnavailableError
from keys.limits import ROOT_BYTES_MAX
from keys.signer import LocalSigner, from_pem

_TOML: Final = "device.toml"
_MADE: Final = "made.toml"
_KEY: Final = "key.pem"
_NEXT_KEY: Final = "key.next.pem"
_CERTIFICATE: Final = "cert.pem"
_CA: Final = "ca.pem"
_ROOT: Final = "root-1.cose"
_STATE: Final = "state.cbor"
_BOOT: Final = "boot.cbor"
_KEY_BYTES_MAX: Final = 16_384
PIECE_BYTES: Final = 262_144
"""A slot is read in pieces of at most so many bytes."""
_WISHES: Final = ("languages", "auto_consent", "defer_max", "defer_seconds", "zone", "windows", "battery_min")
"""Fields of a profile that belong to the owner, and not to what the device is."""
_RESTORE: Final = "Restore it from a backup, or make the device anew with 'tocsin device add'."


@lru_cache(maxsize=16)
def _shared(data: bytes) -> bytes:
    """Return one object for equal bytes: ten thousand devices have the same root."""
    return data


class Home:
    """One device's folder, opened.

    Args:
        path: the folder.
        profile: what ``device.toml`` says.
        signer: the device's key.
        root_1: bytes of the provisioned root.
        durable: wait until every write is on the disk; a fleet in a test bed does without.
        board: what else ``device.toml`` says; None: nothing.
    """

    __slots__ = ("board", "durable", "path", "profile", "root_1", "signer")

    def __init__(
        self,
        path: Path,
        profile: Profile,
        signer: LocalSigner,
        root_1: bytes,
        *,
        durable: bool = True,
        board: Board | None = None,
    ) -> None:
        self.path = path
        self.profile = profile
        self.signer = signer
        self.root_1 = root_1
        self.durable = durable
        self.board = board or Board()

    @staticmethod
    def create(
        path: Path,
        profile: Profile,
        signer: LocalSigner,
        root_1: bytes,
        image: bytes,
        *,
        durable: bool = True,
    ) -> Home:
        """Make the folder of a factory-new device that runs ``image``; whole or not at all.

        Raises:
            InputError: HOME_EXISTS, or HOME_IMAGE when the image does not fit a slot.
            UnavailableError: HOME_WRITE.
        """
        if path.exists():
            raise InputError(
                "HOME_EXISTS", "This device exists already.", mend="Choose another id.", where=str(path)
            )
        least = 1 if profile.platform is Platform.SLOTS else 0
        if not least <= len(image) <= profile.slot_bytes:
            raise InputError(
                "HOME_IMAGE",
                f"An image of {len(image)} bytes does not fit a slot of {profile.slot_bytes} bytes.",
                where=str(path),
            )
        import shutil  # noqa: PLC0415 - a device that was made never needs it

        draft = path.with_name(f".{path.name}.new")
        home = Home(path, profile, signer, _shared(root_1), durable=durable)
        try:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            key = os.open(draft / _KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(key, "wb") as file:
                file.write(signer.to_pem(b""))
            for name in (_TOML, _MADE):
                (draft / name).write_text(write_profile(profile), encoding="utf-8")
            (draft / _ROOT).write_bytes(root_1)
            (draft / _STATE).write_bytes(b"")
            (draft / _BOOT).write_bytes(dump(BootRecord(active=0)))
            (draft / "slot-0.bin").write_bytes(image)
            (draft / "slot-1.bin").write_bytes(b"")
            if durable:
                for entry in (*draft.iterdir(), draft):
                    sync(entry)
            draft.rename(path)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise _unwritable(path, error) from None
        return home

    @staticmethod
    def open(path: Path, *, durable: bool = True) -> Home:
        """Open a device's folder.

        Raises:
            InputError: DEVICE_TOML with file and line.
            DamagedError: HOME_DAMAGED, naming the file.
        """
        text = _read(path / _TOML, STATE_BYTES_MAX)
        try:
            profile, board = read_device(text.decode(), where=str(path / _TOML))
        except UnicodeDecodeError:
            raise _damaged(path / _TOML, "it is not UTF-8") from None
        root_1 = _shared(_read(path / _ROOT, ROOT_BYTES_MAX))
        pem = _read(path / _KEY, _KEY_BYTES_MAX)
        try:
            signer = from_pem(pem, b"", where=str(path / _KEY))
        except InputError as error:
            raise _damaged(path / _KEY, error.message) from None
        ours = (_BOOT, "slot-0.bin", "slot-1.bin") if profile.platform is Platform.SLOTS else ()
        for name in (_STATE, *ours):
            if not (path / name).is_file():
                raise _damaged(path / name, "it is missing")
        return Home(path, profile, signer, root_1, durable=durable, board=board)

    def tls(self) -> ssl.SSLContext:
        """Return how the device connects in TLS: by its one key, where it has a certificate for it.

        Raises:
            DamagedError: HOME_DAMAGED.
        """
        ca, certificate = self.path / _CA, self.path / _CERTIFICATE
        return client_context(
            ca if ca.is_file() else None,
            certificate if certificate.is_file() else None,
            self.path / _KEY,
        )

    def save_certificate(self, certificate: bytes, ca: bytes) -> None:
        """Keep the device's certificate and the CA that it trusts, both PEM (UnavailableError)."""
        self._replace(_CA, ca)
        self._replace(_CERTIFICATE, certificate)

    def next_key(self, fresh: Callable[[], LocalSigner]) -> LocalSigner:
        """Return the key that waits to become the device's, making it first where there is none.

        It is on the disk before anybody is told of it: a kill never leaves a registered key that nobody has.

        Raises:
            DamagedError: HOME_DAMAGED.
            UnavailableError: HOME_WRITE.
        """
        path = self.path / _NEXT_KEY
        if not path.exists():
            self._replace(_NEXT_KEY, fresh().to_pem(b""))
        try:
            return from_pem(_read(path, _KEY_BYTES_MAX), b"", where=str(path))
        except InputError as error:
            raise _damaged(path, error.message) from None

    def take_next_key(self) -> None:
        """Make the waiting key the device's; its old certificate is of no use any more (UnavailableError)."""
        try:
            (self.path / _NEXT_KEY).replace(self.path / _KEY)
            (self.path / _CERTIFICATE).unlink(missing_ok=True)
            sync(self.path)
        except OSError as error:
            raise _unwritable(self.path / _KEY, error) from None

    def read_state(self) -> bytes | None:
        """Return what the agent saved last; None in a factory-new device.

        Raises:
            DamagedError: HOME_DAMAGED.
        """
        return _read(self.path / _STATE, STATE_BYTES_MAX, empty=True) or None

    def save_state(self, state: bytes) -> None:
        """Replace the agent's state (UnavailableError: HOME_WRITE, HOME_BUSY)."""
        self._replace(_STATE, state)

    def read_boot(self) -> bytes:
        """Return the boot record (DamagedError: HOME_DAMAGED)."""
        return _read(self.path / _BOOT, RECORD_BYTES_MAX)

    def save_boot(self, record: bytes) -> None:
        """Replace the boot record; the slots it speaks of are on the disk before (UnavailableError)."""
        if self.durable:
            for slot in range(self.profile.slots):
                for component in range(len(self.profile.components)):
                    if component == 0 or self._slot(slot, component).exists():
                        sync(self._slot(slot, component))
        self._replace(_BOOT, record)

    def read_slot(self, slot: int, size: int | None = None, component: int = 0) -> bytes:
        """Read a slot back, or its first ``size`` bytes; erased flash is empty (DamagedError)."""
        return b"".join(self.pieces(slot, self.profile.slot_bytes if size is None else size, component))

    def pieces(self, slot: int, size: int, component: int = 0) -> Iterator[bytes]:
        """Read the first ``size`` bytes of a slot piece by piece, as far as there are any (DamagedError)."""
        path = self._slot(slot, component)
        try:
            if (slot == STAGING or component) and not path.exists():
                return
            with path.open("rb", buffering=0) as file:
                while size > 0 and (data := file.read(min(size, PIECE_BYTES))):
                    size -= len(data)
                    yield data
        except OSError as error:
            raise _damaged(path, error.strerror or "it cannot be read") from None

    def erase_slot(self, slot: int, component: int = 0) -> None:
        """Empty a slot (UnavailableError: HOME_WRITE)."""
        try:
            self._slot(slot, component).write_bytes(b"")
        except OSError as error:
            raise _unwritable(self._slot(slot, component), error) from None

    def write_slot(self, slot: int, offset: int, data: bytes, component: int = 0) -> None:
        """Write bytes into a slot at ``offset`` (UnavailableError: HOME_WRITE)."""
        room = PAYLOAD_BYTES_MAX if slot == STAGING else self.profile.slot_bytes
        assert offset + len(data) <= room, "the core writes beyond its slot"
        path = self._slot(slot, component)
        try:
            with path.open("r+b", buffering=0) as file:
                file.seek(offset)
                rest = memoryview(data)
                while rest:
                    rest = rest[file.write(rest) :]
        except OSError as error:
            raise _unwritable(path, error) from None

    def copy_slot(self, source: int, source_component: int, slot: int, component: int, size: int) -> None:
        """Copy the first ``size`` bytes of one slot into another (DamagedError, UnavailableError)."""
        offset = 0
        for data in self.pieces(source, size, source_component):
            self.write_slot(slot, offset, data, component)
            offset += len(data)

    def slot_path(self, slot: int, component: int = 0) -> Path:
        """Return the file that a slot's bytes are in, for a program that reads files; it may not exist."""
        return self._slot(slot, component)

    def forget_wishes(self) -> Profile:
        """Put the owner's wishes back to those that the device was made with, and return its profile.

        Raises:
            DamagedError: HOME_DAMAGED.
            UnavailableError: HOME_WRITE.
        """
        made = self.path / _MADE
        if made.exists():
            try:
                first, around = read_device(_read(made, STATE_BYTES_MAX).decode(), where=str(made))
            except (UnicodeDecodeError, InputError):
                raise _damaged(made, "it cannot be read") from None
            wishes = {name: getattr(first, name) for name in _WISHES}
            self.profile = replace(self.profile, **wishes)
            self._leave_house(around)
            self._replace(_TOML, write_profile(self.profile, self.board).encode())
        return self.profile

    def _leave_house(self, made: Board) -> None:
        """Forget the home of the former owner, and the password of its broker."""
        former = self.board.home_assistant
        self.board = replace(self.board, home_assistant=made.home_assistant)
        if former is not None and former != made.home_assistant and former.password_file:
            try:
                (self.path / former.password_file).unlink(missing_ok=True)
            except OSError as error:
                raise _unwritable(self.path / former.password_file, error) from None

    def _slot(self, slot: int, component: int = 0) -> Path:
        name = "staging" if slot == STAGING else f"slot-{slot}"
        return self.path / (f"{name}.{component}.bin" if component else f"{name}.bin")

    def _replace(self, name: str, data: bytes) -> None:
        target, draft = self.path / name, self.path / f".{name}.new"
        try:
            with alone(draft) as handle:
                try:
                    os.truncate(handle, 0)
                    with os.fdopen(os.dup(handle), "wb") as file:
                        file.write(data)
                    if self.durable:
                        os.fsync(handle)
                    draft.replace(target)
                except OSError:
                    draft.unlink(missing_ok=True)  # a full disk needs the room
                    raise
            if self.durable:
                sync(self.path)
        except BlockingIOError:
            raise UnavailableError(
                "HOME_BUSY",
                "Another process writes this device's state.",
                mend="Run a device in one process only.",
                where=str(target),
            ) from None
        except OSError as error:
            raise _unwritable(target, error) from None


def _read(path: Path, size_max: int, *, empty: bool = False) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(size_max + 1)
    except OSError as error:
        raise _damaged(path, "it is missing" if not path.exists() else error.strerror or "") from None
    if len(data) > size_max or (not data and not empty):
        raise _damaged(
            path, f"its size cannot be right (at most {size_max} bytes)" if data else "it is empty"
        )
    return data


def _damaged(path: Path, why: str) -> DamagedError:
    return DamagedError(
        "HOME_DAMAGED", f"A file of the device is not whole: {why}.", mend=_RESTORE, where=str(path)
    )


def _unwritable(path: Path, error: OSError) -> UnavailableError:
    return UnavailableError(
        "HOME_WRITE",
        f"The device's file cannot be written ({error.strerror}).",
        mend="Check the disk's space and the folder's permissions.",
        where=str(path),
    )
