"""Signing requests: what a signer is shown, what is refused, and that it needs neither network nor workspace."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advisories import suit
from advisories.notice import Notice, ReleaseList
from advisories.suit.envelope import digest_of
from gateway.cli import homes
from gateway.operations import patches
from gateway.operations.trust import ceremonies, requests, roots
from gateway.operations.trust.request_files import (
    ANSWER_BYTES_MAX,
    REQUEST_BYTES_MAX,
    Kind,
    Request,
    encode_request,
    read_answer,
    read_request,
)
from gateway.workspace.folder import Workspace
from keys.cbor import decode, encode
from keys.codec import dump, load
from keys.errors import InputError, RefusedError, TocsinError
from keys.reasons import Reason
from tests.cli.conftest import ADVISORY, Tocsin, snapshot

NOW = 1_900_000_000
OFFLINE = """\
import socket, sys
def no_network(*_args, **_keywords):
    raise OSError("this machine has no network")
socket.socket.connect = socket.socket.bind = socket.create_connection = socket.getaddrinfo = no_network
"""


def _patch(workspace: Workspace) -> str:
    image = workspace.path / "image.bin"
    image.write_bytes(homes.firmware("thermostat", (1, 4, 2, 0)))
    return str(patches.add(workspace, "thermostat", image, now=NOW).patch.sequence)


def _root(workspace: Workspace) -> ceremonies.Exported:
    roots.rotate(workspace, now=int(workspace.trusted().root.issued) + 60, by="exercise")
    return ceremonies.export_root(workspace)


EXPORTS: dict[str, Callable[[Workspace], ceremonies.Exported]] = {
    "root": _root,
    "notice": lambda workspace: ceremonies.export_advisory(workspace, ADVISORY, now=NOW),
    "patch": lambda workspace: ceremonies.export_patch(workspace, _patch(workspace)),
}
SIGNERS = {"root": "root-anna", "notice": "legal", "patch": "release"}
KINDS = pytest.mark.parametrize("kind", EXPORTS)


def _no_passphrase(_name: str) -> bytes:
    return b""


def _answer(workspace: Workspace, data: bytes, key: str) -> bytes:
    return requests.sign(requests.judge(data), workspace.signer(key, _no_passphrase))


@KINDS
def test_an_answer_is_the_signature_that_would_have_been_made_here(workspace: Workspace, kind: str) -> None:
    exported = EXPORTS[kind](workspace)
    answer = _answer(workspace, exported.data, SIGNERS[kind])
    done = ceremonies.take(workspace, answer, now=NOW, by="exercise")
    assert done.changed
    assert SIGNERS[kind].removeprefix("root-") in done.signed.holder
    after = snapshot(workspace.path)
    again = ceremonies.take(workspace, answer, now=NOW, by="exercise")
    assert not again.changed
    assert again.missing == done.missing
    assert snapshot(workspace.path) == after


@KINDS
def test_the_same_request_is_exported_again_after_a_signature(workspace: Workspace, kind: str) -> None:
    exported = EXPORTS[kind](workspace)
    ceremonies.take(workspace, _answer(workspace, exported.data, SIGNERS[kind]), now=NOW, by="exercise")
    again = {
        "root": lambda: ceremonies.export_root(workspace),
        "notice": lambda: ceremonies.export_advisory(workspace, ADVISORY, now=NOW + 99),
        "patch": lambda: ceremonies.export_patch(workspace, "thermostat@1.4.2"),
    }[kind]()
    assert again.data == exported.data


@KINDS
def test_a_key_without_a_say_signs_nothing(workspace: Workspace, kind: str) -> None:
    exported = EXPORTS[kind](workspace)
    judged = requests.judge(exported.data)
    with pytest.raises(InputError) as refused:
        requests.sign(judged, workspace.signer("gateway", _no_passphrase))
    assert refused.value.code == "WRONG_ROLE"


@KINDS
def test_an_answer_by_a_key_without_a_say_is_refused(workspace: Workspace, kind: str) -> None:
    exported = EXPORTS[kind](workspace)
    right = read_answer(_answer(workspace, exported.data, SIGNERS[kind]))
    before = snapshot(workspace.path)
    gateway = workspace.key("gateway").public
    for wrong, code in (
        (replace(right, kid=gateway.thumbprint), "BAD_SIGNATURE"),
        (replace(right, kid=bytes(32)), "KEY_NOT_IN_ROOT"),
        (replace(right, alg=9), "ALGORITHM_MISMATCH"),
        (replace(right, value=bytes(64)), "BAD_SIGNATURE"),
        (replace(right, value=right.value[:-1]), "BAD_SIGNATURE"),
        (replace(right, digest=bytes(32)), "ANSWER_STALE"),
    ):
        with pytest.raises(TocsinError) as refused:
            ceremonies.take(workspace, dump(wrong), now=NOW, by="exercise")
        assert refused.value.code == code
    assert snapshot(workspace.path) == before


def test_an_answer_over_an_older_draft_is_refused(workspace: Workspace) -> None:
    old = _root(workspace)
    answer = _answer(workspace, old.data, "root-anna")
    roots.rotate(workspace, now=NOW, by="exercise")
    with pytest.raises(InputError, match="another draft") as refused:
        ceremonies.take(workspace, answer, now=NOW, by="exercise")
    assert refused.value.code == "ANSWER_STALE"


def test_an_advisory_edited_after_the_export_takes_no_answer(workspace: Workspace) -> None:
    exported = EXPORTS["notice"](workspace)
    answer = _answer(workspace, exported.data, "legal")
    path = workspace.path / "advisories" / f"{ADVISORY}.yaml"
    path.write_text(path.read_text().replace("strangers", "people"))
    with pytest.raises(InputError) as refused:
        ceremonies.take(workspace, answer, now=NOW, by="exercise")
    assert refused.value.code == "APPROVALS_VOID"
    with pytest.raises(InputError, match="void"):
        ceremonies.export_advisory(workspace, ADVISORY, now=NOW)
    fresh = ceremonies.export_advisory(workspace, ADVISORY, now=NOW, restart=True)
    with pytest.raises(InputError) as stale:
        ceremonies.take(workspace, answer, now=NOW, by="exercise")
    assert stale.value.code == "ANSWER_STALE"
    assert ceremonies.take(workspace, _answer(workspace, fresh.data, "legal"), now=NOW, by="exercise").changed


@dataclass(frozen=True)
class Forged:
    """A request that shows something else than it would have signed."""

    name: str
    kind: str
    change: Callable[[Request], Request]
    reason: Reason


def _attach(name: str, data: bytes | None) -> Callable[[Request], Request]:
    def change(request: Request) -> Request:
        attached = {**request.attachments, name: data or b""}
        if data is None:
            del attached[name]
        return replace(request, attachments=attached)

    return change


def _listed(request: Request, change: Callable[[dict[str, bytes]], object]) -> Request:
    """Bind another release list by the header, as whoever makes a request can."""
    outputs = load(ReleaseList, request.attachments["release-list"], size_max=1_048_576).outputs
    change(outputs)
    listed = dump(ReleaseList(outputs=outputs))
    notice = load(Notice, request.body, size_max=len(request.body))
    body = dump(replace(notice, release_list=hashlib.sha256(listed).digest()))
    return _attach("release-list", listed)(replace(request, body=body))


def _tongues(request: Request) -> Request:
    """Let the header name the German text as the English one."""
    notice = load(Notice, request.body, size_max=len(request.body))
    body = dump(replace(notice, texts={**notice.texts, "en": notice.texts["de"]}))
    return _attach("text/en", request.attachments["text/de"])(replace(request, body=body))


def _sever(request: Request) -> Request:
    """Leave only the digest of a patch's words in the manifest, and the words out of the request."""
    whole = suit.decode(request.body)
    members = dict(decode(whole.manifest))
    (text,) = {23} & members.keys()
    members[text] = [-16, digest_of(encode(members[text]))]
    manifest = encode(members)
    return replace(request, body=suit.encode(suit.Envelope(digest_of(manifest), (), manifest)))


