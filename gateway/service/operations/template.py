"""The file that ``tocsin advisory new ID`` begins with, for this workspace's products and languages."""

from __future__ import annotations

from gateway.service import files
from gateway.service.workspace import Workspace
from keys.errors import InputError

_HEAD = """\
# Everything an owner reads is made from this one file. Fill it in, then run: tocsin advisory check {id}

id: {id}
exercise: {exercise}          # true: every screen says that this is a drill

author:                  # who wrote it; the author's signature counts for this role only
  holder: {holder}
  role: engineering

phase: initial           # initial, update, resolved, correction or withdrawn
severity: high           # none, low, medium, high or critical, for an affected owner
action: act-now          # act-now, act-soon, for-information or resolved: all that an LED can say

products:                # each device compares its installed version by itself
"""
_PRODUCT = """\
  {id}:
    affected: ["<1.0.0"] # several ranges are possible: one in quotes after the other
    fixed: "1.0.0"       # leave it out while there is no patch
"""
_FACTS = """
expires_days: 90         # afterwards devices stop showing it
# next_update: 2030-01-31T09:00:00Z
# reminder: {every_hours: 24, at_most: 7}

facts:                   # what you know, how sure you are, who says so, since when
  - statement: Say here what is known.
    status: unknown      # confirmed, suspected or unknown
"""
_TEXTS = """
source_language: {source}
texts:
"""
_TEXT = """\
  {language}:
    title: "TODO"
    action: TODO what the owner must do
    happened: TODO what happened
    affected: TODO who is affected
    doing: TODO what we are doing
    contact: TODO how to reach us
"""


def advisory(workspace: Workspace, advisory_id: str) -> str:
    """Return a new file of facts, with a place for each product and language of the workspace.

    Raises:
        InputError: NO_PRODUCT, before any product was added.
    """
    products = workspace.products()
    if not products:
        raise InputError(
            "NO_PRODUCT",
            "An advisory is about products, and this workspace has none.",
            mend="Add one with 'tocsin product add'.",
            where=str(workspace.path / "products.toml"),
        )
    languages = list(dict.fromkeys(lang for product in products.values() for lang in product.languages))
    holders = [e.holder for e in workspace.key_entries().values() if "engineering" in e.roles]
    exercise = files.toml_value(workspace.settings.exercise)
    holder = files.toml_value(holders[0] if holders else "engineering")
    parts = [_HEAD.format(id=advisory_id, exercise=exercise, holder=holder)]
    parts += [_PRODUCT.format(id=name) for name in products]
    parts += [_FACTS, _TEXTS.format(source=languages[0])]
    parts += [_TEXT.format(language=language) for language in languages]
    return "".join(parts)
