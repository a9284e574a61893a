"""``tocsin device import``: a list of devices, read strictly; all of it or nothing.

A maker's list has a ``product`` and a ``key`` for each device: it becomes a record that the operator signs.
``id`` (random if left out), ``valid_from``, ``valid_to`` and ``algorithms`` may stand there too. A key is a
COSE_Key in hexadecimal, a SubjectPublicKeyInfo in PEM, or the 32 bytes of an Ed25519 key in base64.

``version``, ``region``, ``account``, ``external`` and ``label.NAME`` go to the inventory. A row without a key
is a device that runs nothing of ours: it stands in the inventory only, and no key of ours is needed. A row
that says nothing new is passed over: a list can be given again.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from advisories.catalogue import DeviceRecord
from advisories.limits import ALGORITHMS_MAX
from advisories.topics import is_id
from gateway import files, values
from gateway.operations import products
from gateway.operations.identity import certificates, device_list, devices
from gateway.operations.identity.device_list import COLUMNS, LABEL, bad, is_known
from gateway.operations.inventory import facts
from gateway.operations.inventory.mapping import Source, Ways, translated
from gateway.store.inventory import Entry
from gateway.workspace.folder import Workspace
from keys.algorithms import VERIFIED, Algorithm, PublicKey
from keys.cbor import decode
from keys.errors import RefusedError

ROWS_MAX: Final = 100_000
FIELD_CHARACTERS_MAX: Final = 4_096  # a key in PEM has 200
_COSE_BYTES_MAX: Final = 256
_NAMES: Final = {a.name.lower().replace("_", "-"): a for a in sorted(VERIFIED, reverse=True)}
_INVENTED: Final = "x-"  # what an id begins with that we make of a name that is none


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
    """What a list comes to; nothing of it is done when there is a fault."""

    digest: str
    """SHA-256 of the file."""
    rows: int = 0
    fresh: list[DeviceRecord] = field(default_factory=list)
    """To be registered."""
    known: int = 0
    """Rows of devices that are registered already."""
    keyless: int = 0
    """Rows of devices that run nothing of ours."""
    skipped: int = 0
    """Rows of products that are not ours."""
    entries: list[Entry] = field(default_factory=list)
    """For the inventory."""
    faults: list[Fault] = field(default_factory=list)


def read_list(
    workspace: Workspace,
    path: Path,
    *,
    now: int,
    ways: Ways | None = None,
    entropy: Callable[[int], bytes] = os.urandom,
    step: Callable[[], object] = lambda: None,
) -> Read:
    """Read a list and compare it with itself and with the register.

    Args:
        workspace: whose products and devices count.
        path: the list.
        now: UTC seconds.
        ways: how it is to be understood.
        entropy: where random ids come from.
        step: called after each row.

    Raises:
        InputError: FILE_MISSING, FILE_TOO_BIG, NOT_UTF8, BAD_LIST; a list that cannot be read as rows.
    """
    data = device_list.read_file(path)
    return read_data(workspace, data, str(path), now=now, ways=ways, entropy=entropy, step=step)


def read_data(
    workspace: Workspace,
    data: bytes,
    where: str,
    *,
    now: int,
    ways: Ways | None = None,
    entropy: Callable[[int], bytes] = os.urandom,
    step: Callable[[], object] = lambda: None,
) -> Read:
    """Read a list that came in another way than a file; see :func:`read_list`."""
    ways = ways or Ways()
    checker = _Checker(workspace, where, now, entropy, ways)
    checker.read.digest = hashlib.sha256(data).hexdigest()
    plain, rows = device_list.rows_of(data, where, loose=ways.loose, implied=ways.product is not None)
    for source, (line, row) in translated(rows, ways, Source(plain)):
        checker.take(source, line, row)
        step()
    if not checker.read.rows:
        raise bad(f"{where}:1", "The list holds no device.", "Write one device a line.")
    return checker.read


class _Checker:
    """Reads rows one by one; knows what the rows before and the register hold."""

    def __init__(
        self, workspace: Workspace, where: str, now: int, entropy: Callable[[int], bytes], ways: Ways
    ) -> None:
        self.read = Read("")
        self._where, self._now, self._entropy, self._ways = where, now, entropy, ways
        self._products = [product.id for product in products.list_(workspace)]
        self._known = {row.id: row for row in devices.listed(workspace)}
        self._owners = {row.kid: row.id for row in self._known.values()}
        self._seen: dict[tuple[str, str | bytes], int] = {}

    def take(self, source: Source, line: int, row: Mapping[str, Any]) -> None:
        """Read one row; what is wrong with it becomes a fault."""
        self.read.rows += 1
        if self.read.rows > ROWS_MAX:
            message = f"The list has more than {ROWS_MAX} devices."
            raise bad(f"{self._where}:{line}", message, "Give it in several lists.")
        try:
            if self._ways.skip_others and str(row.get("product")) not in self._products:
                self.read.skipped += 1
            else:
                self._take(source, line, {name: _value(name, value) for name, value in row.items()})
        except _Wrong as wrong:
            self.read.faults.append(Fault(f"{self._where}:{line}", wrong.message, wrong.mend))

    def _take(self, source: Source, line: int, said: Mapping[str, Any]) -> None:
        product = said.get("product")
        if product is None:
            raise _Wrong("The product is missing.", "Write it, or give --product.")
        if product not in self._products:
            mend = files.near(product, list(self._products)) if self._products else "Add it first."
            raise _Wrong(f"There is no product '{product}'.", mend)
        id_ = self._with_key(line, product, said) if "key" in said else self._without(line, product, said)
        entry = facts.entry(id_, product, source.value, said)
        if entry is not None and len(entry.labels) > facts.LABELS_MAX:
            raise _Wrong(f"It has {len(entry.labels)} labels.", f"Give it {facts.LABELS_MAX} at most.")
        if entry is not None or "key" not in said:
            self.read.entries.append(entry or Entry(id_, product, source.value))

    def _with_key(self, line: int, product: str, said: Mapping[str, Any]) -> str:
        """Return the id under which a device with a key is registered, or will be."""
        kid = said["key"].thumbprint
        self._once(line, "key", kid)
        if "id" in said:
            self._once(line, "id", said["id"])
        if self._is_known(said, kid):
            self.read.known += 1
            return str(self._owners[kid])
        start = said.get("valid_from", self._now - devices.BACKDATE_SECONDS)
        end = said.get("valid_to", self._now + devices.VALID_SECONDS)
        if not start < end or end <= self._now:
            raise _Wrong("It is valid at no time to come.", "Mend valid_from and valid_to.")
        record = DeviceRecord(
            id=said.get("id") or self._entropy(8).hex(),
            product=product,
            key=said["key"],
            valid_from=start,
            valid_to=end,
            revoked=False,
            algorithms=said.get("algorithms"),
        )
        self.read.fresh.append(record)
        return record.id

    def _without(self, line: int, product: str, said: Mapping[str, Any]) -> str:
        """Return the id of a device without a key: its own, or one made of its name elsewhere."""
        name: str | None = said.get("id") or said.get("external")
        if name is None:
            message = "It has neither id nor key, nor a name elsewhere."
            raise _Wrong(message, "Write its id, or its serial number as external.")
        made = hashlib.sha256(name.encode()).hexdigest()[:20]
        id_ = name if is_id(name) else f"{_INVENTED}{made}"
        self._once(line, "id", id_)
        known = self._known.get(id_)
        if known is None:
            self.read.keyless += 1
            return id_
        if known.product != product:
            message = f"The device '{id_}' is registered as a {known.product}."
            raise _Wrong(message, "Mend the product, or give it another id.")
        self.read.known += 1
        return id_

    def _once(self, line: int, what: str, value: str | bytes) -> None:
        """Refuse an id or key that a row before has."""
        before = self._seen.setdefault((what, value), line)
        if before != line and what == "key":
            raise _Wrong(f"The key stands on line {before} already.", "Give each device a key of its own.")
        if before != line:
            raise _Wrong(f"The id '{value!s}' stands on line {before} already.", "Use each id once.")

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
    if not is_known(name):
        raise _Wrong(f"'{name[:64]}' is not a known name.", files.near(name, COLUMNS))
    if isinstance(value, str) and len(value) > FIELD_CHARACTERS_MAX:
        raise _Wrong(f"The {name} has more than {FIELD_CHARACTERS_MAX} characters.", "Shorten it.")
    if isinstance(value, str):
        value = value.strip()
    kind = LABEL if name.startswith(LABEL) else name
    try:
        if kind == LABEL:
            facts.check_label(name.removeprefix(LABEL))
        return _READ[kind](value)
    except (ValueError, RefusedError) as error:
        why = error.reason.means if isinstance(error, RefusedError) else str(error)
        raise _Wrong(f"The {name} is wrong: {why}.", _MEND[kind]) from None


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
    **facts.READ,
    LABEL: facts.label,
}
_MEND: Final = {
    "id": "Use 1 to 64 letters, digits, dots, underscores or hyphens, a letter or digit first.",
    "product": "Write the product's id.",
    "key": "Write a COSE_Key in hexadecimal, a public key in PEM, or an Ed25519 key in base64.",
    "valid_from": "Write a date such as 2026-11-22, or UTC seconds.",
    "valid_to": "Write a date such as 2046-11-22, or UTC seconds.",
    "algorithms": f"Write names such as {', '.join(_NAMES)}.",
    **facts.MEND,
    LABEL: facts.LABEL_MEND,
}
