"""The pages of the desk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from importlib import resources
from typing import Any, Final
from urllib.parse import parse_qsl

import anyio.to_thread
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import ChoiceLoader, FunctionLoader

from advisories import packet as packets
from gateway.web.desk.desk import Answer, Desk
from gateway.web.desk.door import OUTPUT_POLICY, Door, Guard
from keys.errors import TocsinError

FORM_BYTES_MAX: Final = 131_072
"""Two fields of 4,000 letters, each of three bytes that take three letters, fit."""
FIELDS_MAX: Final = 16
_STATIC: Final = {"desk.css": "text/css", "desk.js": "text/javascript"}
_TEMPLATES: Final = ("base.html", "list.html", "show.html", "trouble.html")
_WORDS: Final = {
    "KEY_PASSPHRASE": "That does not open your key. Nothing was signed. Try again.",
    "CHANGED_MEANWHILE": "It was changed while you read it. Nothing was signed. Read what stands here now.",
    "ADVISORY_BLOCKED": "The checks found what has to be mended first. Nothing was signed.",
}
"""Code of an error -> what people without a terminal are told instead."""


def _template(name: str) -> str | None:
    if name not in _TEMPLATES:
        return None
    return (resources.files("gateway.web.desk") / "templates" / name).read_text("utf-8")


class _Pages:
    """Fills in templates, and does what they are filled with."""

    def __init__(self, desk: Desk, door: Door) -> None:
        self._desk, self._door = desk, door
        self._turn = anyio.CapacityLimiter(1)
        self._jinja = packets.environment()
        shared = self._jinja.loader
        assert shared is not None
        self._jinja.loader = ChoiceLoader([FunctionLoader(_template), shared])

    async def alone(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do what takes long beside the server; one thing at a time, however many tabs are open."""
        return await anyio.to_thread.run_sync(work, *arguments, limiter=self._turn)

    def page(self, name: str, *, status: int = HTTPStatus.OK, **values: Any) -> Response:
        found = self._jinja.get_template(name).render(
            desk=self._desk, home=self._door.home, form=self._door.form, **values
        )
        return HTMLResponse(found, int(status))

    def trouble(self, error: TocsinError, status: int) -> Response:
        words = _WORDS.get(error.code, error.message)
        return self.page("trouble.html", status=status, words=words, code=error.code)


def create_app(desk: Desk, door: Door, now: Callable[[], float]) -> FastAPI:
    """Return the application of one desk behind its door.

    Args:
        desk: what is shown and answered.
        door: who may come in.
        now: returns UTC seconds.
    """
    app = FastAPI(title="Tocsin desk", docs_url=None, redoc_url=None, openapi_url=None)
    pages = _Pages(desk, door)
    _add_door(app, door)
    _add_reading(app, desk, pages, door.home)
    _add_answers(app, desk, pages, door)
    app.add_middleware(Guard, door=door, now=now)
    return app


def _add_door(app: FastAPI, door: Door) -> None:
    @app.get("/open/{token}")
    async def enter(token: str) -> Response:
        if not door.opened(token):
            words = "This address opened the desk once already. Start the desk again.\n"
            return Response(words, HTTPStatus.FORBIDDEN, media_type="text/plain")
        # A page, not a redirect: browsers keep a strict cookie back when a link of another site led here.
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Approval desk</title>'
            '<link rel="icon" href="data:,">'
            f'<meta http-equiv="refresh" content="0; url={door.home}">'
            f'<p><a href="{door.home}">Open the desk</a></p></html>'
        )
        return HTMLResponse(page, headers={"Set-Cookie": door.cookie})

    @app.get(f"{door.home}static/{{name}}")
    async def static(name: str) -> Response:
        if name == "packet.css":
            return Response(packets.stylesheet(), media_type="text/css")
        if name not in _STATIC:
            return Response("There is no such file.\n", HTTPStatus.NOT_FOUND, media_type="text/plain")
        data = (resources.files("gateway.web.desk") / "static" / name).read_bytes()
        return Response(data, media_type=_STATIC[name])


