"""Names of tests as names of folders."""

from __future__ import annotations

import hashlib
import re
from typing import Final

CHARACTERS_MAX: Final = 90
_DIGEST_CHARACTERS: Final = 10
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_.-]+")


def folder(test: str) -> str:
    """Return the folder's name for a test: readable, at most 90 characters, and another one for each test.

    It ends in a digest of the whole name. So tests differ also where what is readable is the same, and where
    a file system takes capitals for small letters.

    Args:
        test: pytest's name of the test, such as ``tests/test_boot.py::test_answers[cold]``.
    """
    digest = hashlib.sha256(test.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]
    path, _, rest = test.partition("::")
    readable = "-".join((path.rpartition("/")[2].removesuffix(".py"), *rest.split("::")))
    readable = _UNSAFE.sub("-", readable).strip("-.")[: CHARACTERS_MAX - _DIGEST_CHARACTERS - 1]
    return f"{readable.rstrip('-.') or 'test'}-{digest}"
