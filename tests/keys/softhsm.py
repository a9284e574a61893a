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

from keys.algorithms import Algorithm
from keys.errors import TocsinError
from keys.signer import open_signer

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = b"918273-correct-horse"
SO_PIN = "so-pin-564738"
P256 = bytes.fromhex("06082a8648ce3d030107")
ED25519 = bytes.fromhex("130c656477617264733235353139")
URI = "pkcs11:token=signing;object=legal-1"
BOTH = [Algorithm.ED25519, Algorithm.ESP256]
A = pkcs11.Attribute


def pin(_: str) -> bytes:
    return PIN


def never(_: str) -> bytes:
    raise AssertionError("nobody should be asked")


def refused(code: str, uri: str = URI, passphrase: Any = pin) -> TocsinError:
    with pytest.raises(TocsinError) as error:
        open_signer(uri, passphrase)
    assert error.value.code == code
    assert error.value.mend
    assert error.value.where
    return error.value


def pair(session: Any, parameters: bytes = P256, **named: Any) -> tuple[Any, Any]:
    """A pair made with python-pkcs11 alone."""
    edwards = parameters == ED25519
    kind = pkcs11.KeyType.EC_EDWARDS if edwards else pkcs11.KeyType.EC
    curve = session.create_domain_parameters(kind, {A.EC_PARAMS: parameters}, local=True)
    mechanism = 0x1055 if edwards else 0x1040
    made = curve.generate_keypair(
        store=True,
        mechanism=pkcs11.Mechanism(mechanism),
        capabilities=named.pop("capabilities", pkcs11.MechanismFlag.SIGN | pkcs11.MechanismFlag.VERIFY),
        **named,
    )
    return made[0], made[1]


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


def require() -> None:
    """Skip the test where SoftHSM2 is not installed; in CI, fail."""
    if not MODULE.exists() or shutil.which("softhsm2-util") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs SoftHSM2 (apt-get install softhsm2)")
        pytest.skip("SoftHSM2 is not installed (apt-get install softhsm2)")


def start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    """Give the test a SoftHSM2 with one token, "signing"."""
    require()
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    hsm = SoftHsm(folder, {"SOFTHSM2_CONF": str(configuration), "TOCSIN_PKCS11_MODULE": str(MODULE)})
    for name, value in hsm.environment.items():
        monkeypatch.setenv(name, value)
    hsm.new_token("signing")
    return hsm
