"""What the programs among the tests take on their command line, checked before anything is begun."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path


def whole(least: int) -> Callable[[str], int]:
    """Return what reads a whole number that is not lower (argparse.ArgumentTypeError)."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"'{text}' is no whole number from {least} on")
        return number

    return read


def seconds(text: str) -> float:
    """Read a time of more than nothing and less than for ever (argparse.ArgumentTypeError)."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds above 0")
    return number


def file(text: str) -> Path:
    """Read the name of a file that is there (argparse.ArgumentTypeError)."""
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path
