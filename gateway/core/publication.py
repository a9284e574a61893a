"""What goes into a catalogue, and what a document has to be before it may be published. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from advisories import limits
from advisories.catalogue import Catalogue, Timestamp
from advisories.notice import Notice, ReleaseList, Text
from advisories.render.pages import from_pbm
from advisories.topics import is_id
from keys.codec import dump, load
from keys.errors import InputError, RefusedError
from keys.reasons import Reason

CATALOGUE_SECONDS: Final = 30 * 86_400  # a catalogue's lifetime
TIMESTAMP_SECONDS: Final = 6 * 3_600  # a timestamp's lifetime: a freeze is noticed after this


def next_version(last: int | None, now: float) -> int:
    """Return max(last + 1, UTC seconds): a gateway restored from a copy cannot go back."""
    return max((last or 0) + 1, int(now))


def build_catalogue(
    fleet: bytes,
    product: str,
    notices: Iterable[tuple[str, int, bytes]],
    patches: Iterable[tuple[int, bytes]],
    *,
    last: int | None,
    now: float,
) -> Catalogue:
    """Return the catalogue body that the operator signs.

    Args:
        fleet: digest of root 1.
        product: whose catalogue it is.
        notices: (advisory id, revision, header digest) of every current notice.
        patches: (sequence number, manifest digest) of every current patch.
        last: version of the catalogue before, None for the first.
        now: UTC seconds.

    Raises:
        InputError: CATALOGUE_FULL.
    """
    try:
        return Catalogue(
            type=Catalogue.TYPE,
            fleet=fleet,
            subject=(product,),
            version=next_version(last, now),
            issued=int(now),
            expires=int(now) + CATALOGUE_SECONDS,
            notices=tuple(sorted(notices)),
            patches=tuple(sorted(patches)),
        )
    except ValueError:
        raise InputError(
            "CATALOGUE_FULL",
            f"A catalogue holds at most {limits.CATALOGUE_ENTRIES_MAX} notices and patches.",
            mend="Let notices that are over expire, or withdraw them, and leave replaced patches out.",
            where=product,
        ) from None


def build_timestamp(
    catalogue: Catalogue, digest: bytes, *, root_version: int, audit_head: bytes, last: int | None, now: float
) -> Timestamp:
    """Return the timestamp body that says this catalogue is the current one, for six hours."""
    return Timestamp(
        type=Timestamp.TYPE,
        fleet=catalogue.fleet,
        subject=catalogue.subject,
        version=next_version(last, now),
        issued=int(now),
        expires=int(now) + TIMESTAMP_SECONDS,
        root_version=root_version,
        catalogue_version=catalogue.version,
        catalogue_digest=digest,
        audit_head=audit_head,
    )


def timestamp_is_due(newest: Timestamp | None, digest: bytes, *, root_version: int, now: float) -> bool:
    """Say whether a product needs a new timestamp: catalogue or root changed, or half its time is over."""
    return (
        newest is None
        or newest.catalogue_digest != digest
        or newest.root_version != root_version
        or now >= newest.issued + TIMESTAMP_SECONDS // 2
        or now < newest.issued  # the clock was put back: better a new one than a wrong one
    )


def check_texts(notice: Notice, texts: Mapping[str, bytes]) -> None:
    """Refuse texts that are not exactly those that the header names.

    Raises:
        InputError: TEXT_MISSING.
        RefusedError: TOO_BIG, MALFORMED or DIGEST_MISMATCH.
    """
    for language in sorted(notice.texts.keys() ^ texts.keys()):
        raise InputError(
            "TEXT_MISSING",
            f"The texts given and the texts approved differ in '{language}'.",
            mend="Compose the advisory again and publish what was approved.",
            where=notice.id,
        )
    for language, data in sorted(texts.items()):
        if hashlib.sha256(data).digest() != notice.texts[language]:
            raise RefusedError(Reason.DIGEST_MISMATCH, f"text '{language}'", where=notice.id)
        text = load(Text, data, size_max=limits.NOTICE_TEXT_BYTES_MAX)
        if text.language != language:
            raise RefusedError(Reason.MALFORMED, f"text '{language}' says '{text.language}'", where=notice.id)


def pages_of(notice: Notice, texts: Mapping[str, bytes], outputs: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the drawn pages that texts name, together for each language, as devices fetch them.

    Args:
        notice: its header.
        texts: language -> bytes of its text, after :func:`check_texts`.
        outputs: name -> bytes of every output; pages are those named ``<language>/small-N.pbm``.

    Raises:
        RefusedError: DIGEST_MISMATCH, when a page is missing or is not the one that the text names.
    """
    found = {}
    for language, data in sorted(texts.items()):
        text = load(Text, data, size_max=limits.NOTICE_TEXT_BYTES_MAX)
        if text.pages is not None:
            names = [f"{language}/small-{number}.pbm" for number in range(1, len(text.pages) + 1)]
            pages = b"".join(from_pbm(outputs.get(name, b"")) or b"" for name in names)
            try:
                text.split(pages)
            except RefusedError as error:
                detail = f"the drawn pages in '{language}': {error.detail}"
                raise RefusedError(error.reason, detail, where=notice.id) from None
            found[language] = pages
    return found