FORGED = [
    Forged(
        "a letter nobody sees",
        "notice",
        lambda r: _listed(r, lambda o: o.update({"letter": bytes(32)})),
        Reason.DIGEST_MISMATCH,
    ),
    Forged(
        "another screen",
        "notice",
        lambda r: _listed(r, lambda o: o.update({"en/console.txt": bytes(32)})),
        Reason.DIGEST_MISMATCH,
    ),
    Forged(
        "a screen left out",
        "notice",
        lambda r: _listed(r, lambda o: o.pop("led.txt")),
        Reason.DIGEST_MISMATCH,
    ),
    Forged("German words as English ones", "notice", _tongues, Reason.MALFORMED),
    Forged("words of a patch held back", "patch", _sever, Reason.DIGEST_MISMATCH),
    Forged("another text", "notice", _attach("text/en", b"\xa0"), Reason.DIGEST_MISMATCH),
    Forged("a text left out", "notice", _attach("text/de", None), Reason.DIGEST_MISMATCH),
    Forged("a text that nothing binds", "notice", _attach("text/fr", b"x"), Reason.DIGEST_MISMATCH),
    Forged("another release list", "notice", _attach("release-list", b"\xa0"), Reason.DIGEST_MISMATCH),
    Forged("words beside a root", "root", _attach("note", b"harmless"), Reason.DIGEST_MISMATCH),
    Forged("another product", "patch", _attach("product", b"doorbell"), Reason.WRONG_SUBJECT),
    Forged("another vendor", "patch", _attach("vendor", b"example.org"), Reason.WRONG_SUBJECT),
    Forged("a product that is no text", "patch", _attach("product", b"\xff"), Reason.MALFORMED),
    Forged("a root as a notice", "root", lambda r: replace(r, kind=Kind.NOTICE), Reason.MALFORMED),
    Forged("no root enclosed", "notice", lambda r: replace(r, roots=()), Reason.MALFORMED),
    Forged("no root before root 2", "root", lambda r: replace(r, roots=()), Reason.ROOT_GAP),
    Forged(
        "the same root twice over", "root", lambda r: replace(r, body=r.body[:-1] + b"x"), Reason.MALFORMED
    ),
]


