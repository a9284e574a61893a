"""``tocsin advisory translate``: out to a translator and back, through the front door."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polib
import pytest

from advisories import jsonfile, yamlfile
from gateway.workspace.folder import Workspace
from tests.cli.conftest import Tocsin

ID = "EX-2026-0001"


@pytest.mark.parametrize("name", ["fr.po", "fr.xlf"])
def test_a_language_goes_out_and_comes_back(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path, name: str
) -> None:
    file, facts = tmp_path / name, workspace.path / "advisories" / f"{ID}.yaml"
    base = ("--workspace", workspace.path)
    assert tocsin("advisory", "translate", "export", ID, "nl", file, *base).status == 0
    text = file.read_text("utf-8")
    assert "Please install update" in text
    if name.endswith(".po"):
        book = polib.pofile(str(file))
        for entry in book:
            entry.msgstr = f"NL {entry.msgid}"
        book.save(str(file))
    else:
        text = text.replace('state="initial"', 'state="translated"')
        text = re.sub(r"(<source[^>]*>)(.*?)(</source>)", r"\1\2\3<target>NL \2</target>", text)
        file.write_text(text, "utf-8")
    before = facts.read_text("utf-8")
    done = tocsin("advisory", "translate", "import", ID, file, "--translator", "exercise-translator", *base)
    assert (done.status, done.err) == (0, "")
    assert facts.read_text("utf-8").startswith(before)
    told = tocsin("advisory", "translate", "status", ID, "--json", *base)
    rows = {row["language"]: row for row in json.loads(told.out)["languages"]}
    assert (rows["nl"]["state"], rows["nl"]["translator"]) == ("translated", "exercise-translator")
    assert rows["en"]["state"] == "source"
    assert rows["de"]["state"] == "signed off"


def test_the_table_names_what_is_missing(workspace: Workspace, tocsin: Tocsin) -> None:
    path = workspace.path / "advisories" / f"{ID}.yaml"
    text = path.read_text("utf-8")
    path.write_text(
        text[: text.index("  ja:\n")]
        .replace("source_language:", "waived_languages: {pt: exercise-communications}\nsource_language:")
        .replace(
            '    contact: "support@example.com, Monday',
            '    social: Post\n    contact: "support@example.com, Monday',
        ),
        "utf-8",
    )
    found = tocsin("advisory", "translate", "status", ID, "--json", "--workspace", workspace.path)
    rows = {row["language"]: row for row in json.loads(found.out)["languages"]}
    assert (rows["ja"]["state"], rows["ja"]["served"]) == ("missing", True)
    assert (rows["de"]["state"], rows["de"]["missing"]) == ("incomplete", ["social"])
    assert (rows["pt"]["state"], rows["pt"]["waived_by"]) == ("waived", "exercise-communications")
    shown = tocsin("advisory", "translate", "status", ID, "--workspace", workspace.path)
    assert "incomplete" in shown.out


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("export", ID, "fr", "x.docx"), "TRANSLATION_FORMAT"),
        (("export", ID, "French", "x.po"), "BAD_LANGUAGE"),
        (("export", ID, "fr", "x.po", "--from", "pt"), "NO_TEXT"),
        (("export", ID, "en", "x.po"), "SAME_LANGUAGE"),
        (("export", "EX-9", "fr", "x.po"), "NO_ADVISORY"),
        (("import", ID, "none.po", "--translator", "a"), "FILE"),
        (("import", ID, "bad.po", "--translator", "a"), "TRANSLATION_UNREADABLE"),
    ],
)
def test_a_wrong_command_is_one_sentence(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path, command: tuple[str, ...], code: str
) -> None:
    (tmp_path / "bad.po").write_bytes(b"\xff")
    ran = tocsin("advisory", "translate", *command, "--json", "--workspace", workspace.path)
    assert ran.status != 0
    assert (
        json.loads(ran.err)["error"]["code"] == code if ran.err.startswith("{") else code in ran.err + ran.out
    )


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--translator", ""),
        ("--translator", " "),
        ("--translator", "a\x1b[2Jb"),
        ("--translator", "a\u202eb"),
        ("--translator", "a\nb"),
        ("--translator", "\udcff"),
        ("--translator", "x" * 65),
        ("--signed-off", "a\x1b[2Jb"),
        ("--signed-off", "x" * 1_025),
    ],
)
def test_a_name_that_no_list_could_show_is_refused(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path, option: str, name: str
) -> None:
    facts = workspace.path / "advisories" / f"{ID}.yaml"
    before = facts.read_bytes()
    assert tocsin("advisory", "translate", "export", ID, "de", "de.po", "-w", workspace.path).status == 0
    more = ("--translator", "exercise-translator") if option == "--signed-off" else ()
    ran = tocsin("advisory", "translate", "import", ID, "de.po", *more, option, name, "-w", workspace.path)
    assert ran.status == 2
    assert option in ran.err
    assert facts.read_bytes() == before


def test_what_a_translator_sent_back_is_not_written_over(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    send = ("advisory", "translate", "export", ID, "nl", "nl.po", "-w", workspace.path)
    assert tocsin(*send).status == 0
    assert tocsin(*send).status == 0  # nobody has worked on it
    book = polib.pofile(str(tmp_path / "nl.po"))
    for entry in book:
        entry.msgstr = f"NL {entry.msgid}"
    book.save(str(tmp_path / "nl.po"))
    lying = (tmp_path / "nl.po").read_bytes()
    refused = tocsin(*send, "--json")
    assert (refused.status, refused.json["error"]["code"]) == (2, "TRANSLATION_WAITING")
    assert (tmp_path / "nl.po").read_bytes() == lying
    take = ("advisory", "translate", "import", ID, "nl.po", "--translator", "exercise-translator")
    assert tocsin(*take, "-w", workspace.path).status == 0
    assert tocsin(*send).status == 0  # taken in: nothing is lost


def test_a_long_advisory_that_is_kept_as_json_takes_a_translation(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    path, base = workspace.path / "advisories" / f"{ID}.yaml", ("--workspace", workspace.path)
    value, _ = yamlfile.load(path.read_bytes(), where=path.name)
    head = "# imported\n"
    path.write_text(head + jsonfile.write(value), "utf-8")
    assert tocsin("advisory", "translate", "export", ID, "nl", tmp_path / "nl.po", *base).status == 0
    book = polib.pofile(str(tmp_path / "nl.po"))
    for entry in book:
        entry.msgstr = f"NL {entry.msgid}"
    book.save(str(tmp_path / "nl.po"))
    words = ("import", ID, tmp_path / "nl.po", "--translator", "exercise-translator")
    assert tocsin("advisory", "translate", *words, *base).status == 0
    after, _ = yamlfile.load(path.read_bytes(), where=path.name)
    assert path.read_text("utf-8").startswith(head)
    assert after["texts"].pop("nl")["title"].startswith("NL ")
    assert after == value


def test_what_is_for_named_people_only_goes_to_no_translator(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    path = workspace.path / "advisories" / f"{ID}.yaml"
    path.write_text(path.read_text("utf-8").replace("exercise: true", "exercise: true\ntlp: red", 1), "utf-8")
    out = tmp_path / "nl.po"
    ran = tocsin("advisory", "translate", "export", ID, "nl", out, "--json", "-w", workspace.path)
    assert ran.json["error"]["code"] == "TLP"
    assert not out.exists()
