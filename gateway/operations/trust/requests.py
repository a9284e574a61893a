"""Signing requests: judging and signing something on a machine without network or workspace.

A request carries the exact bytes to sign and what those bytes bind by digest; nothing else in it is
shown as being signed. An answer carries one signature and the digest of what it is over. Neither holds
a secret, and neither is trusted: :func:`judge` checks a request before anybody signs it, and an answer
becomes an ordinary signature, verified like any other before it is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from advisories import compose, limits, suit
from advisories.compose import FACTS
from advisories.facts import load_facts
from advisories.notice import Notice, ReleaseList, Text
from advisories.render import pages
from advisories.render.pages import Pages
from advisories.story import load_setting
from advisories.suit import Patch
from advisories.topics import is_id
from gateway.operations import fonts
from gateway.operations.trust.changes import Change, compare
from gateway.operations.trust.request_files import (
    PAGES,
    PRODUCT,
    RELEASE_LIST,
    RELEASE_LIST_BYTES_MAX,
    SOURCES,
    TEXT,
    VENDOR,
    Answer,
    Kind,
    Request,
    new_answer,
    read_request,
)
from gateway.operations.trust.signing import GivenSigner, require_say
from gateway.workspace.entries import class_id_of
from keys import cose
from keys.algorithms import PublicKey
from keys.cbor import decode
from keys.codec import dump, load, unpack
from keys.document import typ
from keys.errors import InputError, RefusedError, UnavailableError
from keys.limits import ROOT_BYTES_MAX
from keys.reasons import Reason
from keys.root import ROLE_ROOT, Body, Root, RootKey, checked
from keys.signer import Signer
from keys.trusted import TrustedSet

_TYPES: Final = {Kind.ROOT: Root.TYPE, Kind.NOTICE: Notice.TYPE}


@dataclass(frozen=True, slots=True)
class Judged:
    """A request that is whole: everything here comes from the bytes to sign, or is bound by them."""

    request: Request
    digest: bytes
    """SHA-256 of the bytes to sign (of the manifest for a patch): to be compared in full."""
    fleet: bytes
    """Digest of root 1, by which a fleet is known."""
    root: Root
    """The newest enclosed root; for root 1 the draft itself. The request's own claim."""
    content: Root | Notice | Patch
    texts: Mapping[str, Text]
    """Of a notice, by language."""
    outputs: tuple[str, ...]
    """Of a notice: names on its release list."""
    product: str
    """Of a patch."""
    unseen: tuple[str, ...] = ()
    """Of a notice: languages whose drawn pages could not be drawn here and compared, for want of a font."""

    @property
    def change(self) -> Change | None:
        """For a root: what it changes."""
        if not isinstance(self.content, Root):
            return None
        return compare(self.root if self.content.version > 1 else None, self.content)

    def roles(self) -> set[str]:
        """Return the roles whose signatures count on this."""
        if isinstance(self.content, Root):
            return {ROLE_ROOT}
        if isinstance(self.content, Notice):
            subjects = self.content.subject
            return {role for product in subjects for role in self.root.demands(Notice.TYPE, product)}
        return set(self.root.demands("patch", self.product))

    def signer(self, public: PublicKey, name: str = "") -> RootKey:
        """Return what the enclosed root says about a key that has a say in this; people call it ``name``.

        Raises:
            InputError: KEY_NOT_IN_ROOT, WRONG_ROLE.
        """
        judges = [self.root]
        if isinstance(self.content, Root):
            judges.append(self.content)
        known = [judge for judge in judges if public.thumbprint in judge.by_kid]
        for judge in known:
            entry = judge.by_kid[public.thumbprint]
            if self.roles() & set(entry.roles):
                return entry
        require_say((known or judges)[-1], public, self.roles(), name=name)
        raise AssertionError("the line above refused")


def judge(data: bytes, *, where: str = "") -> Judged:
    """Open a request and hold everything in it to the bytes that would be signed.

    Args:
        data: untrusted bytes.
        where: the file's name, for messages.

    Raises:
        InputError: NOT_A_REQUEST.
        RefusedError: with the reason of the first thing that does not fit.
    """
    request = read_request(data, where=where)
    try:
        return _JUDGES[request.kind](request)
    except RefusedError as error:
        error.where = where
        raise
    except UnicodeDecodeError:
        raise RefusedError(Reason.MALFORMED, "a name in the request is no text", where=where) from None


def _walk(request: Request) -> TrustedSet:
    """Walk the enclosed roots; whether they are the fleet's is for the signer to compare."""
    if not request.roots:
        raise RefusedError(Reason.MALFORMED, "the request encloses no root")
    trusted = TrustedSet.enrol(request.roots[0], None)
    for document in request.roots[1:]:
        trusted.update_root(document, None)
    return trusted


