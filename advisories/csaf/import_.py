"""From a CSAF 2.0 document to a file of facts, with an account of every value that was not carried over."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from advisories.csaf import facts_file
from advisories.csaf.gaps import LONG_TITLE
from advisories.csaf.import_tree import Products
from advisories.csaf.import_vulnerabilities import credits_, filled, notes, references, vulnerability
from advisories.csaf.losses import Fate, Ledger, Loss, Node, Reader, json_path
from advisories.csaf.parse import parse
from advisories.csaf.readers import moment, shaped, text, uri, word
from advisories.facts import PROSE_LETTERS_MAX, Facts, load_facts
from advisories.facts.model import VULNERABILITIES_MAX
from advisories.facts.parts import folded
from advisories.facts.vocabulary import PUBLISHERS, score
from advisories.languages import SOURCE_LANGUAGE, is_language, primary
from advisories.limits import ID_BYTES_MAX
from advisories.topics import is_id
from keys.errors import InputError

TLP_URL: Final = "https://www.first.org/tlp/"
LABELS: Final = {"WHITE": "clear", "GREEN": "green", "AMBER": "amber", "RED": "red"}
"""Label in CSAF 2.0 -> ours, which are those of TLP 2.0."""
STATES: Final = ("draft", "interim", "final")
EXPIRES_DAYS: Final = 90
_OTHER = re.compile(r"[^A-Za-z0-9._-]+")
_LANGUAGE = shaped(re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*"), "a language tag")
_SEVERITIES = {
    "critical": "critical",
    "important": "high",
    "high": "high",
    "moderate": "medium",
    "medium": "medium",
    "low": "low",
    "none": "none",
}
_ORDER = ("none", "low", "medium", "high", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was taken over, and what was not."""

    facts: Facts
    data: bytes
    """The file of facts."""
    losses: tuple[Loss, ...]
    carried: int
    """How many values of the document stand in the facts."""
    derived: int
    """How many follow from others that stand there."""
    assumed: tuple[tuple[str, str], ...]
    """Key of the facts, and why it has its value: what no CSAF document says and a person should look at."""
    fates: dict[tuple[str | int, ...], Fate]
    """Path of each value of the document -> what became of it."""


def read_csaf(
    data: bytes,
    *,
    where: str,
    advisory: str | None = None,
    holder: str = "[who writes this]",
    exercise: bool = False,
) -> Imported:
    """Take over a CSAF 2.0 document.

    Args:
        data: the file's bytes, untrusted.
        where: the file's name, for messages.
        advisory: id of the new advisory; None: made of the document's own.
        holder: who is named as its author.
        exercise: True where everything is a drill.

    Raises:
        InputError: NOT_JSON, CSAF_TOO_BIG, CSAF_TOO_DEEP, NOT_CSAF, CSAF_VERSION, BAD_ID.
    """
    ledger = Ledger(parse(data, where=where))
    document = ledger.root.below("document")
    if document is None:
        raise _no_csaf("it has no object 'document'", where)
    version = document.take("csaf_version", text)
    if version != "2.0":
        raise InputError(
            "CSAF_VERSION",
            "The document does not say that it is CSAF 2.0."
            if version is None
            else "This is another version of CSAF than 2.0.",
            mend="Only CSAF 2.0 can be taken over.",
            where=where,
        )
    document.derive("csaf_version", "an export writes CSAF 2.0")
    made, assumed = _facts(ledger.root, document, where, holder)
    made["id"] = _id(made["origin"]["id"], advisory)
    made["exercise"] = exercise
    written = facts_file.write(made, head=f"Taken over from a CSAF 2.0 document: {made['origin']['id']}")
    return Imported(
        facts=load_facts(written, where=f"{made['id']}.yaml"),
        data=written,
        losses=ledger.losses(),
        carried=ledger.count(Fate.CARRIED),
        derived=ledger.count(Fate.DERIVED),
        assumed=assumed,
        fates=ledger.fates(),
    )


def _no_csaf(reason: str, where: str) -> InputError:
    return InputError("NOT_CSAF", f"This is JSON, but no CSAF document: {reason}.", where=where)


def _id(original: str, wanted: str | None) -> str:
    if wanted is not None:
        if not is_id(wanted):
            raise InputError("BAD_ID", "An advisory id has letters, digits, dots, underscores and hyphens.")
        return wanted
    made = _OTHER.sub("-", original).strip("-.")[:ID_BYTES_MAX]
    if not is_id(made):
        raise InputError(
            "BAD_ID", "The document's id cannot be one of an advisory here.", mend="Choose one with --id."
        )
    return made


def _need(node: Node, key: str, read: Reader[str], where: str) -> str:
    found = node.take(key, read)
    if found is None:
        path = json_path((*node.path, key))
        raise _no_csaf(f"{path} is {'not as it should be' if key in node else 'missing'}", where)
    return found


def _object(node: Node, key: str, where: str) -> Node:
    found = node.below(key)
    if found is None:
        raise _no_csaf(f"it has no object {json_path((*node.path, key))}", where)
    return found


