"""``tocsin alerts``: what somebody should see to now, and who was told.

An alert is a row of the audit chain (``alert.raised``), so webhooks and listeners get it as well; mails to
the addresses in ``tocsin.toml`` are queued in the same transaction.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final

import sqlalchemy as sa

from advisories.clocks.running import Clock, State
from advisories.incident.orders import utc
from gateway.core import alerts as core
from gateway.core.alerts import Alert, AlertKind, Raised
from gateway.core.chain import canonical
from gateway.core.rollout import RolloutState
from gateway.operations.afar import operation
from gateway.operations.identity import certificates, device_ca, revocation
from gateway.operations.incidents import watching
from gateway.operations.incidents.records import at
from gateway.operations.trust import expiry
from gateway.service import mail
from gateway.store import access, audit, schema, workers
from gateway.store import deliveries as outbox
from gateway.store.deliveries import Delivery, Message
from gateway.store.engine import Session, Store
from gateway.store.rolling import SCHEDULER
from gateway.workspace.folder import Workspace
from keys.errors import InputError, TocsinError

SECONDS: Final = 60.0  # how often a leader looks
DAY: Final = 86_400
TOKEN_DAYS: Final = 14  # before its end at which a token is warned of
CERTIFICATE_DAYS: Final = 21  # before its end at which a certificate of ours is warned of
CRL_DAYS: Final = 3  # before its end at which a list of revoked certificates is warned of
LAST: Final = timedelta(hours=1)  # before a deadline at which it is told of once more
RAISED: Final = "alert.raised"
_META: Final = "alerts"  # single value of the store: what was told, as JSON
_PROMISES: Final = frozenset({"silence", "next-update"})
_MACHINES: Final = {certificates.GATEWAY: "gateway", certificates.BROKER: "server HOST"}
_KEPT_SECONDS: Final = core.FORGET_SECONDS / 4  # how old what is remembered may get while nothing changes


@dataclass(frozen=True, slots=True)
class Checked:
    """What stands badly, and what of it was not told before."""

    alerts: tuple[Alert, ...]
    told: tuple[Alert, ...]
    """Those that are told now; in a check without sending, those that would be."""
    mail: bool
    """Whether alerts are mailed."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How a test mail to one address went."""

    address: str
    ok: bool
    says: str


@operation("GET", "/alerts", right="status:read")
def check(workspace: Workspace, *, now: int) -> Checked:
    """Return what somebody should see to now, and tell nobody."""
    found = gather(workspace, now)
    with workspace.store() as store, store.read() as session:
        told, _ = core.due(found, _raised(session), now)
    return Checked(tuple(found), tuple(told), workspace.settings.mail_host is not None)


@operation("POST", "/alerts", right="status:manage")
def tell(workspace: Workspace, *, now: int) -> Checked:
    """Raise the alerts that are due: a row in the audit chain each, and a mail to each address.

    Where the mail settings are wrong, that is one more alert, and none is mailed.
    """
    found, sender = gather(workspace, now), None
    try:
        sender = mail.mailer(workspace)
    except InputError as error:
        says = f"Alerts cannot be mailed: {error.message}"
        found.append(Alert(AlertKind.GATEWAY, "mail", error.code, says, error.mend))
    with workspace.store() as store:
        told = _raise(workspace, store, found, () if sender is None else sender.to, now)
    return Checked(tuple(found), tuple(told), sender is not None)


def _raise(
    workspace: Workspace, store: Store, found: list[Alert], to: Sequence[str], now: float
) -> list[Alert]:
    """Raise those alerts that were not told before; in one transaction, so that each is told once."""
    exercise = workspace.settings.exercise
    with store.read() as session:
        before = _raised(session)
    told, kept = core.due(found, before, now)
    if told or kept.keys() != before.keys() or _old(before, now):
        with store.write() as session:
            session.serialise()
            told, kept = core.due(found, _raised(session), now)
            session.set_meta(_META, canonical({key: [row.told, row.seen] for key, row in kept.items()}))
            for alert in told:
                body = mail.body(core.subject(alert, exercise=exercise), core.text(alert, exercise=exercise))
                for address in to:
                    once = _once(alert, address, now)
                    outbox.queue(
                        session, Message(outbox.MAIL, address, f"alert.{alert.kind}", once, body), now
                    )
                audit.append(session, RAISED, _facts(alert), now)
    return told


