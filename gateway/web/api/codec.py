"""Values as JSON and back: one rule for what a server answers, a client reads, and the document says.

A record is an object of its fields, an enumeration the lower-case name of its member, bytes are base64url
without padding, times are UTC seconds. Reading is strict: unknown fields and other kinds are refused.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from advisories.events import KINDS, Event
from advisories.events import decode as decode_event
from gateway.web.api.plain import PLAIN, Schema, Shape, read, same
from gateway.web.api.strict import BadValueError, dumps

_DIGITS: Final = "0|-?[1-9][0-9]{0,18}"
LISTS: Final[dict[Any, Callable[[Iterable[Any]], Any]]] = {  # kind of collection -> what is made
    tuple: tuple,
    Sequence: tuple,
    Iterable: tuple,
    list: list,
    **dict.fromkeys((set, frozenset, AbstractSet), frozenset),
}
"""What a collection is read as."""


DEFINITIONS: Final[dict[str, Schema]] = {}
"""Name -> schema of each record that was met."""
_NAMES: Final[dict[type, str]] = {}


@cache
def shape_of(kind: Any) -> Shape:
    """Return the shape of a type, as an annotation names it.

    Raises:
        TypeError: for one that is not to be sent: a path, a callable, an open file.
    """
    if kind in PLAIN:
        return PLAIN[kind]
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is not None:
        return shape_of(inner[0]) if origin is typing.Annotated else _generic(origin, inner)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum(kind)
    if isinstance(kind, type) and issubclass(kind, Event) and kind not in KINDS.values():
        return _event(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _model(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _record(kind)
    raise TypeError(f"{kind!r} cannot be sent")


def _generic(origin: Any, inner: tuple[Any, ...]) -> Shape:
    if origin in {typing.Union, types.UnionType}:
        return _union(inner)
    if origin in LISTS:
        row = origin is tuple and inner[1:] != (Ellipsis,)
        return _row(inner) if row else _list(inner[0], LISTS[origin])
    if origin in {dict, Mapping}:
        return _mapping(inner[0], inner[1])
    if origin is typing.Literal:
        return _literal(inner)
    raise TypeError(f"{origin!r} cannot be sent")


def _enum(kind: type[Enum]) -> Shape:
    members = {member.name.lower(): member for member in kind}

    def decode(value: Any, place: str) -> Enum:
        found = members.get(read(str, "a name", value, place))
        if found is None:
            raise BadValueError(place, f"expected one of {', '.join(members)}")
        return found

    return Shape(lambda member: member.name.lower(), decode, {"type": "string", "enum": list(members)})


def _literal(inner: tuple[Any, ...]) -> Shape:
    def decode(value: Any, place: str) -> Any:
        for each in inner:
            if type(each) is type(value) and each == value:
                return each
        raise BadValueError(place, f"expected one of {', '.join(map(str, inner))}")

    return Shape(same, decode, {"enum": list(inner)})


def _list(item: Any, made: Callable[[Iterable[Any]], Any]) -> Shape:
    shape = shape_of(item)

    def encode(values: Iterable[Any]) -> list[Any]:
        found = [shape.encode(value) for value in values]
        return sorted(found, key=dumps) if made is frozenset else found

    def decode(value: Any, place: str) -> Any:
        found = read(list, "a list", value, place)
        return made(shape.decode(each, f"{place}[{index}]") for index, each in enumerate(found))

    return Shape(encode, decode, {"type": "array", "items": shape.schema})


def _row(inner: tuple[Any, ...]) -> Shape:
    shapes = [shape_of(each) for each in inner]

    def decode(value: Any, place: str) -> tuple[Any, ...]:
        found = read(list, "a list", value, place)
        if len(found) != len(shapes):
            raise BadValueError(place, f"expected {len(shapes)} values")
        rows = enumerate(zip(shapes, found, strict=True))
        return tuple(shape.decode(each, f"{place}[{index}]") for index, (shape, each) in rows)

    return Shape(
        lambda values: [shape.encode(value) for shape, value in zip(shapes, values, strict=True)],
        decode,
        {
            "type": "array",
            "prefixItems": [shape.schema for shape in shapes],
            "minItems": len(shapes),
            "maxItems": len(shapes),
            "items": False,
        },
    )


def _mapping(key: Any, item: Any) -> Shape:
    shape, names = shape_of(item), _name_shape(key)

    def decode(value: Any, place: str) -> dict[Any, Any]:
        found = read(dict, "an object", value, place)
        return {names.decode(k, place): shape.decode(v, f"{place}.{k}") for k, v in found.items()}

    schema: Schema = {"type": "object", "additionalProperties": shape.schema}
    if names.schema != {"type": "string"}:
        schema["propertyNames"] = names.schema
    return Shape(lambda values: {names.encode(k): shape.encode(v) for k, v in values.items()}, decode, schema)


def _name_shape(key: Any) -> Shape:
    """Return how the names of an object are read: texts, enumerations, whole numbers as digits."""
    if key is int:

        def decode(value: Any, place: str) -> int:
            if re.fullmatch(_DIGITS, value) is None:
                raise BadValueError(place, f"'{value[:20]}' is not a whole number")
            return int(value)

        return Shape(str, decode, {"type": "string", "pattern": f"^(?:{_DIGITS})$"})
    if key is str or (isinstance(key, type) and issubclass(key, Enum)):
        return shape_of(key)
    raise TypeError(f"{key!r} cannot name anything in an object")


def _union(inner: tuple[Any, ...]) -> Shape:
    shapes = [(each, shape_of(each)) for each in inner]
    if all(_fits(each) is None for each in inner):
        raise TypeError(f"{inner!r} cannot be told apart")

    def encode(value: Any) -> Any:
        for each, shape in shapes:
            if isinstance(value, _fits(each) or object):
                return shape.encode(value)
        raise TypeError(f"{type(value)} is none of {inner}")

    def decode(value: Any, place: str) -> Any:
        faults = []
        for _, shape in shapes:
            try:
                return shape.decode(value, place)
            except BadValueError as error:
                faults.append(error)
        raise max(faults, key=lambda fault: len(fault.place))

    return Shape(encode, decode, {"anyOf": [shape.schema for _, shape in shapes]})


def _fits(kind: Any) -> type | tuple[type, ...] | None:
    """Return what values of a type are instances of; None: of anything."""
    if kind is Any:
        return None
    if kind is float:
        return (int, float)
    origin = typing.get_origin(kind)
    if origin in LISTS:
        return (set, frozenset) if LISTS[origin] is frozenset else (list, tuple)
    if origin in {typing.Literal, typing.Annotated}:
        return None
    found = origin or kind
    return found if isinstance(found, type) else None


def _name(kind: type) -> str:
    """Return what a record is called in the document: its class, and its module where two are called so."""
    if kind not in _NAMES:
        name = kind.__name__.lstrip("_")
        taken = set(_NAMES.values())
        _NAMES[kind] = name if name not in taken else f"{kind.__module__.rpartition('.')[2]}.{name}"
    return _NAMES[kind]


def _record(kind: type) -> Shape:
    name = _name(kind)
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = [field for field in dataclasses.fields(kind) if field.init]
    shapes: dict[str, Shape] = {}
    schema: Schema = {"$ref": f"#/components/schemas/{name}"}

    def parts() -> dict[str, Shape]:
        if not shapes:  # late, for a record may hold others of its own kind
            shapes.update({field.name: shape_of(hints[field.name]) for field in fields})
        return shapes

    def encode(value: Any) -> Any:
        return {each: shape.encode(getattr(value, each)) for each, shape in parts().items()}

    required = [field.name for field in fields if not _has_default(field)]

    def decode(value: Any, place: str) -> Any:
        found = fields_of(value, parts(), required, place)
        try:
            return kind(**found)
        except ValueError as error:
            raise BadValueError(place, str(error)) from None

    if name not in DEFINITIONS:
        described: Schema = {}
        DEFINITIONS[name] = described
        try:
            described |= _object(kind, {each: shape.schema for each, shape in parts().items()}, fields)
        except TypeError:
            del DEFINITIONS[name]
            raise
    return Shape(encode, decode, schema)


def fields_of(
    value: Any, shapes: Mapping[str, Shape], required: Iterable[str], place: str = ""
) -> dict[str, Any]:
    """Read the fields of an object (BadValueError).

    Args:
        value: what JSON knows.
        shapes: of every field that there is.
        required: names of those that must be there.
        place: where it stands.
    """
    found = read(dict, "an object", value, place)
    start = f"{place}." if place else ""
    if unknown := sorted(found.keys() - shapes.keys()):
        raise BadValueError(start + unknown[0][:64], "there is no such field")
    for name in required:
        if name not in found:
            raise BadValueError(start + name, "it is missing")
    return {name: shapes[name].decode(item, start + name) for name, item in found.items()}


def _object(kind: type, properties: dict[str, Schema], fields: list[dataclasses.Field[Any]]) -> Schema:
    doc = (kind.__doc__ or "").partition("\n")[0]
    return {
        "type": "object",
        "title": kind.__name__,
        **({"description": doc} if doc and not doc.startswith(f"{kind.__name__}(") else {}),
        "properties": properties,
        "required": [field.name for field in fields if not _has_default(field)],
        "additionalProperties": False,
    }


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _event(base: type[Event]) -> Shape:
    """Return the shape of an event of any kind: what kind it is stands beside what it says."""

    def decode(value: Any, place: str) -> Event:
        found = fields_of(value, {"kind": PLAIN[str], "data": PLAIN[Any]}, ("kind", "data"), place)
        try:
            event = decode_event(found["kind"], dumps(found["data"]).decode())
        except ValueError as error:
            raise BadValueError(place, str(error)) from None
        if not isinstance(event, base):
            raise BadValueError(place, f"a '{found['kind']}' is not said here")
        return event

    said = {"kind": {"type": "string"}, "data": {"type": "object"}}
    schema = {"type": "object", "properties": said, "required": list(said), "additionalProperties": False}
    return Shape(lambda event: {"kind": event.kind, "data": event.model_dump(mode="json")}, decode, schema)


def _model(kind: type[BaseModel]) -> Shape:
    name = _name(kind)
    if name not in DEFINITIONS:
        described = kind.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
        DEFINITIONS.update(described.pop("$defs", {}))
        DEFINITIONS[name] = described

    def decode(value: Any, place: str) -> Any:
        try:
            return kind.model_validate_json(dumps(value))
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            inner = ".".join(map(str, fault["loc"]))
            raise BadValueError(f"{place}.{inner}".strip("."), str(fault["msg"])) from None

    return Shape(
        lambda value: value.model_dump(mode="json"), decode, {"$ref": f"#/components/schemas/{name}"}
    )
