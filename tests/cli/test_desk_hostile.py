"""The desk against careless colleagues, long words, many tabs, idle hours and spoilt files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import gateway.cli.desking as command
from gateway.operations import advisories, releases
from gateway.operations.advisories import comments
from gateway.operations.trust import roots
from gateway.web.desk import Door, WorkspaceDesk
from gateway.web.desk.desk import Line
from gateway.web.desk.door import IDLE_SECONDS
from gateway.workspace.folder import Workspace
from keys.signer import from_pem
from tests.cli.conftest import ADVISORY, Tocsin, no_passphrase
from tests.cli.test_desk import HOST, NOW, PASSPHRASE, Browser
from tests.keys import softhsm


@pytest.fixture
async def browser(workspace: Workspace) -> AsyncIterator[Browser]:
    path = workspace.path / "keys" / "legal.pem"
    path.write_bytes(from_pem(path.read_bytes(), b"", where="").to_pem(PASSPHRASE.encode()))
    found = Browser(WorkspaceDesk(workspace, "legal", None, lambda: NOW))
    async with found.client:
        yield await found.enter()


def _signed(workspace: Workspace) -> list[str]:
    return [one.holder for one in advisories.review(workspace, ADVISORY, now=NOW).approvals.signed]


@pytest.mark.parametrize("secret", ["", "x" * 5_000, "\0", "\u202e", "correct horse "])
async def test_a_secret_that_is_none_signs_nothing(
    browser: Browser, workspace: Workspace, secret: str
) -> None:
    await browser.read()
    status, page = await browser.answer("approve", secret=secret)
    assert (status, "That does not open your key. Nothing was signed." in page) == (409, True)
    assert _signed(workspace) == []


async def test_a_name_that_is_no_text_hides_no_other_notice(browser: Browser, workspace: Workspace) -> None:
    for name in (b"\xff.yaml", b"<b>.yaml", b"EX 1.yaml"):
        (workspace.path / "advisories" / os.fsdecode(name)).touch()
    done = await browser.client.get(browser.door.home)
    assert (done.status_code, "awaits your answer" in done.text, "<b>" in done.text) == (200, True, False)


async def test_long_words_in_any_script_are_told_apart_from_forgery(browser: Browser) -> None:
    await browser.read()
    words = {"comment": "\u8b66" * 4_000, "condition": "\u544a" * 4_000}
    status, page = await browser.answer("approve", secret="wrong", **words)
    assert status == 409
    assert "desk's own page" not in page
    assert words["comment"] in page


@pytest.mark.parametrize("act", ["reject", "comment"])
async def test_words_that_could_not_be_kept_stand_in_the_form_in_which_they_were_typed(
    browser: Browser, workspace: Workspace, act: str
) -> None:
    await browser.read()
    path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    path.write_text(path.read_text("utf-8") + "# edited\n", "utf-8")
    status, page = await browser.answer(act, comment="Long thought about.")
    assert (status, page.count("Long thought about.</textarea>")) == (409, 1)
    summary = {"reject": "Reject", "comment": "Only comment"}[act]
    assert f'<details name="answer" open>\n<summary>{summary}</summary>' in page
    assert page.count('<details name="answer" open>') == 1


async def test_two_tabs_and_a_double_click_give_one_signature(browser: Browser, workspace: Workspace) -> None:
    await browser.read()
    tabs = (browser.client.get(browser.page) for _ in range(3))
    clicks = (browser.post("approve", secret=PASSPHRASE) for _ in range(2))
    done = await asyncio.gather(*tabs, *clicks)
    assert {one.status_code for one in done} <= {200, 303}
    assert _signed(workspace) == ["exercise-legal"]
    assert [one.kind for one in comments.said(workspace, _about(workspace))] == ["given"]


def _about(workspace: Workspace) -> comments.About:
    return advisories.review(workspace, ADVISORY, now=NOW).about


async def test_a_page_from_before_the_signature_does_nothing_when_it_comes_back(
    browser: Browser, workspace: Workspace
) -> None:
    await browser.read()
    assert (await browser.answer("approve", secret=PASSPHRASE))[0] == 303
    assert (await browser.answer("approve", secret=PASSPHRASE, comment=""))[0] == 303
    assert _signed(workspace) == ["exercise-legal"]
    assert len(comments.every(workspace, ADVISORY)) == 1


async def test_a_colleague_at_another_desk_and_one_in_a_terminal(
    browser: Browser, workspace: Workspace
) -> None:
    other = Browser(WorkspaceDesk(workspace, "communications", None, lambda: NOW + 7))
    async with other.client:
        await other.enter()
        await other.read()
        await browser.read()
        terminal = advisories.review(workspace, ADVISORY, now=NOW + 9)
        assert (await browser.answer("approve", secret=PASSPHRASE))[0] == 303
        status, page = await other.answer("approve")
        assert (status, "It was changed while you read it." in page) == (409, True)
        with pytest.raises(Exception, match="meanwhile"):
            advisories.approve(workspace, terminal, "engineering", no_passphrase)
        await other.read()
        assert (await other.answer("approve"))[0] == 303
    assert _signed(workspace) == ["exercise-legal", "exercise-communications"]


def test_the_door_knows_when_nobody_has_come_for_long() -> None:
    door = Door(HOST)
    door.came(NOW)
    assert not door.idle(NOW + IDLE_SECONDS - 1)
    assert door.idle(NOW + IDLE_SECONDS)
    assert door.idle(NOW - 1), "a clock that was set back does not keep it open"


async def test_only_who_may_come_in_keeps_the_desk_open(browser: Browser) -> None:
    browser.door.came(0)
    await browser.client.get(browser.door.home, headers={"Host": "evil.example"})
    await browser.client.get("/open/guess")
    assert browser.door.last == 0
    await browser.client.get(browser.door.home)
    assert browser.door.last == NOW


async def test_the_hour_runs_from_the_request_also_while_it_is_answered(workspace: Workspace) -> None:
    seen: list[float] = []

    class Watched(WorkspaceDesk):
        def lines(self) -> list[Line]:
            seen.append(found.door.last)
            return []

    found = Browser(Watched(workspace, "legal", None, lambda: NOW))
    async with found.client:
        await found.enter()
        await found.client.get(found.door.home)
    assert seen == [NOW]


def test_a_desk_that_nobody_uses_ends_by_itself(
    tocsin: Tocsin, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([NOW])
    monkeypatch.setattr(command, "now", lambda: next(times, NOW + IDLE_SECONDS))
    ran = tocsin("desk", "--key", "legal", "-w", workspace.path)
    assert (ran.status, "the desk is closed" in ran.err) == (0, True)


async def test_a_key_in_a_token(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    softhsm.start(tmp_path, monkeypatch)
    make = ("--role", "legal", "--holder", "exercise-token", "--uri", softhsm.URI, "-w", workspace.path)
    assert tocsin("key", "new", "token", *make, env={"TOCSIN_PASSPHRASE": softhsm.PIN.decode()}).status == 0
    roots.rotate(workspace, now=NOW, by="exercise")
    for name in ("root-anna", "root-ben"):
        roots.sign_draft(workspace, name, no_passphrase, now=NOW, by="exercise")
    roots.publish(workspace, now=NOW, by="exercise")
    found = Browser(WorkspaceDesk(workspace, "token", None, lambda: NOW))
    async with found.client:
        await found.enter()
        assert "PIN of your token" in await found.read()
        for wrong in ("", "nine-one-one", "x" * 5_000):
            status, page = await found.answer("approve", secret=wrong)
            assert (status, "Nothing was signed" in page) == (409, True), wrong
            assert wrong == "" or wrong not in page
        assert _signed(workspace) == []
        assert (await found.answer("approve", secret=softhsm.PIN.decode()))[0] == 303
    assert _signed(workspace) == ["exercise-token"]


async def test_a_word_whose_signature_was_lost_is_not_shown_as_an_approval(
    browser: Browser, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewed = advisories.review(workspace, ADVISORY, now=NOW)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(releases, "keep", killed)
        with pytest.raises(KeyboardInterrupt):
            advisories.approve(workspace, reviewed, "engineering", no_passphrase, comment="Well said.")
    page = await browser.read()
    assert ("Well said." in page, "approved, but no signature of it is here" in page) == (True, True)
    advisories.approve(
        workspace, advisories.review(workspace, ADVISORY, now=NOW), "engineering", no_passphrase
    )
    assert "no signature of it is here" not in await browser.read()
