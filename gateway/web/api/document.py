"""The OpenAPI document (3.1), made of the operations: whatever is asked and answered stands in it."""

from __future__ import annotations

import importlib.metadata
import inspect
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from gateway.operations.afar import ACCOUNT
from gateway.web.api.binding import BYTES, JSON, KEY_PATTERN, PREFIX, Argument, Binding, Where
from gateway.web.api.codec import DEFINITIONS, shape_of
from gateway.web.api.plain import Schema
from gateway.web.problems import PROBLEM

_ABOUT: Final = """\
Everything that the `tocsin` command does in a workspace, except what needs a private key: none is ever taken
or held here. What has to be signed is prepared, signed on your own machine, and submitted.

- Times are UTC seconds, bytes are base64url without padding, enumerations are lower-case names.
- A request that changes something may carry an `Idempotency-Key`: sent again within a day, it is not carried
  out again, and gets the same answer.
- A list that can grow comes in parts: `next`, and the `Link` header, lead to the following part.
- Whatever goes wrong is a problem document (RFC 9457); its `code` is stable.
"""
_FAULTS: Final = {  # status -> what it says
    HTTPStatus.BAD_REQUEST: "It cannot be understood, or a value is not what it should be.",
    HTTPStatus.UNAUTHORIZED: "There is no token that counts.",
    HTTPStatus.FORBIDDEN: "The token lacks the right, or is for another account.",
    HTTPStatus.NOT_FOUND: "What it is about does not exist.",
    HTTPStatus.REQUEST_TIMEOUT: "The request was not complete in time.",
    HTTPStatus.CONFLICT: "It does not fit what is there now, or the request with this key is not done.",
    HTTPStatus.PRECONDITION_FAILED: "It was changed since it was read.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is of another kind.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A document was refused, or the key was used for another request.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests without a token that counts.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Stored state is damaged, or the program is at fault.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Something that is needed is not there now; nothing was done.",
}
_PROBLEM: Final[Schema] = {
    "type": "object",
    "title": "Problem",
    "description": "How a request ends that gets nothing else (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$", "description": "Stable, for programs."},
        "detail": {"type": "string", "description": "One sentence for people."},
        "mend": {"type": "string", "description": "What to do about it."},
        "where": {"type": "string", "description": "File and line, where there is one."},
        "exit_status": {"type": "integer", "description": "With which the command would end."},
    },
    "required": ["type", "title", "status", "code", "detail"],
}
_WHO: Final[Schema] = {
    "type": "object",
    "title": "Who",
    "properties": {
        "name": {"type": "string"},
        "token": {"type": "string"},
        "roles": {"type": "array", "items": {"type": "string"}},
        "rights": {"type": "array", "items": {"type": "string"}},
        "account": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "expires": {"type": "number"},
        "links": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["name", "token", "roles", "rights", "account", "expires", "links"],
    "additionalProperties": False,
}


def document(bindings: Iterable[Binding], *, events: bool = False) -> dict[str, Any]:
    """Return the document that describes these operations.

    Args:
        bindings: of the operations.
        events: the stream of events is served, too (``gateway.web.signals``).
    """
    paths: dict[str, Any] = {PREFIX: {"get": _whoami()}, f"{PREFIX}/openapi.json": {"get": _itself()}}
    if events:
        paths[f"{PREFIX}/events"] = {"get": _events()}
    for binding in bindings:
        row = binding.operation
        paths.setdefault(PREFIX + row.path, {})[row.method.lower()] = _operation(binding)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tocsin gateway",
            "version": importlib.metadata.version("tocsin"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Of 'tocsin token new'."}
            },
            "schemas": {**DEFINITIONS, "Problem": _PROBLEM, "Who": _WHO},
            "responses": {
                status.name: {
                    "description": says,
                    "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
                for status, says in _FAULTS.items()
            },
        },
    }


def _whoami() -> dict[str, Any]:
    return {
        "operationId": "who",
        "summary": "Say who asks, and what the token allows.",
        "responses": {
            "200": {
                "description": "About this token.",
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/Who"}}},
            },
            **_faults(_always()),
        },
    }


def _itself() -> dict[str, Any]:
    content = {JSON: {"schema": {"type": "object"}}}
    return {
        "operationId": "document",
        "summary": "Return this document.",
        "security": [],
        "responses": {"200": {"description": "This document.", "content": content}},
    }


