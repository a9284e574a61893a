"""The chore that tells others: audit rows become deliveries, and deliveries are sent until they arrive.

A kill at any moment loses none: a delivery stands in the store before it is sent, and is done only after the
receiver said so. One whose answer was not written down is sent again under the same id.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Final

from gateway.core import delivery as core
from gateway.service.mail import Mailer, mailer
from gateway.service.posting import Answer, Poster, keys_of, master, networks, trust
from gateway.store import audit
from gateway.store import deliveries as outbox
from gateway.store.deliveries import Delivery, Webhook
from gateway.store.engine import Session, Store
from gateway.workspace.folder import Workspace
from keys.errors import InputError

AT_ONCE: Final = 16  # receivers that are spoken to at a time, each with one message
RUN: Final = 50  # deliveries in a row to one webhook before others have their turn
MAILS: Final = 4  # mails at a time
FAILURES_MAX: Final = 3  # deliveries given up in a row that disable a webhook
FORGET_SECONDS: Final = 3_600.0  # how often what ended long ago is removed
GONE: Final = "its receiver answered HTTP 410: it wants no more"
GIVEN_UP: Final = f"{FAILURES_MAX} deliveries in a row were given up after 3 days each, and none arrived"

log = logging.getLogger("tocsin.gateway")
Share = Callable[[], float]


class Deliveries:
    """Turns audit rows into deliveries and sends what is due; see :class:`gateway.service.chores.Chore`.

    Args:
        workspace: its secret signs.
        store: the outbox.
        poster: for webhooks.
        sender: for alerts; None: mails wait.
        clock: UTC seconds.
        share: random numbers from 0 to 1, which spread out attempts.
    """

    name = "deliveries"

    def __init__(
        self,
        workspace: Workspace,
        store: Store,
        poster: Poster,
        sender: Mailer | None,
        *,
        clock: Callable[[], float] = time.time,
        share: Share = random.random,
        seconds: float = 1.0,
    ) -> None:
        self._workspace, self._store, self._poster, self._mailer = workspace, store, poster, sender
        self._clock, self._share = clock, share
        self.seconds = seconds
        self._forgot = float("-inf")

    async def round(self) -> bool:
        """Send everything that is due, and what comes meanwhile.

        Raises:
            UnavailableError: the store cannot be used, or this machine has not the right secret.
        """
        flying: dict[str, asyncio.Task[None]] = {}
        failed: dict[str, BaseException] = {}
        try:
            while True:
                more = await asyncio.to_thread(self._queue)
                hooks, mails = await asyncio.to_thread(self._due)
                hooks = [hook for hook in hooks if hook not in failed]
                self._start(flying, hooks, [mail for mail in mails if mail.once not in failed])
                if not flying and failed:
                    raise next(iter(failed.values()))
                if not flying:
                    return more
                wait = 0.0 if more else self.seconds
                await asyncio.wait(flying.values(), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                for key in [key for key, task in flying.items() if task.done()]:
                    error = flying.pop(key).exception()
                    if error is not None:
                        failed[key] = error  # what concerns one receiver does not keep others waiting
        finally:
            for task in flying.values():
                task.cancel()
            await asyncio.gather(*flying.values(), return_exceptions=True)

    def _start(self, flying: dict[str, asyncio.Task[None]], hooks: list[str], mails: list[Delivery]) -> None:
        for hook in hooks:
            if hook not in flying and len(flying) < AT_ONCE:
                flying[hook] = asyncio.ensure_future(self._serve(hook))
        for mail in mails:
            if mail.once not in flying and len(flying) < AT_ONCE + MAILS:
                flying[mail.once] = asyncio.ensure_future(self._mail(mail))

    def _queue(self) -> bool:
        now = self._clock()
        with self._store.read() as session:
            names = outbox.lagging(session)
        more = False
        for name in names:
            with self._store.write() as session:
                more = outbox.queue_rows(session, name, now) or more
        if abs(now - self._forgot) >= FORGET_SECONDS:
            self._forgot = now
            with self._store.write() as session:
                outbox.forget(session, now)
        return more

    def _due(self) -> tuple[list[str], list[Delivery]]:
        now = self._clock()
        with self._store.read() as session:
            mails = outbox.due_mails(session, now, MAILS) if self._mailer is not None else []
            return outbox.due_webhooks(session, now), mails

    async def _serve(self, name: str) -> None:
        """Send a webhook what is due, in order, until its receiver is in trouble."""
        for _ in range(RUN):
            found = await asyncio.to_thread(self._next, name)
            if found is None:
                return
            hook, keys, one = found
            answer = await send(self._poster, hook, keys, one, self._clock())
            await asyncio.to_thread(self._settle, one, answer)
            if not (answer.ok or answer.refused):
                return

    def _next(self, name: str) -> tuple[Webhook, tuple[bytes, ...], Delivery] | None:
        now = self._clock()
        with self._store.read() as session:
            one = outbox.next_of(session, name, now)
            if one is None:
                return None
            hook = outbox.get_webhook(session, name)
            if hook.disabled is not None:
                return None
            return hook, keys_of(master(self._workspace, session), hook, now), one

    async def _mail(self, one: Delivery) -> None:
        assert self._mailer is not None
        answer = await asyncio.to_thread(self._mailer.send, one)
        await asyncio.to_thread(self._settle, one, answer)

    def _settle(self, one: Delivery, answer: Answer) -> None:
        with self._store.write() as session:
            settle(session, one, answer, now=self._clock(), share=self._share())


async def send(poster: Poster, hook: Webhook, keys: tuple[bytes, ...], one: Delivery, now: float) -> Answer:
    """Send one delivery to a webhook's receiver, signed; an account's receivers stand outside."""
    body = one.body.encode()
    headers = core.headers(keys, one.once, int(now), body)
    return await poster.post(hook.url, headers, body, outside=hook.account is not None)


def settle(session: Session, one: Delivery, answer: Answer, *, now: float, share: float) -> None:
    """Write down how an attempt went; a webhook that takes nothing any more is disabled.

    Args:
        session: a writing transaction.
        one: what was sent.
        answer: what it met.
        now: UTC seconds.
        share: random, from 0 to 1.
    """
    if answer.ok:
        outbox.finish(session, one, now, answer.says)
        return
    due = core.next_try(one.attempts + 1, one.since, now, share, answer.asked)
    outbox.settle(session, one, now, answer.says, due=due)
    if one.channel != outbox.WEBHOOK:
        return
    if answer.gone:
        disable(session, one.target, GONE, now)
    elif due is None and outbox.failed_in_a_row(session, one.target, now) >= FAILURES_MAX:
        disable(session, one.target, GIVEN_UP, now)


def disable(session: Session, webhook: str, why: str, now: float) -> None:
    """Send a webhook nothing until somebody lets it go on; what waits stays, and so does its place."""
    if outbox.set_webhook(session, webhook, disabled=now, why=why):
        audit.append(session, "webhook.disabled", {"id": webhook, "why": why}, now)


def make(workspace: Workspace, store: Store) -> Deliveries:
    """Return the chore as a workspace's settings want it; where mail is set up wrongly, mails wait.

    Raises:
        InputError: CA_FILE.
    """
    poster = Poster(trust(workspace, workspace.settings.webhook_ca), networks(workspace))
    try:
        sender = mailer(workspace)
    except InputError as error:
        log.warning("No alert is mailed: %s", error)
        sender = None
    return Deliveries(workspace, store, poster, sender)
