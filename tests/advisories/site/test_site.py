"""The public site: every file follows from what was published, and none says more."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from markupsafe import escape

from advisories.compose import compose
from advisories.facts import Facts
from advisories.facts.matter import Contact, ContactKind, Publisher
from advisories.notice import Phase, Text, check_code
from advisories.organisation import Organisation
from advisories.site import provider
from advisories.site.build import build
from advisories.site.edition import Edition, Site, site_words
from keys.codec import dump, load

NOW = 1_795_348_800
LANGUAGES = ("en", "de", "fr", "es", "it", "pl", "ja", "zh", "ar")


def csaf(advisory: str, language: str, day: str = "2026-11-22") -> bytes:
    tracking = {
        "id": f"{advisory}-{language}",
        "initial_release_date": f"{day}T09:00:00Z",
        "current_release_date": f"{day}T10:00:00Z",
    }
    return json.dumps({"document": {"title": "Please install", "tracking": tracking}}).encode()


def edition(facts: Facts, revision: int = 1, issued: int = NOW, phase: Phase = Phase.INITIAL) -> Edition:
    made = compose(facts, fleet=bytes(32), issued=issued, revision=revision, exercise=True, version=issued)
    header = replace(made.header, phase=phase)
    texts = {language: load(Text, data, size_max=1_024) for language, data in made.texts.items()}
    digest = hashlib.sha256(dump(header)).digest()
    pages = {f"{tag}/web.html": f"<p>{tag} {check_code(digest)}</p>".encode() for tag in texts}
    documents = {tag: csaf(facts.id, tag) for tag in texts}
    return Edition(notice=header, digest=digest, texts=texts, pages=pages, csaf=documents, document=b"cose")


@pytest.fixture(scope="module")
def site(example: Facts) -> Site:
    return Site(
        organisation=Organisation(
            name="Example <b>",
            policy="https://example.com/policy",
            publisher=Publisher(name="Example", namespace="https://example.com", contact="psirt@example.com"),
            contacts=(
                Contact(kind=ContactKind.PAGE, value="https://example.com/contact"),
                Contact(kind=ContactKind.PAGE, value="http://example.com/plain"),
                Contact(kind=ContactKind.MAIL, value="psirt@example.com"),
                Contact(kind=ContactKind.POST, value="Example street 1"),
            ),
        ),
        base="https://example.com/security",
        editions=(edition(example), edition(example, 2, NOW + 86_400, Phase.RESOLVED)),
        languages=LANGUAGES,
        now=NOW,
    )


def test_every_link_of_every_page_leads_to_a_file(site: Site) -> None:
    files = build(site)
    for path, data in files.items():
        if not path.endswith(("index.html", "check.html")):
            continue
        folder = path.rpartition("/")[0].split("/") if "/" in path else []
        for link in re.findall(r'href="([^"]+)"', data.decode()):
            if link.startswith("https://"):
                continue
            steps = list(folder)
            for step in link.split("/"):
                if step == "..":
                    steps.pop()
                else:
                    steps.append(step)
            assert "/".join(steps) in files, (path, link)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_check_page_knows_every_revision_and_says_what_a_code_is_worth(site: Site, language: str) -> None:
    page = build(site)[f"{language}/check.html"].decode()
    for each in site.editions:
        assert f'id="{each.code}"' in page
        assert escape(each.text(language).action) in page
    say = site_words(language)
    assert escape(say["check_warning"]) in page
    assert page.count(say["current"]) == page.count(say["replaced"]) == 1
    assert ('dir="rtl"' in page) is (language == "ar")
    assert f'<html lang="{language}"' in page
    assert "<script" not in page


def test_matters_stand_under_open_or_closed(site: Site) -> None:
    page = build(site)["en/index.html"].decode()
    assert "Closed matters" in page
    assert "Open matters" not in page
    only_first = build(replace(site, editions=site.editions[:1]))["en/index.html"].decode()
    assert "Open matters" in only_first
    assert "There are no notices." in build(replace(site, editions=()))["en/index.html"].decode()


def test_words_of_others_cannot_become_markup(site: Site) -> None:
    files = build(site)
    assert b"Example <b>" not in files["en/index.html"]
    assert b"Example &lt;b&gt;" in files["en/index.html"]


def test_the_feed_has_an_entry_for_each_revision_the_newest_first(site: Site) -> None:
    root = ET.fromstring(build(site)["de/feed.atom"])
    name = "{http://www.w3.org/2005/Atom}"
    assert root.findtext(f"{name}updated") == "2026-11-23T12:00:00Z"
    entries = root.findall(f"{name}entry")
    assert [entry.findtext(f"{name}updated") for entry in entries] == [
        "2026-11-23T12:00:00Z",
        "2026-11-22T12:00:00Z",
    ]
    assert all(
        site_edition.code in (entries[1 - n].findtext(f"{name}title") or "")
        for n, site_edition in enumerate(site.editions)
    )
    ids = {entry.findtext(f"{name}id") for entry in entries}
    assert len(ids) == 2


def test_security_txt_has_what_rfc_9116_asks_for(site: Site) -> None:
    lines = build(site)[".well-known/security.txt"].decode().splitlines()
    assert lines[0] == "Contact: mailto:psirt@example.com"
    assert "Contact: https://example.com/contact" in lines
    assert "Expires: 2027-09-18T12:00:00Z" in lines
    assert "Canonical: https://example.com/security/.well-known/security.txt" in lines
    assert "CSAF: https://example.com/security/.well-known/csaf/provider-metadata.json" in lines
    assert not any("street" in line or "http:" in line for line in lines)
    silent = replace(site, organisation=Organisation())
    assert ".well-known/security.txt" not in build(silent)
    assert not any("csaf/" in path for path in build(silent))


def test_the_provider_tree_lists_hashes_and_dates_every_document(site: Site) -> None:
    files = {p.removeprefix(".well-known/csaf/"): d for p, d in build(site).items() if "known/csaf" in p}
    path = "white/2026/ex-2026-0001-de.json"
    digest = hashlib.sha512(files[path]).hexdigest()
    assert files[f"{path}.sha512"].decode() == f"{digest}  ex-2026-0001-de.json\n"
    assert files["white/index.txt"].decode().splitlines() == sorted(
        p.removeprefix("white/") for p in files if p.endswith(".json") and "/2026/" in p
    )
    changes = files["white/changes.csv"].decode().splitlines()
    assert '"2026/ex-2026-0001-de.json","2026-11-22T10:00:00Z"' in changes
    feed = json.loads(files["white/feed-tlp-white.json"])["feed"]
    assert len(feed["entry"]) == len(site.editions[-1].csaf)
    assert feed["updated"] == "2026-11-22T10:00:00Z"
    metadata = json.loads(files["provider-metadata.json"])
    assert metadata["role"] == "csaf_provider"
    assert metadata["list_on_CSAF_aggregators"] is False  # an exercise is nobody's news


def test_only_signatures_make_a_trusted_provider(site: Site) -> None:
    listed = provider.documents(site)
    signatures = {each.path: b"-----BEGIN PGP SIGNATURE-----" for each in listed}
    signed = provider.tree(replace(site, openpgp=b"key"), signatures)
    metadata = json.loads(signed[".well-known/csaf/provider-metadata.json"])
    assert metadata["role"] == "csaf_trusted_provider"
    assert metadata["public_openpgp_keys"][0]["url"].endswith("/openpgp/key.asc")
    assert signed[f".well-known/csaf/{listed[0].path}.asc"].startswith(b"-----BEGIN")
    with pytest.raises(ValueError, match="public key"):
        provider.tree(site, signatures)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"document": 1}', b'{"document": {"tracking": {}}}'])
def test_what_is_no_csaf_is_refused(site: Site, data: bytes) -> None:
    broken = replace(site, editions=(replace(site.editions[0], csaf={"en": data}),))
    with pytest.raises(ValueError, match="no CSAF document"):
        build(broken)


def test_two_documents_never_lie_at_one_path(site: Site) -> None:
    same = replace(site.editions[0], csaf={"en": csaf("A", "x"), "de": csaf("A", "x")})
    with pytest.raises(ValueError, match=r"at white/2026/a-x\.json"):
        build(replace(site, editions=(same,)))


@pytest.mark.parametrize(
    ("tracking", "name"),
    [
        ("EX-2026-0001", "ex-2026-0001.json"),
        ("RHSA-2026:1 (x)", "rhsa-2026_1_x_.json"),
        ("Öl+1", "_l+1.json"),
    ],
)
def test_file_names_follow_the_standard(tracking: str, name: str) -> None:
    assert provider.filename(tracking) == name


def test_every_language_has_every_word() -> None:
    for language in LANGUAGES:
        assert site_words(language).keys() == site_words("en").keys()
        assert "{name}" in site_words(language)["title"]
        assert "{number}" in site_words(language)["revision"]
    assert site_words("sv") == site_words("en")
    assert site_words("de-AT") == site_words("de")


def test_the_same_editions_give_the_same_bytes(site: Site) -> None:
    assert build(site) == build(site)
