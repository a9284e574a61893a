"""Words of a file of facts are words: they never become markup, a header, a link or a turned line."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from advisories.channels import CHANNELS
from advisories.facts import TEXT_FIELDS, Facts
from advisories.facts.matter import Contact, ContactKind, Fix
from advisories.render.channel.html import attribute, linked, page_link, shown
from advisories.render.channel.view import Way, href
from advisories.story import Setting
from tests.advisories.render.test_channel_page import Page

BAD = (
    "</style></title></p><script>alert(1)</script><img src=x onerror=alert(1)> \" ' onclick='x' "
    "\u202e\u2066\u2068nrut\u2069\u200b\r\nBcc: x@example.com {{ 7*7 }} {% raw %} <!-- ]]> &amp; \x00\x1b[31m"
)
HTML = [name for name in CHANNELS if name.endswith(".html")]
TEXT = [name for name in CHANNELS if name.endswith(".txt")]
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "div", "header", "main", "footer", "section", "aside", "h1", "h2",
    "h3", "p", "ul", "ol", "li", "dl", "dt", "dd", "a", "bdi", "span", "strong", "br", "table", "caption", "thead",
    "tbody", "tr", "th", "td",
}  # fmt: skip


def poisoned(facts: Facts) -> Facts:
    """Every sentence of a matter replaced by hostile words."""
    words = facts.texts["en"]
    names = (*TEXT_FIELDS, "workaround", "prevention", "offer", "apology", "changed")
    fields = dict.fromkeys(names, BAD)
    faq = tuple(item.model_copy(update={"q": BAD, "a": BAD}) for item in words.faq)
    text = words.model_copy(update={**fields, "steps": (BAD, BAD), "faq": faq})

    def each(items: tuple, *names: str) -> tuple:
        return tuple(item.model_copy(update=dict.fromkeys(names, BAD)) for item in items)

    return facts.model_copy(
        update={
            "texts": {"en": text},
            "facts": each(facts.facts, "statement"),
            "timeline": each(facts.timeline, "what"),
            "measures": each(facts.measures, "what"),
            "containment": each(facts.containment, "what"),
            "contacts": each(facts.contacts, "value", "hours"),
            "fix": facts.fix.model_copy(update={"page": "javascript:alert(1)"}),
            "legal": facts.legal.model_copy(update={"statements": (BAD,)}),
            "investigation": facts.investigation.model_copy(update={"with_authorities": (BAD,)}),
        }
    )


@pytest.fixture(scope="module")
def evil(tell, rich: Facts, setting: Setting):
    who = setting.organisation.model_copy(update={"name": BAD, "legal_name": BAD, "address": (BAD, BAD)})
    product = setting.products["doorbell"].model_copy(update={"name": BAD})
    return tell(
        poisoned(rich),
        setting=setting.model_copy(update={"organisation": who, "products": {"doorbell": product}}),
    )


@pytest.mark.parametrize("name", HTML)
def test_no_words_become_markup(evil, name: str) -> None:
    text = CHANNELS[name](evil, "en")
    page = Page(text)
    assert {tag for tag, _ in page.seen} <= ALLOWED
    assert not [attr for _, attrs in page.seen for attr in attrs if attr.startswith("on") or attr == "src"]
    links = [attrs["href"] for attrs in page.all("a")]
    assert all(
        re.match(r"(https://|mailto:|tel:|web\.html$|faq\.html$|csaf\.json$)", link or "") for link in links
    )
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00-\x08\x0b-\x1f]", text)
    assert text.count("</style>") == (0 if name == "banner.html" else 1)


@pytest.mark.parametrize("name", TEXT)
def test_no_words_become_a_header_or_turn_a_line(evil, name: str) -> None:
    text = CHANNELS[name](evil, "en")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00-\x08\x0b-\x1f]", text)
    assert not re.search(r"(?m)^Bcc:", text.split("\n\n")[0])


@pytest.mark.parametrize(
    ("kind", "value", "link"),
    [
        ("page", "https://example.com/a?b=1", "https://example.com/a?b=1"),
        ("page", "javascript:alert(1)", None),
        ("page", 'https://example.com/"x', None),
        ("mail", "support+1@example.com", "mailto:support+1@example.com"),
        ("mail", "a@example.com?bcc=b@example.com", None),
        ("phone", "+1 555 0100", "tel:+15550100"),
        ("phone", "data:text/html", None),
        ("post", "https://example.com", None),
    ],
)
def test_only_plain_ways_become_links(kind: str, value: str, link: str | None) -> None:
    assert href(Contact(kind=ContactKind(kind), value=value)) == link


@pytest.mark.parametrize("page", ["javascript:alert(1)", "data:text/html,x", "https://example.com/<b>", ""])
def test_a_download_page_is_a_page_on_the_web(page: str) -> None:
    with pytest.raises(ValidationError, match="address"):
        Fix(page=page)


def test_values_are_isolated_and_stray_isolates_go() -> None:
    assert shown("a \u2068<b>\u2069 c") == "a <bdi>&lt;b&gt;</bdi> c"
    assert shown("\u2068\u2068x\u2069 \u2069\u202ey") == "<bdi>x</bdi> y"
    assert shown("  ") == " "
    assert attribute("\u2068a\u2069 \"b'") == "a &#34;b&#39;"
    assert page_link("Get it: \u2068ftp://x\u2069") == "Get it: <bdi>ftp://x</bdi>"


def test_ways_that_a_text_names_become_links() -> None:
    ways = [
        Way(ContactKind.PHONE, "Phone", "+1 555 0100", "tel:+15550100", None, ""),
        Way(ContactKind.POST, "Post", "Monday", None, None, ""),
    ]
    link = '<a href="tel:+15550100"><bdi>+1 555 0100</bdi></a>'
    assert linked("Call +1 555 0100, or +1 555 0100. Monday.", ways) == f"Call {link}, or {link}. Monday."


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_whatever_is_written_stays_words(text: str) -> None:
    made = str(shown(text))
    assert Page(made).seen in ([], [("bdi", {})] * made.count("<bdi>"))
    assert "<" not in made.replace("<bdi>", "").replace("</bdi>", "")
