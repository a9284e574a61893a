import re
from collections.abc import Set as AbstractSet

import pytest

from advisories.checks import Finding, Level, blocking, check, words
from advisories.checks.frame import RULES, rule
from advisories.facts import Facts, load_facts
from advisories.render import small

SERVED = {"thermostat": {"en", "de", "ja"}, "doorbell": {"en", "de", "ja"}}
EN_ACTION = "Please accept the update when your device offers it."
DE_ACTION = "Bitte nehmen Sie das Update an, wenn Ihr Gerät es anbietet."
JA_ACTION = "案内が出たら、更新してください。"
EN_DOING = "We are sorry for the trouble."


def findings(
    text: str, *changes: tuple[str, str], served: dict[str, AbstractSet[str]] | None = None
) -> list[Finding]:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return check(load_facts(text, where="a.yaml"), languages=served or SERVED)


def rules(text: str, *changes: tuple[str, str]) -> set[str]:
    return {finding.rule for finding in findings(text, *changes)}


@pytest.mark.parametrize(
    ("words_", "new", "rule_"),
    [
        ("a bracket of a template", "Please accept the update [time].", "placeholder"),
        ("a note to oneself", "TODO: Please accept the update.", "placeholder"),
        ("crossed letters", "Please accept update xxx.", "placeholder"),
        ("a field of a form", "Please accept the update by ____.", "placeholder"),
        ("curly brackets", "Please accept {update}.", "placeholder"),
        ("angle brackets", "Please accept <update>.", "placeholder"),
        ("a term", "Please accept the firmware.", "jargon"),
        ("its plural", "Please accept the patches.", "jargon"),
        ("a long term, not its parts", "Please fear remote code execution.", "jargon"),
        ("too many words", "Please accept the update " + "and be patient " * 6 + ".", "sentence-length"),
        ("a link to log in", "See https://example.com/login for more.", "login-link"),
        ("an invitation to log in", "Please sign in here.", "login-link"),
        ("a click", "Click the link and accept.", "login-link"),
        ("a question for a password", "Please confirm your password.", "login-link"),
    ],
)
def test_english_words_that_must_not_be(example_yaml: str, words_: str, new: str, rule_: str) -> None:
    found = [f for f in findings(example_yaml, (EN_ACTION, new)) if not f.rule.endswith("overflow")]
    assert {f.rule for f in found} == {rule_}, words_
    line = example_yaml[: example_yaml.index(EN_ACTION)].count("\n")
    assert {f.where for f in found} == {f"a.yaml:{line}"}


@pytest.mark.parametrize(
    ("words_", "old", "new", "rule_"),
    [
        ("German jargon", DE_ACTION, "Bitte die Firmware annehmen.", "jargon"),
        ("German login", DE_ACTION, "Bitte klicken Sie hier.", "login-link"),
        ("German secret", DE_ACTION, "Bitte senden Sie uns Ihr Passwort.", "login-link"),
        ("German promise", "Wir bitten um Entschuldigung.", "Wir nehmen das ernst.", None),
        ("Japanese jargon", JA_ACTION, "パッチを適用してください。", "jargon"),
        ("Japanese login", JA_ACTION, "ログインしてください。", "login-link"),
        ("Japanese secret", JA_ACTION, "パスワードを入力。", "login-link"),
        (
            "a long Japanese sentence",
            "更新までの間、",
            "更新までの間、" + "念のために" * 9,
            "sentence-length",
        ),
    ],
)
def test_other_languages_have_their_own_words(
    example_yaml: str, words_: str, old: str, new: str, rule_: str | None
) -> None:
    found = {r for r in rules(example_yaml, (old, new)) if not r.endswith("overflow")}
    assert found == ({rule_} if rule_ else set()), words_


@pytest.mark.parametrize(
    "new",
    [
        "Please accept the firmware (the device's program).",
        "Please accept the patch [update].",
        "Please accept the exploited [misused] one.",
        "Please change your password in the app.",
        "Please accept the update CVE.".replace(" CVE", ""),
    ],
)
def test_explained_terms_and_honest_advice_pass(example_yaml: str, new: str) -> None:
    assert rules(example_yaml, (EN_ACTION, new)) == set()


def test_an_id_with_a_term_in_it_is_not_jargon() -> None:
    assert words.jargon("See CVE-2026-1234 and a CVE.", "en") == [
        ("CVE", "public number of a weakness", False)
    ]
    assert words.jargon("Etwas", "xx") == []


