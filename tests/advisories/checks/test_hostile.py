"""Words written to break the checks: each run ends, and every finding stands at a line of the file."""

from __future__ import annotations

import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisories.checks import check
from advisories.facts.texts import MORE_FIELDS, TEXT_FIELDS
from tests.advisories.checks.bench import NOW, edited, found

LETTERS = st.characters(codec="utf-8")
NASTY = st.one_of(
    st.text(LETTERS, max_size=120),
    st.text(st.sampled_from([*string.punctuation, " ", "1", ".", "年", "月", "٣", "万", "時", "\u00ad", "\u202e", "\n"]), max_size=80),
    st.sampled_from(["[" * 300, "(" * 300, "1" * 2_000, "1." * 500, "a " * 1_000, "0:00 pm" * 50, "１万" * 99, "99999時99分",
                     "<b>" * 99, "&#x202e;", "{{ 7 * 7 }}", "{% if %}", "9" * 400 + "万", "²³", "۲۴ نوامبر", "CVE-" * 60]),
)  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([*TEXT_FIELDS, *MORE_FIELDS]), st.sampled_from(["en", "de"]), NASTY, st.sampled_from(["en", "ja", "zh", "ar", "fr"])
)  # fmt: skip
def test_any_words_are_checked_to_the_end(field: str, language: str, text: str, other: str) -> None:
    facts = edited("incident")
    words = facts.texts[language].model_copy(update={field: text})
    texts = (
        {**facts.texts, language: words, other: words}
        if other not in facts.texts
        else {**facts.texts, language: words}
    )
    broken = facts.model_copy(update={"texts": texts})
    for finding in check(broken, languages={"thermostat": {"en", "xx"}}, previous=facts, now=NOW):
        assert finding.line >= 1
        assert finding.message
        assert finding.where.startswith("incident.yaml:")


def test_an_old_score_counts_too() -> None:
    put = {
        "vulnerabilities.0.scores.0": {"products": ["doorbell"], "v2": "AV:N/AC:L/Au:N/C:C/I:C/A:C"},
        "severity": "low",
        "action": "act-soon",
    }
    assert {one.rule for one in found("vulnerability", put)} == {"severity-score"}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_long_texts_take_no_time_worth_naming(language: str) -> None:
    facts = edited("vulnerability")
    long = facts.source.model_copy(
        update={"prevention": "If strangers work on it " * 170, "social": "1,2.3:4 " * 500}
    )
    texts = {**facts.texts, language: long}
    assert check(facts.model_copy(update={"texts": texts}), languages={}, now=NOW)
