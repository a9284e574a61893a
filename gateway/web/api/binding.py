"""Where each argument of an operation stands in a request: both ends of the API read it from here.

What stands in braces is part of the path; GET and DELETE put the others into the query, POST and PUT into one
JSON object; an operation with a raw body into the query, too. Nobody sends what the server gives.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from functools import cache
from typing import Any, Final
from urllib.parse import quote

from gateway.operations.afar import GIVEN, IF_MATCH, Operation
from gateway.web.api.codec import LISTS, fields_of, shape_of
from gateway.web.api.plain import Schema, Shape
from gateway.web.api.strict import BadValueError, dumps, loads

PREFIX: Final = "/api/v1"
LIMIT_MAX: Final = 1_000  # of rows in one answer
JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"
KEY_PATTERN: Final = "[!-~]{1,128}"  # of an idempotency key: printable ASCII


_WORDS: Final = frozenset({str, int, float, bool, bytes})


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


class Where(StrEnum):
    """Where an argument stands."""

    PATH = auto()
    QUERY = auto()
    BODY = auto()
    RAW = auto()
    HEADER = auto()


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument that is sent."""

    name: str
    where: Where
    shape: Shape
    """Of one value, where the argument stands in the query several times."""
    kind: Any
    """As annotated, without None."""
    made: Callable[[Iterable[Any]], Any] | None
    """What is made of values that stand in the query several times; None: there is one value."""
    required: bool
    default: Any

    @property
    def many(self) -> bool:
        """Say whether it may stand in the query several times."""
        return self.made is not None

    @property
    def plain(self) -> bool:
        """Say whether one value is a word in a path or query; any other stands there as JSON."""
        kind = self.kind
        return typing.get_origin(kind) is typing.Literal or kind in _WORDS or _is_enum(kind)

    @property
    def schema(self) -> Schema:
        """JSON Schema, with what is taken where nothing is said."""
        made = dict(self.shape.schema)
        if self.name == "limit":
            made |= {"minimum": 1, "maximum": LIMIT_MAX}
        if self.many:
            made = {"type": "array", "items": made}
        if not self.required and self.default is not None and isinstance(self.default, str | int | float):
            plain = self.default.name.lower() if isinstance(self.default, Enum) else self.default
            made |= {"default": plain}
        return made


@dataclass(frozen=True, slots=True)
class Request:
    """An operation's arguments as they travel."""

    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Binding:
    """An operation's arguments and result."""

    operation: Operation
    arguments: tuple[Argument, ...]
    given: frozenset[str]
    """Of :data:`gateway.operations.afar.GIVEN`, those that it takes."""
    result: Any
    """As annotated."""

    def at(self, where: Where) -> tuple[Argument, ...]:
        """Return the arguments that stand there."""
        return tuple(argument for argument in self.arguments if argument.where is where)

    def has(self, name: str) -> bool:
        """Say whether an argument of that name is sent."""
        return any(argument.name == name for argument in self.arguments)

    @property
    def kind(self) -> str | None:
        """The media type of its request's body; None: it has none."""
        if self.at(Where.RAW):
            return BYTES
        return JSON if self.at(Where.BODY) else None


@cache
def bind(operation: Operation) -> Binding:
    """Return where an operation's arguments stand.

    Raises:
        TypeError: for one that cannot be asked for from afar as it is.
    """
    hints = typing.get_type_hints(operation.function, include_extras=True)
    _, *parameters = inspect.signature(operation.function).parameters.values()
    named = set(re.findall(r"\{(\w+)\}", operation.path))
    found = tuple(
        _argument(operation, parameter, hints[parameter.name], named)
        for parameter in parameters
        if parameter.name not in GIVEN
    )
    if missing := named - {argument.name for argument in found}:
        raise TypeError(f"{operation.name} has no argument {missing}")
    result = hints.get("return")
    if result is not bytes:
        shape_of(result)
    given = frozenset(parameter.name for parameter in parameters if parameter.name in GIVEN)
    return Binding(operation, found, given, result)


def _argument(operation: Operation, parameter: inspect.Parameter, hint: Any, named: set[str]) -> Argument:
    required = parameter.default is inspect.Parameter.empty
    where = Where.BODY if operation.method in {"POST", "PUT"} and not operation.raw else Where.QUERY
    if parameter.name in named:
        where = Where.PATH
    elif parameter.name == operation.raw:
        where = Where.RAW
    elif parameter.name == IF_MATCH:
        where = Where.HEADER
    kind, made = hint, None
    if where is not Where.BODY:
        kind = _without_none(hint)
        if where is Where.QUERY and typing.get_origin(kind) in LISTS:
            kind, made = typing.get_args(kind)[0], LISTS[typing.get_origin(kind)]
    return Argument(
        parameter.name,
        where,
        shape_of(kind),
        kind,
        made,
        required,
        None if required else parameter.default,
    )


