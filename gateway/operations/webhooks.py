"""``tocsin webhook``: who is told over HTTP what happens here, and how that went."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from gateway.core import delivery as core
from gateway.operations.afar import operation
from gateway.service import posting
from gateway.service.deliveries import send
from gateway.store import access, audit
from gateway.store import deliveries as outbox
from gateway.store.deliveries import Delivery, Webhook
from gateway.store.engine import Session
from gateway.workspace.folder import Workspace
from keys.errors import InputError

WEBHOOKS_MAX: Final = 500  # in a workspace
ACCOUNT_WEBHOOKS_MAX: Final = 10  # of one account
TESTED: Final = "webhook.test"
STATES: Final = ("waiting", "done", "failed")


@dataclass(frozen=True, slots=True)
class WebhookView:
    """A webhook as people look at it; times are UTC seconds."""

    id: str
    url: str
    kinds: tuple[str, ...]
    """Beginnings of the kinds of audit rows that it is told of."""
    account: str | None
    """Is told of what accounts may see only; None: of everything."""
    after: int
    """Index of the last audit row that was made into a delivery, or passed over."""
    by: str
    created: float
    rotated: float | None
    disabled: float | None
    why: str | None
    """Why it is disabled."""


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Some of the webhooks, in the order of their ids."""

    items: tuple[WebhookView, ...]
    next: str
    """What ``after`` has to be for those behind them; empty: there are no more."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A webhook with the secret by which its receiver knows us."""

    webhook: WebhookView
    secret: str
    """``whsec_`` and base64, as libraries for Standard Webhooks take it."""


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """How one delivery went; times are UTC seconds."""

    id: str
    """As its receiver reads it in ``webhook-id``."""
    kind: str
    state: str
    """waiting, done or failed."""
    created: float
    due: float | None
    """When it is tried next; None: no more."""
    attempts: int
    answer: str
    """What the last attempt met."""


@dataclass(frozen=True, slots=True)
class DeliveryViews:
    """Some of a webhook's deliveries, newest first."""

    items: tuple[DeliveryView, ...]
    next: str
    """What ``after`` has to be for the older ones; empty: there are no more."""


@dataclass(frozen=True, slots=True)
class Retried:
    """What is sent again."""

    webhook: WebhookView
    deliveries: int


def _view(hook: Webhook) -> WebhookView:
    return WebhookView(
        hook.id,
        hook.url,
        hook.kinds,
        hook.account,
        hook.after,
        hook.by,
        hook.created,
        hook.turned,
        hook.disabled,
        hook.why,
    )


def _delivery(one: Delivery) -> DeliveryView:
    due = one.due if one.state == "waiting" else None
    return DeliveryView(one.once, one.kind, one.state, one.created, due, one.attempts, one.answer or "")


@operation("POST", "/webhooks", right="webhook:manage", creates=True, secret=True)
def add(
    workspace: Workspace,
    url: str,
    *,
    kinds: Sequence[str],
    now: int,
    by: str,
    account: str | None = None,
    dry_run: bool = False,
) -> Secret:
    """Let an address be told over HTTP of every audit row from now on whose kind begins as is said.

    Args:
        workspace: where.
        url: with https; http goes to this machine only, where tocsin.toml opens that to what is no account's.
        kinds: beginnings of kinds, such as ``rollout.`` or ``advisory.published``.
        now: UTC seconds.
        by: who adds it.
        account: is told of what accounts may see only; None: of everything.
        dry_run: check everything and change nothing; the secret is empty then.

    Raises:
        InputError: WEBHOOK_URL, WEBHOOK_KINDS, WEBHOOKS_TOO_MANY, ACCOUNT_UNKNOWN, ACCOUNT_CLOSED.
        UnavailableError: WEBHOOK_SECRET.
    """
    chosen = tuple(dict.fromkeys(kinds))
    _require(workspace, url, chosen, account)
    with workspace.lock(), workspace.store() as store, store.write() as session:
        store.rehearsing = dry_run
        if account is not None:
            _require_open(session, account)
        _require_room(session, account)
        last = audit.last(session)[0]
        made = Webhook(f"wh_{secrets.token_hex(8)}", url, chosen, account, last, by, float(now))
        outbox.add_webhook(session, made)
        key = b"" if dry_run else core.secret(posting.make_master(workspace, session), made.id)
        audit.append(session, "webhook.added", _about(made, by) | {"kinds": list(chosen)}, now)
    return Secret(_view(made), "" if dry_run else core.secret_text(key))


