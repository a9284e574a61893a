"""``tocsin device``: the register, and simulated devices, made and listed."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from advisories.versions import Version, parse_version
from gateway import files
from gateway.cli import (
    device_ca,
    device_facts,
    device_real,
    device_report,
    device_show,
    enrolment,
    fleet,
    homes,
)
from gateway.cli.output import (
    JsonOption,
    OperatorKeyOption,
    WorkspaceOption,
    ask_passphrase,
    emit,
    example,
    group,
    now,
    open_workspace,
    say,
)
from gateway.operations import products
from gateway.operations.trust.choosing import signer_for
from keys.algorithms import Algorithm
from keys.errors import InputError


class VerifiesName(StrEnum):
    """Algorithms that firmware may be able to verify beside Ed25519 and ESP256."""

    ML_DSA_44 = "ml-dsa-44"
    ML_DSA_65 = "ml-dsa-65"


VerifiesOption = Annotated[
    list[VerifiesName] | None,
    typer.Option(help="What the firmware can verify beside ed25519 and esp256; repeat it."),
]

app = group("Which devices there are.")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    app.command("run", epilog=example("device run 3f9a"))(fleet.device_run)
    device_real.register(app)
    device_facts.register(app)
    app.command("show", epilog=example("device show 3f9a"))(device_show.show)
    enrolment.register(app)
    app.command("certificate", epilog=example("device certificate 3f9a"))(device_ca.certificate)
    app.add_typer(device_ca.app, name="ca")
    app.add_typer(device_report.app, name="report")
    parent.add_typer(app, name="device")


@app.command("add", epilog=example("device add --product thermostat --count 10 --version 1.4.1"))
def add(
    *,
    product: Annotated[str, typer.Option(help="What they are.")],
    count: Annotated[int, typer.Option(min=1, max=100_000, help="How many.")] = 1,
    language: Annotated[
        list[str] | None,
        typer.Option(help="Preferred by their owners, dealt out in turn; the product's if left out."),
    ] = None,
    version: Annotated[str, typer.Option(help="Firmware they are made with.")] = "1.0.0",
    algorithm: VerifiesOption = None,
    key: OperatorKeyOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make simulated devices and register their keys, signed by the operator."""
    opened = open_workspace(workspace)
    entry = opened.product(product)
    numbers = _version(version)
    for tag in language or []:
        if tag not in entry.languages:
            message = f"'{tag}' is not a language of '{product}'."
            raise InputError("BAD_VALUE", message, mend=f"Choose from {', '.join(entry.languages)}.")
    operator = signer_for(opened, "operator", ask_passphrase, key)
    planned = homes.wishes(
        entry, count, version=numbers, languages=language or (), algorithms=_algorithms(algorithm)
    )
    made = homes.make(opened, planned, operator, now=now())
    many = "devices" if count > 1 else "device"
    emit(
        as_json,
        {"product": product, "version": version, "devices": [home.profile.id for home in made]},
        say(f"Made {count} {many} of {product} {version}, registered by the operator."),
    )


@app.command(
    "firmware", epilog=example("device firmware thermostat-1.4.2.bin --product thermostat --version 1.4.2")
)
def firmware(
    output: Annotated[Path, typer.Argument(metavar="FILE", help="Where the image is written.")],
    *,
    product: Annotated[str, typer.Option(help="For whose simulated devices.")],
    version: Annotated[str, typer.Option(help="What the image's header says.")],
    algorithm: VerifiesOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an MCUboot image that simulated devices run: the same arguments give the same bytes."""
    entry = products.show(open_workspace(workspace), product)
    data = homes.firmware(entry.id, _version(version), algorithms=_algorithms(algorithm))
    files.require_replaceable(output)
    files.write_atomic(output, data)
    emit(
        as_json,
        {"file": output, "product": product, "version": version, "bytes": len(data)},
        say(f"Wrote {output}: firmware {version} of {product}, {len(data)} bytes."),
    )


def _algorithms(names: list[VerifiesName] | None) -> frozenset[Algorithm]:
    """Return what the firmware can verify: what it can in any case, and these."""
    return homes.ALGORITHMS | {Algorithm[name.name] for name in names or ()}


def _version(text: str) -> Version:
    try:
        return parse_version(text)
    except ValueError as error:
        raise InputError("BAD_VALUE", f"{error}.", mend="Give another --version.") from None
