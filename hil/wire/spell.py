"""Records as people read them: SMP decoded, CBOR in diagnostic notation (RFC 8949 section 8)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import cbor2

from advisories.smp import NOTIFIER_GROUP, Rc
from hil.wire.header import HEADER_BYTES, Header
from hil.wire.record import Direction, Kind, Record

BYTES_SHOWN_MAX: Final = 16  # of a byte string
TEXT_SHOWN_MAX: Final = 200  # characters
_DEPTH_MAX: Final = 16
_SIMPLE: Final = {
    "None": "null",
    "True": "true",
    "False": "false",
    "nan": "NaN",
    "inf": "Infinity",
    "-inf": "-Infinity",
}
_WAYS: Final = {Direction.TO_BOARD: "->", Direction.FROM_BOARD: "<-", Direction.NONE: "--"}


class _EveryTag(dict[int, Callable[..., Any]]):
    """A decoder for each tag there may be: it stays a tag. A shared reference could make a value endless."""

    def __contains__(self, tag: object) -> bool:
        return True

    def __getitem__(self, tag: int) -> Callable[..., Any]:
        return lambda value, *_: cbor2.CBORTag(tag, value)

    def get(self, tag: int, default: Any = None) -> Any:  # noqa: ARG002 - the signature of dict
        return self[tag]


def body(message: bytes) -> dict[Any, Any] | None:
    """Return the map that a message carries; None where it carries none or is damaged."""
    try:
        found = cbor2.loads(message[HEADER_BYTES:], semantic_decoders=_EveryTag())
    except (cbor2.CBORError, ValueError, TypeError, RecursionError, OverflowError, MemoryError):
        return None
    return found if isinstance(found, dict) else None


def rc(fields: Mapping[Any, Any]) -> tuple[int | None, int]:
    """Return the group and code of an answer's error: of version 2, else of version 1; code 0 is no error."""
    err = fields.get("err")
    if isinstance(err, Mapping) and isinstance(err.get("rc"), int):
        group = err.get("group")
        return group if isinstance(group, int) else None, err["rc"]
    code = fields.get("rc", 0)
    return None, code if isinstance(code, int) else 0


def diagnostic(value: Any, *, depth: int = 0, whole: bool = False) -> str:
    """Return a value in diagnostic notation; byte strings and texts are shortened unless ``whole``."""

    def inner(one: Any) -> str:
        return diagnostic(one, depth=depth + 1, whole=whole)

    match value:
        case _ if depth > _DEPTH_MAX:
            said = "..."
        case bytes():
            short = whole or len(value) <= BYTES_SHOWN_MAX
            said = f"h'{value.hex()}'" if short else f"h'{value[:8].hex()}...' / {len(value)} bytes /"
        case str():
            cut = value if whole or len(value) <= TEXT_SHOWN_MAX else value[:TEXT_SHOWN_MAX] + "..."
            said = json.dumps(cut)  # ASCII: what a board sends cannot steer the terminal
        case Mapping():
            said = "{" + ", ".join(f"{inner(key)}: {inner(one)}" for key, one in value.items()) + "}"
        case list() | tuple():
            said = "[" + ", ".join(map(inner, value)) + "]"
        case cbor2.CBORTag():
            said = f"{value.tag}({inner(value.value)})"
        case _:
            said = _SIMPLE.get(repr(value)) or ascii(value)
    return said


def message(data: bytes, group: int = NOTIFIER_GROUP) -> dict[str, Any]:
    """Return what a message says, fit for JSON: command, sequence, error code, and its body as a notation."""
    header = Header.peek(data)
    if header is None:
        return {"command": "", "broken": f"{len(data)} bytes are no SMP message"}
    said: dict[str, Any] = {
        "command": header.name(group),
        "answer": header.answer,
        "version": header.version + 1,
        "sequence": header.sequence,
    }
    fields = body(data)
    if fields is None or header.length != len(data) - HEADER_BYTES:
        said["broken"] = "its body is no CBOR map" if fields is None else "its length is wrong"
    if fields is not None:
        if header.answer:
            of, code = rc(fields)
            said["rc"] = code
            named = of is None or of == 0
            said["error"] = (
                Rc(code).name if named and code in set(Rc) else f"{of}/{code}" if of else str(code)
            )
        said["body"] = fields
    return said


def line(record: Record, group: int = NOTIFIER_GROUP) -> str:
    """Return a record in one line of ASCII, with the seconds since the trace began."""
    start = f"{record.monotonic:12.6f} {_WAYS[record.direction]} "
    if record.kind is Kind.EVENT:
        return start + ascii(record.note)[1:-1]
    if record.kind is not Kind.MESSAGE:
        text = json.dumps(record.data[:TEXT_SHOWN_MAX].decode(errors="replace"))
        return f"{start}{record.kind.value} {text}{'...' if len(record.data) > TEXT_SHOWN_MAX else ''}"
    said = message(record.data, group)
    if "sequence" not in said:
        return f"{start}{said['broken']}"
    parts = [f"{said['command']:<20} seq {said['sequence']:<3}"]
    if "rc" in said:
        parts.append("ok" if said["rc"] == 0 else f"rc {said['rc']} {said['error']}")
    parts += [f"BROKEN: {said['broken']}"] if "broken" in said else []
    parts += [diagnostic(said["body"])] if "body" in said else []
    return start + " ".join(parts)


def lines(records: Iterable[Record], group: int = NOTIFIER_GROUP) -> Iterator[str]:
    """Return the lines of a whole trace."""
    return (line(record, group) for record in records)


def as_json(record: Record, group: int = NOTIFIER_GROUP) -> dict[str, Any]:
    """Return a record for scripts; byte strings are whole, in notation."""
    said: dict[str, Any] = {
        "seconds": round(record.monotonic, 9),
        "utc": record.utc,
        "direction": record.direction.value,
        "kind": record.kind.value,
    }
    if record.kind is Kind.EVENT:
        return said | {"note": record.note}
    if record.kind is not Kind.MESSAGE:
        return said | {"text": record.data.decode(errors="replace"), "hex": record.data.hex()}
    inside = message(record.data, group)
    if "body" in inside:
        inside["body"] = diagnostic(inside["body"], whole=True)
    return said | inside | {"hex": record.data.hex()}
