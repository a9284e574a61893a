import pytest

from advisories.facts import Facts
from advisories.render.channel.short import POST_LETTERS_MAX, banner, letters, sentences, social
from advisories.story import Setting

END = "EX-2026-0041 ***-*** https://notices.example.com/notices/EX-2026-0041/en/web.html"


def test_a_post_is_title_action_and_proof(tell, bare_yaml: str) -> None:
    post = social(tell(bare_yaml), "en")
    action = "Please accept the update when your device offers it. It takes five minutes."
    assert post == f"Please install update. {action} {END}\n"
    assert letters(post.strip()) <= POST_LETTERS_MAX


def test_a_post_leaves_out_whole_sentences_only(tell, bare_yaml: str) -> None:
    for count in range(0, 300, 7):
        text = bare_yaml.replace("It takes five minutes.", f"It takes {'very ' * (count // 5)}long.")
        post = social(tell(text), "en").strip()
        assert letters(post) <= POST_LETTERS_MAX
        assert post.removesuffix(f" {END}").endswith(".")
    assert post == f"Please install update. Please accept the update when your device offers it. {END}"


def test_a_title_that_is_too_long_is_not_cut(tell, bare_yaml: str) -> None:
    title = "word " * 60
    post = social(tell(bare_yaml.replace("Please install update", title)), "en")
    assert post == f"{title.strip()}. {END}\n"


def test_a_post_of_the_facts_stands_as_it_is(tell, bare_yaml: str) -> None:
    post = social(tell(f"{bare_yaml}    social: Please update your thermostat today.\n"), "en")
    assert post == f"Please update your thermostat today. {END}\n"


def test_a_drill_says_so_everywhere(tell, rich: Facts) -> None:
    assert social(tell(rich), "en").startswith("EXERCISE: Card numbers copied. ")
    assert "<strong>EXERCISE</strong>: " in banner(tell(rich), "en")


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("abc", 3), ("e\u0301", 1), ("更新", 2), ("a\u200eb", 2), ("x\u0308y", 2)]
)
def test_letters_are_counted_as_people_see_them(text: str, count: int) -> None:
    assert letters(text) == count


def test_sentences_do_not_end_at_the_dot_of_a_version_or_a_day() -> None:
    assert sentences("Version 1.4.2 ist da. Am 24. November folgt mehr.") == [
        "Version 1.4.2 ist da.", "Am 24. November folgt mehr.",
    ]  # fmt: skip
    assert sentences("更新してください。五分です。") == ["更新してください。", "五分です。"]


def test_japanese_sentences_stand_without_spaces(tell, bare_yaml: str) -> None:
    text = bare_yaml.replace("\n  en:\n", "\n  ja:\n").replace("guage: en", "guage: ja")
    text = text.replace("Please install update", "更新のお願い").replace(
        "Please accept the update when your device offers it. It takes five minutes.",
        "更新してください。五分です。",
    )
    assert social(tell(text), "ja").startswith(
        "更新のお願い。更新してください。五分です。 EX-2026-0041 ***-*** http"
    )


@pytest.mark.parametrize(
    ("phase", "severity", "colour", "link"),
    [
        ("initial", "critical", "#7a1f1f", "Read what to do"),
        ("initial", "low", "#0b4f5e", "Read what to do"),
        ("resolved", "critical", "#0b4f5e", "Read more"),
    ],
)
def test_a_banner_is_as_loud_as_the_matter(
    tell, bare_yaml: str, phase: str, severity: str, colour: str, link: str
) -> None:
    text = bare_yaml.replace("phase: initial", f"phase: {phase}").replace("high", severity)
    made = banner(tell(text), "en")
    assert f"background: {colour}" in made
    assert f">{link}</a>" in made
    assert made.startswith("<aside ")
    assert made.endswith("</aside>\n")


def test_a_banner_without_an_address_has_no_link(tell, bare_yaml: str) -> None:
    assert "<a " not in banner(tell(bare_yaml, setting=Setting()), "en")