def _judge_root(request: Request) -> Judged:
    root = checked(unpack(Root, decode(request.body, size_max=ROOT_BYTES_MAX)))
    _require_type(root, Root)
    body_digest = hashlib.sha256(request.body).digest()
    _require_attached(request, set())
    if not request.roots:
        if root.version != 1:
            raise RefusedError(Reason.ROOT_GAP, f"version {root.version}, but no root is enclosed")
        return Judged(request, body_digest, body_digest, root, root, {}, (), "")
    trusted = _walk(request)
    if root.version != trusted.root.version + 1:
        raise RefusedError(Reason.ROOT_GAP, f"version {root.version}, enclosed {trusted.root.version}")
    _require_fleet(root, trusted.fleet)
    return Judged(request, body_digest, trusted.fleet, trusted.root, root, {}, (), "")


def _judge_notice(request: Request) -> Judged:
    notice = unpack(Notice, decode(request.body, size_max=limits.NOTICE_BYTES_MAX))
    _require_type(notice, Notice)
    trusted = _walk(request)
    _require_fleet(notice, trusted.fleet)
    named = {RELEASE_LIST, *SOURCES, *(f"{TEXT}{language}" for language in notice.texts)}
    _require_attached(request, named | {name for name in request.attachments if name.startswith(PAGES)})
    texts: dict[str, Text] = {}
    for language, wanted in sorted(notice.texts.items()):
        data = request.attachments[f"{TEXT}{language}"]
        _require_bound(data, wanted, f"the text in {language}")
        texts[language] = load(Text, data, size_max=limits.NOTICE_TEXT_BYTES_MAX)
        if texts[language].language != language:
            detail = f"a text in {texts[language].language} stands as the one in {language}"
            raise RefusedError(Reason.MALFORMED, detail)
    drawing = {language: text for language, text in texts.items() if text.pages is not None}
    _require_attached(request, named | {f"{PAGES}{language}" for language in drawing})
    drawn = {
        language: text.split(request.attachments[f"{PAGES}{language}"]) for language, text in drawing.items()
    }
    listed = request.attachments[RELEASE_LIST]
    _require_bound(listed, notice.release_list, "the release list")
    outputs = load(ReleaseList, listed, size_max=RELEASE_LIST_BYTES_MAX).outputs
    for name in SOURCES:
        _require_bound(request.attachments[name], outputs.get(name, b""), f"'{name}'")
    _require_made_of_these(request, outputs, notice, drawn)
    unseen = _require_drawn_so(notice, texts, drawn)
    body_digest = hashlib.sha256(request.body).digest()
    names = tuple(sorted(outputs))
    return Judged(request, body_digest, trusted.fleet, trusted.root, notice, texts, names, "", unseen)


def _require_drawn_so(
    notice: Notice, texts: Mapping[str, Text], drawn: Mapping[str, Pages]
) -> tuple[str, ...]:
    """Refuse pages that show anything but the words; return the languages that cannot be drawn here."""
    unseen = []
    for language, given in drawn.items():
        try:
            own = pages.draw(notice, texts[language], fonts.installed())
        except UnavailableError:
            unseen.append(language)
            continue
        if own != given:
            detail = f"the drawn pages in '{language}' are not what this program and its font draw"
            raise RefusedError(Reason.DIGEST_MISMATCH, detail)
    return tuple(unseen)


def _judge_patch(request: Request) -> Judged:
    if suit.decode(request.body).blocks:
        raise RefusedError(Reason.MALFORMED, "the patch in the request is signed already")
    suit.manifest_digest(request.body)
    patch = suit.peek(request.body)
    trusted = _walk(request)
    _require_attached(request, {PRODUCT, VENDOR})
    if patch.manifest.severed:
        raise RefusedError(Reason.DIGEST_MISMATCH, "a part that the manifest names by digest is missing")
    product, vendor = (request.attachments[name].decode() for name in (PRODUCT, VENDOR))
    # The names are bound by the manifest: its class id is made of them (RFC 9562, UUID version 5).
    if not is_id(product) or class_id_of(vendor, product) != patch.class_id:
        raise RefusedError(Reason.WRONG_SUBJECT, f"the manifest is not for '{product}' of '{vendor}'")
    return Judged(request, patch.digest, trusted.fleet, trusted.root, patch, {}, (), product)


_JUDGES: Final = {Kind.ROOT: _judge_root, Kind.NOTICE: _judge_notice, Kind.PATCH: _judge_patch}


def _require_type(body: Body, cls: type[Body]) -> None:
    if body.type != cls.TYPE:
        raise RefusedError(Reason.WRONG_TYPE, f"body says {body.type}, expected {cls.TYPE}")


