"""The page on keys in a token is run word for word, with a SoftHSM2 of its own."""

from __future__ import annotations

from pathlib import Path

from tests.keys import softhsm
from tests.pages import ROOT, followed

PAGE = ROOT / "docs" / "how-to" / "keys-in-a-token.md"


def test_every_command_of_the_page_on_tokens_prints_what_it_says(tmp_path: Path) -> None:
    softhsm.require()
    with followed(PAGE, tmp_path, steps_min=10):
        pass
    kept = (tmp_path / "fleet" / "keys.toml").read_text(encoding="utf-8")
    assert "pkcs11:token=signing;object=legal-1" in kept
    assert "legal-3" not in kept
    assert not [p for p in (tmp_path / "fleet").rglob("*") if p.is_file() and b"918273" in p.read_bytes()]
