"""Strategies that make any valid instance of every kind on the wire."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from advisories.catalogue import Catalogue, DeviceRecord, Devices, Timestamp
from advisories.notice import Action, Notice, Phase, ReleaseList, Severity, Text
from advisories.offer import Answer, Consent, Offer
from advisories.report import (
    Agreed,
    Block,
    Consented,
    JournalEntry,
    NoticeStatus,
    PatchStatus,
    Report,
    Track,
    Want,
)
from advisories.states import NoticeState, PatchState, Surface
from keys.algorithms import VERIFIED, Algorithm
from keys.limits import VERSION_MAX
from keys.reasons import Reason
from keys.root import Body, PolicyRow, Root, RootKey
from tests.helpers import (
    key,
)

uint53 = st.integers(0, VERSION_MAX)
digests = st.binary(min_size=32, max_size=32)
nonces = st.binary(min_size=16, max_size=16)
ids = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
names = st.from_regex(r"\A[a-zé日]( ?[a-zé日]){0,9}\Z")
languages = st.sampled_from(["en", "de", "ja", "pt-BR", "zh-Hant-TW"])
versions = st.tuples(
    st.integers(0, 255), st.integers(0, 255), st.integers(0, 65_535), st.integers(0, 2**32 - 1)
)
ranges = st.tuples(st.none() | versions, st.none() | versions)
public_keys = st.builds(
    lambda name, algorithm: key(name, algorithm).public,
    st.text("ab", min_size=1, max_size=3),
    st.sampled_from([Algorithm.ED25519, Algorithm.ESP256]),
)
abilities = st.none() | st.sets(st.sampled_from(sorted(VERIFIED)), min_size=1).map(
    lambda found: tuple(sorted(found))
)
_HEADER: dict[str, Any] = {
    "fleet": digests,
    "subject": st.lists(ids, max_size=3).map(tuple),
    "version": uint53,
    "issued": uint53,
    "expires": st.none() | uint53,
    "author": st.none() | st.tuples(names, names),
}


def tuples_of(items: st.SearchStrategy[Any], most: int, least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    """Tuples of at most ``most`` items."""
    return st.lists(items, min_size=least, max_size=most).map(tuple)


def words(most: int) -> st.SearchStrategy[str]:
    """A text of the wire."""
    return st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=most // 4)


def body(cls: type[Body], **parts: Any) -> st.SearchStrategy[Any]:
    """Any valid body of a class."""
    return st.builds(cls, type=st.just(cls.TYPE), **_HEADER, **parts)


INSTANCES: dict[str, st.SearchStrategy[Any]] = {
    "root": body(
        Root,
        keys=tuples_of(st.builds(RootKey, key=public_keys, roles=tuples_of(names, 3, 1), holder=names), 3, 1),
        policy=tuples_of(
            st.builds(
                PolicyRow,
                type=ids,
                demands=st.dictionaries(names, st.integers(1, 16), min_size=1, max_size=3),
                product=st.none() | ids,
            ),
            3,
            1,
        ),
        exercise=st.booleans(),
    ).map(lambda root: replace(root, subject=())),
    "notice": body(
        Notice,
        id=ids,
        revision=st.integers(0, 65_535),
        phase=st.sampled_from(Phase),
        exercise=st.booleans(),
        severity=st.sampled_from(Severity),
        # One range at least: pycddl cannot validate an empty array of arrays (the locks hold one).
        affected=st.dictionaries(ids, tuples_of(ranges, 3, 1), max_size=3),
        action=st.sampled_from(Action),
        next_update=st.none() | uint53,
        reminder=st.none() | st.tuples(st.integers(0, 31_536_000), st.integers(0, 255)),
        texts=st.dictionaries(languages, digests, min_size=1, max_size=3),
        patches=st.none() | st.dictionaries(ids, tuples_of(digests, 3), max_size=3),
        release_list=digests,
        same_since=st.none() | st.integers(0, 65_535),
    ),
    "catalogue": body(
        Catalogue,
        notices=tuples_of(st.tuples(ids, st.integers(0, 65_535), digests), 3),
        patches=tuples_of(st.tuples(uint53, digests), 3),
    ),
    "timestamp": body(
        Timestamp, root_version=uint53, catalogue_version=uint53, catalogue_digest=digests, audit_head=digests
    ),
    "devices": body(
        Devices,
        records=tuples_of(
            st.builds(
                DeviceRecord,
                id=ids,
                product=ids,
                key=public_keys,
                valid_from=uint53,
                valid_to=uint53,
                revoked=st.booleans(),
                algorithms=abilities,
            ),
            3,
            1,
        ),
    ),
    "offer": body(
        Offer,
        product=ids,
        sequence=uint53,
        digest=digests,
        catalogue_version=uint53,
        deadline=uint53,
        window=st.none() | st.tuples(uint53, uint53),
        consent=st.sampled_from(Consent),
        cancel=st.booleans(),
    ),
    "answer": body(
        Answer,
        nonce=nonces,
        receipt=st.none() | st.tuples(uint53, uint53),
        journal_count=uint53,
        next_nonce=nonces,
    ),
    "report": body(
        Report,
        product=ids,
        installed=versions,
        boot_epoch=uint53,
        root_version=uint53,
        catalogue=st.none() | digests,
        nonce=nonces,
        asked=st.none() | nonces,
        notices=tuples_of(
            st.builds(
                NoticeStatus,
                id=ids,
                revision=st.integers(0, 65_535),
                digest=digests,
                state=st.sampled_from(NoticeState),
                time=uint53,
                reason=st.sampled_from(Reason),
                surface=st.sampled_from(Surface),
                language=st.none() | languages,
                confirmed=st.none() | uint53,
            ),
            2,
        ),
        patches=tuples_of(
            st.builds(
                PatchStatus,
                digest=digests,
                sequence=uint53,
                state=st.sampled_from(PatchState),
                time=uint53,
                reason=st.sampled_from(Reason),
                consent=st.none()
                | st.builds(
                    Consented,
                    how=st.sampled_from(Agreed),
                    time=uint53,
                    question=digests,
                    notice=st.none() | digests,
                    language=st.none() | languages,
                ),
                done=st.none() | st.integers(0, 100),
                deferrals=st.none() | st.integers(0, 255),
                suit=st.none() | st.binary(min_size=1, max_size=768),
            ),
            2,
        ),
        journal_count=uint53,
        journal_head=digests,
        journal=tuples_of(
            st.builds(
                JournalEntry,
                index=uint53,
                time=uint53,
                track=st.sampled_from(Track),
                name=ids,
                old=st.integers(0, 255),
                new=st.integers(0, 255),
                reason=st.sampled_from(Reason),
                digest=st.none() | digests,
            ),
            2,
        ),
        language=languages,
        algorithms=abilities,
        audit_head=st.none() | digests,
    ),
    "notice-text": st.builds(
        Text,
        language=languages,
        title=words(160),
        action=words(600),
        happened=words(600),
        affected=words(600),
        doing=words(600),
        contact=words(200),
        pages=st.none() | tuples_of(digests, 4, 1),
    ),
    "release-list": st.builds(ReleaseList, outputs=st.dictionaries(words(200), digests, max_size=4)),
    "want": st.builds(
        Want,
        nonce=nonces,
        topics=tuples_of(words(256), 3),
        blocks=st.none() | st.tuples(digests, st.integers(0, 8 * 1024 * 1024), st.integers(0, 16)),
    ),
    "block": st.builds(
        Block,
        digest=digests,
        offset=st.integers(0, 8 * 1024 * 1024),
        data=st.binary(min_size=1, max_size=4_096),
    ),
}
"""CDDL rule -> any valid instance."""
