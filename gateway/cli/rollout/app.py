"""What the commands of ``tocsin rollout`` share."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.output import group

app = group("How the patch goes out.")
NameArgument = Annotated[str, typer.Argument(metavar="ROLLOUT", help="Name of the rollout.")]
ByOption = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who says so; the user of this machine if left out."),
]
WhyOption = Annotated[str, typer.Option("--why", help="The reason, for the audit trail.")]
PatchOption = Annotated[str, typer.Option(metavar="SEQ", help="Sequence number, or PRODUCT@VERSION.")]
NameOption = Annotated[str | None, typer.Option(help="Name of the rollout; made up if left out.")]
DaysOption = Annotated[int, typer.Option(help="Within which an install has to begin.")]
AskOption = Annotated[bool, typer.Option("--ask", help="Ask even owners who agreed beforehand.")]
