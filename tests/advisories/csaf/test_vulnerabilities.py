"""Products, their status and what is told of each weakness."""

from typing import Any

import pytest

from advisories.csaf import csaf_document
from advisories.csaf.tree import vers
from advisories.facts import Facts, load_facts
from advisories.versions import parse_range
from keys.errors import InputError
from tests.advisories.csaf import csaf_case as case

RANGE = "thermostat:vers:generic/>=1.0.0|<1.4.2"
AFFECTED = [RANGE, "thermostat:1.0.0", "thermostat:1.4.1"]
FIXED = ["thermostat:1.4.2", "thermostat:1.5.0"]
ONE = {"thermostat": {"affected": [">=1.0.0 <1.4.2"], "fixed": "1.4.2"}}
PART = {
    "name": "Part 3",
    "branches": [{"category": "vendor", "name": "Maker"}, {"category": "product_name", "name": "Part"}],
}


def document(language: str = "en", **more: Any) -> dict[str, Any]:
    made = csaf_document(case.story(case.facts(**{"products": ONE, **more})), language)
    assert case.faults(made) == []
    return made


def only(**more: Any) -> dict[str, Any]:
    found = document(**more)["vulnerabilities"]
    assert len(found) == 1
    return dict(found[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (">=1.0.0 <1.4.2", "vers:generic/>=1.0.0|<1.4.2"),
        ("<1.4.2", "vers:generic/<1.4.2"),
        (">=2.0.0", "vers:generic/>=2.0.0"),
        ("=1.3.0", "vers:generic/1.3.0"),
        ("=1.3.0+7", "vers:generic/1.3.0%2B7"),
        ("*", "vers:generic/*"),
    ],
)
def test_a_range_is_written_as_a_version_range_specifier(text: str, expected: str) -> None:
    assert vers(parse_range(text)) == expected


def test_status_follows_from_the_products() -> None:
    assert only()["product_status"] == {
        "known_affected": AFFECTED,
        "first_fixed": FIXED[:1],
        "fixed": FIXED,
        "known_not_affected": ["thermostat:0.9.0"],
    }


def test_without_a_weakness_of_its_own_the_text_tells_it() -> None:
    found = only()
    assert found["title"] == "Please install the update (en)"
    assert found["notes"] == [
        {"category": "description", "text": "A weakness lets strangers change settings (en)."}
    ]


def test_a_false_alarm_concerns_no_version() -> None:
    found = only(products={"thermostat": {"affected": []}}, phase="withdrawn")
    assert list(found["product_status"]) == ["known_not_affected"]
    assert "remediations" not in found
    assert found["threats"][0]["details"] == "This version is not among the affected ones."
    nothing = csaf_document(
        case.story(case.facts(products={"lamp": {"affected": []}})), "en"
    )  # a product that the registry does not know
    assert nothing["product_tree"]["branches"] == [
        {
            "category": "vendor",
            "name": "Example Devices",
            "branches": [
                {
                    "category": "product_name",
                    "name": "lamp",
                    "product": {"name": "Example Devices lamp", "product_id": "lamp"},
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("fix", "fixed", "category", "details", "date"),
    [
        (None, "1.4.2", "vendor_fix", "Install version 1.4.2 or a later one on Thermostat.", None),
        (
            {"available": "2026-11-20T10:00:00+01:00"},
            "1.4.2",
            "vendor_fix",
            "Install version 1.4.2 or a later one on Thermostat.",
            "2026-11-20T10:00:00+01:00",
        ),
        (None, None, "none_available", "There is no fixed version yet.", None),
        (
            {"available": "2026-12-01T00:00:00Z"},
            None,
            "none_available",
            "There is no fixed version yet; one is planned.",
            "2026-12-01T00:00:00Z",
        ),
        ({"planned": False}, None, "no_fix_planned", "There will be no fixed version.", None),
    ],
)
def test_the_remedy_is_what_the_facts_say_of_the_fix(
    fix: dict[str, Any] | None, fixed: str | None, category: str, details: str, date: str | None
) -> None:
    products = {"thermostat": {"affected": [">=1.0.0 <1.4.2"], **({"fixed": fixed} if fixed else {})}}
    (found,) = only(products=products, **({"fix": fix} if fix else {}))["remediations"]
    assert (found["category"], found["details"], found.get("date")) == (category, details, date)
    assert "url" not in found


def test_a_workaround_is_a_remedy_of_its_own_in_the_readers_language() -> None:
    texts = {"en": case.words("en"), "de": case.words("de", workaround="Schalten Sie es ab.")}
    german = document("de", texts=texts)["vulnerabilities"][0]["remediations"]
    assert german[-1] == {"category": "workaround", "details": "Schalten Sie es ab.", "product_ids": AFFECTED}
    assert [
        part["category"] for part in document("en", texts=texts)["vulnerabilities"][0]["remediations"]
    ] == ["vendor_fix"]


def test_an_answer_that_was_written_is_not_given_twice() -> None:
    remedies = [
        {
            "category": "vendor_fix",
            "details": "Let us send a technician.",
            "entitlements": ["With a contract."],
            "restart": {"category": "machine", "details": "All of it."},
            "date": "2026-11-20T09:00:00Z",
            "url": "https://example.com/technician",
        }
    ]
    (found,) = only(vulnerabilities=[{"cve": "CVE-2026-10001", "remedies": remedies}])["remediations"]
    assert found["product_ids"] == AFFECTED
    assert found["restart_required"] == {"category": "machine", "details": "All of it."}
    assert found["entitlements"] == ["With a contract."]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            {"known-affected": ["thermostat"]},
            {
                "known_affected": AFFECTED,
                "first_fixed": FIXED[:1],
                "fixed": FIXED,
                "known_not_affected": ["thermostat:0.9.0"],
            },
        ),
        (
            {"known-not-affected": ["thermostat"]},
            {"known_not_affected": [*AFFECTED, *FIXED, "thermostat:0.9.0"]},
        ),
        (
            {"known-affected": ["part"], "under-investigation": ["thermostat"]},
            {"known_affected": ["part"], "under_investigation": [*AFFECTED, *FIXED, "thermostat:0.9.0"]},
        ),
        (
            {
                "known-affected": ["thermostat", "part"],
                "known-not-affected": ["thermostat"],
                "recommended": ["thermostat"],
            },
            {
                "known_affected": ["part", *AFFECTED],
                "first_fixed": FIXED[:1],
                "fixed": FIXED,
                "known_not_affected": ["thermostat:0.9.0"],
                "recommended": FIXED,
            },
        ),
    ],
)
def test_a_product_of_ours_stands_for_its_versions(status: dict[str, Any], expected: dict[str, Any]) -> None:
    found = only(
        named_products={"part": PART}, vulnerabilities=[{"cve": "CVE-2026-10001", "status": status}]
    )["product_status"]
    assert {key: sorted(ids) for key, ids in found.items()} == {k: sorted(ids) for k, ids in expected.items()}