def _without_none(hint: Any) -> Any:
    inner = [each for each in typing.get_args(hint) if each is not type(None)]
    return inner[0] if type(None) in typing.get_args(hint) and len(inner) == 1 else hint


# The asker's end


def ask(operation: Operation, arguments: Mapping[str, Any]) -> Request:
    """Write the arguments of a call as a request."""
    binding = bind(operation)
    path, raw = operation.path, None
    query: list[tuple[str, str]] = []
    headers: dict[str, str] = {}
    fields: dict[str, Any] = {}
    for argument in binding.arguments:
        value = arguments.get(argument.name, argument.default)
        if argument.where is Where.RAW:
            raw = value
        elif argument.where is Where.BODY:
            fields[argument.name] = argument.shape.encode(value)
        elif argument.where is Where.PATH:
            path = path.replace("{" + argument.name + "}", quote(_text(argument, value), safe=""))
        elif argument.where is Where.HEADER:
            headers |= {"If-Match": f'"{value}"'} if value else {}
        elif value is not None:
            query += [
                (argument.name, _text(argument, each)) for each in (value if argument.many else (value,))
            ]
    body = dumps(fields) if binding.kind == JSON else raw
    return Request(PREFIX + path, query, headers, body)


def _text(argument: Argument, value: Any) -> str:
    made = argument.shape.encode(value)
    return made if argument.plain and isinstance(made, str) else dumps(made).decode()


def answered(operation: Operation, body: bytes) -> Any:
    """Read what an operation returned (BadValueError)."""
    result = bind(operation).result
    return body if result is bytes else shape_of(result).decode(loads(body), "")


# The server's end


def understand(
    binding: Binding,
    path: Mapping[str, str],
    query: list[tuple[str, str]],
    if_match: str,
    body: bytes,
) -> dict[str, Any]:
    """Read the arguments of a request (BadValueError).

    Args:
        binding: of the operation.
        path: what stands in the place of each pair of braces.
        query: names and values in their order.
        if_match: the tag that was sent, or nothing.
        body: as it came.
    """
    found = {
        argument.name: _value(argument, path[argument.name]) for argument in binding.at(Where.PATH)
    } | _queried(binding, query)
    if binding.kind == JSON:
        shapes = {argument.name: argument.shape for argument in binding.at(Where.BODY)}
        needed = [argument.name for argument in binding.at(Where.BODY) if argument.required]
        found |= fields_of(loads(body) if body or needed else {}, shapes, needed)
    found |= {argument.name: body for argument in binding.at(Where.RAW)}
    found |= {argument.name: if_match for argument in binding.at(Where.HEADER) if if_match}
    for argument in binding.arguments:
        if argument.required and argument.name not in found:
            raise BadValueError(argument.name, "it is missing")
    if not 1 <= found.get("limit", 1) <= LIMIT_MAX:
        raise BadValueError("limit", f"expected a whole number from 1 to {LIMIT_MAX}")
    return found


def _queried(binding: Binding, query: list[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    known = {argument.name: argument for argument in binding.at(Where.QUERY)}
    for name, said in query:
        if name not in known:
            raise BadValueError(name[:64], "there is no such parameter")
        if known[name].many:
            found.setdefault(name, []).append(_value(known[name], said))
        elif name in found:
            raise BadValueError(name, "it stands there twice")
        else:
            found[name] = _value(known[name], said)
    return {
        name: value if (made := known[name].made) is None else made(value) for name, value in found.items()
    }


def _value(argument: Argument, said: str) -> Any:
    """Read one value of a path or query: numbers and truths as JSON writes them, all others as they stand."""
    if not argument.plain:
        return argument.shape.decode(loads(said.encode("utf-8", "surrogatepass")), argument.name)
    plain: Any = said
    if argument.kind in {int, float, bool}:
        if len(said) > 64 or not re.fullmatch(r"-?[0-9.eE+-]+|true|false", said):
            raise BadValueError(argument.name, "expected a number, or true or false")
        plain = loads(said.encode())
    return argument.shape.decode(plain, argument.name)
