import string

import pytest

from advisories.render import glyphs

WESTERN = "ąćęłńóśźżĄĆĘŁŃÓŚŹŻœŒ€ºª·•ÄÖÜäöüßÀÁÂÃÅÆÇÈÉÊËÌÍÎÏÑÒÔÕØÙÚÛÝàáâãåæçèéêëìíîïñòôõøùúûýÿ§°«»¿¡"


@pytest.mark.parametrize("letter", [*string.printable[:95], *WESTERN])
def test_every_western_letter_is_drawn_inside_its_cell(letter: str) -> None:
    dots = glyphs.pixels(letter)
    assert dots is not None
    assert (len(dots) > 0) is (letter != " ")
    assert all(0 <= x < glyphs.CELL_PX - 1 and 0 <= y < glyphs.ROWS for x, y in dots)


def test_no_two_letters_look_the_same() -> None:
    drawn = {glyphs.pixels(letter) for letter in [*string.printable[:95], *WESTERN]}
    assert len(drawn) == len(string.printable[:95]) + len(WESTERN)


@pytest.mark.parametrize(
    "letter", ["đ", "š", "日", "я", "\u0301", "\n", "ǖ", "×", "ḅ", "Ḯ", "\u00ad", "ſ", "\u0140"]
)
def test_other_letters_are_not_there_rather_than_wrong(letter: str) -> None:
    assert glyphs.pixels(letter) is None
    assert not glyphs.has("a" + letter)


def test_what_hangs_below_the_line_does() -> None:
    hanging = {
        letter for letter in string.ascii_letters if any(y > 8 for _, y in glyphs.pixels(letter) or ())
    }
    assert hanging == set("gjpqy")


def test_a_small_i_with_an_accent_loses_its_dot() -> None:
    plain, accented = glyphs.pixels("i"), glyphs.pixels("í")
    assert plain is not None
    assert accented is not None
    assert min(y for _, y in plain) == 2
    assert not {(x, y) for x, y in accented if y == 3}


def test_zero_and_letter_o_differ_for_check_codes() -> None:
    assert len({glyphs.pixels(letter) for letter in "0O1Il8B5S2Z"}) == 11
