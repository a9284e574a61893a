"""``tocsin device import``, ``enrol``, ``replace`` and ``revoke``: whose reports count from now on."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from advisories.catalogue import DeviceRecord
from device_sim.home import Home
from gateway import files
from gateway.cli import homes
from gateway.cli.device_ca import facts, open_ca
from gateway.cli.output import (
    DryRunOption,
    JsonOption,
    OperatorKeyOption,
    WorkspaceOption,
    ask_passphrase,
    confirm,
    console,
    emit,
    example,
    now,
    open_workspace,
    say,
    utc,
)
from gateway.cli.own import written_at
from gateway.cli.server import not_remote
from gateway.cli.signing import role_signer
from gateway.operations import afar
from gateway.operations.identity import authority, device_ca, device_import, device_list, devices, enrolment
from gateway.operations.identity.certificates import Issued
from gateway.operations.inventory import importing
from gateway.operations.inventory.facts import read_labels
from gateway.operations.inventory.mapping import Source, Ways, read_paths, read_products
from gateway.operations.trust.choosing import signer_for
from gateway.store.inventory import OPERATOR, Put
from keys.errors import InputError, TocsinError
from keys.signer import generate

FAULTS_SHOWN_MAX = 50
RequestArgument = Annotated[
    Path, typer.Argument(metavar="CSR", help="Signing request (PKCS#10), PEM or DER, made on the device.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask: the key was compared already.")]
OutOption = Annotated[
    Path | None, typer.Option(help="File for the certificate; the request's with .pem if left out.")
]


def register(app: typer.Typer) -> None:
    """Add these commands to the group ``device``."""
    app.command("import", epilog=example("device import devices.csv --dry-run"))(import_)
    app.command("enrol", epilog=example("device enrol 3f9a.csr --product thermostat"))(enrol)
    app.command("replace", epilog=example("device replace 3f9a 3f9a-new.csr"))(replace)
    app.command("revoke", epilog=example("device revoke 3f9a --reason 'Stolen' --yes"))(revoke)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The list, as CSV or JSON, or an export.")],
    *,
    source: Annotated[
        Source | None, typer.Option("--from", help="Who made the list; it shows if left out.")
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="NAME=PATH", help="Where NAME stands, as region=attributes.country."),
    ] = None,
    product: Annotated[
        list[str] | None,
        typer.Option(metavar="[THEIRS=]OURS", help="Product of rows that say none; or ours for theirs."),
    ] = None,
    account: Annotated[str | None, typer.Option(help="Whose they are, where the list is silent.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Label for all of them; repeat it.")
    ] = None,
    skip_others: Annotated[
        bool, typer.Option("--skip-others", help="Pass over rows of products that are not ours.")
    ] = False,
    dry_run: DryRunOption = False,
    key: OperatorKeyOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in a list of devices, all of it or nothing: register those with a key, note facts of all.

    Columns: product, and for devices that run our core a key: a COSE_Key in hexadecimal, a public key in PEM,
    or the 32 bytes of an Ed25519 key in base64; if wanted id, valid_from, valid_to, algorithms; for all of
    them version, region, account, external (the name elsewhere) and label.NAME. Devices without a key run
    nothing of ours: they count as not reachable by device. What stands there already is passed over.

    hawkBit's targets and things of AWS IoT are known by their shape; --map says where the rest stands.
    """
    opened = open_workspace(workspace)
    at = now()
    alone, products = read_products(product or [])
    ways = Ways(
        source=source,
        paths=read_paths(mapping or []),
        products=products,
        product=alone,
        account=account,
        labels=read_labels(label or []),
        skip_others=skip_others,
    )
    with _progress() as progress:
        reading = progress.add_task("reading", total=None)
        step = partial(progress.advance, reading)
        found = device_import.read_list(opened, file, now=at, ways=ways, step=step)
        if found.faults:
            progress.stop()
            _show_faults(found, str(file), as_json=as_json)
        if found.fresh or not found.entries:
            if isinstance(opened, afar.Server):
                progress.stop()
                operator = role_signer(opened, workspace, "operator", key)
            else:
                operator = signer_for(opened, "operator", _quiet(progress), key)
            signing: TaskID = progress.add_task("signing", total=len(found.fresh))
            devices.register(
                opened,
                found.fresh,
                operator,
                now=at,
                why={"list": file.name},
                rehearse=dry_run,
                step=lambda many: progress.advance(signing, many),
            )
        if isinstance(opened, afar.Server):
            listed = device_list.read_file(file)
            done = importing.send(opened, listed, file.name, ways, now=at, rehearse=dry_run)
        else:
            done = importing.take(opened, found, file.name, by=OPERATOR, now=at, rehearse=dry_run)
    data = {
        "rows": found.rows,
        "registered": 0 if dry_run else len(found.fresh),
        "known": found.known,
        "dry_run": dry_run,
        "devices": [record.id for record in found.fresh],
        "unreachable": found.keyless,
        "skipped": found.skipped,
        "inventory": done,
    }
    emit(as_json, data, lambda out: _print_import(out, file.name, found, done, dry_run=dry_run))


