"""Drawn pages and added languages, from the file of facts to what the broker holds, with a font and without."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from advisories.notice import Notice, ReleaseList, Text, page_digests
from advisories.render.pages import from_pbm, to_pbm
from gateway.operations import advisories, fonts
from gateway.operations.trust import ceremonies, requests
from gateway.operations.trust.request_files import Request, encode_request, for_notice, read_request
from gateway.workspace.folder import Workspace
from keys.codec import dump, load
from keys.errors import InputError, RefusedError
from keys.reasons import Reason
from tests.cli.conftest import ADVISORY, Tocsin, no_passphrase

NOW = 1_900_000_000
pytestmark = pytest.mark.skipif(not fonts.installed(), reason="needs the Debian package fonts-unifont")


@pytest.fixture
def no_font(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Take the font away from this machine."""
    return lambda: monkeypatch.setattr(fonts, "installed", dict)


def approve_all(workspace: Workspace) -> advisories.Review:
    for role in ("engineering", "legal", "communications"):
        reviewed = advisories.review(workspace, ADVISORY, now=NOW)
        reviewed = advisories.approve(workspace, reviewed, role, no_passphrase)
    return reviewed


def publish(workspace: Workspace, **more: Any) -> Any:
    operator = workspace.signer("operator", no_passphrase)
    return advisories.publish(workspace, ADVISORY, operator, now=NOW, **more)


def retained(workspace: Workspace) -> dict[str, bytes]:
    with workspace.store() as store, store.read() as session:
        return {row.topic: row.payload for row in session.retained_after(0)}


def test_pages_are_made_for_the_languages_that_need_a_font(workspace: Workspace) -> None:
    release = advisories.review(workspace, ADVISORY, now=NOW).release
    needing = {"ja", "zh", "ar"} & release.texts.keys()
    assert release.pages.keys() == needing
    for language, pages in release.pages.items():
        assert load(Text, release.texts[language], size_max=1_024).pages == page_digests(pages)
        for number, page in enumerate(pages, 1):
            assert from_pbm(release.outputs[f"{language}/small-{number}.pbm"]) == page
    assert load(Text, release.texts["en"], size_max=1_024).pages is None


def test_without_a_font_there_are_none_and_whoever_approves_is_told(
    workspace: Workspace, no_font: Callable[[], None]
) -> None:
    no_font()
    reviewed = advisories.review(workspace, ADVISORY, now=NOW)
    assert reviewed.release.pages == {}
    told = [one for one in reviewed.findings if one.rule == "drawn-pages" and "'ja'" in one.message]
    assert "GNU Unifont" in told[0].message
    assert told[0].severity == "advice"
    assert told[0].line > 1
    advisories.fix(workspace, reviewed)
    again = advisories.review(workspace, ADVISORY, now=NOW + 9)
    assert [one.rule for one in again.findings if one.rule == "drawn-pages"]
    assert again.body == reviewed.body


def test_approvals_outlive_the_font(workspace: Workspace, no_font: Callable[[], None]) -> None:
    first = advisories.review(workspace, ADVISORY, now=NOW)
    advisories.approve(workspace, first, "engineering", no_passphrase)
    no_font()
    assert advisories.review(workspace, ADVISORY, now=NOW + 9).body == first.body


def test_pages_altered_on_the_disk_void_the_approvals(workspace: Workspace) -> None:
    reviewed = advisories.review(workspace, ADVISORY, now=NOW)
    advisories.approve(workspace, reviewed, "engineering", no_passphrase)
    path = workspace.path / "advisories" / ADVISORY / "r1" / "outputs" / "ja" / "small-1.pbm"
    path.write_bytes(to_pbm(bytes(1_024)))
    with pytest.raises(InputError) as caught:
        advisories.review(workspace, ADVISORY, now=NOW)
    assert caught.value.code == "APPROVALS_VOID"


def test_pages_are_published_between_header_and_text(workspace: Workspace) -> None:
    release = approve_all(workspace).release
    issued = publish(workspace)
    topics = workspace.topics
    held = retained(workspace)
    for product in ("thermostat", "doorbell"):
        order = [topic for topic in held if f"/{product}" in topic]
        page, text = topics.pages(product, "ja", ADVISORY), topics.text(product, "ja", ADVISORY)
        assert order.index(topics.notice(product, ADVISORY)) < order.index(page) < order.index(text)
        assert held[page] == b"".join(release.pages["ja"])
        assert page in issued.topics


