"""``tocsin status --silent`` and ``--letters``: whose owners their devices did not tell, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from advisories.notice import Notice, Phase
from gateway.core.followup import HOURS, Outcome, Why, is_due
from gateway.operations.afar import operation
from gateway.store import access, followups, funnel, untold
from gateway.store.access import Contact
from gateway.store.engine import Session
from gateway.store.untold import Matter, Untold
from gateway.workspace.folder import Workspace
from keys.errors import InputError

LIMIT_MAX: Final = 1_000  # devices in one answer
_SILENT: Final = frozenset({Why.SILENT, Why.NEVER_REPORTED})


@dataclass(frozen=True, slots=True)
class UntoldDevice:
    """A device whose owner was not told by it, and who sees to that."""

    advisory: str
    device: str
    product: str
    account: str
    """Empty: nobody's in particular, as far as the inventory says; likewise below."""
    region: str
    language: str
    """That the device speaks, or else in which its account is written to."""
    version: str
    """As reported, or else as the inventory says."""
    external: str
    """Its name in the inventory."""
    seen: float | None
    """UTC seconds of its newest report; None: there is none."""
    why: Why
    sure: bool
    """False: possibly affected, for nobody knows its version."""
    owner: str
    """Who sees to it; empty: nobody does yet."""
    outcome: Outcome | None
    """What came of it; None: nothing yet."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """An account that has to be written to or called."""

    id: str
    name: str
    language: str
    """In which it is written to (BCP 47)."""
    contact: Contact


@dataclass(frozen=True, slots=True)
class UntoldDevices:
    """Some of the devices."""

    items: tuple[UntoldDevice, ...]
    next: str
    """What ``after`` has to be for those behind them; empty: there are no more."""
    accounts: tuple[Recipient, ...]
    """Of these devices, as far as they are known."""
    not_yet: tuple[str, ...]
    """Advisories that were published less than the hours ago: their silent devices are not listed yet."""


@operation("GET", "/status/silent", right="status:read")
def silent(
    workspace: Workspace,
    advisory: str | None = None,
    *,
    now: int,
    hours: int = HOURS,
    account: str | None = None,
    limit: int = 100,
    after: str = "",
) -> UntoldDevices:
    """List affected devices that have not reported since an advisory was published, hours after that.

    Those that never reported come first, then those that have been silent longest.

    Args:
        workspace: where.
        advisory: about which; None: every published one that was not withdrawn.
        now: UTC seconds.
        hours: after publication that a device has.
        account: whose devices alone are meant.
        limit: at most so many devices.
        after: ``next`` of the answer before.

    Raises:
        InputError: ADVISORY_UNKNOWN, BAD_VALUE.
    """
    _check(hours, limit)
    at, _, place = after.partition("/")
    with workspace.store() as store, store.read() as session:
        ids = funnel.published(session) if advisory is None else [advisory]
        matters = {id_: Matter.of(session, id_) for id_ in ids}
        if advisory is None:
            matters = {id_: m for id_, m in matters.items() if m.notice.phase is not Phase.WITHDRAWN}
        due = {id_: m for id_, m in matters.items() if now >= m.published + hours * 3_600}
        found = (
            (f"{id_}/{where}", id_, device)
            for id_, matter in due.items()
            if id_ >= at
            for where, device in _silent(session, matter, account, place if id_ == at else "")
        )
        return _page(session, found, limit, not_yet=[id_ for id_ in matters if id_ not in due])


def _silent(
    session: Session, matter: Matter, account: str | None, after: str
) -> Iterator[tuple[str, Untold]]:
    if account is None:
        return untold.silent(session, matter, after)
    own = untold.untold(session, matter, [account], after)  # its devices are fewer than all silent ones
    return ((where, device) for where, device in own if device.why in _SILENT)


@operation("GET", "/advisories/{advisory}/letters", right="status:read")
def letters(
    workspace: Workspace,
    advisory: str,
    *,
    now: int,
    hours: int = HOURS,
    account: str | None = None,
    limit: int = 100,
    after: str = "",
) -> UntoldDevices:
    """List devices whose owners have to be told by letter or call, account by account.

    That is everyone affected, or possibly so, who was not shown the text: at once where no waiting helps
    (out of our reach, refused, an LED only, over unseen), else after some hours.

    Args:
        workspace: where.
        advisory: about which.
        now: UTC seconds.
        hours: after publication that a device has to report and to show the notice.
        account: whose devices alone are meant.
        limit: at most so many devices.
        after: ``next`` of the answer before.

    Raises:
        InputError: ADVISORY_UNKNOWN, BAD_VALUE.
    """
    _check(hours, limit)
    with workspace.store() as store, store.read() as session:
        matter = Matter.of(session, advisory)
        early = now < matter.published + hours * 3_600
        owing = _owing(session, matter.notice, account, after.partition("/")[0])
        found = (
            (where, advisory, device)
            for where, device in untold.untold(session, matter, owing, after)
            if is_due(device.why, published=matter.published, now=now, hours=hours)
        )
        return _page(session, found, limit, not_yet=[advisory] if early else [])


def _owing(session: Session, notice: Notice, account: str | None, first: str) -> Iterator[str]:
    """Yield the accounts from ``first`` on that have somebody to be told, as they are asked for."""
    for name in funnel.accounts(session) if account is None else [account]:
        if name >= first and funnel.parts(session, notice, account=name).total.not_told:
            yield name


def _check(hours: int, limit: int) -> None:
    if not 0 <= hours <= 24 * 366:
        raise InputError("BAD_VALUE", f"{hours} hours cannot be meant.", mend="Say 0 to 8784.")
    if not 1 <= limit <= LIMIT_MAX:
        raise InputError("BAD_VALUE", f"{limit} devices cannot be listed.", mend=f"Say 1 to {LIMIT_MAX}.")


def _page(
    session: Session, found: Iterable[tuple[str, str, Untold]], limit: int, *, not_yet: Iterable[str]
) -> UntoldDevices:
    try:
        page = list(islice(found, limit + 1))
    except ValueError:
        mend = "Give the 'next' of the answer before as it is."
        raise InputError("BAD_VALUE", "'after' names no place in this list.", mend=mend) from None
    shown = page[:limit]
    known = followups.found(session, [(advisory, device.device) for _, advisory, device in shown])
    owners = _recipients(session, {device.account for _, _, device in shown})
    items = []
    for _, advisory, device in shown:
        seen_to = known.get((advisory, device.device))
        recipient = owners.get(device.account)
        items.append(
            UntoldDevice(
                advisory=advisory,
                device=device.device,
                product=device.product,
                account=device.account,
                region=device.region,
                language=device.language or (recipient.language if recipient is not None else ""),
                version=device.version,
                external=device.external,
                seen=device.seen,
                why=device.why,
                sure=device.sure,
                owner=seen_to.owner if seen_to is not None else "",
                outcome=seen_to.outcome if seen_to is not None else None,
            )
        )
    more = page[limit - 1][0] if len(page) > limit else ""
    return UntoldDevices(tuple(items), more, tuple(owners.values()), tuple(not_yet))


def _recipients(session: Session, names: Iterable[str]) -> dict[str, Recipient]:
    """Return those accounts that are known; an inventory may name others."""
    found = {}
    for name in sorted(filter(None, names)):
        if access.has_account(session, name):
            account = access.get_account(session, name)
            found[name] = Recipient(account.id, account.name, account.language, account.contact)
    return found