def _require_fleet(body: Body, fleet: bytes) -> None:
    if body.fleet != fleet:
        detail = f"the enclosed roots are of {fleet.hex()[:16]}, it says {body.fleet.hex()[:16]}"
        raise RefusedError(Reason.WRONG_FLEET, detail)


def _require_attached(request: Request, wanted: set[str]) -> None:
    for name in sorted(wanted ^ set(request.attachments)):
        how = "is missing" if name in wanted else "is not bound by what would be signed"
        raise RefusedError(Reason.DIGEST_MISMATCH, f"the attachment '{name}' {how}")


def _require_made_of_these(
    request: Request, outputs: Mapping[str, bytes], notice: Notice, drawn: Mapping[str, Pages]
) -> None:
    """Refuse what nobody is shown: header, texts and every output are made again from the enclosed facts."""
    facts_file, setting_file = (request.attachments[name] for name in SOURCES)
    try:
        facts, setting = load_facts(facts_file, where=FACTS), load_setting(setting_file)
        made = compose.compose(
            facts,
            setting=setting,
            fleet=notice.fleet,
            issued=notice.issued,
            revision=notice.revision,
            exercise=notice.exercise,
            version=notice.version,
            patches=notice.patches,
            drawn=drawn,
            same_since=notice.same_since,
        )
    except (InputError, ValueError) as error:
        said = error.message.rstrip(".") if isinstance(error, InputError) else "the setting cannot be read"
        raise RefusedError(Reason.MALFORMED, f"what it is made of cannot be read: {said}") from None
    again = load(ReleaseList, made.release_list, size_max=RELEASE_LIST_BYTES_MAX).outputs
    for name in sorted(again.keys() | outputs.keys()):
        if again.get(name) != outputs.get(name):
            detail = f"the output '{name}' is not what this program makes of these facts"
            raise RefusedError(Reason.DIGEST_MISMATCH, detail)
    if dump(made.header) != request.body:
        raise RefusedError(Reason.DIGEST_MISMATCH, "the header is not what this program makes of these facts")


def _require_bound(data: bytes, wanted: bytes, what: str) -> None:
    if hashlib.sha256(data).digest() != wanted:
        raise RefusedError(Reason.DIGEST_MISMATCH, f"{what} is not the one that would be signed")


def sign(judged: Judged, signer: Signer) -> bytes:
    """Sign what was judged and return the answer's file.

    Raises:
        InputError: KEY_NOT_IN_ROOT, WRONG_ROLE; KEY_WRONG_SIGNATURE, when what signs does not match its key.
    """
    judged.signer(signer.public)
    body, kind = judged.request.body, judged.request.kind
    if kind is Kind.PATCH:
        block = suit.decode(suit.authenticate(body, signer)).blocks[-1]
        message, payload = cose.parse(block, cose.TAG_SIGN1), suit.decode(body).signed_bytes
    else:
        message = cose.parse(cose.sign(body, [signer], typ=typ(_TYPES[kind])), cose.TAG_SIGN)
        payload = body
    try:
        cose.check(message, message.signatures[0], signer.public, payload=payload)
    except RefusedError:
        raise InputError(
            "KEY_WRONG_SIGNATURE",
            "The signature does not match the key that made it.",
            mend="Check the token or the key file.",
        ) from None
    return new_answer(kind, judged.digest, signer.public, message.signatures[0].value)


def signature_of(answer: Answer, body: bytes, root: Root) -> GivenSigner:
    """Verify an answer over the bytes that lie here, and return it as a signer.

    Args:
        answer: untrusted.
        body: the bytes it must be over, from the workspace and never from the answer.
        root: lists the key.

    Raises:
        InputError: KEY_NOT_IN_ROOT.
        RefusedError: ALGORITHM_MISMATCH, BAD_SIGNATURE.
    """
    entry = root.by_kid.get(answer.kid)
    if entry is None:
        raise InputError(
            "KEY_NOT_IN_ROOT",
            f"Root {root.version} does not list the key {answer.kid.hex()[:16]} that made this signature.",
            mend="Publish a root that does: 'tocsin root rotate', 'root sign', 'root publish'.",
        )
    if -answer.alg != entry.key.algorithm:
        raise RefusedError(Reason.ALGORITHM_MISMATCH, f"label {-answer.alg}, key {entry.key.algorithm.value}")
    signer = GivenSigner(entry.key, answer.value)
    if answer.kind is Kind.PATCH:
        payload = suit.decode(body).signed_bytes
        message = cose.parse(cose.sign1(payload, signer, detached=True), cose.TAG_SIGN1)
    else:
        payload = body
        message = cose.parse(cose.sign(body, [signer], typ=typ(_TYPES[answer.kind])), cose.TAG_SIGN)
    cose.check(message, message.signatures[0], entry.key, payload=payload)
    return signer
