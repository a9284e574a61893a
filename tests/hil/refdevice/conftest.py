"""Fixtures: the C device's core as a library, and its programs, each built once a session."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from os import environ
from pathlib import Path

import pytest

from . import build
from .device_of_c import Device


def _needed(program: str, package: str) -> None:
    if shutil.which(program) is None:
        told = f"{program} is not installed (Debian: apt-get install {package})"
        if environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)


@pytest.fixture(scope="session")
def needed() -> Callable[[str, str], None]:
    """Skip where a program is not installed, and fail where CI is true."""
    return _needed


@pytest.fixture(scope="session")
def core_library() -> Iterator[build.Core]:
    """The core as a library, built and loaded."""
    _needed("cc", "gcc")
    _needed("make", "make")
    core = build.core()
    yield core
    core.new()  # which writes down the branches of the last test, where they are counted


@pytest.fixture(scope="session")
def host_device(needed: Callable[[str, str], None]) -> Path:
    """The device as a program for this machine, with ASan and UBSan: ``DEVICE FLASH PORT``."""
    needed("cc", "gcc")
    return build.host()


@pytest.fixture(scope="session")
def qemu_device(needed: Callable[[str, str], None]) -> Path:
    """The device as an image for ``qemu-system-arm -M mps2-an385``, a test build."""
    needed("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    needed("qemu-system-arm", "qemu-system-arm")
    return build.built("qemu", "tocsin-device.elf")


@pytest.fixture
def core(core_library: build.Core) -> Iterator[build.Core]:
    """The core with erased flash, just switched on; afterwards no flash must have been ill-treated."""
    core_library.new()
    yield core_library
    assert core_library.wrong == ""


@pytest.fixture
def device(core: build.Core) -> Device:
    """A device that listens to its line, and to which nothing was brought."""
    found = Device(core)
    core.lib.tn_provision_apply()
    core.lib.tn_start()
    core.sent()
    return found
