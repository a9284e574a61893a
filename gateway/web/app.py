"""The wire over HTTP: the same bytes under the same paths, for devices that poll or sleep.

    GET  /tocsin/v1/...                       what is retained on that topic
    POST /tocsin/v1/device/<id>/report        a report; the signed answer comes back after its commit
    GET  /artefact/<sha256>                   an image, whole or a range of it

Nothing here is secret and nothing is believed: what counts is signed inside.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Final

import anyio.to_thread
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse

from advisories import limits
from advisories.topics import is_id
from gateway.service.ingest import Refusal
from gateway.service.runtime import Gateway
from gateway.service.store import Retained
from keys.errors import DamagedError, UnavailableError
from keys.reasons import Reason

COSE: Final = 'application/cose; cose-type="cose-sign"'
CBOR: Final = "application/cbor"
BYTES: Final = "application/octet-stream"
PROBLEM: Final = "application/problem+json"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_STATUS: Final = {
    Reason.UNKNOWN_DEVICE: HTTPStatus.FORBIDDEN,
    Reason.REVOKED: HTTPStatus.FORBIDDEN,
    Reason.EXPIRED: HTTPStatus.FORBIDDEN,
    Reason.BAD_SIGNATURE: HTTPStatus.FORBIDDEN,
    Reason.TOO_BIG: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Reason.EQUIVOCATION: HTTPStatus.CONFLICT,
}


class _Problem(Exception):  # noqa: N818 - it is a response (RFC 9457), not an error of ours
    """Ends a request with a problem document."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(code)
        self.status, self.code, self.detail = status, code, detail


def _problem(status: int, code: str, detail: str) -> JSONResponse:
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": int(status), "code": code, "detail": detail}
    return JSONResponse(body, status, media_type=PROBLEM)


def create_app(gateway: Gateway, artefacts: Path) -> FastAPI:
    """Return the application that serves what ``gateway`` holds.

    Args:
        gateway: takes the reports; its store is what is read.
        artefacts: folder of images by hexadecimal SHA-256.
    """
    app = FastAPI(title="Tocsin gateway", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    _add_problems(app)
    _add_reports(app, gateway)
    _add_retained(app, gateway)
    _add_artefacts(app, artefacts)
    return app


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(_Problem)
    async def _on_problem(_request: Request, problem: _Problem) -> Response:
        return _problem(problem.status, problem.code, problem.detail)

    @app.exception_handler(HTTPException)
    async def _on_http(_request: Request, error: HTTPException) -> Response:
        return _problem(error.status_code, HTTPStatus(error.status_code).name, str(error.detail))

    @app.exception_handler(DamagedError)
    async def _on_damaged(_request: Request, error: DamagedError) -> Response:
        return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, error.code, error.message)

    @app.exception_handler(UnavailableError)
    async def _on_unavailable(_request: Request, error: UnavailableError) -> Response:
        response = _problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, error.message)
        response.headers["Retry-After"] = "5"
        return response


def _add_reports(app: FastAPI, gateway: Gateway) -> None:
    prefix = gateway.topics.prefix

    @app.post(f"/{prefix}/device/{{device}}/report", summary="Take a report and answer it")
    async def report(device: str, request: Request) -> Response:
        if not is_id(device):
            raise _Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "There is no such device.")
        data = await _body(request, limits.REPORT_BYTES_MAX)
        outcome = await gateway.report(device, data)
        if isinstance(outcome, Refusal):
            status = _STATUS.get(outcome.reason, HTTPStatus.BAD_REQUEST)
            raise _Problem(status, outcome.reason.name, outcome.reason.means)
        return Response(outcome, media_type=COSE)

    @app.get(f"/{prefix}/device/{{device}}/answer", summary="The last answer to a device, for a while")
    async def answer(device: str) -> Response:
        document = gateway.last_answer(device)
        if document is None:
            raise _Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "Nothing was answered lately.")
        return Response(document, media_type=COSE, headers={"Cache-Control": "no-store"})


def _add_retained(app: FastAPI, gateway: Gateway) -> None:
    prefix = gateway.topics.prefix

    @app.head(f"/{prefix}/{{topic:path}}", include_in_schema=False)
    @app.get(f"/{prefix}/{{topic:path}}", summary="What is retained on a topic")
    async def retained(topic: str, request: Request) -> Response:
        row = await anyio.to_thread.run_sync(_read, gateway, f"{prefix}/{topic}")
        if row is None or not row.payload or (row.expires is not None and row.expires <= gateway.now()):
            raise _Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "Nothing is retained here.")
        tag = f'"{hashlib.sha256(row.payload).hexdigest()}"'
        headers = {"Cache-Control": "no-cache", "ETag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        kind = {"text": CBOR, "patch": CBOR, "pages": BYTES}.get(topic.partition("/")[0], COSE)
        return Response(row.payload, media_type=kind, headers=headers)


def _add_artefacts(app: FastAPI, artefacts: Path) -> None:
    @app.head("/artefact/{digest}", include_in_schema=False)
    @app.get("/artefact/{digest}", summary="An image by the SHA-256 of its bytes")
    async def artefact(digest: str) -> Response:
        path = artefacts / digest
        if _SHA256.fullmatch(digest) is None or not await anyio.to_thread.run_sync(path.is_file):
            raise _Problem(HTTPStatus.NOT_FOUND, "NOT_FOUND", "There is no such image.")
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{digest}"'}
        return FileResponse(path, media_type="application/octet-stream", headers=headers)


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


def _too_big(size_max: int) -> _Problem:
    return _Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Reason.TOO_BIG.name, f"A report has at most {size_max} bytes."
    )
