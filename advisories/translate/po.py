"""Packages for translators as gettext PO files, with the flags that translation tools know."""

from __future__ import annotations

from typing import Final

import polib

from advisories.languages import is_language
from advisories.translate.units import FILE_BYTES_MAX, Package, Unit
from keys.errors import InputError

_SOURCE: Final = "X-Source-Language"
_ADVISORY: Final = "Project-Id-Version"


def write(package: Package) -> bytes:
    """Return the package as a PO file."""
    file = polib.POFile(wrapwidth=0)
    file.metadata = {
        _ADVISORY: package.advisory,
        "Language": package.language,
        _SOURCE: package.source_language,
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
    }
    for unit in package.units:
        said = [unit.note] if unit.note else []
        said += [f"At most {unit.bytes_max} bytes in UTF-8."] if unit.bytes_max is not None else []
        said += [f"Keep as it is: {', '.join(unit.protected)}"] if unit.protected else []
        flags = [f"max-length:{unit.letters_max}"] if unit.letters_max is not None else []
        if unit.protected:
            flags.append(f"placeholders:{':'.join(map(_quoted, unit.protected))}")
        file.append(
            polib.POEntry(
                msgctxt=unit.key, msgid=unit.source, msgstr=unit.target, comment="\n".join(said), flags=flags
            )
        )
    return (str(file) + "\n").encode()


def _quoted(word: str) -> str:
    return f'"{word}"' if ":" in word else word


def read(data: bytes, *, where: str) -> Package:
    """Read a PO file that came back; fuzzy and obsolete entries count as not translated.

    Raises:
        InputError: TRANSLATION_UNREADABLE.
    """
    if len(data) > FILE_BYTES_MAX:
        raise _unreadable(f"it has more than {FILE_BYTES_MAX} bytes", where)
    try:
        text = data.decode("utf-8-sig")
        file = polib.pofile(
            f"#\n{text}"
        )  # a first line of our own: what it is given is never taken for a path
    except UnicodeDecodeError:
        raise _unreadable("it is not UTF-8 text", where) from None
    except (OSError, ValueError, IndexError, AttributeError, TypeError) as error:
        reason = (str(error).splitlines() or ["it is no PO file"])[0].replace("\n", " ")
        raise _unreadable(_plain(reason), where) from None
    # gettext's tools write pt_BR for what everybody else calls pt-BR.
    language, source = (file.metadata.get(name, "").replace("_", "-") for name in ("Language", _SOURCE))
    for tag in (language, source):
        if not is_language(tag):
            raise _unreadable(f"'{_plain(tag)}' in its header is no language", where)
    units = tuple(
        Unit(entry.msgctxt or "", entry.msgid, "" if entry.fuzzy else entry.msgstr)
        for entry in file
        if not entry.obsolete
    )
    return Package(file.metadata.get(_ADVISORY, ""), source, language, units)


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:120].rstrip(".")


def _unreadable(why: str, where: str) -> InputError:
    return InputError(
        "TRANSLATION_UNREADABLE",
        f"This PO file cannot be read: {why}.",
        mend="Export it again, or save it as UTF-8 from the translation tool.",
        where=where,
    )
