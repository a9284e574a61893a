import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.languages import all_words, fallback, has_words, is_language, primary, words
from advisories.notice import Severity

TAGS = st.sampled_from(["en", "de", "de-AT", "ja", "pt-BR", "pt", "zh-Hant-TW", "fr"])


@pytest.mark.parametrize("tag", ["en", "de", "ja"])
def test_every_language_of_screens_is_complete(tag: str) -> None:
    own = words(tag)
    assert len(own.severity) == len(Severity)
    assert len(own.months) == 12
    assert all(getattr(own, name) for name in own.__slots__)
    for template, slots in (
        (own.genuine, ("{id}", "{revision}", "{code}")),
        (own.device, ("{product}", "{installed}")),
        (own.notice, ("{severity}",)),
        (own.small_genuine, ("{id}",)),
        (own.small_code, ("{code}",)),
    ):
        assert all(slot in template for slot in slots)


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("en", "24 November 2026, 09:05 UTC"),
        ("de", "24. November 2026, 09:05 UTC"),
        ("ja", "2026年11月24日 09:05（UTC）"),
    ],
)
def test_a_time_is_said_in_words(tag: str, said: str) -> None:
    assert words(tag).when(1_795_511_100) == said


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