def _events() -> dict[str, Any]:
    kinds = {"type": "string", "description": "Beginnings of kinds, separated by commas or blanks."}
    last = {"type": "string", "pattern": "^[0-9]*$", "description": "Index of the last row that was seen."}
    return {
        "operationId": "events",
        "tags": ["audit"],
        "summary": "Follow the audit chain: each new row is a server-sent event.",
        "description": "Its id is the row's index. Needs the right `audit:read`.",
        "x-right": "audit:read",
        "parameters": [
            {"name": "kinds", "in": "query", "schema": kinds, "required": False},
            {"name": "Last-Event-ID", "in": "header", "schema": last, "required": False},
            {"name": "after", "in": "query", "schema": last, "required": False},
        ],
        "responses": {
            "200": {
                "description": "The stream.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            **_faults(_always() | {HTTPStatus.CONFLICT}),
        },
    }


def _operation(binding: Binding) -> dict[str, Any]:
    row = binding.operation
    doc = inspect.getdoc(row.function) or row.name
    said = _arguments(doc)
    summary, _, rest = doc.partition("\n")
    codes = re.findall(r"\b[A-Z]{2,}(?:_[A-Z]+)+\b", doc.partition("Raises:")[2])
    notes = [f"Needs the right `{row.right}`."]
    if not binding.has(ACCOUNT):
        notes.append("Not for the token of one account.")
    if codes:
        notes.append(f"Codes: {', '.join(f'`{code}`' for code in dict.fromkeys(codes))}.")
    about = rest.partition("Args:")[0].partition("Raises:")[0].strip()
    made: dict[str, Any] = {
        "operationId": row.name,
        "tags": [row.right.partition(":")[0]],
        "summary": summary.rstrip(),
        "description": "\n\n".join([*([about] if about else []), " ".join(notes)]),
        "x-right": row.right,
        "parameters": _parameters(binding, said),
        "responses": _answers(binding),
    }
    if binding.kind is not None:
        made["requestBody"] = _body(binding, said)
    return made


def _arguments(doc: str) -> dict[str, str]:
    """Return what the docstring says of each argument."""
    part = re.search(r"^Args:\n(.*?)(?:\n\S|\n\n|\Z)", doc, re.DOTALL | re.MULTILINE)
    rows = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", part[1] if part else "", re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in rows}


def _described(argument: Argument, said: dict[str, str]) -> Schema:
    text = said.get(argument.name)
    return argument.schema | ({"description": text[:1].upper() + text[1:]} if text else {})


def _parameters(binding: Binding, said: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for argument in (*binding.at(Where.PATH), *binding.at(Where.QUERY)):
        schema = argument.schema
        if argument.where is Where.PATH and schema.get("type") == "string" and "enum" not in schema:
            schema = {"minLength": 1} | schema
        typed = {"schema": schema} if argument.plain else {"content": {JSON: {"schema": schema}}}
        row = {"name": argument.name, "in": argument.where.value, **typed}
        row |= {"description": said[argument.name]} if argument.name in said else {}
        found.append(row | {"required": argument.required or argument.where is Where.PATH})
    for argument in binding.at(Where.HEADER):
        about = said.get(argument.name, "the tag of what was read")
        found.append({"name": "If-Match", "in": "header", "schema": {"type": "string"}, "description": about})
    if binding.operation.changes:
        schema = {"type": "string", "pattern": f"^{KEY_PATTERN}$"}
        about = "Of your choice: sent again with the same key, a request is not carried out again."
        found.append({"name": "Idempotency-Key", "in": "header", "schema": schema, "description": about})
    return found


def _body(binding: Binding, said: dict[str, str]) -> dict[str, Any]:
    raw = binding.at(Where.RAW)
    if raw:
        about = {"description": said[raw[0].name]} if raw[0].name in said else {}
        return {"required": True, "content": {BYTES: {"schema": {}}}, **about}
    fields = binding.at(Where.BODY)
    schema = {
        "type": "object",
        "properties": {argument.name: _described(argument, said) for argument in fields},
        "required": [argument.name for argument in fields if argument.required],
        "additionalProperties": False,
    }
    return {"required": bool(schema["required"]), "content": {JSON: {"schema": schema}}}


def _always() -> set[HTTPStatus]:
    return {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,  # of a body where there should be none
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.SERVICE_UNAVAILABLE,
    }


def _answers(binding: Binding) -> dict[str, Any]:
    row = binding.operation
    status = HTTPStatus.CREATED if row.creates else HTTPStatus.OK
    kind = BYTES if binding.result is bytes else JSON
    schema: Schema = {} if binding.result is bytes else shape_of(binding.result).schema
    good: dict[str, Any] = {"description": status.phrase, "content": {kind: {"schema": schema}}}
    faults = _always() | {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}
    if row.changes:
        faults.add(HTTPStatus.PRECONDITION_FAILED)
    if binding.has("after"):
        good["headers"] = {"Link": {"schema": {"type": "string"}, "description": 'rel="next": what follows'}}
    found = {str(int(status)): good}
    if "tag" in getattr(binding.result, "__dataclass_fields__", {}):
        good["headers"] = {"ETag": {"schema": {"type": "string"}}}
        if not row.changes:
            found["304"] = {"description": "Not changed since the tag of If-None-Match."}
    return found | _faults(faults)


def _faults(statuses: Iterable[HTTPStatus]) -> dict[str, Any]:
    return {
        str(int(status)): {"$ref": f"#/components/responses/{status.name}"} for status in sorted(statuses)
    }
