"""Packages for translators: what goes out comes back the same, and what was altered is refused."""

import contextlib
from dataclasses import replace
from datetime import date
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories import jsonfile, yamlfile
from advisories.facts import Facts, Question, load_facts
from advisories.translate import po, xliff
from advisories.translate.insert import insert
from advisories.translate.units import Package, Unit, accept, nested, package
from keys.errors import InputError

FORMATS = pytest.mark.parametrize("tool", [po, xliff], ids=["po", "xliff"])
XLIFF = b'<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.1" srcLang="en" trgLang="fr">'


@FORMATS
@pytest.mark.parametrize("language", ["de", "fr"])
def test_what_goes_out_comes_back_the_same(example: Facts, tool: ModuleType, language: str) -> None:
    sent = package(example, language)
    assert tool.read(tool.write(sent), where="x") == sent


@FORMATS
@given(
    source=st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=60),
    target=st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=60),
)
def test_any_words_survive_the_journey(tool: ModuleType, source: str, target: str) -> None:
    words = f"{source} EX-2026-0001 {source}"
    sent = Package("EX-1", "en", "fr", (Unit("action", words, target), Unit("faq.0.q", source, "")))
    back = tool.read(tool.write(sent), where="x")
    for before, after in zip(sent.units, back.units, strict=True):
        assert (before.key, before.source, before.target) == (after.key, after.source, after.target)


def test_limits_and_protected_words_travel_with_each_paragraph(example: Facts) -> None:
    sent = package(example, "fr")
    affected = next(unit for unit in sent.units if unit.key == "affected")
    assert affected.protected == ("1.4.2", "2.3.0")
    gettext, xml = po.write(sent).decode(), xliff.write(sent).decode()
    assert "#, placeholders:1.4.2:2.3.0" in gettext
    assert "At most 160 bytes in UTF-8." in gettext
    assert '<unit id="title" slr:storageRestriction="160">' in xml
    assert '<data id="d1">1.4.2</data>' in xml
    assert '<ph id="p1" dataRef="d1" disp="1.4.2" canDelete="no" />' in xml
    post = Package("EX-1", "en", "fr", (Unit("social", "Look: https://example.com/a", ""),))
    assert '#, max-length:280, placeholders:"https://example.com/a"' in po.write(post).decode()
    assert 'slr:sizeRestriction="280"' in xliff.write(post).decode()


def changed(sent: Package, key: str, **fields: str) -> Package:
    units = tuple(replace(unit, **fields) if unit.key == key else unit for unit in sent.units)
    return replace(sent, units=units)


@pytest.mark.parametrize(
    ("fault", "key", "fields", "code"),
    [
        ("the source was changed meanwhile", "doing", {"source": "Other words."}, "STALE_TRANSLATION"),
        ("a paragraph is not done", "doing", {"target": "  "}, "UNFINISHED_TRANSLATION"),
        ("a version was altered", "affected", {"target": "Thermostat 1.4.3, 2.3.0."}, "PROTECTED_WORDS"),
        ("one byte too many", "title", {"target": "a" * 161}, "TOO_LONG"),
    ],
)
def test_what_came_back_wrong_is_refused_by_paragraph(
    example: Facts, fault: str, key: str, fields: dict[str, str], code: str
) -> None:
    back = changed(package(example, "de"), key, **fields)
    with pytest.raises(InputError, match=key) as caught:
        accept(example, back, where="x.po")
    assert (caught.value.code, caught.value.where) == (code, "x.po"), fault


def test_limits_hold_at_their_edges(example: Facts) -> None:
    whole = package(example, "de")
    accept(example, changed(whole, "title", target="a" * 160), where="x")
    text = example.file.decode().replace(
        '    contact: "support@example.com, Monday',
        '    social: "Post"\n    contact: "support@example.com, Monday',
    )
    facts = load_facts(text, where="a")
    sent = changed(package(facts, "de"), "social", target="ü" * 280)
    accept(facts, sent, where="x")
    with pytest.raises(InputError, match="281 letters"):
        accept(facts, changed(sent, "social", target="ü" * 281), where="x")


def test_a_translation_of_another_advisory_or_into_its_own_language_is_refused(example: Facts) -> None:
    sent = package(example, "de")
    for back, code in (
        (replace(sent, advisory="EX-2"), "WRONG_ADVISORY"),
        (replace(sent, language="en"), "SAME_LANGUAGE"),
    ):
        with pytest.raises(InputError) as caught:
            accept(example, back, where="x")
        assert caught.value.code == code
    with pytest.raises(InputError) as caught:
        package(example, "fr", "pt")
    assert caught.value.code == "NO_TEXT"
    assert package(example, "fr", "ja").units[0].source == "更新のお願い"


def test_what_stands_outside_the_texts_may_stay_untranslated(example: Facts) -> None:
    sent = package(example, "de")
    first, last = [unit.key for unit in sent.units if unit.key.startswith("elsewhere.")][:2]
    back = changed(changed(sent, first, target=" "), last, target="Ob ältere Geräte betroffen sind.")
    taken = accept(example, back, where="x")
    assert first not in taken
    assert taken[last] == "Ob ältere Geräte betroffen sind."


def test_unknown_paragraphs_are_stale(example: Facts) -> None:
    sent = package(example, "de")
    with pytest.raises(InputError, match="bogus"):
        accept(example, replace(sent, units=(*sent.units, Unit("bogus", "a", "b"))), where="x")


