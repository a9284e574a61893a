"""Keys in a token: a real SoftHSM2, real sessions, real wrong PINs."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pkcs11 as cryptoki
import pytest

from keys import pkcs11
from keys.algorithms import Algorithm
from keys.errors import TocsinError
from keys.pkcs11_errors import TOLD
from keys.signer import open_signer, reachable
from tests.keys import softhsm
from tests.keys.softhsm import ED25519, MODULE, P256, PIN, SoftHsm

URI = "pkcs11:token=signing;object=legal-1"
BOTH = [Algorithm.ED25519, Algorithm.ESP256]


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    return softhsm.start(tmp_path, monkeypatch)


def pin(_: str) -> bytes:
    return PIN


@pytest.mark.parametrize("algorithm", BOTH)
def test_a_key_made_in_a_token_signs_there(hsm: SoftHsm, algorithm: Algorithm) -> None:
    made = pkcs11.generate(URI, pin, algorithm)
    signer = open_signer(URI, pin)
    assert signer.public == made
    for data in (b"", b"a notice", b"x" * 100_000):
        signature = signer.sign(data)
        assert len(signature) == 64
        assert made.verify(signature, data)
