"""A token in use: threads, processes, tokens that go away, and what stays open (nothing)."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pkcs11 as cryptoki
import pytest

from keys import pkcs11
from keys.algorithms import Algorithm
from keys.errors import InputError, TocsinError, UnavailableError
from keys.pkcs11_errors import TOLD, Trouble
from keys.signer import open_signer, reachable
from tests.keys import softhsm
from tests.keys.softhsm import BOTH, MODULE, PIN, URI, A, SoftHsm, pair, pin, refused


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftHsm:
    return softhsm.start(tmp_path, monkeypatch)


def test_a_token_that_is_pulled_out_and_put_back(hsm: SoftHsm, tmp_path: Path) -> None:
    pkcs11.generate(URI, pin, Algorithm.ED25519)
    signer = open_signer(URI, pin)
    shutil.move(tmp_path / "tokens", tmp_path / "pocket")
    (tmp_path / "tokens").mkdir()
    with pytest.raises(UnavailableError) as error:
        signer.sign(b"x")
    assert error.value.code == "KEY_TOKEN_MISSING"
    refused("KEY_TOKEN_MISSING")
    assert not reachable(URI)
    (tmp_path / "tokens").rmdir()
    shutil.move(tmp_path / "pocket", tmp_path / "tokens")
    assert signer.public.verify(signer.sign(b"x"), b"x")


def test_a_key_that_is_deleted_between_two_signatures(hsm: SoftHsm) -> None:
    pkcs11.generate(URI, pin, Algorithm.ED25519)
    signer = open_signer(URI, pin)
    with hsm.session("signing") as session:
        for thing in list(session.get_objects()):
            thing.destroy()
    with pytest.raises(InputError) as error:
        signer.sign(b"x")
    assert error.value.code == "KEY_MISSING"


def test_every_trouble_of_a_token_has_its_own_words(hsm: SoftHsm) -> None:
    known = {
        name for name in dir(cryptoki.exceptions) if isinstance(getattr(cryptoki.exceptions, name), type)
    }
    assert set(TOLD) <= known
    place = pkcs11.parse(URI)
    for name in sorted(known - {"PKCS11Error"}):
        kind = getattr(cryptoki.exceptions, name)
        if not issubclass(kind, cryptoki.PKCS11Error):
            continue
        with pytest.raises(TocsinError) as error, pkcs11._opened(place):
            raise kind("what the library says")
        expected = TOLD.get(name, Trouble.FAILED)
        assert error.value.code == expected.value[1]
        assert (name in error.value.message) is (expected is Trouble.FAILED)
        assert "what the library says" not in str(error.value)


def test_the_codes_of_a_token_are_distinct_in_meaning() -> None:
    codes = [trouble.value[1] for trouble in Trouble]
    assert {code for code in codes if codes.count(code) > 1} == {"KEY_PASSPHRASE"}
    assert all(trouble.value[3].endswith(".") and trouble.value[2].endswith(".") for trouble in Trouble)


def _closed() -> bool:
    return not cryptoki._loaded[str(MODULE)].initialized


def test_nothing_stays_open_whatever_happens(hsm: SoftHsm) -> None:
    pkcs11.generate(URI, pin, Algorithm.ED25519)
    assert _closed()
    signer = open_signer(URI, pin)
    assert _closed()
    signer.sign(b"x")
    assert _closed()
    refused("KEY_PASSPHRASE", URI, lambda _: b"0000")
    assert _closed()
    refused("KEY_MISSING", "pkcs11:object=nobody")
    assert _closed()
    assert reachable(URI)
    assert _closed()
    with pytest.raises(KeyboardInterrupt), pkcs11._session(pkcs11.parse(URI), PIN.decode()):
        raise KeyboardInterrupt
    assert _closed()


@pytest.mark.parametrize("shared", [True, False])
def test_threads_may_sign_at_the_same_time(hsm: SoftHsm, shared: bool) -> None:
    for n in range(3):
        pkcs11.generate(f"pkcs11:object=legal-{n}", pin, BOTH[n % 2])
    signers = [open_signer(f"pkcs11:object=legal-{n}", pin) for n in range(3)]
    together = threading.Barrier(6)

    def work(n: int) -> bool:
        together.wait(30)
        signer = signers[n % 3] if shared else open_signer(f"pkcs11:object=legal-{n % 3}", pin)
        return all(signer.public.verify(signer.sign(bytes([n, i])), bytes([n, i])) for i in range(10))

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(6))) == [True] * 6


PROGRAM = """
import os, sys
from keys.signer import open_signer
signer = open_signer(sys.argv[1], lambda _: os.environb[b"THE_PIN"])
print("ready", flush=True)
sys.stdin.readline()
child = os.fork() if "fork" in sys.argv else None
good = all(signer.public.verify(signer.sign(bytes([n])), bytes([n])) for n in range(20))
if child == 0:
    os._exit(not good)