@pytest.mark.parametrize("case", FORGED, ids=lambda case: case.name)
def test_a_request_that_shows_what_is_not_signed_is_refused(workspace: Workspace, case: Forged) -> None:
    request = read_request(EXPORTS[case.kind](workspace).data)
    with pytest.raises(RefusedError) as refused:
        requests.judge(encode_request(case.change(request)), where="x.request")
    assert refused.value.reason is case.reason
    assert refused.value.where == "x.request"


def test_a_request_of_a_signed_patch_is_refused(workspace: Workspace) -> None:
    request = read_request(EXPORTS["patch"](workspace).data)
    signed = suit.authenticate(request.body, workspace.signer("release", _no_passphrase))
    with pytest.raises(RefusedError, match="signed already"):
        requests.judge(encode_request(replace(request, body=signed)))


def test_a_request_of_another_fleet_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    request = read_request(EXPORTS["notice"](workspace).data)
    other = Workspace.create(tmp_path / "other", exercise=True)
    shutil.copy(workspace.path / "keys.toml", other.path / "keys.toml")
    shutil.copytree(workspace.path / "keys", other.path / "keys", dirs_exist_ok=True)
    roots.draft(other, now=NOW, by="exercise")
    for name in ("anna", "ben"):
        roots.sign_draft(other, f"root-{name}", _no_passphrase, now=NOW, by="exercise")
    roots.publish(other, now=NOW, by="exercise")
    with pytest.raises(RefusedError) as refused:
        requests.judge(encode_request(replace(request, roots=tuple(other.root_documents()))))
    assert refused.value.reason is Reason.WRONG_FLEET