def check_outputs(notice: Notice, outputs: Mapping[str, bytes]) -> None:
    """Refuse customer-facing outputs that differ from the release list approved with the header.

    Raises:
        RefusedError: DIGEST_MISMATCH.
    """
    listed = ReleaseList(outputs={name: hashlib.sha256(data).digest() for name, data in outputs.items()})
    if hashlib.sha256(dump(listed)).digest() != notice.release_list:
        raise RefusedError(
            Reason.DIGEST_MISMATCH, "the outputs are not those on the release list", where=notice.id
        )


def check_names(notice: Notice) -> None:
    """Refuse a notice whose names could not be levels of a topic.

    Raises:
        RefusedError: MALFORMED or WRONG_SUBJECT.
    """
    for name in (notice.id, *notice.subject, *notice.texts):
        if not is_id(name):
            raise RefusedError(Reason.MALFORMED, f"'{name}' cannot be part of a topic", where=notice.id)
    if not notice.subject or not notice.affected.keys() <= set(notice.subject):
        raise RefusedError(Reason.WRONG_SUBJECT, "the products affected are not all named as subject")


def check_listed(notice: Notice, digest: bytes, catalogues: Mapping[str, Catalogue]) -> None:
    """Refuse to publish a notice unless a catalogue for each of its products lists this revision.

    Raises:
        InputError: NOT_LISTED.
    """
    for product in notice.subject:
        found = catalogues.get(product)
        if found is None or (notice.id, notice.revision, digest) not in found.notices:
            raise InputError(
                "NOT_LISTED",
                f"No catalogue for '{product}' lists {notice.id} revision {notice.revision}.",
                mend="Let the operator sign a catalogue that lists it.",
                where=notice.id,
            )


def check_order(kind: str, name: str, last: tuple[int, bytes] | None, version: int, digest: bytes) -> bool:
    """Compare a document with the newest one published under its name.

    Args:
        kind: document type, for the message.
        name: what its versions are counted under.
        last: (version, digest) of the newest one, None for none.
        version: of this one.
        digest: of this one.

    Returns:
        True when it is new, False when it is the very one that was published.

    Raises:
        RefusedError: REPLAYED for a lower version, EQUIVOCATION for the same version with other contents.
    """
    if last is None or version > last[0]:
        return True
    if version < last[0]:
        raise RefusedError(
            Reason.REPLAYED, f"version {version}, published {last[0]}", where=f"{kind} {name}".strip()
        )
    if digest != last[1]:
        raise RefusedError(Reason.EQUIVOCATION, f"version {version}", where=f"{kind} {name}".strip())
    return False
