"""``tocsin broker``: what a broker is told of a fleet, as files; and Mosquitto, run from them.

A folder of files is whole in itself, so that it can be carried to the broker's machine. A note in it says
which files are ours, by their digests: what somebody else wrote, or changed, is never written over.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from gateway import files
from gateway.core import acl
from gateway.service.broker import mosquitto
from gateway.workspace.folder import Workspace
from keys.errors import InputError

NOTE: Final = ".tocsin-broker.json"
ARN: Final = "arn:aws:iot:eu-central-1:111122223333"
"""What the resources of AWS IoT Core begin with, unless another is given."""
_KEPT_MAX: Final = 2  # digests of one file in the note: the newest, and the one before a write that broke off
_TLS: Final = {  # file for the broker -> file of the workspace; what makes it
    "tls/ca.pem": ("tls/ca.pem", "tocsin device ca new"),
    "tls/crl.pem": ("tls/crl.pem", "tocsin device ca crl"),
    "tls/broker.pem": ("tls/broker.pem", "tocsin device ca server HOST"),
    "tls/broker-key.pem": ("keys/tls-broker.pem", "tocsin device ca server HOST"),
}


class Kind(StrEnum):
    """Brokers that we can tell who may do what."""

    MOSQUITTO = "mosquitto"
    EMQX = "emqx"
    AWS_IOT = "aws-iot"


@dataclass(frozen=True, slots=True)
class Written:
    """What a folder for a broker came to."""

    folder: Path
    files: dict[str, str]
    """Name -> new, changed or same."""


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    secret: bool = False


def write_mosquitto(workspace: Workspace, plan: mosquitto.Plan, folder: Path, *, dry_run: bool) -> Written:
    """Write everything that Mosquitto needs into a folder; from then on it can be carried elsewhere.

    Args:
        workspace: whose device CA vouches for everybody.
        plan: see there; ``plan.folder`` is where the broker will find the files.
        folder: where they are written.
        dry_run: say what would happen.

    Raises:
        InputError: NO_BROKER_CERTIFICATE, NO_SUCH_USER, BAD_FOLDER, FILE_FOREIGN.
        UnavailableError: FILE.
    """
    if any(sign in str(plan.folder) for sign in "\n\r\0"):
        message = "Mosquitto could not read the name of this folder."
        raise InputError("BAD_FOLDER", message, mend="Name another folder.", where=repr(str(plan.folder)))
    try:
        owner = pwd.getpwnam(plan.user)
    except KeyError:
        message = f"There is no user '{plan.user}' on this machine."
        raise InputError("NO_SUCH_USER", message, mend="Give another --user.") from None
    found = {name: _File(text.encode()) for name, text in mosquitto.texts(plan).items()}
    for name, (source, made_by) in _TLS.items():
        path = workspace.path / source
        if not path.is_file() and name == "tls/crl.pem":
            continue
        if not path.is_file():
            message = f"The workspace has no {source} yet."
            raise InputError("NO_BROKER_CERTIFICATE", message, mend=f"Make it with '{made_by}'.")
        data = files.read_stored(path, what="file for TLS", mend=f"Make it again with '{made_by}'.")
        found[name] = _File(data, secret=name.endswith("-key.pem"))
    written = _write(folder, found, dry_run=dry_run)
    if not dry_run:
        data_folder = folder / "data"
        with files.os_errors(data_folder, "made"):
            data_folder.mkdir(mode=0o700, exist_ok=True)
            if owner.pw_uid != data_folder.stat().st_uid:
                for path in (data_folder, folder / "tls" / "broker-key.pem"):
                    _give(path, owner.pw_uid, owner.pw_gid)
    return written


def has_crl(workspace: Workspace) -> bool:
    """Say whether the workspace has a list of revoked certificates."""
    return (workspace.path / "tls" / "crl.pem").is_file()


def _give(path: Path, user: int, group: int) -> None:
    os.chown(path, user, group)


def write_rules(workspace: Workspace, kind: Kind, folder: Path, *, arn: str, dry_run: bool) -> Written:
    """Write who may do what for EMQX or AWS IoT Core into a folder.

    Args:
        workspace: whose topics.
        kind: for which broker.
        folder: where.
        arn: see :func:`gateway.core.acl.aws_iot`.
        dry_run: say what would happen.

    Raises:
        InputError: BAD_ARN, FILE_FOREIGN.
        UnavailableError: FILE.
    """
    prefix = workspace.settings.prefix
    if kind is Kind.EMQX:
        return _write(folder, {"acl.conf": _File(acl.emqx(prefix).encode())}, dry_run=dry_run)
    parts = arn.split(":")
    if len(parts) != 5 or parts[0] != "arn" or parts[2] != "iot" or not all(parts):
        message = f"'{arn}' is not what a resource of AWS IoT Core begins with."
        raise InputError("BAD_ARN", message, mend=f"Write it like {ARN}.")
    policies = acl.aws_iot(prefix, arn)
    for name, text in policies.items():
        size = len("".join(text.split()))
        if size > acl.AWS_POLICY_CHARACTERS_MAX:
            message = f"The policy {name} has {size} characters, AWS takes {acl.AWS_POLICY_CHARACTERS_MAX}."
            raise InputError("POLICY_TOO_BIG", message, mend="Use a workspace with a shorter prefix.")
    found = {f"{name}.json": _File(text.encode()) for name, text in policies.items()}
    return _write(folder, found, dry_run=dry_run)


def _write(folder: Path, wanted: dict[str, _File], *, dry_run: bool) -> Written:
    """Write files, none or, short of a kill, all; the note is first, so that what a kill leaves is ours."""
    note = _read_note(folder)
    states = {}
    for name, file in wanted.items():
        path = folder / name
        if not path.exists():
            states[name] = "new"
            continue
        with files.os_errors(path, "read"):
            there = path.read_bytes()
        states[name] = "same" if there == file.data else "changed"
        if there != file.data and _digest(there) not in note.get(name, ()):
            message = "This file was written or changed by somebody else; it would be lost."
            mend = "Move it away, or name another folder."
            raise InputError("FILE_FOREIGN", message, mend=mend, where=str(path))
    if not dry_run:
        kept = {
            name: [_digest(file.data), *(d for d in note.get(name, ()) if d != _digest(file.data))]
            for name, file in wanted.items()
        }
        merged = {**note, **{name: digests[:_KEPT_MAX] for name, digests in kept.items()}}
        data = json.dumps(merged, indent=1, sort_keys=True) + "\n"
        files.write_atomic(folder / NOTE, data.encode())
        for name, file in wanted.items():
            if states[name] != "same":
                files.write_atomic(folder / name, file.data, mode=0o600 if file.secret else 0o644)
    return Written(folder, states)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read_note(folder: Path) -> dict[str, list[str]]:
    path = folder / NOTE
    if not path.is_file():
        return {}
    with files.os_errors(path, "read"):
        data = path.read_bytes()
    try:
        found: Any = json.loads(data)
    except ValueError:
        return {}  # then nothing here is known to be ours
    return found if isinstance(found, dict) else {}
