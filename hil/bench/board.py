"""A board as its file describes it: the models, and the rules that hold between keys.

The docstring under each key is also its description in ``hil-boards.schema.json``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from advisories.smp import COMMANDS, NOTIFIER_GROUP

BOARDS_MAX: Final = 1024  # in one file
NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"  # a name is also a folder's and a lock's

CAPABILITIES: Final[tuple[str, ...]] = (
    "console",
    "os",
    "img",
    "stat",
    "group.notifier",
    *sorted(name for name in COMMANDS if name.startswith("notifier.")),
    "reset",
    "power.cut",
    "power.cycle",
)
"""What a board may be able to do, as tests ask for it."""


def _capability(name: str) -> str:
    if name not in CAPABILITIES:
        context = {"value": name, "known": list(CAPABILITIES)}
        raise PydanticCustomError("not_one_of", "not one of the known capabilities", context)
    return name


Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Word = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Command = Annotated[tuple[Text, ...], Field(min_length=1, max_length=256)]
"""Program and arguments; no shell takes it apart."""
Seconds = Annotated[float, Field(strict=True, ge=0, le=3600, allow_inf_nan=False)]
Baud = Annotated[StrictInt, Field(ge=50, le=20_000_000)]
Capability = Annotated[
    str, AfterValidator(_capability), Field(json_schema_extra={"enum": list(CAPABILITIES)})
]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Link(_Table):
    """The line on which SMP is spoken."""

    url: Text | None = None
    """Device or URL of pyserial: hwgrep://, socket://, rfc2217://, loop://. Left out where `spawn` is."""
    baud: Baud = 115_200
    """Bits a second."""
    smp_line: Annotated[StrictInt, Field(ge=16, le=65_535)] = 127
    """Longest line of an SMP frame that the board takes, in bytes, with its end."""
    smp_buf: Annotated[StrictInt, Field(ge=64, le=65_535)] = 384
    """Longest SMP message that the board takes, in bytes; what the board itself says goes before it."""
    group: Annotated[StrictInt, Field(ge=0, le=65_535)] = NOTIFIER_GROUP
    """Number of the notifier group in this firmware."""
    dtr: StrictBool | None = None
    """State of DTR from the moment the port is opened; left out: as the driver leaves it."""
    rts: StrictBool | None = None
    """State of RTS from the moment the port is opened; left out: as the driver leaves it."""
    window: Annotated[StrictInt, Field(ge=1, le=16)] = 1
    """Chunks of an upload under way at once; more than 1 only for firmware with several SMP buffers."""


class Console(_Table):
    """Where the board's log comes out."""

    url: Text = "same"
    """`same` as the link, or a second port. A spawned board's second `serial` needs no entry."""
    baud: Baud = 115_200
    """Bits a second of the second port."""


class Reset(_Table):
    """How the board is started anew without taking its power."""

    by: Literal["none", "dtr", "rts", "esp32", "command", "smp"] = "none"
    """`dtr`, `rts`: that line pulls RESET; `esp32`: RTS pulls EN and DTR pulls IO0; `smp`: os.reset."""
    active_low: StrictBool = True
    """True where asserting the line (which makes it low) holds the board in reset."""
    hold_s: Seconds = 0.1
    """How long the line is held."""
    command: Command | None = None
    """Run for `by = "command"`."""


class Power(_Table):
    """How the board's power is cut."""

    driver: Literal["none", "command", "uhubctl", "process", "manual"] = "none"
    """`process`: kills what `spawn` started, and is meant where `spawn` stands and nothing else is said."""
    on: Command | None = None
    """Run by `command` to give power."""
    off: Command | None = None
    """Run by `command` to take power."""
    hub: Text | None = None
    """Hub of `uhubctl`, such as "1-1.4"."""
    port: Annotated[StrictInt, Field(ge=1, le=64)] | None = None
    """Port of that hub."""
    off_s: Seconds = 2.0
    """How long power stays off in a cycle: until the board's capacitors are empty."""
    settle_s: Seconds = 0.5
    """How long to wait after power is on before the port is looked for."""


class Boot(_Table):
    """When the board counts as started."""

    ready: Literal["echo", "banner", "none"] = "echo"
    """`echo`: it answers SMP; `banner`: the text below was seen; `none`: at once."""
    timeout_s: Annotated[float, Field(strict=True, gt=0, le=3600, allow_inf_nan=False)] = 10.0
    """How long that may take."""
    banner: Text | None = None
    """Regular expression of a console line at every start; with it a reboot in mid-request is noticed."""


class Flash(_Table):
    """How firmware gets onto the board."""

    command: Command
    """Program that writes it, run in the board file's folder."""


class Spawn(_Table):
    """A board that is a program on this machine."""

    driver: Literal["process", "qemu"]
    """`process`: the command below; `qemu`: a machine of QEMU."""
    command: Command | None = None
    """Program. `{pty}` is the link it has to make to its PTY, `{port}` the TCP port it has to listen on;
    the second of a kind is `{pty2}`, `{port2}`. For `qemu`: program and more arguments."""
    machine: Text | None = None
    """QEMU's machine, such as "mps2-an385"."""
    elf: Text | None = None
    """Firmware for QEMU; a path from the board file's folder."""
    serial: Annotated[tuple[Literal["pty", "tcp"], ...], Field(min_length=1, max_length=2)] = ("tcp",)
    """Serial lines: the first is the link, a second one the console. TCP is quicker than a PTY."""
    env: dict[Text, str] = Field(default_factory=dict)
    """Added to the program's environment."""
    cwd: Text | None = None
    """Its folder; a path from the board file's folder."""


class Entry(_Table):
    """One board as it stands in the file."""

    class_: Annotated[str, Field(validation_alias="class", serialization_alias="class", max_length=63)] = ""
    """Kind of board; tests of one firmware ask for it."""
    tags: Annotated[tuple[Word, ...], Field(max_length=64)] = ()
    """Words by which tests and people choose boards."""
    link: Link = Link()
    """The line on which SMP is spoken."""
    console: Console = Console()
    """Where the board's log comes out."""
    reset: Reset = Reset()
    """How the board is started anew."""
    power: Power = Power()
    """How its power is cut."""
    boot: Boot = Boot()
    """When it counts as started."""
    flash: Flash | None = None
    """How firmware gets onto it."""
    spawn: Spawn | None = None
    """A program instead of a port."""
    capabilities: Annotated[tuple[Capability, ...], Field(max_length=64)] | None = None
    """What it must be able to do; a difference from what is found is an error. Left out: what is found."""
    destructive: StrictBool = False
    """True: tests may erase it and write firmware to it."""

    @model_validator(mode="before")
    @classmethod
    def _process_is_power(cls, data: Any) -> Any:
        """Let what is spawned be cut by killing it, unless the file says otherwise."""
        if not isinstance(data, dict) or not data.get("spawn"):
            return data
        power = data.get("power", {})
        if not isinstance(power, dict) or "driver" in power:
            return data
        return {**data, "power": {**power, "driver": "process"}}


class Board(Entry):
    """A board with its name and place; what the rest of the bench works with."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    name: Word
    place: str = ""
    """``file:line`` of the entry, for messages."""
    folder: Path = Path()
    """Folder of the board file; relative paths and commands start here."""


class BoardFile(_Table):
    """Boards on this bench."""

    board: Annotated[dict[Word, Entry], Field(min_length=1, max_length=BOARDS_MAX)]
    """One table a board: `[board.NAME]`."""


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a board file, for editors."""
    made = BoardFile.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "hil-boards.toml"}