@pytest.fixture
def whole(workspace: Workspace) -> bytes:
    """An export of an advisory: made once, for it takes a second."""
    return ceremonies.export_advisory(workspace, ADVISORY, now=NOW).data


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_told_and_never_signed(whole: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.booleans())
    flipped = bytes([whole[place] ^ (1 << data.draw(st.integers(0, 7)))])
    damaged = whole[:place] if cut else whole[:place] + flipped + whole[place + 1 :]
    digest = requests.judge(whole).digest
    try:
        judged = requests.judge(damaged)
    except TocsinError:
        return
    # What a flip leaves readable is other bytes to sign, and shows another digest; never the same one.
    assert judged.digest != digest or judged.request.body == load(Request, whole, size_max=len(whole)).body


@pytest.mark.parametrize("size", [REQUEST_BYTES_MAX + 1, ANSWER_BYTES_MAX + 1, 0, 7])
def test_a_foreign_or_huge_file_is_no_request_and_no_answer(size: int) -> None:
    with pytest.raises(InputError) as request:
        requests.judge(bytes(size))
    with pytest.raises(InputError) as answer:
        read_answer(bytes(size))
    assert (request.value.code, answer.value.code) == ("NOT_A_REQUEST", "NOT_AN_ANSWER")


@KINDS
def test_signing_needs_neither_network_nor_workspace_nor_home(
    workspace: Workspace, tmp_path: Path, kind: str, tocsin: Tocsin
) -> None:
    machine = tmp_path / "machine"
    machine.mkdir()
    (machine / "home").mkdir()
    (machine / "sitecustomize.py").write_text(OFFLINE)
    exported = EXPORTS[kind](workspace)
    (machine / "x.request").write_bytes(exported.data)
    shutil.copy(workspace.path / "keys" / f"{SIGNERS[kind]}.pem", machine / "key.pem")
    command = [sys.executable, "-m", "gateway.cli.main", "sign-request", "sign", "x.request"]
    command += ["--key-uri", "file:key.pem", "--out", "x.answer", "--yes"]
    if subprocess.run(["unshare", "-rn", "true"], check=False, capture_output=True).returncode == 0:
        command = ["unshare", "-rn", *command]
    source = str(Path(__file__).parents[2])
    env = {"PATH": os.environ["PATH"], "HOME": str(machine / "home"), "PYTHONPATH": f"{machine}:{source}"}
    done = subprocess.run(
        command, cwd=machine, env=env, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "WHAT IS BEING SIGNED" in done.stdout
    assert exported.digest in done.stdout
    assert "request's own claim" in done.stdout
    ran = tocsin("sign-request", "import", machine / "x.answer", "-w", workspace.path, "--json")
    assert ran.status == 0, ran.err
    assert ran.json["changed"]
    assert not list((machine / "home").iterdir())


def test_a_fleet_that_was_named_is_compared(workspace: Workspace, tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "x.request").write_bytes(EXPORTS["notice"](workspace).data)
    fleet = workspace.fleet().hex()
    assert tocsin("sign-request", "show", "x.request", "--fleet", fleet, "--json").json["fleet_pinned"]
    assert tocsin("sign-request", "show", "x.request", "--fleet", "12").status == 2
    other = tocsin("sign-request", "show", "x.request", "--fleet", "0" * 64)
    assert other.status == 3
    assert "WRONG_FLEET" in other.err


def test_the_signer_is_asked_and_a_no_signs_nothing(
    workspace: Workspace, tocsin: Tocsin, tmp_path: Path
) -> None:
    (tmp_path / "x.request").write_bytes(EXPORTS["notice"](workspace).data)
    uri = f"file:{workspace.path / 'keys' / 'legal.pem'}"
    ran = tocsin("sign-request", "sign", "x.request", "--key-uri", uri)
    assert ran.status == 2
    assert "--yes" in ran.err
    for words in ("--- ja ---", "title:", "affected", "outputs made of these"):
        assert words in ran.out
    assert not list(tmp_path.glob("*.answer"))


@KINDS
def test_a_request_holds_no_secret(workspace: Workspace, kind: str) -> None:
    data = EXPORTS[kind](workspace).data
    for path in (workspace.path / "keys").glob("*.pem"):
        assert path.read_bytes().splitlines()[1] not in data
    assert b"PRIVATE" not in data
