import hashlib
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories import limits
from advisories.compose import CODE_SLOT, SETTING, SLOT, Release, compose
from advisories.facts import Facts, load_facts
from advisories.languages import CALENDAR_END
from advisories.notice import Action, Notice, Phase, ReleaseList, Severity, Text, check_code
from advisories.render import console
from advisories.story import SETTING_BYTES_MAX, Past, Setting, load_setting
from keys.codec import dump, load
from keys.errors import InputError

FLEET = bytes(range(32))
ISSUED = 1_795_305_600
HEADER = (
    "b201666e6f74696365025820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f03826864"
    "6f6f7262656c6c6a746865726d6f73746174041a6b023080051a6b023080061a6b78d78007827465786572636973652d"
    "656e67696e656572696e676b656e67696e656572696e670a6c45582d323032362d303030310b010c000df50e030fa268"
    "646f6f7262656c6c8182840200000084020300006a746865726d6f737461748182840100000084010402001000111a6b"
    "05521012821a000151800713a362646558200bd8bd231f3624ed979b390888808f664bcf46cbd32ad2b8903c196071c7"
    "960562656e5820a1422f6e35ffc100bb5d175f10416e00d06fd9417bb6e8bf477c4ad00efd6875626a615820442cd9d2"
    "a75f81d5a5ac9ef961f3d84e5358fdc10cf869feb7772ff78a107fe81558200000000000000000000000000000000000"
    "000000000000000000000000000000"
)
"""Every byte of the header composed from the example in three languages, but for the digest of the release list;
a change here breaks devices in the field."""
TEXTS = {
    "de": "0bd8bd231f3624ed979b390888808f664bcf46cbd32ad2b8903c196071c79605",
    "en": "a1422f6e35ffc100bb5d175f10416e00d06fd9417bb6e8bf477c4ad00efd6875",
    "ja": "442cd9d2a75f81d5a5ac9ef961f3d84e5358fdc10cf869feb7772ff78a107fe8",
}
SCREENS = "6560e22b106db0f1523cb76b39d5ac25a2d5465536fa577035483bfb5366a091"
"""SHA-256 over the names and digests of every screen: a changed screen is a changed approval."""
_SCREEN = re.compile(r"led\.txt|../(console|small-\d)\.txt")


def release(facts: Facts, **changes: object) -> Release:
    arguments = {"fleet": FLEET, "issued": ISSUED, "revision": 1, "exercise": True, "version": ISSUED}
    return compose(facts, **(arguments | changes))


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_the_header_says_what_the_facts_say(example: Facts) -> None:
    header = release(example, revision=2, version=7).header
    assert (header.type, header.fleet, header.version, header.revision) == ("notice", FLEET, 7, 2)
    assert header.subject == ("doorbell", "thermostat")
    assert (header.issued, header.expires) == (ISSUED, ISSUED + 90 * 86_400)
    assert header.author == ("exercise-engineering", "engineering")
    assert (header.phase, header.severity, header.action) == (Phase.INITIAL, Severity.HIGH, Action.ACT_NOW)
    assert header.next_update == 1_795_510_800
    assert header.reminder == (86_400, 7)
    assert header.patches is None
    assert header.affects("thermostat", (1, 4, 1, 0))
    assert not header.affects("thermostat", (1, 4, 2, 0))
    assert not header.affects("kettle", (1, 0, 0, 0))


def test_what_is_left_out_of_the_facts_is_left_out_of_the_header(example_yaml: str) -> None:
    text = re.sub(r"(?m)^(next_update|reminder):.*\n", "", example_yaml)
    header = release(load_facts(text, where="a")).header
    assert (header.next_update, header.reminder) == (None, None)


def test_the_header_binds_every_text_and_every_output(example: Facts) -> None:
    made = release(example)
    assert made.header.texts == {tag: digest(data) for tag, data in made.texts.items()}
    assert made.header.release_list == digest(made.release_list)
    listed = load(ReleaseList, made.release_list, size_max=100_000).outputs
    assert listed == {name: digest(data) for name, data in (made.outputs | made.sources).items()}


