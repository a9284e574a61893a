"""What a product is made of: lists of components (SBOM) as other tools write them.

Read are CycloneDX JSON 1.4 to 1.6, SPDX JSON 2.2 and 2.3, and SPDX tag-value, which Zephyr's ``west spdx``
and Yocto write. Of each component its name, version, package URL and CPE are kept; nothing else is needed
to ask which of our versions contain it. Every file is untrusted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final

from packageurl import PackageURL
from pydantic import Field

from advisories.facts.parts import Part
from advisories.yamlfile import shown
from keys.errors import InputError

SBOM_BYTES_MAX: Final = 64 * 1024 * 1024
COMPONENTS_MAX: Final = 100_000
DEPTH_MAX: Final = 64
"""Levels of components inside components."""
WORD_LETTERS_MAX: Final = 1_024
"""Letters of a name, a version or an id; a longer one is passed over."""
_CYCLONEDX: Final = frozenset({"1.4", "1.5", "1.6"})
_SPDX: Final = frozenset({"SPDX-2.2", "SPDX-2.3"})
_NOTHING: Final = frozenset({"", "NOASSERTION", "NONE", "unknown", "UNKNOWN"})
_TAG: Final = re.compile(r"([A-Za-z][A-Za-z0-9]*):[ \t]?(.*)")

Word = Annotated[str, Field(max_length=WORD_LETTERS_MAX)]


class Component(Part):
    """A part of a product that somebody else may have made."""

    name: Word
    version: Word = ""
    """As written; empty: the list does not say."""
    purl: Word | None = None
    """Package URL in its usual spelling."""
    cpe: Word | None = None


class Sbom(Part):
    """The components of one version of a product."""

    format: str
    """E.g. ``CycloneDX 1.6``; several files are named with ``+`` between them."""
    components: tuple[Component, ...] = Field(default=(), strict=False)
    notes: tuple[str, ...] = Field(default=(), strict=False)
    """What could not be read of it, one sentence each."""


def encode(sbom: Sbom) -> bytes:
    """Return what :func:`load_sbom` reads: JSON, one component a line, the same for the same list."""
    lines = ",\n".join(
        json.dumps(item.model_dump(exclude_defaults=True), ensure_ascii=False) for item in sbom.components
    )
    head = json.dumps({"format": sbom.format, "notes": sbom.notes}, ensure_ascii=False)
    return f'{head[:-1]}, "components": [\n{lines}\n]}}\n'.encode()


def load_sbom(data: bytes) -> Sbom:
    """Read what :func:`encode` wrote.

    Raises:
        ValueError: pydantic's, for anything else.
    """
    return Sbom.model_validate_json(data, strict=False)


def merge(lists: Iterable[Sbom]) -> Sbom:
    """Return one list of several files, such as the four that ``west spdx`` writes."""
    found = [*lists]
    every = dict.fromkeys(component for each in found for component in each.components)
    return Sbom(
        format=" + ".join(dict.fromkeys(each.format for each in found)),
        components=tuple(sorted(every, key=lambda c: (c.name, c.version, c.purl or "", c.cpe or ""))),
        notes=tuple(note for each in found for note in each.notes),
    )


def read_sbom(data: bytes, *, where: str) -> Sbom:
    """Read the components of one file.

    Args:
        data: untrusted.
        where: the file's name, for messages.

    Raises:
        InputError: SBOM, with one sentence that says why it cannot be read.
    """
    if len(data) > SBOM_BYTES_MAX:
        raise _bad(f"It has more than {SBOM_BYTES_MAX} bytes", where)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _bad("It is not UTF-8 text", where) from None
    if not text.lstrip().startswith(("{", "[")):
        return _finished(*_tag_value(text, where), where)
    try:
        value = json.loads(text)
    except RecursionError:
        raise _bad("It nests too deep", where) from None
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise _bad("It is not JSON", f"{where}:{line}") from None
    if not isinstance(value, dict):
        raise _unknown(where)
    if value.get("bomFormat") == "CycloneDX":
        return _finished(*_cyclonedx(value, where), where)
    if "spdxVersion" in value:
        return _finished(*_spdx_json(value, where), where)
    if "@context" in value or "@graph" in value:
        mend = "Have it written as SPDX 2.3 or CycloneDX."
        raise _bad("It is SPDX 3, which is not read yet", where, mend)
    raise _unknown(where)


Raw = tuple[Any, Any, Any, Any]
"""Name, version, package URL and CPE as a file has them: of any type."""


def _finished(format_: str, rows: Iterator[Raw], where: str) -> Sbom:
    found: dict[Component, None] = {}
    passed = {"name": 0, "version": 0, "purl": 0, "cpe": 0}
    for name, version, purl, cpe in rows:
        plain = _word(name)
        if plain is None:
            passed["name"] += 1
            continue
        known, passed_over = _known(version, purl, cpe)
        for part in passed_over:
            passed[part] += 1
        found[Component(name=plain, **known)] = None
        if len(found) > COMPONENTS_MAX:
            raise _bad(f"It has more than {COMPONENTS_MAX} components", where)
    what = {
        "name": "without a name that can be read are left out",
        "version": "have a version that is no text",
        "purl": "have a package URL that is none",
        "cpe": "have a CPE that is none",
    }
    notes = tuple(f"{count} components {what[part]}." for part, count in passed.items() if count)
    return merge([Sbom(format=format_, components=tuple(found), notes=notes)])


def _known(version: Any, purl: Any, cpe: Any) -> tuple[dict[str, str], list[str]]:
    """Return what is good of a component, and the names of what is not."""
    known, passed = {}, []
    for name, value, clean in (("version", version, _word), ("purl", purl, _purl), ("cpe", cpe, _cpe)):
        if value is None or value in ("", "NOASSERTION", "NONE"):
            continue
        good = clean(value)
        if good is None:
            passed.append(name)
        elif good not in _NOTHING:
            known[name] = good
    return known, passed


def _word(value: Any) -> str | None:
    """Return a text of one line that can be shown and written, or None."""
    if not isinstance(value, str):
        return None
    text = " ".join(value.split())
    return text if text.isprintable() and 0 < len(text) <= WORD_LETTERS_MAX else None


def _purl(value: Any) -> str | None:
    text = _word(value)
    if text is None:
        return None
    try:
        return PackageURL.from_string(text).to_string()
    except ValueError:
        return None


def _cpe(value: Any) -> str | None:
    text = _word(value)
    return text if text is not None and text.lower().startswith(("cpe:2.3:", "cpe:/")) else None


def _cyclonedx(value: dict[str, Any], where: str) -> tuple[str, Iterator[Raw]]:
    version = str(value.get("specVersion"))
    if version not in _CYCLONEDX:
        raise _bad(f"It is CycloneDX {shown(version)}; 1.4, 1.5 and 1.6 are read", where)
    return f"CycloneDX {version}", _cyclonedx_rows(value, where)


def _cyclonedx_rows(value: dict[str, Any], where: str) -> Iterator[Raw]:
    # The product itself (metadata.component) is not among its components, but what it holds is.
    metadata = value.get("metadata")
    product = metadata.get("component") if isinstance(metadata, dict) else None
    inside = product.get("components") if isinstance(product, dict) else None
    waiting = [(value.get("components"), 1), (inside, 1)]
    while waiting:
        items, depth = waiting.pop()
        if depth > DEPTH_MAX:
            raise _bad("It nests too deep", where)
        for item in _objects(items, "components", where):
            group, name = item.get("group"), item.get("name")
            full = f"{group}/{name}" if isinstance(group, str) and group and isinstance(name, str) else name
            yield full, item.get("version"), item.get("purl"), item.get("cpe")
            waiting.append((item.get("components"), depth + 1))


def _spdx_json(value: dict[str, Any], where: str) -> tuple[str, Iterator[Raw]]:
    version = str(value["spdxVersion"])
    if version not in _SPDX:
        raise _bad(f"It is {shown(version)}; SPDX-2.2 and SPDX-2.3 are read", where)
    return version.replace("-", " "), _spdx_rows(value, where)


def _spdx_rows(value: dict[str, Any], where: str) -> Iterator[Raw]:
    for package in _objects(value.get("packages"), "packages", where):
        found: dict[str, Any] = {}
        for reference in _objects(package.get("externalRefs"), "externalRefs", where):
            _reference(found, reference.get("referenceType"), reference.get("referenceLocator"))
        yield package.get("name"), package.get("versionInfo"), found.get("purl"), found.get("cpe")


def _reference(found: dict[str, Any], kind: Any, locator: Any) -> None:
    """Keep a package's first package URL and CPE."""
    if kind == "purl":
        found.setdefault("purl", locator)
    elif kind in {"cpe23Type", "cpe22Type"}:
        found.setdefault("cpe", locator)


