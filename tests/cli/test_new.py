"""`tocsin advisory new`: questions on a terminal, a template with gaps elsewhere, and nothing lost."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from advisories import yamlfile
from advisories.facts import load_facts, schema
from advisories.templates import NAMES
from gateway.cli import run as command
from gateway.operations import advisories
from gateway.operations.advisories.setting import organisation, write_organisation
from gateway.workspace.folder import Workspace
from keys.errors import InputError
from tests.cli.conftest import ADVISORY, ROOT, Ran, Tocsin, snapshot

NEW = "EX-2026-0042"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Typed:
    """Runs the command with somebody at the terminal."""

    def __init__(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ):
        self.workspace, self.monkeypatch, self.capsys = workspace, monkeypatch, capsys

    def __call__(self, *words: str, lines: list[str]) -> Ran:
        self.monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{line}\n" for line in lines)))
        self.capsys.readouterr()
        status = command.run(["advisory", "new", *words, "-w", str(self.workspace.path)])
        out, err = self.capsys.readouterr()
        return Ran(status, out, err)


@pytest.fixture
def typed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    write_organisation(workspace)
    return Typed(workspace, monkeypatch, capsys)


def path(workspace: Workspace) -> Path:
    return workspace.path / "advisories" / f"{NEW}.yaml"


def test_a_few_answers_make_a_notice_with_gaps_only_where_people_must_decide(
    workspace: Workspace, typed: Typed
) -> None:
    happened = "A weakness could let strangers in your home network change settings."
    ran = typed(NEW, lines=["2", "thermostat", ">=1.0.0 <1.4.2", "1.4.2", happened, "", "", "2d"])
    assert ran.status == 0, ran
    assert "Wrote " in ran.out
    facts = load_facts(path(workspace).read_bytes(), where="new")
    assert [*facts.products] == ["thermostat"]
    assert facts.products["thermostat"].fixed == "1.4.2"
    assert facts.texts["en"].happened == happened
    assert facts.texts["en"].action == "Please accept the update when your device offers it."
    assert facts.texts["en"].contact == "support@example.com, Monday to Friday, 9:00 to 17:00 UTC"
    assert facts.next_update is not None
    assert abs(facts.next_update.timestamp() - time.time() - 2 * 86_400) < 3_600
    assert [contact.kind.value for contact in facts.contacts] == ["mail", "phone"]
    assert "[" not in str(facts.texts["en"])


def test_wrong_answers_are_told_at_once_and_asked_again(workspace: Workspace, typed: Typed) -> None:
    lines = [
        "9",
        "x",
        "1",
        "kettle",
        "thermostat, doorbell",
        "1.4",
        ">=2.0.0 <1.0.0",
        "",
        "<1.4.2",
        "1.0.0",
        "1.4.2",
    ]
    lines += ["<2.3.0; >=3.0.0", "", "x" * 601, "It is\x07so.", "So.", "Do.", "nobody", "", "yesterday"]
    lines += ["2020-01-01T00:00:00Z", "2030-01-01T09:00:00", ""]
    ran = typed(NEW, lines=lines)
    assert ran.status == 0, ran
    for told in (
        "Type a number from 1 to 7",
        "There is no product 'kettle'; known: thermostat, doorbell",
        "'1.4' is not a version like 1.2.3",
        "is an empty range",
        "Type a range such as",
        "1.0.0 is itself in the affected range",
        "It has 601 bytes; devices keep 600",
        "It holds letters that cannot be shown",
        "Name a phone number, a mail address or a page",
        "'yesterday' is not a time like",
        "2020-01-01T00:00:00Z has passed",
        "has no time zone",
    ):
        assert told in ran.out, told
    facts = load_facts(path(workspace).read_bytes(), where="new")
    assert facts.products["doorbell"].affected == ("<2.3.0", ">=3.0.0")
    assert facts.texts["de"].happened == "[translate: So.]"


@pytest.mark.parametrize("answers", range(1, 8))
def test_the_end_of_typing_keeps_what_was_answered(workspace: Workspace, typed: Typed, answers: int) -> None:
    lines = ["thermostat", ">=1.0.0 <1.4.2", "1.4.2", "It is so.", "Do that.", "help@example.com", "24h"]
    ran = typed(NEW, "--template", "vulnerability-with-fix", lines=lines[:answers])
    if answers == len(lines):
        assert ran.status == 0
        return
    assert ran.status == 130
    if answers == 1:
        assert "Nothing was written." in ran.err
        assert not path(workspace).exists()
        return
    assert f"What you answered is in {path(workspace)}" in ran.err
    text = path(workspace).read_text()
    load_facts(text, where="new")
    for line in lines[:answers]:
        assert line in text


def test_ctrl_c_on_a_real_terminal_keeps_the_answers(workspace: Workspace) -> None:
    leader, follower = pty.openpty()
    base = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    process = subprocess.Popen(
        [
            Path(sys.executable).parent / "tocsin",
            "advisory",
            "new",
            NEW,
            "--template",
            "data-breach",
            "-w",
            workspace.path,
        ],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=base,
    )
    os.close(follower)
    seen = b""
    for question, answer in (
        (b"Which products", b"doorbell\n"),
        (b"Affected versions of doorbell", b"<2.3.0\n"),
        (b"What happened", b""),
    ):
        end = time.monotonic() + 60
        while question not in seen and time.monotonic() < end:
            if select.select([leader], [], [], 1)[0]:
                seen += os.read(leader, 4_096)
        assert question in seen
        os.write(leader, answer)
    process.send_signal(signal.SIGINT)
    status = process.wait(60)
    os.close(leader)
    assert status == 130
    assert load_facts(path(workspace).read_bytes(), where="new").products["doorbell"].affected == ("<2.3.0",)


def test_without_a_terminal_the_template_is_written_with_its_gaps(
    workspace: Workspace, tocsin: Tocsin
) -> None:
    for number, name in enumerate(NAMES[:-1]):
        id_ = f"EX-2026-01{number:02}"
        ran = tocsin("advisory", "new", id_, "--template", name, "-w", workspace.path, "--json")
        assert ran.status == 0, ran
        checked = tocsin("advisory", "check", id_, "-w", workspace.path, "--json")
        assert checked.status == 1
        assert "placeholder" in {finding["rule"] for finding in checked.json["findings"]}
    first = (workspace.path / "advisories" / "EX-2026-0100.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=advisory.schema.json"
    assert json.loads((workspace.path / "advisories" / "advisory.schema.json").read_bytes()) == schema()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((ADVISORY,), "ADVISORY_EXISTS"),
        ((NEW, "--template", "breach"), "NO_TEMPLATE"),
        ((NEW, "--template", "false-alarm-withdrawn"), "NOT_PUBLISHED"),
        (("a b",), "BAD_ID"),
        (("../x.yaml",), "FILE_MISSING"),
    ],
)
def test_what_cannot_begin_is_told_before_anything_is_asked(
    workspace: Workspace, tocsin: Tocsin, typed: Typed, words: tuple[str, ...], code: str
) -> None:
    before = snapshot(workspace.path)
    ran = tocsin("advisory", "new", *words, "-w", workspace.path, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, code)
    asked = typed(*words, lines=["1"])
    assert asked.status == 2
    assert "What happened" not in asked.out
    assert snapshot(workspace.path) == before


def test_a_withdrawal_goes_on_with_what_was_published(
    workspace: Workspace, tocsin: Tocsin, typed: Typed
) -> None:
    here = ("-w", workspace.path)
    for role in ("engineering", "legal", "communications"):
        tocsin("advisory", "approve", ADVISORY, "--key", role, "--yes", *here)
    assert tocsin("advisory", "publish", ADVISORY, *here).status == 0
    file = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    published = file.read_bytes()
    file.write_bytes(published + b"# mine\n")
    ran = tocsin("advisory", "new", ADVISORY, "--template", "false-alarm-withdrawn", *here, "--json")
    assert ran.json["error"]["code"] == "ADVISORY_EXISTS"
    file.write_bytes(published)
    lines = ["We warned you of a weakness. We have checked it, and it was wrong.", "", ""]
    assert typed(ADVISORY, "--template", "false-alarm-withdrawn", lines=lines).status == 0
    facts = load_facts(file.read_bytes(), where="new")
    old = load_facts(published, where="old")
    assert {name: p.affected for name, p in facts.products.items()} == {
        name: p.affected for name, p in old.products.items()
    }
    assert {*facts.texts} == {*old.texts}
    assert facts.next_update is None
    record = workspace.path / "advisories" / ADVISORY / "r1" / "source" / "facts.yaml"
    assert record.read_bytes() == published


def test_the_templates_are_listed(tocsin: Tocsin) -> None:
    found = tocsin("advisory", "templates", "--json").json["templates"]
    assert [row["template"] for row in found] == [*NAMES]
    assert "lost-signing-key" in tocsin("advisory", "templates").out


GOOD = sorted((ROOT / "examples" / "advisories").glob("*.yaml"))
BAD = sorted((ROOT / "examples" / "advisories" / "bad").glob("*.yaml"))


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_the_schema_accepts_every_good_example(file: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    value, _ = yamlfile.load(file.read_bytes(), where=file.name)
    jsonschema.validate(value, schema(), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "name", ["misspelt-key", "misspelt-value", "missing-key", "wrong-type", "version-as-number", "no-such"]
)
def test_the_schema_refuses_the_misspelt_ones(name: str) -> None:
    found = [file for file in BAD if file.stem == name]
    for file in found:
        value, _ = yamlfile.load(file.read_bytes(), where=file.name)
        assert not jsonschema.Draft202012Validator(schema()).is_valid(value)
        with pytest.raises(InputError):
            load_facts(file.read_bytes(), where=file.name)
    assert found or name == "no-such"


def test_the_schema_is_written_where_it_is_wanted(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    here = ("-w", workspace.path)
    assert tocsin("advisory", "schema", *here).status == 0
    assert (workspace.path / "advisories" / "advisory.schema.json").is_file()
    ran = tocsin("advisory", "schema", tmp_path / "s.json", *here, "--json")
    assert ran.json["schema"] == json.loads((tmp_path / "s.json").read_bytes()) == schema()
    key = next((workspace.path / "keys").glob("*.pem"))
    assert tocsin("advisory", "schema", key, *here, "--json").json["error"]["code"] == "KEY_IN_THE_WAY"


@pytest.mark.parametrize("name", ["store.sqlite", "keys.toml", f"advisories/{ADVISORY}.yaml", "roots/1.cose"])
@pytest.mark.parametrize(
    "words",
    [("advisory", "schema"), ("sign-request", "export", "advisory", ADVISORY)],
    ids=["schema", "request"],
)
def test_nothing_is_written_over_what_a_workspace_is_made_of(
    workspace: Workspace, tocsin: Tocsin, words: tuple[str, ...], name: str
) -> None:
    before = snapshot(workspace.path)
    ran = tocsin(*words, workspace.path / name, "-w", workspace.path, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, "WORKSPACE_IN_THE_WAY")
    assert snapshot(workspace.path) == before
    again = workspace.path / "again"
    for _ in range(2):
        assert tocsin(*words, again, "-w", workspace.path).status == 0


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_dry_run_without_a_proposal_is_told(
    workspace: Workspace, tocsin: Tocsin, more: tuple[str, ...]
) -> None:
    before = snapshot(workspace.path)
    ran = tocsin("advisory", "new", "EX-2026-0002", "--dry-run", "-w", workspace.path, *more)
    assert ran.status == 2
    assert "--component" in ran.out + ran.err
    assert snapshot(workspace.path) == before


@pytest.mark.parametrize("words", [("--exercise",), ()])
def test_init_writes_who_speaks(tocsin: Tocsin, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert tocsin("init", "made", *words).status == 0
    found = organisation(Workspace.open(tmp_path / "made"))
    assert found.silence_hours == 24
    assert found.name == ("Example Devices" if words else "")
    assert bool(found.contacts) == bool(words)
    text = (tmp_path / "made" / "organisation.yaml").read_text()
    (tmp_path / "made" / "organisation.yaml").write_text(
        "\n".join(
            line.removeprefix("# ") if not line.startswith(("# Who", "# 'tocsin")) else ""
            for line in text.splitlines()
        )
    )
    assert organisation(Workspace.open(tmp_path / "made")).name == "Example Devices"


def test_an_open_workspace_keeps_its_own_words(workspace: Workspace) -> None:
    (workspace.path / "organisation.yaml").write_text("name: Ours\n")
    write_organisation(workspace)
    assert organisation(workspace).name == "Ours"
    assert advisories.load(workspace, ADVISORY).facts.id == ADVISORY
