"""A route for each operation: who asks, what for, carried out in a thread, and the answer."""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

import anyio
import anyio.to_thread
from fastapi import FastAPI, Request, Response

import gateway.operations
from gateway.core.rights import Caller
from gateway.operations.afar import ACCOUNT, OPERATIONS, Operation
from gateway.web.api.access import Access
from gateway.web.api.binding import BYTES, JSON, PREFIX, Binding, bind, understand
from gateway.web.api.body import BODY_SECONDS, read_body
from gateway.web.api.codec import shape_of
from gateway.web.api.document import document as openapi
from gateway.web.api.repeats import Repeats, repeat_of
from gateway.web.api.secrets import refuse_beside, refuse_in, refuse_in_bytes
from gateway.web.api.served import Served
from gateway.web.api.strict import BadValueError, dumps, loads
from gateway.web.problems import Problem, document, of_error
from keys.errors import DamagedError, TocsinError

THREADS: Final = 6  # operations that run at a time; the others wait
_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
_HEADERS: Final[Mapping[str, str]] = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_log = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]


def operations() -> dict[str, Operation]:
    """Return every operation that there is, once all modules that may hold some were imported."""
    room = gateway.operations
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
        importlib.import_module(module.name)
    return OPERATIONS


def add_api(
    app: FastAPI,
    workspace: Served,
    door: Access,
    *,
    body_seconds: float = BODY_SECONDS,
    events: bool = False,
) -> None:
    """Add everything under ``/api/v1`` to an application.

    Args:
        app: of which the problems are told already.
        workspace: in which operations work.
        door: who may come in.
        body_seconds: within which a request has to be there.
        events: somebody else adds the stream of events, which the document then describes.
    """
    app.state.access = door
    api = _Api(workspace, door, body_seconds)
    paths: dict[str, dict[str, Binding]] = {}
    for row in operations().values():
        methods = paths.setdefault(row.path, {})
        assert row.method not in methods, f"{row.method} {row.path} is two operations"
        methods[row.method] = bind(row)
    bindings = [each for methods in paths.values() for each in methods.values()]
    text = dumps(openapi(bindings, events=events))

    async def described(_request: Request) -> Response:
        return Response(text, media_type=JSON, headers={"X-Content-Type-Options": "nosniff"})

    app.add_route(f"{PREFIX}/openapi.json", described, methods=["GET"], include_in_schema=False)
    app.add_route(PREFIX, _told(partial(_who, door), PREFIX), methods=["GET"], include_in_schema=False)
    for path in sorted(paths, key=lambda name: name.replace("{", "~")):  # names before what stands for any
        handler = _told(partial(api.answer, paths[path]), PREFIX + path)
        app.add_route(PREFIX + path, handler, methods=_METHODS, include_in_schema=False)


def _told(handler: Handler, path: str) -> Handler:
    """Return a handler that ends each request with an answer that the document knows.

    Args:
        handler: carries it out, or says what is wrong.
        path: of the route, as the log calls it: what a request puts into it is not written down.
    """

    async def answer(request: Request) -> Response:
        try:
            response = await handler(request)
        except Problem as problem:
            response = document(
                *(problem.status, problem.code, problem.detail, problem.headers),
                mend=problem.mend,
                where=problem.where,
            )
        except TocsinError as error:
            response = of_error(error, "")
        except Exception:  # noqa: BLE001 - the border: whatever it is, who asks gets an answer
            _log.exception("a fault of this program, in answer to %s %s", request.method, path)
            detail = "This is a fault in the gateway; its log says more."
            response = document(HTTPStatus.INTERNAL_SERVER_ERROR, "BUG", detail)
        response.headers.update(_HEADERS)
        return response

    return answer


async def _who(door: Access, request: Request) -> Response:
    who = await door.caller(request, None)
    links = {"self": PREFIX, "document": f"{PREFIX}/openapi.json"}
    links |= {
        row.name: PREFIX + row.path
        for row in OPERATIONS.values()
        if row.method == "GET" and who.may(row.right) and not any(a.required for a in bind(row).arguments)
    }
    about = {
        "name": who.name,
        "token": who.token,
        "roles": list(who.roles),
        "rights": sorted(who.rights),
        "account": who.account,
        "expires": who.expires,
        "links": links,
    }
    return Response(dumps(about), media_type=JSON)


