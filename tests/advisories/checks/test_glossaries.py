import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.checks import check, load_terms
from advisories.glossaries import TERM_LETTERS_MAX, TERMS_MAX, extra_for, glossary
from keys.errors import InputError
from tests.advisories.checks.bench import edited


def words(text: str, language: str, extra: dict[str, str] | None = None) -> list[tuple[str, bool]]:
    return [(one.word, one.explained) for one in glossary(language).matcher(extra or {}).find(text)]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "See CVE-2026-1234 and a CVE.", [("CVE", False)]),
        ("en", "the patches", [("patches", False)]),
        ("en", "remote code execution", [("remote code execution", False)]),
        ("en", "a nat is no NAT", [("NAT", False)]),
        ("en", "firmware (the program)", [("firmware", True)]),
        ("en", "exploited [misused]", [("exploited", True)]),
        ("de", "die Patches und Exploits", [("Patches", False), ("Exploits", False)]),
        ("ja", "このパッチを", [("パッチ", False)]),
        ("ja", "ファームウェア（機器の中のプログラム）", [("ファームウェア", True)]),
        ("zh", "更新固件。", [("固件", False)]),
        ("zh", "PLAN", []),
        ("ar", "حدّث البرنامج الثابت", [("البرنامج الثابت", False)]),
        ("ar", "برامج وبالتصيد", [("وبالتصيد", False)]),
        ("pl", "nowe exploity", [("exploity", False)]),
        ("xx", "firmware", []),
        ("de-AT", "Firmware", [("Firmware", False)]),
    ],
)
def test_jargon_is_found_in_its_forms(language: str, text: str, expected: list[tuple[str, bool]]) -> None:
    assert words(text, language) == expected


def test_a_fleet_adds_terms_and_allows_others() -> None:
    extra = load_terms('[terms.en]\nhub = "the box at your router"\nfirmware = ""\n', where="glossary.toml")
    assert words("the hub has firmware", "en", extra["en"]) == [("hub", False)]
    facts = edited("vulnerability", {"texts.en.prevention": "We test every hub and its firmware."})
    findings = check(facts, languages={}, terms=extra)
    assert [(one.rule, one.mend) for one in findings] == [
        (
            "jargon",
            "Say 'the box at your router', or explain it right behind: 'hub (the box at your router)'.",
        ),
    ]
    assert extra_for(extra, "en-GB") == extra["en"]
    assert extra_for(extra, "fr") == {}


def test_a_language_without_a_glossary_takes_a_fleets_own() -> None:
    assert words("de hub", "nl", {"hub": "kastje"}) == [("hub", False)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xff", "not UTF-8"),
        ("[terms.en]\nx = \n", "g.toml:2"),
        ("terms = 1", "'terms' is not as it should be"),
        ("[words.en]\nx = 'y'", "'words' is not"),
        ("[terms.English]\nx = 'y'", "is not as it should be"),
        ("[terms.en]\nx = 1", "is not as it should be"),
        (f"[terms.en]\n{'x' * (TERM_LETTERS_MAX + 1)} = 'y'", "letters"),
        ("[terms.en]\n" + "".join(f"x{n} = 'y'\n" for n in range(TERMS_MAX + 1)), "2000 terms"),
    ],
)
def test_a_bad_glossary_is_told_in_one_sentence(text: str | bytes, said: str) -> None:
    with pytest.raises(InputError) as caught:
        load_terms(text, where="g.toml")
    assert said in str(caught.value)
    assert caught.value.code == "BAD_GLOSSARY"
    assert str(caught.value).isprintable()


def test_limits_of_a_glossary_are_held() -> None:
    assert (
        len(load_terms("[terms.en]\n" + "".join(f"x{n} = 'y'\n" for n in range(TERMS_MAX)), where="g")["en"])
        == TERMS_MAX
    )
    assert load_terms(f"[terms.en]\n{'x' * TERM_LETTERS_MAX} = 'y'", where="g")
    assert load_terms("", where="g") == {}


@given(st.text(max_size=200), st.sampled_from(["en", "ja", "ar", "pl", "xx"]))
def test_any_text_is_read_to_its_end(text: str, language: str) -> None:
    for one in glossary(language).matcher({"a(b": "c", "\\": "d"}).find(text):
        assert one.word
        assert text[one.end - len(one.word) : one.end] == one.word