def _reseal(request: Request, pages: bytes, digests: tuple[bytes, ...] | None) -> Request:
    """Bind other pages, as whoever makes a request can."""
    notice = load(Notice, request.body, size_max=8_192)
    text = dump(replace(load(Text, request.attachments["text/ja"], size_max=1_024), pages=digests))
    outputs = load(ReleaseList, request.attachments["release-list"], size_max=1_048_576).outputs
    names = [name for name in outputs if name.startswith("ja/small-") and name.endswith(".pbm")]
    outputs = {name: digest for name, digest in outputs.items() if name not in names}
    for at in range(0, len(pages), 1_024):
        name = f"ja/small-{at // 1_024 + 1}.pbm"
        outputs[name] = hashlib.sha256(to_pbm(pages[at : at + 1_024])).digest()
    listed = dump(ReleaseList(outputs=dict(sorted(outputs.items()))))
    body = replace(
        notice,
        texts={**notice.texts, "ja": hashlib.sha256(text).digest()},
        release_list=hashlib.sha256(listed).digest(),
    )
    attached = {**request.attachments, "text/ja": text, "release-list": listed, "pages/ja": pages}
    if digests is None:
        del attached["pages/ja"]
    return replace(request, body=dump(body), attachments=attached)


def _page(request: Request) -> bytes:
    return request.attachments["pages/ja"]


@pytest.fixture(scope="module")
def request_(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Request:
    path = tmp_path_factory.mktemp("exported") / "fleet"
    shutil.copytree(template, path)
    return read_request(ceremonies.export_advisory(Workspace.open(path), ADVISORY, now=NOW).data)


def test_a_signer_elsewhere_compares_the_pages_or_is_told_that_nobody_did(
    request_: Request, no_font: Callable[[], None], tocsin: Tocsin, tmp_path: Any
) -> None:
    data = encode_request(request_)
    (tmp_path / "x.request").write_bytes(data)
    assert requests.judge(data).unseen == ()
    assert "drawn pages for devices without a font" in tocsin("sign-request", "show", "x.request").out
    no_font()
    assert "ja" in requests.judge(data).unseen
    shown = tocsin("sign-request", "show", "x.request")
    assert "The drawn pages in 'ja' were not compared" in shown.out
    assert "ja" in tocsin("sign-request", "show", "x.request", "--json").json["content"]["pages_not_compared"]


@pytest.mark.parametrize("font", [True, False], ids=["with the font", "without"])
@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (lambda r: replace(r, attachments={**r.attachments, "pages/ja": bytes(len(_page(r)))}), "ever"),
        (lambda r: replace(r, attachments={**r.attachments, "pages/ja": _page(r)[:1_024]}), "ever"),
        (lambda r: replace(r, attachments={**r.attachments, "pages/en": bytes(1_024)}), "ever"),
        (
            lambda r: replace(r, attachments={k: v for k, v in r.attachments.items() if k != "pages/ja"}),
            "ever",
        ),
        (lambda r: _reseal(r, b"\xff" * 1_024, page_digests([b"\xff" * 1_024])), "with the font"),
        (lambda r: _reseal(r, b"", None), "never"),
    ],
    ids=[
        "other dots",
        "one left out",
        "pages nothing binds",
        "all left out",
        "bound falsehood",
        "none at all",
    ],
)
def test_pages_that_do_not_belong_are_refused(
    request_: Request,
    change: Callable[[Request], Request],
    refused: str,
    font: bool,
    no_font: Callable[[], None],
) -> None:
    if not font:
        no_font()
    data = encode_request(change(request_))
    if refused == "never" or (refused == "with the font" and not font):
        requests.judge(data)
        return
    with pytest.raises(RefusedError) as caught:
        requests.judge(data)
    assert caught.value.reason is Reason.DIGEST_MISMATCH


def test_a_revision_that_only_adds_a_language_says_so(
    workspace: Workspace, no_font: Callable[[], None], tocsin: Tocsin, tmp_path: Any
) -> None:
    path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    whole = path.read_text("utf-8")
    french = re.search(r"(?m)^  fr:\n(?:(?:    .*)?\n)+", whole)
    assert french is not None
    path.write_text(whole[: french.start()] + whole[french.end() :], encoding="utf-8")
    publish_all(workspace)
    path.write_text(whole, encoding="utf-8")
    reviewed = advisories.review(workspace, ADVISORY, now=NOW + 9)
    assert (reviewed.notice.revision, reviewed.notice.same_since) == (2, 1)
    no_font()  # whoever signs elsewhere makes the same bytes without a font, and without the revision before
    data = encode_request(for_notice(workspace.root_documents(), reviewed.release))
    judged = requests.judge(data)
    assert isinstance(judged.content, Notice)
    assert judged.content.same_since == 1
    (tmp_path / "x.request").write_bytes(data)
    assert "Only languages were added since revision 1" in tocsin("sign-request", "show", "x.request").out
    path.write_text(whole.replace("strangers", "people"), encoding="utf-8")
    assert advisories.review(workspace, ADVISORY, now=NOW + 9).notice.same_since is None


def publish_all(workspace: Workspace) -> None:
    approve_all(workspace)
    publish(workspace)
