"""The desk on a machine without workspace: a signing request goes in, an answer comes out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.operations import advisories
from gateway.operations.trust import ceremonies, requests
from gateway.web.desk import Door, RequestDesk, create_app
from gateway.web.desk.desk import Answer
from gateway.workspace.folder import Workspace
from keys.errors import InputError
from keys.signer import from_pem
from tests.cli.conftest import ADVISORY, Tocsin
from tests.cli.test_requests import EXPORTS

NOW = 1_900_000_000
PASSPHRASE = b"correct horse"


@pytest.fixture
def desk(workspace: Workspace, tmp_path: Path) -> RequestDesk:
    path = workspace.path / "keys" / "legal.pem"
    key = tmp_path / "legal.pem"
    key.write_bytes(from_pem(path.read_bytes(), b"", where="").to_pem(PASSPHRASE))
    exported = ceremonies.export_advisory(workspace, ADVISORY, now=NOW)
    return RequestDesk(requests.judge(exported.data), f"file:{key}", "legal", tmp_path, lambda: NOW)


def _answer(desk: RequestDesk, comment: str = "") -> Answer:
    return Answer(desk.show(ADVISORY).digest.hex(), comment)


def test_an_answer_that_the_workspace_takes_in(
    desk: RequestDesk, workspace: Workspace, tmp_path: Path
) -> None:
    assert desk.lines()[0].waits
    assert desk.secret == "Passphrase of your key"
    kid = workspace.key("legal").public.thumbprint.hex()[:8]
    assert f"{ADVISORY}.{kid}.answer" in desk.approve(ADVISORY, _answer(desk), PASSPHRASE)
    done = ceremonies.take(
        workspace, (tmp_path / f"{ADVISORY}.{kid}.answer").read_bytes(), now=NOW, by="exercise"
    )
    assert done.signed.holder == "exercise-legal"
    assert done.digest == desk.show(ADVISORY).digest.hex()
    assert not desk.lines()[0].waits


def test_what_is_shown_is_what_the_workspace_shows(desk: RequestDesk, workspace: Workspace) -> None:
    reviewed = advisories.review(workspace, ADVISORY, now=NOW)
    packet = desk.show(ADVISORY)
    assert (packet.digest, packet.outputs) == (reviewed.digest, reviewed.release.outputs)
    digest = packet.digest.hex()
    assert desk.output(ADVISORY, digest, "en/console.txt") == packet.outputs["en/console.txt"]
    assert desk.output(ADVISORY, "0" * 64, "en/console.txt") is None
    assert desk.output(ADVISORY, digest, "nothing") is None


def test_a_rejection_is_a_note_to_send_back(desk: RequestDesk, tmp_path: Path) -> None:
    assert "Nothing was signed." in desk.reject(ADVISORY, _answer(desk, "The offer\x1b is missing."))
    desk.approve(ADVISORY, _answer(desk), PASSPHRASE)
    assert "You signed it before: do away with" in desk.reject(ADVISORY, _answer(desk, "Nor is the letter."))
    (path,) = tmp_path.glob("*.rejected.txt")
    note = path.read_text("utf-8")
    assert "The offer\\x1b is missing." in note
    assert "Nor is the letter." in note
    assert desk.show(ADVISORY).digest.hex() in note


@pytest.mark.parametrize("act", ["reject", "remark", "take_back", "approve"])
def test_nothing_is_done_for_another_digest_or_without_words(
    desk: RequestDesk, tmp_path: Path, act: str
) -> None:
    more = (b"wrong",) if act == "approve" else ()
    for answer in (Answer("0" * 64, "x"), _answer(desk)):
        with pytest.raises(InputError):
            getattr(desk, act)(ADVISORY, answer, *more)
    with pytest.raises(InputError):
        desk.show("EX-2026-0002")
    assert not [*tmp_path.glob("EX-*")]


@pytest.mark.parametrize("kind", ["root", "patch"])
def test_only_notices_are_for_the_desk(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    judged = requests.judge(EXPORTS[kind](workspace).data)
    with pytest.raises(InputError) as refused:
        RequestDesk(judged, "file:x", "legal", tmp_path, lambda: NOW)
    assert refused.value.code == "NOT_A_NOTICE"


def test_another_fleet_is_refused_before_anything_is_shown(
    tocsin: Tocsin, workspace: Workspace, tmp_path: Path
) -> None:
    request = tmp_path / "r.request"
    request.write_bytes(ceremonies.export_advisory(workspace, ADVISORY, now=NOW).data)
    ran = tocsin("desk", "--request", request, "--key-uri", "file:x", "--fleet", "0" * 64, "--json")
    assert ran.json["error"]["code"] == "WRONG_FLEET"
    mute = tocsin("desk", "--request", tmp_path / "none", "--key-uri", "file:x", "--json")
    assert mute.json["error"]["code"] == "FILE_MISSING"


async def _page(desk: RequestDesk) -> str:
    door = Door("127.0.0.1:4711")
    transport = httpx.ASGITransport(app=create_app(desk, door, lambda: NOW))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4711") as client:
        await client.get(f"/open/{door.token}")
        return (await client.get(f"{door.home}advisory/{ADVISORY}")).text


async def test_the_page_shows_the_fleet_in_full_and_what_is_not_known_here(
    desk: RequestDesk, workspace: Workspace
) -> None:
    page = await _page(desk)
    fleet = workspace.fleet().hex()
    assert f'id="fleet">{" ".join(fleet[at : at + 8] for at in range(0, 64, 8))}<' in page
    assert "Compare the fleet before you sign" in page
    assert "tocsin root show 1" in page
    assert "No check has found anything" not in page, "none was run"
    assert "has not approved any of this before" not in page, "nobody knows here"


async def test_a_fleet_that_was_named_and_pages_that_were_not_compared_are_told(
    workspace: Workspace, tmp_path: Path
) -> None:
    judged = requests.judge(ceremonies.export_advisory(workspace, ADVISORY, now=NOW).data)
    judged = replace(judged, unseen=("ar", "ja"))
    page = await _page(RequestDesk(judged, "file:x", "legal", tmp_path, lambda: NOW, named=True))
    assert "It is of the fleet that you named." in page
    assert "the drawn pages in ar, ja" in page


def test_answers_of_two_approvers_in_one_folder_stand_side_by_side(
    workspace: Workspace, tmp_path: Path
) -> None:
    judged = requests.judge(ceremonies.export_advisory(workspace, ADVISORY, now=NOW).data)
    for name in ("legal", "communications"):
        uri = workspace.key_uri(workspace.key(name))
        one = RequestDesk(judged, uri, name, tmp_path, lambda: NOW)
        one.approve(ADVISORY, _answer(one), b"")
    taken = [
        ceremonies.take(workspace, path.read_bytes(), now=NOW, by="exercise").signed.holder
        for path in tmp_path.glob("*.answer")
    ]
    assert sorted(taken) == ["exercise-communications", "exercise-legal"]


def test_a_role_that_has_no_say_is_refused(tocsin: Tocsin, workspace: Workspace, tmp_path: Path) -> None:
    request = tmp_path / "r.request"
    request.write_bytes(ceremonies.export_advisory(workspace, ADVISORY, now=NOW).data)
    ran = tocsin("desk", "--request", request, "--key-uri", "file:x", "--role", "../legal", "--json")
    assert ran.json["error"]["code"] == "WRONG_ROLE"
