"""``/.well-known/security.txt`` (RFC 9116): how weaknesses are reported to us."""

from __future__ import annotations

from typing import Final

from advisories.facts.matter import ContactKind
from advisories.site.edition import Site
from advisories.site.feed import stamp

EXPIRES_SECONDS: Final = 300 * 86_400
"""RFC 9116, section 2.5.5 recommends less than a year."""
_PREFIX: Final = {ContactKind.MAIL: "mailto:", ContactKind.PHONE: "tel:", ContactKind.PAGE: ""}


def security_txt(site: Site) -> bytes | None:
    """Return the file, or None where no contact is known: without one it may not exist (section 2.5.3)."""
    made = site.organisation
    contacts = [
        f"Contact: {_PREFIX[each.kind]}{each.value.replace(' ', '')}"
        for each in sorted(made.contacts, key=lambda each: list(ContactKind).index(each.kind))
        if each.kind in _PREFIX and not each.value.startswith("http:")  # section 2.5.3: https only
    ]
    if not contacts:
        return None
    lines = [*contacts, f"Expires: {stamp(site.now + EXPIRES_SECONDS)}"]
    if made.openpgp:
        lines.append(f"Encryption: {made.openpgp}")
    if made.policy:
        lines.append(f"Policy: {made.policy}")
    lines.append(f"Preferred-Languages: {', '.join(site.languages)}")
    lines.append(f"Canonical: {site.base}/.well-known/security.txt")
    if made.publisher is not None:
        lines.append(f"CSAF: {site.base}/.well-known/csaf/provider-metadata.json")
    return "".join(f"{line}\n" for line in lines).encode()