if child:
    good = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 and good
sys.exit(not good)
"""


@pytest.mark.parametrize("how", [[], ["fork"]])
def test_processes_may_sign_at_the_same_time(hsm: SoftHsm, how: list[str]) -> None:
    pkcs11.generate(URI, pin, Algorithm.ED25519)
    environment = os.environ | {"THE_PIN": PIN.decode()}
    command = [sys.executable, "-c", PROGRAM, URI, *how]
    pipe = subprocess.PIPE
    running = [
        subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        for _ in "ab"
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.communicate("go\n", timeout=60)[1] == ""
    assert [process.returncode for process in running] == [0, 0]
    assert open_signer(URI, pin).sign(b"x")


def test_a_token_that_demands_a_login_counts_as_reachable(hsm: SoftHsm) -> None:
    # Whether the key is in there only its PIN would show, and that is not asked for.
    assert reachable("pkcs11:token=signing;object=nobody-knows")
    assert not reachable("pkcs11:token=other")


def test_a_token_without_a_login_shows_what_it_holds(hsm: SoftHsm) -> None:
    # SoftHSM2 always demands one; the token's flags are all that differs here.
    with hsm.session("signing") as session:
        pair(session, label="legal-1", id=b"1", private_template={A.PRIVATE: False})
    with pkcs11._opened(pkcs11.parse(URI)) as (token,):
        open_token = _Open(token)
        assert pkcs11._may_hold(open_token, pkcs11.parse(URI))
        assert not pkcs11._may_hold(open_token, pkcs11.parse("pkcs11:object=nobody"))


class _Open:
    """A token as it is, but for the flag that says it demands a login."""

    def __init__(self, token: Any) -> None:
        self.flags = token.flags & ~cryptoki.TokenFlag.LOGIN_REQUIRED
        self.open = token.open


def test_a_token_that_another_process_keeps_is_busy(hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    pkcs11.generate(URI, pin, Algorithm.ED25519)
    signer = open_signer(URI, pin)
    with MODULE.open("rb") as file, monkeypatch.context() as patch:
        fcntl.flock(file, fcntl.LOCK_EX)
        patch.setattr(pkcs11, "_WAIT_SECONDS", 0.0)
        with pytest.raises(UnavailableError) as error:
            signer.sign(b"x")
    assert error.value.code == "KEY_TOKEN_BUSY"
    assert signer.sign(b"x")


def test_a_module_that_nobody_may_read_is_one_clear_error(
    hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    assert "Permission denied" in refused("KEY_MODULE").message


def test_a_module_found_by_the_loader_alone_works_too(hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs11.os.path, "isfile", lambda _: False)
    pkcs11.generate(URI, pin, Algorithm.ED25519)
    assert open_signer(URI, pin).sign(b"x")


def test_a_token_that_becomes_free_is_used_at_once(hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    pkcs11.generate(URI, pin, Algorithm.ED25519)
    with MODULE.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        monkeypatch.setattr(pkcs11.time, "sleep", lambda _: fcntl.flock(file, fcntl.LOCK_UN))
        assert open_signer(URI, pin).sign(b"x")
