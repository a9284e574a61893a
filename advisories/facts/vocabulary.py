"""The words and shapes that CSAF 2.0 allows in the parts of a file of facts that follow it.

A fact that could not be written into a document is refused here, where the line is known.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Final

from cvss import CVSS2, CVSS3
from cvss.exceptions import CVSSError
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from advisories import yamlfile
from advisories.facts.parts import Long

BRANCHES: Final = (
    "architecture",
    "host_name",
    "language",
    "legacy",
    "patch_level",
    "product_family",
    "product_name",
    "product_version",
    "product_version_range",
    "service_pack",
    "specification",
    "vendor",
)
RELATIONS: Final = (
    "default_component_of",
    "external_component_of",
    "installed_on",
    "installed_with",
    "optional_component_of",
)
NOTES: Final = ("description", "details", "faq", "general", "legal_disclaimer", "other", "summary")
PUBLISHERS: Final = ("coordinator", "discoverer", "other", "translator", "user", "vendor")
REMEDIES: Final = ("mitigation", "no_fix_planned", "none_available", "vendor_fix", "workaround")
RESTARTS: Final = (
    "connected",
    "dependencies",
    "machine",
    "none",
    "parent",
    "service",
    "system",
    "vulnerable_component",
    "zone",
)
THREATS: Final = ("exploit_status", "impact", "target_set")
FLAGS: Final = (
    "component_not_present",
    "inline_mitigations_already_exist",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_not_present",
)
PARTIES: Final = ("coordinator", "discoverer", "other", "user", "vendor")
INVOLVEMENTS: Final = ("completed", "contact_attempted", "disputed", "in_progress", "not_contacted", "open")

CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,}", re.ASCII)
CWE: Final = re.compile(r"CWE-[1-9][0-9]{0,5}", re.ASCII)
PURL: Final = re.compile(r"pkg:[A-Za-z.\-+][A-Za-z0-9.\-+]*/[^\s<>\"{}|\\^`]+")
HASH: Final = re.compile(r"[0-9a-fA-F]{32,}")
URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_CPE_PART = r"(?:(?:\?*|\*?)(?:[a-zA-Z0-9\-._]|\\[\\*?!\"#$%&'()+,/:;<=>@\[\]^`{|}~])+(?:\?*|\*?)|[*\-])"
CPE: Final = re.compile(
    rf"cpe:2\.3:[aho*\-](?::{_CPE_PART}){{5}}:(?:[a-zA-Z]{{2,3}}(?:-(?:[a-zA-Z]{{2}}|[0-9]{{3}}))?|[*\-])"
    rf"(?::{_CPE_PART}){{4}}|[cC][pP][eE]:/[AHOaho]?(?::[A-Za-z0-9._\-~%]*){{0,6}}"
)
_VERSIONS = re.compile(r"CVSS:3\.[01]/")


def one_of(known: tuple[str, ...]) -> Callable[[Any], Any]:
    """Return a reader of one of some words; the fault tells the nearest."""

    def read(value: Any) -> Any:
        if value not in known:
            raise yamlfile.not_one_of(value, known)
        return value

    return read


def like(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    """Return a reader of texts of one shape.

    Args:
        pattern: of the whole text.
        what: completes "... is not", e.g. ``an address``.
    """

    def read(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"'{yamlfile.shown(value)}' is not {what}")
        return value

    return read


@lru_cache(maxsize=4_096)
def score(vector: str) -> dict[str, Any]:
    """Return what CSAF says of a CVSS vector: version, numbers, severities and the value of every metric.

    Args:
        vector: of CVSS 2.0, 3.0 or 3.1, as written.

    Raises:
        ValueError: saying what is wrong.
    """
    try:
        known = CVSS3(vector) if _VERSIONS.match(vector) else CVSS2(vector)
    except CVSSError as error:
        raise ValueError(f"'{yamlfile.shown(vector)}' is no CVSS vector: {error}") from None
    return dict(known.as_json())


def _vector(major: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        version = str(score(value)["version"])
        if version[0] != major:
            raise ValueError(f"this vector is of CVSS {version}")
        return value

    return read


def _filled(value: str) -> str:
    if not value:
        raise ValueError("it is empty")
    return value


def _words(known: tuple[str, ...]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [*known]})


Filled = Annotated[Long, AfterValidator(_filled), WithJsonSchema({"type": "string", "minLength": 1})]
"""Words that may not be empty."""
Uri = Annotated[Long, AfterValidator(like(URI, "an address such as https://example.com/page"))]
BranchWord = Annotated[str, BeforeValidator(one_of(BRANCHES)), _words(BRANCHES)]
RelationWord = Annotated[str, BeforeValidator(one_of(RELATIONS)), _words(RELATIONS)]
NoteWord = Annotated[str, BeforeValidator(one_of(NOTES)), _words(NOTES)]
RemedyWord = Annotated[str, BeforeValidator(one_of(REMEDIES)), _words(REMEDIES)]
RestartWord = Annotated[str, BeforeValidator(one_of(RESTARTS)), _words(RESTARTS)]
ThreatWord = Annotated[str, BeforeValidator(one_of(THREATS)), _words(THREATS)]
FlagWord = Annotated[str, BeforeValidator(one_of(FLAGS)), _words(FLAGS)]
PartyWord = Annotated[str, BeforeValidator(one_of(PARTIES)), _words(PARTIES)]
InvolvementWord = Annotated[str, BeforeValidator(one_of(INVOLVEMENTS)), _words(INVOLVEMENTS)]
Cve = Annotated[str, AfterValidator(like(CVE, "a number such as CVE-2026-12345"))]
Cwe = Annotated[str, AfterValidator(like(CWE, "a number such as CWE-79"))]
Cpe = Annotated[Long, AfterValidator(like(CPE, "a CPE name of version 2.2 or 2.3"))]
Purl = Annotated[Long, AfterValidator(like(PURL, "a package URL such as pkg:generic/name@1.0"))]
Digest = Annotated[Long, AfterValidator(like(HASH, "a digest of at least 32 hexadecimal digits"))]
VectorV2 = Annotated[str, AfterValidator(_vector("2"))]
VectorV3 = Annotated[str, AfterValidator(_vector("3"))]
