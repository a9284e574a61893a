import re
from html.parser import HTMLParser

import pytest

from advisories.facts import Facts
from advisories.facts.matter import Contact, ContactKind
from advisories.phrases import LANGUAGES
from advisories.render.channel.faq import faq
from advisories.render.channel.page import web
from advisories.story import Setting

VOID = {"meta", "br", "link", "img", "hr"}


class Page(HTMLParser):
    """Elements in their order, and whether each is closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.seen if name == tag]


def plain(text: str) -> str:
    body = re.sub(r"</?(?:bdi|a|strong|span)\b[^>]*>", "", text[text.index("<body") :])
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_the_page_is_whole_and_asks_nobody(tell, rich: Facts) -> None:
    for text in (web(tell(rich), "en"), faq(tell(rich), "en")):
        page = Page(text)
        assert text.startswith("<!doctype html>")
        assert page.all("html") == [{"lang": "en", "dir": "ltr"}]
        assert len(page.all("h1")) == 1
        assert not {"script", "img", "link", "iframe", "form", "input", "object"} & {
            tag for tag, _ in page.seen
        }
        assert not any(name.startswith("on") or name == "src" for _, attrs in page.seen for name in attrs)
        assert "url(" not in text
        assert "@import" not in text
        ids = [attrs["id"] for _, attrs in page.seen if "id" in attrs]
        assert len(ids) == len(set(ids))
        assert {attrs["aria-labelledby"] for _, attrs in page.seen if "aria-labelledby" in attrs} <= set(ids)


def test_what_to_do_comes_first_and_the_rest_in_order(tell, rich: Facts) -> None:
    headings = re.findall(r"<h2 id=\"(\w+)\"", web(tell(rich), "en"))
    assert headings == [
        "do", "changed", "happened", "affected", "doing", "next", "contact", "proof",
        "known", "timeline", "revisions", "legal",
    ]  # fmt: skip


def test_everything_that_the_facts_say_is_on_the_page(tell, rich: Facts) -> None:
    text = plain(web(tell(rich), "en"))
    for words in (
        "EXERCISE", "Severity high", "Update", "22 November 2026", "Please check your card statements today",
        "Accept the update on your doorbell.", "Payment data: please act This concerns numbers of payment cards.",
        "Take the card number out", "since 19 November 2026", "still searching for the cause",
        "Doorbell Plus from version 2.0.0, before 2.3.0 and version 3.0.1 2.3.0", "thermostat not affected",
        "About 12,500 customers are concerned", "passwords in scrambled form and numbers of payment cards",
        "We are sorry. Your data was with us", "We are working with exercise police office.",
        "The update is available since 22 November 2026, 08:00 UTC.", "Your device will offer you the update.",
        "https://example.com/update", "We pay for one year", "By 15 December 2026: An outside firm",
        "Done: All keys were changed.", "24 November 2026, 09:00 UTC", "We answer in: Deutsch",
        "EX-2026-0042", "***-***", "proves nothing by itself", "Not known yet", "We saw strange requests.",
        "7Q3-4MD", "We now know that card numbers were copied too.", "CVE-2026-10001",
        "You may complain to your data protection office.", "https://notices.example.com/notices/EX-2026-0042/en/web.html",
    ):  # fmt: skip
        assert words in text, words
    assert "on-call woke up" not in text  # the timeline's other moments stay with us
    assert "log review" not in text  # and so do sources


def test_what_the_facts_do_not_have_leaves_no_empty_section(tell, bare_yaml: str) -> None:
    text = web(tell(bare_yaml, revision=1, setting=Setting()), "en")
    assert re.findall(r"<h2 id=\"(\w+)\"", text) == [
        "do", "happened", "affected", "doing", "next", "contact", "proof", "revisions",
    ]  # fmt: skip
    assert "<h3>" not in text
    assert "None" not in plain(text)
    assert not re.search(r"<(p|li|ul|ol|strong|dd|h[1-3])[^>]*>\s*</\1>", text)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("{status: unknown}", "We do not know yet whether personal data is concerned."),
        (
            "{status: unknown, types: [name]}",
            "We do not know yet whether these kinds of data are concerned: names.",
        ),
        ("{status: suspected}", "Personal data is probably concerned."),
        ("{status: suspected, types: [health]}", "but we are not sure yet: data about health."),
        ("{status: confirmed}", "Personal data is concerned. We do not know yet which kinds."),
        ("{status: confirmed, types: [location]}", "We are sure that these kinds of data are concerned"),
    ],
)
def test_data_is_told_as_sure_as_it_is(tell, bare_yaml: str, data: str, sentence: str) -> None:
    story = tell(f"{bare_yaml}\ndata: {data}\n")
    assert sentence in plain(web(story, "en"))
    assert sentence in plain(faq(story, "en"))
    assert "Payment data" not in web(story, "en")


@pytest.mark.parametrize(
    ("fix", "sentence"),
    [
        ("{planned: false}", "There will be no update."),
        ("{}", "We do not know yet when it will be ready."),
        ("{available: 2026-11-01T00:00:00Z, delivery: automatic}", "is available since 1 November 2026"),
        ("{available: 2027-01-02T00:00:00Z, delivery: service}", "will be available from 2 January 2027"),
        ("{available: 2027-01-02T00:00:00Z, delivery: download}", "Please download the update"),
    ],
)
def test_the_fix_and_its_time(tell, bare_yaml: str, fix: str, sentence: str) -> None:
    story = tell(f"{bare_yaml}\nfix: {fix}\n")
    assert sentence in plain(web(story, "en"))
    assert sentence in plain(faq(story, "en"))


@pytest.mark.parametrize(
    ("used", "sentence"),
    [
        ("unknown", "We do not know yet whether anybody"),
        ("none-known", "We know of no case"),
        ("suspected", "Somebody has probably used"),
        ("active", "Strangers have used this weakness."),
    ],
)
def test_whether_the_weakness_was_used(tell, bare_yaml: str, used: str, sentence: str) -> None:
    story = tell(bare_yaml + f"\nvulnerabilities: [{{exploited: none-known}}, {{exploited: {used}}}]\n")
    assert sentence in plain(web(story, "en"))
    assert sentence in plain(faq(story, "en"))


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ("*", "all versions"), (">=0.0.0", "all versions"), (">=1.2.3", "version 1.2.3 and later"),
        ("<=3.1.4", "up to version 3.1.4"), (">=1.0.0 <=3.1.4+7", "from version 1.0.0 to version 3.1.4+7"),
        ("<2.0.0", "before version 2.0.0"), (">=1.0.0 <2.0.0", "from version 1.0.0, before 2.0.0"),
        ("=1.2.3", "version 1.2.3"), (">=1.0.0+1 <2.0.0", "from version 1.0.0+1, before 2.0.0"),
    ],
)  # fmt: skip
def test_versions_are_told_in_words(tell, bare_yaml: str, bounds: str, words: str) -> None:
    text = plain(web(tell(bare_yaml.replace('"<2.3.0"', f'"{bounds}"')), "en"))
    assert f"Doorbell Plus {words} no update yet" in text


def test_offers_stand_in_a_list_where_no_text_says_them(tell, rich_yaml: str) -> None:
    text = plain(web(tell(re.sub(r"(?m)^    offer: .*\n", "", rich_yaml)), "en"))
    assert "Until 31 January 2027: One year of card monitoring, free. Call us to start it." in text


def test_where_no_contact_is_named_the_general_ones_stand(tell, bare_yaml: str, setting: Setting) -> None:
    ways = (
        Contact(kind=ContactKind.PHONE, value="+1 555 0101", hours="all day"),
        Contact(kind=ContactKind.POST, value="1 Example Street"),
    )
    who = setting.organisation.model_copy(update={"contacts": ways})
    page = web(tell(bare_yaml, setting=setting.model_copy(update={"organisation": who})), "en")
    assert '<a href="tel:+15550101"><bdi>+1 555 0101</bdi></a></span><br>all day</li>' in page
    assert "<bdi>1 Example Street</bdi>" in page


def test_terms_are_explained_below(tell, bare_yaml: str) -> None:
    text = bare_yaml.replace("A weakness could", "Firmware (the program inside) could, as firmware can,")
    page = web(tell(text), "en")
    assert "<dt>Firmware</dt><dd>the program inside the device</dd>" in page
    assert page.count("<dt>Firmware</dt>") == page.lower().count("<dt>firmware</dt>") == 1


def test_a_cause_that_was_found_is_told(tell, bare_yaml: str) -> None:
    story = tell(f"{bare_yaml}cause: {{status: found, statement: A mistake in our program.}}\n")
    assert "We have found the cause. A mistake in our program." in plain(web(story, "en"))


def test_what_was_new_before_is_told_in_this_language_or_marked(tell, rich: Facts, setting: Setting) -> None:
    past = setting.past[0].model_copy(update={"changed": {"en": "We told you first."}})
    german = rich.model_copy(update={"texts": {**rich.texts, "de": rich.texts["en"]}})
    story = tell(german, setting=setting.model_copy(update={"past": (past,)}))
    assert '<span lang="en" dir="auto">We told you first.</span>' in web(story, "de")
    assert "<td>We told you first.</td>" in web(story, "en")


def test_everybody_asks_the_same_then_come_the_questions_of_this_matter(tell, rich: Facts) -> None:
    text = faq(tell(rich), "en")
    questions = re.findall(r"<h2>(.*?)</h2>", text)
    assert questions == [
        "Am I affected?", "What must I do?", "Was my data taken?", "Has anybody used the weakness?",
        "When is it fixed?", "Is this message genuine?", "Will you ask for my password?", "How do I hear more?",
        "Whom can I ask?", "Do I need a new card?", "Were pictures copied?",
    ]  # fmt: skip
    said = plain(text)
    assert "Never. We ask for no password" in said
    assert "These products are not affected: thermostat." in said
    assert "Do I need a new card? New Since 22 November 2026" in said
    assert "Were pictures copied? Since 20 November 2026" in said
    assert "What is new 22 November 2026 · Update" in said


def test_a_first_notice_without_facts_says_that_it_does_not_know(tell, bare_yaml: str) -> None:
    text = re.sub(r"affected: \[.*\]", "affected: []", bare_yaml)
    said = plain(faq(tell(text, revision=1), "en"))
    assert "We do not know yet when there will be an update." in said
    assert "We know of no personal data that is concerned." in said
    assert "These products are not affected: Doorbell Plus and thermostat." in said
    assert "Has anybody used" not in said
    assert "What is new" not in said


def test_a_closed_matter_needs_nothing_any_more(tell, rich_yaml: str) -> None:
    text = re.sub(r"(?m)^next_update: .*\n", "", rich_yaml).replace("phase: update", "phase: resolved")
    story = tell(text)
    assert "Payment data" not in web(story, "en")
    assert "Until the update is there" not in web(story, "en")
    assert "This matter is closed. We will write again only" in plain(faq(story, "en"))


def test_a_translation_says_everything_in_its_language_or_marks_what_it_cannot(tell, rich_yaml: str) -> None:
    german = rich_yaml[rich_yaml.index("  en:\n") :].replace("  en:\n", "  de:\n")
    text = rich_yaml + german + '    elsewhere: {timeline.0.what: "Wir sahen seltsame Anfragen."}\n'
    page = web(tell(text), "de")
    assert "Wir sahen seltsame Anfragen." in page
    assert '<span lang="en" dir="auto">We closed the way in.</span>' in page  # the other moment
    assert '<span lang="en" dir="auto">You may complain' in page
    assert page.count("An outside firm tests our shop") == 1  # said by the text; the list would be foreign


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_told_in_its_direction(tell, bare_yaml: str, language: str) -> None:
    story = tell(
        bare_yaml.replace("\n  en:\n", f"\n  {language}:\n").replace("guage: en", f"guage: {language}")
    )
    for page in (web(story, language), faq(story, language)):
        assert f'<html lang="{language}" dir="{"rtl" if language == "ar" else "ltr"}">' in page
        assert "<bdi>***-***</bdi>" in page.replace(' class="code"', "")
        assert "<bdi>EX-2026-0041</bdi>" in page


def test_the_same_story_gives_the_same_bytes(tell, rich: Facts) -> None:
    assert web(tell(rich), "en") == web(tell(rich), "en")
    assert faq(tell(rich), "en") == faq(tell(rich), "en")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_stand_out_from_their_ground(tell, rich: Facts, scheme: str) -> None:
    roots = re.findall(r":root \{(.*?)\}", web(tell(rich), "en"), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", roots[0 if scheme == "light" else 1]))
    grounds = {
        "ink": ("paper", "card", "tint", "warn-tint"), "soft": ("paper", "card", "tint"), "accent": ("paper", "card"),
        "link": ("paper", "card", "tint"), "warn": ("warn-tint",), "on-drill": ("drill",), "on-accent": ("accent",),
    }  # fmt: skip
    for letters, behind in grounds.items():
        for ground in behind:
            assert contrast(colours[letters], colours[ground]) >= 4.5, (letters, ground)  # WCAG 2.2, 1.4.3


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
