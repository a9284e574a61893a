"""From facts to a CSAF 2.0 document: one for each language, pure, and the same bytes for the same story."""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import Any, Final

from advisories.csaf.gaps import LONG_TITLE
from advisories.csaf.notes import credits_, document_notes, document_references
from advisories.csaf.profiles import CATEGORIES, as_vex, lacking
from advisories.csaf.tracking import Identity, identity, tracking
from advisories.csaf.tree import Tree
from advisories.csaf.vulnerabilities import made as vulnerabilities
from advisories.facts import Facts
from advisories.facts.matter import Kind, Tlp
from advisories.facts.parts import folded
from advisories.languages import words
from advisories.story import Story
from keys.errors import InputError

LABELS: Final = MappingProxyType(
    {
        Tlp.CLEAR: "WHITE",
        Tlp.GREEN: "GREEN",
        Tlp.AMBER: "AMBER",
        Tlp.AMBER_STRICT: "AMBER",
        Tlp.RED: "RED",
    }
)
"""CSAF 2.0 knows the colours of TLP 1.0 only."""
_PROFILES: Final = MappingProxyType(
    {Kind.VULNERABILITY: "advisory", Kind.INCIDENT: "incident", Kind.END_OF_SUPPORT: "informational"}
)
_NAME = re.compile(r"[^+\-a-z0-9]+")
_BASE: Final = "csaf_base"


def file_name(tracking_id: str) -> str:
    """Return the file name of a document (CSAF 2.0, section 5.1)."""
    return f"{_NAME.sub('_', tracking_id.lower())}.json"


def encode(document: dict[str, Any]) -> bytes:
    """Return a document's bytes: keys in order, two blanks a level, UTF-8."""
    return (json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def render(story: Story, language: str) -> str:
    """Return the document that is approved with a revision, as every other output is."""
    return encode(csaf_document(story, language)).decode()


def csaf_path(story: Story, language: str) -> str:
    """Return where a document lies below a provider's folder, ``white/2026/ex-2026-0001.json`` (7.1.11)."""
    who = identity(story, language)
    found = tracking(story, who, language, status=None, published=True)
    label = LABELS[story.facts.tlp].lower()
    return f"{label}/{found['initial_release_date'][:4]}/{file_name(who.id)}"


def csaf_document(
    story: Story,
    language: str,
    *,
    profile: str | None = None,
    status: str | None = None,
    published: bool = True,
) -> dict[str, Any]:
    """Return one revision in one language as a CSAF 2.0 document.

    Nothing in it depends on what is known only after approval: no check code, no signature.

    Args:
        story: the revision; the time of issue is its header's.
        language: one of the facts' texts. Every other than the source language is a translation, a document
            of its own with an id of its own (section 9.1.9).
        profile: a key of :data:`advisories.csaf.profiles.CATEGORIES`; None: by the kind of matter, and the
            base profile where that one asks for what the facts do not say.
        status: draft, interim or final; None: by phase.
        published: False for facts that are still worked on: a draft.

    Raises:
        InputError: CSAF_PROFILE, when the profile that was asked for needs more than the facts say.
    """
    facts, who = story.facts, identity(story, language)
    vendor = who.publisher.name
    tree = Tree(story, vendor)
    foreign = who.origin is not None
    found: dict[str, Any] = {
        "document": _document(story, who, language),
        "product_tree": tree.made(),
        "vulnerabilities": vulnerabilities(story, language, tree, foreign=foreign),
    }
    document = found["document"]
    document["tracking"] = tracking(story, who, language, status=status, published=published)
    if profile == "vex":
        as_vex(found["vulnerabilities"], vendor, facts.id)
    category = CATEGORIES[profile or _PROFILES[facts.kind]]
    if profile is None and who.origin is not None:
        category = who.origin.category
    if category == CATEGORIES["informational"]:
        found["vulnerabilities"] = []
    document["category"] = category
    found = {key: value for key, value in found.items() if value}
    missing = lacking(found)
    if missing and profile is not None:
        raise InputError(
            "CSAF_PROFILE",
            f"The profile '{profile}' needs {missing[0]}.",
            mend="Add it to the facts, or export with another profile.",
            where=facts.place("id"),
        )
    if missing and who.origin is None:
        document["category"] = _BASE
    return found


def _document(story: Story, who: Identity, language: str) -> dict[str, Any]:
    facts, publisher = story.facts, who.publisher
    said = {
        "category": publisher.category,
        "name": publisher.name,
        "namespace": publisher.namespace,
        "contact_details": publisher.contact,
        "issuing_authority": publisher.authority,
    }
    found = {
        "csaf_version": "2.0",
        "title": _title(story, who, language),
        "lang": who.language,
        "source_lang": who.source_language,
        "publisher": {key: value for key, value in said.items() if value},
        "distribution": _distribution(facts, who),
        "aggregate_severity": _severity(story, who, language),
        "notes": document_notes(story, language),
        "references": document_references(story, who, language, addresses(story)),
        "acknowledgments": credits_(facts.credits),
    }
    return {key: value for key, value in found.items() if value}


def addresses(story: Story) -> dict[str, str]:
    """Return language -> address of the document there; empty when it is not known where pages lie."""
    site = story.setting.organisation.site
    if site is None or story.facts.origin is not None:
        return {}
    base = f"{site.rstrip('/')}/.well-known/csaf"
    return {language: f"{base}/{csaf_path(story, language)}" for language in story.facts.texts}


def _title(story: Story, who: Identity, language: str) -> str:
    title = story.facts.texts[language].title
    if who.origin is not None and not who.translated and who.origin.title:
        whole = str(folded(who.origin.title))
        title = who.origin.title if title in (whole, LONG_TITLE) else title
    mark = f"{words(language).exercise}: "
    drill = story.facts.exercise or story.notice.exercise
    return f"{mark}{title}" if drill and not title.startswith(mark) else title


def _distribution(facts: Facts, who: Identity) -> dict[str, Any]:
    origin = who.origin
    same = origin is not None and facts.tlp is (origin.tlp or Tlp.CLEAR)
    tlp, text = {"label": LABELS[facts.tlp]}, None
    if facts.tlp is Tlp.AMBER_STRICT:
        text = "TLP:AMBER+STRICT"
    if origin is not None and same:
        text = origin.tlp_text
        tlp = tlp if origin.tlp is not None else {}
        if tlp and origin.tlp_url:
            tlp["url"] = origin.tlp_url
    found: dict[str, Any] = {"tlp": tlp, "text": text}
    return {key: value for key, value in found.items() if value}


def _severity(story: Story, who: Identity, language: str) -> dict[str, str] | None:
    origin = who.origin
    if origin is None:
        return {"text": words(language).severity[story.facts.severity]}
    if origin.severity is None:
        return None
    namespace = {"namespace": origin.severity_namespace} if origin.severity_namespace else {}
    return {"text": origin.severity, **namespace}
