"""How a person is shown what a signature would cover: a root, a notice, a patch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console

from advisories.facts import TEXT_FIELDS
from advisories.notice import Notice, Text, check_code
from advisories.suit import Patch, Rebuild, read_arguments
from advisories.suit.check import other_images, stated
from advisories.suit.numbers import Parameter, label
from advisories.suit.patch_plan import component_name
from advisories.suit.readable import parameter
from advisories.versions import format_range, format_version
from gateway import files
from gateway.cli.output import table, utc
from gateway.operations.trust import changes
from gateway.operations.trust.changes import Change
from gateway.operations.trust.signing import Approvals
from keys.root import Root

_CONDITIONS: Final = frozenset(
    {
        Parameter.USE_BEFORE,
        Parameter.COMPONENT_SLOT,
        Parameter.DEVICE_ID,
        Parameter.MINIMUM_BATTERY,
        Parameter.VERSION,
    }
)
"""Parameters that decide whether a patch is for a device, beyond vendor and class."""


def line(out: Console, text: str) -> None:
    """Print words that others wrote: nothing in them steers, and whatever begins a new line is set in."""
    out.print(files.visible(text).replace("\n", "\n    "), markup=False)


def root_data(root: Root, change: Change | None) -> dict[str, Any]:
    """Return a root for ``--json``."""
    return {
        "version": root.version,
        "exercise": root.exercise,
        "issued": root.issued,
        "expires": root.expires,
        "keys": list(root.keys),
        "policy": list(root.policy),
        "change": change,
        "plain": list(changes.lines(change)) if change else [],
    }


def print_root(out: Console, root: Root, digest: str, change: Change | None, *, draft: bool) -> None:
    """Print who may say what and, for a draft, what it changes."""
    kind = " (exercise)" if root.exercise else ""
    line(out, f"{'Draft of root' if draft else 'Root'} {root.version}{kind}, expires {utc(root.expires)}")
    out.print(f"digest {digest}")
    rows = [(row.type, row.product or "all", changes.demands(row.demands)) for row in root.policy]
    out.print(table(("type", "product", "demands"), rows))
    keys = [(entry.holder, ", ".join(entry.roles), entry.key.thumbprint.hex()[:16]) for entry in root.keys]
    out.print(table(("holder", "roles", "key"), keys))
    if change is not None and change.since is not None:
        for words in changes.lines(change):
            line(out, words)


def notice_data(
    notice: Notice, digest: bytes, texts: Mapping[str, Text], outputs: list[str]
) -> dict[str, Any]:
    """Return a notice for ``--json``."""
    return {
        "advisory": notice.id,
        "revision": notice.revision,
        "digest": digest,
        "check_code": check_code(digest),
        "exercise": notice.exercise,
        "phase": notice.phase,
        "severity": notice.severity,
        "action": notice.action,
        "products": list(notice.subject),
        "affected": {
            product: [format_range(bounds) for bounds in ranges]
            for product, ranges in notice.affected.items()
        },
        "next_update": notice.next_update,
        "reminder": notice.reminder,
        "patches": notice.patches or {},
        "issued": notice.issued,
        "expires": notice.expires,
        "texts": {language: _words(text) for language, text in texts.items()},
        "same_since": notice.same_since,
        "outputs": outputs,
    }


def print_notice(
    out: Console, notice: Notice, digest: bytes, texts: Mapping[str, Text], outputs: list[str]
) -> None:
    """Print a notice with its texts in every language."""
    drill = " (exercise)" if notice.exercise else ""
    code = check_code(digest)
    line(out, f"{notice.id} revision {notice.revision}{drill}, check code {code}")
    out.print(f"digest {digest.hex()}")
    out.print(
        f"{notice.phase.name.lower()}, severity {notice.severity.name.lower()}, issued "
        f"{utc(notice.issued)}, expires {utc(notice.expires)}"
    )
    out.print(f"action {notice.action.name.lower().replace('_', ' ')}{_promises(notice)}")
    rows = [
        (product, "; ".join(format_range(bounds) for bounds in notice.affected.get(product, ())) or "none")
        for product in notice.subject
    ]
    out.print(table(("product", "affected"), rows))
    for product, patches in (notice.patches or {}).items():
        line(out, f"mended for {product} by patch {', '.join(patch.hex() for patch in patches)}")
    if notice.same_since is not None:
        out.print(
            f"Only languages were added since revision {notice.same_since}: the others do not see it again."
        )
    for language, words in texts.items():
        line(out, f"--- {language} ---")
        for name in TEXT_FIELDS:
            line(out, f"{name}: {getattr(words, name)}")
        if words.pages:
            out.print(f"and {len(words.pages)} drawn pages for devices without a font")
    out.print(f"--- and {len(outputs)} outputs made of these ---")


def _words(text: Text) -> dict[str, Any]:
    found: dict[str, Any] = {name: getattr(text, name) for name in ("language", *TEXT_FIELDS)}
    return found | ({"pages": list(text.pages)} if text.pages else {})


def _promises(notice: Notice) -> str:
    """Say when owners hear again, and how often they are reminded."""
    again = "" if notice.next_update is None else f", next update by {utc(notice.next_update)}"
    if notice.reminder is None:
        return again
    seconds, most = notice.reminder
    return f"{again}, a reminder every {seconds} seconds, at most {most}"


def patch_data(product: str, patch: Patch) -> dict[str, Any]:
    """Return a patch for ``--json``."""
    return {
        "product": product,
        "sequence": patch.sequence,
        "version": version_of(patch),
        "digest": patch.digest,
        "image_digest": patch.image_digest,
        "image_bytes": patch.image_size,
        "components": [
            {"component": component_name(content.component), "digest": content.digest, "bytes": content.size}
            for content in patch.payloads
        ],
        "other_images": list(other_images(patch)),
        "deltas": [
            {"digest": delta.digest, "bytes": delta.size, "base": delta.base} for delta in deltas_of(patch)
        ],
        "conditions": conditions_of(patch),
    }


def conditions_of(patch: Patch) -> list[str]:
    """Return what a patch compares beyond vendor and class, each once, in words."""
    found = (
        f"{label(kind)} {parameter(kind, value, {})}"
        for kind, value in stated(patch.manifest)
        if kind in _CONDITIONS
    )
    return list(dict.fromkeys(found))


def deltas_of(patch: Patch) -> list[Rebuild]:
    """Return the deltas that a patch offers, in the order in which a device tries them."""
    return [read_arguments(fetch.arguments) for fetch in patch.fetches if fetch.arguments]


def version_of(patch: Patch) -> str:
    """Return the promised version, or a question mark where the manifest states none."""
    return "?" if patch.version is None else format_version(patch.version)


def print_patch(out: Console, product: str, patch: Patch) -> None:
    """Print what a patch carries."""
    line(out, f"patch {patch.sequence}: {product} {version_of(patch)}")
    out.print(f"digest {patch.digest.hex()}")
    out.print(f"image {patch.image_digest.hex()}, {patch.image_size} bytes")
    for content in patch.payloads[1:]:
        name = component_name(content.component)
        line(out, f"component {name} {content.digest.hex()}, {content.size} bytes")
    for digest in other_images(patch):
        out.print(f"other image {digest.hex()}, for another slot or in an alternative")
    for delta in deltas_of(patch):
        out.print(f"delta {delta.digest.hex()}, {delta.size} bytes, from {delta.base.hex()}")
    for condition in conditions_of(patch):
        line(out, f"condition: {condition}")
    for language in patch.manifest.texts:
        words = patch.text(language)
        if words:
            line(out, f"{language}: {words}")


def print_approvals(out: Console, found: Approvals) -> None:
    """Print who signed so far and who is missing."""
    signed = ", ".join(f"{s.holder} ({', '.join(s.roles)})" for s in found.signed)
    line(out, f"signed by: {signed or 'nobody yet'}")
    out.print(f"still missing: {', '.join(found.missing) or 'nobody'}")


def approvals_data(found: Approvals) -> dict[str, Any]:
    """Return who signed so far and who is missing, for ``--json``."""
    return {"signed": list(found.signed), "missing": list(found.missing)}


def next_step(found: Approvals, command: str) -> str:
    """Say what signatures still wait for: others, or the command that publishes."""
    return f"still missing: {', '.join(found.missing)}" if found.missing else f"complete. Next: {command}"
