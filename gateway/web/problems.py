"""Problem documents (RFC 9457): how a request ends that gets nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi.responses import JSONResponse

from keys.errors import DamagedError, InputError, RefusedError, TocsinError, UnavailableError

PROBLEM: Final = "application/problem+json"
RETRY_SECONDS: Final = 5  # after which something that is not there now may be asked for again
_KINDS: Final = (  # of errors that are no InputError
    (UnavailableError, HTTPStatus.SERVICE_UNAVAILABLE),
    (DamagedError, HTTPStatus.INTERNAL_SERVER_ERROR),
    (RefusedError, HTTPStatus.UNPROCESSABLE_ENTITY),
)
_CODES: Final = (  # regular expression over an InputError's code -> status; the first that fits counts
    (r"FORBIDDEN", HTTPStatus.FORBIDDEN),
    (r"CHANGED_MEANWHILE", HTTPStatus.PRECONDITION_FAILED),
    (r"NO_DEVICES|NO_ROOT|ALREADY_\w+", HTTPStatus.CONFLICT),
    (r"\w+_(EXISTS|STATE|TAKEN|UNPUBLISHED|CLOSED|REVOKED|NOT_KEPT)", HTTPStatus.CONFLICT),
    (r"NO_\w+|\w+_(UNKNOWN|MISSING)", HTTPStatus.NOT_FOUND),
    (r"\w+", HTTPStatus.BAD_REQUEST),
)


class Problem(Exception):  # noqa: N818 - it is a response, not an error of ours
    """Ends a request with a problem document."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        *,
        mend: str = "",
        where: str = "",
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.headers = status, code, detail, headers
        self.mend, self.where = mend, where


def status_of(error: TocsinError) -> HTTPStatus:
    """Return the status that tells of an error: whose fault it is, and whether asking again may help."""
    for kind, status in _KINDS:
        if isinstance(error, kind):
            return status
    if not isinstance(error, InputError):
        return HTTPStatus.CONFLICT  # it was carried out, and the answer is no
    return next(status for pattern, status in _CODES if re.fullmatch(pattern, error.code))


def of_error(error: TocsinError, where: str | None = None) -> JSONResponse:
    """Return the response that tells of an error; its ``exit_status`` is what the command would end with.

    Args:
        error: what went wrong.
        where: instead of the error's own, which may name folders of this machine.
    """
    status = status_of(error)
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    extra = {"mend": error.mend, "where": error.where if where is None else where}
    return document(status, error.code, error.message, headers, exit_status=error.exit_status, **extra)


def document(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **extra: Any
) -> JSONResponse:
    """Return the response that says what was wrong; members of ``extra`` that are empty are left out."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": int(status), "code": code, "detail": detail}
    body |= {name: value for name, value in extra.items() if value}
    return JSONResponse(body, status, dict(headers or {}), media_type=PROBLEM)
