"""``tocsin patch add``: what people say of a patch, read and checked before any file is touched."""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer

from advisories import suit
from advisories.suit.manifest import ComponentId
from advisories.suit.patch_plan import read_component
from advisories.topics import is_id
from advisories.versions import Version, parse_version
from gateway.cli.output import JsonOption, WorkspaceOption, emit, example, now, open_workspace, say
from gateway.cli.patch_show import view_data
from gateway.cli.times import moment
from gateway.operations import patches, products
from keys.errors import InputError

T = TypeVar("T")

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

EPILOG: Final = example("patch add --product thermostat --image thermostat-1.4.2.bin")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CONDITIONS: Final = "Conditions (other makers' devices may refuse a manifest that has any)"
_FILES: Final = "Files"
_WORDS: Final = "Words"


def add(
    *,
    product: Annotated[str, typer.Option(help="For whose devices.")],
    image: Annotated[
        Path, typer.Option(help="A firmware image in MCUboot format; or any file, with --version.")
    ],
    text: Annotated[
        list[str] | None, typer.Option(metavar="LANG=WORDS", help="What it does, for the owner; repeat it.")
    ] = None,
    sequence: Annotated[
        int | None, typer.Option(help="Rises with every patch; the time in UTC seconds if left out.")
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(help="What the device then runs; an MCUboot image says it.", rich_help_panel=_FILES),
    ] = None,
    image_b: Annotated[
        Path | None, typer.Option(help="The image linked for slot 1.", rich_help_panel=_FILES)
    ] = None,
    component: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="A file for a further component such as radio; repeat it. All are installed or none.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    delta_from: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="An older image; devices that run it fetch only what differs. Repeat it.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    integrate: Annotated[
        bool, typer.Option("--integrate", help="Carry small files in the patch.", rich_help_panel=_FILES)
    ] = False,
    description: Annotated[
        list[str] | None,
        typer.Option(metavar="LANG=WORDS", help="What the manifest is about.", rich_help_panel=_WORDS),
    ] = None,
    about: Annotated[
        list[str] | None,
        typer.Option(metavar="LANG=WORDS", help="What the component is.", rich_help_panel=_WORDS),
    ] = None,
    vendor_name: Annotated[str, typer.Option(help="The maker's name.", rich_help_panel=_WORDS)] = "",
    model_name: Annotated[str, typer.Option(help="The model's name.", rich_help_panel=_WORDS)] = "",
    reference_uri: Annotated[
        str | None, typer.Option(help="Where the whole patch can be read.", rich_help_panel=_WORDS)
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(metavar="ID|UUID", help="Only for this device; repeat it.", rich_help_panel=_CONDITIONS),
    ] = None,
    use_before: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="Not installed from then on: 2027-01-31, 30d.", rich_help_panel=_CONDITIONS
        ),
    ] = None,
    from_version: Annotated[
        str | None,
        typer.Option(help="Only for devices that run this or newer.", rich_help_panel=_CONDITIONS),
    ] = None,
    until_version: Annotated[
        str | None, typer.Option(help="Only for devices that run less.", rich_help_panel=_CONDITIONS)
    ] = None,
    set_version: Annotated[
        bool,
        typer.Option(
            "--set-version", help="State the version in the manifest too.", rich_help_panel=_CONDITIONS
        ),
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an unsigned patch of an image or of any other file, such as a RAUC bundle."""
    opened = open_workspace(workspace)
    class_id = products.show(opened, product).class_id
    wishes = patches.Wishes(
        version=_version(version),
        image_b=image_b,
        components=_components(component),
        delta_from=tuple(delta_from or ()),
        integrate=integrate,
        descriptions=_words(description, "--description"),
        about=_words(about, "--about"),
        vendor_name=vendor_name,
        model_name=model_name,
        reference_uri=reference_uri,
        use_before=None if use_before is None else _date(use_before),
        running=(_version(from_version), _version(until_version)),
        set_version=set_version,
        devices=tuple(_device(name, class_id) for name in device or ()),
    )
    texts = _words(text, "--text")
    view = patches.add(opened, product, image, now=now(), texts=texts, sequence=sequence, wishes=wishes)
    _say_dropped(view, wishes)
    name = f"{view.product}@{view.version}"
    emit(
        as_json,
        view_data(view),
        say(f"Made the patch {view.patch.sequence} ({name}). Next: tocsin patch approve {name} --key NAME."),
    )


def _say_dropped(view: patches.PatchView, wishes: patches.Wishes) -> None:
    made = sum(1 for fetch in view.patch.fetches if fetch.arguments)
    dropped = len(wishes.delta_from) - made
    if dropped > 0:
        sys.stderr.write(f"note: {dropped} of the deltas would not be smaller than the image; left out\n")


def _pairs(pairs: Sequence[str] | None, what: str, option: str, read: Callable[[str], T]) -> dict[T, str]:
    """Read ``NAME=REST`` options; a name that stands twice is a slip of the pen."""
    found: dict[T, str] = {}
    for pair in pairs or ():
        name, equals, rest = pair.partition("=")
        if not (name and equals and rest):
            raise InputError("BAD_VALUE", f"'{pair}' is not {what}.", mend=f"Write it as {option}.")
        key = read(name)
        if key in found:
            raise InputError("BAD_VALUE", f"'{name}' stands twice.", mend="Say each once.")
        found[key] = rest
    return found


def _words(pairs: Sequence[str] | None, option: str) -> dict[str, str]:
    return _pairs(pairs, "a text in a language", f"{option} en='What it does'", str)


def _components(pairs: Sequence[str] | None) -> dict[ComponentId, Path]:
    def read(name: str) -> ComponentId:
        return _read(read_component, name, "Write levels between slashes: radio, 00/modem.")

    found = _pairs(pairs, "a component with its file", "--component radio=radio.bin", read)
    return {component: Path(path) for component, path in found.items()}


def _read(reader: Callable[[str], T], typed: str, mend: str) -> T:
    try:
        return reader(typed)
    except ValueError as error:
        raise InputError("BAD_VALUE", f"{error}."[:1].upper() + f"{error}."[1:], mend=mend) from None


def _version(typed: str | None) -> Version | None:
    return None if typed is None else _read(parse_version, typed, "Write it as 1.4.2 or 1.4.2+7.")


def _date(typed: str) -> int:
    mend = "Write it as 2027-01-31, 2027-01-31T12:00:00Z, or from now on as 30d."
    typed = f"{typed}T00:00:00Z" if _DAY.fullmatch(typed) else typed  # "before" that day
    return int(_read(partial(moment, now=now()), typed, mend).timestamp())


def _device(typed: str, class_id: bytes) -> bytes:
    """Take a device's id, or the identifier itself as a UUID with its hyphens."""
    if _UUID.fullmatch(typed):
        return uuid.UUID(typed).bytes
    if not is_id(typed):
        raise InputError(
            "BAD_VALUE", f"'{typed}' is not the id of a device.", mend="See 'tocsin device list' for them."
        )
    return suit.device_identifier(class_id, typed)
