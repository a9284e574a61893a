"""Every faulty example has the one fault that its first line names, and the good one has none."""

import re
from pathlib import Path

import pytest

from advisories.checks import Level, check
from advisories.checks.frame import RULES
from advisories.facts import Facts, load_facts
from keys.errors import InputError

EXAMPLES = Path(__file__).parents[2] / "examples" / "advisories"
BAD = sorted((EXAMPLES / "bad").glob("*.yaml"))
SERVED = {"thermostat": {"en", "de", "ja"}, "doorbell": {"en", "de", "ja"}}


def expected(path: Path) -> str:
    found = re.match(rb"# One fault: ([\w-]+)\.\n", path.read_bytes())
    assert found, path
    return found.group(1).decode()


def read(path: Path) -> Facts | InputError:
    try:
        return load_facts(path.read_bytes(), where=path.name)
    except InputError as error:
        return error


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_faulty_advisory_is_told_its_one_fault_with_file_and_line(path: Path) -> None:
    code = expected(path)
    found = read(path)
    if isinstance(found, Facts):
        languages = {"doorbell": {*found.texts, *found.waived_languages}}
        assert {finding.rule for finding in check(found, languages=languages)} == {code}
    else:
        assert found.code == code
        assert re.fullmatch(rf"{path.name}:\d+", found.where)
        assert found.message.endswith(".")
        assert "\n" not in str(found)


def test_every_rule_has_a_faulty_example() -> None:
    codes = {expected(path) for path in BAD}
    assert set(RULES) <= codes


def test_the_good_example_has_nothing_to_mend_in_any_language(example: Facts) -> None:
    assert check(example, languages=SERVED) == []
    assert set(example.texts) == {"en", "de", "ja"}


def test_blocking_findings_name_a_practice_and_a_way_to_mend() -> None:
    for facts in map(read, BAD):
        if isinstance(facts, InputError):
            continue
        for finding in check(facts, languages={"doorbell": {"en", "fr"}}):
            assert finding.severity in {Level.BLOCK, Level.ADVICE}
            assert 1 <= finding.practice <= 57
            assert finding.message.endswith(".")
            assert finding.mend.endswith((".", "'."))
