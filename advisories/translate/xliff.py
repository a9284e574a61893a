"""Packages for translators as XLIFF 2.1 (OASIS), with its size module and protected inline codes.

Protected words stand as ``<ph/>`` with their data outside of the segment, so that a translation tool cannot
change them. Limits are given by the Size and Length Restriction module (XLIFF 2.1, section 5.8).
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree as ET

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from advisories.languages import is_language
from advisories.translate.units import FILE_BYTES_MAX, Package, Unit
from keys.errors import InputError

_CORE: Final = "urn:oasis:names:tc:xliff:document:2.0"
_SIZE: Final = "urn:oasis:names:tc:xliff:sizerestriction:2.0"
_SPACE: Final = "{http://www.w3.org/XML/1998/namespace}space"
_CONTAINERS: Final = frozenset({"xliff", "file", "unit", "notes", "originalData", "segment"})
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")
_DEPTH_MAX: Final = 32
"""Of marks around marks: a tool makes two or three."""
_FINISHED: Final = frozenset({"translated", "reviewed", "final"})


def write(package: Package) -> bytes:
    """Return the package as an XLIFF 2.1 file."""
    ET.register_namespace("", _CORE)
    ET.register_namespace("slr", _SIZE)
    root = ET.Element(
        f"{{{_CORE}}}xliff",
        {"version": "2.1", "srcLang": package.source_language, "trgLang": package.language},
    )
    file = ET.SubElement(root, f"{{{_CORE}}}file", {"id": package.advisory})
    ET.SubElement(
        file, f"{{{_SIZE}}}profiles", {"generalProfile": "xliff:codepoints", "storageProfile": "xliff:utf8"}
    )
    for unit in package.units:
        file.append(_unit(unit))
    for part in root.iter():  # one element a line, but for the words, in which every space counts
        name = part.tag.rpartition("}")[2]
        if name in _CONTAINERS:
            part.text = "\n"
        if name != "ph":
            part.tail = "\n"
    made: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return made + b"\n"


def _unit(unit: Unit) -> ET.Element:
    limits = {}
    if unit.bytes_max is not None:
        limits[f"{{{_SIZE}}}storageRestriction"] = str(unit.bytes_max)
    if unit.letters_max is not None:
        limits[f"{{{_SIZE}}}sizeRestriction"] = str(unit.letters_max)
    made = ET.Element(f"{{{_CORE}}}unit", {"id": unit.key, **limits})
    if unit.note:
        notes = ET.SubElement(made, f"{{{_CORE}}}notes")
        ET.SubElement(notes, f"{{{_CORE}}}note").text = unit.note
    if unit.protected:
        held = ET.SubElement(made, f"{{{_CORE}}}originalData")
        for number, word in enumerate(unit.protected, 1):
            ET.SubElement(held, f"{{{_CORE}}}data", {"id": f"d{number}"}).text = word
    state = "translated" if unit.target else "initial"
    segment = ET.SubElement(made, f"{{{_CORE}}}segment", {"id": "s1", "state": state})
    _inline(ET.SubElement(segment, f"{{{_CORE}}}source", {_SPACE: "preserve"}), unit.source, unit.protected)
    if unit.target:
        _inline(
            ET.SubElement(segment, f"{{{_CORE}}}target", {_SPACE: "preserve"}), unit.target, unit.protected
        )
    return made


def _inline(part: ET.Element, text: str, protected: tuple[str, ...]) -> None:
    """Write a text with a placeholder for each protected word."""
    longest_first = "|".join(re.escape(word) for word in sorted(protected, key=len, reverse=True))
    last: ET.Element | None = None
    for number, piece in enumerate(re.split(f"({longest_first})", text) if protected else [text]):
        if number % 2:
            data = f"d{protected.index(piece) + 1}"
            attributes = {"id": f"p{number}", "dataRef": data, "disp": piece, "canDelete": "no"}
            last = ET.SubElement(part, f"{{{_CORE}}}ph", attributes)
        elif last is None:
            part.text = piece
        else:
            last.tail = piece


def read(data: bytes, *, where: str) -> Package:
    """Read an XLIFF 2 file that came back; segments in the state ``initial`` count as not translated.

    Raises:
        InputError: TRANSLATION_UNREADABLE; entities and document types are refused.
    """
    if len(data) > FILE_BYTES_MAX:
        raise _unreadable(f"it has more than {FILE_BYTES_MAX} bytes", where)
    try:
        root: ET.Element = defusedxml.ElementTree.fromstring(data, forbid_dtd=True)
    except (ET.ParseError, DefusedXmlException, ValueError, LookupError):
        raise _unreadable("it is not well-formed XML, or declares entities", where) from None
    source, language = root.get("srcLang", ""), root.get("trgLang", "")
    if root.tag != f"{{{_CORE}}}xliff" or not (is_language(source) and is_language(language)):
        raise _unreadable("it is no XLIFF 2 with srcLang and trgLang", where)
    file = root.find(f"{{{_CORE}}}file")
    if file is None:
        raise _unreadable("it has no <file>", where)
    return Package(
        file.get("id", ""), source, language, tuple(_read_unit(unit, where) for unit in _units(file))
    )


def _units(file: ET.Element) -> list[ET.Element]:
    return list(file.iter(f"{{{_CORE}}}unit"))


def _read_unit(unit: ET.Element, where: str) -> Unit:
    key = unit.get("id", "")
    if not _ID.fullmatch(key):
        raise _unreadable("the id of a unit is missing", where)
    held = {part.get("id", ""): part.text or "" for part in unit.iter(f"{{{_CORE}}}data")}
    source = target = ""
    finished = True
    for part in unit:  # a tool may split a paragraph into several, with what stands between them
        segment = part.tag == f"{{{_CORE}}}segment"
        if not segment and part.tag != f"{{{_CORE}}}ignorable":
            continue
        words, translated = part.find(f"{{{_CORE}}}source"), part.find(f"{{{_CORE}}}target")
        said = _text(words, held, where)
        back = said if translated is None and not segment else _text(translated, held, where)
        source, target = source + said, target + back
        if segment:
            finished &= bool(back or not said) and part.get("state", "translated") in _FINISHED
    return Unit(key, source, target if finished else "")


def _text(part: ET.Element | None, held: dict[str, str], where: str, depth: int = 0) -> str:
    """Return the words of a segment with its protected words put back."""
    if part is None:
        return ""
    if depth > _DEPTH_MAX:
        raise _unreadable("its marks lie too deep in each other", where)
    found = part.text or ""
    for inner in part:
        if inner.tag == f"{{{_CORE}}}ph":
            word = held.get(inner.get("dataRef", ""))
            if word is None:
                raise _unreadable("a placeholder refers to nothing", where)
            found += word
        else:
            found += _text(inner, held, where, depth + 1)
        found += inner.tail or ""
    return found


def _unreadable(why: str, where: str) -> InputError:
    return InputError(
        "TRANSLATION_UNREADABLE",
        f"This XLIFF file cannot be read: {why}.",
        mend="Export it again; XLIFF 2.0 and 2.1 are read.",
        where=where,
    )