@FORMATS
def test_unfinished_states_count_as_not_translated(example: Facts, tool: ModuleType) -> None:
    data = tool.write(package(example, "de"))
    if tool is po:
        data = data.replace(b'msgctxt "doing"', b'#, fuzzy\nmsgctxt "doing"')
        data += b'#~ msgctxt "old"\n#~ msgid "gone"\n#~ msgstr "weg"\n'
    else:
        at = data.index(b'<unit id="doing"')
        data = data[:at] + data[at:].replace(b'state="translated"', b'state="initial"', 1)
    back = tool.read(data, where="x")
    assert {unit.key for unit in back.units if not unit.target} == {"doing"}


def test_a_tool_may_split_and_mark_up_a_paragraph() -> None:
    data = XLIFF + (
        b'<file id="EX-1"><unit id="action"><originalData><data id="d1">1.4.2</data></originalData>'
        b'<segment state="final"><source>One. </source><target>Un. </target></segment>'
        b'<segment state="final"><source>Two <ph id="1" dataRef="d1"/>.</source>'
        b'<target><mrk id="m">Deux</mrk> <ph id="1" dataRef="d1"/>.</target></segment></unit></file></xliff>'
    )
    assert xliff.read(data, where="x").units == (Unit("action", "One. Two 1.4.2.", "Un. Deux 1.4.2."),)


@pytest.mark.parametrize(
    ("tool", "data", "what"),
    [
        (po, b"\xff\xfe", "UTF-8"),
        (po, b'msgid "a', "cannot be read"),
        (po, b"/etc/hostname", "cannot be read"),
        (po, b"", "no language"),
        (po, b"#" * 1_048_577, "more than 1048576"),
        (xliff, b"#" * 1_048_577, "more than 1048576"),
        (xliff, b"<a", "well-formed"),
        (xliff, b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "entities"),
        (xliff, "<?xml version='1.0' encoding='utf-16'?><!DOCTYPE a><a/>".encode("utf-16"), "entities"),
        (xliff, b"<?xml version='1.0' encoding='nonsense'?><a/>", "well-formed"),
        (xliff, b"<a/>", "no XLIFF 2"),
        (xliff, XLIFF + b"</xliff>", "no <file>"),
        (xliff, XLIFF + b"<file><unit/></file></xliff>", "id of a unit"),
        (xliff, XLIFF + b'<file><unit id="a"><segment><source><ph id="1"/></source></segment></unit></file></xliff>', "refers to nothing"),
    ],
)  # fmt: skip
def test_what_is_no_translation_is_told_in_one_sentence(tool: ModuleType, data: bytes, what: str) -> None:
    with pytest.raises(InputError, match=what) as caught:
        tool.read(data, where="x")
    assert caught.value.code == "TRANSLATION_UNREADABLE"
    assert "\n" not in str(caught.value)


@FORMATS
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tool: ModuleType, data: bytes) -> None:
    with contextlib.suppress(InputError):
        tool.read(data, where="x")


BASE = """\
# head
source_language: en
texts:
  # about English
  en:
    title: One
    action: >-
      # not a comment
  # about German
  de:
    title: Eins # here

# after
id: EX-1
"""


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("fr", BASE.replace("    title: Eins # here\n", '    title: Eins # here\n  fr:\n    title: "Un"\n')),
        ("de", BASE.replace("    title: Eins # here\n", '    title: "Un"\n')),
        ("en", BASE.replace("    title: One\n    action: >-\n      # not a comment\n", '    title: "Un"\n')),
    ],
)
def test_nothing_but_the_language_changes_in_the_file(language: str, expected: str) -> None:
    assert insert(BASE, language, {"title": "Un"}, where="a") == expected


def test_lists_and_questions_are_written_as_the_model_reads_them(example: Facts) -> None:
    paragraphs = dict(example.texts["de"].fields()) | {
        "steps.0": 'Tippen Sie auf "Ja": #1',
        "steps.1": "Fertig.",
        "faq.0.q": "Warum?",
        "faq.0.a": "Darum \\ so.",
    }
    source = example.source.model_copy(
        update={"faq": (Question(q="Why?", a="So.", date=date(2026, 11, 22)),)}
    )
    outside = {"elsewhere.facts.0.statement": "Ein Fremder im Heimnetz."}
    words = nested(paragraphs | outside, source)
    german = load_facts(insert(example.file.decode(), "de", words, where="a"), where="a").texts["de"]
    assert german.fields() == paragraphs
    assert german.elsewhere == {"facts.0.statement": "Ein Fremder im Heimnetz."}
    assert german.faq[0].date == date(2026, 11, 22)
    at_end = insert("texts:\n  en:\n    title: One", "de", {"title": "Eins"}, where="a")
    assert at_end == 'texts:\n  en:\n    title: One\n  de:\n    title: "Eins"\n'


def test_a_file_that_is_json_stays_json_and_keeps_all_else() -> None:
    before = {
        "id": "EX-1",
        "note": "a\u2028b",
        "texts": {"de": {"title": "Eins"}, "en": {"title": "One"}},
        "cvss": 9.8,
    }
    text = "# head\n\n" + jsonfile.write(before)
    after = insert(text, "fr", {"title": "Un", "steps": ["a", "b"]}, where="a")
    texts = before["texts"] | {"fr": {"title": "Un", "steps": ["a", "b"]}}
    assert after == "# head\n\n" + jsonfile.write(before | {"texts": texts})
    assert yamlfile.load(after, where="a")[0] == before | {"texts": texts}
    assert insert(after, "fr", {"title": "Un", "steps": ["a", "b"]}, where="a") == after


@pytest.mark.parametrize("text", ["texts: {en: {title: One}}\n", "id: a\n", "texts:\n"])
def test_a_layout_that_cannot_be_kept_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        insert(text, "de", {"title": "Eins"}, where="a")
    assert caught.value.code == "TEXTS_LAYOUT"
