"""What becomes of single values of a document, and of documents that are none."""

import json
import re
from typing import Any

import pytest

from advisories.csaf import Imported, csaf_document, read_csaf
from advisories.csaf.parse import DEPTH_MAX, DOCUMENT_BYTES_MAX, parse
from advisories.facts.model import VULNERABILITIES_MAX
from advisories.facts.parts import LONG_LETTERS_MAX
from advisories.notice import Action, Severity
from keys.errors import InputError
from tests.advisories.csaf import csaf_case as case

TIME = "2026-11-20T09:00:00Z"
VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def source(**more: Any) -> dict[str, Any]:
    """A small document with every part that may be lost."""
    return {
        "document": {
            "category": "csaf_base",
            "csaf_version": "2.0",
            "title": "Their notice",
            "publisher": {"category": "vendor", "name": "Them", "namespace": "https://them.example.com"},
            "tracking": {
                "id": "T-1",
                "status": "final",
                "version": "1",
                "initial_release_date": TIME,
                "current_release_date": TIME,
                "revision_history": [{"number": "1", "date": TIME, "summary": "First."}],
            },
        },
        **more,
    }


def put(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The same with a value at a path such as ``document.title``; None takes it away."""
    *above, last = path.split(".")
    holder = document
    for step in above:
        holder = holder.setdefault(step, {})
    holder[last] = value
    if value is None:
        del holder[last]
    return document


def taken(document: Any, **more: Any) -> Imported:
    return read_csaf(json.dumps(document).encode(), where="theirs.json", **more)


def weakness(**more: Any) -> dict[str, Any]:
    return source(vulnerabilities=[{"cve": "CVE-2026-10001", **more}])


LOST = [
    (put(source(), "document.x_own", 1), "$.document.x_own", "the facts have no place for it"),
    (put(source(), "document.notes", "x"), "$.document.notes", "it is no list"),
    (put(source(), "document.distribution", []), "$.document.distribution", "it is no object"),
    (put(source(), "document.lang", "??"), "$.document.lang", "'??' is not a language tag"),
    (put(source(), "document.distribution.text", ""), "$.document.distribution.text", "it is empty"),
    (
        put(source(), "document.distribution.tlp.label", "CLEAR"),
        "$.document.distribution.tlp.label",
        "CSAF 2.0 knows WHITE, GREEN, AMBER, RED here",
    ),
    (put(source(), "document.aggregate_severity.namespace", "urn:x"), "$.document.aggregate_severity.namespace", "a severity needs a text"),
    (put(source(), "document.tracking.generator.date", TIME), "$.document.tracking.generator.date", "an export names the program that makes it"),
    (put(source(), "document.tracking.aliases", [1]), "$.document.tracking.aliases[0]", "it is no text"),
    (
        put(source(), "document.notes", [{"category": "summary", "text": "a" * (LONG_LETTERS_MAX + 1)}]),
        "$.document.notes[0].text",
        f"it has more than {LONG_LETTERS_MAX} letters",
    ),
    (put(source(), "document.notes", [{"category": "story", "text": "x"}]), "$.document.notes[0].category", "CSAF 2.0 knows description, details, faq, general, legal_disclaimer, other, summary here"),
    (put(source(), "document.references", [{"summary": "x", "url": "page"}]), "$.document.references[0].url", "'page' is not an address"),
    (put(source(), "document.acknowledgments", [{"names": [], "urls": ["x"]}]), "$.document.acknowledgments[0].urls[0]", "'x' is not an address"),
    (weakness(discovery_date="yesterday"), "$.vulnerabilities[0].discovery_date", "'yesterday' is not a time like 2026-11-24T09:00:00Z"),
    (weakness(discovery_date="\x1b[2J"), "$.vulnerabilities[0].discovery_date", "'\\x1b[2J' is not a time like 2026-11-24T09:00:00Z"),
    (weakness(cwe={"id": "CWE-0", "name": "x"}), "$.vulnerabilities[0].cwe.id", "'CWE-0' is not a CWE number"),
    (weakness(ids=[{"text": "x"}]), "$.vulnerabilities[0].ids[0].text", "an id needs a system and a text"),
    (weakness(remediations=[{"details": "x"}]), "$.vulnerabilities[0].remediations[0].details", "a remedy needs a category and details"),
    (
        weakness(remediations=[{"category": "workaround", "details": "x", "restart_required": {"details": "y"}}]),
        "$.vulnerabilities[0].remediations[0].restart_required.details",
        "a restart needs a category",
    ),
    (weakness(threats=[{"category": "impact"}]), "$.vulnerabilities[0].threats[0].category", "a threat needs a category and details"),
    (weakness(flags=[{"product_ids": ["x"]}]), "$.vulnerabilities[0].flags[0].product_ids[0]", "a flag needs a label"),
    (weakness(involvements=[{"party": "vendor"}]), "$.vulnerabilities[0].involvements[0].party", "an involvement needs a party and a status"),
    (weakness(scores=[{"products": ["x"], "cvss_v4": {"a": 1}}]), "$.vulnerabilities[0].scores[0].cvss_v4.a", "a score needs products and a vector of CVSS 2.0, 3.0 or 3.1"),
    (
        weakness(scores=[{"products": ["x"], "cvss_v3": {"vectorString": VECTOR, "baseScore": 1.0}}]),
        "$.vulnerabilities[0].scores[0].cvss_v3.baseScore",
        "the vector says 9.8",
    ),
    (
        weakness(scores=[{"products": ["x"], "cvss_v3": {"vectorString": VECTOR}, "cvss_v2": {"vectorString": VECTOR}}]),
        "$.vulnerabilities[0].scores[0].cvss_v2.vectorString",
        "it has no vector of CVSS 2",
    ),
    (source(vulnerabilities=[{}]), "$.vulnerabilities[0]", "nothing in this vulnerability can be held"),
    (source(product_tree={"branches": [{"category": "vendor"}]}), "$.product_tree.branches[0].category", "a branch needs a category and a name"),
    (
        source(product_tree={"branches": [{"category": "vendor", "name": "x", "branches": []}]}),
        "$.product_tree.branches[0].name",
        "no product hangs from the branch",
    ),
    (source(product_tree={"full_product_names": [{"name": "x"}]}), "$.product_tree.full_product_names[0].name", "a product needs a name and an id"),
    (
        source(product_tree={"full_product_names": [{"name": name, "product_id": "x"} for name in "ab"]}),
        "$.product_tree.full_product_names[1].name",
        "the product id stands for another product already",
    ),
    (
        source(product_tree={"relationships": [{"category": "installed_on", "product_reference": "x"}]}),
        "$.product_tree.relationships[0].category",
        "a relationship needs a category, a product of its own and two others",
    ),
    (source(product_tree={"product_groups": [{"group_id": "x", "product_ids": []}]}), "$.product_tree.product_groups[0].group_id", "a group needs an id of its own and products"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "path", "why"), LOST, ids=[row[1] for row in LOST])
def test_what_is_lost_is_told_with_its_place_and_the_reason(
    document: dict[str, Any], path: str, why: str
) -> None:
    found = {loss.path: loss.why for loss in taken(document).losses}
    assert found[path] == why


HELPERS = [
    ({"cpe": "x"}, "cpe"),
    ({"purl": "pkg:x"}, "purl"),
    (
        {"hashes": [{"filename": "f", "file_hashes": [{"algorithm": "a", "value": "1"}]}]},
        "hashes[0].filename",
    ),
    (
        {"hashes": [{"filename": "f", "file_hashes": [{"algorithm": "a", "value": "0" * 32}] * 2}]},
        "hashes[0].file_hashes[1].value",
    ),
    ({"x_generic_uris": [{"uri": "urn:x"}]}, "x_generic_uris[0].uri"),
    ({"model_numbers": [None]}, "model_numbers[0]"),
]


@pytest.mark.parametrize(("helper", "path"), HELPERS)
def test_a_mark_that_cannot_be_held_is_lost_and_its_product_is_not(helper: dict[str, Any], path: str) -> None:
    product = {"name": "P", "product_id": "p", "product_identification_helper": helper}
    found = taken(source(product_tree={"full_product_names": [product]}))
    start = "$.product_tree.full_product_names[0].product_identification_helper."
    assert f"{start}{path}" in {loss.path for loss in found.losses}
    assert "p" in found.facts.named_products


def test_branches_deeper_than_the_standard_allows_are_lost() -> None:
    branch: dict[str, Any] = {
        "category": "product_name",
        "name": "x",
        "product": {"name": "p", "product_id": "p"},
    }
    for _ in range(30):
        branch = {"category": "product_family", "name": "x", "branches": [branch]}
    found = taken(source(product_tree={"branches": [branch]}))
    assert found.facts.named_products == {}
    assert any("at most 30 branches deep" in loss.why for loss in found.losses)


def test_more_than_the_facts_hold_is_lost() -> None:
    many = [{"cve": f"CVE-2026-{10_000 + number}"} for number in range(VULNERABILITIES_MAX + 1)]
    found = taken(source(vulnerabilities=many))
    assert len(found.facts.vulnerabilities) == VULNERABILITIES_MAX
    assert [loss.path for loss in found.losses] == [f"$.vulnerabilities[{VULNERABILITIES_MAX}].cve"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("document", [], "it has no object 'document'"),
        ("document.title", None, "$.document.title is missing"),
        ("document.title", 5, "$.document.title is not as it should be"),
        ("document.publisher", None, "it has no object $.document.publisher"),
        ("document.publisher.namespace", "x", "$.document.publisher.namespace is not as it should be"),
        ("document.tracking.status", "done", "$.document.tracking.status is not as it should be"),
        (
            "document.tracking.current_release_date",
            "now",
            "$.document.tracking.current_release_date is not as",
        ),
        ("document.tracking.revision_history", [{"number": "1"}], "revision_history names no revision"),
    ],
)
def test_a_document_without_its_core_is_none(path: str, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        taken(put(source(), path, value))
    assert (caught.value.code, caught.value.where) == ("NOT_CSAF", "theirs.json")


@pytest.mark.parametrize("version", [None, "2.1", 2.0])
def test_only_csaf_2_0_is_taken_over(version: Any) -> None:
    with pytest.raises(InputError) as caught:
        taken(put(source(), "document.csaf_version", version))
    assert caught.value.code == "CSAF_VERSION"


@pytest.mark.parametrize(
    ("original", "wanted", "expected"),
    [
        ("T-1", None, "T-1"),
        ("RHSA-2021:5186", None, "RHSA-2021-5186"),
        ("T-1", "EX-2026-0009", "EX-2026-0009"),
        ("x" * 80, None, "x" * 64),
    ],
)
def test_the_id_is_made_of_theirs_or_chosen(original: str, wanted: str | None, expected: str) -> None:
    found = taken(put(source(), "document.tracking.id", original), advisory=wanted)
    assert found.facts.id == expected
    assert found.facts.origin is not None
    assert found.facts.origin.id == original


@pytest.mark.parametrize(("original", "wanted"), [("漢字", None), ("T-1", "no id")])
def test_an_id_that_cannot_be_one_is_refused(original: str, wanted: str | None) -> None:
    with pytest.raises(InputError) as caught:
        taken(put(source(), "document.tracking.id", original), advisory=wanted)
    assert caught.value.code == "BAD_ID"


@pytest.mark.parametrize(
    ("lang", "key"),
    [(None, "en"), ("de", "de"), ("pt-BR", "pt-BR"), ("EN-us", "en"), ("x-private", "en"), ("zh-hans", "zh")],
)
def test_the_texts_stand_under_the_documents_language(lang: str | None, key: str) -> None:
    of = taken(put(source(), "document.lang", lang)).facts
    assert (list(of.texts), of.source_language) == ([key], key)
    made = csaf_document(case.story(of, organisation=case.Organisation()), key, published=False)
    assert made["document"].get("lang") == lang


@pytest.mark.parametrize(
    ("said", "scores", "severity"),
    [
        ("Important", [], Severity.HIGH),
        ("odd", [], Severity.MEDIUM),
        (None, ["CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", VECTOR], Severity.CRITICAL),
        (None, [], Severity.MEDIUM),
    ],
)
def test_the_severity_is_theirs_or_that_of_the_highest_score(
    said: str | None, scores: list[str], severity: Severity
) -> None:
    rated = [{"products": ["x"], "cvss_v3": {"vectorString": vector}} for vector in scores]
    found = taken(put(weakness(scores=rated), "document.aggregate_severity.text", said))
    assert found.facts.severity is severity
    assert [key for key, _ in found.assumed] == ["severity", "action", "phase", "expires_days"]


def test_owners_must_still_be_told_what_no_document_says() -> None:
    of = taken(
        weakness(remediations=[{"category": "vendor_fix", "details": "x", "product_ids": ["p"]}])
    ).facts
    assert of.action is Action.ACT_SOON
    assert of.texts["en"].action == "[what owners must do]"
    assert of.texts["en"].happened == "[what happened, in plain words]"
    assert "notes" not in csaf_document(case.story(of), "en")["document"]


def test_what_the_document_says_already_is_not_said_twice() -> None:
    document = put(source(), "document.notes", [{"category": "summary", "text": "It\n  happened."}])
    document["document"]["publisher"]["contact_details"] = "psirt@them.example.com"
    of = taken(document).facts
    assert (of.texts["en"].happened, of.texts["en"].contact) == ("It happened.", "psirt@them.example.com")
    made = csaf_document(case.story(of, organisation=case.Organisation()), "en", published=False)
    assert made["document"]["notes"] == document["document"]["notes"]


@pytest.mark.parametrize("title", ["Two  blanks\nand a line", "x" * 5_000])
def test_a_title_that_owners_cannot_read_is_kept_for_the_document(title: str) -> None:
    of = taken(put(source(), "document.title", title)).facts
    story = case.story(of, organisation=case.Organisation())
    assert csaf_document(story, "en", published=False)["document"]["title"] == title


def test_an_exercise_stays_one() -> None:
    assert taken(source(), exercise=True).facts.exercise


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"", "NOT_JSON", "expecting value in column 1"),
        (b"{\n\xff}", "NOT_JSON", "the file is not UTF-8 text"),
        (b'{"a": NaN}', "NOT_JSON", "NaN is no number there"),
        (b'{"a": 1, "a": 2}', "NOT_JSON", 'the key "a" stands twice in one object'),
        (b'{"a": ' + b"9" * 101 + b"}", "NOT_JSON", "a number has more than 100 digits"),
        (b"[" * 1_000_000 + b"]" * 1_000_000, "CSAF_TOO_DEEP", "deeper than"),
        (b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), "NOT_CSAF", "it holds no object"),
        (b'{"a":' + b"[" * DEPTH_MAX + b"1" + b"]" * DEPTH_MAX + b"}", "CSAF_TOO_DEEP", "deeper than"),
        (b" " * (DOCUMENT_BYTES_MAX + 1), "CSAF_TOO_BIG", "has more than"),
        (b"[]", "NOT_CSAF", "it holds no object"),
        (b"{}", "NOT_CSAF", "it has no object 'document'"),
        (b"<xml/>", "NOT_JSON", "expecting value"),
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused_in_one_sentence(data: bytes, code: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_csaf(data, where="f.json")
    assert caught.value.code == code
    assert message in caught.value.message
    assert caught.value.where.startswith("f.json")
    assert "\n" not in str(caught.value)


def test_nesting_up_to_the_limit_is_parsed() -> None:
    depth = DEPTH_MAX - 1
    assert parse(b'{"a":' + b"[" * (depth - 1) + b"1" + b"]" * (depth - 1) + b"}", where="f")


def test_a_byte_order_mark_is_no_fault() -> None:
    assert parse(b"\xef\xbb\xbf{}", where="f") == {}
