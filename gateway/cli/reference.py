"""The reference of all commands as Markdown, made from the application itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

_MADE = "<!-- Made from the program by gateway/cli/reference.py; edit the help texts there. -->"
_HEADS = {
    "tocsin": f"""\
# Commands

{_MADE}

Every command that works in a workspace finds it by `--workspace`, by the variable `TOCSIN_WORKSPACE`, or
in the current folder. With `--json` it prints one JSON object on stdout and nothing else there. What the
exit statuses mean stands in [exit-codes.md](exit-codes.md).
""",
    "hil": f"""\
# Commands of the bench

{_MADE}

A command that works on a board finds it in `hil-boards.toml`, here or in a folder above, in the file that
`--boards` or the variable `HIL_BOARDS` names. Exit status 1 speaks of the board's firmware, 3 of the bench, 2
of what was typed.
""",
}
"""How the page of each program begins."""


def reference(app: typer.Typer, program: str = "tocsin") -> str:
    """Return a page of ``docs/reference``: a program's commands with help, example, arguments and options."""
    root: Any = typer.main.get_command(app)
    lines = [_HEADS[program]]
    for name, command in _commands(root, (program,)):
        lines += _section(name, command)
    return "\n".join(lines).rstrip() + "\n"


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield every command with its full name, in the order in which ``--help`` lists them."""
    children: dict[str, Any] = getattr(command, "commands", {})
    if not children:
        yield " ".join(path), command
    for name, child in children.items():
        yield from _commands(child, (*path, name))


def _section(name: str, command: Any) -> Iterator[str]:
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    arguments = [param for param in shown if param.param_type_name == "argument"]
    options = [param for param in shown if param.param_type_name == "option" and param.name != "help"]
    usage = " ".join([name, *(_argument(param) for param in arguments), *(["[OPTIONS]"] if options else [])])
    yield f"## {name}\n\n{command.help}\n\n```text\n{usage}\n```\n"
    if command.epilog:
        yield f"{command.epilog.replace('Example: ', 'Example: `')}`\n"
    if arguments or options:
        yield "| | |\n|---|---|"
        for param in arguments:
            yield f"| `{_argument(param)}` | {_help(param)} |"
        for param in options:
            yield f"| `{', '.join(param.opts)}` | {_help(param)} |"
        yield ""


def _argument(param: Any) -> str:
    name = param.metavar or param.name.upper()
    return name if param.required else f"[{name}]"


def _help(param: Any) -> str:
    default = param.default
    notes = []
    if param.required and param.param_type_name == "option":
        notes.append("Required.")
    elif default not in {None, False, True, ""} and str(default) != ".":
        notes.append(f"Default: {getattr(default, 'value', default)}.")
    return " ".join([(param.help or "").replace("|", "\\|"), *notes])