def _tag_value(text: str, where: str) -> tuple[str, Iterator[Raw]]:
    tags = list(_tags(text, where))
    version = next((value for tag, value, _ in tags if tag == "SPDXVersion"), None)
    if version is None:
        raise _unknown(where)
    if version not in _SPDX:
        raise _bad(f"It is {shown(version)}; SPDX-2.2 and SPDX-2.3 are read", where)
    return version.replace("-", " "), _tag_rows(tags, where)


def _tags(text: str, where: str) -> Iterator[tuple[str, str, int]]:
    """Yield (tag, value, line) of a tag-value file; ``<text>`` may go over several lines."""
    lines = enumerate(text.splitlines(), 1)
    for number, line in lines:
        match = _TAG.fullmatch(line.strip())
        if not match:
            continue  # a comment, or words that no tag begins
        tag, value = match.groups()
        if value.startswith("<text>"):
            parts = [value]
            while "</text>" not in parts[-1]:
                more = next(lines, None)
                if more is None:
                    raise _bad("A <text> has no end", f"{where}:{number}")
                parts.append(more[1])
            value = "\n".join(parts).removeprefix("<text>").partition("</text>")[0]
        yield tag, value.strip(), number


def _tag_rows(tags: list[tuple[str, str, int]], where: str) -> Iterator[Raw]:
    package: dict[str, Any] = {}
    for tag, value, number in tags:
        if tag in {"PackageName", "FileName", "SnippetSPDXID"}:
            if "name" in package:
                yield _raw(package)
            package = {"name": value} if tag == "PackageName" else {}
        elif tag == "PackageVersion":
            package.setdefault("version", value)
        elif tag == "ExternalRef" and "name" in package:
            parts = value.split(None, 2)
            if len(parts) != 3:
                raise _bad("An ExternalRef has not three parts", f"{where}:{number}")
            _reference(package, parts[1], parts[2])
    if "name" in package:
        yield _raw(package)


def _raw(package: dict[str, Any]) -> Raw:
    return package["name"], package.get("version"), package.get("purl"), package.get("cpe")


def _objects(items: Any, name: str, where: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list that may be left out.

    Raises:
        InputError: SBOM, where there is something else.
    """
    if items is None:
        return
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _bad(f"'{name}' is not a list of objects", where)
    yield from items


def _bad(why: str, where: str, mend: str = "Have the build write it again.") -> InputError:
    return InputError("SBOM", f"This list of components cannot be read: {why}.", mend=mend, where=where)


def _unknown(where: str) -> InputError:
    mend = "Have it written as CycloneDX JSON, SPDX JSON or SPDX tag-value."
    return _bad("It is neither CycloneDX nor SPDX", where, mend)
