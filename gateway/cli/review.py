"""``tocsin review``: look back at a matter, and keep what was learnt."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer
from rich.console import Console

from advisories.learning.review import Lessons
from gateway import files
from gateway.cli.advisory.app import IdArgument
from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    group,
    now,
    open_workspace,
    say,
    utc,
)
from gateway.operations.learning import review
from gateway.store import events
from keys.errors import InputError

app = group("Look back at a matter, and keep what was learnt.")
_FORM = ("happened", "right", "improve", "next_time")
_ACTION = re.compile(r"(?P<owner>[^:]+):\s*(?P<what>.+?)(?:\s+by\s+(?P<due>\d{4}-\d\d-\d\d))?")


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="review")


@app.command("show", epilog=example("review show EX-2026-0001"))
def show(advisory: IdArgument, workspace: WorkspaceOption = None, *, as_json: JsonOption = False) -> None:
    """Show how long each step took, which updates were kept, what people asked, and what was learnt."""
    found = review.review(open_workspace(workspace), advisory, now=now())
    emit(as_json, _data(found), lambda out: _print(found, out))


@app.command("record", epilog=example("review record EX-2026-0001 --by NAME --happened ... --next-time ..."))
def record(
    advisory: IdArgument,
    *,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")],
    happened: Annotated[str, typer.Option(help="What happened, and how.")],
    right: Annotated[str, typer.Option(help="What went right.")],
    improve: Annotated[str, typer.Option(help="What could have gone better.")],
    next_time: Annotated[str, typer.Option(help="What to do differently next time.")],
    action: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'OWNER: WHAT [by DATE]'", help="Something to do, with its owner; may be repeated."
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep the answers of the review's form; several people may fill it in."""
    lessons = events.made(
        Lessons,
        {
            "happened": happened,
            "right": right,
            "improve": improve,
            "next_time": next_time,
            "actions": [_action(text) for text in action or ()],
        },
    )
    kept = review.record(open_workspace(workspace), advisory, lessons, by=by, now=now())
    emit(
        as_json,
        {"advisory": advisory, **lessons.model_dump(mode="json")},
        say(f"Kept what {kept.by} learnt from {advisory}, with {len(lessons.actions)} actions."),
    )


def _action(text: str) -> dict[str, Any]:
    found = _ACTION.fullmatch(text.strip())
    if found is None:
        raise InputError(
            "BAD_VALUE",
            f"'{text[:80]}' is not an action with its owner.",
            mend="Write it like 'NAME: what to do by 2026-12-31'.",
        )
    return {key: value for key, value in found.groupdict().items() if value}


def _data(found: review.Review) -> dict[str, Any]:
    return {
        "advisory": found.advisory,
        "incident": found.incident,
        "aware": None if found.aware is None else utc(found.aware),
        "revisions": list(found.revisions),
        "measures": found.measures,
        "lessons": [
            {"at": utc(each.at), "by": each.by, **made.model_dump(mode="json")}
            for each, made in found.lessons
        ],
    }


def lasting(seconds: float | None) -> str:
    """Return a duration in words that people compare: ``2 d 3 h``, ``4 h 5 min``, ``12 s``."""
    if seconds is None:
        return "not reached or not recorded"
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    rest = round(seconds)
    parts: list[str] = []
    for name, size in units:
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def _print(found: review.Review, out: Console) -> None:
    m = found.measures
    rows = (
        ("aware -> approved", lasting(m.aware_to_approved)),
        ("approved -> first notice", lasting(m.approved_to_published)),
        ("aware -> first notice", lasting(m.aware_to_published)),
        ("first notice -> 90 % shown", f"{lasting(m.published_to_shown)} ({m.shown} of {m.affected})"),
        ("first notice -> 90 % patched", f"{lasting(m.published_to_patched)} ({m.patched} of {m.affected})"),
        ("updates kept on time", f"{m.updates_kept} of {m.updates_due}"),
        (
            "questions",
            ", ".join(f"{topic} {count}" for topic, count in m.questions.items()) or "none recorded",
        ),
    )
    about = f"incident {found.incident}" if found.incident else "no incident linked"
    out.print(f"{found.advisory}, {len(found.revisions)} revisions, {about}", markup=False)
    for name, value in rows:
        out.print(f"  {name:<30}{value}", markup=False)
    for each, lessons in found.lessons:
        lines = [f"{name.replace('_', ' '):<12}{getattr(lessons, name)}" for name in _FORM]
        for action in lessons.actions:
            due = f" by {action.due.isoformat()}" if action.due else ""
            lines.append(f"{'action':<12}{action.owner}: {action.what}{due}")
        out.print(files.visible(f"learnt by {each.by} on {utc(each.at)}"), markup=False)
        for line in lines:
            out.print(f"  {files.visible(line)}", markup=False, soft_wrap=True)
