"""The letter on one page: for print and as plain text; also in the order that California fixes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from advisories.render.channel.html import fill, style
from advisories.render.channel.plain import block, ended
from advisories.render.channel.sections import Section, payment, sections
from advisories.render.channel.view import Said, View
from advisories.render.layout import width
from advisories.story import Story

CALIFORNIA_TITLE: Final = "Notice of Data Breach"
CALIFORNIA_HEADINGS: Final = {
    "happened": "What Happened",
    "information": "What Information Was Involved",
    "doing": "What We Are Doing",
    "do": "What You Can Do",
    "more": "For More Information",
}
"""Title and headings in the words and the order of California Civil Code section 1798.82(d)(1)."""

ROOMY_COLUMNS: Final = 1_200
"""A letter that says more is set closer, still in 10 points."""


@dataclass(frozen=True, slots=True)
class Block:
    """One heading of a letter with everything below it."""

    key: str
    heading: str
    body: tuple[Said, ...] = ()
    points: tuple[Said, ...] = ()
    lead: Said | None = None
    payment: str = ""
    after: tuple[Said, ...] = ()
    beside: str = ""
    """The heading in the letter's own language, where the fixed one is English."""


def html(story: Story, language: str) -> str:
    """Return the letter for print: 10 points at least, one page."""
    view = View(story, language)
    return _html(view, blocks(view), "")


def text(story: Story, language: str) -> str:
    """Return the letter as plain text, 72 columns wide."""
    view = View(story, language)
    return _text(view, blocks(view), "")


def california_html(story: Story, language: str) -> str:
    """Return the letter in the statute's layout; empty where no personal data is concerned."""
    view = View(story, language)
    return _html(view, california(view), CALIFORNIA_TITLE) if _wanted(view) else ""


def california_text(story: Story, language: str) -> str:
    """Return the same as plain text."""
    view = View(story, language)
    return _text(view, california(view), CALIFORNIA_TITLE) if _wanted(view) else ""


def _wanted(view: View) -> bool:
    return view.facts.data is not None and bool(view.facts.data.types)


def blocks(view: View) -> list[Block]:
    """Return the letter's parts in the order of every channel."""
    made = sections(view)
    do = made["do"]
    return [
        Block(
            "do", do.heading, (), do.points, do.paragraphs[0], payment(view), after=_parts(do, "workaround")
        ),
        Block("happened", made["happened"].heading, made["happened"].paragraphs),
        Block("affected", made["affected"].heading, _body(made["affected"])),
        Block("doing", made["doing"].heading, _body(made["doing"]), after=_where(made["doing"])),
        Block("next", made["next"].heading, made["next"].paragraphs),
        Block("contact", made["contact"].heading, made["contact"].paragraphs),
    ]


def california(view: View) -> list[Block]:
    """Return the parts under the statute's five headings."""
    made = sections(view)
    do, affected = made["do"], made["affected"]
    data = next(part.paragraphs for part in affected.parts if part.key == "data")
    following = Said(f"{made['next'].heading}{view.say('date.colon')}{view.next_update}")
    found = {
        "happened": Block("happened", "", made["happened"].paragraphs + affected.paragraphs),
        "information": Block("information", "", data, payment=payment(view)),
        "doing": Block("doing", "", _body(made["doing"]), after=_where(made["doing"])),
        "do": Block("do", "", (), do.points, do.paragraphs[0], after=_parts(do, "workaround")),
        "more": Block("more", "", (following,), after=made["contact"].paragraphs),
    }
    return [
        replace(part, key=key, heading=heading, beside=view.say(f"california.{key}"))
        for (key, heading), part in zip(CALIFORNIA_HEADINGS.items(), found.values(), strict=True)
    ]


def _body(section: Section) -> tuple[Said, ...]:
    """Return everything of a section as one paragraph; a letter has no room for headings below headings."""
    return section.paragraphs + _parts(section, *(part.key for part in section.parts))


def _parts(section: Section, *keys: str) -> tuple[Said, ...]:
    chosen = (part for part in section.parts if part.key in keys)
    return tuple(said for part in chosen for said in part.paragraphs or part.points)


def _where(section: Section) -> tuple[Said, ...]:
    """Return where the fix can be had."""
    return tuple(point for part in section.parts if part.key == "fix" for point in part.points)


def _proof(view: View) -> str:
    if view.address:
        return view.say("proof.letter", address=view.address)
    return view.say("proof.letter_no_page")


def _html(view: View, parts: list[Block], fixed_title: str) -> str:
    return fill(
        "letter.j2",
        v=view,
        say=view.say,
        title=f"{fixed_title or view.text.title} · {view.notice.id}",
        css=style("letter.css"),
        address=view.story.setting.organisation.address,
        date_at=view.say("culture.date_at"),
        fixed_title=fixed_title,
        blocks=parts,
        dense=_columns(parts) > ROOMY_COLUMNS,
        proof=_proof(view),
    )


def _columns(parts: list[Block]) -> int:
    """Return how much there is to say, in columns: a wide letter takes two."""
    said = (said for part in parts for said in (part.lead, *part.body, *part.points, *part.after) if said)
    return sum(width(item.text) for item in said) + sum(width(part.payment) for part in parts)


def _text(view: View, parts: list[Block], fixed_title: str) -> str:
    say, colon = view.say, view.say("date.colon")
    organisation = view.story.setting.organisation
    date_first = say("culture.date_at") == "head"
    drill = f"*** {view.own.exercise}{colon}{view.own.exercise_note} ***" if view.notice.exercise else ""
    references = {
        say("letter.date") if date_first else "": view.issued,
        say("letter.reference"): view.notice.id,
        say("page.revised"): str(view.notice.revision),
        say("page.code"): view.story.code,
    }
    phone = say("letter.phone", phone=view.phone) if view.phone else ""
    found = [
        *block(view, drill),
        *block(view, view.signer, *organisation.address, phone),
        *block(view, *(f"{label}{colon}{value}" for label, value in references.items() if label)),
        *block(view, fixed_title, view.text.title),
        *block(view, say("culture.greeting")),
        *(line for part in parts for line in _block(view, part)),
        *block(view, view.written.apology or ""),
        *block(view, say("culture.closing"), view.signer, "" if date_first else view.issued),
        *block(view, say("contact.large_print"), _proof(view)),
    ]
    return ended(found)


def _block(view: View, part: Block) -> list[str]:
    beside = f" / {part.beside}" if part.beside and view.language != "en" else ""
    body = (" " if view.spaced else "").join(said.text for said in part.body)
    return block(
        view,
        f"== {part.heading}{beside} ==",
        part.lead.text if part.lead else "",
        body,
        points=[said.text for said in part.points],
        more=[*(said.text for said in part.after), part.payment],
    )
