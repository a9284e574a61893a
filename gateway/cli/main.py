"""The ``tocsin`` command: registers every group of commands and turns errors into exit statuses."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.exceptions import Abort, TyperException

from gateway.cli import advisory, demo, device, fleet, patch, rollout, serve, setup, verify
from gateway.cli.output import group
from keys.errors import TocsinError, UnavailableError

EXIT_INTERRUPTED = 130
EXIT_BUG = 70  # EX_SOFTWARE of sysexits.h

app = group(
    "Tell the owners of embedded devices the truth about their security, signed, and bring the patch."
)
for module in (setup, device, fleet, advisory, patch, rollout, serve, verify, demo):
    module.register(app)


def _version(value: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
    if value:
        sys.stdout.write(f"tocsin {importlib.metadata.version('tocsin')}\n")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Tell the owners of embedded devices the truth about their security, signed, and bring the patch."""


def main(args: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its documented exit status."""
    arguments = list(sys.argv[1:] if args is None else args)
    sys.exit(run(arguments))


def run(arguments: list[str]) -> int:  # noqa: PLR0911 - one return for each way to end
    """Run one command and return its exit status; every error is told in one place."""
    as_json = "--json" in arguments
    try:
        status = typer.main.get_command(app).main(arguments, prog_name="tocsin", standalone_mode=False)
    except TocsinError as error:
        return _tell(error, as_json=as_json)
    except TyperException as error:
        _print(as_json, code="USAGE", message=error.format_message(), mend="Try --help.", status=2)
        return 2
    except (KeyboardInterrupt, Abort):
        _print(as_json, code="INTERRUPTED", message="Interrupted.", status=EXIT_INTERRUPTED)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = str(error.filename or "")
        told = UnavailableError(
            "FILE", f"The system says: {error.strerror}.", mend="Check the path and its rights.", where=where
        )
        return _tell(told, as_json=as_json)
    except Exception as error:
        if os.environ.get("TOCSIN_TRACEBACK"):
            raise
        message = f"This is a fault in tocsin ({type(error).__name__})."
        mend = "Set TOCSIN_TRACEBACK=1 to see where, and report it."
        _print(as_json, code="BUG", message=message, mend=mend, status=EXIT_BUG)
        return EXIT_BUG
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
        sys.stdout.write(json.dumps({"error": error, "exit_status": status}, ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(f"error: {TocsinError(code, message, mend=mend, where=where)}\n")


if __name__ == "__main__":
    main()
