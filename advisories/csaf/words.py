"""The fixed words of documents, in every language that screens speak."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from advisories.languages import SOURCE_LANGUAGE, primary


@cache
def all_phrases() -> Mapping[str, Mapping[str, str]]:
    """Return the phrases of every language."""
    return tomllib.loads(resources.files("advisories.csaf").joinpath("words.toml").read_text("utf-8"))


def phrases(tag: str) -> Mapping[str, str]:
    """Return the phrases of a language; English where there are none."""
    known = all_phrases()
    return known.get(tag) or known.get(primary(tag)) or known[SOURCE_LANGUAGE]
