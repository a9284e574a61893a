import pytest
from babel import dates
from hypothesis import given
from hypothesis import strategies as st

from advisories.languages import all_words, fallback, has_words, is_from_right, is_language, primary, words
from advisories.notice import Severity

TAGS = st.sampled_from(["en", "de", "de-AT", "ja", "pt-BR", "pt", "zh-Hant-TW", "fr"])


NINE = ["en", "de", "fr", "es", "it", "pl", "ja", "zh", "ar"]


def test_nine_languages_have_words() -> None:
    assert sorted(all_words()) == sorted(NINE)


@pytest.mark.parametrize("tag", NINE)
def test_every_language_of_screens_is_complete(tag: str) -> None:
    own = words(tag)
    assert len(own.severity) == len(Severity)
    assert len(own.months) == 12
    assert all(getattr(own, name) for name in own.__slots__ if name != "first")
    assert own.english.isascii()
    for template, slots in (
        (own.genuine, ("{id}", "{revision}", "{code}")),
        (own.device, ("{product}", "{installed}")),
        (own.notice, ("{severity}",)),
        (own.small_genuine, ("{id}",)),
        (own.small_code, ("{code}",)),
        (own.stand_in, ("{language}", "{own}")),
    ):
        assert all(slot in template for slot in slots)


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("en", "24 November 2026, 09:05 UTC"),
        ("de", "24. November 2026, 09:05 UTC"),
        ("ja", "2026年11月24日 09:05（UTC）"),
        ("fr", "24 novembre 2026, 09:05 UTC"),
        ("es", "24 de noviembre de 2026, 09:05 UTC"),
        ("it", "24 novembre 2026, 09:05 UTC"),
        ("pl", "24 listopada 2026 r., 09:05 UTC"),
        ("zh", "2026年11月24日 09:05（UTC）"),
        ("ar", "24 نوفمبر 2026، 09:05 UTC"),
    ],
)
def test_a_time_is_said_in_words(tag: str, said: str) -> None:
    assert words(tag).when(1_795_511_100) == said


@pytest.mark.parametrize(("tag", "said"), [("fr", "1er"), ("de", "1."), ("it", "1")])
def test_the_first_of_a_month_is_said_as_people_say_it(tag: str, said: str) -> None:
    assert words(tag).when(1_790_812_800).split()[0] == said


@pytest.mark.parametrize("tag", [tag for tag in NINE if tag not in {"ja", "zh"}])  # these say numbers
def test_months_are_those_that_the_calendar_of_the_language_knows(tag: str) -> None:
    names = dates.get_month_names("wide", "format", locale=tag)
    assert [names[number] for number in range(1, 13)] == list(words(tag).months)


@pytest.mark.parametrize(
    ("tag", "from_right"), [("ar", True), ("he-IL", True), ("ur-Latn", False), ("en", False)]
)
def test_some_languages_run_from_right_to_left(tag: str, from_right: bool) -> None:
    assert is_from_right(tag) is from_right


def test_english_words_stand_in_where_there_are_none() -> None:
    assert words("nl") is all_words()["en"]
    assert words("de-AT") is all_words()["de"]
    assert not has_words("nl")
    assert has_words("de-AT")
    assert has_words("ja")


@pytest.mark.parametrize(
    ("tag", "good"),
    [("de", True), ("pt-BR", True), ("zh-Hant-TW", True), ("es-419", True), ("DE", False), ("de_AT", False), ("", False), ("de/x", False)],
)  # fmt: skip
def test_a_language_tag_has_its_usual_spelling(tag: str, good: bool) -> None:
    assert is_language(tag) is good


@pytest.mark.parametrize(
    ("words_", "wanted", "available", "shown"),
    [
        ("the very tag", ["de", "en"], {"de", "en"}, "de"),
        ("the language of a region", ["de-AT"], {"de", "en"}, "de"),
        ("a region of the language", ["pt"], {"pt-BR", "en"}, "pt-BR"),
        ("the second wish", ["fr", "ja"], {"ja", "en"}, "ja"),
        ("English", ["fr"], {"ja", "en"}, "en"),
        ("anything rather than silence", ["fr"], {"ja", "de"}, "de"),
        ("nothing", ["fr"], set(), None),
    ],
)
def test_another_language_stands_in(
    words_: str, wanted: list[str], available: set[str], shown: str | None
) -> None:
    assert fallback(wanted, available) == shown, words_


@given(st.lists(TAGS), st.sets(TAGS))
def test_the_language_shown_is_always_one_that_is_there(wanted: list[str], available: set[str]) -> None:
    shown = fallback(wanted, available)
    assert (shown in available) if available else shown is None
    exact = [tag for tag in wanted if tag in available]
    if exact and wanted[0] == exact[0]:
        assert shown == exact[0]


def test_the_primary_language_has_no_region() -> None:
    assert primary("zh-Hant-TW") == "zh"
    assert primary("de") == "de"