def _facts(
    root: Node, document: Node, where: str, holder: str
) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    origin = _origin(document, where)
    title = _need(document, "title", text, where)
    products = Products()
    tree = root.below("product_tree")
    if tree is not None:
        products.read(tree)
    found = [vulnerability(item) for item in root.items("vulnerabilities", VULNERABILITIES_MAX)]
    weaknesses = [item for item in found if item]
    severity, why = _severity(origin.get("severity"), weaknesses)
    mended = any(r["category"] == "vendor_fix" for v in weaknesses for r in v.get("remedies", ()))
    action = "act-soon" if mended else "for-information"
    assumed = (
        ("severity", why),
        ("action", "a vendor fix is named" if mended else "no vendor fix is named"),
        ("phase", "owners here have not been told yet"),
        ("expires_days", "every new advisory has it"),
    )
    language = _tag(origin.get("language"))
    said = notes(document)
    words = _words(title, said, origin)
    if words["title"] != title:
        origin["title"] = title
    made = {
        "id": "",
        "exercise": False,
        "kind": "incident" if origin["category"] == "csaf_security_incident_response" else "vulnerability",
        "tlp": origin.get("tlp", "clear"),
        "author": {"holder": holder, "role": "engineering"},
        "phase": "initial",
        "severity": severity,
        "action": action,
        "expires_days": EXPIRES_DAYS,
        "source_language": language,
        "texts": {language: words},
        "origin": origin,
        **filled(
            notes=said,
            references=references(document),
            credits=credits_(document),
            named_products=products.named,
            groups=products.groups,
            vulnerabilities=weaknesses,
        ),
    }
    return made, assumed


def _origin(document: Node, where: str) -> dict[str, Any]:
    publisher, tracking = _object(document, "publisher", where), _object(document, "tracking", where)
    history = [made for item in tracking.items("revision_history") if (made := _earlier(item))]
    if not history:
        raise _no_csaf("$.document.tracking.revision_history names no revision", where)
    generator = tracking.below("generator")
    if generator is not None:
        generator.drop("an export names the program that makes it")
    found = {
        "publisher": {
            "name": _need(publisher, "name", text, where),
            "namespace": _need(publisher, "namespace", uri, where),
            "category": _need(publisher, "category", word(PUBLISHERS), where),
            **filled(
                contact=publisher.take("contact_details", text),
                authority=publisher.take("issuing_authority", text),
            ),
        },
        "id": _need(tracking, "id", text, where),
        "category": _need(document, "category", text, where),
        "version": _need(tracking, "version", text, where),
        "status": _need(tracking, "status", word(STATES), where),
        "first": _need(tracking, "initial_release_date", moment, where),
        "current": _need(tracking, "current_release_date", moment, where),
        "history": history,
        **filled(
            aliases=tracking.each("aliases", text),
            language=document.take("lang", _LANGUAGE),
            source_language=document.take("source_lang", _LANGUAGE),
        ),
    }
    return found | _distribution(document.below("distribution")) | _aggregate(document)


def _earlier(node: Node) -> dict[str, Any] | None:
    number, date = node.take("number", text), node.take("date", moment)
    summary = node.take("summary", text)
    legacy = node.take("legacy_version", text)
    if number is None or date is None or summary is None:
        node.drop("a revision needs a number, a date and a summary")
        return None
    return {"number": number, "date": date, "summary": summary, **filled(legacy_version=legacy)}


def _distribution(node: Node | None) -> dict[str, Any]:
    if node is None:
        return {}
    tlp = node.below("tlp")
    found = filled(tlp_text=node.take("text", text))
    if tlp is not None:
        label, url = tlp.take("label", word(tuple(LABELS))), tlp.take("url", uri)
        if label is None:
            tlp.drop("the traffic light protocol has no colour that CSAF 2.0 knows")
        else:
            found |= filled(tlp=LABELS[label], tlp_url=url)
    return found


def _aggregate(document: Node) -> dict[str, Any]:
    node = document.below("aggregate_severity")
    if node is None:
        return {}
    words, namespace = node.take("text", text), node.take("namespace", uri)
    if words is None:
        node.drop("a severity needs a text")
        return {}
    return {"severity": words, **filled(severity_namespace=namespace)}


def _tag(language: str | None) -> str:
    """Return the key of ``texts`` for a document's language; English where it says none that we know."""
    tag = language or SOURCE_LANGUAGE
    for wanted in (tag, primary(tag), primary(tag).lower()):
        if is_language(wanted):
            return wanted
    return SOURCE_LANGUAGE


def _severity(said: str | None, weaknesses: list[dict[str, Any]]) -> tuple[str, str]:
    if said and said.strip().lower() in _SEVERITIES:
        return _SEVERITIES[said.strip().lower()], "the document says so of itself"
    known = [
        str(score(vector).get("baseSeverity", "medium")).lower()
        for weakness in weaknesses
        for item in weakness.get("scores", ())
        for vector in (item.get("v3"),)
        if vector
    ]
    if known:
        return max(known, key=_ORDER.index), "the highest of its CVSS scores"
    return "medium", "the document has no severity and no CVSS 3 score"


def _words(title: str, said: list[dict[str, Any]], origin: dict[str, Any]) -> dict[str, str]:
    summary = next((note["text"] for note in said if note["category"] == "summary"), "")
    contact = origin["publisher"].get("contact", "")
    return {
        "title": _prose(title, LONG_TITLE),
        "action": "[what owners must do]",
        "happened": _prose(summary, "[what happened, in plain words]"),
        "affected": "[which products and versions, in plain words]",
        "doing": "[what we are doing about it]",
        "contact": _prose(contact, "[how owners reach us]"),
    }


def _prose(words: str, gap: str) -> str:
    whole = str(folded(words))
    return whole if 0 < len(whole) <= PROSE_LETTERS_MAX else gap