def test_every_language_has_its_text_and_its_screens(example: Facts) -> None:
    made = release(example)
    for language in ("en", "de", "ja"):
        text = load(Text, made.texts[language], size_max=limits.NOTICE_TEXT_BYTES_MAX)
        assert text.language == language
        assert text.title == example.texts[language].title
        assert f"{language}/console.txt" in made.outputs
        assert f"{language}/small-1.txt" in made.outputs
    assert made.outputs["led.txt"].startswith(b"red ")
    assert all(data.endswith(b"\n") for data in made.outputs.values())


def test_approved_outputs_leave_slots_only_for_what_devices_fill_in(example: Facts) -> None:
    made = release(example)
    text = load(Text, made.texts["en"], size_max=1_024)
    code = check_code(digest(dump(made.header)))
    shown = console.render(
        made.header, text, product="doorbell", installed="2.2.0", code=code, confirmed=True
    )
    approved = made.outputs["en/console.txt"].decode()
    assert CODE_SLOT in approved
    filled = approved.replace(CODE_SLOT, code).replace(f"{SLOT}, version {SLOT}", "doorbell, version 2.2.0")
    assert " ".join(filled.split()) == " ".join("\n".join(shown).split())


@pytest.mark.parametrize(
    ("in_facts", "in_root", "marked"),
    [(True, True, True), (True, False, True), (False, True, True), (False, False, False)],
)
def test_an_exercise_is_marked_by_the_facts_or_by_the_root(
    example: Facts, in_facts: bool, in_root: bool, marked: bool
) -> None:
    facts = example.model_copy(update={"exercise": in_facts})
    made = release(facts, exercise=in_root)
    assert made.header.exercise is marked
    assert ("EXERCISE" in made.outputs["en/console.txt"].decode()) is marked
    assert ("EXERCISE" in made.outputs["en/small-1.txt"].decode()) is marked


def test_patches_are_bound_when_they_are_known(example: Facts) -> None:
    header = release(example, patches={"thermostat": (bytes(32),)}).header
    assert header.patches == {"thermostat": (bytes(32),)}
    assert load(Notice, dump(header), size_max=limits.NOTICE_BYTES_MAX) == header


@given(
    issued=st.integers(0, 2**53 - 1 - 90 * 86_400),
    revision=st.integers(0, 65_535),
    version=st.integers(0, 2**53 - 1),
    exercise=st.booleans(),
)
@settings(max_examples=8, deadline=None)
def test_the_same_arguments_give_the_same_bytes(
    example: Facts, issued: int, revision: int, version: int, exercise: bool
) -> None:
    once, twice = (
        release(example, issued=issued, revision=revision, version=version, exercise=exercise)
        for _ in range(2)
    )
    assert dump(once.header) == dump(twice.header)
    assert once == twice
    assert load(Notice, dump(once.header), size_max=limits.NOTICE_BYTES_MAX) == once.header


@pytest.mark.parametrize("issued", [CALENDAR_END, CALENDAR_END + 1, 2**53 - 1 - 90 * 86_400])
def test_a_time_that_no_calendar_has_is_told_as_its_last_day(example: Facts, issued: int) -> None:
    past = Past(revision=1, phase="initial", issued=issued)
    made = release(example, setting=Setting(past=(past,)), issued=issued, revision=2)
    assert "31 December 9999" in made.outputs["en/letter.txt"].decode()


def test_the_order_of_the_file_does_not_matter(example: Facts) -> None:
    turned = example.model_copy(
        update={
            "texts": dict(reversed(example.texts.items())),
            "products": dict(reversed(example.products.items())),
        }
    )
    assert release(turned) == release(example)


def test_any_changed_word_changes_the_header(example: Facts) -> None:
    words = example.texts["ja"].model_copy(update={"contact": "support@example.com"})
    other = example.model_copy(update={"texts": {**example.texts, "ja": words}})
    assert release(other).header.texts["ja"] != release(example).header.texts["ja"]
    assert release(other).header.release_list != release(example).header.release_list


