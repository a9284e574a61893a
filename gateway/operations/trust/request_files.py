"""The two files of a ceremony: a signing request, and the answer that comes back. Bounded, strict CBOR.

Reading one says only that it is well formed; what may be believed is decided in ``requests``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from advisories import limits, suit
from advisories.compose import FACTS, SETTING, Release
from advisories.suit import Envelope
from keys.algorithms import PublicKey
from keys.codec import at, blob, choice, dump, load, many, mapping, text, uint
from keys.errors import InputError, RefusedError
from keys.limits import ROOT_BYTES_MAX, SIGNATURES_BYTES_MAX

REQUEST_BYTES_MAX: Final = 4 * 1024 * 1024  # a request with its roots and attachments
ANSWER_BYTES_MAX: Final = 16_384  # an answer: one signature
ROOTS_MAX: Final = 256  # roots that one request carries
RELEASE_LIST_BYTES_MAX: Final = 1_048_576
_BODY_BYTES_MAX: Final = max(ROOT_BYTES_MAX, limits.NOTICE_BYTES_MAX, limits.ENVELOPE_BYTES_MAX)
_FORMAT: Final = "tocsin signing request 1"
_ANSWER_FORMAT: Final = "tocsin signature 1"
TEXT: Final = "text/"  # attachments: a text per language, the release list, and of which product a patch is
RELEASE_LIST: Final = "release-list"
SOURCES: Final = (FACTS, SETTING)  # what a notice's outputs are made of
PAGES: Final = "pages/"  # and the drawn pages of a language, one after the other
PRODUCT: Final = "product"
VENDOR: Final = "vendor"


class Kind(IntEnum):
    """What is to be signed."""

    ROOT = 1
    NOTICE = 2
    PATCH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The file that goes to the signer."""

    format: str = at(1, text(64))
    kind: Kind = at(2, choice(Kind))
    body: bytes = at(3, blob(_BODY_BYTES_MAX, bytes_min=1))
    """The exact bytes to sign; for a patch its envelope without any signature."""
    roots: tuple[bytes, ...] = at(
        4, many(blob(ROOT_BYTES_MAX + SIGNATURES_BYTES_MAX, bytes_min=1), ROOTS_MAX)
    )
    """Every root of the fleet in order, 1 first; none for root 1 itself."""
    attachments: dict[str, bytes] = at(
        5,
        mapping(text(limits.LANGUAGE_BYTES_MAX + len(PAGES)), blob(RELEASE_LIST_BYTES_MAX, bytes_min=1), 160),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The file that comes back: one signature, and what it is over."""

    format: str = at(1, text(64))
    kind: Kind = at(2, choice(Kind))
    digest: bytes = at(3, blob(32))
    kid: bytes = at(4, blob(32))
    alg: int = at(5, uint(65_535))
    """The COSE number of the algorithm, its sign left out: all are negative."""
    value: bytes = at(6, blob(8_192, bytes_min=1))


def for_root(body: bytes, roots: list[bytes]) -> Request:
    """Return the request for the draft of a root."""
    return Request(format=_FORMAT, kind=Kind.ROOT, body=body, roots=tuple(roots), attachments={})


def for_notice(roots: list[bytes], release: Release) -> Request:
    """Return the request for a notice: its texts, its release list, and what all outputs are made of."""
    attached = {f"{TEXT}{language}": data for language, data in release.texts.items()}
    attached |= {f"{PAGES}{language}": b"".join(pages) for language, pages in release.pages.items()}
    attached |= {RELEASE_LIST: release.release_list, **release.sources}
    body = dump(release.header)
    return Request(format=_FORMAT, kind=Kind.NOTICE, body=body, roots=tuple(roots), attachments=attached)


def for_patch(envelope: bytes, roots: list[bytes], product: str, vendor: str) -> Request:
    """Return the request for a patch; vendor and product together give its class id."""
    found = suit.decode(envelope)
    body = suit.encode(Envelope(found.digest, (), found.manifest, found.severed, found.payloads))
    attached = {PRODUCT: product.encode(), VENDOR: vendor.encode()}
    return Request(format=_FORMAT, kind=Kind.PATCH, body=body, roots=tuple(roots), attachments=attached)


def encode_request(request: Request) -> bytes:
    """Return the file's bytes.

    Raises:
        InputError: REQUEST_TOO_BIG.
    """
    for name, enclosed in request.attachments.items():
        if len(enclosed) > RELEASE_LIST_BYTES_MAX:
            message = f"'{name}' has {len(enclosed)} bytes, at most {RELEASE_LIST_BYTES_MAX} are read."
            raise InputError("REQUEST_TOO_BIG", message, mend="Approve it on a machine with the workspace.")
    data = dump(request)
    if len(data) > REQUEST_BYTES_MAX:
        message = f"The request would have {len(data)} bytes, at most {REQUEST_BYTES_MAX} are read."
        raise InputError("REQUEST_TOO_BIG", message, mend="Approve it on a machine with the workspace.")
    return data


def read_request(data: bytes, *, where: str = "") -> Request:
    """Read a request's file.

    Raises:
        InputError: NOT_A_REQUEST.
    """
    try:
        found = load(Request, data, size_max=REQUEST_BYTES_MAX)
    except RefusedError:
        found = None
    if found is None or found.format != _FORMAT:
        raise InputError(
            "NOT_A_REQUEST",
            "This is not a signing request, or it is cut off or altered beyond reading.",
            mend="Have it exported again.",
            where=where,
        )
    return found


def new_answer(kind: Kind, digest: bytes, public: PublicKey, value: bytes) -> bytes:
    """Return the bytes of an answer's file."""
    return dump(
        Answer(
            format=_ANSWER_FORMAT,
            kind=kind,
            digest=digest,
            kid=public.thumbprint,
            alg=-public.algorithm,
            value=value,
        )
    )


def read_answer(data: bytes, *, where: str = "") -> Answer:
    """Read an answer's file.

    Raises:
        InputError: NOT_AN_ANSWER.
    """
    try:
        found = load(Answer, data, size_max=ANSWER_BYTES_MAX)
    except RefusedError:
        found = None
    if found is None or found.format != _ANSWER_FORMAT:
        raise InputError(
            "NOT_AN_ANSWER",
            "This is not a signature made by 'tocsin sign-request sign', or it is cut off.",
            mend="Name the answer's file.",
            where=where,
        )
    return found
