"""``tocsin device import``: a maker's list of devices, as CSV or JSON, read strictly; all of it or nothing.

Columns ``product`` and ``key`` are required; ``id`` (random if left out), ``valid_from``, ``valid_to`` and
``algorithms`` are not. A key is a COSE_Key in hexadecimal, a SubjectPublicKeyInfo in PEM, or the 32 bytes
of an Ed25519 key in base64. A row that is registered just so is passed over: a list can be given again.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from advisories.catalogue import DeviceRecord
from advisories.limits import ALGORITHMS_MAX
from advisories.topics import is_id
from gateway import files, values
from gateway.operations.identity import certificates, devices
from gateway.operations.identity.device_list import COLUMNS, REQUIRED, bad, read_rows
from gateway.store import schema
from gateway.workspace.folder import Workspace
from keys.algorithms import VERIFIED, Algorithm, PublicKey
from keys.cbor import decode
from keys.errors import RefusedError

ROWS_MAX: Final = 100_000
FIELD_CHARACTERS_MAX: Final = 4_096  # a key in PEM has 200
_COSE_BYTES_MAX: Final = 256
_NAMES: Final = {a.name.lower().replace("_", "-"): a for a in sorted(VERIFIED, reverse=True)}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a list."""

    where: str
    """``file:line``."""
    message: str
    mend: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message} {self.mend}"


@dataclass(slots=True)
class Read:
    """What a list comes to; it is registered only when there is no fault."""

    rows: int = 0
    fresh: list[DeviceRecord] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def known(self) -> int:
        """Rows that are registered already."""
        return self.rows - len(self.fresh)


def read_list(
    workspace: Workspace,
    path: Path,
    *,
    now: int,
    entropy: Callable[[int], bytes] = os.urandom,
    step: Callable[[], object] = lambda: None,
) -> Read:
    """Read a list and compare it with itself and with the register.

    Args:
        workspace: whose products and devices count.
        path: the list.
        now: UTC seconds.
        entropy: where random ids come from.
        step: called after each row.

    Raises:
        InputError: FILE_MISSING, FILE_TOO_BIG, NOT_UTF8, BAD_LIST; a list that cannot be read as rows.
    """
    checker = _Checker(workspace, str(path), now, entropy)
    for line, row in read_rows(path):
        checker.take(line, row)
        step()
    if not checker.read.rows:
        raise bad(f"{path}:1", "The list holds no device.", "Write one device a line.")
    return checker.read


class _Checker:
    """Reads rows one by one; knows what the rows before and the register hold."""

    def __init__(self, workspace: Workspace, where: str, now: int, entropy: Callable[[int], bytes]) -> None:
        self.read = Read()
        self._where, self._now, self._entropy = where, now, entropy
        self._products = workspace.products()
        t = schema.devices
        query = sa.select(t.c.id, t.c.product, t.c.kid, t.c.valid_from, t.c.valid_to, t.c.revoked)
        with workspace.store() as store, store.read() as session:
            self._known = {row.id: row for row in session.connection.execute(query)}
        self._owners = {row.kid: row.id for row in self._known.values()}
        self._ids: dict[str, int] = {}
        self._kids: dict[bytes, int] = {}

    def take(self, line: int, row: Mapping[str, Any]) -> None:
        """Read one row; what is wrong with it becomes a fault."""
        self.read.rows += 1
        if self.read.rows > ROWS_MAX:
            message = f"The list has more than {ROWS_MAX} devices."
            raise bad(f"{self._where}:{line}", message, "Give it in several lists.")
        try:
            record = self._record(line, row)
        except _Wrong as wrong:
            self.read.faults.append(Fault(f"{self._where}:{line}", wrong.message, wrong.mend))
        else:
            if record is not None:
                self.read.fresh.append(record)

    def _record(self, line: int, row: Mapping[str, Any]) -> DeviceRecord | None:
        """Return the record, None when it is registered just so already."""
        values = {name: _value(name, value) for name, value in row.items()}
        for name in REQUIRED:
            if name not in values:
                raise _Wrong(f"The {name} is missing.", "Write it.")
        product = values["product"]
        if product not in self._products:
            mend = files.near(product, list(self._products)) if self._products else "Add it first."
            raise _Wrong(f"There is no product '{product}'.", mend)
        kid = values["key"].thumbprint
        self._once(line, values, kid)
        if self._is_known(values, kid):
            return None
        start = values.get("valid_from", self._now - devices.BACKDATE_SECONDS)
        end = values.get("valid_to", self._now + devices.VALID_SECONDS)
        if not start < end or end <= self._now:
            raise _Wrong("It is valid at no time to come.", "Mend valid_from and valid_to.")
        return DeviceRecord(
            id=values.get("id") or self._entropy(8).hex(),
            product=product,
            key=values["key"],
            valid_from=start,
            valid_to=end,
            revoked=False,
            algorithms=values.get("algorithms"),
        )

    def _once(self, line: int, values: Mapping[str, Any], kid: bytes) -> None:
        """Refuse an id or key that a row before has."""
        before = self._kids.setdefault(kid, line)
        if before != line:
            raise _Wrong(f"The key stands on line {before} already.", "Give each device a key of its own.")
        if "id" in values:
            before = self._ids.setdefault(values["id"], line)
            if before != line:
                raise _Wrong(f"The id '{values['id']}' stands on line {before} already.", "Use each id once.")

    def _is_known(self, values: Mapping[str, Any], kid: bytes) -> bool:
        """Say whether the register holds this very device; refuse what contradicts it."""
        owner = self._owners.get(kid)
        id_ = values.get("id", owner)
        if owner is not None and owner != id_:
            message = f"The key is that of the device '{owner}' already."
            raise _Wrong(message, "Give each device a key of its own.")
        if id_ is None or id_ not in self._known:
            return False
        known = self._known[id_]
        told = {name: values[name] for name in ("product", "valid_from", "valid_to") if name in values}
        if known.kid != kid:
            mend = f"Give it this key with 'tocsin device replace {id_}', or another id."
            raise _Wrong(f"There is a device '{id_}' already, with another key.", mend)
        if known.revoked:
            raise _Wrong(f"The device '{id_}' is revoked.", "Take it off the list.")
        if any(getattr(known, name) != value for name, value in told.items()):
            raise _Wrong(f"The device '{id_}' is registered with other facts.", "Take it off the list.")
        return True


