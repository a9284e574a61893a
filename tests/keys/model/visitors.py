"""The two readers: our device's trust, and python-tuf's Updater, each with bytes of its own format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api import exceptions as tuf_errors
from tuf.api import metadata as tuf
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface

from advisories.notice import Notice
from device_sim.core.currency import Currency
from device_sim.core.profile import Profile
from device_sim.core.session import Session
from device_sim.core.state import State
from keys.codec import dump
from keys.document import digest, seal
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import Body, PolicyRow, Root, RootKey
from keys.trusted import TrustedSet
from tests import helpers
from tests.keys.model.forge import Rubbish, key
from tests.keys.model.story import EXPIRY, KIND, MISMATCH, OK, POLICY, SIGNATURE, VERSION, Paper, Shelf

ADVISORY = "EX-2026-0001"
CLASS_OF = {
    Reason.UNKNOWN_KEY: SIGNATURE, Reason.THRESHOLD_NOT_MET: SIGNATURE, Reason.BAD_SIGNATURE: SIGNATURE,
    Reason.REPLAYED: VERSION, Reason.EQUIVOCATION: VERSION, Reason.ROOT_GAP: VERSION, Reason.EXPIRED: EXPIRY,
    Reason.WRONG_FLEET: MISMATCH, Reason.WRONG_TYPE: KIND, Reason.MALFORMED: KIND, Reason.BAD_ROOT: POLICY,
}  # fmt: skip


class Ours:
    """A device: what it remembers, and what it takes for current."""

    def __init__(self, root_1: Paper) -> None:
        self._root_1 = root_1
        self._fleet = b""
        document = self.bytes(root_1)
        self._fleet = digest(document)
        self._home = helpers.Fleet(
            document, self._root(root_1, b""), (helpers.PRODUCT,), root_1.issued, key("r1").public.algorithm
        )
        profile = Profile(id="device-1", product=helpers.PRODUCT, vendor_id=bytes(16), class_id=bytes(16))
        state = State.new(document, profile.id)
        self._session = Session(profile, key(profile.id), state, entropy=b"", now=root_1.issued)
        self._currency = Currency(self._session)
        self._notice = document
        """The notice in hand; at first there is none that a catalogue could name."""
        self.warned = False
        """Whether the notice on the shelf is one to show, whatever is known of its being current."""

    def visit(self, shelf: Shelf, now: int) -> str:
        self._session.now = now
        try:
            verdict = self._walk(shelf) or self._refresh(shelf, now)
        except RefusedError as error:
            verdict = CLASS_OF[error.reason]
        self.warned = self._warns(shelf)
        return verdict

    def _walk(self, shelf: Shelf) -> str:
        trusted = self._session.state.trusted
        while (paper := shelf.roots.get(trusted.root.version + 1)) is not None:
            before = trusted.root.version
            trusted.update_root(self.bytes(paper), None)
            if trusted.root.version == before:
                break
        return ""

    def _refresh(self, shelf: Shelf, now: int) -> str:
        currency, trusted = self._currency, self._session.state.trusted
        currency.timestamp(self.bytes(shelf.papers["timestamp"]))
        if currency.current() is None:
            currency.catalogue(self.bytes(shelf.papers["catalogue"]))
        if currency.current() is None:
            return MISMATCH
        if not currency.names(ADVISORY, 1, digest(self._notice)):  # nothing is fetched that is in hand
            self._notice = self.bytes(shelf.papers["notice"])
        genuine = trusted.accept(self._notice, Notice, name=ADVISORY, subject=helpers.PRODUCT, now=now)
        return OK if currency.names(ADVISORY, genuine.body.revision, genuine.digest) else MISMATCH

    def _warns(self, shelf: Shelf) -> bool:
        """Ask a copy: only what is current moves the floors that are compared with the other reader's."""
        copy = TrustedSet.load(self._session.state.trusted.dump())
        notice = self.bytes(shelf.papers["notice"])
        try:
            copy.accept(notice, Notice, name=ADVISORY, subject=helpers.PRODUCT, expiring=False)
        except RefusedError:
            return False
        return True

    def bytes(self, paper: Paper) -> bytes:
        """The paper as our document."""
        signers = [*(Rubbish(key(name)) for name in paper.forged), *map(key, paper.by)]
        return seal(self._body(paper), signers)

    def _body(self, paper: Paper) -> Body:
        fleet = self._fleet if paper.fleet == "ours" else sha256(paper.fleet.encode()).digest()
        if paper.kind == "root":
            return self._root(paper, b"" if paper is self._root_1 else fleet)
        fields = {"version": paper.version, "issued": paper.issued, "expires": paper.expires}
        content = sha256(str(paper.content).encode()).digest()
        if paper.kind == "notice":
            body: Body = helpers.notice(self._home, release_list=content, **fields)
        elif paper.kind == "catalogue":
            assert paper.names is not None
            named = ((ADVISORY, 1, sha256(dump(self._body(paper.names))).digest()),)
            body = helpers.catalogue(self._home, notices=named, patches=((7, content),), **fields)
        else:
            assert paper.names is not None
            of = self._body(paper.names)
            body = helpers.timestamp(
                self._home, catalogue_version=of.version, catalogue_digest=sha256(dump(of)).digest(),
                root_version=paper.root, audit_head=content, **fields,
            )  # fmt: skip
        return replace(body, fleet=fleet)

    def _root(self, paper: Paper, fleet: bytes) -> Root:
        holders = dict(paper.holders)
        roles: dict[str, list[str]] = {}
        for role, what in paper.roles:
            for name in what.keys:
                roles.setdefault(name, []).append(role)
        return Root(
            type="root", fleet=fleet, subject=(), version=paper.version, issued=paper.issued, expires=paper.expires,
            keys=tuple(
                RootKey(key=key(name).public, roles=tuple(held), holder=holders.get(name, name))
                for name, held in roles.items()
            ),
            policy=tuple(PolicyRow(type=role, demands={role: what.threshold}) for role, what in paper.roles),
            exercise=False,
        )  # fmt: skip


