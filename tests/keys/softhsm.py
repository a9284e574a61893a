"""A SoftHSM2 of one test's own: tokens in a folder, driven by the real module; always there in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pkcs11
import pytest

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = b"918273-correct-horse"
SO_PIN = "so-pin-564738"
P256 = bytes.fromhex("06082a8648ce3d030107")
ED25519 = bytes.fromhex("130c656477617264733235353139")


@dataclass
class SoftHsm:
    """Tokens in a folder."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def new_token(self, label: str) -> None:
        self.run("--init-token", "--free", "--label", label, "--pin", PIN.decode(), "--so-pin", SO_PIN)

    def run(self, *arguments: str) -> str:
        environment = os.environ | self.environment
        done = subprocess.run(
            ["softhsm2-util", *arguments], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    @contextmanager
    def session(self, label: str, pin: str | None = PIN.decode()) -> Iterator[Any]:
        """Log in with python-pkcs11 alone, to lay things out in the token or look at them."""
        module = pkcs11.lib(str(MODULE))
        try:
            with module.get_token(token_label=label).open(rw=True, user_pin=pin) as session:
                yield session
        finally:
            module.finalize()


def start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    """Give the test a SoftHSM2 with one token, "signing", or skip it where SoftHSM2 is not installed."""
    if not MODULE.exists() or shutil.which("softhsm2-util") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs SoftHSM2 (apt-get install softhsm2)")
        pytest.skip("SoftHSM2 is not installed (apt-get install softhsm2)")
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    hsm = SoftHsm(folder, {"SOFTHSM2_CONF": str(configuration), "TOCSIN_PKCS11_MODULE": str(MODULE)})
    for name, value in hsm.environment.items():
        monkeypatch.setenv(name, value)
    hsm.new_token("signing")
    return hsm
