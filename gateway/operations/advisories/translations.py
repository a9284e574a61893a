"""``tocsin advisory translate``: texts go out to translators and come back into the file of facts."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from advisories.embargo import Channel
from advisories.facts import load_facts
from advisories.languages import is_language
from advisories.translate import po, xliff
from advisories.translate.insert import insert
from advisories.translate.units import Package, accept, nested, package
from gateway import files
from gateway.operations.advisories.drafts import Written, facts_path, load, written
from gateway.operations.advisories.embargo import require_may_leave
from gateway.operations.afar import operation
from gateway.operations.products import languages
from gateway.store.events import person
from gateway.workspace.folder import Workspace
from keys.errors import InputError

_SIGNED_OFF_BYTES_MAX: Final = 1_024
_PACKAGE_BYTES_MAX: Final = 4 * 1024 * 1024
_FORMATS: Final = {".po": po, ".xlf": xliff, ".xliff": xliff}


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one language of an advisory is."""

    language: str
    served: bool
    """Whether devices of its products ask for it."""
    state: str
    """``source``, ``signed off``, ``translated``, ``incomplete``, ``missing`` or ``waived``."""
    missing: tuple[str, ...] = ()
    """Paragraphs of the source that it lacks."""
    translator: str | None = None
    signed_off: str | None = None
    waived_by: str | None = None


def _format(path: Path) -> str:
    if path.suffix.lower() not in _FORMATS:
        raise InputError(
            "TRANSLATION_FORMAT",
            f"'{path.name}' is neither PO nor XLIFF by its name.",
            mend="Let it end in .po, .xlf or .xliff.",
        )
    return path.suffix.lower()


def _require_language(language: str) -> None:
    if not is_language(language):
        raise InputError(
            "BAD_LANGUAGE", f"'{language}' is not a language tag.", mend="Write it like de, ja or pt-BR."
        )


def export(
    workspace: Workspace, advisory: str, language: str, out: Path, *, source: str | None, now: int
) -> Package:
    """Write what a translator gets; the file's name says in which format.

    Raises:
        InputError: TRANSLATION_FORMAT, BAD_LANGUAGE, NO_TEXT, SAME_LANGUAGE, TLP; of loading the advisory;
            TRANSLATION_WAITING, when the file there holds words that were never taken in.
    """
    writer = _FORMATS[_format(out)]
    made = hand_out(workspace, advisory, language, source=source, now=now)
    files.require_replaceable(out)
    _require_taken(out, made)
    files.write_atomic(out, writer.write(made))
    return made


@operation("GET", "/advisories/{advisory}/translations/{language}", right="advisory:read")
def hand_out(
    workspace: Workspace, advisory: str, language: str, *, now: int, source: str | None = None
) -> Package:
    """Return what a translator gets.

    Raises:
        InputError: BAD_LANGUAGE, NO_TEXT, SAME_LANGUAGE, TLP; of loading the advisory.
    """
    _require_language(language)
    facts = load(workspace, advisory).facts
    require_may_leave(workspace, facts, Channel.OWN, now=now)  # a translator works while the embargo lasts
    return package(facts, language, source)


def _require_taken(path: Path, made: Package) -> None:
    """Refuse to write over what a translator sent back under the name under which it went out."""
    old: Package | None = None
    with contextlib.suppress(InputError):
        data = files.read_bytes(path, what="translation", mend="")
        old = _FORMATS[_format(path)].read(data, where=str(path))
    known = {unit.key: unit.target for unit in made.units}
    if old is not None and any(
        unit.target.strip() and " ".join(unit.target.split()) != known.get(unit.key) for unit in old.units
    ):
        raise InputError(
            "TRANSLATION_WAITING",
            "A translation lies there that was not taken in.",
            mend="Import it first, or name another file.",
            where=str(path),
        )


def take(
    workspace: Workspace,
    advisory: str,
    source: Path,
    *,
    translator: str,
    signed_off: str | None,
    where: str | None = None,
) -> Package:
    """Put a translation that came back into the file of facts; nothing else in the file changes.

    Raises:
        InputError: BAD_VALUE for a name that no list could show, or what is wrong with the translation, by
            paragraph; nothing is written then.
    """
    reader = _FORMATS[_format(source)]
    _require_people(translator, signed_off)
    data = files.read_bytes(source, what="translation", mend="Check the path.")
    back: Package = reader.read(data, where=str(source))
    put(
        workspace,
        advisory,
        back=back,
        translator=translator,
        signed_off=signed_off,
        where=where or str(source),
    )
    return back


def _require_people(translator: str, signed_off: str | None) -> None:
    person(translator, "--translator")
    if signed_off:
        person(signed_off, "--signed-off", bytes_max=_SIGNED_OFF_BYTES_MAX)


@operation("PUT", "/advisories/{advisory}/translations", right="advisory:write", body_max=_PACKAGE_BYTES_MAX)
def put(
    workspace: Workspace,
    advisory: str,
    *,
    back: Package,
    translator: str,
    signed_off: str | None = None,
    where: str = "",
) -> Written:
    """Put the paragraphs of a translation into the file of facts; nothing else in the file changes.

    Args:
        workspace: where.
        advisory: its id.
        back: what the translator sent back; untrusted.
        translator: who translated it.
        signed_off: who read it last, and when.
        where: the name of its file, for messages.

    Raises:
        InputError: as of :func:`take`.
    """
    _require_people(translator, signed_off)
    path = facts_path(workspace, advisory)
    with workspace.lock():
        facts = load(workspace, advisory).facts
        taken = accept(facts, back, where=where)
        words = nested(taken, facts.texts[back.source_language]) | {"translator": translator}
        if back.source_language != facts.source_language:
            words["translated_from"] = back.source_language
        if signed_off:
            words["signed_off"] = signed_off
        text = insert(facts.file.decode("utf-8-sig"), back.language, words, where=str(path))
        load_facts(text, where=str(path))  # what we write is read before it replaces anything
        files.write_atomic(path, text.encode())
    return written(workspace, path)


@operation("GET", "/advisories/{advisory}/translations", right="advisory:read")
def standings(workspace: Workspace, advisory: str) -> list[Standing]:
    """Return how far each language is: those that are written, and those that devices ask for."""
    facts = load(workspace, advisory).facts
    known = languages(workspace)
    served = {tag for product in facts.products for tag in known.get(product, ())}
    wanted = facts.source.fields()
    found = []
    for language in sorted({*served, *facts.texts, *facts.waived_languages}):
        text = facts.texts.get(language)
        if text is None:
            waived = facts.waived_languages.get(language)
            state = "waived" if waived else "missing"
            found.append(Standing(language, language in served, state, waived_by=waived))
            continue
        lacks = tuple(sorted(set(wanted) - set(text.fields())))
        state = "incomplete" if lacks else "signed off" if text.signed_off else "translated"
        if language == facts.source_language:
            state = "source"
        found.append(Standing(language, language in served, state, lacks, text.translator, text.signed_off))
    return found
