"""Which of our versions contain a component in a range, and how versions of others compare.

Versions of others follow no one rule, so only what is certain is decided:

* numbers compare as numbers, part by part (``1.10`` is newer than ``1.9``; ``1.4`` is ``1.4.0``);
* ``dev``, ``alpha``, ``beta``, ``pre`` and ``rc`` with a number come before the release they lead to;
* one letter right behind a number comes after it (``1.1.1k`` is newer than ``1.1.1``);
* a leading ``v`` and what stands behind ``+`` say nothing;
* Python packages compare by PEP 440.

Anything else is *to confirm* by a person: no version, a commit, a date beside a number, or a distribution's
own revision (``1.1.1k-3ubuntu2``), for distributions mend weaknesses without raising the version.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from packageurl import PackageURL
from packaging.version import InvalidVersion
from packaging.version import Version as Pep440

from advisories.sbom import Component, Sbom
from advisories.versions import Range, parse_version

_NUMBERS: Final = re.compile(
    r"[vV]?(\d{1,18}(?:\.\d{1,18})*)([a-z])?(?:[._-]?(dev|alpha|a|beta|b|pre|rc)[._-]?(\d{0,9}))?"
)
_BEFORE: Final = {"dev": 0, "alpha": 1, "a": 1, "beta": 2, "b": 2, "pre": 3, "rc": 4}
_RELEASE: Final = 9
_YEAR: Final = 1990
"""A first number from here on is a date or a commit, which says nothing beside a counted version."""
_DISTRIBUTIONS: Final = frozenset({"deb", "rpm", "apk", "alpm", "opkg", "ebuild"})
_BOUND: Final = re.compile(r"(>=|<=|==|=|<|>)\s*(\S+)")

Key = tuple[tuple[int, ...], str, int, int]


class Verdict(StrEnum):
    """What is known of one of our versions."""

    AFFECTED = "affected"
    NOT_AFFECTED = "not affected"
    TO_CONFIRM = "to confirm"


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range of foreign versions."""

    operator: str
    """``>=``, ``>``, ``<=``, ``<`` or ``=``."""
    version: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A component that somebody asks for."""

    name: str
    bounds: tuple[Bound, ...] | None
    """All must hold; empty: every version; None: the range could not be read."""
    purl: str | None = None
    why: str = ""
    """What was written, where it could not be read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one of our versions, and why."""

    product: str
    version: str
    verdict: Verdict
    because: str
    """One sentence part, such as ``libfoo 1.2.0``."""


def parse_bounds(text: str) -> tuple[Bound, ...]:
    """Read ``>=1.0 <3.0.7``, ``<=1.1.1k``, ``=2.4`` or ``*``; commas may stand between.

    Raises:
        ValueError: saying what is wrong.
    """
    plain = text.replace(",", " ").strip()
    if plain == "*":
        return ()
    found = tuple(Bound("=" if op == "==" else op, version) for op, version in _BOUND.findall(plain))
    rest = _BOUND.sub(" ", plain).split()
    if len(rest) == 1 and not found:
        found, rest = (Bound("=", rest[0]),), []
    if rest or not found:
        raise ValueError(f"'{text}' is not a range like >=1.0 <3.0.7, <=1.1.1k, =2.4 or *")
    sides = [side for bound in found for side in ("<>" if bound.operator == "=" else bound.operator[0])]
    if len(set(sides)) < len(sides):
        raise ValueError(f"'{text}' has two bounds on one side")
    for bound in found:
        if _key(bound.version) is None:
            raise ValueError(f"'{bound.version}' is not a version that can be compared")
    return found


def within(version: str, bounds: Sequence[Bound], *, python: bool = False) -> bool | None:
    """Say whether a foreign version lies in a range; None where that is not certain."""
    answers = [_holds(version, bound, python=python) for bound in bounds]
    if False in answers:
        return False
    return None if None in answers else True


def _holds(version: str, bound: Bound, *, python: bool) -> bool | None:
    if version == bound.version:
        return "=" in bound.operator
    order = _compare(version, bound.version, python=python)
    if order is None:
        return None
    return {
        ">=": order >= 0,
        ">": order > 0,
        "<=": order <= 0,
        "<": order < 0,
        "=": order == 0,
    }[bound.operator]


def _compare(left: str, right: str, *, python: bool) -> int | None:
    """Return -1, 0 or 1, or None where the two cannot be compared for certain."""
    if python:
        try:
            a, b = Pep440(left), Pep440(right)
        except InvalidVersion:
            return None
        return (a > b) - (a < b)
    first, second = _key(left), _key(right)
    if first is None or second is None or (first[0][0] >= _YEAR) != (second[0][0] >= _YEAR):
        return None
    return (first > second) - (first < second)


@cache
def _key(version: str) -> Key | None:
    match = _NUMBERS.fullmatch(version.partition("+")[0])
    if match is None:
        return None
    numbers, letter, before, count = match.groups()
    parts = [int(part) for part in numbers.split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    # The letter counts before the stage: 1.1.1 < 1.1.1a-rc1 < 1.1.1a.
    stage = _RELEASE if before is None else _BEFORE[before]
    return tuple(parts), letter or "", stage, int(count or 0)


def _plain(name: str) -> str:
    return re.sub(r"[._ -]+", "-", name).casefold()


def same(wanted: Wanted, component: Component) -> bool:
    """Say whether a component is the one asked for: by package URL where both have one, else by name."""
    if wanted.purl and component.purl:
        return _package(wanted.purl) == _package(component.purl)
    names = {_plain(component.name), _plain(component.name.rpartition("/")[2])}
    if component.purl:
        names.add(_plain(PackageURL.from_string(component.purl).name))
    if component.cpe:
        parts = re.split(r"(?<!\\):", component.cpe)
        names |= {_plain(part) for part in parts[4:5] if component.cpe.lower().startswith("cpe:2.3")}
    return _plain(wanted.name) in names


def _package(purl: str) -> tuple[str, str, str]:
    """Return what tells a package, whatever its version and where it lies."""
    found = PackageURL.from_string(purl)
    return found.type, _plain(found.namespace or ""), _plain(found.name)


def wanted_of(name: str, bounds: tuple[Bound, ...]) -> Wanted:
    """Return what somebody asks for by a name or a package URL.

    Raises:
        ValueError: a package URL that is none.
    """
    if name.startswith("pkg:"):
        found = PackageURL.from_string(name)
        return Wanted(found.name, bounds, found.to_string())
    return Wanted(name, bounds)


def judge(component: Component, wanted: Wanted) -> Verdict:
    """Return what a component in one of our versions means."""
    if wanted.bounds == ():
        return Verdict.AFFECTED
    kind = PackageURL.from_string(component.purl).type if component.purl else ""
    if not component.version or wanted.bounds is None:
        return Verdict.TO_CONFIRM
    inside = within(component.version, wanted.bounds, python=kind == "pypi")
    if inside is None:
        return Verdict.TO_CONFIRM
    if kind in _DISTRIBUTIONS and inside:
        return Verdict.TO_CONFIRM
    return Verdict.AFFECTED if inside else Verdict.NOT_AFFECTED


def propose(
    wanted: Iterable[Wanted],
    versions: Mapping[str, Sequence[str]],
    lists: Mapping[tuple[str, str], Sbom],
) -> list[Answer]:
    """Return what is known of every version of every product; a person confirms it.

    Args:
        wanted: components asked for; one that is affected is enough.
        versions: product -> released versions, oldest first.
        lists: (product, version) -> components, where they are known.
    """
    asked = [*wanted]
    found = []
    for product, known in versions.items():
        if not known:
            found.append(Answer(product, "", Verdict.TO_CONFIRM, "no version of it is recorded"))
        found += [_answer(product, version, lists.get((product, version)), asked) for version in known]
    return found


_WORST: Final = (Verdict.AFFECTED, Verdict.TO_CONFIRM, Verdict.NOT_AFFECTED)


def _answer(product: str, version: str, sbom: Sbom | None, asked: Sequence[Wanted]) -> Answer:
    if sbom is None:
        return Answer(product, version, Verdict.TO_CONFIRM, "no list of components")
    found: dict[Verdict, list[str]] = {}
    for component in sbom.components:
        for wanted in asked:
            if same(wanted, component):
                about = f"{component.name} {component.version or 'without a version'}"
                found.setdefault(judge(component, wanted), []).append(about)
    for verdict in _WORST:
        if verdict in found:
            return Answer(product, version, verdict, ", ".join(dict.fromkeys(found[verdict])))
    return Answer(product, version, Verdict.NOT_AFFECTED, "not among its components")


def ranges(versions: Sequence[str], affected: Iterable[str]) -> tuple[Range, ...]:
    """Return ranges of one of our products that hold exactly these of its released versions.

    A range ends before the next released version that is not affected, so that builds in between count as
    affected; after the newest version it ends with that one.

    Args:
        versions: every released version, oldest first.
        affected: some of them.
    """
    wanted = set(affected)
    found: list[Range] = []
    start: str | None = None
    for version in versions:
        if version in wanted:
            start = start or version
        elif start is not None:
            found.append((parse_version(start), parse_version(version)))
            start = None
    if start is not None:
        major, minor, revision, build = parse_version(versions[-1])
        found.append((parse_version(start), (major, minor, revision, build + 1)))
    return tuple(found)
