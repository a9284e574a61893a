"""The log of what runs: one line an event, as text for people or as JSON for machines.

A line says when, how bad, a stable code, which worker, and a sentence. What others wrote into it cannot begin
another line or steer a terminal, and what looks like a secret is struck out.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from typing import Any, Final, TextIO

from gateway import files
from keys.errors import TocsinError

FORMS: Final = ("text", "json")
LETTERS_MAX: Final = 8_000  # of a message, and of a traceback
_STRUCK: Final = (  # whatever else keeps secrets out of messages, these do not leave here
    re.compile(r"(whsec_)[A-Za-z0-9+/=_-]+"),
    re.compile(r"(tocsin_)[A-Za-z0-9_-]{16,}"),
    re.compile(r"(Bearer )\S+", re.IGNORECASE),
    re.compile(r"(://)[^/\s@]+(?=@)"),
    # also as it stands in an address, where a space is %20 or +
    re.compile(r"(-----BEGIN[A-Z0-9 +%]*PRIVATE[ +%20]+KEY[A-Z +%20]*-----).*?(?=-----END|$)", re.DOTALL),
)


class Lines(logging.Formatter):
    """Writes an event as one line.

    Args:
        form: ``text`` or ``json``.
        worker: name of this process among those on the store.
    """

    def __init__(self, form: str, worker: str = "") -> None:
        super().__init__()
        self._form, self._worker = form, worker

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        facts = self._facts(record)
        if self._form == "json":
            return json.dumps(facts, ensure_ascii=True, separators=(",", ":"))
        head = " ".join(filter(None, (facts["level"], facts["code"], facts["worker"])))
        trace = f" | {facts['trace']}" if "trace" in facts else ""
        line = f"tocsin: {facts['time']} {head}: {facts['message']}{trace}"
        return files.visible(line).replace("\n", "\\n")

    def _facts(self, record: logging.LogRecord) -> dict[str, Any]:
        facts = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "code": _code(record),
            "worker": self._worker,
            "message": _struck(_message(record)),
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[1] is not None:
            facts["trace"] = _struck("".join(traceback.format_exception(record.exc_info[1])).rstrip())
        return facts


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # arguments that do not fit: a line all the same
        return str(record.msg)


def _code(record: logging.LogRecord) -> str:
    """Return the code that was said, or that of the error that the line is about."""
    said = getattr(record, "code", None)
    if isinstance(said, str):
        return said
    arguments = record.args if isinstance(record.args, tuple) else ()
    errors = [*arguments, record.exc_info[1] if record.exc_info else None]
    found = next((error.code for error in errors if isinstance(error, TocsinError)), None)
    return found or ("BUG" if record.exc_info else "NOTE")


def _struck(text: str) -> str:
    for pattern in _STRUCK:
        text = pattern.sub(r"\1***", text)
    return text if len(text) <= LETTERS_MAX else text[:LETTERS_MAX] + "..."


def setup(form: str = "text", worker: str = "", stream: TextIO | None = None) -> logging.Handler:
    """Let everything that is logged in this process leave by one way; a former one is replaced.

    Args:
        form: one of :data:`FORMS`.
        worker: name of this process among those on the store.
        stream: where to; standard error if left out.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines(form, worker))
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old.formatter, Lines)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    return handler
