"""The questions of ``tocsin advisory new``: few, with a default where there is one, checked at once."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

from advisories.facts.parts import PROSE_LETTERS_MAX
from advisories.languages import words
from advisories.templates import NAMES, Template, template
from advisories.templates.writing import Answers, Concerned
from advisories.versions import Range, format_range, parse_range, parse_version
from gateway.cli.times import moment, written
from gateway.operations import products
from gateway.operations.advisories import beginning
from gateway.operations.sboms import Proposal
from gateway.workspace.folder import Workspace

T = TypeVar("T")

_ON_DEVICE: Final = {"happened": 600, "action": 600, "contact": 200}
"""Bytes of a text that devices keep (:class:`advisories.notice.Text`)."""
_REACHES: Final = re.compile(r"\S+@\S+\.\S+|\+?\d[\d ()/-]{4,}\d|https?://\S+")


def ask(question: str, read: Callable[[str], T], *, default: str | None = None) -> T:
    """Ask until the answer can be read; an empty one is the default.

    Raises:
        KeyboardInterrupt: on Ctrl-C, and at the end of what is typed.
    """
    shown = f" [{default}]" if default else ""
    while True:
        sys.stdout.write(f"{question}{shown}: ")
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            sys.stdout.write("\n")
            raise KeyboardInterrupt
        try:
            return read(line.strip() or default or "")
        except ValueError as error:
            sys.stdout.write(f"  {error}.\n")


@dataclass
class Interview:
    """What was answered so far; whoever is interrupted finds it in the file."""

    workspace: Workspace
    advisory: str
    now: int
    template: Template | None = None
    answers: Answers | None = None
    answered: int = 0
    """How many questions after the template's."""
    proposed: Proposal | None = None
    """What was proposed and confirmed before; its products are not asked for."""

    def run(self) -> tuple[Template, Answers]:
        """Ask everything.

        Raises:
            InputError: as :func:`beginning.before` and :func:`beginning.answers`.
            KeyboardInterrupt: what was answered so far lies in ``answers``.
        """
        chosen = self.template or self._choose()
        self.template = chosen
        found = self.begin(chosen)
        if self.proposed is None and chosen.first:
            self._ask_products(chosen)
        language = words(found.source).name
        text = chosen.texts.get(found.source.partition("-")[0], chosen.texts["en"])
        for name, question in (("happened", "What happened"), ("action", "What must owners do")):
            default = getattr(text, name)
            answer = ask(f"{question} ({language})", _text(name), default=default)
            # The template's own words stay the template's, so that other languages have them too.
            self._take(**{name: None if answer == default else answer})
        contact = ask("How do owners reach you", _contact, default=found.contact)
        self._take(contact=contact)
        if found.proposed_update is not None:
            when = ask(
                "When do they hear from you again (a time, 24h or 2d)",
                self._later,
                default=written(found.proposed_update),
            )
            self._take(next_update=when)
        assert self.answers is not None
        return chosen, self.answers

    def begin(self, chosen: Template) -> Answers:
        """Return what is known before anybody is asked, and begin with it.

        Raises:
            InputError: as :func:`beginning.before` and :func:`beginning.answers`.
        """
        wanted = [*self.proposed.products] if self.proposed else None
        found = beginning.known(
            self.workspace, self.advisory, name=chosen.name, now=self.now, products=wanted
        )
        if self.proposed:
            found = replace(found, products=self.proposed.products, carried=self.proposed.carried)
            self.answered += 1
        self.answers = found
        return found

    def _take(self, **changes: object) -> None:
        assert self.answers is not None
        self.answers = replace(self.answers, **changes)  # type: ignore[arg-type]
        self.answered += 1

    def _choose(self) -> Template:
        for number, name in enumerate(NAMES, 1):
            sys.stdout.write(f"  {number}  {name}: {template(name).for_}\n")
        return template(NAMES[ask("What sort of notice", _number(len(NAMES))) - 1])

    def _ask_products(self, chosen: Template) -> None:
        known = [product.id for product in products.list_(self.workspace)]
        names = known
        if len(known) > 1:
            names = ask(f"Which products ({', '.join(known)})", _some(known), default=", ".join(known))
        assert self.answers is not None
        self.answers = beginning.known(
            self.workspace, self.advisory, name=chosen.name, now=self.now, products=names
        )
        for name in names:
            before = self.answers.products[name]
            default = "; ".join(map(format_range, before.affected)) if before.affected else None
            affected = ask(f"Affected versions of {name}, e.g. >=1.0.0 <1.4.2", _ranges, default=default)
            self._concerned(name, replace(before, affected=affected))
            if chosen.mended:
                fixed = ask(f"Version of {name} that mends it (empty: none yet)", _fixed(affected))
                self._concerned(name, replace(before, affected=affected, fixed=fixed))

    def _concerned(self, name: str, concerned: Concerned) -> None:
        assert self.answers is not None
        self._take(products={**self.answers.products, name: concerned})

    def _later(self, typed: str) -> datetime:
        time = moment(typed, now=self.now)
        if time.timestamp() <= self.now:
            raise ValueError(f"{written(time)} has passed")
        return time


def _number(most: int) -> Callable[[str], int]:
    def read(typed: str) -> int:
        if not typed.isdecimal() or not 1 <= int(typed) <= most:
            raise ValueError(f"Type a number from 1 to {most}")
        return int(typed)

    return read


def _some(known: Sequence[str]) -> Callable[[str], list[str]]:
    def read(typed: str) -> list[str]:
        names = list(dict.fromkeys(typed.replace(",", " ").split()))
        for name in names:
            if name not in known:
                raise ValueError(f"There is no product '{name}'; known: {', '.join(known)}")
        return names

    return read


def _ranges(typed: str) -> tuple[Range, ...]:
    if not typed:
        raise ValueError("Type a range such as >=1.0.0 <1.4.2, or * for every version")
    return tuple(parse_range(part) for part in typed.split(";"))


def _fixed(affected: tuple[Range, ...]) -> Callable[[str], str | None]:
    def read(typed: str) -> str | None:
        if not typed:
            return None
        version = parse_version(typed)
        for low, high in affected:
            if (low is None or low <= version) and (high is None or version < high):
                raise ValueError(f"{typed} is itself in the affected range")
        return typed

    return read


def _text(name: str) -> Callable[[str], str]:
    def read(typed: str) -> str:
        size = len(typed.encode(errors="replace"))
        if size > min(_ON_DEVICE[name], PROSE_LETTERS_MAX):
            raise ValueError(f"It has {size} bytes; devices keep {_ON_DEVICE[name]}")
        if not typed.isprintable():
            raise ValueError("It holds letters that cannot be shown")
        return typed

    return read


def _contact(typed: str) -> str | None:
    if not typed:
        return None
    if not _REACHES.search(typed):
        raise ValueError("Name a phone number, a mail address or a page")
    return _text("contact")(typed)
