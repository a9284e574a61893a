"""News feeds (Atom, RFC 4287): one for each language, an entry for each published revision."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as ET

from advisories.languages import on_calendar
from advisories.render.layout import clean
from advisories.site.edition import Edition, Site, site_words

_ATOM: Final = "http://www.w3.org/2005/Atom"
_XML: Final = "http://www.w3.org/XML/1998/namespace"


def stamp(seconds: int) -> str:
    """Return UTC seconds as RFC 3339 writes them."""
    return on_calendar(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def atom(site: Site, language: str) -> bytes:
    """Return the feed of one language; its newest entry says when it was updated."""
    ET.register_namespace("", _ATOM)
    home = f"{site.base}/{language}/"
    entries = sorted(site.editions, key=lambda e: (-e.notice.issued, e.notice.id, -e.notice.revision))
    root = ET.Element(f"{{{_ATOM}}}feed", {f"{{{_XML}}}lang": language})
    title = site_words(language)["title"].format(name=site.organisation.name)
    updated = stamp(entries[0].notice.issued if entries else 0)
    for tag, text in (("title", title), ("id", home), ("updated", updated)):
        ET.SubElement(root, f"{{{_ATOM}}}{tag}").text = clean(text)
    author = ET.SubElement(root, f"{{{_ATOM}}}author")
    ET.SubElement(author, f"{{{_ATOM}}}name").text = clean(site.organisation.name) or site.base
    ET.SubElement(root, f"{{{_ATOM}}}link", {"rel": "alternate", "type": "text/html", "href": home})
    self_ = {"rel": "self", "type": "application/atom+xml", "href": f"{home}feed.atom"}
    ET.SubElement(root, f"{{{_ATOM}}}link", self_)
    for edition in entries:
        root.append(_entry(site, edition, language))
    ET.indent(root)
    made: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def _entry(site: Site, edition: Edition, language: str) -> ET.Element:
    notice, text = edition.notice, edition.text(language)
    entry = ET.Element(f"{{{_ATOM}}}entry", {f"{{{_XML}}}lang": text.language})
    address = f"{site.base}/notices/{notice.id}/r{notice.revision}/{text.language}/web.html"
    for tag, words in (
        ("title", f"{text.title} ({notice.id}, {edition.code})"),
        ("id", address),
        ("updated", stamp(notice.issued)),
        ("summary", f"{text.action} {text.happened}"),
    ):
        ET.SubElement(entry, f"{{{_ATOM}}}{tag}").text = clean(words)
    ET.SubElement(entry, f"{{{_ATOM}}}link", {"rel": "alternate", "type": "text/html", "href": address})
    return entry
