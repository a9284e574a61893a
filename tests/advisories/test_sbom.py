"""Lists of components: three forms read alike, and hostile files refused with one sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories import sbom
from advisories.sbom import Component, Sbom, encode, load_sbom, merge, read_sbom
from keys.errors import InputError

FOO = Component(
    name="libfoo",
    version="1.2.0",
    purl="pkg:generic/libfoo@1.2.0",
    cpe="cpe:2.3:a:example:libfoo:1.2.0:*:*:*:*:*:*:*",
)
BAR = Component(name="bar")


def cyclonedx(*components: Any, version: str = "1.6", **more: Any) -> bytes:
    head = {"bomFormat": "CycloneDX", "specVersion": version}
    return json.dumps({**head, "components": [*components], **more}).encode()


def spdx(*packages: Any, version: str = "SPDX-2.3") -> bytes:
    return json.dumps({"spdxVersion": version, "packages": [*packages]}).encode()


TAG_VALUE = f"""\
SPDXVersion: SPDX-2.2
# written by a build
DataLicense: CC0-1.0
PackageName: libfoo
PackageVersion: 1.2.0
PackageComment: <text>Two lines,
PackageName: not a package
</text>
ExternalRef: PACKAGE_MANAGER purl {FOO.purl}
ExternalRef: SECURITY cpe23Type {FOO.cpe}
ExternalRef: OTHER something else
FileName: ./src/foo.c
PackageName: bar
PackageVersion: NOASSERTION
"""
FOO_JSON = {"type": "library", "name": "libfoo", "version": "1.2.0", "purl": FOO.purl, "cpe": FOO.cpe}
FOO_SPDX = {
    "name": "libfoo",
    "versionInfo": "1.2.0",
    "externalRefs": [
        {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": FOO.purl},
        {"referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": FOO.cpe},
    ],
}
FORMS = {
    **{f"CycloneDX {v}": cyclonedx(FOO_JSON, {"name": "bar"}, version=v) for v in ("1.4", "1.5", "1.6")},
    **{f"SPDX {v}": spdx(FOO_SPDX, {"name": "bar"}, version=f"SPDX-{v}") for v in ("2.2", "2.3")},
    "SPDX 2.2 ": TAG_VALUE.encode(),
    "SPDX 2.3 ": b"\xef\xbb\xbf" + TAG_VALUE.replace("2.2", "2.3").replace("\n", "\r\n").encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_components(form: str) -> None:
    found = read_sbom(FORMS[form], where="x")
    assert found == Sbom(format=form.strip(), components=(BAR, FOO))
    assert load_sbom(encode(found)) == found
    assert encode(load_sbom(encode(found))) == encode(found)


def test_components_inside_components_and_inside_the_product_are_found() -> None:
    nested = {"name": "a", "components": [{"name": "b", "components": [{"group": "g", "name": "c"}]}]}
    product = {"component": {"name": "thermostat", "version": "1.4.2", "components": [{"name": "d"}]}}
    found = read_sbom(cyclonedx(nested, metadata=product), where="x")
    assert [component.name for component in found.components] == ["a", "b", "d", "g/c"]


def test_what_is_no_name_or_address_is_passed_over_and_told() -> None:
    found = read_sbom(
        cyclonedx(
            {"name": 7},
            {"name": "\x1b[2J"},
            {"version": "1"},
            {"name": "n" * 1_025},
            {"name": "x", "version": 3, "purl": "not one", "cpe": "neither"},
            {"name": "y", "version": "unknown", "purl": "NOASSERTION"},
            {"name": "z", "purl": "pkg:PyPI/Z_z@1.0?b=2&a=1"},
        ),
        where="x",
    )
    assert [(c.name, c.version, c.purl) for c in found.components] == [
        ("x", "", None),
        ("y", "", None),
        ("z", "", "pkg:pypi/z-z@1.0?a=1&b=2"),
    ]
    assert found.notes == (
        "4 components without a name that can be read are left out.",
        "1 components have a version that is no text.",
        "1 components have a package URL that is none.",
        "1 components have a CPE that is none.",
    )


def test_several_files_make_one_list() -> None:
    one, two = read_sbom(FORMS["CycloneDX 1.6"], where="x"), read_sbom(TAG_VALUE.encode(), where="y")
    assert merge([one, two, one]) == Sbom(format="CycloneDX 1.6 + SPDX 2.2", components=(BAR, FOO))


DEEP: dict[str, Any] = {"name": "x"}
for _ in range(sbom.DEPTH_MAX + 1):
    DEEP = {"name": "x", "components": [DEEP]}
HOSTILE = {
    "empty": (b"", "neither CycloneDX nor SPDX"),
    "words": (b"Dear reader,\nnothing here.", "neither CycloneDX nor SPDX"),
    "xml": (b"<?xml version='1.0'?><bom/>", "neither CycloneDX nor SPDX"),
    "list": (b"[]", "neither CycloneDX nor SPDX"),
    "other": (b'{"a": 1}', "neither CycloneDX nor SPDX"),
    "not UTF-8": (b"\xff\xfe{}", "not UTF-8"),
    "half": (b'{"bomFormat": "CycloneDX",\n', "not JSON"),
    "deep JSON": (b"[" * 200_000, "nests too deep"),
    "deep components": (cyclonedx(DEEP), "nests too deep"),
    "huge number": (b'{"a": ' + b"9" * 5_000 + b"}", "not JSON"),
    "old": (cyclonedx(version="1.3"), "CycloneDX 1.3"),
    "new": (cyclonedx(version="\u0007"), "CycloneDX \\x07"),
    "a version that is a list": (b'{"bomFormat":"CycloneDX","specVersion":[]}', "CycloneDX []"),
    "a version that is a map": (b'{"spdxVersion":{}}', "It is {}"),
    "no end, and long": (b"SPDXVersion: SPDX-2.3\nPackageComment: <text>" + b"x\n" * 300_000, "has no end"),
    "spdx 3": (b'{"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}', "SPDX 3"),
    "spdx other": (spdx(version="SPDX-2.1"), "SPDX-2.1"),
    "spdx tags other": (b"SPDXVersion: SPDX-2.1\n", "SPDX-2.1"),
    "not objects": (cyclonedx(1, 2), "'components' is not a list of objects"),
    "not a list": (b'{"bomFormat":"CycloneDX","specVersion":"1.6","components":{}}', "'components' is not"),
    "packages": (b'{"spdxVersion":"SPDX-2.3","packages":"x"}', "'packages' is not a list"),
    "references": (spdx({"name": "x", "externalRefs": 1}), "'externalRefs' is not a list"),
    "no end": (b"SPDXVersion: SPDX-2.3\nPackageComment: <text>on and on", "<text> has no end"),
    "two parts": (b"SPDXVersion: SPDX-2.3\nPackageName: x\nExternalRef: purl pkg:a/b\n", "three parts"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_one_sentence(name: str) -> None:
    data, why = HOSTILE[name]
    with pytest.raises(InputError) as raised:
        read_sbom(data, where="sbom.json")
    assert raised.value.code == "SBOM"
    assert why in raised.value.message
    assert raised.value.message.isprintable()
    assert raised.value.where.startswith("sbom.json")


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbom, "COMPONENTS_MAX", 3)
    rows = [{"name": f"n{number}"} for number in range(4)]
    assert len(read_sbom(cyclonedx(*rows[:3]), where="x").components) == 3
    with pytest.raises(InputError, match="more than 3 components"):
        read_sbom(cyclonedx(*rows), where="x")
    monkeypatch.setattr(sbom, "SBOM_BYTES_MAX", 10)
    with pytest.raises(InputError, match="more than 10 bytes"):
        read_sbom(b" " * 11, where="x")


def check_read(data: bytes) -> None:
    """What is read can be stored; anything else is refused under its own code."""
    code = "SBOM"
    try:
        found = read_sbom(data, where="x")
        assert load_sbom(encode(found)) == found
    except InputError as error:
        code = error.code
    assert code == "SBOM"


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "version", "purl", "components", "externalRefs", "packages", "metadata"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(ANY, ANY, st.sampled_from(["CycloneDX", "SPDX"]))
def test_any_json_is_read_or_refused(components: Any, more: Any, form: str) -> None:
    head = (
        {"bomFormat": "CycloneDX", "specVersion": "1.5", "components": components, "metadata": more}
        if form == "CycloneDX"
        else {"spdxVersion": "SPDX-2.3", "packages": components, "x": more}
    )
    check_read(json.dumps(head).encode())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: f"SPDXVersion: SPDX-2.3\n{t}".encode()))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    check_read(data)
