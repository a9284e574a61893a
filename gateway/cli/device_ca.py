"""``tocsin device ca`` and ``device certificate``: who is let in at the broker."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from gateway import files
from gateway.cli import homes
from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    ask_passphrase,
    emit,
    example,
    group,
    new_passphrase,
    now,
    open_workspace,
    say,
    utc,
)
from gateway.cli.own import written_at
from gateway.cli.server import not_remote
from gateway.operations import afar
from gateway.operations.identity import authority, device_ca, revocation
from gateway.operations.identity.certificates import DeviceCa, Issued
from gateway.workspace.folder import Workspace
from keys.algorithms import Algorithm
from keys.errors import InputError

app = group("The device CA: certificates by which broker, gateway and devices know each other in TLS.")
DaysOption = Annotated[int | None, typer.Option("--days", min=1, max=36_500, help="Valid for so many days.")]


class CaAlgorithm(Enum):
    """What the CA signs with."""

    P256 = "p256"
    ED25519 = "ed25519"


def facts(one: Issued) -> dict[str, Any]:
    """Return what a command says of a certificate."""
    return {
        "name": one.name,
        "serial": f"{one.serial:x}",
        "valid_from": one.start,
        "valid_to": one.end,
        "digest": one.digest,
        "key": one.thumbprint,
    }


def open_ca(opened: Workspace, folder: Path | None) -> DeviceCa:
    """Open the CA with its private key; through a server, that of a workspace on this machine.

    Args:
        opened: where the command works.
        folder: a workspace on this machine that has the CA, where that is a server.

    Raises:
        InputError: NO_KEY_HERE, NO_DEVICE_CA, CA_MISMATCH, or of opening the key.
    """
    if not isinstance(opened, afar.Server):
        return device_ca.open_ca(opened, ask_passphrase)
    path = folder or Path()
    if not (path / "tocsin.toml").is_file():
        message = "The device CA signs on the machine that holds its key, and no workspace here has it."
        mend = "Name your own workspace that has it with --workspace."
        raise InputError("NO_KEY_HERE", message, mend=mend, where=str(path))
    return device_ca.open_ca(Workspace.open(path), ask_passphrase)


@app.command("new", epilog=example("device ca new"))
def new(
    *,
    algorithm: Annotated[
        CaAlgorithm, typer.Option(help="p256 is what every broker knows.")
    ] = CaAlgorithm.P256,
    days: Annotated[
        int, typer.Option(min=1, max=36_500, help="How long the CA is valid.")
    ] = device_ca.CA_DAYS,
    no_passphrase: Annotated[
        bool, typer.Option("--no-passphrase", help="Leave its key unencrypted: for machines and drills.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the workspace's device CA: its key in keys/, its certificate and revocation list in tls/."""
    opened = open_workspace(workspace)
    device_ca.require_none(opened)
    made = device_ca.new(
        opened,
        passphrase=b"" if no_passphrase else new_passphrase("new device CA key"),
        algorithm=Algorithm.ESP256 if algorithm is CaAlgorithm.P256 else Algorithm.ED25519,
        days=days,
        now=now(),
    )
    end = int(made.certificate.not_valid_after_utc.timestamp())
    path = opened.path / "tls" / "ca.pem"
    emit(
        as_json,
        {"ca": path, "valid_to": end, "key": device_ca.key_path(opened)},
        say(f"Made the device CA, valid until {utc(end)}: {path}."),
    )


