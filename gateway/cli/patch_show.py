"""How a patch is shown: what it carries, who signed it, its manifest as a tree; other makers' too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from advisories.mcuboot import Image
from advisories.suit.tree import Branch, tree
from advisories.versions import format_version
from gateway import files
from gateway.cli.show import approvals_data, patch_data, print_approvals, print_patch
from gateway.operations import patches

_WIDE: Final = 4_096  # columns: no line of a tree is cut in a file or a pipe


def view_data(view: patches.PatchView) -> dict[str, Any]:
    """Return a patch of the workspace for ``--json``."""
    return {**patch_data(view.product, view.patch), **approvals_data(view.approvals)}


def print_view(view: patches.PatchView, out: Console) -> None:
    """Print a patch of the workspace with who signed it."""
    print_patch(out, view.product, view.patch)
    print_approvals(out, view.approvals)


def envelope_tree(envelope: bytes, names: Mapping[bytes, str]) -> Branch:
    """Return any envelope as a tree (RefusedError: it is none)."""
    return tree(envelope, names)


def tree_data(branch: Branch) -> dict[str, Any]:
    """Return a tree for ``--json``; what says nothing is left out."""
    found: dict[str, Any] = {"name": branch.name}
    if branch.value:
        found["value"] = branch.value
    if branch.refused:
        found["refused"] = branch.refused
    if branch.children:
        found["children"] = [tree_data(child) for child in branch.children]
    return found


def print_tree(out: Console, branch: Branch) -> None:
    """Print a tree with its branches drawn; what our devices refuse stands out."""
    grown = _grown(branch, Tree(_label(branch), guide_style="dim"))
    if out.is_terminal:
        out.print(grown, soft_wrap=False)  # a long line goes on beneath, beside its guides
    else:
        Console(file=out.file, width=_WIDE, highlight=False, emoji=False).print(grown)


def _grown(branch: Branch, grown: Tree) -> Tree:
    for child in branch.children:
        _grown(child, grown.add(_label(child)))
    return grown


def _label(branch: Branch) -> Text:
    style = "bold" if branch.children else "cyan"
    label = Text(files.visible(branch.name), style="red" if branch.refused else style, overflow="fold")
    if branch.value:
        label.append(f" {files.visible(branch.value)}", style="default")
    if branch.refused:
        label.append(f"  <- refused: {files.visible(branch.refused)}", style="red")
    return label


def image_data(size: int, image: Image) -> dict[str, Any]:
    """Return an MCUboot image for ``--json``."""
    return {
        "version": format_version(image.version),
        "bytes": size,
        "security_counter": image.security_counter,
        "digest": image.whole,
        "vendor_id": image.vendor_id,
        "class_id": image.class_id,
        "dependencies": [
            {"image": number, "version": format_version(version)} for number, version in image.dependencies
        ],
        "signatures": list(image.signatures),
    }