def _old(before: dict[str, Raised], now: float) -> bool:
    return any(now - row.seen >= _KEPT_SECONDS for row in before.values())


def _facts(alert: Alert) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(alert).items()}


def _once(alert: Alert, address: str, now: float) -> str:
    """Return the name of a mail: one for each alert, address and time of telling."""
    said = canonical([alert.key, address, now])
    return f"alert-{hashlib.sha256(said.encode()).hexdigest()[:32]}"


def _raised(session: Session) -> dict[str, Raised]:
    return {key: Raised(*row) for key, row in json.loads(session.meta(_META) or "{}").items()}


@operation("POST", "/alerts/test", right="status:manage")
def test_mail(workspace: Workspace, *, now: int) -> list[Tried]:
    """Mail a test to every address now, and say how that went.

    Raises:
        InputError: MAIL_NONE, MAIL_SETTINGS, MAIL_PASSWORD_FILE, CA_FILE.
    """
    sender = mail.mailer(workspace)
    if sender is None:
        raise InputError(
            "MAIL_NONE",
            "No mail server is named.",
            mend="Set mail_host, mail_from and mail_to in tocsin.toml.",
        )
    alert = Alert(AlertKind.GATEWAY, "alerts", "test", "This is a test of alerts.", "Nothing: it works.")
    exercise = workspace.settings.exercise
    body = mail.body(core.subject(alert, exercise=exercise), core.text(alert, exercise=exercise))
    found = []
    for address in sender.to:
        once = _once(alert, address, now)
        one = Delivery(
            *(0, outbox.MAIL, address, "alert.test", once, body, now, now, now, 0, None, None, None)
        )
        answer = sender.send(one)
        found.append(Tried(address, answer.ok, answer.says))
    return found


class Alerts:
    """Raises what is due, minute by minute; see :class:`gateway.service.chores.Chore`.

    Args:
        workspace: whose clocks, rollouts and keys are watched.
        clock: UTC seconds.
    """

    name = "alerts"
    seconds = SECONDS

    def __init__(self, workspace: Workspace, *, clock: Callable[[], float] = time.time) -> None:
        self._workspace, self._clock = workspace, clock
        self._settled = False

    async def round(self) -> bool:
        """Look once; not yet the first time, for a gateway that starts mends some things by itself.

        Raises:
            UnavailableError: the store cannot be used.
        """
        if not self._settled:
            self._settled = True
            return False
        await asyncio.to_thread(tell, self._workspace, now=int(self._clock()))
        return False


Source = Callable[[Workspace, int], Iterator[Alert]]


def gather(workspace: Workspace, now: int) -> list[Alert]:
    """Return everything that somebody should see to now; what cannot be looked at is an alert itself."""
    found: list[Alert] = []
    for name, source in _SOURCES.items():
        try:
            found += source(workspace, now)
        except TocsinError as error:
            says = f"The {name} cannot be watched: {error.message}"
            todo = error.mend or "Mend what it says."
            found.append(Alert(AlertKind.GATEWAY, name, error.code, says, todo))
    return sorted(set(found))


def _clocks(workspace: Workspace, now: int) -> Iterator[Alert]:
    for clock in watching.watch_all(workspace, None, now=now):
        if clock.due is not None and clock.state in {State.DUE_SOON, State.OVERDUE}:
            yield _of_clock(clock, now)


def _of_clock(clock: Clock, now: int) -> Alert:
    assert clock.due is not None
    last = clock.state is State.DUE_SOON and clock.due - at(now) <= LAST
    how = "is overdue since" if clock.state is State.OVERDUE else "is due at"
    about = " ".join(filter(None, (clock.incident, clock.regime, clock.step)))
    state = f"{'last-hour' if last else clock.state.value} {utc(clock.due)}"
    whose = f" ({clock.incident})" if clock.incident else ""
    says = f"{clock.name}{whose} {how} {utc(clock.due)}."
    if clock.regime in _PROMISES:
        return Alert(AlertKind.UPDATE, about, state, says, "Publish the update, or say why it is late.")
    todo = f"See 'tocsin clocks show {clock.incident}', send it, and record it."
    return Alert(AlertKind.CLOCK, about, state, says, todo)


