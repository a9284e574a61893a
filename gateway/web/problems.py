"""Problem documents (RFC 9457): how a request ends that gets nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi.responses import JSONResponse

PROBLEM: Final = "application/problem+json"


class Problem(Exception):  # noqa: N818 - it is a response, not an error of ours
    """Ends a request with a problem document."""

    def __init__(
        self, status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.headers = status, code, detail, headers


def document(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the response that says what was wrong."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": int(status), "code": code, "detail": detail}
    return JSONResponse(body, status, dict(headers or {}), media_type=PROBLEM)
