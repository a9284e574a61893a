"""``tocsin broker``: configure and run a broker as a fleet needs it."""

from __future__ import annotations

import os
import pwd
import re
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from gateway.cli.output import (
    DryRunOption,
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    group,
    open_workspace,
    say,
)
from gateway.operations import broker
from gateway.operations.broker import Kind, Written
from gateway.service.broker import mosquitto
from keys.errors import InputError

app = group("The MQTT broker: its configuration, and who may do what there.")
_EVERYWHERE: Final = {"", "0.0.0.0", "::"}  # noqa: S104 - told apart from one address of the machine
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.:%_-]*")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="broker")


@app.command("config", epilog=example("broker config broker --gateway-listen 192.0.2.1"))
def config(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files are written.")],
    *,
    kind: Annotated[
        Kind, typer.Option("--for", help="Which broker; for emqx and aws-iot, only who may do what.")
    ] = Kind.MOSQUITTO,
    listen: Annotated[str, typer.Option(help="Address at which devices come; all if left out.")] = "",
    port: Annotated[
        int, typer.Option(min=1, max=65_535, help="TCP port for devices.")
    ] = mosquitto.DEVICES_PORT,
    gateway_listen: Annotated[
        str, typer.Option(help="Address at which gateways come; devices must not reach it.")
    ] = "127.0.0.1",
    gateway_port: Annotated[
        int, typer.Option(min=1, max=65_535, help="TCP port for gateways.")
    ] = mosquitto.GATEWAYS_PORT,
    at: Annotated[
        Path | None, typer.Option(help="Where DIR will lie on the broker's machine, if it is carried there.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="As whom Mosquitto runs when root starts it; you if left out.")
    ] = None,
    arn: Annotated[str, typer.Option(help="What resources of AWS IoT Core begin with.")] = broker.ARN,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a broker's configuration: TLS 1.3, client certificates, and each device to its own topics.

    Give it again after 'tocsin device ca': what changed is written, and what others wrote is left alone.
    """
    opened = open_workspace(workspace)
    if kind is not Kind.MOSQUITTO:
        written = broker.write_rules(opened, kind, folder, arn=arn, dry_run=dry_run)
    else:
        if port == gateway_port and (listen == gateway_listen or _EVERYWHERE & {listen, gateway_listen}):
            mend = "Give another --gateway-port."
            raise InputError("BAD_VALUE", "Devices and gateways would come to one door.", mend=mend)
        plan = mosquitto.Plan(
            folder=(at or folder).absolute(),
            prefix=opened.settings.prefix,
            devices=_listener(listen, port, "--listen"),
            gateways=_listener(gateway_listen, gateway_port, "--gateway-listen"),
            user=user or pwd.getpwuid(os.geteuid()).pw_name,
            crl=broker.has_crl(opened),
        )
        written = broker.write_mosquitto(opened, plan, folder, dry_run=dry_run)
    emit(
        as_json,
        {"folder": written.folder, "for": kind.value, "files": written.files, "dry_run": dry_run},
        lambda out: _print(out, written, kind, dry_run=dry_run),
    )


def _listener(address: str, port: int, option: str) -> mosquitto.Listener:
    if _ADDRESS.fullmatch(address) is None:
        mend = f"Give {option} a name or an address of this machine."
        raise InputError("BAD_ADDRESS", "This is not an address.", mend=mend, where=repr(address))
    return mosquitto.Listener(address, port)


def _print(out: Console, written: Written, kind: Kind, *, dry_run: bool) -> None:
    changed = [name for name, state in written.files.items() if state != "same"]
    verb = "Would write" if dry_run else "Wrote"
    say(f"{verb} {len(changed)} of {len(written.files)} files in {written.folder}.")(out)
    for name in changed:
        say(f"  {name} ({written.files[name]})")(out)
    if kind is Kind.MOSQUITTO and changed and not dry_run:
        say(f"Run it with 'tocsin broker run {written.folder}'; a running one reads them on SIGHUP.")(out)


@app.command("run", epilog=example("broker run broker"))
def run(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="From 'tocsin broker config'.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Run Mosquitto in the foreground, with its log on stderr, until Ctrl-C.

    The process becomes Mosquitto: SIGTERM ends it with everything kept, and SIGHUP lets it read access lists,
    certificates and the list of revoked ones again.
    """
    become = mosquitto.ready(folder)
    emit(as_json, {"config": become[-1], "program": become[0]}, say(f"Running {become[0]}; Ctrl-C ends it."))
    sys.stdout.flush()
    os.execv(become[0], become)  # noqa: S606 - no shell, and a path that we found ourselves
