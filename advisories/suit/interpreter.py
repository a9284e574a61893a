"""Runs a manifest for one device: steps in, operations out, nothing is touched.

The table :data:`COMMANDS` is the whole of what a device can do; a command or parameter that is not in
it is refused by name, never skipped. Parameters are set per component and cleared when a procedure
begins; before each section the shared sequence runs. A condition that fails ends the run, except in
try-each, where the next alternative is tried and the operations of the failed one are dropped.

One rule is ours and stricter than the draft: nothing is fetched or invoked before the vendor and
the class have been checked in the same procedure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from advisories.suit.manifest import ComponentId, Manifest, Steps
from advisories.suit.numbers import PARAMETERS_SUPPORTED, Command, Parameter, Section, label
from keys.errors import RefusedError
from keys.reasons import Reason


@dataclass(frozen=True, slots=True)
class Device:
    """What conditions are compared with."""

    vendor_id: bytes
    """16 bytes, UUIDv5 of the vendor's domain."""
    class_id: bytes
    """16 bytes, UUIDv5 of the model in the vendor's name space."""
    components: frozenset[ComponentId] = frozenset({(b"\x00",)})
    """The components this device has."""
    slot: int = 0
    """The image slot that an update would be written to, or that boots."""
    measured: Mapping[ComponentId, bytes] = field(default_factory=dict)
    """SHA-256 of what a component holds, where it has been measured; else a Match is returned."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Bring the payload at ``uri`` into the component."""

    component: ComponentId
    uri: str
    digest: bytes | None
    """SHA-256 of the image, 32 bytes."""
    size: int | None
    """Bytes of the image."""


@dataclass(frozen=True, slots=True)
class Match:
    """Measure the component and compare: SHA-256, and length where the manifest says it."""

    component: ComponentId
    digest: bytes
    size: int | None


@dataclass(frozen=True, slots=True)
class Invoke:
    """Start the component."""

    component: ComponentId


Operation = Fetch | Match | Invoke


@dataclass(frozen=True, slots=True)
class Plan:
    """What a procedure asks for, and the identities it checked on the way."""

    operations: tuple[Operation, ...]
    vendor_ids: tuple[bytes, ...]
    class_ids: tuple[bytes, ...]


class ConditionError(RefusedError):
    """A condition of the manifest does not hold; try-each goes on with the next alternative."""


@dataclass(slots=True)
class _Run:
    """The state of one procedure."""

    manifest: Manifest
    device: Device | None
    index: int = 0
    parameters: dict[int, dict[Parameter, Any]] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    vendor_ids: list[bytes] = field(default_factory=list)
    class_ids: list[bytes] = field(default_factory=list)

    @property
    def component(self) -> ComponentId:
        return self.manifest.components[self.index]

    def optional(self, parameter: Parameter) -> Any:
        return self.parameters.get(self.index, {}).get(parameter)

    def required(self, parameter: Parameter) -> Any:
        value = self.optional(parameter)
        if value is None:
            raise RefusedError(Reason.MALFORMED, f"the parameter {label(parameter)} is not set")
        return value

    def fetched(self) -> bool:
        return any(isinstance(op, Fetch) and op.component == self.component for op in self.operations)

    def needs_identity(self, command: Command) -> None:
        if not self.vendor_ids or not self.class_ids:
            raise RefusedError(Reason.MALFORMED, f"{label(command)} before vendor and class were checked")


def execute(manifest: Manifest, procedure: tuple[Section, ...], device: Device | None) -> Plan:
    """Run the sections of a procedure in order.

    Args:
        manifest: a genuine manifest.
        procedure: :data:`~advisories.suit.numbers.UPDATE` or :data:`~advisories.suit.numbers.BOOT`.
        device: whose facts decide; None finds out what the manifest asks of a device that it fits.

    Raises:
        RefusedError: WRONG_MODEL, DIGEST_MISMATCH or UPDATE_FAILED when a condition does not hold;
            UNSUPPORTED naming the command, parameter, member or component; MALFORMED; BAD_URI.
    """
    if manifest.extensions:
        names = ", ".join(sorted(label(key) for key in manifest.extensions))
        raise RefusedError(Reason.UNSUPPORTED, f"manifest member {names}")
    unknown = [] if device is None else [c for c in manifest.components if c not in device.components]
    if unknown:
        raise RefusedError(Reason.UNSUPPORTED, f"component {show_component(unknown[0])}")
    run = _Run(manifest, device)
    for section in procedure:
        if section in manifest.severed:
            raise RefusedError(Reason.MALFORMED, f"the section {label(section)} was cut from the envelope")
        if section in manifest.sections:
            run.index = 0
            _steps(run, manifest.shared)
            run.index = 0
            _steps(run, manifest.sections[section])
    return Plan(tuple(run.operations), tuple(run.vendor_ids), tuple(run.class_ids))


