"""What people decide about a rollout: approve, deny, start, pause, resume, next, stop, retry."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.rollout import Failure, RolloutEvent
from gateway.operations.afar import operation
from gateway.operations.rollouts.views import RolloutView, see
from gateway.store import rolling
from gateway.workspace.folder import Workspace


@dataclass(frozen=True, slots=True)
class Retried:
    """Devices that are offered the patch once more."""

    rollout: str
    devices: int


def change(
    workspace: Workspace,
    name: str,
    event: RolloutEvent,
    *,
    now: int,
    by: str = "",
    why: str = "",
    dry_run: bool = False,
) -> RolloutView:
    """Start, pause, resume or stop a rollout; stopping takes back every offer not yet acted on.

    Raises:
        InputError: ROLLOUT_UNKNOWN, ROLLOUT_STATE, DEADLINE_PASSED.
    """
    with workspace.lock(), workspace.store() as store:
        store.rehearsing = dry_run
        rolling.change_rollout(store, name, event, now, by=by, why=why)
        with store.read() as session:
            return see(session, name)


@operation("POST", "/rollouts/{rollout}/start", right="rollout:run")
def begin(
    workspace: Workspace, rollout: str, *, now: int, by: str, why: str = "", dry_run: bool = False
) -> RolloutView:
    """Start a rollout that is ready, now or when its plan says. Errors: see :func:`change`."""
    return change(workspace, rollout, RolloutEvent.START, now=now, by=by, why=why, dry_run=dry_run)


@operation("POST", "/rollouts/{rollout}/pause", right="rollout:run")
def pause(
    workspace: Workspace, rollout: str, *, now: int, by: str, why: str = "", dry_run: bool = False
) -> RolloutView:
    """Make no further offers for now. Errors: see :func:`change`."""
    return change(workspace, rollout, RolloutEvent.PAUSE, now=now, by=by, why=why, dry_run=dry_run)


@operation("POST", "/rollouts/{rollout}/resume", right="rollout:run")
def resume(
    workspace: Workspace, rollout: str, *, now: int, by: str, why: str = "", dry_run: bool = False
) -> RolloutView:
    """Go on; a group whose gate failed is let through. Errors: see :func:`change`."""
    return change(workspace, rollout, RolloutEvent.RESUME, now=now, by=by, why=why, dry_run=dry_run)


@operation("POST", "/rollouts/{rollout}/stop", right="rollout:run")
def stop(
    workspace: Workspace, rollout: str, *, now: int, by: str, why: str = "", dry_run: bool = False
) -> RolloutView:
    """Stop for good, and take back every offer not yet acted on. Errors: see :func:`change`."""
    return change(workspace, rollout, RolloutEvent.STOP, now=now, by=by, why=why, dry_run=dry_run)


@operation("POST", "/rollouts/{rollout}/next", right="rollout:run")
def open_next(
    workspace: Workspace, rollout: str, *, now: int, by: str, why: str = "", dry_run: bool = False
) -> RolloutView:
    """Open the next group at once, whatever the groups before have proven.

    Raises:
        InputError: ROLLOUT_UNKNOWN, ROLLOUT_STATE.
    """
    with workspace.lock(), workspace.store() as store:
        store.rehearsing = dry_run
        rolling.open_next(store, rollout, now, by=by, why=why)
        with store.read() as session:
            return see(session, rollout)


@operation("POST", "/rollouts/{rollout}/retry", right="rollout:run")
def retry(
    workspace: Workspace,
    rollout: str,
    *,
    now: int,
    by: str,
    failures: tuple[Failure, ...] = (),
    why: str = "",
    dry_run: bool = False,
) -> Retried:
    """Offer the patch once more to devices whose failure was final.

    Args:
        workspace: where.
        rollout: its name.
        now: UTC seconds.
        by: who says so.
        failures: only devices that failed at these; empty: at anything.
        why: their reason.
        dry_run: change nothing; counts 500 devices at most.

    Raises:
        InputError: ROLLOUT_UNKNOWN, ROLLOUT_STATE.
    """
    with workspace.lock(), workspace.store() as store:
        store.rehearsing = dry_run
        many = rolling.retry(store, rollout, failures, now, by=by, why=why)
    return Retried(rollout, many)


@operation("POST", "/rollouts/{rollout}/approve", right="rollout:approve")
def approve(
    workspace: Workspace,
    rollout: str,
    *,
    now: int,
    by: str,
    why: str = "",
    plan: str | None = None,
    dry_run: bool = False,
) -> RolloutView:
    """Approve a plan; its author cannot.

    Args:
        workspace: where.
        rollout: its name.
        now: UTC seconds.
        by: who approves it.
        why: their reason.
        plan: digest of the plan that was read; None: whatever it is.
        dry_run: change nothing.

    Raises:
        InputError: ROLLOUT_UNKNOWN, ROLLOUT_STATE, APPROVED_BY_AUTHOR, PLAN_DIFFERS.
    """
    return _decide(workspace, rollout, approve=True, plan=plan, by=by, why=why, now=now, dry_run=dry_run)


@operation("POST", "/rollouts/{rollout}/deny", right="rollout:approve")
def deny(
    workspace: Workspace, rollout: str, *, now: int, by: str, why: str = "", dry_run: bool = False
) -> RolloutView:
    """Refuse a plan that has not started, for good.

    Raises:
        InputError: ROLLOUT_UNKNOWN, ROLLOUT_STATE.
    """
    return _decide(workspace, rollout, approve=False, plan=None, by=by, why=why, now=now, dry_run=dry_run)


def _decide(
    workspace: Workspace,
    rollout: str,
    *,
    approve: bool,
    plan: str | None,
    by: str,
    why: str,
    now: int,
    dry_run: bool,
) -> RolloutView:
    with workspace.lock(), workspace.store() as store:
        store.rehearsing = dry_run
        rolling.decide(store, rollout, approve=approve, plan=plan, by=by, why=why, now=now)
        with store.read() as session:
            return see(session, rollout)