def _require(workspace: Workspace, url: str, kinds: Sequence[str], account: str | None) -> None:
    # Whoever has an account's token is no part of the house: our networks are not open to their receivers.
    fault = core.url_fault(url, () if account is not None else posting.networks(workspace))
    if fault is not None:
        mend = "Give another URL; see docs/how-to/webhooks-and-alerts.md."
        raise InputError("WEBHOOK_URL", f"Nothing can be sent to this URL: {fault}.", mend=mend)
    fault = core.kinds_fault(kinds, account=account is not None)
    if fault is not None:
        mend = "Say --on rollout. or --on advisory.published."
        raise InputError("WEBHOOK_KINDS", f"Nothing can be told so: {fault}.", mend=mend)


def _require_open(session: Session, account: str) -> None:
    if access.get_account(session, account).closed is not None:
        message = f"The account '{account}' is closed."
        raise InputError("ACCOUNT_CLOSED", message, mend="Name another account.")


def _require_room(session: Session, account: str | None) -> None:
    own = outbox.list_webhooks(session, account=account, limit=WEBHOOKS_MAX, after="")
    most = WEBHOOKS_MAX if account is None else ACCOUNT_WEBHOOKS_MAX
    if len(own) >= most or outbox.count_webhooks(session) >= WEBHOOKS_MAX:
        message = f"There are {most} webhooks already."
        raise InputError("WEBHOOKS_TOO_MANY", message, mend="Remove one that is not needed any more.")


def _about(hook: Webhook, by: str) -> dict[str, object]:
    """Return what the audit chain says of a webhook: no more of its URL than the host."""
    return {"account": hook.account, "by": by, "host": urlsplit(hook.url).hostname, "id": hook.id}


@operation("GET", "/webhooks", right="webhook:read")
def list_(workspace: Workspace, *, account: str | None = None, limit: int = 100, after: str = "") -> Webhooks:
    """Return webhooks, those that are disabled among them."""
    with workspace.store() as store, store.read() as session:
        found = outbox.list_webhooks(session, account=account, limit=limit + 1, after=after)
    more = found[limit - 1].id if len(found) > limit else ""
    return Webhooks(tuple(_view(hook) for hook in found[:limit]), more)


@operation("GET", "/webhooks/{webhook}", right="webhook:read")
def show(workspace: Workspace, webhook: str, *, account: str | None = None) -> WebhookView:
    """Return a webhook.

    Raises:
        InputError: WEBHOOK_UNKNOWN.
    """
    with workspace.store() as store, store.read() as session:
        return _view(outbox.get_webhook(session, webhook, account))


@operation("POST", "/webhooks/{webhook}/secret", right="webhook:manage", secret=True)
def secret(
    workspace: Workspace,
    webhook: str,
    *,
    now: int,
    by: str,
    rotate: bool = False,
    account: str | None = None,
) -> Secret:
    """Return a webhook's secret; or a new one, beside which the old one still signs for a day.

    Raises:
        InputError: WEBHOOK_UNKNOWN.
        UnavailableError: WEBHOOK_SECRET.
    """
    with workspace.lock(), workspace.store() as store, store.write() as session:
        hook = outbox.get_webhook(session, webhook, account)
        master = posting.master(workspace, session)
        if rotate:
            outbox.set_webhook(session, webhook, turn=hook.turn + 1, turned=float(now))
            hook = outbox.get_webhook(session, webhook)
        kind = "webhook.rotated" if rotate else "webhook.secret-shown"
        audit.append(session, kind, _about(hook, by), now)
    return Secret(_view(hook), core.secret_text(core.secret(master, hook.id, hook.turn)))


@operation("DELETE", "/webhooks/{webhook}", right="webhook:manage")
def remove(
    workspace: Workspace, webhook: str, *, now: int, by: str, account: str | None = None
) -> WebhookView:
    """Take a webhook away, with what waits for it.

    Raises:
        InputError: WEBHOOK_UNKNOWN.
    """
    with workspace.lock(), workspace.store() as store, store.write() as session:
        hook = outbox.get_webhook(session, webhook, account)
        outbox.remove_webhook(session, webhook)
        audit.append(session, "webhook.removed", _about(hook, by), now)
    return _view(hook)


