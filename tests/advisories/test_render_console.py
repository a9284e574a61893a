import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisories.compose import header_of, text_of
from advisories.facts import Facts
from advisories.notice import Notice, Severity, Text
from advisories.render import console
from advisories.render.layout import width


def screen(notice: Notice, text: Text, *, confirmed: bool = True, **more: int) -> list[str]:
    return console.render(
        notice, text, product="thermostat", installed="1.3.0", code="K7Q-4MD", confirmed=confirmed, **more
    )


def test_the_english_screen_is_as_designed(example: Facts) -> None:
    assert screen(header_of(example), text_of(example, "en")) == [
        "+-[ SECURITY NOTICE, SEVERITY HIGH ]--------------------------[ EX-2026-0001 ]-+",
        "|    *** EXERCISE: This is a drill. Nothing is wrong with your device. ***     |",
        "| Please install update                                                        |",
        "+------------------------------------------------------------------------------+",
        "| What you must do   Please accept the update when your device offers it.      |",
        "| What happened      A weakness could let strangers in your home network       |",
        "|                    change settings.                                          |",
        "| What is affected   Thermostat before version 1.4.2. Doorbell before version  |",
        "|                    2.3.0.                                                    |",
        "|                    This device: thermostat, version 1.3.0.                   |",
        "| What we are doing  We are sorry for the trouble. The update closes the       |",
        "|                    weakness. Until then we have switched off changes from    |",
        "|                    outside your home. We test every new version against this |",
        "|                    weakness from now on.                                     |",
        "| Next update        24 November 2026, 09:00 UTC                               |",
        "| Contact            support@example.com, Monday to Friday, 9:00 to 17:00 UTC  |",
        "| Is this genuine?   Yes. Signed notice EX-2026-0001, revision 1, check code   |",
        "|                    K7Q-4MD. Confirmed current.                               |",
        "+------------------------------------------------------------------[ K7Q-4MD ]-+",
    ]


@pytest.mark.parametrize("language", ["en", "de", "ja"])
@pytest.mark.parametrize("confirmed", [True, False])
def test_every_line_has_eighty_columns_and_all_fit(example: Facts, language: str, confirmed: bool) -> None:
    lines = screen(header_of(example), text_of(example, language), confirmed=confirmed)
    assert {width(line) for line in lines} == {console.WIDTH}
    assert len(lines) <= console.HEIGHT
    assert all(line[0] in "+|" and line[-1] in "+|" for line in lines)


@pytest.mark.parametrize(
    ("language", "mark"),
    [("en", "NOT CONFIRMED CURRENT"), ("de", "NICHT ALS AKTUELL BESTÄTIGT"), ("ja", "最新かどうか未確認")],
)
def test_what_is_not_confirmed_says_so(example: Facts, language: str, mark: str) -> None:
    notice, text = header_of(example), text_of(example, language)
    assert mark in "\n".join(screen(notice, text, confirmed=False))
    assert mark not in "\n".join(screen(notice, text, confirmed=True))


@pytest.mark.parametrize(("language", "mark"), [("en", "EXERCISE"), ("de", "ÜBUNG"), ("ja", "訓練")])
def test_an_exercise_and_only_an_exercise_is_marked(example: Facts, language: str, mark: str) -> None:
    notice, text = header_of(example), text_of(example, language)
    assert mark in screen(notice, text)[1]
    real = dataclasses.replace(notice, exercise=False)
    assert mark not in "\n".join(screen(real, text))


def test_the_order_is_action_first_and_proof_last(example: Facts) -> None:
    text = Text(
        language="en", title="t-", action="a-", happened="h-", affected="f-", doing="d-", contact="c-"
    )
    shown = "\n".join(screen(header_of(example), text))
    places = [shown.index(f" {word} ") for word in ("t-", "a-", "h-", "f-", "d-", "c-")]
    assert places == sorted(places)
    assert shown.index("24 November") < shown.index(" c- ") < shown.index("check code")


def test_a_short_notice_gets_air_between_its_sections(example: Facts) -> None:
    text = Text(language="en", title="t", action="a", happened="h", affected="f", doing="d", contact="c")
    lines = screen(header_of(example), text)
    assert len(lines) <= console.HEIGHT
    assert lines.count("|" + " " * 78 + "|") == 6


def test_a_closed_matter_announces_no_update(example: Facts) -> None:
    notice = dataclasses.replace(header_of(example), next_update=None)
    assert "this matter is closed" in "\n".join(screen(notice, text_of(example, "en")))


def test_a_language_without_screen_words_gets_english_ones(example: Facts) -> None:
    text = dataclasses.replace(text_of(example, "en"), language="nl")
    assert "What you must do" in "\n".join(screen(header_of(example), text))


@given(
    st.text(st.sampled_from("abc äß日本語ー。,"), min_size=1, max_size=400),
    st.sampled_from(["en", "de", "ja", "nl"]),
    st.sampled_from(Severity),
    st.booleans(),
)
def test_any_text_is_framed_whole(
    example: Facts, body: str, language: str, severity: Severity, exercise: bool
) -> None:
    notice = dataclasses.replace(header_of(example), severity=severity, exercise=exercise)
    text = Text(language=language, title="t", action=body, happened="h", affected="f", doing="d", contact="c")
    lines = screen(notice, text)
    assert {width(line) for line in lines} == {console.WIDTH}
    letters = "".join(line[1:-1] for line in lines).replace(" ", "").replace("-", "")
    assert body.replace(" ", "") in letters


def test_another_size_is_filled_too(example: Facts) -> None:
    lines = screen(header_of(example), text_of(example, "en"), width=100, height=40)
    assert {width(line) for line in lines} == {100}


def test_the_longest_id_leaves_the_frame_whole_and_the_heading_said(example: Facts) -> None:
    notice = dataclasses.replace(header_of(example), id="E" * 64)
    lines = screen(notice, text_of(example, "en"))
    assert {width(line) for line in lines} == {80}
    assert "E" * 64 in lines[0]
    assert "SECURITY NOTICE, SEVERITY HIGH" in lines[1]