def _rollouts(workspace: Workspace, _now: int) -> Iterator[Alert]:
    t = schema.rollouts
    query = sa.select(t.c.id, t.c.changed, t.c.why).where(
        t.c.state == int(RolloutState.PAUSED), t.c.changed_by == SCHEDULER
    )
    with workspace.store() as store, store.read() as session:
        rows = session.connection.execute(query.order_by(t.c.id)).all()
    for name, changed, why in rows:
        says = f"Rollout {name} paused by itself: {why or 'a gate said no'}."
        todo = f"See 'tocsin rollout status {name}', then resume or stop it."
        yield Alert(AlertKind.GATE, name, f"paused {utc(at(changed or 0))}", says, todo)


def _ending(workspace: Workspace, now: int) -> Iterator[Alert]:
    for row in expiry.warnings(workspace, now):
        yield Alert(AlertKind.EXPIRY, row.name, row.code, row.message, row.mend)
    with workspace.store() as store, store.read() as session:
        issued = {name: session.document(certificates.TYPE, name) for name in _MACHINES}
        tokens = access.ending_tokens(session, now, now + TOKEN_DAYS * DAY)
    for name, stored in issued.items():
        if stored is not None:
            todo = f"Issue it again with 'tocsin device ca {_MACHINES[name]}'."
            end = certificates.Issued.of(name, stored.bytes).end
            yield from _end(f"certificate of the {name.strip('_')}", end, now, todo)
    for token in tokens:
        todo = "Make a new one with 'tocsin token new' for whoever uses it."
        yield from _end(f"token {token.id}", int(token.expires), now, todo, days=TOKEN_DAYS)


def _ca(workspace: Workspace, now: int) -> Iterator[Alert]:
    if not device_ca.exists(workspace):
        return
    found = device_ca.read_ca(workspace)
    todo = "Plan its successor: every device needs a certificate of the new one."
    yield from _end("certificate of the device CA", int(found.not_valid_after_utc.timestamp()), now, todo)
    listed = revocation.read(workspace)
    if listed is not None and listed.next_update_utc is not None:
        todo = "Make it anew with 'tocsin device ca crl'."
        yield from _end(
            "list of revoked certificates", int(listed.next_update_utc.timestamp()), now, todo, days=3
        )


def _end(what: str, end: int, now: int, todo: str, *, days: int = CERTIFICATE_DAYS) -> Iterator[Alert]:
    if end - now > days * DAY:
        return
    over = end <= now
    says = f"The {what} {'ended' if over else 'ends'} at {utc(at(end))}."
    yield Alert(AlertKind.EXPIRY, what, f"{'over' if over else 'soon'} {utc(at(end))}", says, todo)


def _webhooks(workspace: Workspace, _now: int) -> Iterator[Alert]:
    with workspace.store() as store, store.read() as session:
        found = outbox.disabled(session)
    for hook in found:
        says = f"Webhook {hook.id} is disabled: {hook.why}."
        todo = f"Mend its receiver, then run 'tocsin webhook retry {hook.id}': nothing is lost."
        yield Alert(AlertKind.WEBHOOK, hook.id, f"disabled {utc(at(hook.disabled or 0))}", says, todo)


def _gateway(workspace: Workspace, now: int) -> Iterator[Alert]:
    with workspace.store() as store, store.read() as session:
        codes = workers.degraded(workers.workers(session), now)
        unsent = outbox.counts(session).get((outbox.MAIL, "failed"), 0)
    for code in codes:
        todo = "See 'tocsin status' and the log of 'tocsin serve'."
        yield Alert(AlertKind.GATEWAY, "gateway", code, f"The gateway is not well ({code}).", todo)
    if unsent:
        todo = "Check the mail settings with 'tocsin alerts test'."
        yield Alert(AlertKind.GATEWAY, "mail", "failed", f"{unsent} alerts could not be mailed.", todo)


_SOURCES: Final[dict[str, Source]] = {
    "clocks": _clocks,
    "rollouts": _rollouts,
    "keys and certificates": _ending,
    "device CA": _ca,
    "webhooks": _webhooks,
    "gateway": _gateway,
}
