"""What the C device takes of a microcontroller stays within its budget; all of it is counted, nothing is timed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench import firmware

from . import build

FRAME_BYTES_MAX = 304
LARGE_FRAMES = {"tn_curve_check": 600, "tn_curve_base": 352}
"""The curve's own: they call nothing that is deep."""


@pytest.fixture(scope="module")
def graph(needed: Callable[..., None]) -> firmware.Calls:
    needed("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    with build.alone():
        firmware.build("objects")
    return firmware.calls(firmware.OUT / "qemu-release")


def test_a_signature_check_takes_less_than_three_million_instructions(needed: Callable[..., None]) -> None:
    needed("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    needed("qemu-system-arm", "qemu-system-arm")
    with build.alone():
        counted = firmware.instructions()
        again = firmware.instructions()
    assert counted == again, "it is counted, so it is the same each time"
    assert 500_000 < counted <= 3_000_000


def reached(graph: firmware.Calls) -> set[str]:
    """All but what the linker leaves out: most of Monocypher."""
    found: set[str] = set()
    more = {name for name in graph.frames if name.startswith(("tn_", "port_", "board_"))} | set(graph.taken)
    while more - found:
        found |= more
        more = set().union(*(graph.callees.get(name, frozenset()) for name in found))
    return found


def test_no_function_takes_much_stack_and_none_as_much_as_it_likes(graph: firmware.Calls) -> None:
    sizes = {name: graph.frames[name] for name in reached(graph) & set(graph.frames)}
    assert len(sizes) > 100
    large = {name: size for name, size in sizes.items() if size > LARGE_FRAMES.get(name, FRAME_BYTES_MAX)}
    assert large == {}


GRAPH = """graph: { title: "a.c"
node: { title: "a.c:first" label: "first\\na.c:1:1\\n8 bytes (static)" }
node: { title: "second" label: "second\\na.c:2:1\\n16 bytes (static)" }
node: { title: "third" label: "third\\na.c:3:1\\n100 bytes (static)" }
node: { title: "__aeabi_uldivmod" label: "__aeabi_uldivmod\\n<built-in>" shape : ellipse }
edge: { sourcename: "a.c:first" targetname: "second" label: "a.c:1:9" }
edge: { sourcename: "a.c:first" targetname: "__aeabi_uldivmod" label: "a.c:1:9" }
edge: { sourcename: "second" targetname: "%s" label: "a.c:2:9" }
}
"""


def read(graph: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> firmware.Calls:
    (folder / "a.ci").write_text(graph)
    (folder / "a.o").touch()
    monkeypatch.setattr(firmware, "_taken", lambda _: {"third", "a.third", "no function"})
    return firmware.calls(folder)


def test_the_deepest_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(GRAPH % "__indirect_call", tmp_path, monkeypatch)
    assert found.taken == {"third"}
    deepest = firmware.deepest(found, "a.first", {"second": {"third"}})
    assert deepest == (124, ["a.first 8", "second 16", "third 100"])
    with pytest.raises(ValueError, match="second calls what a pointer names"):
        firmware.deepest(found, "a.first", {})
    flat = read(GRAPH % "memset", tmp_path, monkeypatch)
    assert firmware.deepest(flat, "a.first", {}) == (88, ["a.first 8", "second 16", "memset 64"])


def test_recursion_and_stacks_of_any_size_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(GRAPH % "a.c:first", tmp_path, monkeypatch)
    with pytest.raises(ValueError, match=r"recursion: a\.first > second > a\.first"):
        firmware.deepest(found, "a.first", {})
    with pytest.raises(ValueError, match="no fixed size"):
        read(GRAPH.replace("100 bytes (static)", "100 bytes (dynamic)") % "third", tmp_path, monkeypatch)