def _print_import(out: Console, name: str, found: device_import.Read, done: Put, *, dry_run: bool) -> None:
    verb = "Would register" if dry_run else "Registered"
    say(f"{verb} {len(found.fresh)} devices of {name}; {found.known} were registered already.")(out)
    if found.keyless:
        say(f"{found.keyless} have no key: they run nothing of ours, and are told by letter.")(out)
    if found.skipped:
        say(f"{found.skipped} are of other products: passed over.")(out)
    if found.entries:
        verb = "would be" if dry_run else "were"
        told = f"{done.fresh} {verb} added, {done.changed} {verb} changed, {done.same} said nothing new."
        say(f"Inventory: {told}")(out)


def _progress() -> Progress:
    """Return progress bars for people: on stderr, gone when done, none where nobody watches."""
    return Progress(
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty(), expand=False
    )


def _quiet(progress: Progress) -> Any:
    """Ask for a passphrase without a bar that draws over it."""

    def ask(name: str) -> bytes:
        progress.stop()
        return ask_passphrase(name)

    return ask


def _show_faults(found: device_import.Read, where: str, *, as_json: bool) -> None:
    many = "fault" if len(found.faults) == 1 else "faults"
    message = f"{len(found.faults)} {many} in {found.rows} devices; nothing was registered."
    if not as_json:
        out = console()
        for fault in found.faults[:FAULTS_SHOWN_MAX]:
            say(str(fault))(out)
        left = len(found.faults) - FAULTS_SHOWN_MAX
        if left > 0:
            say(f"... and {left} more")(out)
        raise InputError("LIST_FAULTS", message, mend="Mend these lines and try again.", where=where)
    shown = found.faults[:FAULTS_SHOWN_MAX]
    emit(
        as_json,
        {
            "error": {"code": "LIST_FAULTS", "message": message, "where": where},
            "faults": shown,
            "exit_status": 2,
        },
        say(""),
    )
    raise typer.Exit(InputError.exit_status)


