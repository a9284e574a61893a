"""Regimes are data: whole, honest about what nobody has read, and read strictly."""

from __future__ import annotations

import re
from datetime import date

import pytest

from advisories.clocks.page import period, regimes_page
from advisories.clocks.regimes import SUBMITTED, builtin, load_regimes
from advisories.incident.orders import items
from keys.errors import InputError

ROW = """
[regimes.own]
name = "Own"
jurisdiction = "policy"
source = "our own policy, page 3"
verified_on = 2026-11-21
who = "maker"
whom = "reporter"
kinds = ["vulnerability"]
steps = [{id = "acknowledge", name = "acknowledged", trigger = "aware", amount = 7, unit = "days"}]
"""


def test_every_item_and_trigger_of_every_step_is_known() -> None:
    known = builtin()
    for regime in known.regimes.values():
        for step in regime.steps:
            assert set(step.content) | set(step.late) <= set(items()), (regime.id, step.id)
            assert step.trigger.startswith(SUBMITTED) or step.trigger in known.triggers
            assert known.meaning(step.trigger)


def test_what_nobody_read_in_its_source_is_off_and_says_why() -> None:
    for regime in builtin().regimes.values():
        assert regime.enabled == (not regime.reason)
        assert regime.verified_on == (date(2026, 11, 21) if regime.enabled else None), regime.id
    off = {regime.id for regime in builtin().regimes.values() if not regime.enabled}
    assert off == {
        "eu-gdpr-33-2",
        "uk-gdpr-33",
        "us-states-other",
        "us-fcc-64-2011",
        "us-ftc-health",
        "us-circia",
    }


@pytest.mark.parametrize(
    ("regime", "step", "trigger", "within"),
    [
        ("eu-cra-14-exploited", "early-warning", "aware-exploited", "24 hours"),
        ("eu-cra-14-exploited", "notification", "aware-exploited", "72 hours"),
        ("eu-cra-14-exploited", "final", "fix-available", "14 days"),
        ("eu-cra-14-severe", "early-warning", "aware-severe", "24 hours"),
        ("eu-cra-14-severe", "notification", "aware-severe", "72 hours"),
        ("eu-cra-14-severe", "final", "submitted:notification", "1 month"),
        ("eu-cra-14-8-exploited", "users", "aware-exploited", "no number named"),
        ("eu-nis2-23", "final", "submitted:notification", "1 month"),
        ("eu-gdpr-33", "notification", "aware-breach", "72 hours"),
        ("us-ca-1798-82", "residents", "discovered", "30 days"),
        ("us-ca-1798-82", "attorney-general", "submitted:residents", "15 days"),
        ("us-ny-899-aa", "authorities", "discovered", "30 days"),
        ("us-fl-501-171", "residents", "determined", "30 days"),
        ("us-co-6-1-716", "residents", "determined", "30 days"),
        ("us-tx-521-053", "residents", "determined", "60 days"),
        ("us-tx-521-053", "attorney-general", "determined", "30 days"),
        ("us-sec-8k-105", "form", "materiality-determined", "4 business days"),
        ("us-fcc-64-2011", "agencies", "determined", "7 business days"),
        ("us-ftc-safeguards", "notification", "discovered", "30 days"),
        ("us-hipaa", "people", "discovered", "60 days"),
        ("us-circia", "incident", "reasonable-belief", "72 hours"),
        ("us-circia", "ransom", "ransom-paid", "24 hours"),
    ],
)
def test_numbers_and_triggers(regime: str, step: str, trigger: str, within: str) -> None:
    found = builtin().regimes[regime].step(step)
    assert found is not None
    assert (found.trigger, period(found)) == (trigger, within)


def test_a_workspace_adds_rows_and_replaces_rows() -> None:
    known = load_regimes(ROW.encode(), where="regimes.toml", base=builtin())
    assert set(known.regimes) == {*builtin().regimes, "own"}
    assert "| `acknowledge` | aware | 7 days | utc | reporter |" in regimes_page(known)
    replaced = load_regimes(ROW.replace(".own]", ".us-circia]").encode(), where="", base=builtin())
    assert replaced.regimes["us-circia"].enabled
    assert set(replaced.regimes) == set(builtin().regimes)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "Own"', "", "name"),
        ("verified_on = 2026-11-21", "", "verified_on is missing"),
        ("verified_on = 2026-11-21", "enabled = false", "says why"),
        ("verified_on = 2026-11-21", 'verified_on = 2026-11-21\nreason = "x"', "has no reason"),
        ('trigger = "aware"', 'trigger = "awre"', "no trigger awre"),
        ('trigger = "aware"', 'trigger = "submitted:other"', "no other step other"),
        ('trigger = "aware"', 'trigger = "submitted:acknowledge"', "no other step acknowledge"),
        ("amount = 7, ", "", "go together"),
        ("amount = 7", "amount = 0", "greater than or equal to 1"),
        ("amount = 7", "amount = 1001", "less than or equal to 1000"),
        ('"days"', '"weeks"', "known words"),
        ('"days"', '"business-days"', "us-federal"),
        ('unit = "days"', 'unit = "days", day_ends = "25:00"', "17:30"),
        ('unit = "days"', 'unit = "days", day_ends = 17', "17:30"),
        ("}]", '}, {id = "acknowledge", name = "b", trigger = "aware"}]', "two steps"),
        ('kinds = ["vulnerability"]', 'kinds = ["weakness"]', "known words"),
        ("[regimes.own]", "[regimes]\nown = 3\n[x]", "other tables"),
        ("[regimes.own]", "regimes = 3\n[triggers]", "other tables"),
        ('name = "Own"', 'name = "Own"\nid = "x"', "no table of a regime"),
        ("[regimes.own]", "[regimes.own", "not TOML"),
        ("Own", "\udcff", "not TOML"),
        ("Own", "x" * 300_000, "more than"),
        ("[regimes.own]", f"a = {'[' * 50_000}\n[regimes.own]", "too deep"),
    ],
)
def test_a_row_that_is_wrong_is_refused_with_what_is_wrong(old: str, new: str, said: str) -> None:
    assert old in ROW
    text = ROW.replace(old, new).encode(errors="surrogateescape")
    with pytest.raises(InputError) as caught:
        load_regimes(text, where="fleet/regimes.toml", base=builtin())
    assert caught.value.code == "BAD_REGIMES"
    assert caught.value.where == "fleet/regimes.toml"
    assert said in caught.value.message


def test_a_table_of_another_sort_is_refused() -> None:
    with pytest.raises(InputError, match="no table of a regime"):
        load_regimes(b"[regimes]\nown = 3\n", where="")


def test_the_page_names_every_regime_with_its_source() -> None:
    page = regimes_page()
    for regime in builtin().regimes.values():
        assert f"\n## {regime.id}\n" in page
        assert regime.source in page
        assert not regime.reason or regime.reason in page
    assert not re.search(r"\|\|", page)


def test_a_trigger_has_words() -> None:
    assert builtin().meaning("submitted:notification") == "the step notification was submitted"
    assert "aware" in builtin().meaning("aware")
