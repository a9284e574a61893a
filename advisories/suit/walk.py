"""The state of one run over a manifest: parameters, what was planned, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from advisories.suit.manifest import ComponentId, Manifest
from advisories.suit.numbers import (
    RECORD_FAILURE,
    RECORD_SUCCESS,
    SYSINFO_FAILURE,
    SYSINFO_SUCCESS,
    Command,
    Parameter,
    ReportReason,
    label,
)
from advisories.suit.operations import (
    ConditionError,
    Copy,
    Device,
    DirectiveError,
    Fetch,
    Invoke,
    Match,
    Operation,
    Origin,
    ProcedureError,
    Record,
    Swap,
    Write,
)
from keys.errors import RefusedError
from keys.reasons import Reason

OPERATIONS_MAX: Final = 64  # operations of one procedure
STEPS_MAX: Final = 2_048  # steps of one procedure: a list of components runs a sequence many times

_STORES: Final = (Fetch, Copy, Write, Swap)
_WANTED: Final = {True: RECORD_SUCCESS | SYSINFO_SUCCESS, False: RECORD_FAILURE | SYSINFO_FAILURE}


def show_component(component: ComponentId) -> str:
    """Write a component identifier as hexadecimal path levels."""
    return "/".join(part.hex() for part in component)


class Walk:
    """What a run has come to at one step."""

    __slots__ = (
        "attempt", "attempts", "class_ids", "device", "filled", "index", "known", "left", "manifest",
        "measured", "offset", "operations", "parameters", "policy", "records", "section", "several", "soft",
        "uncompared", "unknown", "vendor_ids",
    )  # fmt: skip

    def __init__(self, manifest: Manifest, device: Device | None, known: Mapping[int, bool]) -> None:
        self.manifest = manifest
        self.device = device
        self.known = known
        """How operations went that were carried out, by the number of the attempt."""
        self.section = 0
        self.offset = 0
        self.policy: Any = 0
        """Reporting policy of the present command; something else for commands that have none."""
        self.index = 0
        self.several: tuple[int, ...] | None = None
        """Indices that each command is run for, instead of ``index``."""
        self.soft: bool | None = None
        """Soft failure of the enclosing sequence; None outside of try-each and run-sequence."""
        self.left = STEPS_MAX
        self.parameters: list[dict[Parameter, Any]] = [{} for _ in manifest.components]
        self.operations: list[Operation] = []
        self.attempts: list[int] = []
        """Beside ``operations``: the number of the attempt that made each."""
        self.attempt = 0
        self.unknown = 0
        """How many of ``operations`` have not been carried out."""
        self.filled: set[ComponentId] = set()
        """Components that hold something else than they did when the procedure began."""
        self.uncompared: set[ComponentId] = set()
        """Components into which something was put that has not been compared since."""
        self.vendor_ids: list[bytes] = []
        self.class_ids: list[bytes] = []
        self.records: list[Record] = []
        self.measured: Mapping[Parameter, Any] = {}

    @property
    def component(self) -> ComponentId:
        """The component that the present command is run for."""
        return self.manifest.components[self.index]

    @property
    def origin(self) -> Origin:
        """The present command."""
        policy = self.policy
        return Origin(self.section, self.offset, self.index, policy if type(policy) is int else 0)

    def spend(self, steps: int) -> None:
        """Take so many steps from those that a procedure has (RefusedError: LIMIT_REACHED)."""
        self.left -= steps
        if self.left < 0:
            raise RefusedError(Reason.LIMIT_REACHED, f"more than {STEPS_MAX} steps")

    def optional(self, parameter: Parameter) -> Any:
        """Return a parameter of the present component, or None."""
        return self.parameters[self.index].get(parameter)

    def required(self, parameter: Parameter) -> Any:
        """Return a parameter of the present component (RefusedError: MALFORMED where it is not set)."""
        value = self.parameters[self.index].get(parameter)
        if value is None:
            raise RefusedError(Reason.MALFORMED, f"the parameter {label(parameter)} is not set")
        return value

    def needs_identity(self, command: Command) -> None:
        """Refuse a command before vendor and class were checked."""
        if not self.vendor_ids or not self.class_ids:
            raise RefusedError(Reason.MALFORMED, f"{label(command)} before vendor and class were checked")

    def needs_comparison(self) -> None:
        """Refuse to go on while a component holds something that has not been compared."""
        if self.uncompared:
            name = show_component(min(self.uncompared))
            raise RefusedError(Reason.MALFORMED, f"component {name} is not compared after it is changed")

    def decide(self, reason: Reason, why: str, measured: Mapping[Parameter, Any], *, holds: bool) -> None:
        """Take what a condition came to (ConditionError where it does not hold)."""
        self._record(measured, succeeded=holds)
        if not holds:
            self.measured = measured
            raise ConditionError(reason, why, ReportReason.CONDITION_FAILED)

    def _record(self, measured: Mapping[Parameter, Any], *, succeeded: bool) -> None:
        if self.policy & _WANTED[succeeded] and self.device is not None and not self.unknown:
            self.records.append(Record(self.origin, succeeded, measured))

    def ask(self, operation: Operation) -> None:
        """Plan an operation, and take its outcome where it is known.

        Raises:
            RefusedError: LIMIT_REACHED; ConditionError or DirectiveError when it is known to have failed.
        """
        if len(self.operations) >= OPERATIONS_MAX:
            raise RefusedError(Reason.LIMIT_REACHED, f"more than {OPERATIONS_MAX} operations")
        outcome = self.known.get(self.attempt)
        self.operations.append(operation)
        self.attempts.append(self.attempt)
        self.attempt += 1
        self._touch(operation, holds=outcome is not False)
        if outcome is None:
            self.unknown += 1
            return
        self._record({}, succeeded=outcome)
        if not outcome:
            name = f"component {show_component(operation.component)}"
            if isinstance(operation, Match):
                raise ConditionError(Reason.DIGEST_MISMATCH, name, ReportReason.CONDITION_FAILED)
            if isinstance(operation, (Swap, Invoke)):  # it may have changed more than its own component
                raise ProcedureError(Reason.UPDATE_FAILED, name)
            raise DirectiveError(Reason.UPDATE_FAILED, name)

    def _touch(self, operation: Operation, *, holds: bool) -> None:
        component = operation.component
        if isinstance(operation, Match):
            if holds:  # what was found to be something else is still not what it should be
                self.uncompared.discard(component)
        elif isinstance(operation, _STORES):
            self.filled.add(component)
            self.uncompared.add(component)
            if isinstance(operation, Swap):
                self.filled.add(operation.source)

    def mark(self) -> tuple[int, int, int]:
        """Return how much is planned and checked now, for :meth:`drop`."""
        return len(self.operations), len(self.vendor_ids), len(self.class_ids)

    def drop(self, mark: tuple[int, int, int]) -> None:
        """Forget what a failed sequence planned or checked, but for what was carried out."""
        start, vendors, classes = mark
        made = zip(self.operations[start:], self.attempts[start:], strict=True)
        kept = [(operation, attempt) for operation, attempt in made if attempt in self.known]
        self.operations[start:] = [operation for operation, _ in kept]
        self.attempts[start:] = [attempt for _, attempt in kept]
        del self.vendor_ids[vendors:], self.class_ids[classes:]
        self.unknown = sum(attempt not in self.known for attempt in self.attempts)
        self.filled.clear()
        self.uncompared.clear()
        for operation, attempt in zip(self.operations, self.attempts, strict=True):
            self._touch(operation, holds=self.known.get(attempt) is not False)
