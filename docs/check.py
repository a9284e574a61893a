"""Hold the documentation to the code: ``python docs/check.py`` lists what is wrong and exits with 1.

Generated pages are what their source makes; relative links and anchors lead somewhere; every
``tocsin`` or ``hil`` command that a page names exists.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generate import DOCS, PAGES, ROOT

_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_COMMAND = re.compile(r"(?:^|(?<=[\s`(/]))(tocsin|hil)((?:[ \t]+[A-Za-z][A-Za-z0-9|_-]*){1,3})")
_ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:")


def pages() -> list[Path]:
    """Every Markdown file that a reader may open."""
    rooms = [path / "README.md" for path in sorted(ROOT.iterdir()) if (path / "__init__.py").is_file()]
    others = [*(ROOT / "bench").glob("**/*.md"), *(ROOT / "examples").glob("**/*.md")]
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md"), *others]
    return sorted({*found, *(path for path in rooms if path.is_file())})


def _place(path: Path, text: str, offset: int) -> str:
    return f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, offset) + 1}"


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match.group())


def slug(heading: str) -> str:
    """The anchor that the common renderers make of a heading."""
    words = re.sub(r"[`*_]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    """Every anchor of a page."""
    text = _FENCE.sub(_blank, path.read_text(encoding="utf-8"))
    return {slug(match.group(1)) for match in _HEADING.finditer(text)}


def generated() -> Iterator[str]:
    """Pages that are not what their source makes."""
    for name, make in PAGES.items():
        path = DOCS / name
        try:
            wanted = make()
        except ImportError as error:
            yield f"docs/{name}: cannot be made ({error})"
            continue
        if not path.is_file() or path.read_text(encoding="utf-8") != wanted:
            yield f"docs/{name}: is not what its source makes; run 'python docs/generate.py'"


def links(path: Path) -> Iterator[str]:
    """Relative links that lead nowhere."""
    text = _CODE.sub(_blank, _FENCE.sub(_blank, path.read_text(encoding="utf-8")))
    for match in _LINK.finditer(text):
        target = match.group(1)
        if _ELSEWHERE.match(target):
            continue
        name, _, anchor = target.partition("#")
        found = (path.parent / name).resolve() if name else path
        if not found.exists() or not found.is_relative_to(ROOT):
            yield f"{_place(path, text, match.start())}: '{target}' leads nowhere"
        elif anchor and found.suffix == ".md" and anchor not in anchors(found):
            yield f"{_place(path, text, match.start())}: '{found.name}' has no heading '#{anchor}'"


def _unknown(root: Any, words: list[str]) -> str | None:
    """Return the first word that is no command where a command must stand, or None."""
    levels = [root]
    for word in words:
        deeper = []
        for name in word.split("|"):
            for level in levels:
                children: dict[str, Any] = getattr(level, "commands", {})
                if not children:
                    return None
                if name not in children:
                    return name
                deeper.append(children[name])
        levels = deeper
    return None


def commands(path: Path, roots: dict[str, Any]) -> Iterator[str]:
    """Commands that do not exist, in code only: prose may say what it likes."""
    text = path.read_text(encoding="utf-8")
    spans = [(m.start(), m.group()) for m in _FENCE.finditer(text)]
    spans += [(m.start(), m.group()) for m in _CODE.finditer(_FENCE.sub(_blank, text))]
    for start, span in spans:
        for match in _COMMAND.finditer(span):
            program, words = match.groups()
            wrong = _unknown(roots[program], words.split())
            if wrong is not None:
                place = _place(path, text, start + match.start())
                yield f"{place}: '{program}' has no command '{wrong}' there"


def problems() -> Iterator[str]:
    """Everything that is wrong."""
    yield from generated()
    for path in pages():
        yield from links(path)
    try:
        import typer  # noqa: PLC0415 - its absence is one of the findings

        from gateway.cli.app import make as tocsin  # noqa: PLC0415 - the same
        from hil.cli.app import make  # noqa: PLC0415 - the same
    except ImportError as error:
        yield f"a command cannot be imported ({error})"
        return
    roots = {"tocsin": typer.main.get_command(tocsin()), "hil": typer.main.get_command(make())}
    for path in pages():
        yield from commands(path, roots)


def main() -> int:
    """Print what is wrong; 0 if nothing is."""
    found = list(problems())
    for line in found:
        print(line, file=sys.stderr)
    print(f"docs: {len(pages())} pages, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
