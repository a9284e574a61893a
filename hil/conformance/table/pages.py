"""Letters that not every board has: their words are shown, or the drawn pages that the text names."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from advisories.states import NoticeState
from hil.conformance.bench import Bench
from hil.conformance.rows import Row, Scene, must
from hil.conformance.steps import Check, Notice, Send
from hil.conformance.table.common import ID, PAGES_TO, TEXT_TO, TO, signed
from hil.conformance.table.notices import SHOWN, story, told, words
from keys.reasons import Reason

R, N = Reason, NoticeState

LETTERS: Final = {"title": "今すぐ更新してください", "action": "バージョン1.4.2を入れてください。"}


def page(number: int) -> bytes:
    """Return a drawn page: 128 x 64 dots, another pattern each."""
    return hashlib.shake_256(f"page {number}".encode()).digest(1_024)


PAGES: Final = (page(1), page(2), page(3), page(4))


def drawn(scene: Scene) -> bytes:
    """Return a text in letters that not every device has, with its pages named."""
    return words(scene, **LETTERS, pages=tuple(hashlib.sha256(one).digest() for one in PAGES))


def drawn_header(scene: Scene) -> Any:
    """Return the header of that text."""
    return told(scene, texts={scene.facts.language: hashlib.sha256(drawn(scene)).digest()})


DRAWN: Final = (Send(TO["notice"], signed(drawn_header)), Send(TEXT_TO, drawn))


def _by_words_or_pages(bench: Bench, scene: Scene) -> None:
    """A board with these letters shows the words; one without waits for the pages."""
    track = bench.state().notices[-1]
    state = N(track["state"])
    scene.memory["by words"] = state is N.SHOWN
    must(state in {N.SHOWN, N.VERIFIED}, f"with its text in hand the notice is {state.name}")


def _refuses_pages(pages: bytes, reason: Reason) -> Check:
    def look(bench: Bench, scene: Scene) -> None:
        expected = R.OK if scene.memory["by words"] else reason
        Send(PAGES_TO, lambda _: pages, expected, exact=len(pages) <= 4_096).do(bench, scene)

    return Check(f"wrong pages -> {reason.name}, where they are waited for", look)


BY_WORDS_OR_PAGES: Final = Check("its words are shown, or its pages are waited for", _by_words_or_pages)

ROWS: Final[tuple[Row, ...]] = (
    story(
        "letters with drawn pages",
        *DRAWN,
        BY_WORDS_OR_PAGES,
        Send(PAGES_TO, lambda _: b"".join(PAGES)),
        Notice(ID, N.SHOWN),
    ),
    story(
        "pages of another text",
        *DRAWN,
        BY_WORDS_OR_PAGES,
        _refuses_pages(b"".join(reversed(PAGES)), R.DIGEST_MISMATCH),
        threat="forgery",
    ),
    story(
        "a page too few",
        *DRAWN,
        BY_WORDS_OR_PAGES,
        _refuses_pages(b"".join(PAGES[:3]), R.DIGEST_MISMATCH),
        threat="forgery",
    ),
    story(
        "a page cut by one byte",
        *DRAWN,
        BY_WORDS_OR_PAGES,
        _refuses_pages(b"".join(PAGES)[:-1], R.DIGEST_MISMATCH),
        threat="forgery",
    ),
    story(
        "one bit of a page",
        *DRAWN,
        BY_WORDS_OR_PAGES,
        _refuses_pages(b"\x00" + b"".join(PAGES)[1:], R.DIGEST_MISMATCH),
        threat="forgery",
    ),
    story(
        "pages that nobody waits for", *SHOWN, Send(PAGES_TO, lambda _: b"".join(PAGES)), Notice(ID, N.SHOWN)
    ),
)
