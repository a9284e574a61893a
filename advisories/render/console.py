"""The notice on a console of 80 x 24: an ASCII frame, one labelled section after the other.

Order: what you must do, what happened, what is affected, what we are doing, next update, contact,
proof. Labels stand in a column of their own, so a skim reads them.

A terminal on a serial line neither turns lines round nor joins letters. So for a language that runs from
right to left the lines are given in the order of their cells, shaped, with everything mirrored: labels at the
right, the id at the left of the frame. A page that turns lines round by itself must show them as they are (in
HTML ``dir="ltr"`` and ``unicode-bidi: bidi-override``).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final

from advisories.languages import Words, is_from_right, words
from advisories.notice import Notice, Text
from advisories.render import bidi, layout
from advisories.render.layout import clean, wrap
from advisories.render.plain import to_ascii
from keys.errors import UnavailableError

WIDTH: Final = 80
HEIGHT: Final = 24
_GAP = 2
_WIDE_STOP: Final = "\u3002"  # the full stop of Chinese and Japanese has its space in itself
_TEXT_FIELDS: Final = ("title", "action", "happened", "affected", "doing", "contact")


@dataclass(frozen=True, slots=True)
class _Page:
    """How lines of one language are set."""

    width: int
    from_right: bool

    @property
    def inner(self) -> int:
        return self.width - 4

    def framed(self, line: str) -> str:
        """Return a line between the bars of the frame, cell by cell."""
        cells = self.turned(line)
        rest = " " * (self.inner - layout.width(cells))
        return f"| {rest}{cells} |" if self.from_right else f"| {cells}{rest} |"

    def turned(self, line: str) -> str:
        if self.from_right or bidi.is_from_right(line):
            return bidi.visual(line, from_right=self.from_right)
        return line

    def rule(self, begin: str, end: str) -> str:
        """Return a line of the frame with words set into it, e.g. ``+-[ NOTICE ]----[ EX-1 ]-+``."""
        left, right = (end, begin) if self.from_right else (begin, end)
        left = f"+-[ {self.turned(clean(left))} ]" if left else "+-"
        right = f"[ {self.turned(clean(right))} ]-+" if right else "-+"
        return left + "-" * (self.width - layout.width(left) - layout.width(right)) + right


def render(
    notice: Notice,
    text: Text,
    *,
    product: str,
    installed: str,
    code: str,
    confirmed: bool,
    width: int = WIDTH,
    height: int = HEIGHT,
    ascii_only: bool = False,
    wanted: str | None = None,
) -> list[str]:
    """Return the lines of the screen, each exactly ``width`` columns, to be sent as they are.

    More than ``height`` lines come back rather than a text cut short; the check ``console-overflow``
    keeps that from being published.

    Args:
        notice: a genuine header.
        text: its text in one language.
        product: this device's product.
        installed: the version measured on this device.
        code: the check code of the header.
        confirmed: whether catalogue and timestamp say that it is current.
        width: columns of the screen.
        height: lines of the screen; blank lines between sections are left out when room is short.
        ascii_only: the screen knows nothing else: Latin letters lose their marks.
        wanted: the language of the owner for which this text stands in; a line of its own says so.

    Raises:
        UnavailableError: SCRIPT_UNSUPPORTED: letters that ASCII has no spelling for.
    """
    own = words(text.language)
    instead = stand_in(text.language, wanted, ascii_only=ascii_only) if wanted else ""
    if ascii_only:
        own, text = _plain(own, text)
    page = _Page(width, is_from_right(text.language))
    inner = page.inner
    names = (own.action, own.happened, own.affected, own.doing, own.next_update, own.contact, own.proof)
    label = max(map(_columns, names)) + _GAP
    sections = [
        _section(name, body, label, inner)
        for name, body in _bodies(
            notice, text, own, product=product, installed=installed, code=code, confirmed=confirmed
        )
    ]
    heading = own.notice.format(severity=own.severity[notice.severity]).upper()
    banner = [*_banner(notice, own, inner), *wrap(instead, inner)]
    top = page.rule(heading, notice.id)
    head = [_centred(line, inner) for line in banner]
    if layout.width(top) > width:  # a long id: the heading gets a line of its own
        top = page.rule("", notice.id)
        head = [_centred(line, inner) for line in (*wrap(heading, inner), *banner)]
    title = wrap(text.title, inner)
    frame = 3  # top, below the title, bottom
    body = [line for section in sections for line in section]
    spare = height - frame - len(head) - len(title) - len(body)
    if spare >= len(sections) - 1:
        body = [line for section in sections for line in ("", *section)][1:]
    return [
        top,
        *map(page.framed, (*head, *title)),
        page.rule("", ""),
        *map(page.framed, body),
        page.rule("" if confirmed else own.not_confirmed, code),
    ]


def stand_in(language: str, wanted: str, *, ascii_only: bool = False) -> str:
    """Return the line that says which language was wanted, and in which one this is told instead.

    Args:
        language: of the text.
        wanted: of the owner.
        ascii_only: name both in English letters.
    """
    own, other = words(language), words(wanted)
    if not ascii_only:
        return own.stand_in.format(language=other.name, own=own.name)
    said = own.stand_in.format(language=other.english, own=own.english)
    return to_ascii(said, language) or said


def has_ascii(text: Text) -> bool:
    """Say whether a screen that knows ASCII only can tell this text."""
    told = (*(getattr(text, name) for name in _TEXT_FIELDS), words(text.language).action)
    return all(to_ascii(part, text.language) is not None for part in told)


def _plain(own: Words, text: Text) -> tuple[Words, Text]:
    """Return words and text in ASCII."""
    if not has_ascii(text):
        raise UnavailableError(
            "SCRIPT_UNSUPPORTED",
            f"This screen knows ASCII only and cannot show '{text.language}'.",
            mend="Show the notice in another language, or on a screen that knows UTF-8.",
        )
    tag = text.language

    def said(value: str) -> str:
        return to_ascii(value, tag) or ""

    changes: dict[str, Any] = {name: said(getattr(text, name)) for name in _TEXT_FIELDS}
    plain: dict[str, Any] = {}
    for field in fields(Words):
        value = getattr(own, field.name)
        plain[field.name] = said(value) if isinstance(value, str) else tuple(map(said, value))
    return Words(**plain), replace(text, **changes)


def _bodies(
    notice: Notice, text: Text, own: Words, *, product: str, installed: str, code: str, confirmed: bool
) -> list[tuple[str, list[str]]]:
    """Return (label, paragraphs) in the order in which they are shown."""
    update = own.when(notice.next_update) if notice.next_update is not None else own.no_next_update
    genuine = own.genuine.format(id=notice.id, revision=notice.revision, code=code)
    device = own.device.format(product=product, installed=installed)
    state = own.confirmed if confirmed else own.unconfirmed
    return [
        (own.action, [text.action]),
        (own.happened, [text.happened]),
        (own.affected, [text.affected, device]),
        (own.doing, [text.doing]),
        (own.next_update, [update]),
        (own.contact, [text.contact]),
        (own.proof, [f"{genuine}{'' if genuine.endswith(_WIDE_STOP) else ' '}{state}"]),
    ]


def _section(name: str, paragraphs: list[str], label: int, inner: int) -> list[str]:
    lines = [line for paragraph in paragraphs for line in wrap(paragraph, inner - label)]
    return [_padded(name if index == 0 else "", label) + line for index, line in enumerate(lines)]


def _padded(name: str, columns: int) -> str:
    return name + " " * (columns - _columns(name))


def _columns(text: str) -> int:
    """Return the columns that a text takes once it is shaped."""
    return layout.width(bidi.cells(text))


def _banner(notice: Notice, own: Words, inner: int) -> list[str]:
    if not notice.exercise:
        return []
    return wrap(f"*** {own.exercise}: {own.exercise_note} ***", inner)


def _centred(line: str, inner: int) -> str:
    return " " * ((inner - _columns(line)) // 2) + line
