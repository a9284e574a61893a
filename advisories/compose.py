"""From facts to what is signed: one header, a text for each language, and every output approved with it.

Pure: the same arguments give the same bytes, always. The header names the digest of each text and of
the release list; the release list names the digest of every output. So whoever signs the header has
approved all of them, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from advisories import channels, limits
from advisories.facts import TEXT_FIELDS, Facts
from advisories.notice import Notice, ReleaseList, Text, page_digests
from advisories.render import console, led, pages, small
from advisories.render.pages import Pages
from advisories.render.small import Fonts
from advisories.story import CODE_SLOT, SETTING_BYTES_MAX, SLOT, Setting, Story
from keys.codec import dump, load
from keys.errors import InputError, RefusedError, UnavailableError

__all__ = [
    "CODE_SLOT",
    "FACTS",
    "SETTING",
    "SLOT",
    "Release",
    "compose",
    "header_of",
    "outputs_of",
    "text_of",
]

FACTS: Final = "source/facts.yaml"
SETTING: Final = "source/setting.json"
"""Names in the release list of what everything was made of."""
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Release:
    """Everything that one revision says."""

    header: Notice
    texts: dict[str, bytes]
    """Language -> encoded :class:`Text`."""
    outputs: dict[str, bytes]
    """Name -> bytes of every customer-facing output, e.g. ``en/console.txt``: UTF-8, but ``small-N.pbm``."""
    release_list: bytes
    """Encoded :class:`ReleaseList`; the header carries its SHA-256."""
    sources: dict[str, bytes] = field(default_factory=dict)
    """:data:`FACTS` and :data:`SETTING`: what all of it was made of, listed like an output."""
    pages: dict[str, Pages] = field(default_factory=dict)
    """Language -> drawn pages, for the languages that need a font."""
    without_pages: dict[str, str] = field(default_factory=dict)
    """Language that needs a font and has no drawn pages -> why: one sentence to show whoever composes."""


def compose(
    facts: Facts,
    *,
    setting: Setting | None = None,
    fleet: bytes,
    issued: int,
    revision: int,
    exercise: bool,
    version: int,
    patches: Mapping[str, tuple[bytes, ...]] | None = None,
    fonts: Fonts | None = None,
    drawn: Mapping[str, Pages] | None = None,
    previous: Notice | None = None,
    same_since: int | None = None,
) -> Release:
    """Compose one revision.

    Another machine makes the same bytes with ``drawn`` and ``same_since`` of the release that it compares: it
    may have another font, and may not know what was published before.

    Args:
        facts: as written.
        setting: who speaks, which products there are, which revisions came before; None: nothing of it known.
        fleet: digest of root 1.
        issued: UTC seconds; the notice expires ``facts.expires_days`` later.
        revision: 1, 2, 3: one for each approved phase.
        exercise: True under an exercise root; an advisory marked as one stays one anywhere.
        version: of the signed body, max(last + 1, UTC seconds).
        patches: product -> manifest digests of the patches that mend it.
        fonts: to draw pages with, for languages whose letters not every device has.
        drawn: language -> pages drawn before; bound as they are, and no others are drawn.
        previous: the header published last: where only languages are added to it, devices need not show the
            others again.
        same_since: what the header says of that, when it is known already.

    Raises:
        InputError: TEXT_TOO_LONG or NOTICE_TOO_LONG, with ``file:line``; SETTING_TOO_LONG.
    """
    setting = setting or Setting()
    sources = {FACTS: facts.file, SETTING: setting.encode()}
    if len(sources[SETTING]) > SETTING_BYTES_MAX:
        raise InputError(
            "SETTING_TOO_LONG",
            f"What is known of organisation, products and revisions takes {len(sources[SETTING])} bytes, "
            f"at most {SETTING_BYTES_MAX} are kept.",
            mend="Shorten organisation.yaml, or the lists of versions of these products.",
        )
    draft = header_of(
        facts, fleet=fleet, issued=issued, revision=revision, exercise=exercise, version=version
    )
    words = {language: text_of(facts, language) for language in sorted(facts.texts)}
    found, missing = _drawn(draft, words, fonts or {}) if drawn is None else _given(words, drawn)
    texts, encoded = {}, {}
    for language, text in words.items():
        texts[language], encoded[language] = _bound(facts, text, found, missing)
    outputs = outputs_of(Story(facts=facts, notice=draft, texts=texts, setting=setting)) | _files(found)
    release_list = dump(release_list_of(outputs | sources))
    header = header_of(
        facts,
        fleet=fleet,
        issued=issued,
        revision=revision,
        exercise=exercise,
        version=version,
        texts={language: _digest(data) for language, data in encoded.items()},
        patches=dict(sorted(patches.items())) if patches else None,
        release_list=_digest(release_list),
        same_since=same_since,
    )
    if previous is not None and header.only_adds_languages(previous):
        header = replace(header, same_since=previous.same_since or previous.revision)
    try:
        load(Notice, dump(header), size_max=limits.NOTICE_BYTES_MAX)
    except RefusedError as error:
        raise InputError(
            "NOTICE_TOO_LONG", f"The notice's header cannot be sent: {error.detail}.", where=facts.place("id")
        ) from None
    return Release(header, encoded, outputs, release_list, sources, found, missing)


def _drawn(
    notice: Notice, texts: Mapping[str, Text], fonts: Fonts
) -> tuple[dict[str, Pages], dict[str, str]]:
    """Return the pages of every language that needs them, and why one that does has none."""
    found: dict[str, Pages] = {}
    missing: dict[str, str] = {}
    for language, text in texts.items():
        if pages.are_needed(text):
            try:
                found[language] = pages.draw(notice, text, fonts)
            except UnavailableError as error:
                missing[language] = error.message
    return found, missing


def _given(texts: Mapping[str, Text], drawn: Mapping[str, Pages]) -> tuple[dict[str, Pages], dict[str, str]]:
    """Return pages that were drawn before, and the languages for which that was not possible."""
    missing = {
        language: "None could be drawn when this revision was composed."
        for language, text in texts.items()
        if language not in drawn and pages.are_needed(text)
    }
    return dict(drawn), missing


def _bound(facts: Facts, text: Text, found: dict[str, Pages], missing: dict[str, str]) -> tuple[Text, bytes]:
    """Bind a text's pages to it; where there is no room for their digests, the words alone have to do."""
    drawn = found.get(text.language)
    if drawn is not None:
        whole = replace(text, pages=page_digests(drawn))
        data = dump(whole)
        if len(data) <= limits.NOTICE_TEXT_BYTES_MAX:
            return whole, data
        del found[text.language]
        over = len(data) - limits.NOTICE_TEXT_BYTES_MAX
        missing[text.language] = (
            f"The text in '{text.language}' is {over} bytes too long to name drawn pages."
        )
    return text, _encoded(facts, text)


