"""The body of a request: read once, not longer than it may be, and not for ever."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect

from gateway.web.problems import Problem

BODY_SECONDS: Final = 30.0  # within which it has to be there


async def read_body(
    request: Request, kind: str | None, size_max: int, seconds: float = BODY_SECONDS
) -> bytes:
    """Return the body of a request.

    Args:
        request: whose body nobody has read yet.
        kind: the media type that it must have; None: there must be no body.
        size_max: bytes, at most.
        seconds: within which it has to be there.

    Raises:
        Problem: 413 TOO_BIG, 415 MEDIA_TYPE, 408 TOO_SLOW, 400 BROKEN_OFF.
    """
    size_max = size_max if kind is not None else 0
    stated = request.headers.get("content-length", "0")
    if not stated.isdecimal() or int(stated[:20]) > size_max:
        raise _too_big(size_max)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise _media_type("It must not be compressed.")
    try:
        async with asyncio.timeout(seconds):
            data = await _collect(request, size_max)
    except TimeoutError:
        detail = f"The request was not complete after {seconds:g} seconds."
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, "TOO_SLOW", detail, {"Connection": "close"}) from None
    except ClientDisconnect:
        detail = "The request broke off."
        raise Problem(HTTPStatus.BAD_REQUEST, "BROKEN_OFF", detail) from None
    if data and kind is not None:
        said, _, parameters = request.headers.get("content-type", "").lower().partition(";")
        charset = parameters.replace(" ", "").replace('"', "")
        if said.strip() != kind or charset not in {"", "charset=utf-8"}:
            raise _media_type(f"It must be {kind}.")
    return data


async def _collect(request: Request, size_max: int) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > size_max:
            raise _too_big(size_max)
    return bytes(data)


def _too_big(size_max: int) -> Problem:
    detail = f"The body of this request has at most {size_max} bytes."
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "TOO_BIG", detail, {"Connection": "close"})


def _media_type(detail: str) -> Problem:
    return Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "MEDIA_TYPE", f"This body cannot be read. {detail}")