class _Api:
    """What all routes share."""

    def __init__(self, workspace: Served, door: Access, body_seconds: float) -> None:
        self._workspace, self._door, self._body_seconds = workspace, door, body_seconds
        self._threads = anyio.CapacityLimiter(THREADS)
        self._repeats = Repeats(workspace.opened, door.clock)

    async def answer(self, methods: Mapping[str, Binding], request: Request) -> Response:
        """Answer one request: who asks comes first, what for after that."""
        binding = methods.get("GET" if request.method == "HEAD" else request.method)
        if binding is None:
            allowed = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
            detail = "There is no such operation here."
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", detail, {"Allow": allowed})
        row = binding.operation
        caller = await self._door.caller(request, row.right)
        refuse_beside(request)
        body = await read_body(request, binding.kind, row.body_max, self._body_seconds)
        try:
            if binding.kind == JSON and body:
                refuse_in(loads(body))
            arguments = understand(
                binding, request.path_params, request.query_params.multi_items(), _tag(request), body
            )
        except BadValueError as error:
            raise Problem(HTTPStatus.BAD_REQUEST, "BAD_VALUE", f"{error}.") from None
        if binding.kind == BYTES:
            refuse_in_bytes(body)
        arguments |= _own(binding, caller, arguments)
        arguments |= self._given(binding, caller)
        work = partial(self._carry_out, request, binding, arguments)
        repeat = repeat_of(request, caller, body, secret=row.secret) if row.changes else None
        response = await (work() if repeat is None else self._repeats.once(repeat, work))
        response.headers["Tocsin-Token-Expires"] = str(int(caller.expires))
        return response

    def _given(self, binding: Binding, caller: Caller) -> dict[str, Any]:
        given = {"now": int(self._door.clock()), "by": caller.name, "asker": caller}
        return {name: given[name] for name in binding.given}

    async def _carry_out(self, request: Request, binding: Binding, arguments: dict[str, Any]) -> Response:
        call = partial(binding.operation.function, self._workspace, **arguments)
        try:
            found = await anyio.to_thread.run_sync(call, limiter=self._threads)
        except TocsinError as error:
            if isinstance(error, DamagedError):
                _log.error("%s: %s", error.code, error)
            return of_error(error, self._near(error.where))
        except OverflowError:
            return document(HTTPStatus.BAD_REQUEST, "BAD_VALUE", "A number is too large.")
        return _response(request, binding, found)

    def _near(self, where: str) -> str:
        """Return a place below the workspace; others are nobody's business."""
        start = f"{self._workspace.path}/"
        return where.removeprefix(start) if where.startswith(start) else "" if "/" in where else where


def _tag(request: Request) -> str:
    """Return the tag of If-Match; a star, which any tag is, counts as none."""
    said = request.headers.get("if-match", "").strip()
    return "" if said == "*" else said.removeprefix("W/").strip('"')


def _own(binding: Binding, caller: Caller, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the account that a token is held to.

    Raises:
        Problem: 403 OTHER_ACCOUNT, also for what concerns more than one account.
    """
    if caller.account is None:
        return {}
    if not binding.has(ACCOUNT) or arguments.get(ACCOUNT) not in {None, caller.account}:
        detail = f"This token is for the account '{caller.account}' only."
        raise Problem(HTTPStatus.FORBIDDEN, "OTHER_ACCOUNT", detail)
    return {ACCOUNT: caller.account}


def _response(request: Request, binding: Binding, found: Any) -> Response:
    headers: dict[str, str] = {}
    if binding.result is bytes:
        return Response(found, media_type=BYTES)
    following = getattr(found, "next", "")
    if binding.has("after") and following:
        query = [pair for pair in request.query_params.multi_items() if pair[0] != "after"]
        target = f"{request.url.path}?{urlencode([*query, ('after', following)])}"
        headers["Link"] = f'<{target}>; rel="next"'
    if isinstance(tag := getattr(found, "tag", None), str):
        headers["ETag"] = f'"{tag}"'
        if request.method in {"GET", "HEAD"} and _is_known(request, tag):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    status = HTTPStatus.CREATED if binding.operation.creates else HTTPStatus.OK
    if status is HTTPStatus.CREATED and isinstance(name := getattr(found, "id", None), str):
        headers["Location"] = f"{request.url.path}/{quote(name, safe='')}"
    return Response(dumps(shape_of(binding.result).encode(found)), status, headers, JSON)


def _is_known(request: Request, tag: str) -> bool:
    said = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    return f'"{tag}"' in said or "*" in said
