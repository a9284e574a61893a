import pytest

from advisories.checks.numbers import DATE, ID, VERSION, digits, numbers


@pytest.mark.parametrize(
    ("english", "other", "language"),
    [
        ("on 24 November 2026", "am 24. November 2026", "de"),
        ("on March 3, 2026", "am 3. März 2026", "de"),
        ("on 3 May", "le 3 mai", "fr"),
        ("on 1 December 2026", "le 1er décembre 2026", "fr"),
        ("on 24 November 2026", "el 24 de noviembre de 2026", "es"),
        ("on 24 November 2026", "il 24 novembre 2026", "it"),
        ("on 24 November 2026", "24 listopada 2026", "pl"),
        ("on 24 November 2026", "2026年11月24日に", "ja"),
        ("on 24 November 2026", "2026年11月24日", "zh"),
        ("on 24 November 2026", "24 نوفمبر 2026", "ar"),
        ("on 24 November 2026", "٢٤ تشرين الثاني ٢٠٢٦", "ar"),
        ("on the 2nd of May 2026", "am 2. Mai 2026", "de"),
        ("on Nov 24, 2026", "am 24. Nov. 2026", "de"),
        ("by 9:00", "9時までに", "ja"),
        ("by 9:30", "9時30分までに", "ja"),
        ("at 09:30", "um 9:30 Uhr", "de"),
        ("at 5 p.m.", "um 17:00 Uhr", "de"),
        ("at 5:30 pm", "17 h 30", "fr"),
        ("at 12 am", "um 0:00 Uhr", "de"),
        ("at 12 pm", "um 12 Uhr", "de"),
        ("at 17:00", "午後5時に", "ja"),
        ("at 9:00", "上午9点", "zh"),
        ("at 17:30", "下午5:30分", "zh"),
        ("within 24 hours", "sous 24 h", "fr"),
        ("10,000 devices", "10.000 Geräte", "de"),
        ("10,000 devices", "10 000 appareils", "fr"),
        ("10,000 devices", "10\u202f000 appareils", "fr"),
        ("10,000 devices", "1万台", "ja"),
        ("12,500 devices", "1.25万台", "zh"),
        ("1,234,567 devices", "1 234 567 urządzeń", "pl"),
        ("1.5 percent", "1,5 Prozent", "de"),
        ("1.5 percent", "١٫٥ بالمئة", "ar"),
        ("version 1.4.2", "バージョン１．４．２", "ja"),
        ("version 1.4.2", "الإصدار \u20661.4.2\u2069", "ar"),
        ("CVE-2026-1234", "（CVE-2026-1234）", "ja"),
        ("version 1.100.200", "Version 1.100.200", "de"),
        ("version 1.4.2+7", "Version 1.4.2+7", "de"),
        ("nr. 007", "Nr. 7", "nl"),
        ("Call +1 555 0100 or write to a1@example.com", "Anruf unter +49 30 23125 000", "de"),
        ("See https://example.com/en/12", "Siehe https://example.com/de/34", "de"),
        ("on 2026-11-24", "am 2026-11-24", "de"),
        ("GHSA-99-11 and EX-2026-0001", "EX-2026-0001, GHSA-99-11", "xx"),
    ],
)  # fmt: skip
def test_numbers_are_the_same_in_any_spelling(english: str, other: str, language: str) -> None:
    assert numbers(english, "en") == numbers(other, language)


@pytest.mark.parametrize(
    ("english", "other", "language"),
    [
        ("version 1.4.2", "Version 1.4.3", "de"),
        ("on 24 November 2026", "am 24. Dezember 2026", "de"),
        ("on 24 November 2026", "el 24 de diciembre de 2026", "es"),
        ("on 24 November 2026", "24 ديسمبر 2026", "ar"),
        ("by 9:00", "10時までに", "ja"),
        ("at 5 pm", "um 5 Uhr", "de"),
        ("10,000 devices", "1.000 Geräte", "de"),
        ("CVE-2026-1234", "CVE-2026-1235", "ja"),
    ],
)
def test_other_numbers_are_told(english: str, other: str, language: str) -> None:
    assert numbers(english, "en") != numbers(other, language)


def test_words_that_look_like_months_stay_words() -> None:
    assert numbers("version 2.3.0 may ring, and 3 may come", "en") == {"2.3.0", "3"}
    assert numbers("März", "de") == set()


def test_digits_of_any_script_are_read() -> None:
    assert digits("٢٣ और २३ ２３") == "23 और 23 23"
    assert digits("plain") == "plain"


@pytest.mark.parametrize(
    ("text", "ids", "versions", "dates"),
    [
        ("CVE-2026-1234, EX-2026-0001", ["CVE-2026-1234", "EX-2026-0001"], [], []),
        ("1.4.2 and 1.4.2+7, not 10.0.0.1 or 1.4", [], ["1.4.2", "1.4.2+7"], []),
        ("on 2026-11-24", [], [], ["2026-11-24"]),
    ],
)
def test_ids_versions_and_dates_are_told_apart(
    text: str, ids: list[str], versions: list[str], dates: list[str]
) -> None:
    assert (ID.findall(text), VERSION.findall(text), DATE.findall(text)) == (ids, versions, dates)
