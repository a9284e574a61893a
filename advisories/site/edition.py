"""What the site is made of: revisions that were published, exactly as they were approved."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from advisories.languages import SOURCE_LANGUAGE, primary
from advisories.notice import Notice, Phase, Text, check_code
from advisories.organisation import Organisation

_CLOSED = frozenset({Phase.RESOLVED, Phase.WITHDRAWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One published revision of a notice."""

    notice: Notice
    digest: bytes
    """Of its header: the check code is made of it."""
    texts: Mapping[str, Text]
    """Language -> the genuine words."""
    pages: Mapping[str, bytes] = field(default_factory=dict)
    """``<language>/web.html`` and ``<language>/faq.html``, with the check code filled in."""
    csaf: Mapping[str, bytes] = field(default_factory=dict)
    """Language -> its CSAF document."""
    document: bytes = b""
    """The signed header, for whoever wants to verify it offline."""

    @property
    def code(self) -> str:
        """Its check code."""
        return check_code(self.digest)

    @property
    def open(self) -> bool:
        """Whether the matter goes on."""
        return self.notice.phase not in _CLOSED

    def text(self, language: str) -> Text:
        """Return the words in a language, or in the one that stands in for it."""
        near = [tag for tag in sorted(self.texts) if primary(tag) == primary(language)]
        order = [language, *near, SOURCE_LANGUAGE, *sorted(self.texts)]
        return self.texts[next(tag for tag in order if tag in self.texts)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything that one build needs."""

    organisation: Organisation
    base: str
    """Address of the site, without a slash at its end."""
    editions: tuple[Edition, ...]
    """Every published revision of every notice that may be public."""
    languages: tuple[str, ...]
    """In which index and check pages are made."""
    now: int
    """UTC seconds; only security.txt's expiry follows from it."""
    openpgp: bytes | None = None
    """The armoured public key with which CSAF documents are signed; None: they are not."""

    @property
    def current(self) -> tuple[Edition, ...]:
        """The newest revision of each notice, the latest first."""
        newest: dict[str, Edition] = {}
        for edition in sorted(self.editions, key=lambda each: each.notice.revision):
            newest[edition.notice.id] = edition
        return tuple(sorted(newest.values(), key=lambda each: (-each.notice.issued, each.notice.id)))


@cache
def _tables() -> dict[str, dict[str, str]]:
    return tomllib.loads(resources.files("advisories").joinpath("site/words.toml").read_text("utf-8"))


def site_words(language: str) -> Mapping[str, str]:
    """Return the site's fixed words in a language; English where there are none."""
    tables = _tables()
    return tables.get(language) or tables.get(primary(language)) or tables[SOURCE_LANGUAGE]