class _Wrong(Exception):  # noqa: N818 - it never leaves this module
    """A row that cannot be taken."""

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message)
        self.message, self.mend = message, mend


def _value(name: str, value: Any) -> Any:
    if name not in COLUMNS:
        raise _Wrong(f"'{name[:64]}' is not a known name.", files.near(name, COLUMNS))
    if isinstance(value, str) and len(value) > FIELD_CHARACTERS_MAX:
        raise _Wrong(f"The {name} has more than {FIELD_CHARACTERS_MAX} characters.", "Shorten it.")
    if isinstance(value, str):
        value = value.strip()
    try:
        return _READ[name](value)
    except (ValueError, RefusedError) as error:
        why = error.reason.means if isinstance(error, RefusedError) else str(error)
        raise _Wrong(f"The {name} is wrong: {why}.", _MEND[name]) from None


def _id(value: Any) -> str:
    if not isinstance(value, str) or not is_id(value):
        raise ValueError("it is no device id")
    return value


def _text(value: Any) -> str:
    return values.a_text(value)


def _key(value: Any) -> PublicKey:
    if not isinstance(value, str):
        raise ValueError("expected a text")  # noqa: TRY004 - one kind of error for every value
    if value.startswith("-----BEGIN"):
        try:
            return certificates.from_library(serialization.load_pem_public_key(value.encode()))
        except UnsupportedAlgorithm:
            raise ValueError("the key is neither Ed25519 nor P-256") from None
        except ValueError as error:
            ours = str(error).startswith("the key is")
            raise ValueError(str(error) if ours else "this is no public key in PEM") from None
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", value):
        key = PublicKey.from_cose(decode(bytes.fromhex(value), size_max=_COSE_BYTES_MAX))
        if key.algorithm not in {Algorithm.ED25519, Algorithm.ESP256}:
            raise ValueError("the key is neither Ed25519 nor P-256")
        return key
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is neither hexadecimal, PEM nor base64") from None
    if len(raw) != 32:
        raise ValueError(f"an Ed25519 key has 32 bytes, this has {len(raw)}")
    return PublicKey.from_cose(PublicKey(Algorithm.ED25519, raw).to_cose())


def _time(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, str):
        try:
            found = dt.datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("it is no date") from None
        value = int((found if found.tzinfo else found.replace(tzinfo=dt.UTC)).timestamp())
    if type(value) is not int or not 0 <= value <= certificates.TIME_MAX:
        raise ValueError("it is no time from 1970 to 9999")
    return int(value)


def _algorithms(value: Any) -> tuple[Algorithm, ...]:
    names = [name.strip().lower() for name in value.split(",")] if isinstance(value, str) else value
    if not isinstance(names, list) or not 0 < len(names) <= ALGORITHMS_MAX:
        raise ValueError(f"expected 1 to {ALGORITHMS_MAX} names")
    for name in names:
        if not isinstance(name, str) or name not in _NAMES:
            raise ValueError(f"'{str(name)[:64]}' is no algorithm")
    return tuple(sorted({_NAMES[name] for name in names}))


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "id": _id,
    "product": _text,
    "key": _key,
    "valid_from": _time,
    "valid_to": _time,
    "algorithms": _algorithms,
}
_MEND: Final = {
    "id": "Use 1 to 64 letters, digits, dots, underscores or hyphens, a letter or digit first.",
    "product": "Write the product's id.",
    "key": "Write a COSE_Key in hexadecimal, a public key in PEM, or an Ed25519 key in base64.",
    "valid_from": "Write a date such as 2026-11-22, or UTC seconds.",
    "valid_to": "Write a date such as 2046-11-22, or UTC seconds.",
    "algorithms": f"Write names such as {', '.join(_NAMES)}.",
}
