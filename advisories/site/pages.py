"""The pages around notices: the list of matters, and the page on which people compare a check code."""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from advisories.languages import on_calendar, words
from advisories.notice import Severity
from advisories.phrases import phrases
from advisories.render.channel.html import environment, style
from advisories.site.edition import Edition, Site, site_words

_URGENT: Final = frozenset({Severity.HIGH, Severity.CRITICAL})


@cache
def _templates() -> Environment:
    return environment().overlay(loader=PackageLoader("advisories", "site/templates"))


@cache
def _css() -> Markup:
    text = resources.files("advisories").joinpath("site/templates/site.css").read_text("utf-8")
    return style("page.css") + Markup(text)  # noqa: S704 - files of this package, no word of others


def _render(template: str, site: Site, language: str, heading: str, page: str, **values: object) -> bytes:
    exercise = any(edition.notice.exercise for edition in site.editions)
    own = words(language)
    others = [
        {"tag": tag, "name": words(tag).name, "href": f"../{tag}/{page}"}
        for tag in site.languages
        if tag != language
    ]
    return (
        _templates()
        .get_template(template)
        .render(
            language=language,
            direction=phrases(language)("culture.direction"),
            heading=heading,
            css=_css(),
            exercise=f"{own.exercise}: {own.exercise_note}" if exercise else "",
            others=others,
            say=site_words(language),
            **values,
        )
        .encode()
    )


def index(site: Site, language: str) -> bytes:
    """Return the list of matters: open ones first, the latest first."""
    say = site_words(language)
    parts = [
        {
            "title": say[name],
            "cards": [_card(edition, language) for edition in site.current if edition.open is opened],
        }
        for name, opened in (("open", True), ("closed", False))
    ]
    return _render(
        "index.j2",
        site,
        language,
        say["title"].format(name=site.organisation.name or site.base),
        "index.html",
        parts=[part for part in parts if part["cards"]],
        csaf=site.organisation.publisher is not None,
        policy=site.organisation.policy,
    )


def check(site: Site, language: str) -> bytes:
    """Return the page that knows every revision's code, with the genuine words to compare."""
    current = {(edition.notice.id, edition.notice.revision) for edition in site.current}
    rows = [
        _card(edition, language) | {"current": (edition.notice.id, edition.notice.revision) in current}
        for edition in sorted(site.editions, key=lambda each: each.code)
    ]
    return _render("check.j2", site, language, site_words(language)["check"], "check.html", rows=rows)


def _card(edition: Edition, language: str) -> dict[str, Any]:
    notice, text = edition.notice, edition.text(language)
    day = phrases(language).day(_date(notice.issued))
    return {
        "id": notice.id,
        "code": edition.code,
        "severity": words(language).severity[notice.severity],
        "tone": "urgent" if edition.open and notice.severity in _URGENT else "calm",
        "revision": site_words(language)["revision"].format(number=notice.revision, date=day),
        "language": text.language,
        "direction": phrases(text.language)("culture.direction"),
        "title": text.title,
        "action": text.action,
        "happened": text.happened,
        "href": f"../notices/{notice.id}/r{notice.revision}/{text.language}/web.html",
    }


def _date(seconds: int) -> date:
    return on_calendar(seconds).date()
