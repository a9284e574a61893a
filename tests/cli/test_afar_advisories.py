"""Advisories, incidents, replies and the site through ``--server``: each command as it is in the folder.

Two copies of one workspace go the same way, one in its folder, the other through a real server.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.operations import tokens
from gateway.workspace.folder import Workspace
from tests.cli.conftest import ADVISORY, EXAMPLE, ROOT, Ran, Tocsin
from tests.cli.test_server import running

ROLES = ("author", "engineering", "legal", "communications", "operator")
NEW, INCIDENT = "EX-2026-0002", "INC-2026-0001"
HOUR = timedelta(hours=1)
AWARE = f"{datetime.now(UTC) - 30 * HOUR:%Y-%m-%dT%H:%M:%SZ}"
LATER = f"{datetime.now(UTC) - 20 * HOUR:%Y-%m-%dT%H:%M:%SZ}"
CUSTOMERS = "customer,name,phone,language,products,key\nC-1,Example GmbH,+49 30 000000,de,thermostat,yes\n"
STAND = ("at", "now", "left_seconds", "recorded", "issued", "expires", "digest", "check_code", "old", "new")
"""What differs between two runs, or two machines."""
STAND += ("path", "bytes", "seq", "by", "holder", "version", "data", "file", "code", "proposed_update", "facts")
STAND += ("folder", "topics", "signature")


@dataclass
class Two:
    """The same command in the folder, and through the server."""

    tocsin: Tocsin
    folder: Path
    served: Workspace
    url: str
    token: str
    keys: Path

    def here(self, *words: str | Path) -> Ran:
        return self.tocsin(*words, "--json", "-w", self.folder)

    def there(self, *words: str | Path, json: bool = True, token: str | None = None) -> Ran:
        more = ("--json",) if json else ()
        where = ("--server", self.url)
        return self.tocsin(*where, *words, *more, env={"TOCSIN_TOKEN": token or self.token})

    def make_token(self, *roles: str) -> str:
        return tokens.new(self.served, "-".join(roles), roles=roles, now=int(time.time()), by="x").token


@pytest.fixture
def two(workspace: Workspace, tmp_path: Path, tocsin: Tocsin) -> Iterator[Two]:
    (workspace.path / "organisation.yaml").write_text(ORGANISATION)
    served = tmp_path / "served" / "fleet"
    shutil.copytree(workspace.path, served)
    shutil.move(served / "keys", tmp_path / "own-keys")  # the server holds no private key
    opened = Workspace.open(served)
    made = tokens.new(opened, "exercise-afar", roles=ROLES, now=int(time.time()), by="exercise")
    with running(opened, None) as url:
        yield Two(tocsin, workspace.path, opened, url, made.token, tmp_path / "own-keys")


ORGANISATION = """\
name: Example Devices
site: https://notices.example.com/sec
policy: https://example.com/policy
publisher: {name: Example Devices, category: vendor, namespace: "https://example.com", contact: psirt@example.com}
contacts:
  - {kind: mail, value: psirt@example.com}
"""


def same(value: Any) -> Any:
    """Leave out what two machines say otherwise."""
    if isinstance(value, dict):
        return {name: same(each) for name, each in value.items() if name not in STAND}
    if isinstance(value, str):
        return re.sub(r"/[^ ']*/fleet/", "", value)
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
    ("advisory", "new", "EX-2026-0003", "--template", "all-clear"),
    ("advisory", "new", "EX-2026-0003", "--component", "openssl", "--range", "<3", "--dry-run"),
    ("advisory", "edit", ADVISORY, "--role", "legal", "--from", "{edited}"),
    ("advisory", "edit", ADVISORY, "--role", "engineering", "--from", "{edited}"),
    ("advisory", "edits", ADVISORY),
    ("advisory", "translate", "status", ADVISORY),
    ("advisory", "translate", "export", ADVISORY, "fr", "{out}/fr.po"),
    ("advisory", "translate", "export", ADVISORY, "fr", "{out}/fr.doc"),
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
    ("advisory", "import", "{csaf}", "--id", "EX-2026-0004"),
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
    ("reply", "list"),
    ("reply", "triage", "99", "ignore", "--reason", "x", "--by", "exercise-afar"),
    ("incident", "open", INCIDENT, "--aware", AWARE, "--regime", "eu-gdpr-33", "--by", "exercise-afar"),
    ("incident", "open", INCIDENT, "--aware", AWARE, "--by", "exercise-afar"),
    ("incident", "trigger", INCIDENT, "fix-available", "--at", LATER, "--by", "exercise-afar"),
    ("incident", "trigger", INCIDENT, "no-such", "--at", LATER, "--by", "exercise-afar"),
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
    (tmp_path / "edited.yaml").write_text(text.replace("legal", "legal"), "utf-8")
    (tmp_path / "customers.csv").write_text(CUSTOMERS)
    csaf = next((ROOT / "examples").rglob("*.json"), tmp_path / "none.json")
    for words in SAID:
        places = {"example": EXAMPLE, "edited": "edited.yaml", "customers": "customers.csv", "csaf": csaf}
        lines: list[list[str]] = []
        for side in ("here", "there"):
            (tmp_path / side).mkdir(exist_ok=True)
            fill: dict[str, str | Path] = {**places, "out": side}
            line = []
            for word in words:
                name = word[5:-1] if word.startswith("{key:") else None
                line.append((name if side == "here" else key(two, name)) if name else word.format(**fill))
            lines.append(line)
        here, there = two.here(*lines[0]), two.there(*lines[1])
        left, right = here.json, there.json
        for said in (left, right):
            if "error" in said:
                said["error"] = {"code": said["error"]["code"]}
        assert (there.status, same(right)) == (here.status, same(left)), (words, here, there)
    for path in (tmp_path / "here").rglob("*"):
        assert (tmp_path / "there" / path.relative_to(tmp_path / "here")).exists(), path
