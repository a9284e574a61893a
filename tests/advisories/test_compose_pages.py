"""What composing adds for devices without a font, and for owners who read the same words before."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from advisories import limits
from advisories.compose import Release, compose
from advisories.facts import Facts
from advisories.notice import Text, page_digests
from advisories.render import pages, small
from keys.codec import dump, load
from keys.errors import RefusedError, UnavailableError
from keys.reasons import Reason
from tests.advisories.nine import NINE
from tests.helpers import make_fleet, notice

FOLDER = Path("/usr/share/fonts/opentype/unifont")
needs_font = pytest.mark.skipif(
    not (FOLDER / "unifont_jp.otf").exists(), reason="needs the Debian package fonts-unifont"
)
ISSUED = 1_795_305_600
BLANK = bytes(limits.NOTICE_PAGE_BYTES)
HEADER = notice(make_fleet(), next_update=1_795_511_100, exercise=True)


@pytest.fixture(scope="module")
def fonts() -> dict[str, bytes]:
    return {name: (FOLDER / name).read_bytes() for name in small.FONT_FILES}


@pytest.fixture(scope="module")
def facts(example: Facts) -> Facts:
    return only(example, "en", "de", "ja")


def only(facts: Facts, *languages: str) -> Facts:
    return facts.model_copy(update={"texts": {tag: facts.texts[tag] for tag in languages}})


def release(facts: Facts, **changes: object) -> Release:
    arguments = {"fleet": bytes(32), "issued": ISSUED, "revision": 1, "exercise": True, "version": ISSUED}
    return compose(facts, **(arguments | changes))


def text(made: Release, language: str) -> Text:
    return load(Text, made.texts[language], size_max=limits.NOTICE_TEXT_BYTES_MAX)


@needs_font
def test_pages_hang_from_the_text_and_stand_on_the_release_list(
    facts: Facts, fonts: dict[str, bytes]
) -> None:
    made = release(facts, fonts=fonts)
    assert set(made.pages) == {"ja"}
    assert made.without_pages == {}
    assert text(made, "ja").pages == page_digests(made.pages["ja"])
    assert text(made, "en").pages is None
    assert made.header.texts["ja"] == hashlib.sha256(made.texts["ja"]).digest()
    for number, page in enumerate(made.pages["ja"], 1):
        assert made.outputs[f"ja/small-{number}.pbm"] == pages.to_pbm(page)
    drawn = [name for name in made.outputs if name.endswith(".pbm")]
    assert drawn == [f"ja/small-{n}.pbm" for n in range(1, len(made.pages["ja"]) + 1)]
    assert release(facts, fonts=fonts) == made


@needs_font
@pytest.mark.parametrize("language", ["ja", "zh", "ar"])
def test_a_page_is_the_screen_bit_by_bit(language: str, fonts: dict[str, bytes]) -> None:
    words = NINE[language]
    drawn = pages.draw(HEADER, words, fonts)
    told = small.told(HEADER, words)
    assert 1 <= len(drawn) == len(told) <= limits.NOTICE_PAGES_MAX
    for page, lines in zip(drawn, told, strict=True):
        assert len(page) == limits.NOTICE_PAGE_BYTES == small.WIDTH_PX * small.HEIGHT_PX // 8
        image = small.draw(lines, language, font=small.font_of(language, fonts))
        assert pages.image(page).tobytes() == image.tobytes()
        for x, y in ((0, 0), (127, 0), (5, 20), (100, 40), (127, 63)):
            assert (page[y * 16 + x // 8] >> (7 - x % 8) & 1) == (image.getpixel((x, y)) != 0)
    bars = [small.pages(HEADER, words, code="K7Q-4MD", confirmed=True), told]
    assert bars[0][0][0].split()[-1].endswith(f"/{len(told) + 1}")


def test_no_page_is_drawn_for_latin_letters() -> None:
    assert {tag for tag, words in NINE.items() if pages.are_needed(words)} == {"ja", "zh", "ar"}


@needs_font
def test_more_pages_than_a_text_may_name_are_not_drawn(facts: Facts, fonts: dict[str, bytes]) -> None:
    long = dataclasses.replace(NINE["ja"], happened="弱点があります。" * 12)
    with pytest.raises(UnavailableError, match="4 at most") as caught:
        pages.draw(HEADER, long, fonts)
    assert caught.value.code == "PAGES_OVERFLOW"
    words = facts.texts["ja"].model_copy(update={"happened": "弱点があります。" * 12})
    made = release(facts.model_copy(update={"texts": {**facts.texts, "ja": words}}), fonts=fonts)
    assert "4 at most" in made.without_pages["ja"]
    assert made.pages == {}


def test_without_a_font_it_is_said_why(facts: Facts) -> None:
    made = release(facts)
    assert set(made.without_pages) == {"ja"}
    assert "GNU Unifont" in made.without_pages["ja"]
    again = release(facts, drawn={})
    assert again.header == made.header
    assert "could be drawn" in again.without_pages["ja"]


@needs_font
@pytest.mark.parametrize(("spare", "named"), [(1, True), (0, True), (-1, False)])
def test_where_there_is_no_room_to_name_them_the_words_go_alone(
    facts: Facts, fonts: dict[str, bytes], spare: int, named: bool
) -> None:
    size = len(release(facts, fonts=fonts).texts["ja"])
    room = limits.NOTICE_TEXT_BYTES_MAX - size - spare
    words = facts.texts["ja"]
    grown = words.model_copy(update={"affected": words.affected + "x" * room})
    longer = len(grown.affected.encode()) > 255 >= len(words.affected.encode())
    grown = grown.model_copy(update={"affected": grown.affected[: -1 if longer else None]})
    made = release(facts.model_copy(update={"texts": {**facts.texts, "ja": grown}}), fonts=fonts)
    assert (text(made, "ja").pages is not None) is named
    assert ("ja" in made.without_pages) is not named
    if not named:
        assert "bytes too long to name drawn pages" in made.without_pages["ja"]
        assert not any(name.endswith(".pbm") for name in made.outputs)


@needs_font
def test_another_machine_makes_the_same_bytes_of_given_pages(facts: Facts, fonts: dict[str, bytes]) -> None:
    made = release(facts, fonts=fonts)
    again = release(facts, drawn=made.pages)
    assert (dump(again.header), again.texts, again.outputs) == (dump(made.header), made.texts, made.outputs)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (BLANK * 2, None),
        (BLANK * 2 + b"x", Reason.DIGEST_MISMATCH),
        (BLANK * 2 + BLANK, Reason.DIGEST_MISMATCH),
        (BLANK, Reason.DIGEST_MISMATCH),
        (b"", Reason.DIGEST_MISMATCH),
        (BLANK + BLANK[:-1] + b"\x01", Reason.DIGEST_MISMATCH),
        (BLANK * 4, Reason.DIGEST_MISMATCH),
        (BLANK * 4 + b"x", Reason.TOO_BIG),
    ],
)
def test_pages_that_came_are_exactly_those_named(data: bytes, reason: Reason | None) -> None:
    words = dataclasses.replace(NINE["ja"], pages=page_digests([BLANK, BLANK]))
    if reason is None:
        assert words.split(data) == (BLANK, BLANK)
        return
    with pytest.raises(RefusedError) as caught:
        words.split(data)
    assert caught.value.reason is reason


def test_a_text_that_names_no_pages_takes_none() -> None:
    assert NINE["ja"].split(b"") == ()
    with pytest.raises(RefusedError):
        NINE["ja"].split(BLANK)


@pytest.mark.parametrize("size", [-1, 0, 1])
def test_a_file_of_a_page_has_one_size(size: int) -> None:
    data = pages.to_pbm(BLANK)
    data = data[:size] if size < 0 else data + b"x" * size
    assert (pages.from_pbm(data) == BLANK) is (size == 0)
    assert pages.from_pbm(BLANK) is None


def test_only_further_languages_leave_owners_in_peace(example: Facts) -> None:
    first = release(only(example, "en", "de"))
    assert first.header.same_since is None
    second = release(
        only(example, "en", "de", "ja"),
        revision=2,
        version=ISSUED + 1,
        issued=ISSUED + 1,
        previous=first.header,
    )
    assert second.header.same_since == 1
    third = release(
        only(example, "en", "de", "ja", "fr"), revision=3, version=ISSUED + 2, previous=second.header
    )
    assert third.header.same_since == 1
    again = release(
        only(example, "en", "de", "ja", "fr"),
        revision=3,
        version=ISSUED + 2,
        same_since=third.header.same_since,
    )
    assert dump(again.header) == dump(third.header)


@pytest.mark.parametrize(
    "change",
    [
        {"action": 2},
        {"severity": 1},
        {"next_update": None},
        {"reminder": None},
        {"phase": 1},
        {"exercise": False},
        {"affected": {}},
        {"patches": {"thermostat": (bytes(32),)}},
        {"texts": {"en": bytes(32)}},
        {"texts": {}},
    ],
    ids=str,
)
def test_anything_else_that_changes_is_told_again(example: Facts, change: dict[str, object]) -> None:
    first = release(only(example, "en"))
    second = release(only(example, "en", "de"), revision=2, version=ISSUED + 1).header
    assert second.only_adds_languages(first.header)
    if "texts" in change:
        change = {"texts": {"de": second.texts["de"], **change["texts"]}}  # type: ignore[dict-item] # of texts
    assert not dataclasses.replace(second, **change).only_adds_languages(first.header)  # type: ignore[arg-type] # any


def test_the_same_languages_again_are_no_addition(example: Facts) -> None:
    first = release(only(example, "en")).header
    assert not release(only(example, "en"), revision=2).header.only_adds_languages(first)
    assert release(only(example, "en"), revision=2, previous=first).header.same_since is None
