"""SUIT manifests: author, authenticate, open, run and show (draft-ietf-suit-manifest-37, core keys)."""

from __future__ import annotations

from advisories.suit.arguments import Rebuild, read_arguments
from advisories.suit.author import authenticate, build, compose, device_identifier, identifiers
from advisories.suit.envelope import Envelope, decode, encode, manifest_digest, verify_blocks
from advisories.suit.interpreter import execute
from advisories.suit.manifest import ComponentId, Manifest, parse
from advisories.suit.numbers import BOOT, UPDATE, Section
from advisories.suit.operations import (
    ON_MAINS,
    ConditionError,
    Copy,
    Device,
    Fetch,
    Invoke,
    Match,
    Operation,
    Origin,
    Plan,
    ProcedureError,
    Record,
    Swap,
    Write,
)
from advisories.suit.patch import Patch, judge_sequence, open_envelope, peek
from advisories.suit.patch_plan import COMPONENT, Delta, File, PatchPlan, Payload
from advisories.suit.report import SuitReport, make_report, open_suit_report
from advisories.suit.survey import Content
from advisories.suit.tree import tree

__all__ = [
    "BOOT",
    "COMPONENT",
    "ON_MAINS",
    "UPDATE",
    "ComponentId",
    "ConditionError",
    "Content",
    "Copy",
    "Delta",
    "Device",
    "Envelope",
    "Fetch",
    "File",
    "Invoke",
    "Manifest",
    "Match",
    "Operation",
    "Origin",
    "Patch",
    "PatchPlan",
    "Payload",
    "Plan",
    "ProcedureError",
    "Rebuild",
    "Record",
    "Section",
    "SuitReport",
    "Swap",
    "Write",
    "authenticate",
    "build",
    "compose",
    "decode",
    "device_identifier",
    "encode",
    "execute",
    "identifiers",
    "judge_sequence",
    "make_report",
    "manifest_digest",
    "open_envelope",
    "open_suit_report",
    "parse",
    "peek",
    "read_arguments",
    "tree",
    "verify_blocks",
]