def test_products_of_others_keep_their_place_their_marks_and_their_relations() -> None:
    helper = {
        "cpe": "cpe:2.3:a:maker:part:3:*:*:*:*:*:*:*",
        "purl": "pkg:generic/part@3",
        "hashes": [{"filename": "part.bin", "hashes": {"sha256": "ab" * 32}}],
        "model_numbers": ["P3"],
        "serial_numbers": ["1"],
        "skus": ["S"],
        "sbom_urls": ["https://example.com/sbom"],
        "uris": [{"namespace": "https://example.com/ns", "uri": "urn:part:3"}],
    }
    named = {
        "part": PART,
        "part4": {**PART, "name": "Part 4", "identification": helper},
        "loose": {"name": "Loose part"},
        "both": {
            "name": "Part in thermostat",
            "relation": {"category": "default_component_of", "product": "part", "of": "thermostat"},
        },
        RANGE: {"name": "A name that is taken"},
    }
    groups = {"all": {"products": ["part", "thermostat"], "summary": "All"}, "one": {"products": ["part"]}}
    weakness = {
        "cve": "CVE-2026-10001",
        "status": {"known-affected": ["part", "part4", "loose", "both", RANGE, "thermostat"]},
        "threats": [
            {"category": "impact", "details": "Bad.", "groups": ["all", "one"], "products": ["part4"]}
        ],
    }
    made = document(named_products=named, groups=groups, vulnerabilities=[weakness])
    tree, (found,) = made["product_tree"], made["vulnerabilities"]
    parts = next(branch for branch in tree["branches"] if branch["name"] == "Maker")["branches"]
    assert [part["product"]["product_id"] for part in parts] == ["part", "part4"]
    shown = parts[1]["product"]["product_identification_helper"]
    assert shown["hashes"] == [
        {"filename": "part.bin", "file_hashes": [{"algorithm": "sha256", "value": "ab" * 32}]}
    ]
    assert shown["x_generic_uris"] == helper["uris"]
    assert [name["product_id"] for name in tree["full_product_names"]] == ["loose", RANGE]
    (relation,) = tree["relationships"]
    assert relation["product_reference"] == "part"
    assert (
        relation["relates_to_product_reference"] == f"{RANGE}'"
    )  # ours makes way for the name that is taken
    assert [group["group_id"] for group in tree["product_groups"]] == ["all"]
    assert found["threats"][0] == {
        "category": "impact",
        "details": "Bad.",
        "group_ids": ["all"],
        "product_ids": ["part4", "part"],
    }


