from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from advisories.facts import PROSE_LETTERS_MAX, Facts, Product, Status, load_facts
from advisories.notice import Action, Phase, Severity
from keys.errors import InputError


def changed(text: str, old: str, new: str) -> InputError:
    assert old in text
    with pytest.raises(InputError) as caught:
        load_facts(text.replace(old, new, 1), where="a.yaml")
    return caught.value


def test_the_example_reads_as_it_is_meant(example: Facts) -> None:
    assert (example.id, example.exercise) == ("EX-2026-0001", True)
    assert (example.phase, example.severity, example.action) == (Phase.INITIAL, Severity.HIGH, Action.ACT_NOW)
    assert example.products["thermostat"].ranges == (((1, 0, 0, 0), (1, 4, 2, 0)),)
    assert example.products["doorbell"].fixed_version == (2, 3, 0, 0)
    assert example.next_update_seconds == int(datetime(2026, 11, 24, 9, tzinfo=UTC).timestamp())
    assert [fact.status for fact in example.facts] == [Status.CONFIRMED, Status.SUSPECTED, Status.UNKNOWN]
    assert example.source is example.texts["en"]


def test_every_part_knows_its_line(example: Facts, example_yaml: str) -> None:
    lines = example_yaml.splitlines()
    assert lines[example.line("texts", "ja", "action") - 1].strip().startswith("action:")
    assert lines[example.line("facts", 1) - 1].strip().startswith("- statement: No evidence")
    assert example.place("severity").startswith("EX-2026-0001.yaml:")


def test_facts_cannot_be_changed(example: Facts) -> None:
    with pytest.raises(ValidationError):
        example.severity = Severity.LOW


def test_facts_built_in_code_have_a_place_too() -> None:
    product = Product(affected=("*",))
    assert product.fixed_version is None
    assert Facts.model_validate({
        "id": "A", "author": {"holder": "h", "role": "legal"}, "phase": Phase.UPDATE, "severity": "none",
        "action": "resolved", "products": {"p": product}, "expires_days": 1, "source_language": "en",
        "next_update": datetime(2026, 1, 1, tzinfo=UTC),
        "texts": {"en": dict.fromkeys(("title", "action", "happened", "affected", "doing", "contact"), "x")},
    }).place("id") == "advisory:1"  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("severity: high", "severty: high", "There is no key 'severty' here. Did you mean 'severity'?"),
        ("severity: high", "severity: hihg", "Did you mean 'high'?"),
        ("    title:", "    titel:", "Did you mean 'title'?"),
        ("  holder:", "  holdr:", "Did you mean 'holder'?"),
        ("role: engineering", "role: enginering", "Did you mean 'engineering'?"),
        ("status: unknown", "status: unknwon", "Did you mean 'unknown'?"),
        ("holder: exercise-engineering", "holder: " + "x" * 65, "a name has 1 to 64 bytes"),
        ("id: EX-2026-0001", "id: EX/2026", "'EX/2026' must be 1 to 64 letters"),
        ("id: EX-2026-0001", "id: " + "x" * 65, "must be 1 to 64 letters"),
        ("  thermostat:", "  thermo stat:", "'thermo stat' must be"),
        (">=1.0.0 <1.4.2", ">=1.0 <1.4.2", "'1.0' is not a version like 1.2.3"),
        (">=1.0.0 <1.4.2", "", "'' is an empty range"),
        ('fixed: "1.4.2"', "fixed: 1.4", "must be a text"),
        ('fixed: "1.4.2"', 'fixed: "1.4"', "'1.4' is not a version"),
        ('fixed: "1.4.2"', 'fixed: "1.3.0"', "the fixed version 1.3.0 is itself in the affected range"),
        ("expires_days: 90", "expires_days: 0", "greater than or equal to 1"),
        ("expires_days: 90", "expires_days: 3651", "less than or equal to 3650"),
        ("exercise: true", "exercise: yes", "exercise must be true or false"),
        ("2026-11-24T09:00:00Z", "2026-11-24T09:00:00", "has no time zone"),
        ("2026-11-24T09:00:00Z", "tomorrow", "'tomorrow' is not a time like"),
        ("2026-11-24T09:00:00Z", "3", "next_update must be a time like"),
        ("date: 2026-11-20", "date: 20 November", "'20 November' is not a date like"),
        ("date: 2026-11-20", "date: 3", "facts.0.date must be a date like"),
        ("  de:\n", "  DE:\n", "'DE' is not a language tag like de"),
        ("source_language: en", "source_language: nl", "texts has no nl"),
        ("source_language: en", "source_language: en\nwaived_languages: {de: someone}", "de is waived although"),
        ("every_hours: 24", "every_hours: 8761", "less than or equal to 8760"),
        ("at_most: 7", "at_most: 256", "less than or equal to 255"),
        ('title: "Please install update"', "title: 7", "texts.en.title must be a text"),
    ],
)  # fmt: skip
def test_a_fault_is_told_at_its_line(example_yaml: str, old: str, new: str, said: str) -> None:
    error = changed(example_yaml, old, new)
    before = example_yaml[: example_yaml.index(old)].count("\n") + 1
    line = int(error.where.removeprefix("a.yaml:"))
    assert said in str(error)
    whole_file = ("texts has no nl", "de is waived although")
    assert line == 4 if said in whole_file else before - 4 <= line <= before + 1


@pytest.mark.parametrize("size", [PROSE_LETTERS_MAX - 1, PROSE_LETTERS_MAX])
def test_a_field_of_any_length_up_to_the_limit_is_read(example_yaml: str, size: int) -> None:
    text = example_yaml.replace("Please install update", "x" * size)
    assert len(load_facts(text, where="a").source.title) == size


def test_a_field_beyond_the_limit_is_refused(example_yaml: str) -> None:
    error = changed(example_yaml, "Please install update", "x" * (PROSE_LETTERS_MAX + 1))
    assert "it has 4097 letters, at most 4096" in str(error)


@pytest.mark.parametrize(("days", "ok"), [(1, True), (3_650, True)])
def test_expiry_limits_are_inclusive(example_yaml: str, days: int, ok: bool) -> None:
    facts = load_facts(example_yaml.replace("expires_days: 90", f"expires_days: {days}"), where="a")
    assert (facts.expires_days == days) is ok


def test_block_texts_are_folded_and_japanese_gets_no_spaces(example: Facts) -> None:
    assert " " not in example.texts["ja"].doing
    assert "\n" not in example.texts["en"].doing
    assert "  " not in example.texts["de"].doing