NAME_OF = {"root": "root", "timestamp": "timestamp", "catalogue": "snapshot", "notice": "targets"}


@lru_cache(maxsize=256)
def _tuf_key(name: str) -> CryptoSigner:
    private = Ed25519PrivateKey.from_private_bytes(sha256(f"tuf {name}".encode()).digest())
    public = private.public_key().public_bytes_raw().hex()
    return CryptoSigner(private, SSlibKey(name, "ed25519", "ed25519", {"public": public}))


@lru_cache(maxsize=4_096)
def _tuf_bytes(paper: Paper) -> bytes:
    expires = datetime.fromtimestamp(paper.expires, UTC)
    signed: tuf.Signed
    if paper.kind == "root":
        keys = {name: _tuf_key(name).public_key for _, role in paper.roles for name in role.keys}
        roles = {NAME_OF[kind]: tuf.Role(list(role.keys), role.threshold) for kind, role in paper.roles}
        signed = tuf.Root(paper.version, expires=expires, keys=keys, roles=roles, consistent_snapshot=False)
    elif paper.kind == "timestamp":
        signed = tuf.Timestamp(paper.version, expires=expires, snapshot_meta=_tuf_meta(paper))
    elif paper.kind == "catalogue":
        signed = tuf.Snapshot(paper.version, expires=expires, meta={"targets.json": _tuf_meta(paper)})
    else:
        signed = tuf.Targets(paper.version, expires=expires)
    signed.unrecognized_fields["x-content"] = paper.content
    document = tuf.Metadata(signed)
    for name in dict.fromkeys(paper.by):
        document.sign(_tuf_key(name), append=True)
    for name in paper.forged:
        document.signatures[name] = tuf.Signature(name, "00" * 64)
    data = document.to_dict()
    data["signatures"] += [data["signatures"][paper.by.index(name)] for name in _again(paper.by)]
    return json.dumps(data).encode()


def _again(names: tuple[str, ...]) -> list[str]:
    return [name for index, name in enumerate(names) if name in names[:index]]


def _tuf_meta(paper: Paper) -> tuf.MetaFile:
    assert paper.names is not None
    data = _tuf_bytes(paper.names)
    return tuf.MetaFile(paper.names.version, len(data), {"sha256": sha256(data).hexdigest()})


class Tuf(FetcherInterface):  # type: ignore[misc]
    """python-tuf's client with its cache in a folder; the shelf is its mirror."""

    def __init__(self, root_1: Paper, folder: Path) -> None:
        self._root_1 = _tuf_bytes(root_1)
        self._folder = folder
        self._shelf = Shelf()

    def visit(self, shelf: Shelf, now: int) -> str:
        self._shelf = shelf
        updater = Updater(str(self._folder), "https://example.com", fetcher=self, bootstrap=self._root_1)
        updater._trusted_set.reference_time = datetime.fromtimestamp(now, UTC)  # the clock of this story
        try:
            updater.refresh()
        except tuf_errors.UnsignedMetadataError:
            return SIGNATURE
        except tuf_errors.BadVersionNumberError:
            return VERSION
        except tuf_errors.ExpiredMetadataError:
            return EXPIRY
        except (tuf_errors.LengthOrHashMismatchError, tuf_errors.DownloadLengthMismatchError):
            return MISMATCH
        except tuf_errors.RepositoryError:
            return KIND
        return OK

    def _fetch(self, url: str) -> Iterator[bytes]:
        *number, name, _ = url.rpartition("/")[2].split(".")
        if number:
            paper = self._shelf.roots.get(int(number[0]))
        else:
            paper = next((p for k, p in self._shelf.papers.items() if NAME_OF[k] == name), None)
        if paper is None:
            raise tuf_errors.DownloadHTTPError("not there", 404)
        return iter([_tuf_bytes(paper)])
