"""Whatever is removed from an export, changed, swapped or put in is found, whoever forges the index with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from gateway.core.evidence import archive as form
from gateway.core.evidence.receipts import item_of
from gateway.core.evidence.verdict import Verdict
from keys.cbor import decode
from tests.gateway.evidence.case import (
    IDS,
    Told,
    changed,
    forged,
    items,
    judged,
    members,
    packed,
    rehashed,
    renumbered,
    sequence,
)
from tests.helpers import NOW, make_fleet, report

UNBOUND = {form.CLOCKS, form.OFFERS, form.STATED, form.TIMESTAMPS}
"""What neither a signature nor a report binds: the last row of the chain alone says what stood there."""


def is_found(data: bytes, told: Told) -> bool:
    found = judged(data, told.fleet)
    return isinstance(found, str) or not found.proved


def test_an_export_that_nobody_touched_is_proved(exported: bytes, told: Told) -> None:
    found = judged(exported, told.fleet)
    assert isinstance(found, Verdict)
    assert found.findings == []
    assert packed(members(exported)) == exported
    assert forged(members(exported)) == exported


def test_each_member_that_is_removed_or_changed_is_found(exported: bytes, told: Told) -> None:
    whole = members(exported)
    for name in whole.keys() - {form.INDEX}:
        gone = {other: data for other, data in whole.items() if other != name}
        bent = {**whole, name: whole[name][:-1] + bytes([whole[name][-1] ^ 1])} if whole[name] else gone
        for kind, made in (("removed", gone), ("changed", bent)):
            assert is_found(packed(made, index=False), told), f"{name} {kind}, the index as it was"
            assert is_found(packed(made), told), f"{name} {kind}, and the index made anew"
            if name not in UNBOUND | {form.AUDIT}:
                assert is_found(forged(made), told), f"{name} {kind}, index and last row made anew"


def test_each_member_that_is_added_or_swapped_is_found(exported: bytes, told: Told) -> None:
    whole = members(exported)
    for name in (
        "roots/3.cose",
        "advisory/r1/texts/ja.cbor",
        "advisory/r1/outputs/en/more.txt",
        "advisory/r3/header.cose",
        "catalogues/thermostat/1.cose",
        "devices/1.cose",
        "patches/00.suit",
        "anything.txt",
    ):
        similar = next((d for n, d in whole.items() if n.split("/")[0] == name.split("/")[0]), b"words")
        made = {**whole, name: similar}
        assert is_found(packed(made, index=False), told), name
        assert is_found(forged(made), told), name
    for one, other in (
        ("roots/1.cose", "roots/2.cose"),
        ("advisory/r1/header.cose", "advisory/r2/header.cose"),
        ("advisory/r1/texts/de.cbor", "advisory/r1/texts/en.cbor"),
        ("advisory/r1/outputs/de/console.txt", "advisory/r1/outputs/en/console.txt"),
        (form.TOLD_CSV, form.TOLD_JSON),
        (form.REPORTS, form.AUDIT),
        (form.EVENTS, form.STATED),
    ):
        made = {**whole, one: whole[other], other: whole[one]}
        assert is_found(packed(made), told), (one, other)


def rows_tampered(rows: list[bytes], place: int) -> Iterator[tuple[str, list[bytes]]]:
    """Yield what can be done to one row."""
    row = rows[place]
    before, behind = rows[:place], rows[place + 1 :]
    yield "removed", [*before, *behind]
    yield "removed and all made to fit", renumbered([*before, *behind])
    yield "twice", renumbered([*before, row, row, *behind])
    if len(row) > 64:
        from hashlib import sha256

        yield "withheld", [*before, row[:32] + sha256(row[32:]).digest(), *behind]
        other = changed(row, lambda data: data.update(not_said=1))
        yield "changed", [*before, other, *behind]
        yield "changed and all made to fit", rehashed([*before, other, *behind])
    if behind:
        yield "swapped and all made to fit", renumbered([*before, behind[0], row, *behind[1:]])


def test_each_row_of_the_chain_is_held(exported: bytes, told: Told) -> None:
    whole = members(exported)
    rows = items(whole[form.AUDIT])
    for place in range(len(rows) - 1):
        for kind, made in rows_tampered(rows, place):
            assert is_found(forged(whole, made), told), f"row {place + 1} {kind}"
    for made in (rows[:-1], rows[: len(rows) // 2]):
        assert is_found(forged(whole, made), told), "cut off"


def test_each_report_is_held(exported: bytes, told: Told) -> None:
    whole = members(exported)
    reports = items(whole[form.REPORTS])
    for place, item in enumerate(reports):
        entry, salt, data = decode(item)
        bent = data[:-1] + bytes([data[-1] ^ 1])
        others = [one for at, one in enumerate(reports) if at != place]
        for kind, made in (
            ("removed", others),
            ("changed", [*reports[:place], item_of(entry, salt, bent), *reports[place + 1 :]]),
            ("salted anew", [*reports[:place], item_of(entry, bytes(16), data), *reports[place + 1 :]]),
            ("twice", sorted([*reports, item], key=lambda one: decode(one)[0])),
            ("moved", sorted([*others, item_of(1, salt, data)], key=lambda one: decode(one)[0])),
        ):
            assert is_found(forged({**whole, form.REPORTS: sequence(made)}), told), f"report {place} {kind}"
    swapped = [*reports[1::-1], *reports[2:]]
    assert is_found(forged({**whole, form.REPORTS: sequence(swapped)}), told)
    for fleet in (told.fleet, make_fleet(now=NOW + 1)):
        invented = fleet.report(report(fleet, IDS[3], version=9))
        more = item_of(decode(reports[-1])[0], bytes(16), invented)
        assert is_found(forged({**whole, form.REPORTS: sequence([*reports, more])}), told)


def test_a_report_that_is_gone_is_named_with_its_row(exported: bytes, told: Told) -> None:
    whole = members(exported)
    reports = items(whole[form.REPORTS])
    found = judged(forged({**whole, form.REPORTS: sequence(reports[1:])}), told.fleet)
    assert isinstance(found, Verdict)
    row = decode(reports[0])[0]
    assert (f"row {row}", "removed") in {(one.where, one.fault) for one in found.findings}
    assert "no rule erased them" in " ".join(one.detail for one in found.findings)


LINES: dict[str, Callable[[list[bytes], int], list[bytes]]] = {
    "removed": lambda lines, at: [*lines[:at], *lines[at + 1 :]],
    "twice": lambda lines, at: [*lines[: at + 1], *lines[at:]],
    "swapped": lambda lines, at: [*lines[:at], *lines[at : at + 2][::-1], *lines[at + 2 :]],
    "added": lambda lines, at: [*lines, json.dumps({"seq": 99}).encode()],
}


@pytest.mark.parametrize("kind", [*LINES, "changed"])
@pytest.mark.parametrize("name", [form.EVENTS, form.STATED, form.TOLD_CSV, form.TOLD_JSON])
def test_each_line_is_held(exported: bytes, told: Told, name: str, kind: str) -> None:
    whole = members(exported)
    lines = whole[name].splitlines()
    for at in range(len(lines) - 1):
        if kind == "changed":
            made = [*lines[:at], lines[at].replace(b"e", b"f", 1), *lines[at + 1 :]]
        else:
            made = LINES[kind](lines, at)
        data = {**whole, name: b"".join(line + b"\n" for line in made)}
        assert is_found(packed(data), told), f"line {at + 1}"
        assert name == form.STATED or is_found(forged(data), told), f"line {at + 1}, last row made anew"


@pytest.mark.parametrize("name", [form.TIMESTAMPS, form.OFFERS])
def test_what_the_gateway_signed_is_held_by_its_key_its_order_and_the_last_row(
    exported: bytes, told: Told, name: str
) -> None:
    whole = members(exported)
    found = items(whole[name])
    for at, one in enumerate(found):
        bent = one[:-1] + bytes([one[-1] ^ 1])
        assert is_found(forged({**whole, name: sequence([*found[:at], bent, *found[at + 1 :]])}), told)
        assert is_found(forged({**whole, name: sequence([*found[: at + 1], *found[at:]])}), told)
        assert is_found(packed({**whole, name: sequence([*found[:at], *found[at + 1 :]])}), told)
    if name == form.TIMESTAMPS:
        assert is_found(forged({**whole, name: sequence(found[::-1])}), told)


def test_a_withheld_row_and_a_rewritten_one_are_named(exported: bytes, told: Told) -> None:
    whole = members(exported)
    rows = items(whole[form.AUDIT])
    place = next(at for at, row in enumerate(rows) if b'"approval.given"' in row)
    made = dict(rows_tampered(rows, place))
    found = judged(forged(whole, made["withheld"]), told.fleet)
    assert isinstance(found, Verdict)
    assert any(one.fault == "removed" and "advisory:EX-2026-0001" in one.detail for one in found.findings)
    found = judged(packed({**whole, form.AUDIT: sequence(made["changed"])}), told.fleet)
    assert isinstance(found, Verdict)
    assert f"row {place + 1}" in {one.where for one in found.findings}


@pytest.mark.parametrize("through", [-1, 0, 1, 10**9, True, None, "9"])
def test_how_far_an_export_reaches_is_held_to_its_heads_and_its_own_row(
    exported: bytes, told: Told, through: object
) -> None:
    """Rows behind it need no reports: who says less than is vouched for leaves out the worst of them."""
    whole = members(exported)
    rows = items(whole[form.AUDIT])
    found = judged(
        forged(whole, [*rows[:-1], changed(rows[-1], lambda d: d.update(through=through))]), told.fleet
    )
    assert isinstance(found, Verdict)
    assert any(one.where == f"row {len(rows)}" and "reach" in one.detail for one in found.findings)
    assert found.rows < len(rows)


def test_rows_behind_what_an_export_covers_are_told(exported: bytes, told: Told) -> None:
    whole = members(exported)
    rows = items(whole[form.AUDIT])
    between = rows[-2][:32] + b"\7" * 32
    last = changed(rows[-1], lambda data: data.update(through=len(rows) - 1))
    found = judged(forged(whole, renumbered([*rows[:-1], between, last])), told.fleet)
    assert isinstance(found, Verdict)
    assert found.proved, found.findings
    assert f"Rows {len(rows)} to {len(rows)} were written meanwhile and are not covered." in found.notes


def test_a_time_that_is_none_is_refused(exported: bytes, told: Told) -> None:
    whole = members(exported)
    said = json.loads(whole[form.ABOUT])
    made = whole[form.ABOUT].replace(json.dumps(said["made"]).encode(), b"1e999")
    assert made != whole[form.ABOUT]
    assert judged(forged({**whole, form.ABOUT: made}), told.fleet) == "NOT_EVIDENCE"
