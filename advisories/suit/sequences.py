"""Reads the command sequences of a SUIT manifest: steps with their arguments, and where each begins.

Every command and parameter of the tables is read, so that a manifest can be judged as a whole; which of them
a device carries out is decided by :mod:`advisories.suit.interpreter`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from advisories.limits import PATCH_BYTES_MAX
from advisories.suit import reading
from advisories.suit.numbers import REPORT_MAX, Command, Comparison, Parameter
from advisories.suit.reading import (
    ARRAY,
    COMPONENTS_MAX,
    DIGEST_BYTES,
    MAP,
    WRAPPED_DIGEST_HEAD,
    refuse,
)
from keys.cbor import decode as decode_cbor
from keys.cbor import head
from keys.errors import RefusedError
from keys.reasons import Reason

SEQUENCE_DEPTH_MAX: Final = 4  # sequences inside sequences

_UUID_BYTES: Final = 16
_NIL: Final = 0xF6
_TRUE: Final = 0xF5


class Step(NamedTuple):
    """One command with its argument, decoded: steps for a nested sequence, a map for parameters."""

    command: Command
    argument: Any
    offset: int = 0
    """Bytes from the start of its section's sequence to the command, also inside nested sequences."""


Steps = tuple[Step, ...]


def steps(d: bytes, p: int, end: int, base: int, depth: int = SEQUENCE_DEPTH_MAX) -> Steps:
    """Read a command sequence: a flat list of command, argument, command, argument.

    Args:
        d: bytes that hold it.
        p: where it begins.
        end: where it must end.
        base: from where offsets count.
        depth: how deep sequences may still be nested.

    Raises:
        RefusedError: MALFORMED, or UNSUPPORTED for a command that is in no table.
    """
    if depth == 0:
        refuse(f"sequences nested deeper than {SEQUENCE_DEPTH_MAX}")
    what = "a command sequence is not a list of commands with arguments"
    size, p = reading.count(d, p, ARRAY, what)
    if size % 2:
        refuse(what)
    found = []
    for _ in range(size >> 1):
        at = p
        code = d[p]
        if code < 24:
            p += 1
        else:
            code, p = _long_code(d, p)
        command, read = _COMMANDS.get(code, _NO_COMMAND)
        if read is not None:
            argument, p = read(d, p, base, depth)
        else:
            argument = d[p]
            p += 1
            if argument > REPORT_MAX:
                refuse(f"a reporting policy is not an integer from 0 to {REPORT_MAX}")
        if command is None:
            raise RefusedError(Reason.UNSUPPORTED, f"command {code}")
        found.append(Step(command, argument, at - base))
    if p != end:
        refuse("a command sequence does not end where its byte string does")
    return tuple(found)


def _long_code(d: bytes, p: int) -> tuple[int, int]:
    if d[p] < 28:
        return head(d, p, 0)
    strange, _ = reading.anything(d, p)
    raise RefusedError(Reason.UNSUPPORTED, f"command {strange!r}")


def _nested(d: bytes, p: int, base: int, depth: int) -> tuple[Steps, int]:
    start, end = reading.inside(d, p, "a command sequence")
    return steps(d, start, end, base, depth - 1), end


def _alternatives(d: bytes, p: int, base: int, depth: int) -> tuple[tuple[Steps, ...], int]:
    what = "try-each is not a list of sequences"
    size, p = reading.count(d, p, ARRAY, what)
    if not size:
        refuse(what)
    found: list[Steps] = []
    for left in range(size - 1, -1, -1):
        if d[p] != _NIL:
            one, p = _nested(d, p, base, depth)
            found.append(one)
        elif left:
            refuse(what)
        else:
            found.append(())
            p += 1
    return tuple(found), p


def _index(d: bytes, p: int, _base: int, _depth: int) -> tuple[Any, int]:
    """One index, true for all of them, or a list of them."""
    what = "a component index"
    if d[p] == _TRUE:
        return True, p + 1
    if not ARRAY <= d[p] < MAP:
        return reading.number(d, p, what, COMPONENTS_MAX - 1)
    size, p = reading.count(d, p, ARRAY, what)
    if not size:
        refuse("a list of components is empty")
    found = []
    for _ in range(size):
        one, p = reading.number(d, p, what, COMPONENTS_MAX - 1)
        found.append(one)
    return tuple(found), p


