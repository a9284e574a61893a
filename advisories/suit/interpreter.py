"""Runs a manifest for one device: steps and outcomes in, operations out, nothing is touched.

The table :data:`COMMANDS` is the whole of what a device can do; a command or parameter that is not in
it is refused by name, never skipped. Parameters are set per component and cleared when a procedure
begins; before each section the shared sequence runs. A condition that fails ends the run, except in
try-each, where the next alternative is tried, and in run-sequence with soft failure, which then stops
without effect. Operations that a failed sequence planned are dropped, unless they were carried out.

Three rules are ours and stricter than the draft: nothing is fetched, written, copied or invoked before
the vendor and the class have been checked in the same procedure; whatever is put into a component is
compared afterwards, before anything is invoked; and a procedure has at most ``OPERATIONS_MAX`` operations
and ``STEPS_MAX`` steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from advisories.suit import conditions
from advisories.suit.arguments import read_arguments
from advisories.suit.manifest import ComponentId, Manifest, Steps
from advisories.suit.numbers import (
    PARAMETERS_SUPPORTED,
    Command,
    ManifestKey,
    Parameter,
    ReportReason,
    Section,
    label,
)
from advisories.suit.operations import (
    ConditionError,
    Copy,
    Device,
    DirectiveError,
    Fetch,
    Invoke,
    Plan,
    ProcedureError,
    Swap,
    Write,
)
from advisories.suit.walk import OPERATIONS_MAX, STEPS_MAX, Walk, show_component
from keys.errors import RefusedError
from keys.reasons import Reason

__all__ = ["COMMANDS", "OPERATIONS_MAX", "STEPS_MAX", "execute", "show_component"]

_Act = Callable[[Walk, Any], None]


def execute(
    manifest: Manifest,
    procedure: tuple[Section, ...],
    device: Device | None,
    outcomes: Sequence[bool] = (),
) -> Plan:
    """Run the sections of a procedure in order.

    Args:
        manifest: a genuine manifest.
        procedure: :data:`~advisories.suit.numbers.UPDATE` or :data:`~advisories.suit.numbers.BOOT`.
        device: whose facts decide, the same for all of a procedure; None finds out what the manifest asks
            of a device that it fits.
        outcomes: how the operations went that have been carried out, in order: each was the one that
            ``operations[len(outcomes)]`` named before. Others are taken to succeed.

    Raises:
        ProcedureError: WRONG_MODEL, WRONG_SUBJECT, WRONG_VERSION, EXPIRED, LOW_BATTERY, DIGEST_MISMATCH or
            UPDATE_FAILED when a condition does not hold or an operation failed; UNSUPPORTED naming the
            command, parameter, member or component; MALFORMED; LIMIT_REACHED; UPDATE_FAILED also where
            there are more outcomes than operations, for then the device is not what it was.
    """
    if manifest.extensions or device is not None:
        _require_known(manifest, device)
    known: dict[int, bool] = {}
    walk = _walked(manifest, procedure, device, known)
    for number, outcome in enumerate(outcomes):
        if number >= len(walk.operations):
            why = f"{len(outcomes)} outcomes of {len(walk.operations)} operations: the device has changed"
            raise ProcedureError(Reason.UPDATE_FAILED, why)
        known[walk.attempts[number]] = outcome
        # A success is what the walk took for granted: it would lead to the same place again.
        if not outcome:
            walk = _walked(manifest, procedure, device, known)
    if known and device is not None:
        walk = _walked(manifest, procedure, device, known)  # with all that is to be recorded
    return Plan(tuple(walk.operations), tuple(walk.vendor_ids), tuple(walk.class_ids), tuple(walk.records))


def _require_known(manifest: Manifest, device: Device | None) -> None:
    if manifest.extensions:
        names = ", ".join(sorted(label(key) for key in manifest.extensions))
        why = ReportReason.COMMAND_UNSUPPORTED
        raise ProcedureError(Reason.UNSUPPORTED, f"manifest member {names}", why)
    unknown = [] if device is None else [c for c in manifest.components if c not in device.components]
    if unknown:
        name = f"component {show_component(unknown[0])}"
        raise ProcedureError(Reason.UNSUPPORTED, name, ReportReason.COMPONENT_UNSUPPORTED)


def _walked(
    manifest: Manifest, procedure: tuple[Section, ...], device: Device | None, known: Mapping[int, bool]
) -> Walk:
    walk = Walk(manifest, device, known)
    try:
        for section in procedure:
            if section in manifest.sections:
                _sequence(walk, ManifestKey.COMMON, manifest.shared)
                _sequence(walk, section, manifest.sections[section])
            elif section in manifest.severed:
                _cut(section)
        walk.needs_comparison()
    except RefusedError as error:
        raise _located(walk, error) from None
    return walk


def _sequence(walk: Walk, section: int, steps: Steps) -> None:
    walk.section, walk.index, walk.several = section, 0, None
    _steps(walk, steps)


def _cut(section: Section) -> None:
    why = f"the section {label(section)} was cut from the envelope"
    raise ProcedureError(Reason.MALFORMED, why, ReportReason.SEVERING_UNSUPPORTED)


def _located(walk: Walk, error: RefusedError) -> ProcedureError:
    """Return the error that ends a procedure, with the command that it ended at."""
    ended = error if isinstance(error, ProcedureError) else ProcedureError(error.reason, error.detail)
    ended.origin, ended.records = walk.origin, tuple(walk.records)
    if isinstance(error, ConditionError):
        ended.measured = walk.measured
    return ended


def _steps(walk: Walk, steps: Steps) -> None:
    walk.spend(len(steps))
    for command, argument, offset in steps:
        act = COMMANDS.get(command)
        if act is None:
            why = ReportReason.COMMAND_UNSUPPORTED
            raise ProcedureError(Reason.UNSUPPORTED, f"command {label(command)}", why)
        walk.offset, walk.policy = offset, argument
        several = walk.several
        if several is None or command is Command.SET_COMPONENT_INDEX:  # it is the one that names them
            act(walk, argument)
            continue
        walk.spend(len(several))
        for index in several:
            walk.several, walk.index = None, index
            walk.offset, walk.policy = offset, argument
            act(walk, argument)
        walk.several = several


def _set_component_index(walk: Walk, argument: Any) -> None:
    components = len(walk.manifest.components)
    single = type(argument) is int
    listed = (argument,) if single else tuple(range(components)) if argument is True else argument
    for index in listed:
        if index >= components:
            raise RefusedError(Reason.MALFORMED, f"there is no component {index}")
    walk.several = None if single else listed
    walk.index = listed[0]


def _override_parameters(walk: Walk, argument: Mapping[Parameter, Any]) -> None:
    if not PARAMETERS_SUPPORTED.issuperset(argument):
        name = label(min(set(argument) - PARAMETERS_SUPPORTED))
        why = ReportReason.PARAMETER_UNSUPPORTED
        raise ProcedureError(Reason.UNSUPPORTED, f"parameter {name}", why)
    if Parameter.SOFT_FAILURE in argument:
        if walk.soft is None:
            raise RefusedError(Reason.MALFORMED, "soft-failure outside of try-each and run-sequence")
        walk.soft = argument[Parameter.SOFT_FAILURE]
    walk.parameters[walk.index].update(argument)


def _fetch(walk: Walk, _: Any) -> None:
    walk.needs_identity(Command.FETCH)
    uri, arguments = walk.required(Parameter.URI), walk.optional(Parameter.FETCH_ARGS)
    if arguments:
        _require_understood(arguments)
    digest, size = walk.optional(Parameter.IMAGE_DIGEST), walk.optional(Parameter.IMAGE_SIZE)
    walk.ask(Fetch(walk.component, uri, digest, size, arguments or None, origin=walk.origin))


def _require_understood(arguments: bytes) -> None:
    """Go no way whose payload is to be fetched in a manner that we do not know."""
    try:
        read_arguments(arguments)
    except RefusedError as error:
        why = ReportReason.PARAMETER_UNSUPPORTED
        raise DirectiveError(Reason.UNSUPPORTED, f"fetch-args: {error.detail}", why) from None


def _source(walk: Walk, command: Command) -> ComponentId:
    walk.needs_identity(command)
    source: int = walk.required(Parameter.SOURCE_COMPONENT)
    if source >= len(walk.manifest.components) or source == walk.index:
        raise RefusedError(Reason.MALFORMED, f"{label(command)} from component {source}")
    return walk.manifest.components[source]


def _copy(walk: Walk, _: Any) -> None:
    source = _source(walk, Command.COPY)
    digest, size = walk.optional(Parameter.IMAGE_DIGEST), walk.optional(Parameter.IMAGE_SIZE)
    walk.ask(Copy(walk.component, source, digest, size, origin=walk.origin))


def _swap(walk: Walk, _: Any) -> None:
    source = _source(walk, Command.SWAP)
    digest, size = walk.optional(Parameter.IMAGE_DIGEST), walk.optional(Parameter.IMAGE_SIZE)
    walk.ask(Swap(walk.component, source, digest, size, origin=walk.origin))


def _write(walk: Walk, _: Any) -> None:
    walk.needs_identity(Command.WRITE)
    walk.ask(Write(walk.component, walk.required(Parameter.CONTENT), origin=walk.origin))


def _invoke(walk: Walk, _: Any) -> None:
    walk.needs_identity(Command.INVOKE)
    walk.needs_comparison()
    arguments = walk.optional(Parameter.INVOKE_ARGS)
    walk.ask(Invoke(walk.component, arguments or None, origin=walk.origin))


def _attempt(walk: Walk, steps: Steps, *, soft: bool) -> tuple[ConditionError | None, bool]:
    """Run a nested sequence; return the condition that failed, and whether that is to be forgiven."""
    before, index, several = walk.soft, walk.index, walk.several
    mark = walk.mark()
    walk.soft = soft
    try:
        _steps(walk, steps)
    except ConditionError as error:
        forgiven = bool(walk.soft)
        if forgiven:
            walk.drop(mark)
            walk.index, walk.several = index, several
        return error, forgiven
    finally:
        walk.soft = before
    return None, True


def _try_each(walk: Walk, alternatives: tuple[Steps, ...]) -> None:
    failed: ConditionError | None = None
    for alternative in alternatives:
        failed, forgiven = _attempt(walk, alternative, soft=True)
        if failed is None:
            return
        if not forgiven:  # the author wants no other alternative to be tried: not here, and not further out
            raise ProcedureError(failed.reason, failed.detail, failed.why)
    assert failed is not None, "a list without alternatives is refused when it is read"
    raise failed


def _run_sequence(walk: Walk, steps: Steps) -> None:
    failed, forgiven = _attempt(walk, steps, soft=False)
    if failed is not None and (not forgiven or isinstance(failed, DirectiveError)):
        raise failed


COMMANDS: Final[Mapping[Command, _Act]] = {
    Command.VENDOR_ID: conditions.vendor,
    Command.CLASS_ID: conditions.class_,
    Command.IMAGE_MATCH: conditions.image_match,
    Command.USE_BEFORE: conditions.use_before,
    Command.COMPONENT_SLOT: conditions.component_slot,
    Command.CHECK_CONTENT: conditions.check_content,
    Command.SET_COMPONENT_INDEX: _set_component_index,
    Command.ABORT: conditions.abort,
    Command.TRY_EACH: _try_each,
    Command.WRITE: _write,
    Command.OVERRIDE_PARAMETERS: _override_parameters,
    Command.FETCH: _fetch,
    Command.COPY: _copy,
    Command.INVOKE: _invoke,
    Command.DEVICE_ID: conditions.device_id,
    Command.IMAGE_NOT_MATCH: conditions.image_not_match,
    Command.MINIMUM_BATTERY: conditions.minimum_battery,
    Command.COMPONENT_VERSION: conditions.component_version,
    Command.SWAP: _swap,
    Command.RUN_SEQUENCE: _run_sequence,
}
"""Every command that a device carries out; it is also the list in ``docs/protocol/suit.md``."""
