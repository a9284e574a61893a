"""Reading formulas against values reckoned by hand from their published constants."""

import pyphen
import pytest

from advisories.checks.reading import FORMULAS, Counts, Places, count, reading, sentences, words

COUNTED = Counts(sentences=5, words=100, letters=450, syllables=150, long=25, many=12, one=60)


@pytest.mark.parametrize(
    ("language", "value"),
    [
        ("en", 0.39 * 20 + 11.8 * 1.5 - 15.59),  # 9.91
        ("de", 0.1935 * 12 + 0.1672 * 20 + 0.1297 * 25 - 0.0327 * 60 - 0.875),  # 6.0715
        ("es", 206.84 - 60 * 1.5 - 1.02 * 20),  # 96.44
        ("fr", 207 - 1.015 * 20 - 73.6 * 1.5),  # 76.3
        ("it", 89 + (300 * 5 - 10 * 450) / 100),  # 59.0
    ],
)
def test_a_formula_is_the_published_one(language: str, value: float) -> None:
    assert FORMULAS[language].formula(COUNTED) == pytest.approx(value)


@pytest.mark.parametrize(
    ("language", "limit", "hard"),
    [("en", 8.0, False), ("en", 8.1, True), ("it", 60.0, False), ("it", 59.9, True)],
)
def test_a_limit_is_still_easy(language: str, limit: float, hard: bool) -> None:
    assert FORMULAS[language].hard(limit) is hard


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "The cat sat on the mat. It ran.", (2, 8, 22, 8, 0, 0, 8)),
        ("en", "A security update helps.", (1, 4, 20, 6, 1, 0, 2)),
        ("de", "Die Katze schläft im Garten.", (1, 5, 23, 8, 1, 0, 2)),
        ("es", "La casa es roja.", (1, 4, 12, 6, 0, 0, 2)),
        ("it", "La casa è rossa.", (1, 4, 12, 6, 0, 0, 2)),
    ],
)
def test_what_is_counted(language: str, text: str, expected: tuple[int, ...]) -> None:
    found = count(text, language)
    assert found is not None
    assert (found.sentences, found.words, found.letters) == expected[:3]
    assert found.long == expected[4]
    assert (found.words <= found.syllables <= 2 * found.words) or language == "it"
    assert found.one + found.many <= found.words


@pytest.mark.parametrize(
    ("language", "easy", "hard"),
    [
        ("en", "We are sorry. Please press the bell.", "Unauthorised individuals manipulated functionality."),
        ("de", "Es tut uns leid. Bitte warten Sie.", "Unbefugte manipulierten Konfigurationsinformationen."),
        ("fr", "Le chat dort. Il est là.", "Des individus manipulent potentiellement les fonctionnalités."),
        ("es", "El gato duerme. Él está.", "Individuos desautorizados manipularon funcionalidades."),
        ("it", "Il gatto dorme. Lui sta.", "Individui sconosciuti manipolavano funzionalità configurabili."),
    ],
)
def test_hard_words_are_told_from_easy_ones(language: str, easy: str, hard: str) -> None:
    for text, expected in ((easy, False), (hard, True)):
        found = reading(text, language)
        assert found is not None
        assert found[0].hard(found[1]) is expected, found
        assert found[0].wanted.startswith("at ")


@pytest.mark.parametrize(("text", "language"), [("", "en"), ("123 456.", "en"), ("更新", "ja"), ("x", "nl")])
def test_nothing_is_said_where_nothing_can_be_counted(text: str, language: str) -> None:
    assert reading(text, language) is None
    assert count(text, language) is None


def test_sentences_do_not_end_at_numbers() -> None:
    assert sentences("Am 24. November kommt 1.4.2. Dann mehr! Gut?") == [
        "Am 24. November kommt 1.4.2.",
        "Dann mehr!",
        "Gut?",
    ]
    assert sentences("更新します。お待ちください。") == ["更新します。", "お待ちください。"]
    assert sentences("هل هذا صحيح؟ نعم.") == ["هل هذا صحيح؟", "نعم."]
    assert words("l'eau, 12 time-outs") == ["l'eau", "time-outs"]


@pytest.mark.parametrize(
    ("word", "syllables"),
    [
        ("neue", 2),
        ("Information", 5),
        ("Gerät", 2),
        ("Update", 3),
        ("Türklingel", 3),
        ("Schwachstelle", 3),
        ("Psst", 1),
    ],
)
def test_german_syllables_are_its_vowels(word: str, syllables: int) -> None:
    found = count(word, "de")
    assert found is not None
    assert found.syllables == syllables


@pytest.mark.parametrize("name", ["en_US", "es", "fr"])
def test_places_are_those_that_pyphen_finds(name: str) -> None:
    ours, theirs = Places(name), pyphen.Pyphen(lang=name)
    parts = sorted(part.strip(".") for part in theirs.hd.patterns)
    whole = [first + second for first, second in zip(parts, parts[1:] + parts[:1], strict=True)]
    for word in ("", "a", "it's", "mis-en-scène", *parts, *whole):
        assert ours.count(word) == len(theirs.positions(word)), word
