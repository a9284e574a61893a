"""Advisories, incidents, replies and the site through ``--server``: each command as it is in the folder.

Two copies of one workspace go the same way, one in its folder, the other through a real server.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from advisories.incident.kinds import DraftSigned
from gateway.cli.own import Own
from gateway.operations import tokens
from gateway.operations.advisories import editing, handing, lifting
from gateway.operations.incidents import records
from gateway.operations.trust import requests
from gateway.operations.trust.request_files import Kind, read_answer
from gateway.workspace.folder import Workspace
from keys.codec import dump
from keys.errors import InputError, RefusedError, TocsinError
from keys.reasons import Reason
from keys.signer import from_seed
from tests.cli.afar import one_clock
from tests.cli.conftest import ADVISORY, EXAMPLE, Ran, Tocsin, no_passphrase
from tests.cli.test_server import running

ROLES = ("author", "engineering", "legal", "communications", "operator")
NEW, INCIDENT = "EX-2026-0002", "INC-2026-0001"
AWARE, LATER = (
    time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - hours * 3_600)) for hours in (30, 20)
)
CUSTOMERS = "customer,name,phone,language,products,key\nC-1,Example GmbH,+49 30 000000,de,thermostat,yes\n"


@dataclass
class Two:
    """The same command in the folder, and through the server."""

    tocsin: Tocsin
    folder: Path
    served: Workspace
    url: str
    token: str
    keys: Path
    clock: Callable[[], float]

    def here(self, *words: str | Path) -> Ran:
        return self.tocsin(*words, "--json", "-w", self.folder)

    def there(self, *words: str | Path, json: bool = True, token: str | None = None) -> Ran:
        more = ("--json",) if json else ()
        where = ("--server", self.url)
        return self.tocsin(*where, *words, *more, env={"TOCSIN_TOKEN": token or self.token})

    def make_token(self, *roles: str) -> str:
        return tokens.new(self.served, "-".join(roles), roles=roles, now=int(self.clock()), by="x").token


@pytest.fixture
def two(workspace: Workspace, tmp_path: Path, tocsin: Tocsin) -> Iterator[Two]:
    (workspace.path / "organisation.yaml").write_text(ORGANISATION)
    served = tmp_path / "served" / "fleet"
    shutil.copytree(workspace.path, served)
    shutil.move(served / "keys", tmp_path / "own-keys")  # the server holds no private key
    opened = Workspace.open(served)
    made = tokens.new(opened, "exercise-afar", roles=ROLES, now=int(time.time()), by="exercise")
    with one_clock() as clock, running(opened, None, clock) as url:
        yield Two(tocsin, workspace.path, opened, url, made.token, tmp_path / "own-keys", clock)


ORGANISATION = """\
name: Example Devices
site: https://notices.example.com/sec
policy: https://example.com/policy
publisher: {name: Example Devices, category: vendor, namespace: "https://example.com", contact: psirt@example.com}
contacts:
  - {kind: mail, value: psirt@example.com}
