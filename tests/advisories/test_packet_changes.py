"""What changed between two files of facts, field by field."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisories.facts import Facts, load_facts
from advisories.organisation import Organisation
from advisories.packet import Change, compare, compare_setting
from advisories.packet.changes import KEPT_IN, _change
from advisories.story import Past, RegisteredProduct, Setting

EXAMPLE = (Path(__file__).parents[2] / "examples" / "advisories" / "EX-2026-0001.yaml").read_text("utf-8")
OLD = load_facts(EXAMPLE, where="old")


def _edited(old: str, new: str) -> Facts:
    assert old in EXAMPLE
    return load_facts(EXAMPLE.replace(old, new, 1), where="new")


def _text(side: object) -> str | None:
    return None if side is None else "".join(piece.text for piece in side)  # type: ignore[attr-defined]


def _plain(changes: tuple[Change, ...]) -> list[tuple[str, str, str | None, str | None]]:
    return [(one.path, one.role, _text(one.old), _text(one.new)) for one in changes]


def test_nothing_changes_by_comments_and_spaces() -> None:
    assert compare(OLD, _edited("# An exercise advisory", "#   A drill")) == ()


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("severity: high", "severity: low", ("severity", "engineering", "3", "1")),
        ("expires_days: 90", "expires_days: 30", ("expires_days", "communications", "90", "30")),
        ('fixed: "1.4.2"', 'fixed: "1.4.3"', ("products.thermostat.fixed", "engineering", "1.4.2", "1.4.3")),
        ("exercise: true", "exercise: false", ("exercise", "engineering", "yes", None)),
        (
            "source: laboratory test 17",
            "source: test 18",
            ("facts.1.source", "engineering", "laboratory test 17", "test 18"),
        ),
        ("\nsource_language", "\ntlp: red\nsource_language", ("tlp", "legal", None, "red")),
    ],
)
def test_a_field_is_named_with_its_owner_and_both_sides(old: str, new: str, found: tuple[str, ...]) -> None:
    assert _plain(compare(OLD, _edited(old, new))) == [found]


def test_the_words_that_differ_are_marked() -> None:
    (change,) = compare(OLD, _edited("Please accept the update when", "Please refuse the update when"))
    assert change.role == "communications"
    assert [piece.text for piece in change.old or () if piece.differs] == ["accept"]
    assert [piece.text for piece in change.new or () if piece.differs] == ["refuse"]


def test_letters_of_scripts_without_spaces_are_marked_one_by_one() -> None:
    (change,) = compare(OLD, _edited("案内が出たら", "案内を見たら"))
    assert [piece.text for piece in change.new or () if piece.differs] == ["を見"]


def test_one_item_more_does_not_change_those_that_follow() -> None:
    item = "  - statement: New.\n    status: unknown\n"
    (change,) = compare(OLD, _edited("facts:  ", f"facts:\n{item}# "))
    assert change.path == "facts.1"
    assert change.old is None
    assert _text(change.new) == "statement: New.\nstatus: unknown"
    (gone,) = compare(_edited("facts:  ", f"facts:\n{item}# "), OLD)
    assert gone.new is None


def test_a_long_text_is_shown_whole() -> None:
    facts = [
        load_facts(
            EXAMPLE + f"\nannex:\n  details: ['x']\nnotes:\n  - {{category: other, text: '{word * 3000}'}}\n",
            where="x",
        )
        for word in ("a ", "b ")
    ]
    (change,) = compare(*facts)
    assert change.old is not None
    assert len(change.old) == 1


def test_words_of_the_annex_are_never_shown() -> None:
    secret = _edited("\nsource_language", "\nannex:\n  terms: [debug_port]\nsource_language")
    other = _edited("\nsource_language", "\nannex:\n  terms: [other_port]\nsource_language")
    assert _plain(compare(OLD, secret)) == [("annex", "engineering", None, KEPT_IN)]
    assert _plain(compare(secret, other)) == [("annex", "engineering", KEPT_IN, KEPT_IN)]


def test_who_speaks_is_compared_too_but_not_the_past() -> None:
    old = Setting(organisation=Organisation(name="Example"), products={"p": RegisteredProduct(name="P")})
    new = Setting(
        organisation=Organisation(name="Sample"),
        products={"p": RegisteredProduct(name="Q")},
        past=(Past(revision=1, phase="initial", issued=1),),
    )
    assert _plain(compare_setting(old, new)) == [
        ("organisation.name", "communications", "Example", "Sample"),
        ("registry.p.name", "engineering", "P", "Q"),
    ]
    assert compare_setting(old, old) == ()


@pytest.mark.parametrize("text", ["\u3001" * 4_096, "ab " * 1_365, "\u3042\u3044" * 2_048, "x" * 5_000])
def test_what_would_take_long_to_mark_is_shown_whole(text: str) -> None:
    spread = "".join(letter + ("x" if place % 7 == 0 else "") for place, letter in enumerate(text))
    change = _change("texts.en.action", "communications", text, spread)
    assert [piece.differs for piece in change.new or ()] == [True]
    assert _text(change.new) == spread
