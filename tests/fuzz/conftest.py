"""Fixtures: the C device's core as a library."""

from tests.hil.refdevice.conftest import core, core_library

__all__ = ["core", "core_library"]
