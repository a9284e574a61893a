"""``tocsin webhook``: who is told over HTTP what happens here, and how that went."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import typer
from rich.console import Console

from gateway.cli.output import (
    AfterOption,
    ByOption,
    DryRunOption,
    JsonOption,
    LimitOption,
    WorkspaceOption,
    emit,
    example,
    go_on,
    group,
    now,
    open_workspace,
    person,
    say,
    table,
    utc,
)
from gateway.operations import webhooks
from gateway.operations.webhooks import DeliveryView, Secret, WebhookView

app = group("Others are told over HTTP, signed, what happens here; retried until they take it.")
WebhookArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the webhook.")]


class State(Enum):
    """How a delivery stands."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


def register(parent: typer.Typer) -> None:
    """Add this module's commands to the application."""
    parent.add_typer(app, name="webhook")


def _stands(hook: WebhookView) -> str:
    return "on" if hook.disabled is None else f"disabled since {utc(hook.disabled)}: {hook.why}"


def _secret(found: Secret) -> Any:
    def human(out: Console) -> None:
        say(f"Its receiver checks signatures with this secret: {found.secret}")(out)
        say("It is shown to whoever may manage webhooks, and kept nowhere as it is.")(out)

    return human


@app.command("add", epilog=example("webhook add https://hooks.example.com/tocsin --on rollout."))
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Address of the receiver, with https.")],
    *,
    on: Annotated[
        list[str], typer.Option("--on", metavar="KIND", help="How kinds of audit rows begin; repeatable.")
    ],
    account: Annotated[
        str | None, typer.Option("--account", help="Whose it is; is told only what accounts may see.")
    ] = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let an address be told of what happens from now on; its secret is printed."""
    made = webhooks.add(
        open_workspace(workspace),
        url,
        kinds=on,
        now=now(),
        by=person(by),
        account=account,
        dry_run=dry_run,
    )

    def human(out: Console) -> None:
        if dry_run:
            say(f"Would add a webhook for {url}.")(out)
            return
        say(f"Added webhook {made.webhook.id}. 'tocsin serve' sends what happens from now on.")(out)
        _secret(made)(out)

    emit(as_json, {"webhook": made.webhook, "secret": made.secret or None, "dry_run": dry_run}, human)


@app.command("list", epilog=example("webhook list"))
def list_(
    *,
    account: Annotated[str | None, typer.Option("--account", help="Only those of this account.")] = None,
    limit: LimitOption = 100,
    after: AfterOption = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List webhooks."""
    found = webhooks.list_(open_workspace(workspace), account=account, limit=limit, after=after)

    def human(out: Console) -> None:
        rows = [
            (hook.id, hook.url, " ".join(hook.kinds), hook.account or "-", _stands(hook))
            for hook in found.items
        ]
        out.print(table(("id", "url", "told of", "account", "state"), rows))
        go_on(found.next, out)

    emit(as_json, {"webhooks": found.items, "next": found.next}, human)


@app.command("show", epilog=example("webhook show wh_0123456789abcdef"))
def show(webhook: WebhookArgument, *, workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show a webhook and its last deliveries."""
    opened = open_workspace(workspace)
    hook = webhooks.show(opened, webhook)
    last = webhooks.deliveries(opened, webhook, limit=5)

    def human(out: Console) -> None:
        say(f"{hook.id}: {hook.url}")(out)
        say(f"told of: {' '.join(hook.kinds)}; account: {hook.account or '-'}")(out)
        say(f"added by {hook.by} at {utc(hook.created)}; secret rotated: {utc(hook.rotated)}")(out)
        say(f"state: {_stands(hook)}")(out)
        _print(last.items, out)

    emit(as_json, {"webhook": hook, "deliveries": last.items}, human)


def _print(items: tuple[DeliveryView, ...], out: Console) -> None:
    rows = [
        (one.id, one.kind, one.state, utc(one.created), one.attempts, utc(one.due), one.answer or "-")
        for one in items
    ]
    out.print(table(("delivery", "kind", "state", "queued", "attempts", "next attempt", "answer"), rows))


@app.command("deliveries", epilog=example("webhook deliveries wh_0123456789abcdef --state failed"))
def deliveries(
    webhook: WebhookArgument,
    *,
    state: Annotated[State | None, typer.Option("--state", help="Only those that stand so.")] = None,
    limit: LimitOption = 100,
    after: AfterOption = "",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what a webhook was sent, or is to be sent, newest first."""
    found = webhooks.deliveries(
        open_workspace(workspace),
        webhook,
        state=None if state is None else state.value,
        limit=limit,
        after=after,
    )

    def human(out: Console) -> None:
        _print(found.items, out)
        go_on(found.next, out)

    emit(as_json, {"deliveries": found.items, "next": found.next}, human)


@app.command("secret", epilog=example("webhook secret wh_0123456789abcdef --rotate"))
def secret(
    webhook: WebhookArgument,
    *,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Make a new one; the old one signs beside it for a day.")
    ] = False,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the secret of a webhook again, or a new one."""
    found = webhooks.secret(open_workspace(workspace), webhook, now=now(), by=person(by), rotate=rotate)
    emit(as_json, {"webhook": found.webhook, "secret": found.secret}, _secret(found))


@app.command("retry", epilog=example("webhook retry wh_0123456789abcdef"))
def retry(
    webhook: WebhookArgument,
    *,
    delivery: Annotated[
        str | None, typer.Option("--delivery", metavar="ID", help="Send only this one again.")
    ] = None,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a disabled webhook go on, and send at once what was given up or waits."""
    done = webhooks.retry(open_workspace(workspace), webhook, now=now(), by=person(by), delivery=delivery)
    count = "1 delivery" if done.deliveries == 1 else f"{done.deliveries} deliveries"
    emit(
        as_json,
        {"webhook": done.webhook, "deliveries": done.deliveries},
        say(f"Webhook {webhook} is on; {count} will be sent now."),
    )


@app.command("test", epilog=example("webhook test wh_0123456789abcdef"))
def try_out(
    webhook: WebhookArgument, *, workspace: WorkspaceOption = None, as_json: JsonOption = False
) -> None:
    """Send a webhook a test message now; exit status 1 when it does not take it."""
    sent = webhooks.probe(open_workspace(workspace), webhook, now=now())
    taken = sent.state == "done"
    verdict = "took it" if taken else "did not take it"
    emit(as_json, {"delivery": sent}, say(f"Its receiver {verdict}: {sent.answer}."))
    if not taken:
        raise typer.Exit(1)


@app.command("remove", epilog=example("webhook remove wh_0123456789abcdef"))
def remove(
    webhook: WebhookArgument,
    *,
    by: ByOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a webhook away, with what waits for it."""
    gone = webhooks.remove(open_workspace(workspace), webhook, now=now(), by=person(by))
    emit(as_json, {"webhook": gone}, say(f"Removed webhook {webhook}."))
