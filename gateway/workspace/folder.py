"""The workspace: one folder that holds what an operator decides, readable and fit for git.

    tocsin.toml            settings           roots/<n>.cose        every root, walked 1 -> n
    products.toml          what is sold       advisories/<id>.yaml  facts; <id>/ what was approved
    policy.toml            who must sign      patches/, artefacts/  manifests and images
    keys.toml, keys/       who signs          devices/              homes of simulated devices
    store.sqlite           what happened

Only names of keys and their public halves stand in ``keys.toml``; a private key lies where its URI says.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from advisories.topics import DEFAULT_PREFIX, Topics, is_id
from gateway import files
from gateway.store.engine import Store
from gateway.workspace import policy
from gateway.workspace.entries import (
    FORMAT,
    POLICY_FILE,
    PRODUCT,
    SETTINGS,
    STORE_FILE,
    KeyEntry,
    Product,
    Settings,
    check_prefix,
    key_fields,
    public_values,
    settings_of,
)
from keys.document import digest, peek
from keys.errors import DamagedError, InputError, RefusedError, UnavailableError
from keys.root import PolicyRow, Root
from keys.signer import Passphrase, Signer, open_signer
from keys.trusted import TrustedSet

LOCK_SECONDS: Final = 10.0  # how long a command waits for another one that writes

_GITIGNORE = """\
# Private keys and what happened stay out of git; decisions belong in it.
/keys/
/store.sqlite*
/devices/
/artefacts/
/.lock
/.serve.lock
/.serve-*.lock
/.leader.lock
/serve.json
"""
_PRODUCTS = "# Products: one table each. 'tocsin product add' appends; comments of your own stay.\n"
_KEYS = "# Keys by name: where the private key lies, what it may do, who holds it. No secret stands here.\n"


@dataclass(frozen=True, slots=True)
class Workspace:
    """An opened workspace. Nothing is cached: each read sees what the files say now."""

    path: Path
    settings: Settings

    @staticmethod
    def create(
        path: Path, *, exercise: bool, prefix: str = DEFAULT_PREFIX, broker: str | None = None
    ) -> Workspace:
        """Make a workspace in a folder that is not one yet.

        Raises:
            InputError: WORKSPACE_EXISTS, BAD_PREFIX.
            UnavailableError: FILE, when the folder may not be written.
        """
        if (path / "tocsin.toml").exists():
            raise InputError(
                "WORKSPACE_EXISTS",
                "There is a workspace already.",
                mend="Use it, or name another folder.",
                where=str(path),
            )
        try:
            check_prefix(prefix)
        except ValueError as error:
            raise InputError("BAD_PREFIX", f"{error}.", mend="Name another with --prefix.") from None
        lines = [
            "# Settings of this workspace. What was signed decides; this file only says how to run.",
            f"format = {FORMAT}",
            f"exercise = {files.toml_value(exercise)}",
            f"prefix = {files.toml_value(prefix)}",
            f"broker = {files.toml_value(broker)}"
            if broker
            else '# broker = "mqtt://broker.example.com:1883"',
            "# http = 8080",
            "",
        ]
        with files.os_errors(path, "made"):
            for folder in ("roots", "keys", "advisories", "patches", "artefacts", "devices"):
                (path / folder).mkdir(parents=True, exist_ok=True)
            (path / "keys").chmod(0o700)
        if not (path / STORE_FILE).exists():
            Store.create(path / STORE_FILE).close()
        for name, text in (
            (".gitignore", _GITIGNORE),
            ("products.toml", _PRODUCTS),
            ("keys.toml", _KEYS),
            (POLICY_FILE, policy.default_text()),
        ):
            if not (path / name).exists():
                files.write_atomic(path / name, text.encode())
        # Last, for this file is what makes the folder a workspace.
        files.write_atomic(path / "tocsin.toml", "\n".join(lines).encode())
        return Workspace.open(path)

    @staticmethod
    def open(path: Path) -> Workspace:
        """Open an existing workspace.

        Raises:
            InputError: NOT_A_WORKSPACE, WORKSPACE_FORMAT; or of the settings file, with file:line.
        """
        if not (path / "tocsin.toml").is_file():
            raise InputError(
                "NOT_A_WORKSPACE",
                "This folder is not a workspace (it has no tocsin.toml).",
                mend="Name one with --workspace, or make one with 'tocsin init DIR'.",
                where=str(path),
            )
        table = files.read_toml(path / "tocsin.toml", what="settings file")
        made = table.data.get("format")
        if isinstance(made, int) and made > FORMAT:
            raise InputError(
                "WORKSPACE_FORMAT",
                f"This workspace has format {made}; this program knows only {FORMAT}.",
                mend="Use the newer program that made it.",
                where=table.where("", "format"),
            )
        return Workspace(path, settings_of(table.fields("", SETTINGS)))

    @property
    def topics(self) -> Topics:
        """Where each document of this fleet lies."""
        return Topics(self.settings.prefix)

    @property
    def artefacts(self) -> Path:
        """Folder of payloads, each named by its SHA-256."""
        return self.path / "artefacts"

    @property
    def store_path(self) -> Path:
        """The SQLite file of the store, where it is one here."""
        return self.path / STORE_FILE

    @property
    def store_place(self) -> Path | str:
        """Where the store lies: path of its file, or address of its database."""
        given = os.environ.get("TOCSIN_STORE") or self.settings.store or STORE_FILE
        return given if "://" in given else self.path / given

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        """Open the store and close it afterwards (errors of :meth:`Store.open`)."""
        store = Store.open(self.store_place)
        try:
            yield store
        finally:
            store.close()

    @contextlib.contextmanager
    def lock(self, *, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Keep other commands from writing meanwhile.

        Raises:
            UnavailableError: WORKSPACE_BUSY, when another command holds it longer than ``seconds``.
        """
        path = self.path / ".lock"
        with files.os_errors(path, "locked"), path.open("wb") as handle:
            end = time.monotonic() + seconds
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= end:
                        raise UnavailableError(
                            "WORKSPACE_BUSY",
                            "Another tocsin command is writing here.",
                            mend="Wait until it is done, then try again.",
                            where=str(self.path),
                        ) from None
                    time.sleep(0.02)
            yield

    # Products and keys

    def products(self) -> dict[str, Product]:
        """Read ``products.toml``: id -> product."""
        table = files.read_toml(self.path / "products.toml", what="list of products")
        found = {}
        for name in table.data:
            if not is_id(name):
                raise InputError(
                    "BAD_ID", f"'{name}' is not a product id.", mend="Rename it.", where=table.where(name)
                )
            found[name] = Product(id=name, **table.fields(name, PRODUCT))
        return found

    def product(self, name: str) -> Product:
        """Return one product.

        Raises:
            InputError: NO_PRODUCT.
        """
        products = self.products()
        if name not in products:
            mend = files.near(name, list(products)) if products else "Add it with 'tocsin product add'."
            raise InputError("NO_PRODUCT", f"There is no product '{name}' in this workspace.", mend=mend)
        return products[name]

    def key_entries(self) -> dict[str, KeyEntry]:
        """Read ``keys.toml``: name -> key."""
        table = self._keys_table()
        fields = key_fields(self.roles())
        return {name: KeyEntry(name=name, **table.fields(name, fields)) for name in table.data}

    def _keys_table(self) -> files.Toml:
        return files.read_toml(self.path / "keys.toml", what="list of keys")

    def policy(self) -> tuple[PolicyRow, ...]:
        """Read ``policy.toml``: what the next root will demand."""
        return policy.read(self.path, self.products())

    def roles(self) -> tuple[str, ...]:
        """Return every role there is: the known ones, those of ``policy.toml``, those of the newest root.

        The last, so that a role may leave the policy before its keys leave the root; and those that
        revoked keys had, which stay listed for good.
        """
        found = list(policy.roles(policy.read(self.path)))
        newest = self.newest_root()
        found += [role for key in newest.keys for role in key.roles] if newest else []
        for row in self._keys_table().data.values():
            if isinstance(row, dict) and "revoked" in row and isinstance(row.get("roles"), list):
                found += [role for role in row["roles"] if isinstance(role, str)]
        return tuple(dict.fromkeys(found))

    def newest_root(self) -> Root | None:
        """Return the newest root WITHOUT verifying it; None where there is none that can be read."""
        numbers = [int(p.stem) for p in files.listed(self.path / "roots", ".cose") if p.stem.isdecimal()]
        with contextlib.suppress(OSError, RefusedError, ValueError):
            return peek((self.path / "roots" / f"{max(numbers)}.cose").read_bytes(), Root)
        return None

    def key_uri(self, entry: KeyEntry) -> str:
        """Return where a private key lies, a relative path starting at the workspace.

        Raises:
            InputError: KEY_ELSEWHERE, when it is on no machine that we know of.
        """
        if entry.uri is None:
            raise InputError(
                "KEY_ELSEWHERE",
                f"The private key of '{entry.name}' is not on this machine: {entry.holder} has it.",
                mend="Send what is to be signed: see 'tocsin sign-request export'.",
                where=entry.name,
            )
        scheme, _, rest = entry.uri.partition(":")
        return f"file:{self.path / rest}" if scheme == "file" else entry.uri

    def key(self, name: str) -> KeyEntry:
        """Return one key.

        Raises:
            InputError: NO_KEY.
        """
        keys = self.key_entries()
        if name not in keys:
            mend = files.near(name, list(keys)) if keys else "Make it with 'tocsin key new'."
            raise InputError("NO_KEY", f"There is no key '{name}' in this workspace.", mend=mend)
        return keys[name]

    def signer(self, name: str, passphrase: Passphrase) -> Signer:
        """Open a private key and make sure that it is the one ``keys.toml`` lists.

        Raises:
            InputError: NO_KEY, KEY_ELSEWHERE, KEY_MISMATCH, or of :func:`keys.signer.open_signer`.
        """
        entry = self.key(name)
        signer = open_signer(self.key_uri(entry), lambda _: passphrase(f"key {name}"))
        if signer.public != entry.public:
            raise InputError(
                "KEY_MISMATCH",
                f"The private key of '{name}' is not the one that keys.toml lists.",
                mend="Restore the key, or make a new one with 'tocsin key new'.",
                where=str(entry.uri).partition(":")[2].partition("?")[0],
            )
        return signer

    def append_product(self, product: Product) -> None:
        """Append a product to ``products.toml``; call it with the lock held."""
        values = {
            "name": product.name,
            "languages": product.languages,
            "surface": product.surface,
            "vendor": product.vendor,
            "slot_bytes": product.slot_bytes,
            "consent": product.consent,
            "versions": product.versions or None,
            "end_of_support": product.end_of_support,
        }
        self._append("products.toml", files.toml_table(product.id, values))

    def append_key(self, entry: KeyEntry) -> None:
        """Append a key to ``keys.toml``; call it with the lock held."""
        values = {"uri": entry.uri, **public_values(entry)}
        self._append("keys.toml", files.toml_table(entry.name, values))

    def revoke_key(self, name: str, reason: str, now: int) -> None:
        """Mark a key in ``keys.toml`` as revoked; call it with the lock held."""
        values = {"revoked": datetime.fromtimestamp(now, UTC), "reason": reason}
        text = files.toml_extended(self._keys_table(), name, values)
        files.write_atomic(self.path / "keys.toml", text.encode())

    def _append(self, name: str, table: str) -> None:
        path = self.path / name
        old = files.read_stored(path, what=name, mend="Restore it from a copy or from git.").decode()
        files.write_atomic(path, f"{old.rstrip()}\n\n{table}".encode())

    # Roots

    def root_documents(self) -> list[bytes]:
        """Return every published root in order, 1 first; an empty list before the first."""
        numbers = sorted(int(p.stem) for p in files.listed(self.path / "roots", ".cose") if p.stem.isdigit())
        if numbers != list(range(1, len(numbers) + 1)):
            raise DamagedError(
                "ROOT_GAP",
                f"Roots must be numbered 1 to n without a gap; found {', '.join(map(str, numbers))}.",
                mend="Restore the missing root from a copy or from git.",
                where=str(self.path / "roots"),
            )
        mend = "Restore it from a copy or from git."
        return [files.read_stored(self.path / "roots" / f"{n}.cose", what="root", mend=mend) for n in numbers]

    def trusted(self) -> TrustedSet:
        """Walk the roots 1 -> n, each signed under the policy before it, and return the set.

        Expiry is not judged here: whoever uses the root for something compares it with the time.

        Raises:
            InputError: NO_ROOT.
            DamagedError: ROOT_DAMAGED, naming the file.
        """
        documents = self.root_documents()
        if not documents:
            raise InputError(
                "NO_ROOT",
                "This workspace has no root yet.",
                mend="Make one with 'tocsin root new', 'root sign' and 'root publish'.",
                where=str(self.path / "roots"),
            )
        number = 1
        try:
            trusted = TrustedSet.enrol(documents[0], None)
            for document in documents[1:]:
                number += 1
                trusted.update_root(document, None)
        except RefusedError as error:
            raise DamagedError(
                "ROOT_DAMAGED",
                f"The root is not what was published: {error.reason.means}.",
                mend="Restore it from a copy or from git.",
                where=str(self.path / "roots" / f"{number}.cose"),
            ) from None
        return trusted

    def fleet(self) -> bytes:
        """Return the fleet's digest, that of root 1 (InputError: NO_ROOT)."""
        documents = self.root_documents()
        return digest(documents[0]) if documents else self.trusted().fleet


def add_artefact(workspace: Workspace, data: bytes) -> bytes:
    """Keep a payload under its SHA-256 and return that digest; one that was damaged in place is mended."""
    name = hashlib.sha256(data).digest()
    path = workspace.artefacts / name.hex()
    if not path.is_file() or path.read_bytes() != data:
        files.write_atomic(path, data)
    return name
