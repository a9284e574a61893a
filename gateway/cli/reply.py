"""``tocsin reply``: what people say about a matter, and what is decided about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from advisories.learning.replies import Channel, Decision, Received, Reply, Topic, Triaged
from gateway import files
from gateway.cli.output import (
    JsonOption,
    WorkspaceOption,
    emit,
    example,
    group,
    now,
    open_workspace,
    say,
    table,
    utc,
)
from gateway.operations.learning import replies
from gateway.store import events
from keys.errors import InputError

app = group("What people say about a matter: ignore, monitor or respond.")
AdvisoryOption = Annotated[str | None, typer.Option("--advisory", metavar="ID", help="About this advisory.")]
IncidentOption = Annotated[str | None, typer.Option("--incident", metavar="ID", help="About this incident.")]
ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who says so.")]


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="reply")


@app.command(
    "add", epilog=example("reply add --advisory EX-2026-0001 --channel mail --topic genuine --by NAME")
)
def add(
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="What was said; or give --file.")] = None,
    *,
    channel: Annotated[Channel, typer.Option(help="Where it was said.")],
    by: ByOption,
    advisory: AdvisoryOption = None,
    incident: IncidentOption = None,
    topic: Annotated[Topic, typer.Option(help="What it is about; the review counts by it.")] = Topic.OTHER,
    who: Annotated[str | None, typer.Option(help="Who said it, as they are known there.")] = None,
    where: Annotated[str | None, typer.Option(help="Address or number of the post or letter.")] = None,
    file: Annotated[Path | None, typer.Option(help="File with what was said.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record a reply or a mention."""
    if text is not None and file is not None:
        raise InputError("USAGE", "A reply is what is typed, or a file.", mend="Leave TEXT or --file away.")
    said = text if file is None else _written(file)
    received = events.made(
        Received, {"channel": channel, "topic": topic, "text": said, "who": who, "where": where}
    )
    number = replies.receive(
        open_workspace(workspace), received, by=by, now=now(), advisory=advisory, incident=incident
    )
    emit(
        as_json,
        {"reply": number},
        say(
            f"Recorded reply {number}. Next: tocsin reply triage {number} ignore|monitor|respond --reason ..."
        ),
    )


def _written(path: Path) -> str:
    try:
        return files.read_bytes(path, what="reply", mend="Check the path.").decode("utf-8-sig")
    except UnicodeDecodeError:
        message = "The reply is not UTF-8 text."
        raise InputError("BAD_VALUE", message, mend="Save it as text in UTF-8.", where=str(path)) from None


@app.command(
    "triage", epilog=example("reply triage 7 respond --reason 'asks whether it is genuine' --by NAME")
)
def triage(
    number: Annotated[int, typer.Argument(metavar="N", help="Number of the reply.", min=1)],
    decision: Annotated[Decision, typer.Argument(help="What is done about it.")],
    *,
    reason: Annotated[str, typer.Option(help="Why.")],
    by: ByOption,
    answer: Annotated[str | None, typer.Option(help="What was answered.")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide about a reply; deciding again is possible, and the last decision counts."""
    triaged = events.made(
        Triaged, {"reply": number, "decision": decision, "reason": reason, "answer": answer}
    )
    done = replies.triage(open_workspace(workspace), triaged, by=by, now=now())
    owed = "an answer is still owed" if done.waiting else "nothing is owed"
    emit(as_json, _data(done), say(f"Reply {number}: {decision.value}; {owed}."))


@app.command("list", epilog=example("reply list --advisory EX-2026-0001 --waiting"))
def list_(
    *,
    advisory: AdvisoryOption = None,
    incident: IncidentOption = None,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only those to which somebody owes something.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List replies with what was decided."""
    found = replies.listed(open_workspace(workspace), advisory=advisory, incident=incident, waiting=waiting)

    def human(out: Console) -> None:
        rows = (
            (
                reply.number,
                utc(reply.recorded.at),
                reply.received.channel.value,
                reply.received.topic.value,
                reply.decision.decision.value if reply.decision else "not decided",
                files.visible(reply.decision.reason) if reply.decision else "",
                files.visible(reply.received.text),
            )
            for reply in found
        )
        out.print(table(("number", "recorded", "channel", "topic", "decision", "why", "said"), rows))

    emit(as_json, {"replies": [_data(reply) for reply in found]}, human)


def _data(reply: Reply) -> dict[str, Any]:
    return {
        "number": reply.number,
        "at": utc(reply.recorded.at),
        "advisory": reply.recorded.advisory,
        "incident": reply.recorded.incident,
        "said": reply.received.model_dump(mode="json"),
        "decisions": [{"by": each.by, **made.model_dump(mode="json")} for each, made in reply.decisions],
        "waiting": reply.waiting,
    }
