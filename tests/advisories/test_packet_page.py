"""The packet as one file: whole, closed, and no hostile word gets out of its place."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisories.approval import Comment, Given, Rejected, Remark
from advisories.checks import Finding, Level
from advisories.compose import compose
from advisories.facts import load_facts
from advisories.packet import Clock, Packet, Signature, Since, compare, make
from advisories.packet.page import environment, hexes, visible
from advisories.packet.readings import editions

EXAMPLES = Path(__file__).parents[2] / "examples" / "advisories"
EXAMPLE = (EXAMPLES / "EX-2026-0001.yaml").read_text("utf-8")
HOSTILE = "</textarea></iframe><script>alert(1)</script>\"' onload=x &quot; \u202egnp\u2066 <img src=http://a.example>"
VOID = {"meta", "link", "br", "img", "input", "hr"}


def _packet(text: str = EXAMPLE, **fields: Any) -> Packet:
    facts = load_facts(text, where="facts.yaml")
    release = compose(facts, fleet=bytes(32), issued=1_800_000_000, revision=1, exercise=True, version=1)
    base = Packet(
        role="legal",
        facts=facts,
        notice=release.header,
        digest=bytes(range(32)),
        outputs=release.outputs,
        missing=("legal",),
        made=1_800_000_000,
    )
    return replace(base, **fields)


class _Seen(HTMLParser):
    """Every tag with its attributes; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def _hostile() -> Packet:
    seq = {"digest": "c" * 64, "content": "d" * 64, "revision": 1, "roles": (HOSTILE[:60],)}
    said = (
        Rejected(**seq, comment=HOSTILE),
        Given(**seq, kid="0", comment=HOSTILE, condition=HOSTILE),
        Comment(**seq, comment=HOSTILE),
    )
    remarks = [
        Remark(seq=n, at=1.0, by=HOSTILE, said=one, current=n != 3, number=1 if n == 2 else None)
        for n, one in enumerate(said, 1)
    ]
    packet = _packet()
    words = packet.facts.source.model_copy(update=dict.fromkeys(("title", "action", "doing"), HOSTILE))
    facts = packet.facts.model_copy(update={"texts": {**packet.facts.texts, "en": words}})
    return replace(
        packet,
        facts=facts,
        outputs={
            "en/web.html": HOSTILE.encode(),
            "en/social.txt": HOSTILE.encode(),
            HOSTILE: HOSTILE.encode(),
        },
        since=Since("ABC-DEF", 1, compare(packet.facts, facts), (HOSTILE,)),
        findings=(
            Finding("rule", Level.BLOCK, "f:1", HOSTILE, HOSTILE, 1, 1),
            Finding("rule", Level.ADVICE, "f:1", HOSTILE, "", 1, 1),
        ),
        clocks=(
            Clock(HOSTILE, None, note=HOSTILE),
            Clock("x", 1),
            Clock("y", 2**40),
            Clock("z", 1, done=True),
        ),
        signatures=(Signature(HOSTILE, (HOSTILE,), "0" * 16),),
        remarks=remarks,
        void=True,
    )


def test_hostile_words_stay_words() -> None:
    page = make(_hostile())
    seen = _Seen(page)
    assert not {tag for tag, _ in seen.tags} & {"script", "object", "embed", "form", "base", "textarea"}
    assert not [name for _, attrs in seen.tags for name in attrs if name.startswith("on")]
    assert {attrs.get("src", "data:")[:5] for tag, attrs in seen.tags if tag == "img"} <= {"data:"}
    frames = [attrs for tag, attrs in seen.tags if tag == "iframe"]
    assert [frame["srcdoc"] for frame in frames] == [HOSTILE]
    assert all(frame["sandbox"] in {None, ""} for frame in frames)
    assert "\u202e" not in re.sub(r'srcdoc="[^"]*"', "", page)
    assert "\u27e8U+202E\u27e9" in page


def test_the_page_refers_to_nothing_outside() -> None:
    seen = _Seen(make(_packet()))
    for tag, attrs in seen.tags:
        assert tag not in {"link", "script"}
        for name in ("src", "href", "action", "data", "poster", "background"):
            assert (attrs.get(name) or "#").startswith(("#", "data:")), (tag, attrs)
    assert "@import" not in make(_packet())
    assert "url(" not in make(_packet())


def test_the_policy_comes_before_anything_that_could_load() -> None:
    page = make(_packet())
    assert page.index("Content-Security-Policy") < page.index("<style") < page.index("<body")
    assert "default-src &#39;none&#39;" in page


def test_every_output_of_every_language_is_there() -> None:
    packet = _packet()
    names = [one.name for edition in editions(packet) for one in edition.readings]
    assert sorted(names) == sorted(packet.outputs)
    page = make(packet)
    for edition in editions(packet):
        assert all(visible(words) in _Seen(page).words for _, words in edition.fields)