def enrol(
    csr: RequestArgument,
    *,
    product: Annotated[
        str | None, typer.Option(help="What it is; may be left out where there is one product.")
    ] = None,
    id_: Annotated[
        str | None, typer.Option("--id", help="Its id; the request's, or a random one, if left out.")
    ] = None,
    valid_days: Annotated[
        int, typer.Option(min=1, max=36_500, help="How long its reports are taken.")
    ] = devices.VALID_SECONDS // 86_400,
    out: OutOption = None,
    yes: YesOption = False,
    key: OperatorKeyOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a device by its signing request, and issue its certificate.

    Whatever else the request asks for is ignored. Compare the key's thumbprint with the one that the device
    shows before you say yes. A command that was killed can be given again.
    """
    opened = open_workspace(workspace)
    at = now()
    request = _read(csr)
    path = _certificate_path(csr, out)
    seconds = valid_days * 86_400
    planned = enrolment.plan(opened, request, product=product, id_=id_, seconds=seconds, now=at)
    if isinstance(opened, afar.Server):
        authority.show(opened)
    else:
        device_ca.read_ca(opened)
    _shown("Enrol", planned, yes=yes, as_json=as_json)
    ca = open_ca(opened, workspace)
    if not planned.known:
        enrolment.carry_out(opened, planned, role_signer(opened, workspace, "operator", key), now=at)
    (made,) = authority.issue(opened, ca, [planned.record.id], now=at)
    _wrote(planned.record, made, path, "Enrolled", as_json=as_json)


def replace(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The device.")],
    csr: Annotated[
        Path | None, typer.Argument(metavar="[CSR]", help="Signing request by its new key, PEM or DER.")
    ] = None,
    *,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Give a simulated device a new key itself.")
    ] = False,
    valid_days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="How long from now; to its old end if left out.")
    ] = None,
    out: OutOption = None,
    yes: YesOption = False,
    key: OperatorKeyOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a device another key: the old one's reports are refused from then on, its certificate revoked.

    What was reported stays. The device keeps its id; a new board may begin its journal anew.
    """
    opened = open_workspace(workspace)
    at = now()
    if (csr is None) != simulated:
        raise InputError("BAD_VALUE", "Give either CSR or --simulated.", mend="Name the new signing request.")
    home: Home | None = None
    path = None
    if csr is None:
        if isinstance(opened, afar.Server):
            raise not_remote()
        home = homes.open_home(opened, id_)
        public = home.next_key(generate).public
    else:
        request = _read(csr)
        if request.id not in {None, id_}:
            message = f"The request is of '{request.id}', not of '{id_}'."
            raise InputError("ID_DIFFERS", message, mend="Make another request.", where=str(csr))
        public = request.key
        path = _certificate_path(csr, out)
    seconds = None if valid_days is None else valid_days * 86_400
    planned = enrolment.plan_replacement(opened, id_, public, seconds=seconds, now=at)
    _shown("Replace the key of", planned, yes=yes, as_json=as_json)
    ca = open_ca(opened, workspace) if authority.exists(opened) else None
    if not planned.known:
        enrolment.carry_out(opened, planned, role_signer(opened, workspace, "operator", key), now=at)
    if home is not None:
        home.take_next_key()
    if ca is None:
        thumbprint = planned.record.key.thumbprint.hex()
        told = f"Replaced the key of {id_}; without a device CA there is no certificate."
        emit(as_json, {"device": id_, "key": thumbprint, "certificate": None, "file": None}, say(told))
        return
    (made,) = authority.issue(opened, ca, [id_], now=at)
    authority.refresh(opened, ca, now=at)
    if home is not None:
        homes.give_certificate(opened, home, made)
    _wrote(planned.record, made, path, "Replaced the key of", as_json=as_json)


def revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The device.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; it stays in the audit trail.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    key: OperatorKeyOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse a device from now on: its reports, offers to it, and its certificate at the broker.

    What it did stays in the evidence. Give the broker the new list of revoked certificates afterwards.
    """
    opened = open_workspace(workspace)
    at = now()
    record = devices.read_record(opened, id_)
    if not record.revoked:
        confirm(f"Revoke {id_} ({record.product}), key {record.key.thumbprint.hex()}?", yes=yes)
        devices.revoke(opened, id_, reason, role_signer(opened, workspace, "operator", key), now=at)
    crl = None
    if authority.exists(opened):
        try:
            authority.refresh(opened, open_ca(opened, workspace), now=at)
        except TocsinError as error:
            error.mend = (
                f"'{id_}' is revoked here; then say 'tocsin device ca crl' for the broker. {error.mend}"
            )
            raise
        crl = written_at(opened, "tls/crl.pem")
    also = f" Give {crl} to the broker." if crl else ""
    emit(as_json, {"device": id_, "revoked": True, "crl": crl}, say(f"Revoked {id_}.{also}"))


def _read(csr: Path) -> enrolment.Request:
    data = files.read_bytes(csr, what="signing request", mend="Name the file that the device made.")
    return enrolment.read_request(data, where=str(csr))


def _certificate_path(csr: Path, out: Path | None) -> Path:
    """Return where the certificate goes; asked before anything is done, for a device's key may lie there."""
    path = out or csr.with_suffix(".pem")
    files.require_replaceable(path)
    return path


def _shown(what: str, planned: enrolment.Planned, *, yes: bool, as_json: bool) -> None:
    """Show whose key is about to count, and ask."""
    record = planned.record
    if not as_json:
        out = console()
        say(f"device   {record.id} ({record.product})")(out)
        say(f"key      {record.key.algorithm.name.lower()} {record.key.thumbprint.hex()}")(out)
        say(f"valid    {utc(record.valid_from)} to {utc(record.valid_to)}")(out)
    if not planned.known:
        confirm(f"{what} {record.id} with this key?", yes=yes)


def _wrote(record: DeviceRecord, made: Issued, path: Path | None, did: str, *, as_json: bool) -> None:
    if path is not None:
        files.write_atomic(path, made.pem)
    where = path or "its home"
    emit(
        as_json,
        {
            "device": record.id,
            "product": record.product,
            "key": record.key.thumbprint,
            "certificate": facts(made),
            "file": path,
        },
        say(f"{did} {record.id}. Its certificate is in {where}, valid until {utc(made.end)}."),
    )
