"""Does a file agree with the manifest that names it? Each rule is a function; all of them are asked.

A boot loader goes by the image's own header and records, a device by the manifest: where the two say
different things, an update that both accept in the workshop fails in the field. What blocks is refused
by ``patch add`` and ``patch publish``; a remark is only said.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from advisories.mcuboot import Image
from advisories.suit.arguments import read_arguments
from advisories.suit.manifest import Manifest, Steps
from advisories.suit.numbers import Command, Parameter
from advisories.suit.patch import Patch
from advisories.versions import Version, format_version

_OURS: Final = re.compile(r"artefact/([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in which the file and the manifest do not agree, or that is worth knowing."""

    code: str
    """Stable, upper-case."""
    blocks: bool
    """False for a remark."""
    message: str
    """One sentence."""
    mend: str = ""
    """What to do about it; empty for some remarks."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What the manifest says of one file."""

    digest: bytes
    """SHA-256, 32 bytes."""
    size: int
    """Bytes."""
    version: Version | None
    """None where the manifest states none."""
    vendor_id: bytes
    class_id: bytes
    boots: bool = True
    """False for a component beside the one that boots: class and security counter are not its own."""
    counter_floor: int = 0
    """Security counter of the newest published patch of the product."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the file is."""

    digest: bytes
    size: int
    image: Image | None = None
    """What it is as an MCUboot image; None when it is none, or not a whole one."""
    fault: str = ""
    """Why it is not a whole MCUboot image, although it begins as one."""


def findings(promise: Promise, found: Found) -> tuple[Finding, ...]:
    """Return everything in which a file and its manifest disagree, and the remarks, in a fixed order."""
    return tuple(finding for rule in RULES for finding in rule(promise, found))


def files_named(patch: Patch) -> tuple[bytes, ...]:
    """Return the SHA-256 of every file that a device may fetch from our own artefact service, each once.

    Whole payloads, deltas, and images for the other slot; not what travels in the envelope.
    """
    found = [content.digest for content in patch.payloads if content.uri and not content.uri.startswith("#")]
    found += [read_arguments(fetch.arguments).digest for fetch in patch.fetches if fetch.arguments]
    for parameter, value in stated(patch.manifest):
        match = _OURS.fullmatch(value) if parameter is Parameter.URI else None
        found += [bytes.fromhex(match[1])] if match else []
    return tuple(dict.fromkeys(found))


def other_images(patch: Patch) -> tuple[bytes, ...]:
    """Return the SHA-256 of what else a component may come to hold, for another slot or in an alternative.

    These are all digests that some step states, and those of contents to be written, but for the payloads and
    the bases of deltas; a base that can also be fetched is more than a base.
    """
    found: dict[bytes, None] = {}
    for parameter, value in stated(patch.manifest):
        if parameter is Parameter.IMAGE_DIGEST:
            found[value] = None
        elif parameter is Parameter.CONTENT:
            found[hashlib.sha256(value).digest()] = None
    known = {content.digest for content in patch.payloads}
    bases = {read_arguments(fetch.arguments).base for fetch in patch.fetches if fetch.arguments}
    known |= bases.difference(files_named(patch))
    return tuple(digest for digest in found if digest not in known)


def stated(manifest: Manifest) -> Iterator[tuple[Parameter, Any]]:
    """Yield every parameter that any step of a manifest sets, in alternatives too."""
    ahead: list[Steps] = [manifest.shared, *manifest.sections.values()]
    while ahead:
        for step in ahead.pop(0):
            if step.command is Command.TRY_EACH:
                ahead += step.argument
            elif step.command is Command.RUN_SEQUENCE:
                ahead.append(step.argument)
            elif step.command is Command.OVERRIDE_PARAMETERS:
                yield from step.argument.items()


def _size(promise: Promise, found: Found) -> Iterator[Finding]:
    if found.size != promise.size:
        yield Finding(
            "IMAGE_SIZE",
            blocks=True,
            message=f"The file has {found.size} bytes, the manifest says {promise.size}.",
            mend="Give the file from which the patch was made, or make the patch again.",
        )