@pytest.mark.parametrize(
    ("words_", "fact", "text", "blocked"),
    [
        ("a source and a date", "", "There is no evidence that data left.", False),
        ("no date", "    date: 2026-11-21\n", "", True),
        ("no source", "    source: review of the service records\n", "", True),
        ("text without any fact", ("  - statement: No evidence that anybody has used this weakness.\n"
         "    status: suspected\n    source: review of the service records\n    date: 2026-11-21\n"),
         "There is no evidence that data left.", True),
    ],
)  # fmt: skip
def test_no_evidence_needs_a_source_and_a_date(
    example_yaml: str, words_: str, fact: str, text: str, blocked: bool
) -> None:
    changes = [(fact, "")] if fact else []
    changes += [(EN_DOING, text)] if text else []
    assert ("no-evidence" in rules(example_yaml, *changes)) is blocked, words_


def test_facts_in_a_language_without_patterns_are_let_through(example_yaml: str) -> None:
    text = re.sub(r"\n  (de|ja):\n(    .*\n?|      .*\n?)+", "\n", example_yaml)
    text = text.replace("source_language: en", "source_language: nl").replace("  en:\n", "  nl:\n")
    found = check(load_facts(text, where="a"), languages={})
    assert {finding.rule for finding in found} == {"screen-words"}


def test_taking_security_seriously_needs_a_measure(example_yaml: str) -> None:
    said = (EN_DOING, "We take your security seriously.")
    assert rules(example_yaml, said) == set()
    start = example_yaml.index("      We are sorry for the trouble.")
    end = example_yaml.index('    contact: "support@example.com, Monday')
    bare = example_yaml[:start] + "      We take your security seriously.\n" + example_yaml[end:]
    assert rules(bare) == {"empty-promise"}


@pytest.mark.parametrize(
    ("english", "other", "language"),
    [
        ("on 24 November 2026", "am 24. November 2026", "de"),
        ("on March 3, 2026", "am 3. März 2026", "de"),
        ("on 24 November 2026", "2026年11月24日に", "ja"),
        ("by 9:00", "9時までに", "ja"),
        ("at 09:30", "um 9:30 Uhr", "de"),
        ("10,000 devices", "10.000 Geräte", "de"),
        ("1.5 percent", "1,5 Prozent", "de"),
        ("version 1.4.2", "バージョン１．４．２", "ja"),
        ("CVE-2026-1234", "（CVE-2026-1234）", "ja"),
        ("version 1.100.200", "Version 1.100.200", "de"),
        ("version 1.4.2+7", "Version 1.4.2+7", "de"),
        ("nr. 007", "Nr. 7", "nl"),
    ],
)  # fmt: skip
def test_numbers_are_the_same_in_any_spelling(english: str, other: str, language: str) -> None:
    assert words.numbers(english, "en") == words.numbers(other, language)


@pytest.mark.parametrize(
    ("english", "other", "language"),
    [
        ("version 1.4.2", "Version 1.4.3", "de"),
        ("on 24 November 2026", "am 24. Dezember 2026", "de"),
        ("by 9:00", "10時までに", "ja"),
        ("10,000 devices", "1.000 Geräte", "de"),
        ("CVE-2026-1234", "CVE-2026-1235", "ja"),
    ],
)
def test_other_numbers_are_told(english: str, other: str, language: str) -> None:
    assert words.numbers(english, "en") != words.numbers(other, language)


def test_a_number_that_only_a_translation_has_is_told_there(example_yaml: str) -> None:
    (finding,) = findings(example_yaml, (DE_ACTION, "Bitte nehmen Sie das Update 7 an."))
    assert finding.rule == "numbers-differ"
    assert "has 7" in finding.message
    assert (finding.severity, finding.practice) == (Level.BLOCK, 36)


def test_a_served_language_is_there_or_waived_by_name(example_yaml: str) -> None:
    served = {"thermostat": {"en", "fr"}, "kettle": {"pt"}}
    (missing,) = findings(example_yaml, served=served)
    assert (missing.rule, missing.severity) == ("language-missing", Level.BLOCK)
    assert "'fr'" in missing.message
    waived = ("source_language: en", "source_language: en\nwaived_languages: {fr: exercise-legal}")
    (advice,) = findings(example_yaml, waived, served=served)
    assert (advice.rule, advice.severity) == ("language-missing", Level.ADVICE)
    assert "exercise-legal" in advice.message
    assert blocking([missing, advice]) == [missing]


@pytest.mark.parametrize(
    ("phase", "blocked"),
    [("initial", True), ("update", True), ("correction", True), ("resolved", False), ("withdrawn", False)],
)
def test_an_open_matter_names_the_next_update(example_yaml: str, phase: str, blocked: bool) -> None:
    found = rules(
        example_yaml, ("next_update: 2026", "# next_update: 2026"), ("phase: initial", f"phase: {phase}")
    )
    assert ("next-update" in found) is blocked