@app.command("show", epilog=example("device ca show"))
def show(workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Show the CA, how many certificates it issued, and until when its list of revoked ones is good."""
    found, at = authority.show(open_workspace(workspace)), now()
    end, due = found.valid_to, found.crl_next_update
    data = {
        "subject": found.subject,
        "valid_to": end,
        "expired": end <= at,
        "issued": found.issued,
        "revoked": found.revoked,
        "machines": found.machines,
        "crl_next_update": due,
        "crl_over": due is None or due <= at,
    }

    def human(out: Console) -> None:
        lines = [f"{data['subject']}, valid until {utc(end)}"]
        lines += [f"{name}: valid until {utc(until)}" for name, until in found.machines.items()]
        lines.append(f"issued: {found.issued}, of which revoked: {found.revoked}")
        over = " IT IS OVER: the broker lets nobody in." if data["crl_over"] else ""
        lines.append(f"list of revoked ones: good until {utc(due)}.{over}")
        for line in lines:
            say(line)(out)

    emit(as_json, data, human)


@app.command("gateway", epilog=example("device ca gateway"))
def gateway(
    *, days: DaysOption = None, workspace: WorkspaceOption = None, as_json: JsonOption = False
) -> None:
    """Make the gateway's key and client certificate, named _gateway; a former one is revoked."""
    opened = open_workspace(workspace)
    ca = device_ca.open_ca(opened, ask_passphrase)
    made = device_ca.issue_gateway(opened, ca, now=now(), days=days or device_ca.SERVER_DAYS)
    _told(opened, made, "gateway", as_json=as_json)


@app.command("server", epilog=example("device ca server broker.example.com 192.0.2.1"))
def server(
    hosts: Annotated[
        list[str], typer.Argument(metavar="HOST...", help="Every name and address by which it is reached.")
    ],
    *,
    days: DaysOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the broker's key and server certificate."""
    opened = open_workspace(workspace)
    ca = device_ca.open_ca(opened, ask_passphrase)
    made = device_ca.issue_broker(opened, ca, hosts, now=now(), days=days or device_ca.SERVER_DAYS)
    _told(opened, made, "broker", as_json=as_json)


def _told(workspace: Workspace, made: Issued, file: str, *, as_json: bool) -> None:
    paths = {
        "file": workspace.path / "tls" / f"{file}.pem",
        "key_file": workspace.path / "keys" / f"tls-{file}.pem",
    }
    emit(
        as_json,
        {"certificate": facts(made), **paths},
        say(f"Wrote {paths['file']} and {paths['key_file']}, valid until {utc(made.end)}."),
    )


@app.command("crl", epilog=example("device ca crl"))
def crl(
    *,
    days: Annotated[
        int, typer.Option(min=1, max=3_650, help="After so many days it is over.")
    ] = revocation.CRL_DAYS,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the list of revoked certificates anew; give it to the broker before the one it has is over."""
    opened = open_workspace(workspace)
    ca = open_ca(opened, workspace)
    at = now()
    revoked = authority.refresh(opened, ca, now=at, days=days)
    path = written_at(opened, "tls/crl.pem")
    emit(
        as_json,
        {"crl": path, "next_update": at + days * 86_400, "revoked": [facts(one) for one in revoked]},
        say(f"Wrote {path} with {len(revoked)} revoked certificates, good until {utc(at + days * 86_400)}."),
    )


def certificate(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Device ids.")] = None,
    *,
    out: Annotated[
        Path | None, typer.Option(help="File for one certificate; <ID>.pem in this folder if left out.")
    ] = None,
    simulated: Annotated[
        bool,
        typer.Option(
            "--simulated",
            help="Put them into the homes of simulated devices; without ids, of all that have no valid one.",
        ),
    ] = False,
    days: DaysOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Issue certificates to registered devices, each for the key in its record."""
    opened = open_workspace(workspace)
    at = now()
    chosen = list(dict.fromkeys(ids or []))
    if simulated and isinstance(opened, afar.Server):
        raise not_remote()
    if simulated and not chosen:
        chosen = device_ca.without_certificate(opened, homes.names(opened), at)
    elif not chosen:
        raise InputError("NO_DEVICE", "No device is named.", mend="Name them, or say --simulated.")
    if out is not None and (simulated or len(chosen) != 1):
        raise InputError(
            "BAD_VALUE", "--out is for one certificate.", mend="Leave it out, or name one device."
        )
    paths = {} if simulated else {id_: out or Path(f"{id_}.pem") for id_ in chosen}
    for path in paths.values():
        files.require_replaceable(path)
    ca = open_ca(opened, workspace)
    found = {id_: homes.open_home(opened, id_) for id_ in chosen} if simulated else {}
    made = authority.issue(opened, ca, chosen, now=at, days=days)
    written = []
    for one in made:
        if simulated:
            homes.give_certificate(opened, found[one.name], one)
        else:
            written.append(paths[one.name])
            files.write_atomic(written[-1], one.pem)
    where = (
        "into the homes of simulated devices" if simulated else f"to {', '.join(map(str, written)) or '-'}"
    )
    many = "certificate" if len(made) == 1 else "certificates"
    emit(
        as_json,
        {"certificates": [facts(one) for one in made], "files": written},
        say(f"Issued {len(made)} {many} {where}."),
    )
