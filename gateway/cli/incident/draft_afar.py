"""``tocsin incident draft`` through a server: the text comes here, and only Legal's signature goes back."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import typer
from rich.console import Console

from advisories.incident import seal
from gateway import files
from gateway.cli.output import confirm, console, emit, now, say
from gateway.cli.own import own_key
from gateway.cli.show import line
from gateway.operations.incidents import sending
from gateway.operations.incidents.sending import Made
from gateway.workspace.folder import Workspace
from keys.errors import InputError, RefusedError


@dataclass(frozen=True, slots=True)
class Afar:
    """A draft that a server knows of, or that lies in a file of this machine."""

    opened: Workspace
    about: tuple[str, str, str]
    """Incident, regime and step."""
    out: Path | None
    as_json: bool

    def _beside(self, path: Path, ending: str) -> Path:
        return path.with_name(f"{path.name}{ending}")

    def _names(self, path: Path) -> dict[str, object]:
        incident, regime, step = self.about
        return {"incident": incident, "regime": regime, "step": step, "file": path}

    def write(self, *, restart: bool) -> None:
        """Write a draft: there, or into a file of this machine."""
        made, path = self._write(restart=restart)
        data = self._beside(path, ".json")

        def human(out: Console) -> None:
            line(out, f"Wrote {path} and {data}.")
            for entry in made.missing:
                line(out, f"missing: {entry.label} ({entry.item}): {entry.asks}")
            line(out, "Next: fill in what is missing, then Legal signs it with --sign KEY.")

        missing = [entry.item for entry in made.missing]
        emit(self.as_json, {**self._names(path), "data": data, "missing": missing}, human)

    def _write(self, *, restart: bool) -> tuple[Made, Path]:
        if self.out is None:
            made = sending.write(self.opened, *self.about, now=now(), restart=restart)
            return made, Path(sending.lying(self.opened, *self.about).file)
        made = sending.compose(self.opened, *self.about, now=now())
        if self.out.exists() and not restart:
            raise InputError(
                "DRAFT_EXISTS",
                "There is a draft already, which people may have edited.",
                mend="Sign that one with --sign KEY, or write it anew with --restart.",
                where=str(self.out),
            )
        paths = [self._beside(self.out, ending) for ending in (".json", ".cose")]
        for path in (self.out, *paths):
            files.require_replaceable(path)
        with files.os_errors(paths[1], "removed"):
            paths[1].unlink(missing_ok=True)
        files.write_atomic(paths[0], made.data)
        files.write_atomic(self.out, made.text)
        return made, self.out

    def _lying(self) -> tuple[Path, bytes | None, bytes | None, bytes]:
        """Return where the draft lies, its text and signature if there are any, and its fleet."""
        found = sending.lying(self.opened, *self.about)
        if self.out is None:
            return Path(found.file), found.text, found.signature, found.fleet
        path, signature = self.out, self._beside(self.out, ".cose")
        text = files.read_bytes(path, what="draft", mend="Check the path.") if path.exists() else None
        known = None
        if signature.exists():
            known = files.read_bytes(signature, what="signature", mend="Check the path.")
        return path, text, known, found.fleet

    def sign(self, key: str, folder: Path | None, *, restart: bool, yes: bool) -> None:
        """Show the draft as it lies, sign it on this machine, and send the signature."""
        own = own_key(key, folder)
        path, text, _, fleet = self._lying()
        if restart or text is None:
            self._write(restart=restart)
            path, text, _, fleet = self._lying()
        assert text is not None
        own.require_fleet(fleet)
        if not self.as_json:
            line(console(), text.decode(errors="backslashreplace"))
        confirm(f"Sign exactly this as {key}?", yes=yes)
        incident, regime, step = self.about
        signature = seal.sign(text, own.signer, fleet=fleet, incident=incident, regime=regime, step=step)
        elsewhere = self.out is not None
        if elsewhere:
            files.require_replaceable(self._beside(path, ".cose"))
        said = sending.take(
            self.opened, *self.about, text=text, signature=signature, now=now(), elsewhere=elsewhere
        )
        if elsewhere:
            files.write_atomic(self._beside(path, ".cose"), signature)
        emit(
            self.as_json,
            {
                **self._names(path),
                "signature": self._beside(path, ".cose"),
                "digest": said.digest,
                "holder": said.holder,
            },
            say(f"{said.holder} signed {path}: SHA-256 {said.digest}."),
        )

    def verify(self) -> None:
        """Say whether Legal signed the draft as it lies."""
        path, text, signature, _ = self._lying()
        if text is None:
            mend = "Write it first: leave --sign and --verify away."
            raise InputError("FILE_MISSING", "The draft cannot be read.", mend=mend, where=str(path))
        if signature is None:
            mend = "Legal signs it with --sign KEY."
            raise InputError("NOT_SIGNED", "Nobody has signed this draft.", mend=mend, where=str(path))
        data = {"file": path, "digest": sha256(text).hexdigest()}
        try:
            signed = sending.judge(self.opened, *self.about, text=text, signature=signature)
        except RefusedError as error:
            emit(
                self.as_json,
                {**data, "genuine": False, "reason": error.code, "holder": None},
                say(f"{path}: not what Legal signed ({error.code}: {error.message})."),
            )
            raise typer.Exit(1) from None
        emit(
            self.as_json,
            {**data, "genuine": True, "reason": "OK", "holder": signed.holder},
            say(f"{path}: genuine, signed by {signed.holder} ({', '.join(signed.roles)})."),
        )