def show_component(component: ComponentId) -> str:
    """Write a component identifier as hexadecimal path levels."""
    return "/".join(part.hex() for part in component)


def _steps(run: _Run, steps: Steps) -> None:
    for step in steps:
        command = COMMANDS.get(step.command)
        if command is None:
            raise RefusedError(Reason.UNSUPPORTED, f"command {label(step.command)}")
        command(run, step.argument)


def _set_component_index(run: _Run, argument: Any) -> None:
    if type(argument) is not int:
        raise RefusedError(Reason.UNSUPPORTED, "set-component-index with several components")
    if argument >= len(run.manifest.components):
        raise RefusedError(Reason.MALFORMED, f"there is no component {argument}")
    run.index = argument


def _override_parameters(run: _Run, argument: Mapping[Parameter, Any]) -> None:
    for parameter in argument:
        if parameter not in PARAMETERS_SUPPORTED:
            raise RefusedError(Reason.UNSUPPORTED, f"parameter {label(parameter)}")
    run.parameters.setdefault(run.index, {}).update(argument)


def _vendor(run: _Run, _: Any) -> None:
    expected = run.required(Parameter.VENDOR_ID)
    if run.device is not None and run.device.vendor_id != expected:
        raise ConditionError(Reason.WRONG_MODEL, f"for vendor {expected.hex()}")
    run.vendor_ids.append(expected)


def _class(run: _Run, _: Any) -> None:
    expected = run.required(Parameter.CLASS_ID)
    if run.device is not None and run.device.class_id != expected:
        raise ConditionError(Reason.WRONG_MODEL, f"for class {expected.hex()}")
    run.class_ids.append(expected)


def _image_match(run: _Run, _: Any) -> None:
    digest = run.required(Parameter.IMAGE_DIGEST)
    held = None if run.device is None or run.fetched() else run.device.measured.get(run.component)
    if held is None:
        run.operations.append(Match(run.component, digest, run.optional(Parameter.IMAGE_SIZE)))
    elif held != digest:
        raise ConditionError(Reason.DIGEST_MISMATCH, f"component {show_component(run.component)}")


def _component_slot(run: _Run, _: Any) -> None:
    slot = run.required(Parameter.COMPONENT_SLOT)
    if run.device is not None and run.device.slot != slot:
        raise ConditionError(Reason.UPDATE_FAILED, f"for slot {slot}, not slot {run.device.slot}")


def _fetch(run: _Run, _: Any) -> None:
    run.needs_identity(Command.FETCH)
    uri = run.required(Parameter.URI)
    if uri.startswith("#"):
        raise RefusedError(Reason.BAD_URI, "an integrated payload")
    digest, size = run.optional(Parameter.IMAGE_DIGEST), run.optional(Parameter.IMAGE_SIZE)
    run.operations.append(Fetch(run.component, uri, digest, size))


def _invoke(run: _Run, _: Any) -> None:
    run.needs_identity(Command.INVOKE)
    run.operations.append(Invoke(run.component))


def _abort(_: _Run, __: Any) -> None:
    raise ConditionError(Reason.UPDATE_FAILED, "the manifest says abort")


def _try_each(run: _Run, alternatives: tuple[Steps, ...]) -> None:
    index = run.index
    for alternative in alternatives:
        planned = len(run.operations), len(run.vendor_ids), len(run.class_ids)
        run.index = index
        try:
            _steps(run, alternative)
        except ConditionError as error:
            failed = error
            for kept, entries in zip(planned, (run.operations, run.vendor_ids, run.class_ids), strict=True):
                del entries[kept:]  # type: ignore[attr-defined]  # three lists of different things
        else:
            return
    raise failed


COMMANDS: Final[Mapping[Command, Callable[[_Run, Any], None]]] = {
    Command.VENDOR_ID: _vendor,
    Command.CLASS_ID: _class,
    Command.IMAGE_MATCH: _image_match,
    Command.COMPONENT_SLOT: _component_slot,
    Command.SET_COMPONENT_INDEX: _set_component_index,
    Command.ABORT: _abort,
    Command.TRY_EACH: _try_each,
    Command.OVERRIDE_PARAMETERS: _override_parameters,
    Command.FETCH: _fetch,
    Command.INVOKE: _invoke,
}
"""Every command that a device carries out; it is also the list in ``docs/protocol/suit.md``."""