@pytest.mark.parametrize(("phase", "blocked"), [("initial", True), ("resolved", False)])
def test_a_first_notice_concerns_some_device(example_yaml: str, phase: str, blocked: bool) -> None:
    found = rules(
        example_yaml,
        ('[">=1.0.0 <1.4.2"]', "[]"),
        ('[">=2.0.0 <2.3.0"]', "[]"),
        ("phase: initial", f"phase: {phase}"),
    )
    assert ("affected-version" in found) is blocked


@pytest.mark.parametrize(
    "contact", ["+1 555 0100", "(0800) 123-456", "help@example.com", "https://example.com/help"]
)
def test_a_contact_is_a_number_a_mail_address_or_a_page(example_yaml: str, contact: str) -> None:
    written = '"support@example.com, Monday to Friday, 9:00 to 17:00 UTC"'
    assert rules(example_yaml, (written, f'"{contact}"')) == set()


@pytest.mark.parametrize(
    ("field", "size", "blocked"),
    [("contact", 199, False), ("contact", 200, False), ("contact", 201, True)],
)
def test_a_field_has_its_limit_in_bytes(example_yaml: str, field: str, size: int, blocked: bool) -> None:
    written = '"support@example.com, Monday to Friday, 9:00 to 17:00 UTC"'
    filler = "a@example.com " + "b " * ((size - 14) // 2) + "c" * ((size - 14) % 2)
    text = example_yaml.replace(written, f'"{filler.strip()}{"d" * (size - len(filler.strip()))}"', 1)
    found = check(load_facts(text, where="a"), languages=SERVED)
    assert ("text-size" in {f.rule for f in found}) is blocked, field


def test_pages_are_held_at_their_limit(example_yaml: str) -> None:
    limit = small.PAGES_MAX * (small.LATIN.lines - 1)
    lines_now = 1 + 3 + 4 + 3 + 3
    fits = "bell. " * 3 * (limit - lines_now)
    action = (EN_ACTION, f"{EN_ACTION} {fits}")
    assert "small-overflow" not in rules(example_yaml, action)
    more = (EN_ACTION, f"{EN_ACTION} {fits} {'bell. ' * 6}")
    assert "small-overflow" in rules(example_yaml, more)


def test_a_soft_hyphen_lets_a_long_word_pass(example_yaml: str) -> None:
    changed = (DE_ACTION, "Bitte die Sicherheitsaktualisierung annehmen.")
    assert rules(example_yaml, changed) == {"word-too-wide"}
    hyphened = (DE_ACTION, "Bitte die Sicherheits\u00adaktualisierung annehmen.")
    assert rules(example_yaml, hyphened) == set()


def test_findings_come_in_the_order_of_lines(example_yaml: str) -> None:
    found = findings(
        example_yaml,
        (EN_ACTION, "TODO the firmware."),
        ("next_update: 2026", "# next_update: 2026"),
        (JA_ACTION, "パッチ"),
    )
    assert [f.line for f in found] == sorted(f.line for f in found)
    assert len({f.line for f in found}) >= 3


def test_findings_are_the_same_every_time(example_yaml: str) -> None:
    changes = [(EN_ACTION, "TODO the firmware."), (DE_ACTION, "Update 7")]
    assert findings(example_yaml, *changes) == findings(example_yaml, *changes)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("The cat sat on the mat. The dog ran to the door.", -3, 3),
        ("Unauthorised individuals possibly manipulated configuration information.", 15, 40),
        ("", -20, 0),
    ],
)
def test_the_reading_grade_grows_with_words_and_syllables(text: str, low: float, high: float) -> None:
    assert low <= words.grade(text) <= high


def test_sentences_do_not_end_at_numbers() -> None:
    assert words.sentences("Am 24. November kommt 1.4.2. Dann mehr! Gut?") == [
        "Am 24. November kommt 1.4.2.",
        "Dann mehr!",
        "Gut?",
    ]
    assert words.sentences("更新します。お待ちください。") == ["更新します。", "お待ちください。"]


def test_the_glossary_is_large_enough_to_help() -> None:
    assert len(words.glossary("en").terms) >= 25
    assert words.glossary("de-AT").terms == words.glossary("de").terms
    needed = {"no_evidence", "seriously", "measure", "asks_secret", "login"}
    assert all(set(words.glossary(tag).patterns) == needed for tag in ("en", "de", "ja"))


def test_a_rule_is_registered_once() -> None:
    with pytest.raises(AssertionError, match="twice"):
        rule("jargon", Level.BLOCK, 31)(lambda *_: ())
    assert all(1 <= each.practice <= 57 for each in RULES.values())


def test_checking_changes_nothing(example: Facts) -> None:
    before = example.model_dump()
    check(example, languages=SERVED)
    assert example.model_dump() == before
