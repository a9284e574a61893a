"""How commands speak: one JSON object or text for people, options that all share, and the passphrase."""

from __future__ import annotations

import dataclasses
import getpass
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway import files
from gateway.cli import server
from gateway.cli.run import to_json
from gateway.operations.trust import expiry
from gateway.workspace.folder import Workspace
from keys.algorithms import PublicKey
from keys.errors import InputError

WIDTH_PLAIN = 100  # columns where the output is not a terminal

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace", "-w", envvar="TOCSIN_WORKSPACE", help="Workspace folder; the current one if left out."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Check everything and say what would happen; change nothing.")
]
LeaveBehindOption = Annotated[
    bool,
    typer.Option(
        "--leave-behind", help="Go on although active devices could not verify it: they are not told."
    ),
]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who does it; the user of this machine if left out.")
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1_000, help="Show at most so many.")]
AfterOption = Annotated[str, typer.Option("--after", help="Go on behind this: what 'next' said.")]
_THERE = "through a server also file:PATH, env:NAME or pkcs11:..."
KeyOption = Annotated[str, typer.Option("--key", help=f"Key that signs: its name in keys.toml; {_THERE}")]
OperatorKeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        help=f"Operator key that signs, needed where there are several: its name in keys.toml; {_THERE}",
    ),
]


def example(line: str) -> str:
    """Return the epilog of a command's help: one line that can be typed as it is."""
    return f"Example: tocsin {line}"


def group(help_: str) -> typer.Typer:
    """Make a group of commands with the house's settings."""
    return typer.Typer(help=help_, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)


def console() -> Console:
    """Return the console for people: stdout, never wider than a plain page when it is not a terminal."""
    width = None if sys.stdout.isatty() else WIDTH_PLAIN
    # No pictures for words such as ":100:", which others may have written: what is signed is shown as it is.
    return Console(width=width, highlight=False, soft_wrap=True, emoji=False)


def emit(as_json: bool, data: Mapping[str, Any], human: Callable[[Console], None]) -> None:  # noqa: FBT001 - the flag of every command
    """Print the outcome of a command once, as JSON or for people."""
    if as_json:
        sys.stdout.write(to_json(plain(data)))
        sys.stdout.flush()
    else:
        human(console())


def plain(value: Any) -> Any:  # noqa: PLR0911 - one return for each kind of value
    """Return ``value`` as JSON knows it: records as objects, bytes as hex, enumerations by name."""
    if isinstance(value, PublicKey):
        return value.thumbprint.hex()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return value


def say(line: str) -> Callable[[Console], None]:
    """Return a printer of one plain line, in which nothing is markup."""
    return lambda out: out.print(Text(files.visible(line)))


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> Table:
    """Make a plain table; every cell is text, never markup."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(files.visible(str(cell))) for cell in row))
    return made


def open_workspace(path: Path | None, *, quiet: bool = False) -> Workspace:
    """Open the workspace named by option or environment, or the current folder.

    On stderr, one line warns of a root that ends soon or has ended, unless ``quiet``. A server that is
    named stands in the place of the workspace: what is marked as an operation works, all else is refused.
    """
    place = server.named()
    if place is not None:
        return cast("Workspace", server.Server(place))
    opened = Workspace.open(path or Path())
    root = None if quiet else opened.newest_root()
    for check in expiry.of_root(root, now()) if root else ():
        sys.stderr.write(f"warning: {check.message} {check.mend}\n")
    return opened


def now() -> int:
    """Return UTC seconds by this machine's clock."""
    return int(time.time())


def utc(seconds: float | None) -> str:
    """Write UTC seconds for people."""
    return "-" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def person(by: str | None) -> str:
    """Return who says so: whoever was named, else the user of this machine."""
    if by is not None:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return "unknown"


def go_on(following: str, out: Console) -> None:
    """Say below a list how to see the rest of it, if there is more.

    Args:
        following: what ``next`` says of the list; empty: that was all.
        out: where to.
    """
    if following:
        say(f"There are more: go on with --after {shlex.quote(following)}")(out)


def ask_passphrase(name: str) -> bytes:
    """Return TOCSIN_PASSPHRASE if it is set, else ask at the terminal; it is never an argument.

    Raises:
        InputError: PASSPHRASE_NEEDED, where there is no terminal to ask at.
    """
    given = os.environ.get("TOCSIN_PASSPHRASE")
    if given is not None:
        return os.fsencode(given)
    if not sys.stdin.isatty():
        raise InputError(
            "PASSPHRASE_NEEDED",
            f"A passphrase is needed for the {name}.",
            mend="Set TOCSIN_PASSPHRASE, or run this in a terminal.",
        )
    return getpass.getpass(f"Passphrase for the {name}: ").encode()


def new_passphrase(name: str) -> bytes:
    """Ask twice for a new passphrase, unless TOCSIN_PASSPHRASE is set.

    Raises:
        InputError: PASSPHRASE_NEEDED, PASSPHRASE_EMPTY, PASSPHRASE_DIFFERS.
    """
    first = ask_passphrase(name)
    if not first:
        raise InputError(
            "PASSPHRASE_EMPTY", "The passphrase is empty.", mend="Type one, or say --no-passphrase."
        )
    if "TOCSIN_PASSPHRASE" not in os.environ and getpass.getpass("Once more: ").encode() != first:
        raise InputError("PASSPHRASE_DIFFERS", "The two passphrases differ.", mend="Try again.")
    return first


def confirm(question: str, *, yes: bool) -> None:
    """Ask for a yes at the terminal, unless ``yes`` was given.

    Raises:
        InputError: NOT_CONFIRMED.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError(
            "NOT_CONFIRMED", "There is no terminal to ask at.", mend="Say --yes once you have read it."
        )
    sys.stdout.write(f"{question} [y/N] ")
    sys.stdout.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise InputError("NOT_CONFIRMED", "Not confirmed; nothing was signed.")