@pytest.mark.parametrize(("more", "ok"), [(-1, True), (0, True), (1, False)])
def test_a_text_has_1024_bytes_at_most(example: Facts, more: int, ok: bool) -> None:
    words = example.texts["en"]
    size = len(release(example).texts["en"])
    room = limits.NOTICE_TEXT_BYTES_MAX - size + more
    doing, happened = words.doing + "x" * (room - 250), words.happened + "y" * 250
    facts = example.model_copy(
        update={
            "texts": {**example.texts, "en": words.model_copy(update={"doing": doing, "happened": happened})}
        }
    )
    grown = len(dump(Text(language="en", **{k: getattr(facts.texts["en"], k) for k in ("title", "action", "happened", "affected", "doing", "contact")})))  # fmt: skip
    spare = grown - limits.NOTICE_TEXT_BYTES_MAX - more  # longer length heads take a byte or two
    trimmed = facts.texts["en"].model_copy(update={"doing": doing[: len(doing) - spare]})
    facts = facts.model_copy(update={"texts": {**facts.texts, "en": trimmed}})
    if ok:
        assert len(release(facts).texts["en"]) == limits.NOTICE_TEXT_BYTES_MAX + more
    else:
        with pytest.raises(InputError) as caught:
            release(facts)
        assert caught.value.code == "TEXT_TOO_LONG"


def test_an_empty_text_is_refused_with_its_place(example_yaml: str) -> None:
    facts = load_facts(example_yaml.replace("案内が出たら、更新してください。", '""'), where="a.yaml")
    bare = facts.model_copy(
        update={"texts": {**facts.texts, "ja": facts.texts["ja"].model_copy(update={"action": ""})}}
    )
    with pytest.raises(InputError, match="'ja' cannot be sent") as caught:
        release(bare)
    assert caught.value.mend


def test_a_letter_that_no_device_takes_is_to_be_taken_out(example: Facts) -> None:
    words = example.texts["en"].model_copy(update={"title": "Update\x1b[31m now"})
    with pytest.raises(InputError, match="control character") as caught:
        release(example.model_copy(update={"texts": {"en": words}}))
    assert caught.value.mend == "Take it out."


@pytest.mark.parametrize(("more", "ok"), [(0, True), (1, False)])
def test_a_setting_that_could_not_be_read_again_is_refused(example: Facts, more: int, ok: bool) -> None:
    room = SETTING_BYTES_MAX + more - len(Setting(past=(_past(0, ""),)).encode())
    lines = [_past(number, "x" * min(4_000, room - number * 4_100)) for number in range(room // 4_100)]
    size = len(Setting(past=tuple(lines)).encode())
    last = lines[-1].model_copy(update={"code": "x" * (SETTING_BYTES_MAX + more - size - len(',"code":""'))})
    setting = Setting(past=(*lines[:-1], last))
    assert len(setting.encode()) == SETTING_BYTES_MAX + more
    if ok:
        assert load_setting(release(example, setting=setting).sources[SETTING]) == setting
    else:
        with pytest.raises(InputError) as caught:
            release(example, setting=setting)
        assert caught.value.code == "SETTING_TOO_LONG"


def _past(number: int, changed: str) -> Past:
    return Past(revision=number + 100, phase="update", issued=1, changed={"en": changed} if changed else {})


def test_a_header_that_no_device_takes_is_refused(example: Facts) -> None:
    many = {"thermostat": tuple(bytes([n]) * 32 for n in range(limits.NOTICE_PATCHES_MAX + 1))}
    with pytest.raises(InputError) as caught:
        release(example, patches=many)
    assert caught.value.code == "NOTICE_TOO_LONG"


def test_the_composed_example_is_locked_byte_by_byte(example: Facts) -> None:
    made = release(example.model_copy(update={"texts": {tag: example.texts[tag] for tag in TEXTS}}))
    screens = {name: digest(data) for name, data in made.outputs.items() if _SCREEN.fullmatch(name)}
    assert dump(replace(made.header, release_list=bytes(32))).hex() == HEADER
    assert {tag: digest(data).hex() for tag, data in made.texts.items()} == TEXTS
    assert digest(dump(ReleaseList(outputs=screens))).hex() == SCREENS
