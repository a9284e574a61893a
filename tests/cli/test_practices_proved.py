"""What a practice asks for from end to end, where no test of a single room can say it."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest

from advisories.notice import Notice, Text, check_code
from advisories.render import console
from advisories.states import PatchState
from gateway.operations import advisories
from gateway.operations.learning.preparedness import notice_roles
from gateway.store import schema
from gateway.store.cells import counted
from gateway.workspace.folder import Workspace
from gateway.workspace.policy import DEFAULT_ROWS
from keys.codec import load
from keys.document import digest, peek
from keys.root import PolicyRow
from tests.advisories.incident_facts import PLAIN
from tests.cli.conftest import ADVISORY, Ran, Tocsin, no_passphrase

ROLES = ("engineering", "legal", "communications")


@pytest.fixture
def at(tocsin: Tocsin, workspace: Workspace) -> Tocsin:
    def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Ran:
        return tocsin(*arguments, "-w", workspace.path, env=env)

    return run


def approve(workspace: Workspace, *roles: str, later: int = 0) -> None:
    """Sign, whatever the checks say: the notices here are as short as may be."""
    for role in roles:
        shown = advisories.review(workspace, ADVISORY, now=int(time.time()) + later)
        advisories.add_signature(workspace, shown, workspace.signer(role, no_passphrase))


def write(workspace: Workspace, text: str) -> None:
    (workspace.path / "advisories" / f"{ADVISORY}.yaml").write_text(text, "utf-8")


def ago(hours: float) -> str:
    return datetime.fromtimestamp(int(time.time() - hours * 3_600), UTC).isoformat()


def promised(hours: float) -> str:
    return f"next_update: {ago(-hours)}\n"


@pytest.mark.parametrize("missing", ROLES)
def test_nothing_is_published_while_one_of_the_three_is_missing(
    at: Tocsin, workspace: Workspace, missing: str
) -> None:
    write(workspace, PLAIN + promised(48))
    assert at("advisory", "publish", ADVISORY, "--json").json["error"]["code"] == "NOT_APPROVED"
    approve(workspace, *(role for role in ROLES if role != missing))
    ran = at("advisory", "publish", ADVISORY, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (3, "THRESHOLD_NOT_MET")
    assert missing in ran.json["error"]["message"]
    with workspace.store() as store, store.read() as session:
        assert session.document(Notice.TYPE, ADVISORY) is None
    approve(workspace, missing)
    assert at("advisory", "publish", ADVISORY).status == 0


def test_a_policy_that_leaves_legal_out_is_told(at: Tocsin, workspace: Workspace) -> None:
    told = "every notice takes communications and legal"
    assert f"ok    {told}" in at("preparedness").out
    less = {"engineering": 1, "communications": 1}
    policy = (*DEFAULT_ROWS, PolicyRow(type="notice", demands=less, product="thermostat"))
    assert notice_roles(DEFAULT_ROWS) == set(ROLES)
    assert notice_roles(policy) == {"engineering", "communications"}
    assert notice_roles(()) == set()


def test_a_call_before_the_approval_is_a_violation(
    at: Tocsin, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(workspace, PLAIN + promised(48))
    at("incident", "open", "INC-2026-0001", "--aware", ago(2))
    at("incident", "link", "INC-2026-0001", ADVISORY)

    def call(customer: str, outcome: str) -> str | None:
        ran = at("call", "record", ADVISORY, customer, outcome, "--by", "exercise-sales", "--json")
        assert ran.status == 0, ran
        found: dict[str, str] | None = ran.json["violation"]
        return found["code"] if found else None

    assert call("C-1", "no-answer") is None
    assert call("C-2", "reached") == "TOLD_BEFORE_APPROVAL"
    told = at("call", "record", ADVISORY, "C-3", "refused", "--by", "exercise-sales").out
    assert "Out of order: customer C-3, by a call, had word at" in told
    approve(workspace, *ROLES, later=60)
    assert call("C-3", "reached") == "TOLD_BEFORE_APPROVAL"
    afterwards = time.time() + 61
    monkeypatch.setattr("gateway.cli.call.now", lambda: afterwards)
    assert call("C-4", "reached") is None
    broken = at("incident", "show", "INC-2026-0001", "--json").json["violations"]
    assert [re.findall(r"C-\d", each["message"]) for each in broken] == [["C-2"], ["C-3"], ["C-3"]]


def test_a_promise_that_belongs_to_no_incident_is_watched_too(
    at: Tocsin, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(workspace, PLAIN + promised(48))
    approve(workspace, *ROLES)
    assert at("advisory", "publish", ADVISORY).status == 0
    calm = at("clocks", "--json")
    assert calm.status == 0
    assert [(c["incident"], c["step"], c["state"]) for c in calm.json["clocks"]] == [
        ("", f"{ADVISORY}.r1", "running")
    ]
    assert at("clocks", "export", tmp_path / "a.ics", "--json").json["entries"] == 1
    later = time.time() + 49 * 3_600
    monkeypatch.setattr("gateway.cli.clocks.now", lambda: later)
    late = at("clocks")
    assert late.status == 1
    assert "overdue" in late.out
    monkeypatch.undo()
    at("incident", "open", "INC-2026-0001", "--aware", ago(2))
    at("incident", "link", "INC-2026-0001", ADVISORY)
    found = [(c["incident"], c["step"]) for c in at("clocks", "--json").json["clocks"]]
    assert sorted(found) == [("INC-2026-0001", f"{ADVISORY}.r1"), ("INC-2026-0001", "first-notice")]


def test_a_review_knows_the_awareness_of_an_incident_that_only_the_facts_name(
    at: Tocsin, workspace: Workspace
) -> None:
    at("incident", "open", "INC-2026-0001", "--aware", ago(2))
    write(workspace, PLAIN + promised(48) + "incident: INC-2026-0001\n")
    approve(workspace, *ROLES)
    at("advisory", "publish", ADVISORY)
    ran = at("review", "show", ADVISORY, "--json")
    assert ran.json["incident"] == "INC-2026-0001"
    assert ran.json["measures"]["aware_to_published"] >= 7_200


def test_device_page_letter_mail_and_post_say_the_same_id_and_code(
    at: Tocsin, workspace: Workspace, tmp_path: Path
) -> None:
    (workspace.path / "organisation.yaml").write_text("name: Example\nsite: https://example.com/security\n")
    approve(workspace, *ROLES)
    assert at("advisory", "render", ADVISORY, tmp_path / "out").status == 0
    assert at("advisory", "publish", ADVISORY).status == 0
    assert at("site", "build", tmp_path / "site").status == 0
    with workspace.store() as store, store.read() as session:
        document = session.document(Notice.TYPE, ADVISORY)
        assert document is not None
    code = check_code(digest(document.bytes))
    notice = peek(document.bytes, Notice)
    texts = workspace.path / "advisories" / ADVISORY / "r1" / "texts"
    for language in notice.texts:
        text = load(Text, (texts / f"{language}.cbor").read_bytes(), size_max=1_024)
        shown = console.render(notice, text, product="x", installed="1.4.1", code=code, confirmed=True)
        told = {"device": "\n".join(shown)}
        names = ("web.html", "letter.html", "letter.txt", "email.txt", "social.txt", "briefing-support.md")
        told |= {name: (tmp_path / "out" / language / name).read_text("utf-8") for name in names}
        told["check"] = (tmp_path / "site" / "en" / "check.html").read_text("utf-8")
        home = tmp_path / "site" / "notices" / ADVISORY / language
        told["site"] = (home / "web.html").read_text("utf-8")
        for name, words in told.items():
            plain = unescape(re.sub(r"<[^>]+>", "", words))
            assert code in plain, (language, name)
            assert ADVISORY in plain, (language, name)
            assert "***-***" not in plain, (language, name)
        assert f"notices/{ADVISORY}/" in (tmp_path / "out" / language / "banner.html").read_text("utf-8")
        assert (home / "faq.html").is_file()


def test_the_status_counts_by_product_and_language_to_the_patch(at: Tocsin, workspace: Workspace) -> None:
    write(workspace, PLAIN + promised(48))
    approve(workspace, *ROLES)
    at("advisory", "publish", ADVISORY)
    t = schema
    digest_of_patch = b"p" * 32
    patch = {"digest": digest_of_patch, "product": "thermostat", "sequence": 1, "version": "1.4.2"}
    with workspace.store() as store, store.write() as session:
        run = session.connection.execute
        run(t.patches.insert().values(**patch, envelope=b"", payload=bytes(32), size=0, published=1.0))
        wanted = t.devices.select().where(t.devices.c.product == "thermostat")
        devices = run(wanted).all()
        with counted(session, [device.id for device in devices]):
            for device, language, state in zip(
                devices, ("de", "ja"), (PatchState.SUCCEEDED, PatchState.OFFERED), strict=True
            ):
                known = {"device": device.id, "epoch": 1, "sequence": 1, "installed": "1.4.1+0", "seen": 1.0}
                known |= {"root_version": 1, "journal_count": 0, "journal_head": b"", "journal_life": 1}
                run(t.device_states.insert().values(**known, language=language, next_nonce=bytes(16)))
                done = {"device": device.id, "digest": digest_of_patch, "sequence": 1, "state": int(state)}
                run(t.patch_states.insert().values(**done, reason=0, time=1, changed=1.0))
    found = at("status", ADVISORY, "--json").json["status"]
    cells = found["advisories"][0]["languages"]["thermostat"]
    assert {tag: (cell["devices"], cell["affected"]) for tag, cell in cells.items()} == {
        "de": (1, 1),
        "ja": (1, 1),
    }
    assert (found["patches"][0]["patched"], found["patches"][0]["patched_by_language"]) == (1, {"de": 1})