def _digest(promise: Promise, found: Found) -> Iterator[Finding]:
    if found.digest != promise.digest:
        yield Finding(
            "IMAGE_DIGEST",
            blocks=True,
            message=f"The file's SHA-256 is {found.digest.hex()}, the manifest says {promise.digest.hex()}.",
            mend="Give the file from which the patch was made, or make the patch again.",
        )


def _whole(_: Promise, found: Found) -> Iterator[Finding]:
    if found.fault:
        yield Finding(
            "IMAGE_BROKEN",
            blocks=True,
            message=f"The file begins as an MCUboot image and is not a whole one: {found.fault}.",
            mend="Build it again with imgtool.",
        )
    elif found.image is None:
        yield Finding(
            "NOT_MCUBOOT",
            blocks=False,
            message="The file is no MCUboot image: only its digest and size are compared, "
            "and its installer must know its version.",
        )


def _version(promise: Promise, found: Found) -> Iterator[Finding]:
    if found.image is None:
        return
    measured = format_version(found.image.version)
    if promise.version is None:
        yield Finding(
            "VERSION_UNSTATED",
            blocks=False,
            message=f"The manifest states no version; a device takes {measured} from the image's header.",
        )
    elif found.image.version != promise.version:
        yield Finding(
            "VERSION_DIFFERS",
            blocks=True,
            message=f"The image says version {measured}, the manifest promises "
            f"{format_version(promise.version)}.",
            mend="Give the image that was built as this version, or make the patch again without --version.",
        )


def _counter(promise: Promise, found: Found) -> Iterator[Finding]:
    if found.image is None or not promise.boots:
        return
    counter = found.image.security_counter
    if counter is None:
        yield Finding(
            "COUNTER_ABSENT",
            blocks=True,
            message="The image has no security counter: a device could be put back to an older image.",
            mend="Build it with 'imgtool sign --security-counter N', or 'auto'.",
        )
    elif counter < promise.counter_floor:
        yield Finding(
            "COUNTER_BELOW",
            blocks=True,
            message=f"The image's security counter is {counter}, the newest published patch has "
            f"{promise.counter_floor}: devices would refuse it.",
            mend=f"Build it with a security counter of at least {promise.counter_floor}.",
        )


def _vendor(promise: Promise, found: Found) -> Iterator[Finding]:
    if found.image is not None:
        yield from _identifier("vendor", found.image.vendor_id, promise.vendor_id)


def _class(promise: Promise, found: Found) -> Iterator[Finding]:
    if found.image is not None and promise.boots:
        yield from _identifier("class", found.image.class_id, promise.class_id)


def _identifier(what: str, said: bytes | None, expected: bytes) -> Iterator[Finding]:
    option = f"--{what[0]}id {uuid.UUID(bytes=expected)}"
    if said is None:
        yield Finding(
            f"{what.upper()}_ABSENT",
            blocks=False,
            message=f"The image does not say its {what}; a boot loader cannot tell it from another's.",
            mend=f"Build it with 'imgtool sign {option}'.",
        )
    elif said != expected:
        yield Finding(
            f"{what.upper()}_DIFFERS",
            blocks=True,
            message=f"The image is of {what} {uuid.UUID(bytes=said)}, the manifest for "
            f"{uuid.UUID(bytes=expected)}.",
            mend=f"Build it with 'imgtool sign {option}', or correct the product.",
        )


def _signature(_: Promise, found: Found) -> Iterator[Finding]:
    if found.image is not None:
        kinds = ", ".join(found.image.signatures)
        yield Finding(
            "SIGNATURE",
            blocks=False,
            message=f"The image carries a signature for the boot loader ({kinds}); it was not verified here."
            if kinds
            else "The image carries no signature for a boot loader; one that asks for it will not start it.",
        )


def _dependencies(_: Promise, found: Found) -> Iterator[Finding]:
    for number, version in found.image.dependencies if found.image else ():
        yield Finding(
            "DEPENDENCY",
            blocks=False,
            message=f"Beside it, the image needs image {number}, version {format_version(version)} or newer.",
        )


RULES: Final[tuple[Callable[[Promise, Found], Iterator[Finding]], ...]] = (
    _size,
    _digest,
    _whole,
    _version,
    _counter,
    _vendor,
    _class,
    _signature,
    _dependencies,
)
"""Every rule, in the order in which people read its outcome."""
