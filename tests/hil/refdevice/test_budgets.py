"""What the C device takes of a microcontroller stays within its budget; all of it is counted, nothing is timed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench import firmware


def test_a_signature_check_takes_less_than_three_million_instructions(needed: Callable[..., None]) -> None:
    needed("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    needed("qemu-system-arm", "qemu-system-arm")
    counted = firmware.instructions()
    again = firmware.instructions()
    assert counted == again, "it is counted, so it is the same each time"
    assert 500_000 < counted <= 3_000_000


def test_text_ram_and_stack_stay_within_their_budgets(needed: Callable[..., None]) -> None:
    needed("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    needed("qemu-system-arm", "qemu-system-arm")
    figures = firmware.figures()
    for limit in firmware.LIMITS:
        assert limit.at_most is not None
        assert 0 < figures[limit.name] <= limit.at_most, limit.name


GRAPH = """graph: { title: "x.ltrans0.o"
node: { title: "x.o:first" label: "first\\ncore/a.c:1:1\\n8 bytes (static)" }
node: { title: "x.o:second.constprop.0" label: "second.constprop\\ncore/b.c:2:1\\n16 bytes (static)" }
node: { title: "third" label: "third\\nports/c.c:3:1\\n100 bytes (static)" }
node: { title: "division" label: "division\\n<built-in>" shape : ellipse }
edge: { sourcename: "x.o:first" targetname: "x.o:second.constprop.0" label: "core/a.c:1:9" }
edge: { sourcename: "x.o:first" targetname: "division" label: "core/a.c:1:9" }
edge: { sourcename: "x.o:second.constprop.0" targetname: "%s" label: "core/b.c:2:9" }
}
"""


def read(graph: str, folder: Path) -> firmware.Calls:
    (folder / "a.ci").write_text(graph)
    return firmware.calls(folder / "a.ci")


def test_the_deepest_path_is_found(tmp_path: Path) -> None:
    found = read(GRAPH % "__indirect_call", tmp_path)
    assert found.indirect == {"b.second": {"b"}}
    deepest = firmware.deepest(found, "a.first", {"b": r"\.third$"})
    assert deepest == (124, ["a.first 8", "b.second 16", "c.third 100"])
    with pytest.raises(ValueError, match=r"b\.c calls what a pointer names"):
        firmware.deepest(found, "a.first", {})
    flat = read(GRAPH % "division", tmp_path)
    assert firmware.deepest(flat, "a.first", {}) == (56, ["a.first 8", "b.second 16", "division 32"])


def test_recursion_and_stacks_of_any_size_are_found(tmp_path: Path) -> None:
    found = read(GRAPH % "x.o:first", tmp_path)
    with pytest.raises(ValueError, match=r"recursion: a\.first > b\.second > a\.first"):
        firmware.deepest(found, "a.first", {})
    with pytest.raises(ValueError, match="no fixed size"):
        read(GRAPH.replace("100 bytes (static)", "100 bytes (dynamic)") % "third", tmp_path)
