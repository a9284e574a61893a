"""What the checks find in a workspace: with its glossary, its setting and the revision published before."""

from __future__ import annotations

from advisories.checks import Finding, check, load_terms
from advisories.facts import Facts, load_facts
from gateway import files
from gateway.operations import releases
from gateway.operations.advisories.setting import current
from gateway.operations.products import languages
from gateway.workspace.folder import Workspace
from keys.errors import InputError


def terms(workspace: Workspace) -> dict[str, dict[str, str]]:
    """Read the fleet's own glossary, ``glossary.toml``; without one, only the shipped terms count.

    Raises:
        InputError: BAD_GLOSSARY, with file:line.
    """
    path = workspace.path / "glossary.toml"
    if not path.exists():
        return {}
    return load_terms(files.read_bytes(path, what="glossary", mend="Check the path."), where=str(path))


def findings(workspace: Workspace, facts: Facts, *, now: int | None = None) -> tuple[Finding, ...]:
    """Run every check.

    Args:
        workspace: where.
        facts: as written. While they are those of the newest published revision, they are checked as that
            revision, not as the next.
        now: UTC seconds; None: the rules about time say nothing.

    Raises:
        InputError: of ``organisation.yaml`` or ``glossary.toml``.
    """
    setting = current(workspace, facts)
    published = [past.revision for past in setting.past]
    previous = _published(workspace, facts.id, published[-1]) if published else None
    if previous is not None and previous.file == facts.file:
        setting = setting.model_copy(update={"past": setting.past[:-1]})
        previous = _published(workspace, facts.id, published[-2]) if len(published) > 1 else None
    return tuple(
        check(
            facts,
            languages=languages(workspace),
            setting=setting,
            previous=previous,
            now=now,
            terms=terms(workspace),
        )
    )


def _published(workspace: Workspace, advisory: str, revision: int) -> Facts | None:
    path = releases.folder(workspace, advisory, revision) / "source" / "facts.yaml"
    try:
        return load_facts(path.read_bytes(), where=str(path)) if path.exists() else None
    except InputError:  # written by a program that knew other keys
        return None
