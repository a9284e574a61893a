"""The wire over HTTP: the same bytes under the same paths, for devices that poll or sleep.

    GET  /tocsin/v1/...                       what is retained on that topic
    POST /tocsin/v1/device/<id>/report        a report; the signed answer comes back after its commit
    GET  /artefact/<sha256>                   a payload, whole or in ranges

Nothing of this is secret and nothing is believed: what counts is signed inside. Beside it, under ``/api/v1``,
lies what people and their programs ask, and there a token decides (``gateway.web.api``). Health, metrics and
the stream of events are in ``gateway.web.signals``.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Final

import anyio.to_thread
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from advisories import limits
from advisories.topics import is_id
from gateway.core.rate import HTTP_BYTES_PER_SECOND
from gateway.service.ingest import Refusal
from gateway.service.runtime import Gateway
from gateway.store.engine import Retained
from gateway.web.api.access import Access
from gateway.web.api.routes import add_api
from gateway.web.api.served import Served
from gateway.web.artefacts import Artefacts
from gateway.web.artefacts import add as add_artefacts
from gateway.web.problems import Problem, document, of_error
from gateway.web.signals import add_signals
from keys.errors import DamagedError, UnavailableError
from keys.reasons import Reason

COSE: Final = 'application/cose; cose-type="cose-sign"'
CBOR: Final = "application/cbor"
BYTES: Final = "application/octet-stream"
_STATUS: Final = {
    Reason.UNKNOWN_DEVICE: HTTPStatus.FORBIDDEN,
    Reason.REVOKED: HTTPStatus.FORBIDDEN,
    Reason.EXPIRED: HTTPStatus.FORBIDDEN,
    Reason.BAD_SIGNATURE: HTTPStatus.FORBIDDEN,
    Reason.TOO_BIG: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.EQUIVOCATION: HTTPStatus.CONFLICT,
}


def create_app(
    gateway: Gateway,
    artefacts: Path,
    *,
    per_second: int | None = HTTP_BYTES_PER_SECOND,
    served: Served | None = None,
) -> FastAPI:
    """Return the application that serves what ``gateway`` holds.

    Args:
        gateway: takes the reports; its store is what is read.
        artefacts: folder of payloads by hexadecimal SHA-256.
        per_second: bytes of payloads to all together; None: as fast as it goes.
        served: the workspace that is asked about under ``/api/v1``; None: there is no such thing.
    """
    app = new_app()
    if served is not None:
        add_api(app, served, Access(served.opened), events=True)
    add_signals(app, gateway, served)
    _add_reports(app, gateway)
    _add_retained(app, gateway)
    add_artefacts(app, Artefacts(artefacts, per_second=per_second))
    return app


def new_app() -> FastAPI:
    """Return an application without a route; whatever it refuses, it refuses with a problem document."""
    app = FastAPI(
        title="Tocsin gateway",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    _add_problems(app)
    return app


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def _on_problem(_request: Request, problem: Problem) -> Response:
        extra = {"mend": problem.mend, "where": problem.where}
        return document(problem.status, problem.code, problem.detail, problem.headers, **extra)

    @app.exception_handler(HTTPException)
    async def _on_http(_request: Request, error: HTTPException) -> Response:
        name = HTTPStatus(error.status_code).name
        return document(error.status_code, name, str(error.detail), error.headers)

    @app.exception_handler(DamagedError)
    async def _on_damaged(_request: Request, error: DamagedError) -> Response:
        return of_error(error, "")

    @app.exception_handler(UnavailableError)
    async def _on_unavailable(_request: Request, error: UnavailableError) -> Response:
        return of_error(error, "")


def _add_reports(app: FastAPI, gateway: Gateway) -> None:
    prefix = gateway.topics.prefix

    @app.post(f"/{prefix}/device/{{device}}/report", summary="Take a report and answer it")
    async def report(device: str, request: Request) -> Response:
        if not is_id(device):
            raise Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "There is no such device.")
        data = await _body(request, limits.REPORT_BYTES_MAX)
        outcome = await gateway.report(device, data)
        if isinstance(outcome, Refusal):
            status = _STATUS.get(outcome.reason, HTTPStatus.BAD_REQUEST)
            raise Problem(status, outcome.reason.name, outcome.reason.means)
        return Response(outcome, media_type=COSE)

    @app.get(f"/{prefix}/device/{{device}}/answer", summary="The last answer to a device, for a while")
    async def answer(device: str) -> Response:
        signed = gateway.last_answer(device)
        if signed is None:
            raise Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "Nothing was answered lately.")
        return Response(signed, media_type=COSE, headers={"Cache-Control": "no-store"})


def _add_retained(app: FastAPI, gateway: Gateway) -> None:
    prefix = gateway.topics.prefix

    @app.head(f"/{prefix}/{{topic:path}}", include_in_schema=False)
    @app.get(f"/{prefix}/{{topic:path}}", summary="What is retained on a topic")
    async def retained(topic: str, request: Request) -> Response:
        row = await anyio.to_thread.run_sync(_read, gateway, f"{prefix}/{topic}")
        if row is None or not row.payload or (row.expires is not None and row.expires <= gateway.now()):
            raise Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "Nothing is retained here.")
        tag = f'"{hashlib.sha256(row.payload).hexdigest()}"'
        headers = {"Cache-Control": "no-cache", "ETag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        kind = {"text": CBOR, "patch": CBOR, "pages": BYTES}.get(topic.partition("/")[0], COSE)
        return Response(row.payload, media_type=kind, headers=headers)


def _read(gateway: Gateway, topic: str) -> Retained | None:
    with gateway.store.read() as session:
        return session.retained(topic)


async def _body(request: Request, size_max: int) -> bytes:
    """Read at most ``size_max`` bytes; a length that says more is refused before anything is read."""
    stated = request.headers.get("content-length")
    if stated is not None and (not stated.isdigit() or int(stated) > size_max):
        raise _too_big(size_max)
    data = bytearray()
    chunks: AsyncIterator[bytes] = request.stream()
    async for chunk in chunks:
        data += chunk
        if len(data) > size_max:
            raise _too_big(size_max)
    return bytes(data)


def _too_big(size_max: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Reason.TOO_BIG.name, f"A report has at most {size_max} bytes."
    )
