"""``tocsin site build`` through the front door: only what was approved, only in a folder of its own."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pysequoia
import pytest

from gateway.operations import advisories
from gateway.operations.trust.choosing import signer_for
from gateway.workspace.folder import Workspace
from tests.cli.conftest import ADVISORY, Tocsin, no_passphrase, snapshot

BASE = "https://notices.example.com/sec"
ORGANISATION = f"""\
name: Example Devices
site: {BASE}/
policy: https://example.com/policy
publisher: {{name: Example Devices, category: vendor, namespace: "https://example.com", contact: psirt@example.com}}
contacts:
  - {{kind: mail, value: psirt@example.com}}
"""
SECRET = "A weakness could let strangers"


@pytest.fixture(scope="module")
def published(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "fleet"
    shutil.copytree(template, path)
    workspace = Workspace.open(path)
    (path / "organisation.yaml").write_text(ORGANISATION)
    now = (path / "store.sqlite").stat().st_mtime_ns // 10**9
    for role in ("engineering", "legal", "communications"):
        reviewed = advisories.review(workspace, ADVISORY, now=now)
        advisories.approve(workspace, reviewed, role, no_passphrase)
    operator = signer_for(workspace, "operator", no_passphrase)
    advisories.publish(workspace, ADVISORY, operator, now=now)
    return path


@pytest.fixture
def fleet(published: Path, tmp_path: Path) -> Path:
    shutil.copytree(published, tmp_path / "fleet")
    return tmp_path / "fleet"


def links(page: Path) -> Iterator[str]:
    yield from re.findall(r'(?:href|src)="([^"#]+)', page.read_text("utf-8"))


def test_every_link_of_every_page_leads_to_a_file(tocsin: Tocsin, fleet: Path, tmp_path: Path) -> None:
    ran = tocsin("site", "build", "public", "-w", fleet, "--json")
    public = tmp_path / "public"
    assert (ran.status, ran.err) == (0, "")
    assert ran.json == {
        "folder": "public",
        "files": sum(path.is_file() for path in public.rglob("*")) - 1,
        "notices": [ADVISORY],
        "documents": 9,
        "signed": False,
        "left_out": {},
    }
    pages = [*public.rglob("*.html")]
    assert len(pages) == 1 + 2 * 3 + 2 * 2 * 9  # root; lists and codes in three languages; pages in nine
    for page in pages:
        for link in links(page):
            if link.startswith(BASE):
                assert (public / link.removeprefix(BASE).lstrip("/")).is_file(), (page, link)
            elif ":" not in link:
                assert (page.parent / link).resolve().is_file(), (page, link)
    code = re.search(r'id="([0-9A-Z]{3}-[0-9A-Z]{3})"', (public / "en/check.html").read_text("utf-8"))
    assert code is not None
    assert code[1] in (public / f"notices/{ADVISORY}/r1/de/web.html").read_text("utf-8")
    again = snapshot(public)
    assert "97 files" in tocsin("site", "build", "public", "-w", fleet).out
    assert snapshot(public).keys() == again.keys()


def test_a_signed_tree_verifies_with_the_key_it_names(tocsin: Tocsin, fleet: Path, tmp_path: Path) -> None:
    key = pysequoia.Tsk.generate("Example PSIRT <psirt@example.com>")
    (tmp_path / "key.asc").write_text(str(key))
    ran = tocsin("site", "build", "public", "--openpgp-key", "key.asc", "-w", fleet, "--json")
    assert (ran.status, ran.json["signed"]) == (0, True)
    tree = tmp_path / "public/.well-known/csaf"
    metadata = json.loads((tree / "provider-metadata.json").read_bytes())
    assert metadata["role"] == "csaf_trusted_provider"
    url = metadata["public_openpgp_keys"][0]["url"]
    named = (tmp_path / "public" / url.removeprefix(f"{BASE}/")).read_bytes()
    assert b"PRIVATE" not in named
    certificate = pysequoia.Cert.from_bytes(named)
    assert certificate.fingerprint == key.extract_certificate().fingerprint
    documents = [path for path in tree.rglob("*.json") if path.parent.name.isdecimal()]
    assert len(documents) == 9
    for document in documents:
        seal = pysequoia.Sig.from_bytes(document.with_name(f"{document.name}.asc").read_bytes())
        checked = pysequoia.verify(document.read_bytes(), lambda _: [certificate], signature=seal)
        assert [sig.certificate for sig in checked.valid_sigs] == [certificate.fingerprint]
    assert "PRIVATE" not in "".join(path.read_text("utf-8", "replace") for path in tree.rglob("*.*"))
    files = sorted(path for path in (tmp_path / "public").rglob("*") if path.is_file())
    names = {str(path.relative_to(tmp_path / "public")): path for path in files}
    sums = "".join(  # what sha256sum prints of them
        f"{hashlib.sha256(names[name].read_bytes()).hexdigest()}  {name}\n"
        for name in sorted(names.keys() - {".tocsin-site.json"})
    )
    (row,) = tocsin("audit", "list", "--kind", "site.", "-w", fleet, "--json").json["rows"]
    assert row["data"] == {
        "by": getpass.getuser(),
        "digest": hashlib.sha256(sums.encode()).hexdigest(),
        "files": ran.json["files"],
        "left_out": [],
        "notices": ran.json["notices"],
        "signed": True,
    }
    plain = tocsin("site", "build", "public", "--by", "anna", "-w", fleet)
    assert "not signed" in plain.out
    assert not [*tree.rglob("*.asc")]  # signatures that nobody made anew do not stay
    rows = tocsin("audit", "list", "--kind", "site.", "-w", fleet, "--json").json["rows"]
    assert [(row["data"]["by"], row["data"]["signed"]) for row in rows[1:]] == [("anna", False)]


def test_a_key_that_cannot_sign_is_refused(tocsin: Tocsin, fleet: Path, tmp_path: Path) -> None:
    key = pysequoia.Tsk.generate("Example <psirt@example.com>")
    (tmp_path / "public.asc").write_text(str(key.extract_certificate()))
    (tmp_path / "cut").write_bytes(bytes(key)[:200])
    (tmp_path / "junk").write_bytes(os.urandom(3_000))
    (tmp_path / "empty").touch()
    for name in ("public.asc", "cut", "junk", "empty", "none", ".", fleet / "keys" / "operator.pem"):
        ran = tocsin("site", "build", "public", "--openpgp-key", name, "-w", fleet, "--json")
        code = ran.json["error"]["code"]
        assert (ran.status, code) == (2, "FILE_MISSING" if name in {"none", "."} else "OPENPGP_KEY"), name
        assert not (tmp_path / "public").exists()
    (tmp_path / "key").write_bytes(bytes(key))
    (fleet / "organisation.yaml").unlink()
    ran = tocsin("site", "build", "public", "--openpgp-key", "key", "-w", fleet, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, "NO_PUBLISHER")


@pytest.mark.parametrize("name", ["outputs/de/web.html", "outputs/ja/csaf.json", "texts/en.cbor", "release-list.cbor", "source/facts.yaml"])  # fmt: skip
def test_what_was_altered_or_lost_stops_the_build(
    tocsin: Tocsin, fleet: Path, tmp_path: Path, name: str
) -> None:
    path = fleet / "advisories" / ADVISORY / "r1" / name
    path.write_bytes(path.read_bytes() + b" ")
    ran = tocsin("site", "build", "public", "-w", fleet, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (5, "SITE_DAMAGED")
    assert ran.json["error"]["where"].endswith(name)
    path.unlink()
    ran = tocsin("site", "build", "public", "-w", fleet, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (5, "STORED_FILE")
    assert not (tmp_path / "public").exists()


def test_a_notice_that_nobody_signed_is_not_put_on_the_web(
    tocsin: Tocsin, fleet: Path, tmp_path: Path
) -> None:
    with sqlite3.connect(fleet / "store.sqlite") as store:
        (document,) = store.execute("SELECT document FROM advisories").fetchone()
        for forged in (document.replace(b"initial", b"INITIAL"), document[:-1] + b"\0", b"", document[:99]):
            changed = forged if forged != document else document[:-9] + bytes(9)
            store.execute("UPDATE advisories SET document = ?", (changed,))
            store.commit()
            ran = tocsin("site", "build", "public", "-w", fleet, "--json")
            assert (ran.status, ran.json["error"]["code"]) == (5, "SITE_DAMAGED"), changed[:20]
    assert not (tmp_path / "public").exists()


@pytest.mark.parametrize("label", ["tlp: amber", "embargo_until: 2999-01-01T00:00:00Z"])
def test_what_may_not_be_public_is_left_out_and_taken_away(
    tocsin: Tocsin, fleet: Path, tmp_path: Path, label: str
) -> None:
    assert tocsin("site", "build", "public", "-w", fleet).status == 0
    facts = fleet / "advisories" / f"{ADVISORY}.yaml"
    text = re.sub(r"(?m)^(tlp|embargo_until):.*\n", "", facts.read_text("utf-8"))
    facts.write_text(text.replace("exercise: true", f"{label}\nexercise: true", 1), "utf-8")
    ran = tocsin("site", "build", "public", "-w", fleet, "--json")
    assert (ran.status, ran.json["notices"], list(ran.json["left_out"])) == (0, [], [ADVISORY])
    assert SECRET not in ran.out
    for name, data in snapshot(tmp_path / "public").items():
        assert ADVISORY not in name
        assert ADVISORY.encode() not in data, name
        assert SECRET.encode() not in data, name


def test_nothing_outside_its_folder_is_written_or_taken_away(
    tocsin: Tocsin, fleet: Path, tmp_path: Path
) -> None:
    build = ("site", "build", "public", "-w", fleet, "--json")
    public, other = tmp_path / "public", tmp_path / "other"
    assert tocsin(*build).status == 0
    other.mkdir()
    (other / "mine").write_text("mine")
    shutil.rmtree(public / "en")
    (public / "en").symlink_to(other)
    for way in ("folder", "file", "note"):
        if way == "file":
            (public / "en").unlink()
            (public / "index.html").unlink()
            (public / "index.html").symlink_to(other / "mine")
        elif way == "note":
            (public / "index.html").unlink()
            (public / ".tocsin-site.json").rename(other / "note")
            (public / ".tocsin-site.json").symlink_to(other / "note")
        before = snapshot(other)
        ran = tocsin(*build)
        assert (ran.status, ran.json["error"]["code"]) == (2, "SITE_LINK"), way
        assert snapshot(other) == before
    (public / ".tocsin-site.json").unlink()
    (public / ".tocsin-site.json").write_text(
        json.dumps({"files": ["../other/mine", "/etc/x", ".", "de", ".."]})
    )
    assert tocsin(*build).status == 0
    assert (other / "mine").read_text() == "mine"
    assert (public / "de/index.html").is_file()


@pytest.mark.parametrize("note", ["", "[", "[]", "{}", '{"files": 1}', "[" * 100_000])
def test_a_note_that_nobody_can_read_does_no_harm(
    tocsin: Tocsin, fleet: Path, tmp_path: Path, note: str
) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / ".tocsin-site.json").write_text(note)
    assert tocsin("site", "build", "public", "-w", fleet).status == 0


def test_folders_and_files_of_other_people_stay(tocsin: Tocsin, fleet: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = snapshot(tmp_path)
    for folder in ("other", "file", fleet, "", "/dev/null", "file/below", "a\0b", "\udcff/\0"):
        ran = tocsin("site", "build", folder, "-w", fleet)
        assert ran.status in {2, 4}, folder
        assert ran.err.startswith("error: ")
        assert ran.err.rstrip("\n").isprintable()
    assert snapshot(tmp_path) == before


def test_a_later_build_mends_what_an_interrupted_one_left(
    tocsin: Tocsin, fleet: Path, tmp_path: Path
) -> None:
    assert tocsin("site", "build", "public", "-w", fleet).status == 0
    whole = snapshot(tmp_path / "public")
    for name in ("en/index.html", ".well-known/security.txt"):
        (tmp_path / "public" / name).write_bytes(b"half")
    (tmp_path / "public" / "en" / "check.html").unlink()
    (tmp_path / "public" / "en" / ".feed.atom.new").write_bytes(b"half")
    assert tocsin("site", "build", "public", "-w", fleet).status == 0
    found = snapshot(tmp_path / "public")
    for name in ("en/index.html", "en/check.html", "en/feed.atom"):
        assert found[name] == whole[name]


@pytest.mark.parametrize(
    "site",
    [
        "http://example.com",
        "mailto:a@example.com",
        "https://example.com/a?b",
        "https://example.com/#c",
        "https://example.com/\u202ex",
        "https:///a",
        "https://exämple.com",
    ],
)
def test_an_address_below_which_nothing_can_stand_is_refused(
    tocsin: Tocsin, fleet: Path, tmp_path: Path, site: str
) -> None:
    (fleet / "organisation.yaml").write_text(f"site: {json.dumps(site)}\n", "utf-8")
    ran = tocsin("site", "build", "public", "-w", fleet, "--json")
    assert ran.status == 2
    assert ran.json["error"]["code"] in {"BAD_SITE", "BAD_VALUE"}
    assert "organisation.yaml" in ran.json["error"]["where"]
    assert not (tmp_path / "public").exists()
