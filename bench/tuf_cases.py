"""The same refresh for python-tuf: its trusted set alone, and its whole client without a network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api import dsse
from tuf.api import metadata as tuf
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from bench.cases import ADVISORY, ENTRIES, Refresh
from bench.measure import Work
from keys.document import body_bytes


@dataclass(frozen=True)
class TufRefresh:
    """The same content for python-tuf: the notice is a target, and the catalogue's entries are targets."""

    root: bytes
    timestamp: bytes
    snapshot: bytes
    targets: bytes
    target: bytes
    former: Mapping[str, bytes]
    """What a client has in its cache before."""
    envelope: EnvelopeType

    def load(self) -> TrustedMetadataSet:
        """Return a client's set with its root loaded."""
        return TrustedMetadataSet(self.root, self.envelope)

    def verify(self, trusted: TrustedMetadataSet) -> None:
        """Verify everything, and that the target is the one named."""
        trusted.update_timestamp(self.timestamp)
        trusted.update_snapshot(self.snapshot)
        trusted.update_targets(self.targets)
        trusted.targets.targets[ADVISORY].verify_length_and_hashes(self.target)

    def work(self) -> Work:
        """Return the refresh as something to be timed."""
        return Work(self.verify, self.load)

    def client_work(self, folder: Path) -> Work:
        """Return a start of the whole client and its refresh as something to be timed.

        Its cache holds the files before these, as a client's does that refreshes every day.
        """
        mirror, numbers = _Mirror(self), count()

        def fill() -> str:
            cache = folder / str(next(numbers))
            cache.mkdir()
            for role, data in self.former.items():
                (cache / f"{role}.json").write_bytes(data)
            return str(cache)

        def run(cache: str) -> None:
            config = UpdaterConfig(envelope_type=self.envelope)
            updater = Updater(cache, _URL, cache, _URL, mirror, config, bootstrap=None)
            updater.refresh()
            updater.download_target(updater.get_targetinfo(ADVISORY))

        return Work(run, fill)

    def sizes(self) -> dict[str, int]:
        """Return the bytes of each file, as sent."""
        return {
            "timestamp": len(self.timestamp),
            "snapshot": len(self.snapshot),
            "targets": len(self.targets),
            "target": len(self.target),
        }


class _Mirror(FetcherInterface):
    """Serves the files from memory."""

    def __init__(self, of: TufRefresh) -> None:
        self._files = {
            f"{_URL}/timestamp.json": of.timestamp,
            f"{_URL}/snapshot.json": of.snapshot,
            f"{_URL}/targets.json": of.targets,
            f"{_URL}/{ADVISORY}": of.target,
        }

    def _fetch(self, url: str) -> Iterator[bytes]:
        if url not in self._files:
            raise DownloadHTTPError("not there", 404)
        return iter((self._files[url],))


def _tuf_signer(name: str) -> CryptoSigner:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    public = private.public_key().public_bytes_raw()
    key = SSlibKey(hashlib.sha256(public).hexdigest(), "ed25519", "ed25519", {"public": public.hex()})
    return CryptoSigner(private, key)


_URL = "https://example.com"
_ROLES = {
    "root": ("root-1", "root-2", "root-3"),
    "timestamp": ("gateway-1",),
    "snapshot": ("operator-1",),
    "targets": ("engineering-1", "legal-1", "communications-1"),
}
_THRESHOLDS = {"root": 2, "timestamp": 1, "snapshot": 1, "targets": 3}


def tuf_refresh(ours: Refresh, envelope: EnvelopeType = EnvelopeType.METADATA) -> TufRefresh:
    """Return the files of a repository that publishes the body of our notice, unsigned, as a target.

    Hashes and lengths of files that the format leaves open are left out, so the client has less to do.
    """
    signers = {role: [_tuf_signer(name) for name in names] for role, names in _ROLES.items()}
    keys = {one.public_key.keyid: one.public_key for many in signers.values() for one in many}
    roles = {
        role: tuf.Role([one.public_key.keyid for one in many], _THRESHOLDS[role])
        for role, many in signers.items()
    }
    target = body_bytes(ours.notice)
    targets = {}
    for number in range(1, ENTRIES + 1):
        path = f"EX-2026-{number:04}"
        content = target if path == ADVISORY else target[:-1] + bytes((number,))
        targets[path] = tuf.TargetFile(len(content), {"sha256": hashlib.sha256(content).hexdigest()}, path)
    expires = datetime.fromtimestamp(2**32, UTC).replace(microsecond=0)
    root = tuf.Root(1, expires=expires, keys=keys, roles=roles, consistent_snapshot=False)

    def files(version: int) -> dict[str, bytes]:
        meta = tuf.MetaFile(version)
        bodies = {
            "root": root,
            "timestamp": tuf.Timestamp(version, expires=expires, snapshot_meta=meta),
            "snapshot": tuf.Snapshot(version, expires=expires, meta={"targets.json": meta}),
            "targets": tuf.Targets(version, expires=expires, targets=targets),
        }
        return {
            role: _signed(body, signers[role][: _THRESHOLDS[role]], envelope) for role, body in bodies.items()
        }

    return TufRefresh(**files(2), target=target, former=files(1), envelope=envelope)


def _signed(body: Any, signers: list[CryptoSigner], envelope: EnvelopeType) -> bytes:
    if envelope is EnvelopeType.SIMPLE:
        simple = dsse.SimpleEnvelope.from_signed(body)
        for signer in signers:
            simple.sign(signer)
        return simple.to_bytes()
    file = tuf.Metadata(body)
    for signer in signers:
        file.sign(signer, append=True)
    return file.to_bytes()