@pytest.mark.parametrize(
    ("exploited", "details"),
    [
        ("active", "Diese Schwachstelle wird für Angriffe genutzt."),
        ("suspected", "Es gibt Anzeichen, dass diese Schwachstelle für Angriffe genutzt wird."),
        ("none-known", "Es ist kein Angriff bekannt, der diese Schwachstelle nutzt."),
        ("unknown", None),
    ],
)
def test_exploitation_is_told_in_the_readers_language(exploited: str, details: str | None) -> None:
    weakness = {"cve": "CVE-2026-10001", "exploited": exploited, "exploited_since": "2026-11-18"}
    found = document("de", vulnerabilities=[weakness])["vulnerabilities"][0]["threats"]
    told = [part for part in found if part["category"] == "exploit_status"]
    assert [part["details"] for part in told] == ([details] if details else [])
    assert all(part["date"] == "2026-11-18T00:00:00Z" for part in told)


def test_vex_has_four_statuses_a_number_and_a_reason_for_each_product() -> None:
    of = case.facts(products=ONE)
    made = csaf_document(case.story(of), "en", profile="vex")
    assert case.faults(made) == []
    (found,) = made["vulnerabilities"]
    assert found["ids"] == [{"system_name": "Example Devices", "text": "EX-2026-0001/1"}]
    assert set(found["product_status"]) == {"known_affected", "fixed", "known_not_affected"}


@pytest.mark.parametrize(
    ("weakness", "lacks"),
    [
        ({"status": {"known-affected": ["part"]}}, "a remedy for 'part' (vulnerability 1)"),
        ({"status": {"known-not-affected": ["part"]}}, "a flag or an impact statement why 'part' is safe"),
        ({"status": {"recommended": ["part"]}}, "a product that is affected, fixed, not affected"),
    ],
)
def test_vex_that_lacks_something_is_refused(weakness: dict[str, Any], lacks: str) -> None:
    of = case.facts(named_products={"part": PART}, products={}, vulnerabilities=[weakness])
    with pytest.raises(InputError, match="The profile 'vex' needs") as caught:
        csaf_document(case.story(of), "en", profile="vex")
    assert lacks in caught.value.message


def test_a_flag_or_group_is_a_reason_too() -> None:
    part = {**PART, "name": "Other"}
    weakness = {
        "status": {"known-not-affected": ["part", "other"], "known-affected": ["third"]},
        "flags": [{"label": "component_not_present", "groups": ["two"], "date": "2026-11-18T00:00:00Z"}],
        "remedies": [{"category": "workaround", "details": "Unplug it.", "products": ["third"]}],
    }
    of = case.facts(
        products={},
        named_products={"part": PART, "other": part, "third": part},
        groups={"two": {"products": ["part", "other"]}},
        vulnerabilities=[weakness],
    )
    assert case.faults(csaf_document(case.story(of), "en", profile="vex")) == []


def test_a_flag_without_products_is_about_all_that_are_safe() -> None:
    found = only(vulnerabilities=[{"cve": "CVE-2026-10001", "flags": [{"label": "component_not_present"}]}])
    assert found["flags"] == [{"label": "component_not_present", "product_ids": ["thermostat:0.9.0"]}]


def test_only_looked_into_is_no_advisory_yet() -> None:
    weakness = {"cve": "CVE-2026-10001", "status": {"under-investigation": ["thermostat"]}}
    assert document(vulnerabilities=[weakness])["document"]["category"] == "csaf_base"


BAD = [
    ({"cve": "2026-1"}, "'2026-1' is not a number such as CVE-2026-12345"),
    ({"cwe": {"id": "79", "name": "x"}}, "is not a number such as CWE-79"),
    ({"scores": [{"products": ["a"], "v3": "AV:N"}]}, "is no CVSS vector"),
    (
        {"scores": [{"products": ["a"], "v2": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]},
        "is of CVSS 3.1",
    ),
    ({"references": [{"url": "page", "summary": "x"}]}, "is not an address"),
    ({"remedies": [{"category": "vendor-fix", "details": "x"}]}, "Did you mean 'vendor_fix'?"),
    ({"notes": [{"category": "summary", "text": ""}]}, "notes.0.text: it is empty."),
]


@pytest.mark.parametrize(("weakness", "message"), BAD)
def test_what_no_document_may_hold_is_refused_where_it_is_written(
    weakness: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        case.facts(vulnerabilities=[weakness])
    assert message in str(caught.value)


def test_the_example_becomes_a_document_in_each_of_its_languages() -> None:
    path = case.ROOT / "examples" / "advisories" / "EX-2026-0001.yaml"
    of: Facts = load_facts(path.read_bytes(), where=path.name)
    for language in of.texts:
        assert case.faults(csaf_document(case.story(of), language)) == []
