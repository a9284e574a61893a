"""The desk: what it shows is what it signs, and who may come in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.operations import advisories
from gateway.operations.advisories import comments
from gateway.web.desk import Door, WorkspaceDesk, create_app
from gateway.workspace.folder import Workspace
from keys.errors import InputError
from keys.signer import from_pem
from tests.cli.conftest import ADVISORY, Tocsin, no_passphrase

HOST = "127.0.0.1:4711"
NOW = 1_900_000_000
PASSPHRASE = "correct horse"


class Browser:
    """One browser at one desk."""

    def __init__(self, desk: WorkspaceDesk) -> None:
        self.door = Door(HOST)
        transport = httpx.ASGITransport(app=create_app(desk, self.door, lambda: NOW))  # type: ignore[arg-type]
        self.client = httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}")
        self.page = f"{self.door.home}advisory/{ADVISORY}"
        self.fields: dict[str, str] = {}

    async def enter(self) -> Browser:
        assert (await self.client.get(f"/open/{self.door.token}")).status_code == 200
        return self

    async def read(self) -> str:
        """Open the advisory's page; what its form carries is kept."""
        page = (await self.client.get(self.page)).text
        self.fields = dict(re.findall(r'name="(form|digest)" value="([^"]+)"', page))
        return page

    async def post(self, act: str, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        data = {**self.fields, "act": act, **fields}
        return await self.client.post(
            self.page, data=data, headers={"Origin": f"http://{HOST}", **(headers or {})}
        )

    async def answer(self, act: str, **fields: str) -> tuple[int, str]:
        """Answer, follow to the page that says what happened, and return first status and that page."""
        done = await self.post(act, **fields)
        if done.status_code != 303:
            return done.status_code, done.text
        return 303, (await self.client.get(done.headers["location"])).text


@pytest.fixture
def legal(workspace: Workspace) -> Workspace:
    """The workspace with the key of Legal locked."""
    path = workspace.path / "keys" / "legal.pem"
    path.write_bytes(from_pem(path.read_bytes(), b"", where="").to_pem(PASSPHRASE.encode()))
    return workspace


@pytest.fixture
async def browser(legal: Workspace) -> AsyncIterator[Browser]:
    found = Browser(WorkspaceDesk(legal, "legal", None, lambda: NOW))
    async with found.client:
        yield await found.enter()


def _edit(workspace: Workspace, old: str, new: str) -> None:
    path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def _review(workspace: Workspace) -> advisories.Review:
    return advisories.review(workspace, ADVISORY, now=NOW + 5)


async def test_what_is_shown_is_what_is_signed(browser: Browser, legal: Workspace) -> None:
    assert "One notice awaits you" in (await browser.client.get(browser.door.home)).text
    await browser.read()
    status, page = await browser.answer(
        "approve", secret=PASSPHRASE, comment="Good.", condition="Letter first."
    )
    assert status == 303
    assert "You signed it." in page
    reviewed = _review(legal)
    assert reviewed.digest.hex() == browser.fields["digest"]
    assert [one.holder for one in reviewed.approvals.signed] == ["exercise-legal"]
    (remark,) = comments.said(legal, reviewed.about)
    assert (remark.said.comment, remark.condition, remark.at) == ("Good.", "Letter first.", NOW)
    assert "you have signed it; a condition is open" in (await browser.client.get(browser.door.home)).text


async def test_a_wrong_passphrase_signs_nothing_and_is_not_shown_again(
    browser: Browser, legal: Workspace
) -> None:
    await browser.read()
    status, page = await browser.answer("approve", secret="tr0ub4dor", comment="Kept words.")
    assert status == 409
    assert "That does not open your key. Nothing was signed." in page
    assert "Kept words." in page
    assert "tr0ub4dor" not in page
    assert browser.fields["digest"] in page, "the page shown again is about the same bytes"
    assert _review(legal).approvals.signed == ()
    assert b"tr0ub4dor" not in b"".join(p.read_bytes() for p in legal.path.rglob("*") if p.is_file())


async def test_a_rejection_is_kept_and_can_be_taken_back(browser: Browser, legal: Workspace) -> None:
    await browser.read()
    status, page = await browser.answer("reject", comment="The offer is missing. <b>")
    assert (status, "You rejected it." in page, "&lt;b&gt;" in page) == (303, True, True)
    assert "you rejected it" in (await browser.client.get(browser.door.home)).text
    await browser.read()
    assert "You took your rejection back." in (await browser.answer("back"))[1]
    assert "Your comment is kept." in (await browser.answer("comment", comment="Look again."))[1]
    kinds = [one.kind for one in comments.said(legal, _review(legal).about)]
    assert kinds == ["rejected", "comment"]
    assert (await browser.answer("reject", comment=" "))[0] == 409


async def test_another_digest_than_the_one_shown_is_not_signed(browser: Browser, legal: Workspace) -> None:
    await browser.read()
    for act in ("approve", "reject", "comment", "back"):
        status, page = await browser.answer(act, digest="ab" * 32, secret=PASSPHRASE, comment="x")
        assert (status, "It was changed while you read it." in page) == (409, True)
    assert _review(legal).approvals.signed == ()


async def test_what_was_changed_meanwhile_is_refused_and_shown(browser: Browser, legal: Workspace) -> None:
    before = await browser.read()
    _edit(legal, "Please accept the update", "Please take the update")
    status, page = await browser.answer("approve", secret=PASSPHRASE)
    assert (status, "It was changed while you read it." in page) == (409, True)
    assert ("Please take the update" in page, "Please take the update" in before) == (True, False)
    assert _review(legal).approvals.signed == ()


async def test_void_approvals_are_told_and_started_over_by_the_next_answer(
    browser: Browser, legal: Workspace
) -> None:
    advisories.approve(legal, _review(legal), "engineering", no_passphrase)
    _edit(legal, "Please accept the update", "Please take the update")
    assert "Those approvals are void" in await browser.read()
    assert (await browser.answer("approve", secret=PASSPHRASE))[0] == 303
    assert [one.holder for one in _review(legal).approvals.signed] == ["exercise-legal"]


async def test_who_starts_over_does_not_leave_aside_what_came_in_meanwhile(
    browser: Browser, legal: Workspace
) -> None:
    advisories.approve(legal, _review(legal), "engineering", no_passphrase)
    _edit(legal, "Please accept the update", "Please take the update")
    await browser.read()
    other = advisories.review(legal, ADVISORY, now=NOW + 60, restart=True)
    advisories.approve(legal, other, "communications", no_passphrase)
    assert (await browser.answer("approve", secret=PASSPHRASE))[0] == 409
    assert [one.holder for one in _review(legal).approvals.signed] == ["exercise-communications"]


async def test_what_checks_block_cannot_be_signed_but_commented_on(
    browser: Browser, legal: Workspace
) -> None:
    _edit(legal, 'contact: "support@example.com, Monday to Friday, 9:00 to 17:00 UTC"', 'contact: "nobody"')
    assert 'name="secret"' not in await browser.read()
    assert (await browser.answer("approve", secret=PASSPHRASE))[0] == 409
    assert (await browser.answer("comment", comment="No way to ask."))[0] == 303
    assert "has to be mended first" in (await browser.client.get(browser.door.home)).text


async def test_a_file_with_a_fault_does_not_hide_the_others(browser: Browser, legal: Workspace) -> None:
    (legal.path / "advisories" / "EX-2026-0002.yaml").write_text("id: [")
    page = (await browser.client.get(browser.door.home)).text
    assert ("cannot be shown" in page, "awaits your answer" in page) == (True, True)
    shown = await browser.client.get(f"{browser.door.home}advisory/EX-2026-0002")
    assert (shown.status_code, "This cannot be shown" in shown.text) == (409, True)
    assert (await browser.client.get(f"{browser.door.home}advisory/..%2f..%2fkeys")).status_code in {404, 409}


async def test_outputs_stand_in_frames_with_a_policy_of_their_own(browser: Browser) -> None:
    page = await browser.read()
    frames = re.findall(r'<iframe[^>]*sandbox[^>]*src="([^"]+)"', page)
    assert frames
    shown = await browser.client.get(frames[0])
    assert shown.status_code == 200
    assert shown.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    gone = re.sub("[0-9a-f]{64}", "0" * 64, frames[0])
    assert (await browser.client.get(gone)).status_code == 404


async def test_every_answer_forbids_scripts_of_others_and_caches(browser: Browser) -> None:
    for path in (browser.door.home, browser.page, f"{browser.door.home}static/desk.js", "/nowhere"):
        headers = (await browser.client.get(path)).headers
        assert "script-src 'self'" in headers["content-security-policy"] or path == "/nowhere"
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
    for name in ("desk.css", "packet.css"):
        assert (await browser.client.get(f"{browser.door.home}static/{name}")).status_code == 200
    assert (await browser.client.get(f"{browser.door.home}static/app.py")).status_code == 404
    page = await browser.read()
    assert " style=" not in page
    assert " onclick" not in page
    assert page.count("<script") == 1


async def test_the_address_opens_once(legal: Workspace) -> None:
    found = Browser(WorkspaceDesk(legal, "legal", None, lambda: NOW))
    async with found.client:
        assert (await found.client.get(found.door.home)).status_code == 403
        assert (await found.client.get("/open/guess")).status_code == 403
        first = await found.client.get(f"/open/{found.door.token}")
        cookie = first.headers["set-cookie"]
        assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", f"Path={found.door.home}"))
        assert found.door.token not in first.text
        assert (await found.client.get(f"/open/{found.door.token}")).status_code == 403
        assert (await found.client.get(found.door.home)).status_code == 200


FOREIGN = (
    ({"Host": "evil.example:4711"}, 421),
    ({"Host": "127.0.0.1:4712"}, 421),
    ({"Host": "localhost:4711"}, 421),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://127.0.0.1:80"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Cookie": "tocsin-desk=guess"}, 403),
    ({"Content-Type": "text/plain"}, 403),
)
FORGED: tuple[dict[str, str], ...] = (
    {"form": "guess"},
    {"form": ""},
    {"act": "publish"},
    {"comment": "x" * 140_000},
    {f"f{n}": "1" for n in range(20)},
)


async def test_a_form_from_elsewhere_is_refused(browser: Browser, legal: Workspace) -> None:
    await browser.read()
    for headers, status in FOREIGN:
        assert (await browser.post("reject", headers, comment="x")).status_code == status, headers
    for fields in FORGED:
        data = {"act": "reject", "comment": "x", **browser.fields, **fields}
        done = await browser.client.post(browser.page, data=data, headers={"Origin": f"http://{HOST}"})
        assert done.status_code in {400, 403}, fields
    assert comments.every(legal, ADVISORY) == []


async def test_other_methods_and_a_field_twice_are_refused(browser: Browser) -> None:
    await browser.read()
    assert (await browser.client.put(browser.page)).status_code == 405
    body = f"form={browser.fields['form']}&act=comment&comment=a&comment=b&digest={browser.fields['digest']}"
    headers = {"Origin": f"http://{HOST}", "Content-Type": "application/x-www-form-urlencoded"}
    for data in (body.encode(), b"\xff", b"form=%ff"):
        assert (await browser.client.post(browser.page, content=data, headers=headers)).status_code == 403


def test_the_secrets_of_the_door_are_not_in_its_representation() -> None:
    door = Door(HOST)
    assert not [secret for secret in (door.token, door.room, door.session, door.form) if secret in repr(door)]
    assert len({door.token, door.room, door.session, door.form}) == 4


@pytest.mark.parametrize(
    ("key", "role", "code"),
    [("gateway", None, "WRONG_ROLE"), ("legal", "engineering", "WRONG_ROLE"), ("nobody", None, "NO_KEY")],
)
def test_a_key_without_a_say_has_no_desk(workspace: Workspace, key: str, role: str | None, code: str) -> None:
    with pytest.raises(InputError) as refused:
        WorkspaceDesk(workspace, key, role, lambda: NOW)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "arguments",
    [(), ("--key", "legal", "--request", "r"), ("--request", "r"), ("--key", "legal", "--key-uri", "u")],
)
def test_one_of_the_two_desks_is_asked_for(tocsin: Tocsin, arguments: tuple[str, ...]) -> None:
    ran = tocsin("desk", *arguments, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, "USAGE")


def test_the_desk_answers_on_this_machine_only(tocsin: Tocsin) -> None:
    assert "--address" not in tocsin("desk", "--help").out