"""


def same(value: Any) -> Any:
    """Leave out where files lie; a clock that stands still makes all the rest the same."""
    if isinstance(value, dict):
        return {name: same(each) for name, each in value.items()}
    if isinstance(value, str):
        return re.sub(r"[^ '\"]*/", "", value)
    return [same(each) for each in value] if isinstance(value, list) else value


def key(two: Two, name: str) -> str:
    return f"file:{next(two.keys.glob(f'{name}.*'))}"


Words = tuple[str, ...]
SAID: tuple[Words, ...] = (
    ("advisory", "check", ADVISORY),
    ("advisory", "check", "{example}"),
    ("advisory", "check", "missing.yaml"),
    ("advisory", "show", ADVISORY),
    ("advisory", "show", "EX-2026-0009"),
    ("advisory", "new", NEW, "--template", "vulnerability-with-fix"),
    ("advisory", "new", NEW),
    ("advisory", "new", "{example}"),
    ("advisory", "new", "EX-2026-0003", "--template", "lost-signing-key", "--no-input"),
    ("advisory", "new", "EX-2026-0003", "--component", "openssl", "--range", "<3", "--dry-run"),
    ("advisory", "edit", ADVISORY, "--role", "legal", "--from", "{edited}", "--by", "exercise-afar"),
    ("advisory", "edit", ADVISORY, "--role", "communications", "--from", "{edited}", "--by", "exercise-afar"),
    ("advisory", "edits", ADVISORY),
    ("advisory", "translate", "status", ADVISORY),
    ("advisory", "translate", "export", NEW, "fr", "{out}/fr.po"),
    ("advisory", "translate", "export", ADVISORY, "fr", "{out}/fr.doc"),
    ("advisory", "translate", "import", NEW, "{out}/fr.po", "--translator", "exercise-translator"),
    ("advisory", "translate", "import", ADVISORY, "{out}/fr.po", "--translator", "exercise-translator"),
    ("advisory", "reject", ADVISORY, "--role", "legal", "--by", "exercise-afar", "--comment", "Not yet."),
    ("advisory", "comments", ADVISORY),
    ("advisory", "reject", ADVISORY, "--role", "legal", "--by", "exercise-afar", "--take-back"),
    ("advisory", "reject", ADVISORY, "--role", "legal", "--by", "exercise-afar", "--take-back"),
    ("advisory", "render", ADVISORY, "{out}/preview"),
    ("advisory", "packet", ADVISORY, "--role", "legal", "{out}/legal.html"),
    ("advisory", "packet", ADVISORY, "--role", "king", "{out}/legal.html"),
    ("advisory", "embargo", "show", ADVISORY),
    ("advisory", "embargo", "lift", ADVISORY, "--key", "{key:legal}", "--yes"),
    ("advisory", "publish", ADVISORY, "--key", "{key:operator}"),
    ("advisory", "approve", ADVISORY, "--key", "{key:engineering}", "--yes", "--comment", "Fine."),
    ("advisory", "approve", ADVISORY, "--key", "{key:operator}", "--yes"),
    ("advisory", "approve", ADVISORY, "--key", "{key:legal}", "--yes", "--condition", "The letter first."),
    ("advisory", "approve", ADVISORY, "--key", "{key:communications}"),
    ("advisory", "approve", ADVISORY, "--key", "{key:communications}", "--yes"),
    ("advisory", "publish", ADVISORY, "--key", "{key:operator}"),
    ("advisory", "condition", ADVISORY, "1", "--met", "--by", "exercise-afar"),
    ("advisory", "condition", ADVISORY, "1", "--met", "--by", "exercise-afar"),
    ("advisory", "publish", ADVISORY, "--key", "{key:operator}", "--dry-run"),
    ("advisory", "publish", ADVISORY, "--key", "{key:operator}"),
    ("advisory", "publish", ADVISORY, "--key", "{key:operator}"),
    ("advisory", "show", ADVISORY),
    ("advisory", "comments", ADVISORY),
    ("advisory", "export", ADVISORY, "--csaf", "--out", "{out}/csaf", "--lang", "en"),
    ("advisory", "export", ADVISORY, "--csaf", "--out", "{out}/csaf", "--lang", "xx"),
    ("advisory", "import", "{out}/csaf/{csaf}", "--id", "EX-2026-0004"),
    ("advisory", "import", "{example}"),
    ("site", "build", "{out}/public"),
    ("review", "show", ADVISORY),
    ("review", "show", NEW),
    (
        *("review", "record", ADVISORY, "--by", "exercise-afar", "--happened", "a", "--right", "b"),
        *("--improve", "c", "--next-time", "d", "--action", "Anna: write by 2026-12-31"),
    ),
    ("review", "show", ADVISORY),
    ("call", "list", ADVISORY, "--customers", "{customers}"),
    ("call", "record", ADVISORY, "C-1", "reached", "--by", "exercise-afar"),
    ("call", "list", ADVISORY, "--customers", "{customers}"),
    ("reply", "add", "Is this real?", "--channel", "mail", "--advisory", ADVISORY, "--by", "exercise-afar"),
    ("reply", "add", "Is this real?", "--channel", "mail", "--advisory", "none", "--by", "exercise-afar"),
    ("reply", "triage", "{reply}", "respond", "--reason", "Asks.", "--by", "exercise-afar"),
    ("reply", "list", "--waiting"),
    ("reply", "triage", "99", "ignore", "--reason", "x", "--by", "exercise-afar"),
    ("incident", "open", INCIDENT, "--aware", AWARE, "--regime", "eu-gdpr-33", "--by", "exercise-afar"),
    ("incident", "open", INCIDENT, "--aware", AWARE, "--by", "exercise-afar"),
    ("incident", "trigger", INCIDENT, "fix-available", "--at", LATER),
    ("incident", "trigger", INCIDENT, "no-such", "--at", LATER),
    ("incident", "submitted", INCIDENT, "--regime", "eu-gdpr-33", "--step", "x", "--at", LATER),
    ("incident", "regime", INCIDENT, "eu-gdpr-33", "--not", "--reason", "None.", "--at", LATER),
    ("incident", "hold", INCIDENT, "--office", "Example police", "--at", LATER),
    ("incident", "hold", INCIDENT, "--office", "Example police", "--lift", "--at", LATER),
    ("incident", "fact", INCIDENT, "member-states", "Germany", "--at", LATER),
    ("incident", "severity", INCIDENT, "high", "--reason", "Doors.", "--at", LATER),
    ("incident", "estimate", INCIDENT, "1200", "--source", "sales", "--at", LATER),
    ("incident", "credit", INCIDENT, "exercise-reporter", "--agreed", "--at", LATER),
    ("incident", "log", INCIDENT, "Example CERT", "We agreed.", "--out", "--at", LATER),
    ("incident", "told", INCIDENT, "suppliers", "Example Chips", "--at", LATER),
    ("incident", "note", INCIDENT, "A second device.", "--at", LATER),
    ("incident", "link", INCIDENT, ADVISORY, "--at", LATER),
    ("incident", "close", INCIDENT, "--reason", "Done.", "--at", LATER),
    ("incident", "reopen", INCIDENT, "--reason", "Not done.", "--at", LATER),
    ("incident", "show", INCIDENT),
    ("incident", "show", "INC-2026-0009"),
    ("incident", "list"),
    ("incident", "timeline", INCIDENT),
    ("incident", "timeline", INCIDENT, "--csv", "--out", "{out}/timeline.csv"),
    ("incident", "draft", INCIDENT, "--regime", "eu-gdpr-33", "--step", "notification"),
    ("incident", "draft", INCIDENT, "--regime", "eu-gdpr-33", "--step", "notification"),
    ("incident", "draft", INCIDENT, "--regime", "eu-gdpr-33", "--step", "nothing"),
    ("incident", "draft", INCIDENT, "--regime", "eu-gdpr-33", "--step", "notification", "--verify"),
    (
        *("incident", "draft", INCIDENT, "--regime", "eu-gdpr-33", "--step", "notification"),
        *("--sign", "{key:legal}", "--yes"),
    ),
    ("incident", "draft", INCIDENT, "--regime", "eu-gdpr-33", "--step", "notification", "--verify"),
    ("clocks",),
    ("clocks", "show", INCIDENT),
    ("clocks", "export", "{out}/deadlines.ics"),
    ("clocks", "regimes"),
    ("clocks", "regimes", "eu-gdpr-33"),
    ("preparedness",),
)
"""In their order: each finds what those before it left."""


def test_each_command_says_through_a_server_what_it_says_in_the_folder(two: Two, tmp_path: Path) -> None:
    text = EXAMPLE.read_text("utf-8")
    (tmp_path / "edited.yaml").write_text(text.replace("expires_days: 90", "expires_days: 80"), "utf-8")
    (tmp_path / "customers.csv").write_text(CUSTOMERS)
    places: dict[str, str | Path] = {
        "example": EXAMPLE,
        "edited": "edited.yaml",
        "customers": "customers.csv",
    }
    for words in SAID:
        lines: list[list[str]] = []
        for side in ("here", "there"):
            (tmp_path / side).mkdir(exist_ok=True)
            places["out"] = side
            line = []
            for word in words:
                name = word[5:-1] if word.startswith("{key:") else None
                line.append((name if side == "here" else key(two, name)) if name else word.format(**places))
            if words[0] == "incident" and words[1] not in {"show", "list", "timeline", "draft", "open"}:
                line += ["--by", "exercise-afar"]
            lines.append(line)
        here, there = two.here(*lines[0]), two.there(*lines[1])
        left, right = here.json, there.json
        for said in (left, right):
            if "error" in said:
                said["error"] = said["error"]["code"]
        if words[:2] == ("reply", "add"):
            places.setdefault("reply", right.get("reply", ""))
        if words[:2] == ("advisory", "export"):
            places["csaf"] = next((tmp_path / "there" / "csaf").glob("*.json")).name
        assert (there.status, same(right)) == (here.status, same(left)), (words, here, there)
    for path in (tmp_path / "here").rglob("*"):
        assert (tmp_path / "there" / path.relative_to(tmp_path / "here")).exists(), path


def test_people_read_the_same_too_and_see_what_they_sign(two: Two) -> None:
    for words in (("advisory", "embargo", "show", ADVISORY), ("clocks", "regimes"), ("incident", "list")):
        assert two.there(*words, json=False).out == two.tocsin(*words, "-w", two.folder).out, words
    signed = two.there("advisory", "approve", ADVISORY, "--key", key(two, "legal"), "--yes", json=False)
    assert signed.status == 0, signed
    for said in ("WHAT IS BEING SIGNED: a notice to owners", "full digest ", "compare the fleet's digest"):
        assert said in signed.out
    own = two.tocsin(  # by name, out of the signer's own workspace, which knows the fleet
        *("--server", two.url, "advisory", "approve", ADVISORY),
        *("--key", "engineering", "--yes", "-w", two.folder),
        env={"TOCSIN_TOKEN": two.token},
    )
    assert own.status == 0, own
    assert "It is the fleet that you named." in own.out
    nowhere = two.there("advisory", "approve", ADVISORY, "--key", "legal", "--yes")
    assert nowhere.json["error"]["code"] == "NO_KEY_HERE"


def test_nobody_signs_for_another_fleet_than_their_own() -> None:
    own = Own("legal", from_seed(bytes(32)), bytes(32))
    own.require_fleet(bytes(32))
    with pytest.raises(RefusedError) as caught:
        own.require_fleet(b"\1" * 32)
    assert caught.value.reason is Reason.WRONG_FLEET


def test_an_embargo_is_lifted_with_keys_that_stay_at_home(two: Two) -> None:
    path = two.served.path / "advisories" / f"{ADVISORY}.yaml"
    text = path.read_text("utf-8").replace(
        "exercise: true", "embargo_until: 2999-01-01T00:00:00Z\nexercise: true", 1
    )
    path.write_text(text, "utf-8")
    assert two.there("advisory", "embargo", "show", ADVISORY).json["lifting"] is None
    for role in ("engineering", "legal", "communications"):
        ran = two.there("advisory", "embargo", "lift", ADVISORY, "--key", key(two, role), "--yes")
        assert ran.status == 0, ran
    shown = two.there("advisory", "embargo", "show", ADVISORY).json
    assert shown["lifting"]["missing"] == []
    assert shown["embargo_until"] == shown["lifting"]["new"]
    wrong = two.there("advisory", "embargo", "lift", ADVISORY, "--key", key(two, "operator"), "--yes")
    assert wrong.json["error"]["code"] in {"WRONG_ROLE", "NO_EMBARGO"}


def test_a_token_speaks_in_its_own_roles_only(two: Two, tmp_path: Path) -> None:
    text = EXAMPLE.read_text("utf-8").replace("severity: high", "severity: low")
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    edit = ("advisory", "edit", ADVISORY, "--from", "mine.yaml", "--role", "engineering")
    reject = ("advisory", "reject", ADVISORY, "--role", "engineering", "--by", "x", "--comment", "No.")
    approve = ("advisory", "approve", ADVISORY, "--key", key(two, "legal"), "--yes")
    publish = ("advisory", "publish", ADVISORY, "--key", key(two, "operator"))
    for role, codes in {
        "legal": ("WRONG_ROLE", "WRONG_ROLE", None, "FORBIDDEN"),
        "viewer": ("FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"),
        "operator": ("WRONG_ROLE", "FORBIDDEN", "FORBIDDEN", "THRESHOLD_NOT_MET"),
    }.items():
        token = two.make_token(role)
        for words, code in zip((edit, reject, approve, publish), codes, strict=True):
            found = two.there(*words, token=token).json
            assert found.get("error", {}).get("code") == code, (role, words, found)
    assert two.there(*edit, token=two.make_token("author")).json["changed"]


def test_what_was_not_handed_out_is_not_taken_in(two: Two) -> None:
    now = int(time.time())
    handed = handing.hand_out(two.served, ADVISORY, now=now)
    signer = Workspace.open(two.folder).signer("legal", no_passphrase)
    answer = requests.sign(requests.judge(handed.request), signer)
    found = read_answer(answer)
    for other, code in (
        (replace(found, digest=bytes(32)), "CHANGED_MEANWHILE"),
        (replace(found, kind=Kind.ROOT), "CHANGED_MEANWHILE"),
        (replace(found, value=bytes(64)), "BAD_SIGNATURE"),
        (replace(found, kid=bytes(32)), "KEY_NOT_IN_ROOT"),
    ):
        with pytest.raises(TocsinError) as caught:
            handing.take(two.served, ADVISORY, answer=dump(other), now=now)
        assert caught.value.code == code
    assert handing.take(two.served, ADVISORY, answer=answer, now=now).approvals.signed
    lift = dump(replace(found, value=b"x"))
    with pytest.raises(RefusedError):
        lifting.take(two.served, ADVISORY, document=lift, now=now)
    with pytest.raises(InputError) as stale:
        editing.edit(two.served, ADVISORY, "legal", b"", if_match="of-yesterday", by="x", now=now)
    assert stale.value.code == "CHANGED_MEANWHILE"


def test_a_signed_report_is_no_event_that_anybody_may_record(two: Two) -> None:
    two.there("incident", "open", INCIDENT, "--aware", AWARE)
    when = datetime.fromtimestamp(time.time() - 60, UTC)
    said = DraftSigned(when=when, regime="eu-gdpr-33", step="notification", digest="ab" * 32, holder="x")
    with pytest.raises(InputError) as caught:
        records.tell(two.served, INCIDENT, said=said, by="x", now=int(time.time()))
    assert caught.value.code == "NOT_RECORDED"


def test_a_report_may_lie_on_the_machine_of_who_signs_it(two: Two, tmp_path: Path) -> None:
    two.there("incident", "open", INCIDENT, "--aware", AWARE)
    about = (
        "incident",
        "draft",
        INCIDENT,
        "--regime",
        "eu-gdpr-33",
        "--step",
        "notification",
        "--out",
        "a.md",
    )
    assert two.there(*about).json["file"] == "a.md"
    assert two.there(*about).json["error"]["code"] == "DRAFT_EXISTS"
    (tmp_path / "a.md").write_text("Filled in by people.\n")
    assert two.there(*about, "--verify").json["error"]["code"] == "NOT_SIGNED"
    wrong = two.there(*about, "--sign", key(two, "engineering"), "--yes")
    assert wrong.json["error"]["code"] == "THRESHOLD_NOT_MET"
    assert two.there(*about, "--sign", key(two, "legal"), "--yes").json["holder"] == "exercise-legal"
    assert two.there(*about, "--verify").json["genuine"]
    (tmp_path / "a.md").write_text("Filled in by somebody else.\n")
    assert not two.there(*about, "--verify").json["genuine"]
    assert [each["holder"] for each in two.there("incident", "show", INCIDENT).json["drafts"]] == [
        "exercise-legal"
    ]
