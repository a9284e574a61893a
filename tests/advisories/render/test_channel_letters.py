import email.policy
import re
from email import message_from_string

import pytest

from advisories.channels import CHANNELS, render
from advisories.facts import Facts
from advisories.render.channel import letter
from advisories.render.channel.mail import mail
from advisories.render.layout import width
from advisories.story import Setting

STATUTE = (
    "What Happened", "What Information Was Involved", "What We Are Doing", "What You Can Do", "For More Information",
)  # fmt: skip


def headings(text: str) -> list[str]:
    return re.findall(r"(?m)^== (.*) ==$", text)


def folded(text: str) -> str:
    return " ".join(text.split())


def test_the_letter_says_everything_in_order(tell, rich: Facts) -> None:
    text = letter.text(tell(rich), "en")
    assert headings(text) == [
        "What you must do", "What happened", "What is affected", "What we are doing", "Next update", "Contact",
    ]  # fmt: skip
    said = folded(text)
    for words in (
        "Example Devices Ltd 1 Example Street Example Town Phone: +1 555 0100", "Date: 22 November 2026",
        "Our reference: EX-2026-0042 Revision: 2 Check code: ***-***", "Dear customer,", "*** EXERCISE: This is a drill.",
        "- Accept the update on your doorbell. Take the card number out", "call your bank at once.",
        "About 12,500 customers", "names, e-mail addresses, passwords in scrambled form and numbers of payment cards.",
        "We pay for one year of card monitoring.", "Download page: https://example.com/update",
        "it was our task to keep it safe. Yours sincerely, Example Devices Ltd You would like this letter in large print?",
        "https://notices.example.com/notices/EX-2026-0042/en/web.html", "proves nothing by itself",
    ):  # fmt: skip
        assert words in said, words
    assert all(width(line) <= 72 for line in text.splitlines())
    assert re.findall(r"https://\S+/en/web\.html\.", text)  # an address stays whole


def test_the_printed_letter_says_the_same_words(tell, rich: Facts) -> None:
    story = tell(rich)
    for made, printed in (
        (letter.text(story, "en"), letter.html(story, "en")),
        (letter.california_text(story, "en"), letter.california_html(story, "en")),
    ):
        body = re.sub(r"<[^>]+>", " ", printed[printed.index("<body") :])
        wanted = set(re.findall(r"\w+", made))
        assert wanted - set(re.findall(r"\w+", body)) == set()


def test_no_letter_is_printed_smaller_than_10_points(tell, rich: Facts) -> None:
    style = re.search(r"<style>(.*?)</style>", letter.html(tell(rich), "en"), re.DOTALL)
    assert style is not None
    sizes = [float(size) for size in re.findall(r"(?:font|font-size): ([\d.]+)pt", style[1])]
    assert sizes
    assert min(sizes) >= 10


def test_a_long_letter_is_set_closer(tell, rich: Facts, bare_yaml: str) -> None:
    assert '<body class="dense">' in letter.html(tell(rich), "en")
    assert "<body>" in letter.html(tell(bare_yaml), "en")


def test_a_letter_of_nobody_known_has_no_empty_lines_for_it(tell, bare_yaml: str) -> None:
    story = tell(bare_yaml, revision=1, setting=Setting())
    assert letter.text(story, "en").startswith("Date: 22 November 2026\n")
    assert "on our page" not in letter.text(story, "en")
    assert not re.search(r"<(p|li|ul|strong|bdi)[^>]*>\s*</\1>", letter.html(story, "en"))


def test_the_californian_letter_has_the_statutes_title_and_headings(tell, rich: Facts) -> None:
    text = letter.california_text(tell(rich), "en")
    assert headings(text) == list(STATUTE)
    assert "\nNotice of Data Breach\n" in text
    printed = letter.california_html(tell(rich), "en")
    assert '<h1 class="subject" lang="en" dir="ltr">Notice of Data Breach</h1>' in printed
    assert re.findall(r'<h2><span lang="en" dir="ltr">(.*?)</span>', printed) == list(STATUTE)


@pytest.mark.parametrize("language", ["de", "ja", "ar"])
def test_the_statutes_headings_stay_english_with_the_translation_beside(
    tell, rich_yaml: str, language: str
) -> None:
    text = rich_yaml.replace("\n  en:\n", f"\n  {language}:\n").replace("guage: en", f"guage: {language}")
    story = tell(text)
    made = headings(letter.california_text(story, language).replace("\u200e", ""))
    assert [heading.split(" / ")[0] for heading in made] == list(STATUTE)
    assert all(heading.split(" / ")[1] for heading in made)
    assert letter.california_html(story, language).count('<span class="beside">/ ') == 5


@pytest.mark.parametrize("data", ["", "data: {status: unknown}\n"])
def test_without_kinds_of_data_there_is_no_californian_letter(tell, bare_yaml: str, data: str) -> None:
    story = tell(bare_yaml + data)
    assert letter.california_html(story, "en") == ""
    assert letter.california_text(story, "en") == ""
    made = render(story, "en")
    assert not [name for name in made if "california" in name]
    assert {f"en/{name}" for name in CHANNELS if "california" not in name} == set(made)


def test_every_output_ends_with_a_line_and_keeps_a_place_for_the_code(tell, rich: Facts) -> None:
    for name, data in render(tell(rich), "en").items():
        assert data.endswith(b"\n"), name
        if name.endswith((".html", ".txt")):
            assert b"***-***" in data, name


def test_chinese_letters_are_dated_at_their_end(tell, bare_yaml: str) -> None:
    text = bare_yaml.replace("\n  en:\n", "\n  zh:\n").replace("guage: en", "guage: zh")
    made = letter.text(tell(text), "zh")
    assert made.index("尊敬的客户") < made.index("2026年11月22日")
    assert '<p class="at-end">2026年11月22日</p>' in letter.html(tell(text), "zh")


def test_a_mail_is_a_message_whose_subject_comes_first(tell, rich: Facts) -> None:
    text = mail(tell(rich), "en")
    message = message_from_string(text, policy=email.policy.default)
    assert message["Subject"] == "EXERCISE: Security notice EX-2026-0042: Card numbers copied"
    body = message.get_content()
    assert body.startswith("*** EXERCISE: This is a drill.")
    assert headings(body)[:4] == [
        "What is new", "What you must do", "Payment data: please act", "Until the update is there",
    ]  # fmt: skip
    assert all(width(line) <= 72 for line in body.splitlines())
    assert {link.rstrip(".") for link in re.findall(r"https?://\S+", body)} == {
        "https://notices.example.com/notices/EX-2026-0042/en/web.html",
        "https://example.com/update",
    }
    assert "- Phone: +49 30 23125 000" in body
    assert "- We answer in: Deutsch" in body


def test_a_mail_of_a_first_notice(tell, bare_yaml: str) -> None:
    text = mail(tell(bare_yaml, revision=1, setting=Setting()), "en")
    assert text.startswith("Subject: Security notice EX-2026-0041: Please install update\n\nDear customer,\n")
    assert "What is new" not in text
    assert "http" not in text


def test_in_arabic_a_code_keeps_its_order(tell, bare_yaml: str) -> None:
    text = bare_yaml.replace("\n  en:\n", "\n  ar:\n").replace("guage: en", "guage: ar")
    made = letter.text(tell(text, code="7Q3-4MD"), "ar")
    assert "\u200e7Q3-4MD\u200e" in made
    assert "\u200eEX-2026-0041\u200e" in made
    assert all(width(line) <= 72 for line in made.splitlines())
