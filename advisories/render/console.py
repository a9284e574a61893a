"""The notice on a console of 80 x 24: an ASCII frame, one labelled section after the other.

Order: what you must do, what happened, what is affected, what we are doing, next update, contact,
proof. Labels stand in a column of their own, so a skim reads them.
"""

from __future__ import annotations

from typing import Final

from advisories.languages import Words, words
from advisories.notice import Notice, Text
from advisories.render import layout
from advisories.render.layout import clean, pad, wrap

WIDTH: Final = 80
HEIGHT: Final = 24
_GAP = 2


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
) -> list[str]:
    """Return the lines of the screen, each exactly ``width`` columns.

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
    """
    own = words(text.language)
    inner = width - 4
    label = (
        max(map(layout.width, (own.action, own.happened, own.affected, own.doing, own.next_update))) + _GAP
    )
    sections = [
        _section(name, body, label, inner)
        for name, body in _bodies(
            notice, text, own, product=product, installed=installed, code=code, confirmed=confirmed
        )
    ]
    heading = own.notice.format(severity=own.severity[notice.severity]).upper()
    top = _rule(heading, notice.id, width)
    head = [_centred(line, inner) for line in _banner(notice, own, inner)]
    if layout.width(top) > width:  # a long id: the heading gets a line of its own
        top = _rule("", notice.id, width)
        head = [*(_centred(line, inner) for line in wrap(heading, inner)), *head]
    title = wrap(text.title, inner)
    frame = 3  # top, below the title, bottom
    body = [line for section in sections for line in section]
    spare = height - frame - len(head) - len(title) - len(body)
    if spare >= len(sections) - 1:
        body = [line for section in sections for line in ("", *section)][1:]
    return [
        top,
        *(f"| {pad(line, inner)} |" for line in (*head, *title)),
        _rule("", "", width),
        *(f"| {pad(line, inner)} |" for line in body),
        _rule("" if confirmed else own.not_confirmed, code, width),
    ]


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
        (own.proof, [f"{genuine} {state}"]),
    ]


def _section(name: str, paragraphs: list[str], label: int, inner: int) -> list[str]:
    lines = [line for paragraph in paragraphs for line in wrap(paragraph, inner - label)]
    return [pad(name if index == 0 else "", label) + line for index, line in enumerate(lines)]


def _banner(notice: Notice, own: Words, inner: int) -> list[str]:
    if not notice.exercise:
        return []
    return wrap(f"*** {own.exercise}: {own.exercise_note} ***", inner)


def _centred(line: str, inner: int) -> str:
    return " " * ((inner - layout.width(line)) // 2) + line


def _rule(left: str, right: str, columns: int) -> str:
    """Return a line of the frame with words set into it, e.g. ``+-[ NOTICE ]----[ EX-1 ]-+``."""
    begin = f"+-[ {clean(left)} ]" if left else "+-"
    end = f"[ {clean(right)} ]-+" if right else "-+"
    return begin + "-" * (columns - layout.width(begin) - layout.width(end)) + end