def _parameters(d: bytes, p: int, _base: int = 0, _depth: int = 0) -> tuple[Mapping[Parameter, Any], int]:
    size, p = reading.count(d, p, MAP, "the parameters are not a map")
    if not size:
        refuse("no parameter is set")
    found: dict[Parameter, Any] = {}
    last = -1
    for _ in range(size):
        last, p = reading.key(d, p, last, "the parameters")
        known = _PARAMETERS.get(last)
        if known is None:
            raise RefusedError(Reason.UNSUPPORTED, f"the parameters has a member {last}")
        parameter, read = known
        found[parameter], p = read(d, p)
    return found, p


def _anything(d: bytes, p: int, _base: int, _depth: int) -> tuple[Any, int]:
    return reading.anything(d, p)


def _uuid(d: bytes, p: int) -> tuple[bytes, int]:
    if d[p] != 0x40 + _UUID_BYTES:
        refuse(f"an identifier is not {_UUID_BYTES} bytes")
    return d[p + 1 : p + 1 + _UUID_BYTES], p + 1 + _UUID_BYTES


def _wrapped_digest(d: bytes, p: int) -> tuple[bytes, int]:
    start = p + 6
    if d[p:start] == WRAPPED_DIGEST_HEAD:
        return d[start : start + DIGEST_BYTES], start + DIGEST_BYTES
    start, end = reading.inside(d, p, "the image digest")
    return reading.read_digest(decode_cbor(d[start:end], size_max=PATCH_BYTES_MAX)), end


def _count(d: bytes, p: int) -> tuple[int, int]:
    return reading.number(d, p, "a number")


def _priority(d: bytes, p: int) -> tuple[int, int]:
    value, end = reading.anything(d, p)
    if type(value) is not int:
        refuse("a priority is not a number")
    return value, end


def _flag(d: bytes, p: int) -> tuple[bool, int]:
    if d[p] not in {_TRUE, _TRUE - 1}:
        refuse("not true or false")
    return d[p] == _TRUE, p + 1


def _blob(d: bytes, p: int) -> tuple[bytes, int]:
    start, end = reading.inside(d, p, "a parameter")
    return d[start:end], end


def _version_match(d: bytes, p: int) -> tuple[tuple[Comparison, tuple[int, ...]], int]:
    start, end = reading.inside(d, p, "a version to compare with")
    what = "a version to compare with is not a comparison and a version"
    size, at = reading.count(d, start, ARRAY, what)
    if size != 2 or not 1 <= d[at] <= len(Comparison):
        refuse(what)
    numbers, stop = reading.version_numbers(d[:end], at + 1)
    if stop != end:
        refuse(what)
    return (Comparison(d[at]), numbers), end


_Argument = Callable[[bytes, int, int, int], tuple[Any, int]]
_ARGUMENTS: Final[Mapping[Command, _Argument]] = {
    Command.OVERRIDE_PARAMETERS: _parameters,
    Command.SET_PARAMETERS: _parameters,
    Command.TRY_EACH: _alternatives,
    Command.RUN_SEQUENCE: _nested,
    Command.SET_COMPONENT_INDEX: _index,
    Command.WAIT: _anything,
    Command.OVERRIDE_MULTIPLE: _anything,
    Command.COPY_PARAMS: _anything,
}
"""What is not a reporting policy."""
_COMMANDS: Final[Mapping[int, tuple[Command | None, _Argument | None]]] = {
    command.value: (command, _ARGUMENTS.get(command)) for command in Command
}
_NO_COMMAND: Final[tuple[Command | None, _Argument | None]] = (None, _anything)

_PARAMETERS: Final[Mapping[int, tuple[Parameter, Callable[[bytes, int], tuple[Any, int]]]]] = {
    parameter.value: (parameter, read)
    for parameter, read in (
        (Parameter.VENDOR_ID, _uuid),
        (Parameter.CLASS_ID, _uuid),
        (Parameter.IMAGE_DIGEST, _wrapped_digest),
        (Parameter.USE_BEFORE, _count),
        (Parameter.COMPONENT_SLOT, _count),
        (Parameter.STRICT_ORDER, _flag),
        (Parameter.SOFT_FAILURE, _flag),
        (Parameter.IMAGE_SIZE, _count),
        (Parameter.CONTENT, _blob),
        (Parameter.ENCRYPTION_INFO, _blob),
        (Parameter.URI, reading.uri),
        (Parameter.SOURCE_COMPONENT, _count),
        (Parameter.INVOKE_ARGS, _blob),
        (Parameter.DEVICE_ID, _uuid),
        (Parameter.FETCH_ARGS, _blob),
        (Parameter.MINIMUM_BATTERY, _count),
        (Parameter.UPDATE_PRIORITY, _priority),
        (Parameter.VERSION, _version_match),
        (Parameter.WAIT_INFO, _blob),
        (Parameter.COMPONENT_METADATA, _blob),
    )
}