def _add_reading(app: FastAPI, desk: Desk, pages: _Pages, home: str) -> None:
    @app.get(home)
    async def every() -> Response:
        return pages.page("list.html", lines=await pages.alone(desk.lines))

    @app.get(f"{home}advisory/{{advisory}}")
    async def show(advisory: str) -> Response:
        return await _shown(desk, pages, home, advisory)

    @app.get(f"{home}advisory/{{advisory}}/output/{{digest}}/{{name:path}}")
    async def output(advisory: str, digest: str, name: str) -> Response:
        data = desk.output(advisory, digest, name)
        if data is None:
            words = "This was changed: load the page again.\n"
            return Response(words, HTTPStatus.NOT_FOUND, media_type="text/plain")
        kind = "text/html" if name.endswith((".html", ".htm")) else "text/plain"
        return Response(
            data, media_type=f"{kind}; charset=utf-8", headers={"Content-Security-Policy": OUTPUT_POLICY}
        )


async def _shown(  # noqa: PLR0917 - one page
    desk: Desk,
    pages: _Pages,
    home: str,
    advisory: str,
    told: str = "",
    wrong: str = "",
    typed: Answer | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    try:
        packet = await pages.alone(desk.show, advisory)
    except TocsinError as error:
        return pages.trouble(error, HTTPStatus.CONFLICT)
    mine = [one for one in packet.stops if one.by == desk.who and not one.number]
    return pages.page(
        "show.html",
        status=status,
        p=packet,
        room=f"{home}advisory/{advisory}/",
        told=told,
        wrong=wrong,
        typed=typed or Answer(""),
        mine=bool(mine),
    )


def _add_answers(app: FastAPI, desk: Desk, pages: _Pages, door: Door) -> None:
    told: dict[str, str] = {}

    @app.post(f"{door.home}advisory/{{advisory}}")
    async def answer(advisory: str, request: Request) -> Response:
        fields = await _fields(request)
        if fields is None or not door.is_form(fields.get("form", "")):
            words = "This form does not come from the desk's own page.\n"
            return Response(words, HTTPStatus.FORBIDDEN, media_type="text/plain")
        typed = Answer(*(fields.get(name, "") for name in ("digest", "comment", "condition", "act")))
        acts: dict[str, Callable[[], str]] = {
            "approve": partial(desk.approve, advisory, typed, fields.pop("secret", "").encode()),
            "reject": partial(desk.reject, advisory, typed),
            "comment": partial(desk.remark, advisory, typed),
            "back": partial(desk.take_back, advisory, typed),
        }
        act = acts.get(typed.act)
        if act is None:
            return Response("There is no such answer.\n", HTTPStatus.BAD_REQUEST, media_type="text/plain")
        try:
            said = await pages.alone(act)
        except TocsinError as error:
            wrong = _WORDS.get(error.code, error.message)
            return await _shown(
                desk, pages, door.home, advisory, wrong=wrong, typed=typed, status=HTTPStatus.CONFLICT
            )
        told[advisory] = said
        # So that loading the page again does not answer again.
        return RedirectResponse(f"{door.home}advisory/{advisory}/done", HTTPStatus.SEE_OTHER)

    @app.get(f"{door.home}advisory/{{advisory}}/done")
    async def done(advisory: str) -> Response:
        return await _shown(desk, pages, door.home, advisory, told=told.pop(advisory, ""))


async def _fields(request: Request) -> dict[str, str] | None:
    """Read a form of bounded size; None for what is none. A field that comes twice counts as damage."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > FORM_BYTES_MAX:
            return None
    try:
        pairs = parse_qsl(
            data.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX
        )
    except ValueError:  # UnicodeError among them
        return None
    found = dict(pairs)
    return found if len(found) == len(pairs) else None
