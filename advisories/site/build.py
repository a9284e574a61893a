"""All files of the public site. Pure: the same editions give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping

from advisories.site import pages, provider
from advisories.site.edition import Site
from advisories.site.feed import atom
from advisories.site.securitytxt import security_txt


def build(site: Site, signatures: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    """Return path -> bytes of every file.

    Args:
        site: what is published; a caller has left out what is under embargo or not TLP:CLEAR.
        signatures: armoured detached OpenPGP signatures of CSAF documents, by path as
            :func:`advisories.site.provider.documents` names them.

    Raises:
        ValueError: as of :func:`advisories.site.provider.tree`.
    """
    files: dict[str, bytes] = {}
    for language in site.languages:
        files[f"{language}/index.html"] = pages.index(site, language)
        files[f"{language}/check.html"] = pages.check(site, language)
        files[f"{language}/feed.atom"] = atom(site, language)
    if site.languages:
        first = site.languages[0]
        files["index.html"] = _from_root(files[f"{first}/index.html"], first)
    for edition in site.editions:
        notice = edition.notice
        home = f"notices/{notice.id}/r{notice.revision}"
        files |= {f"{home}/{name}": data for name, data in edition.pages.items()}
        files |= {f"{home}/{language}/csaf.json": data for language, data in edition.csaf.items()}
        if edition.document:
            files[f"{home}/notice.cose"] = edition.document
    for edition in site.current:
        home = f"notices/{edition.notice.id}"
        files |= {f"{home}/{name}": data for name, data in edition.pages.items()}
        files |= {f"{home}/{language}/csaf.json": data for language, data in edition.csaf.items()}
    txt = security_txt(site)
    if txt is not None:
        files[".well-known/security.txt"] = txt
    return files | provider.tree(site, signatures)


def _from_root(page: bytes, language: str) -> bytes:
    """Return an index page with its links as they are one folder higher."""
    text = (
        page.decode()
        .replace('href="../', 'href="')
        .replace('href="check.html"', f'href="{language}/check.html"')
    )
    return text.replace('href="feed.atom"', f'href="{language}/feed.atom"').encode()
