"""SUIT manifests: author, authenticate, open, run and show (draft-ietf-suit-manifest-37, core keys)."""

from __future__ import annotations

from advisories.suit.author import authenticate, build, compose, device_identifier, identifiers
from advisories.suit.envelope import Envelope, decode, encode, manifest_digest, verify_blocks
from advisories.suit.interpreter import Device, Fetch, Invoke, Match, Operation
from advisories.suit.manifest import ComponentId, Manifest, parse
from advisories.suit.numbers import BOOT, UPDATE, Section
from advisories.suit.patch import Patch, judge_sequence, open_envelope, peek
from advisories.suit.patch_plan import COMPONENT, Delta, File, PatchPlan, Payload
from advisories.suit.tree import tree

__all__ = [
    "BOOT",
    "COMPONENT",
    "UPDATE",
    "ComponentId",
    "Delta",
    "Device",
    "Envelope",
    "Fetch",
    "File",
    "Invoke",
    "Manifest",
    "Match",
    "Operation",
    "Patch",
    "PatchPlan",
    "Payload",
    "Section",
    "authenticate",
    "build",
    "compose",
    "decode",
    "device_identifier",
    "encode",
    "identifiers",
    "judge_sequence",
    "manifest_digest",
    "open_envelope",
    "parse",
    "peek",
    "tree",
    "verify_blocks",
]
