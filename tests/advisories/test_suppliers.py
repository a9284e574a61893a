"""A supplier's CSAF document: what of it concerns components of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories import suppliers
from advisories.components import Bound
from advisories.suppliers import read_supplied
from keys.errors import InputError

REAL = Path(__file__).parents[3] / "shared" / "vectors" / "advisories"


def document(**more: Any) -> dict[str, Any]:
    return {
        "document": {
            "csaf_version": "2.0",
            "title": "Weakness in libfoo",
            "publisher": {"name": "Example Supplier"},
            "tracking": {"id": "ES-2026-7"},
            "references": [
                {"category": "external", "url": "https://example.com/other", "summary": "x"},
                {"category": "self", "url": "https://example.com/es-2026-7.json", "summary": "x"},
            ],
        },
        "product_tree": {
            "branches": [
                {
                    "category": "vendor",
                    "name": "Example Supplier",
                    "branches": [
                        {
                            "category": "product_name",
                            "name": "libfoo",
                            "branches": [
                                {
                                    "category": "product_version",
                                    "name": "1.2.0",
                                    "product": {"product_id": "P1", "name": "libfoo 1.2.0"},
                                },
                                {
                                    "category": "product_version_range",
                                    "name": "vers:generic/>=2.0|<2.3",
                                    "product": {"product_id": "P2", "name": "libfoo 2"},
                                },
                                {
                                    "category": "product_version_range",
                                    "name": "before the spring release",
                                    "product": {"product_id": "P3", "name": "libfoo old"},
                                },
                            ],
                        }
                    ],
                }
            ],
            "full_product_names": [
                {
                    "product_id": "P4",
                    "name": "libbar",
                    "product_identification_helper": {"purl": "pkg:generic/libbar@4.1?arch=arm"},
                },
                {"product_id": "P5", "name": "libbaz", "product_identification_helper": {"purl": "none"}},
            ],
            "relationships": [
                {
                    "category": "default_component_of",
                    "product_reference": "P1",
                    "relates_to_product_reference": "P4",
                    "full_product_name": {"product_id": "P6", "name": "libfoo in libbar"},
                }
            ],
        },
        "vulnerabilities": [
            {
                "cve": "CVE-2026-11111",
                "product_status": {"known_affected": ["P1", "P2", "P9"], "fixed": ["P5"]},
            },
            {"cve": "CVE-1", "product_status": {"first_affected": ["P3"], "last_affected": ["P4", "P6"]}},
            {"product_status": {"under_investigation": ["P5", "P1"]}},
        ],
        **more,
    }


def read(value: Any) -> suppliers.Supplied:
    return read_supplied(json.dumps(value).encode(), where="s.json")


def test_affected_products_are_components_that_we_may_have() -> None:
    found = read(document())
    assert (found.id, found.publisher) == ("ES-2026-7", "Example Supplier")
    assert found.url == "https://example.com/es-2026-7.json"
    assert found.cves == ("CVE-2026-11111",)
    assert [(w.name, w.bounds, w.purl) for w in found.wanted] == [
        ("libfoo", (Bound("=", "1.2.0"),), None),
        ("libfoo", (Bound(">=", "2.0"), Bound("<", "2.3")), None),
        ("libfoo", None, None),
        ("libbar", (Bound("=", "4.1"),), "pkg:generic/libbar"),
        ("libbaz", None, None),
    ]
    assert [w.why for w in found.wanted][2:] == ["before the spring release", "4.1", "under investigation"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "no CSAF 2.0"),
        (b"{}", "no CSAF 2.0"),
        (b'{"document": {"csaf_version": "1.2"}}', "no CSAF 2.0"),
        (b"[" * 200_000, "nests too deep"),
        (json.dumps(document(vulnerabilities=[])).encode(), "no affected product"),
        (json.dumps(document(product_tree=[])).encode(), "no affected product"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_sentence(data: bytes, why: str) -> None:
    with pytest.raises(InputError) as raised:
        read_supplied(data, where="s.json")
    assert (raised.value.code, raised.value.where) == ("CSAF", "s.json")
    assert why in raised.value.message


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppliers, "PRODUCTS_MAX", 1)
    with pytest.raises(InputError, match="more than 1 products"):
        read(document())
    monkeypatch.setattr(suppliers, "CSAF_BYTES_MAX", 1)
    with pytest.raises(InputError, match="more than 1 bytes"):
        read(document())


def test_words_of_others_cannot_steer() -> None:
    value = document()
    value["document"]["title"] = "\x1b[2J" + "x" * 5_000
    value["document"]["references"] = [{"category": "self", "url": "javascript:alert(1)"}]
    value["document"]["publisher"] = "none"
    value["document"]["tracking"] = {"id": 7}
    found = read(value)
    assert found.title.isprintable()
    assert len(found.title) == 1_024
    assert (found.url, found.publisher, found.id) == (None, "unknown supplier", "without an id")


@pytest.mark.skipif(not REAL.is_dir(), reason="the published documents are not here")
def test_published_documents_are_read() -> None:
    files = sorted(REAL.glob("*.json"))
    assert files
    for file in files:
        found = read_supplied(file.read_bytes(), where=file.name)
        assert found.wanted
        assert found.url
        assert found.url.startswith("https://")
        assert all(wanted.name for wanted in found.wanted)


JUNK = st.recursive(
    st.none() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "branches",
                    "product",
                    "product_id",
                    "name",
                    "category",
                    "relationships",
                    "cve",
                    "product_status",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(JUNK, JUNK, JUNK)
def test_any_document_is_read_or_refused(tree: Any, weaknesses: Any, references: Any) -> None:
    value = document(product_tree=tree, vulnerabilities=weaknesses)
    value["document"]["references"] = references
    code = "CSAF"
    try:
        read(value)
    except InputError as error:
        code = error.code
    assert code == "CSAF"
