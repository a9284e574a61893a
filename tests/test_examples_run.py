"""The ten examples are whole: nine languages, nothing that blocks, every output made and no word of it cut."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from advisories.checks import check
from advisories.compose import Release, compose
from advisories.facts import Facts, load_facts
from advisories.facts.matter import Kind
from advisories.notice import Phase
from advisories.organisation import load_organisation
from advisories.render import small
from advisories.story import Past, Setting
from gateway.operations import fonts
from gateway.workspace.folder import Workspace

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples"
TEN = [f"EX-2026-{number:04}" for number in range(1, 11)]
LANGUAGES = {"en", "de", "fr", "es", "it", "pl", "ja", "zh", "ar"}

needs_font = pytest.mark.skipif(not fonts.installed(), reason="GNU Unifont is not installed")


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


whole = script("whole")
make = script("make")


@cache
def facts_of(advisory: str) -> Facts:
    return load_facts((FOLDER / "advisories" / f"{advisory}.yaml").read_bytes(), where=f"{advisory}.yaml")


@cache
def setting_of(advisory: str) -> Setting:
    before = make.EARLIER.get(advisory)
    past = (Past(revision=1, phase="initial", issued=before),) if before else ()
    told = (FOLDER / "organisation.yaml").read_bytes()
    return Setting(organisation=load_organisation(told, where="organisation.yaml"), past=past)


@cache
def release_of(advisory: str) -> Release:
    setting = setting_of(advisory)
    return compose(
        facts_of(advisory),
        setting=setting,
        fleet=bytes(32),
        issued=make.NOW,
        revision=len(setting.past) + 1,
        exercise=True,
        version=make.NOW,
    )


def test_there_are_ten_over_every_kind_and_phase() -> None:
    known = sorted(path.stem for path in (FOLDER / "advisories").glob("*.yaml"))
    assert known == TEN
    assert {facts_of(name).kind for name in TEN} == set(Kind)
    assert {facts_of(name).phase for name in TEN} == set(Phase)
    largest = max(TEN, key=lambda name: len(facts_of(name).file))
    assert facts_of(largest).kind is Kind.INCIDENT
    assert facts_of(largest).phase is Phase.INITIAL


@pytest.mark.parametrize("advisory", TEN)
def test_an_example_is_marked_as_one_and_speaks_nine_languages(advisory: str) -> None:
    facts = facts_of(advisory)
    assert facts.id == advisory
    assert facts.exercise
    assert set(facts.texts) == LANGUAGES
    for language, written in facts.texts.items():
        if language != "en":
            assert written.translator == "exercise-translator"
            assert written.signed_off == "exercise, not signed off by a human translator"
            unsaid = {place for place in facts.elsewhere if place not in written.elsewhere}
            assert {place.partition(".")[0] for place in unsaid} <= {"measures", "containment", "offers"}


@pytest.mark.parametrize("advisory", TEN)
def test_nothing_blocks_an_example_whose_products_serve_nine_languages(advisory: str) -> None:
    facts = facts_of(advisory)
    path = FOLDER / "advisories" / "earlier" / f"{advisory}.yaml"
    found = check(
        facts,
        languages=dict.fromkeys(facts.products, LANGUAGES),
        setting=setting_of(advisory),
        previous=load_facts(path.read_bytes(), where=path.name) if path.exists() else None,
        now=make.NOW,
    )
    assert [one for one in found if one.severity == "block"] == []


@pytest.mark.parametrize("advisory", TEN)
def test_every_output_is_made_and_no_word_is_cut(advisory: str) -> None:
    facts, outputs = facts_of(advisory), release_of(advisory).outputs
    pages = [name for name in outputs if "/small-" in name]
    pictures = [name.removesuffix("txt") + "png" for name in pages]
    assert whole.missing(facts, outputs, pictures) == []
    assert whole.cut(facts, outputs) == []
    assert all(outputs.values())


@needs_font
@pytest.mark.parametrize("advisory", TEN)
def test_every_screen_can_be_drawn(advisory: str) -> None:
    known = fonts.installed()
    for name, data in release_of(advisory).outputs.items():
        language, _, page = name.partition("/")
        if page.startswith("small-") and page.endswith(".txt"):
            lines = data.decode().splitlines()
            image = small.draw(lines, language, font=small.font_of(language, known))
            assert image.size == (small.WIDTH_PX, small.HEIGHT_PX)


def test_what_is_lost_is_told() -> None:
    facts, outputs = facts_of("EX-2026-0005"), dict(release_of("EX-2026-0005").outputs)
    del outputs["de/letter.html"], outputs["ar/web.html"], outputs["led.txt"]
    outputs["pl/web.html"] = outputs["pl/web.html"].replace("wyciągi".encode(), b"wyci")
    outputs["ja/console.txt"] = outputs["ja/console.txt"].replace("顧".encode(), b"")
    outputs["ar/console.txt"] = b"|  |\n"
    outputs["fr/small-1.txt"] = outputs["fr/small-1.txt"].replace(b"bancaires", b"banc\naires")
    outputs["zh/small-2.txt"] = outputs["zh/small-2.txt"].replace("网店".encode(), b"")
    gone = whole.missing(facts, outputs, [])
    assert {"de/letter.html is missing", "ar/web.html is missing", "led.txt is missing"} <= set(gone)
    assert "en/small-1.png is missing" in gone
    told = " ".join(whole.cut(facts, outputs))
    for part in (
        "pl/web.html lacks wyciągi",
        "ja/console.txt lacks 顧",
        "ar/console.txt lacks",
        "the small screen in 'fr' breaks 'bancaires.'",
        "the small screen in 'zh' does not say the whole of 'happened'",
    ):
        assert part in told


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> pytest.CaptureFixture[str]:
    monkeypatch.setattr(make, "SECOND", Path("/nowhere"))  # the second validator has tests of its own
    return capsys


@needs_font
def test_a_run_takes_an_example_through_everything(tmp_path: Path, said: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "examples"
    assert make.run(folder, ["EX-2026-0009"]) == 0
    printed = said.readouterr().out
    assert "9 CSAF" in printed
    assert "1 of 1 whole" in printed
    assert "one opinion only" in printed
    here = folder / "EX-2026-0009"
    assert "***-***" not in (here / "ar" / "letter.txt").read_text("utf-8")
    assert (here / "zh" / "small-1.png").read_bytes().startswith(b"\x89PNG")
    documents = [json.loads(path.read_bytes()) for path in (here / "csaf").iterdir()]
    assert {document["document"]["lang"].partition("-")[0] for document in documents} == LANGUAGES
    assert {len(document["document"]["tracking"]["revision_history"]) for document in documents} == {2}
    assert any((folder / "site").glob("notices/**/*0009*"))
    assert Workspace.open(folder / ".workspace").settings.exercise


def test_an_unknown_example_is_said_to_be_one(tmp_path: Path, said: pytest.CaptureFixture[str]) -> None:
    assert make.run(tmp_path / "examples", ["EX-1999-0001"]) == 2
    assert said.readouterr().out == "There is no such example.\n"


def test_a_blocked_example_fails_the_run(
    tmp_path: Path, said: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(FOLDER, tmp_path / "copy", ignore=shutil.ignore_patterns("bad", "__pycache__"))
    path = tmp_path / "copy" / "advisories" / "EX-2026-0004.yaml"
    text = path.read_text("utf-8").replace("    title: Switch off guest mode", '    title: "TODO"', 1)
    path.write_text(text, "utf-8")
    monkeypatch.setattr(make, "HERE", tmp_path / "copy")
    assert make.run(tmp_path / "examples", ["EX-2026-0004"]) == 1
    assert "[placeholder]" in said.readouterr().out
