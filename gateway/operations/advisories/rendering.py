"""``tocsin advisory render``: every output of an advisory as files, to look at before anybody signs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from advisories.embargo import Channel
from advisories.render import small
from advisories.story import filled
from gateway import files
from gateway.operations import fonts
from gateway.operations.advisories.approvals import review
from gateway.operations.advisories.drafts import load
from gateway.operations.advisories.embargo import require_may_leave
from gateway.operations.afar import operation
from gateway.workspace.folder import Workspace
from keys.errors import InputError, UnavailableError

_MARK: Final = ".tocsin-outputs"


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is written."""

    revision: int
    code: str
    """The check code that stands in the files; empty while the header is not fixed and stars stand there."""
    outputs: tuple[str, ...]
    pictures: tuple[str, ...]
    undrawn: tuple[str, ...]
    """Languages whose screens cannot be drawn here, for want of a font."""
    files: Mapping[str, bytes]
    """All of them by name."""


def require_free_folder(folder: Path) -> None:
    """Refuse a folder in which something else lies.

    Raises:
        InputError: OUTPUT_FOLDER.
    """
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / _MARK).exists())):
        raise InputError(
            "OUTPUT_FOLDER",
            "Something else lies in this folder.",
            mend="Name a new one.",
            where=str(folder),
        )


@operation("GET", "/advisories/{advisory}/outputs", right="advisory:read")
def outputs(workspace: Workspace, advisory: str, *, now: int) -> Rendered:
    """Return every output that the next approval signs, and pictures of the small screen.

    Raises:
        InputError: TLP, for what may be written nowhere; and of reviewing the advisory.
    """
    require_may_leave(workspace, load(workspace, advisory, now=now).facts, Channel.OWN, now=now)
    reviewed = review(workspace, advisory, now=now)
    code = reviewed.code if reviewed.document is not None else ""
    made = {name: filled(data, code) if code else data for name, data in reviewed.release.outputs.items()}
    pictures: dict[str, bytes] = {}
    undrawn: set[str] = set()
    known = fonts.installed()
    for name, data in made.items():
        language, _, page = name.partition("/")
        if page.startswith("small-") and page.endswith(".txt"):
            try:
                font = small.font_of(language, known)
                picture = small.png(data.decode().splitlines(), language, font=font)
                pictures[name.removesuffix("txt") + "png"] = picture
            except UnavailableError:
                undrawn.add(language)
    return Rendered(
        reviewed.notice.revision,
        code,
        tuple(sorted(made)),
        tuple(sorted(pictures)),
        tuple(sorted(undrawn)),
        made | pictures,
    )


def write(rendered: Rendered, folder: Path) -> None:
    """Write all of it into a folder that is free for it.

    Raises:
        UnavailableError: FILE.
    """
    with files.os_errors(folder, "written"):
        folder.mkdir(parents=True, exist_ok=True)
        files.write_atomic(folder / _MARK, b"")
        for name, data in rendered.files.items():
            files.write_atomic(folder / name, data)