def _files(found: Mapping[str, Pages]) -> dict[str, bytes]:
    return {
        f"{language}/small-{number}.pbm": pages.to_pbm(page)
        for language, drawn in found.items()
        for number, page in enumerate(drawn, 1)
    }


def text_of(facts: Facts, language: str) -> Text:
    """Return one language's text as it goes over the wire."""
    written = facts.texts[language]
    return Text(language=language, **{name: getattr(written, name) for name in TEXT_FIELDS})


def header_of(
    facts: Facts,
    *,
    fleet: bytes = b"",
    issued: int = 0,
    revision: int = 1,
    exercise: bool = False,
    version: int = 1,
    texts: dict[str, bytes] | None = None,
    patches: dict[str, tuple[bytes, ...]] | None = None,
    release_list: bytes = bytes(32),
    same_since: int | None = None,
) -> Notice:
    """Return the header of some facts; without digests it serves to draw screens."""
    reminder = facts.reminder
    return Notice(
        type=Notice.TYPE,
        fleet=fleet,
        subject=tuple(sorted(facts.products)),
        version=version,
        issued=issued,
        expires=issued + facts.expires_days * _DAY_SECONDS,
        author=(facts.author.holder, facts.author.role),
        id=facts.id,
        revision=revision,
        phase=facts.phase,
        exercise=exercise or facts.exercise,
        severity=facts.severity,
        affected={product: facts.products[product].ranges for product in sorted(facts.products)},
        action=facts.action,
        next_update=facts.next_update_seconds,
        reminder=(reminder.every_hours * 3_600, reminder.at_most) if reminder else None,
        texts=texts or {},
        patches=patches,
        release_list=release_list,
        same_since=same_since,
    )


def _encoded(facts: Facts, text: Text) -> bytes:
    data = dump(text)
    try:
        load(Text, data, size_max=limits.NOTICE_TEXT_BYTES_MAX)
    except RefusedError as error:
        raise InputError(
            "TEXT_TOO_LONG",
            f"The text in '{text.language}' cannot be sent: {error.detail}.",
            mend="Shorten it." if "bytes" in error.detail else "Take it out.",
            where=facts.place("texts", text.language),
        ) from None
    return data


def outputs_of(story: Story) -> dict[str, bytes]:
    """Return every output of a story by name, with stars where a device or the finished header fills in."""
    notice, code = story.notice, story.code
    outputs = {"led.txt": _lines([led.pattern(notice.action)])}
    for language, text in story.texts.items():
        screen = console.render(notice, text, product=SLOT, installed=SLOT, code=code, confirmed=True)
        outputs[f"{language}/console.txt"] = _lines(screen)
        for number, page in enumerate(small.pages(notice, text, code=code, confirmed=True), 1):
            outputs[f"{language}/small-{number}.txt"] = _lines(page)
        outputs |= channels.render(story, language)
    return outputs


def release_list_of(outputs: Mapping[str, bytes]) -> ReleaseList:
    """Return the list that binds outputs by digest."""
    return ReleaseList(outputs={name: _digest(data) for name, data in sorted(outputs.items())})


def _lines(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