def test_arabic_runs_from_right_to_left() -> None:
    page = make(_packet(EXAMPLE))
    assert '<dl class="words" lang="ar" dir="rtl">' in page
    assert '<pre class="wrap" lang="ar" dir="rtl"' in page
    assert '<pre class="cells" lang="ar" dir="ltr"' in page, "a console's cells stand in their own order"


def test_headings_go_down_one_by_one() -> None:
    levels = [int(tag[1]) for tag, _ in _Seen(make(_hostile())).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert levels.count(1) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "It awaits the answer of Legal."),
        ({"since": None}, "has not approved any of this before"),
        ({"since": Since("ABC-DEF", 2)}, "Nothing: these are the words of revision 2"),
        ({"since": Since("ABC-DEF", 2, known=False)}, "not kept here any more"),
        ({"since": Since("ABC-DEF", 2, outputs=("en/a.txt",))}, "No field changed"),
        ({"void": True}, "Those approvals are void"),
        ({"signatures": (Signature("x", ("legal",), "0"),), "missing": ()}, "Every signature is there."),
        ({"findings": (Finding("r", Level.BLOCK, "f:1", "Bad.", "Mend.", 1, 1),)}, "cannot be approved yet"),
        ({"clocks": (Clock("Early warning", 1_800_003_600),)}, "1 hours left"),
    ],
)
def test_the_page_says_how_things_stand(fields: dict[str, Any], words: str) -> None:
    assert words in " ".join(_Seen(make(_packet(**fields))).words.split())


def test_own_fields_stand_first_and_are_marked() -> None:
    new = load_facts(EXAMPLE.replace("severity: high", "severity: low\ntlp: red"), where="x")
    page = make(_packet(since=Since("ABC-DEF", 1, compare(load_facts(EXAMPLE, where="x"), new))))
    assert page.index("<code>tlp</code>") < page.index("<code>severity</code>")
    assert page.count('<li class="change own">') == 1


def test_pictures_are_within_the_file_with_their_words() -> None:
    page = make(_packet(pictures={"en/small-1.txt": b"png"}, outputs={"en/small-1.txt": b"Bar 1/1\nWords\n"}))
    (image,) = [attrs for tag, attrs in _Seen(page).tags if tag == "img"]
    assert image["src"] == "data:image/png;base64,cG5n"
    assert image["alt"] == "Bar 1/1\nWords\n"


def test_outputs_that_are_no_text_are_named_only() -> None:
    outputs = {"en/a.bin": b"\0\xff", "en/b.png": b"\x89PNG", "logo.html": b"<p>" + b"word " * 900}
    found = {
        one.name: (one.kind, one.size)
        for edition in editions(_packet(outputs=outputs))
        for one in edition.readings
    }
    assert found == {"en/a.bin": ("bytes", "m"), "en/b.png": ("picture", "m"), "logo.html": ("frame", "xl")}
    assert "2 bytes that are no text" in make(_packet(outputs=outputs))


def test_what_lies_in_the_annex_is_not_mailed() -> None:
    assert "debug_port" not in make(_packet(EXAMPLE + "\nannex:\n  terms: [debug_port]\n"))


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_nothing_that_turns_words_round_is_left(text: str) -> None:
    shown = visible(text)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\0\x1b\u2028")


@pytest.mark.parametrize("letter", "\u200b\u2060\ufeff\u3164\u115f\U000e0041\U000e007f")
def test_letters_without_a_shape_are_written_out(letter: str) -> None:
    assert visible(f"a{letter}b") == f"a\u27e8U+{ord(letter):04X}\u27e9b"


def test_joiners_and_places_for_a_hyphen_stay() -> None:
    assert visible("\u200c\u200d\u200e\u00ad") == "\u200c\u200d\u200e\u00ad"


def test_isolates_around_numbers_may_stay_in_outputs() -> None:
    assert visible("\u20681.4.2\u2069", isolates=False) == "\u20681.4.2\u2069"
    assert visible("a\tb\nc") == "a\tb\nc"


def test_a_language_written_from_the_right_does_not_turn_its_line_round() -> None:
    page = make(_packet((EXAMPLES / "EX-2026-0005.yaml").read_text("utf-8")))
    assert '<bdi class="lang">العربية</bdi>' in page


def test_a_digest_is_written_in_groups() -> None:
    assert hexes(bytes(8)) == "00000000 00000000"
    assert hexes("ab" * 6) == "abababab abab"


def test_only_our_own_templates_are_found() -> None:
    with pytest.raises(Exception, match="secrets"):
        environment().get_template("packet/../secrets")
