"""One command of ``tocsin`` or ``hil``, from its arguments to its exit status: every error is told here."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import sys
from functools import cache
from typing import Any

from gateway.cli import server
from hil.errors import BenchError
from keys.errors import InputError, TocsinError, UnavailableError

EXIT_INTERRUPTED = 130
_PLAYED_HERE = frozenset({"demo", "drill"})  # commands whose fleet is made on this machine
EXIT_BUG = 70  # EX_SOFTWARE of sysexits.h


def run(arguments: list[str], program: str = "tocsin") -> int:
    """Run one command and return its exit status; every error is told in one place."""
    as_json = "--json" in arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What the terminal's encoding lacks, and bytes of a name that are no text, come out escaped.
            stream.reconfigure(errors="backslashreplace")
    try:
        return _invoke(arguments, program)
    except TocsinError as error:
        return _tell(error, as_json=as_json)
    except KeyboardInterrupt:
        _print(as_json, code="INTERRUPTED", message="Interrupted.", status=EXIT_INTERRUPTED)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        why, where = error.strerror or type(error).__name__, str(error.filename or "")
        kind = BenchError if program == "hil" else UnavailableError
        told = kind("FILE", f"The system says: {why}.", mend="Check the path and its rights.", where=where)
        return _tell(told, as_json=as_json)
    except Exception as error:
        if os.environ.get("TOCSIN_TRACEBACK"):
            raise
        message = f"This is a fault in {program} ({type(error).__name__})."
        mend = "Set TOCSIN_TRACEBACK=1 to see where, and report it."
        _print(as_json, code="BUG", message=message, mend=mend, status=EXIT_BUG)
        return EXIT_BUG


def _is_text(argument: str) -> bool:
    """Say whether an argument came as text: bytes that are none arrive as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in argument)


@cache
def _tocsin(first: str | None) -> Any:  # typer keeps the type of a command to itself
    """Import what a command line needs and build its tree, which takes a while: once is enough."""
    import typer  # noqa: PLC0415 - importing takes most of a short command's time

    from gateway.cli.app import COMMANDS, make  # noqa: PLC0415 - the same

    return typer.main.get_command(make(first if first in COMMANDS else None))


def _command(program: str, arguments: list[str]) -> Any:
    """Return one of the two front doors; the bench's needs parts that only a bench installs."""
    if program == "tocsin":
        return _tocsin(arguments[0] if arguments else None)
    try:
        import typer  # noqa: PLC0415 - the same

        from hil.cli.app import make  # noqa: PLC0415 - the same

        return typer.main.get_command(make())
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"serial", "pytest"}:
            raise
        message = f"The bench needs {error.name}, which is not installed."
        raise BenchError("BENCH_PARTS", message, mend="Run: pip install 'tocsin[hil]'") from None


def _is_real_device(arguments: list[str]) -> bool:
    """Say whether a command line is about a device in a folder of its own: ``device run --home DIR``."""
    homes = any(argument.partition("=")[0] == "--home" for argument in arguments[2:])
    is_report = arguments[1:2] == ["report"]  # a look at a folder, by people at a terminal
    return arguments[:1] == ["device"] and homes and not is_report and "--help" not in arguments


def _invoke(arguments: list[str], program: str) -> int:
    """Run the application, here or through a server; a real device and a bench know of none."""
    if program != "tocsin":
        return _run(arguments, program)
    rest, place = server.taken(arguments)
    typed = {"-w", "--workspace"} & {word.partition("=")[0] for word in rest}
    if place is not None and not place.typed and typed:
        place = None  # who names a folder means it, whatever the environment says
    if place is not None and place.typed:
        _require_remote(rest)
    with server.used(place):
        return _run(rest, program)


def _collect_again() -> None:
    """Let Python's collector of cycles run, where a process of its own has put it off until all is imported.

    What was imported stays until the end, so it is left out: a short command took two fifths of its time for
    looking through it over and over, most of it while it ended.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _require_remote(arguments: list[str]) -> None:
    """Refuse a command that looks at no workspace at all: a server would change nothing about it.

    Raises:
        InputError: NOT_REMOTE.
    """
    command = None if _is_real_device(arguments) else _command("tocsin", arguments)
    for word in arguments:
        children = getattr(command, "commands", {})
        if word in children:
            command = children[word]
    if "--help" in arguments or getattr(command, "commands", None):
        return
    named = command is not None and any(param.name == "workspace" for param in command.params)
    if not named or arguments[0] in _PLAYED_HERE:
        raise server.not_remote()


def _run(arguments: list[str], program: str) -> int:
    """Import the application and run it; what typer raises becomes ours."""
    if program == "tocsin" and _is_real_device(arguments):
        from device_sim.main import main  # noqa: PLC0415 - a device has no room for what the others import

        gc.enable()
        return main(arguments[1:])
    # Importing takes most of a short command's time: Ctrl-C may fall into it.
    from typer.exceptions import Abort, TyperException  # noqa: PLC0415 - the same

    try:
        command = _command(program, arguments)
        _collect_again()
        status = command.main(arguments, prog_name=program, standalone_mode=False)
    except TyperException as error:
        message = error.format_message().replace(": Value error, ", ": ").rstrip(".")
        raise InputError("USAGE", f"{message}.", mend="Try --help.") from None
    except UnicodeEncodeError:
        if os.environ.get("TOCSIN_TRACEBACK") or all(map(_is_text, arguments)):
            raise
        message = "An argument holds bytes that are no text."
        raise InputError("BAD_VALUE", message, mend="Write it in UTF-8.") from None
    except Abort:
        raise KeyboardInterrupt from None
    if status == EXIT_INTERRUPTED:  # what typer makes of Ctrl-C, saying nothing
        raise KeyboardInterrupt
    return status if isinstance(status, int) else 0


def _tell(error: TocsinError, *, as_json: bool) -> int:
    _print(
        as_json,
        code=error.code,
        message=error.message,
        mend=error.mend,
        where=error.where,
        status=error.exit_status,
    )
    return error.exit_status


def _print(as_json: bool, *, code: str, message: str, status: int, mend: str = "", where: str = "") -> None:  # noqa: FBT001 - private
    if as_json:
        error: dict[str, Any] = {"code": code, "message": message, "mend": mend, "where": where}
        with contextlib.suppress(OSError):  # stdout itself may be what fails: the exit status still tells
            sys.stdout.write(to_json({"error": error, "exit_status": status}))
            sys.stdout.flush()
    else:
        line = str(TocsinError(code, message, mend=mend, where=where))
        # A name may hold line ends and what steers a terminal: an error is one line, and only that.
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        sys.stderr.write(f"error: {line}\n")


def to_json(data: dict[str, Any]) -> str:
    """Write one object and a line end; in ASCII where stdout could not take it otherwise."""
    text = json.dumps(data, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(data)
    return text + "\n"
