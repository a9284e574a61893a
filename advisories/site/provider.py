"""The tree of a CSAF provider (CSAF 2.0, section 7): metadata, documents with hashes, lists and a ROLIE feed.

With OpenPGP signatures beside the documents it is a trusted provider's, without them a provider's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from advisories.site.edition import Site

ROOT: Final = ".well-known/csaf"
LABEL: Final = "WHITE"  # CSAF 2.0 still writes TLP:CLEAR so; nothing else is public


@dataclass(frozen=True, slots=True)
class Document:
    """One CSAF document and where it lies below :data:`ROOT`."""

    path: str
    data: bytes
    id: str
    title: str
    first: str
    current: str


def documents(site: Site) -> list[Document]:
    """Return the newest CSAF document of each notice and language, the latest first.

    Raises:
        ValueError: a document that is not CSAF, or two that would lie at one path.
    """
    found: dict[str, Document] = {}
    for edition in site.current:
        for data in edition.csaf.values():
            made = _document(data)
            if made.path in found:
                raise ValueError(f"two documents would lie at {made.path}")
            found[made.path] = made
    return sorted(found.values(), key=lambda each: (each.current, each.path), reverse=True)


def _document(data: bytes) -> Document:
    try:
        document = json.loads(data)["document"]
        tracking = document["tracking"]
        first, current = tracking["initial_release_date"], tracking["current_release_date"]
        name = filename(tracking["id"])
        path = f"{LABEL.lower()}/{first[:4]}/{name}"
        return Document(path, data, tracking["id"], document["title"], first, current)
    except (ValueError, KeyError, TypeError):
        raise ValueError("this is no CSAF document") from None


def filename(tracking_id: str) -> str:
    """Return the name of a document's file (CSAF 2.0, section 5.1)."""
    kept = "abcdefghijklmnopqrstuvwxyz0123456789+-"
    name = ""
    for letter in tracking_id.lower():
        if letter in kept:
            name += letter
        elif not name.endswith("_"):
            name += "_"
    return f"{name}.json"


def tree(site: Site, signatures: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    """Return every file of the tree by its path below the site.

    Args:
        site: what is published.
        signatures: path of a document below :data:`ROOT` -> its armoured detached signature.

    Raises:
        ValueError: as of :func:`documents`; or signatures without a public key in ``site.openpgp``.
    """
    publisher = site.organisation.publisher
    listed = documents(site)
    if publisher is None:
        return {}
    signed = bool(signatures) and all(each.path in (signatures or {}) for each in listed)
    if signatures and site.openpgp is None:
        raise ValueError("documents are signed, and the public key is missing")
    files: dict[str, bytes] = {}
    for each in listed:
        name = each.path.rpartition("/")[2]
        files[each.path] = each.data
        files[f"{each.path}.sha256"] = f"{hashlib.sha256(each.data).hexdigest()}  {name}\n".encode()
        files[f"{each.path}.sha512"] = f"{hashlib.sha512(each.data).hexdigest()}  {name}\n".encode()
        if signed and signatures:
            files[f"{each.path}.asc"] = signatures[each.path]
    folder = LABEL.lower()
    inside = [(each.path.removeprefix(f"{folder}/"), each) for each in listed]
    files[f"{folder}/index.txt"] = "".join(f"{path}\n" for path, _ in sorted(inside)).encode()
    changes = (f'"{path}","{each.current}"\n' for path, each in inside)
    files[f"{folder}/changes.csv"] = "".join(changes).encode()
    files[f"{folder}/feed-tlp-{folder}.json"] = _json(_feed(site, listed, signed=signed))
    if signed and site.openpgp is not None:
        files["openpgp/key.asc"] = site.openpgp
    files["provider-metadata.json"] = _json(_metadata(site, listed, signed=signed))
    return {f"{ROOT}/{path}": data for path, data in sorted(files.items())}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"


def _feed(site: Site, listed: list[Document], *, signed: bool) -> dict[str, Any]:
    """Return the ROLIE feed (RFC 8322, as CSAF 2.0 section 7.1.15 profiles it)."""
    base = f"{site.base}/{ROOT}"
    folder = LABEL.lower()
    return {
        "feed": {
            "id": f"csaf-feed-tlp-{folder}",
            "title": f"CSAF feed (TLP:{LABEL})",
            "link": [{"rel": "self", "href": f"{base}/{folder}/feed-tlp-{folder}.json"}],
            "category": [{"scheme": "urn:ietf:params:rolie:category:information-type", "term": "csaf"}],
            "updated": listed[0].current if listed else "1970-01-01T00:00:00Z",
            "entry": [
                {
                    "id": each.id,
                    "title": each.title,
                    "link": [*_links(base, each, signed=signed)],
                    "published": each.first,
                    "updated": each.current,
                    "content": {"type": "application/json", "src": f"{base}/{each.path}"},
                    "format": {
                        "schema": "https://docs.oasis-open.org/csaf/csaf/v2.0/csaf_json_schema.json",
                        "version": "2.0",
                    },
                }
                for each in listed
            ],
        }
    }


def _links(base: str, each: Document, *, signed: bool) -> Iterator[dict[str, str]]:
    yield {"rel": "self", "href": f"{base}/{each.path}"}
    yield {"rel": "hash", "href": f"{base}/{each.path}.sha256"}
    yield {"rel": "hash", "href": f"{base}/{each.path}.sha512"}
    if signed:
        yield {"rel": "signature", "href": f"{base}/{each.path}.asc"}


def _metadata(site: Site, listed: list[Document], *, signed: bool) -> dict[str, Any]:
    base, publisher = f"{site.base}/{ROOT}", site.organisation.publisher
    assert publisher is not None
    folder = LABEL.lower()
    about = {"category": publisher.category, "name": publisher.name, "namespace": publisher.namespace}
    if publisher.contact:
        about["contact_details"] = publisher.contact
    if publisher.authority:
        about["issuing_authority"] = publisher.authority
    feed = {
        "summary": "Every notice that is public.",
        "tlp_label": LABEL,
        "url": f"{base}/{folder}/feed-tlp-{folder}.json",
    }
    found: dict[str, Any] = {
        "canonical_url": f"{base}/provider-metadata.json",
        "distributions": [{"directory_url": f"{base}/{folder}/"}, {"rolie": {"feeds": [feed]}}],
        "last_updated": listed[0].current if listed else "1970-01-01T00:00:00Z",
        "list_on_CSAF_aggregators": not any(each.notice.exercise for each in site.editions),
        "metadata_version": "2.0",
        "mirror_on_CSAF_aggregators": not any(each.notice.exercise for each in site.editions),
        "publisher": about,
        "role": "csaf_trusted_provider" if signed else "csaf_provider",
    }
    if signed:
        found["public_openpgp_keys"] = [{"url": f"{base}/openpgp/key.asc"}]
    return found