@operation("GET", "/webhooks/{webhook}/deliveries", right="webhook:read")
def deliveries(
    workspace: Workspace,
    webhook: str,
    *,
    state: str | None = None,
    account: str | None = None,
    limit: int = 100,
    after: str = "",
) -> DeliveryViews:
    """Return a webhook's deliveries, newest first; those that ended more than 30 days ago are not kept.

    Args:
        workspace: where.
        webhook: id.
        state: only those ``waiting``, ``done`` or ``failed``.
        account: whose webhook it must be.
        limit: at most so many.
        after: what ``next`` said.

    Raises:
        InputError: WEBHOOK_UNKNOWN, BAD_VALUE.
    """
    if state not in {None, *STATES}:
        raise InputError(
            "BAD_VALUE", "This is not a state of deliveries.", mend=f"Known: {', '.join(STATES)}."
        )
    if after and not (after.isascii() and after.isdecimal() and len(after) < 19):
        raise InputError("BAD_VALUE", "'after' is not what 'next' said.", mend="Begin again without it.")
    with workspace.store() as store, store.read() as session:
        outbox.get_webhook(session, webhook, account)
        before = int(after) if after else None
        found = outbox.list_deliveries(session, webhook, limit=limit + 1, before=before, state=state)
    more = str(found[limit - 1].id) if len(found) > limit else ""
    return DeliveryViews(tuple(_delivery(one) for one in found[:limit]), more)


@operation("POST", "/webhooks/{webhook}/retry", right="webhook:manage")
def retry(
    workspace: Workspace,
    webhook: str,
    *,
    now: int,
    by: str,
    delivery: str | None = None,
    account: str | None = None,
) -> Retried:
    """Let a disabled webhook go on, and send at once what was given up or waits.

    Args:
        workspace: where.
        webhook: id.
        now: UTC seconds.
        by: who asks.
        delivery: send only this one again, even if it arrived.
        account: whose webhook it must be.

    Raises:
        InputError: WEBHOOK_UNKNOWN, DELIVERY_UNKNOWN.
    """
    with workspace.lock(), workspace.store() as store, store.write() as session:
        hook = outbox.get_webhook(session, webhook, account)
        count = outbox.again(session, webhook, now, delivery)
        if delivery is not None and count == 0:
            mend = f"See 'tocsin webhook deliveries {webhook}'."
            raise InputError("DELIVERY_UNKNOWN", "There is no such delivery.", mend=mend)
        if hook.disabled is not None:
            outbox.set_webhook(session, webhook, disabled=None, why=None)
            audit.append(session, "webhook.enabled", _about(hook, by), now)
        return Retried(_view(outbox.get_webhook(session, webhook)), count)


@operation("POST", "/webhooks/{webhook}/test", right="webhook:manage")
def probe(workspace: Workspace, webhook: str, *, now: int, account: str | None = None) -> DeliveryView:
    """Send a webhook a message of the kind ``webhook.test`` now, and say what its receiver answers.

    Raises:
        InputError: WEBHOOK_UNKNOWN, CA_FILE.
        UnavailableError: WEBHOOK_SECRET.
    """
    once = f"{webhook}_test_{os.urandom(6).hex()}"
    with workspace.store() as store:
        with store.read() as session:
            hook = outbox.get_webhook(session, webhook, account)
            keys = posting.keys_of(posting.master(workspace, session), hook, now)
        body = core.message(hook.after, now, TESTED, {"webhook": webhook})
        one = outbox.Delivery(
            *(0, outbox.WEBHOOK, webhook, TESTED, once, body, now, now, now, 0, None, None, None)
        )
        tls = posting.trust(workspace, workspace.settings.webhook_ca)
        poster = posting.Poster(tls, posting.networks(workspace))
        try:
            answer = asyncio.run(send(poster, hook, keys, one, now))
        finally:
            poster.close()
    state = "done" if answer.ok else "failed"
    return DeliveryView(once, TESTED, state, now, None, 1, answer.says)
