"""Board files: what stands where, every mistake with its line, and rules between keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hil.bench import boardfile
from hil.bench.board import CAPABILITIES, Board, Spawn, schema
from hil.bench.boardfaults import keys_at
from hil.bench.boardfile import choose, find, load, mistakes, read
from hil.bench.boardrules import names
from keys.errors import InputError
from tests.hil.board_text import FULL

ROOT = Path(__file__).parents[2]


def one(
    entry: str, environ: dict[str, str] | None = None, name: str = "b"
) -> tuple[dict[str, Board], list[str]]:
    """Read one board; mistakes come back as lines of text."""
    text = f"[board.{name}]\n{entry}\n"
    boards, found = read(text, where="f", folder=Path("/bench"), environ=environ or {})
    assert all(error.code == "BOARD_FILE" for error in found)
    return boards, [str(error) for error in found]


def test_the_whole_file_of_the_book_is_read(tmp_path: Path) -> None:
    path = tmp_path / "hil-boards.toml"
    path.write_text(FULL)
    boards = load(path, {})
    disco, qemu = boards["disco1"], boards["qemu-ref"]
    assert (disco.name, disco.class_, disco.tags) == ("disco1", "stm32-demo", ("cortex-m4", "desk3"))
    assert (disco.place, disco.folder) == (f"{path}:2", tmp_path)
    assert (disco.link.url, disco.link.group) == ("hwgrep://0483:374B&SER=0670FF", 400)
    assert (disco.power.driver, disco.power.hub, disco.power.port) == ("uhubctl", "1-1.4", 2)
    assert disco.boot.timeout_s == 10
    assert disco.flash is not None
    assert disco.flash.command == ("west", "flash", "--skip-rebuild")
    assert qemu.spawn is not None
    assert (qemu.spawn.serial, qemu.place) == (("tcp", "tcp"), f"{path}:12")
    assert qemu.power.driver == "process"
    assert qemu.reset.by == "none"


def test_a_spawned_board_may_be_cut_by_other_means() -> None:
    spawn = 'spawn = { driver = "qemu", machine = "m", elf = "e" }\n'
    assert one(spawn + 'power = { driver = "manual" }')[0]["b"].power.driver == "manual"
    assert one(spawn + "power = { off_s = 0.1 }")[0]["b"].power.driver == "process"


MISTAKES = [
    # entry, line, words of the message
    ('link = { url = "x", bauds = 1 }', 2, "Unknown key 'bauds' in board.b.link. Did you mean 'baud'?"),
    ('link.url = "x"\nlink.bauds = 1', 3, "Unknown key 'bauds' in board.b.link. Did you mean 'baud'?"),
    ('link = { url = "x", "ba uds" = 1 }', 2, "Unknown key 'ba uds'"),
    (
        '[board.b.link]\nurl = "x"\n\nzzz = 1',
        5,
        "Known: url, baud, smp_line, smp_buf, group, dtr, rts, window.",
    ),
    ('link.url = "x"\nclas = "a"', 3, "Did you mean 'class'?"),
    ('link.url = "x"\nclass_ = "a"', 3, "Unknown key 'class_' in board.b. Did you mean 'class'?"),
    ('link.url = "x"\nname = "a"', 3, "Unknown key 'name' in board.b."),
    ('link.url = "x"\nplace = "a"', 3, "Unknown key 'place'"),
    (
        'link = { url = "x", baud = "115200" }',
        2,
        "board.b.link.baud must be a whole number, and is '115200'. Write it",
    ),
    ('link = { url = "x", baud = true }', 2, "must be a whole number, and is true."),
    ('link = { url = "x", baud = 9600.0 }', 2, "must be a whole number, and is 9600.0."),
    ('link = { url = "x", baud = 49 }', 2, "board.b.link.baud must be at least 50, and is 49."),
    ('link = { url = "x", group = 65536 }', 2, "board.b.link.group must be at most 65535, and is 65536."),
    ("link = { url = 3 }", 2, 'board.b.link.url must be a text, and is 3. Put it in quotes: "3".'),
    ('link = { url = "" }', 2, "board.b.link.url is empty."),
    (f'link = {{ url = "{"x" * 5000}" }}', 2, "board.b.link.url is too long: 4096 at most."),
    ("link = 3", 2, "board.b.link must be a table, and is 3."),
    ('link.url = "x"\ntags = "a"', 3, "board.b.tags must be a list"),
    ('link.url = "x"\ntags = ["a", "b c"]', 3, "board.b.tags[1] is 'b c', which is no single word."),
    ('link.url = "x"\ntags = ["a",\n3]', 4, "board.b.tags[1] must be a text, and is 3."),
    (
        'link.url = "x"\nreset.by = "rst"',
        3,
        "is 'rst', which is not one of none, dtr, rts, esp32, command, smp. Did you",
    ),
    ('link.url = "x"\nreset.by = 4', 3, "board.b.reset.by is 4, which is not one of"),
    ('link.url = "x"\nreset = { by = "rts", active_low = "yes" }', 3, "must be true or false, and is 'yes'."),
    ('link.url = "x"\nboot.timeout_s = 0', 3, "board.b.boot.timeout_s must be more than 0"),
    ('link.url = "x"\nboot.timeout_s = inf', 3, "board.b.boot.timeout_s must be a number, and is inf."),
    ('link.url = "x"\nboot.timeout_s = 1979-05-27', 3, "must be a number, and is 1979-05-27."),
    (
        'link.url = "x"\nflash = { comand = ["a"] }',
        3,
        "Unknown key 'comand' in board.b.flash. Did you mean 'command'?",
    ),
    ('link.url = "x"\nflash = {}', 3, "board.b.flash needs the key 'command'. Add command."),
    ('link.url = "x"\nflash.command = "west flash"', 3, "Put it in brackets; each argument"),
    ('link.url = "x"\nflash.command = []', 3, "board.b.flash.command is empty."),
    ('link.url = "x"\ncapabilities = ["stats"]', 3, "Did you mean 'stat'?"),
    ('link.url = "x"\ncapabilities = [["os"]]', 3, "board.b.capabilities[0] must be a text, and is a list."),
    ("link.url = {}", 2, "board.b.link.url must be a text, and is a table."),
    ("", 1, "board.b.link needs the key 'url'. Name the port, or let 'spawn' start a program."),
    ('spawn = { driver = "qemu", machine = "m", elf = "e" }\nlink.url = "x"', 3, "exclude each other"),
    ('link.url = "sockt://a:1"', 2, "link.url begins with an unknown scheme. Did you mean 'socket'?"),
    (
        'link.url = "x"\nconsole.url = "tty://a:1"',
        3,
        "board.b.console.url begins with an unknown scheme. Known:",
    ),
    (
        'link.url = "socket://a:1"\nreset.by = "rts"',
        3,
        'reset.by = "rts" cannot work: a socket:// link has no DTR',
    ),
    ('link.url = "/dev/pts/7"\nreset.by = "dtr"', 3, "a PTY has no DTR and RTS."),
    ('link = { url = "/dev/pts/7", rts = false }', 2, "link.rts cannot be set: a PTY has no RTS."),
    (
        'spawn = { driver = "qemu", machine = "m", elf = "e" }\nreset.by = "esp32"',
        3,
        "a spawned program has no DTR",
    ),
    (
        'link.url = "x"\nreset.by = "command"',
        3,
        "board.b.reset needs the key 'command' for by = \"command\".",
    ),
    (
        'link.url = "x"\nreset = { by = "smp", command = ["a"] }',
        3,
        'reset.command says nothing where by is "smp".',
    ),
    ('link.url = "x"\nreset = { command = ["a"] }', 3, "It belongs to by = command."),
    ('link.url = "x"\npower.driver = "command"\npower.on = ["a"]', 3, "board.b.power needs the key 'off'"),
    ('link.url = "x"\npower = { driver = "uhubctl", hub = "1" }', 3, "board.b.power needs the key 'port'"),
    ('link.url = "x"\npower = { hub = "1", port = 1 }', 3, "It belongs to driver = uhubctl."),
    ('link.url = "x"\npower.driver = "process"', 3, "kills what spawn started, and there is no spawn."),
    ('link.url = "x"\nboot.ready = "banner"', 3, "board.b.boot needs the key 'banner'"),
    ('link.url = "x"\nboot.banner = "(a"', 3, "board.b.boot.banner is no regular expression"),
    ('link.url = "x"\nreset.by = "smp"\nboot.ready = "none"\ncapabilities = ["console"]', 3, "needs SMP"),
    ('link.url = "x"\ncapabilities = ["console"]', 1, 'boot.ready = "echo" needs SMP'),
    ('link.url = "x"\ncapabilities = ["os", "reset"]', 3, 'name "reset", and reset.by is "none"'),
    ('link.url = "x"\ncapabilities = ["os", "power.cut"]', 3, 'name "power.cut", and power.driver is "none"'),
    ("spawn = {}", 2, "board.b.spawn needs the key 'driver'. Add driver."),
    ('spawn = { driver = "process" }', 2, "board.b.spawn needs the key 'command' for driver = \"process\"."),
    ('spawn = { driver = "qemu", machine = "m" }', 2, "board.b.spawn needs the key 'elf'"),
    (
        'spawn = { driver = "process", command = ["a"], machine = "m" }',
        2,
        "spawn.command does not say {port}",
    ),
    (
        'spawn = { driver = "process", command = ["{port}", "{pty}"] }',
        2,
        "command has {pty}, and serial gives no such",
    ),
    ('spawn = { driver = "process", command = ["{pty}"], serial = [] }', 2, "board.b.spawn.serial is empty."),
    (
        'spawn = { driver = "process", command = ["{pty}"], serial = ["pty", "usb"] }',
        2,
        "not one of pty, tcp.",
    ),
    (
        'link.url = "${NOPE}"',
        2,
        "needs the environment variable NOPE, which is not set. Set it: export NOPE=...",
    ),
    ('link.url = "x"\ntags = ["${NOPE}"]', 3, "board.b.tags[0] needs the environment variable NOPE"),
    ('link.url = "${no pe}"', 2, "has a '${' that names no variable. Write ${NAME}, or $$ for a dollar."),
]


@pytest.mark.parametrize(("entry", "line", "words"), MISTAKES, ids=range(len(MISTAKES)))
def test_each_mistake_is_told_with_its_line(entry: str, line: int, words: str) -> None:
    boards, found = one(entry)
    assert boards == {}
    assert any(words in text and text.startswith(f"f:{line}: ") for text in found), found


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "The file needs the key 'board'. Add board."),
        ("[board]", 1, "board is empty."),
        ("board = 3", 1, "board must be a table, and is 3."),
        (
            "\n[boards.a]\n[board.b]\nlink.url = 'x'",
            2,
            "Unknown key 'boards' in the file. Did you mean 'board'?",
        ),
        ('[board."a b"]\nlink.url = "x"', 1, "'a b' is no name for a board. Take letters"),
        ('[board."../x"]\nlink.url = "x"', 1, "no name for a board"),
        ('[board.b]\nlink = { url = "x"', 2, "This is not TOML"),
        ("[board.b]\n[board.b]", 2, "This is not TOML: cannot declare"),
        ("a = " + "[" * 100_000, 1, "This is not TOML"),
        ("a = " + "9" * 5000, 1, "This is not TOML: a value is too large or nests too deep."),
        ("\x00", 1, "This is not TOML"),
    ],
)
def test_mistakes_of_the_whole_file(text: str, line: int, words: str) -> None:
    boards, found = read(text, where="f", folder=Path(), environ={})
    assert boards == {}
    assert words in str(found[0])
    assert str(found[0]).startswith((f"f:{line}: ", "f: "))


def test_several_mistakes_are_counted_and_all_can_be_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "hil-boards.toml"
    path.write_text(
        "[board.a]\nlink = { url = 'x', bauds = 3 }\n[board.b]\nreset = { by = 'x' }\ntags = [3]\n"
    )
    with pytest.raises(InputError) as caught:
        load(path, {})
    assert str(caught.value) == (
        f"{path}:2: Unknown key 'bauds' in board.a.link. Did you mean 'baud'? And 2 more: 'hil boards check' lists them."
    )
    assert caught.value.exit_status == 2
    assert [error.where for error in mistakes(path, {})] == [f"{path}:{line}" for line in (2, 4, 5)]
    path.write_text("[board.a]\nlink = { url = 'x', bauds = 3 }\n")
    with pytest.raises(InputError, match="Did you mean 'baud'") as caught:
        load(path, {})
    assert "more" not in str(caught.value)


def test_a_misspelt_key_that_is_needed_is_one_mistake() -> None:
    assert len(one('link.url = "x"\nflash = { comand = ["a"] }')[1]) == 1


def test_variables_are_filled_in_and_never_shown() -> None:
    boards, found = one(
        'link.url = "socket://${HOST}:${PORT}"\nboot.banner = "^Boot$"\ntags = ["${T}"]\nclass = "a$$b${E}"',
        {"HOST": "h", "PORT": "1", "T": "desk", "E": ""},
    )
    assert found == []
    board = boards["b"]
    assert (board.link.url, board.boot.banner, board.tags, board.class_) == (
        "socket://h:1",
        "^Boot$",
        ("desk",),
        "a$b",
    )
    for entry in (
        'link.url = "${S}"\nreset.by = "${S}"',
        'link.url = "x"\ntags = ["${S}"]',
        'link.url="${S}://x"',
    ):
        found = one(entry, {"S": "very secret"})[1]
        assert found
        assert not any("secret" in text for text in found)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "hil-boards.toml"
    for data, words in [
        (b"#" * (boardfile.FILE_BYTES_MAX + 1), "more than 1048576 bytes"),
        (b"[board.a]\nlink.url='x'\n# \xff", "not UTF-8"),
    ]:
        path.write_bytes(data)
        with pytest.raises(InputError, match=words):
            load(path, {})
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path, {})
    path.write_bytes(b"\xef\xbb\xbf[board.a]\r\nlink.url='x'\r\n")
    assert list(load(path, {})) == ["a"]
    path.write_bytes(b"#" * (boardfile.FILE_BYTES_MAX - 30) + b"\n[board.a]\nlink.url='x'\n")
    assert list(load(path, {})) == ["a"]


def test_the_nearest_file_above_is_found(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(InputError) as caught:
        find(tmp_path / "a" / "b")
    assert caught.value.code == "NO_BOARD_FILE"
    assert "hil init" in caught.value.mend
    for folder in (tmp_path, tmp_path / "a"):
        (folder / "hil-boards.toml").touch()
        assert find(tmp_path / "a" / "b") == folder / "hil-boards.toml"


def test_boards_are_chosen_by_name_tags_and_class() -> None:
    text = "".join(
        f'[board.{name}]\nclass = "{kind}"\ntags = {json.dumps(tags)}\nlink.url = "x"\n'
        for name, kind, tags in [("a", "k1", ["t"]), ("b", "k2", ["t", "u"]), ("c", "k1", [])]
    )
    boards = read(text, where="f", folder=Path(), environ={})[0]
    assert [board.name for board in choose(boards)] == ["a", "b", "c"]
    assert [board.name for board in choose(boards, name="b")] == ["b"]
    assert [board.name for board in choose(boards, tags=["t"])] == ["a", "b"]
    assert [board.name for board in choose(boards, tags=["t", "u"], class_="k2")] == ["b"]
    assert [board.name for board in choose(boards, class_="k1")] == ["a", "c"]
    for wish, words in [
        ({"name": "aa"}, "no board 'aa'. Did you mean 'a'?"),
        ({"tags": ["v"]}, "No board has tag v."),
        ({"name": "a", "class_": "k2"}, "No board has name a, class k2."),
    ]:
        with pytest.raises(InputError) as caught:
            choose(boards, **wish)  # type: ignore[arg-type]  # the table's wishes fit
        assert caught.value.code == "NO_SUCH_BOARD"
        assert words in str(caught.value)
    with pytest.raises(InputError):
        choose({})


def test_placeholders_follow_the_serial_lines() -> None:
    def words(*serial: Any) -> list[str]:
        return names(Spawn(driver="process", serial=serial))

    assert words("tcp") == ["port"]
    assert words("pty", "pty") == ["pty", "pty2"]
    assert words("pty", "tcp") == ["pty", "port"]
    assert words("tcp", "tcp") == ["port", "port2"]


def test_the_schema_is_what_the_models_say() -> None:
    kept = json.loads((ROOT / "hil" / "bench" / "hil-boards.schema.json").read_text())
    assert kept == schema(), "write it anew: hil boards schema > hil/bench/hil-boards.schema.json"
    entry = kept["$defs"]["Entry"]["properties"]
    assert "class" in entry
    assert not {"name", "place", "folder", "class_"} & set(entry)
    assert all(
        {"description", "$ref"} & set(key)
        for table in kept["$defs"].values()
        for key in table["properties"].values()
    )
    assert kept["$defs"]["Entry"]["additionalProperties"] is False


def test_capabilities_are_commands_and_parts_of_the_bench() -> None:
    assert {"os", "img", "stat", "group.notifier", "notifier.press", "power.cut", "reset", "console"} <= set(
        CAPABILITIES
    )
    assert len(set(CAPABILITIES)) == len(CAPABILITIES)


def test_known_keys_are_found_at_any_depth() -> None:
    assert keys_at(()) == ["board"]
    assert "class" in keys_at(("board", "x"))
    assert keys_at(("board", "x", "flash")) == ["command"]
    assert keys_at(("board", "x", "tags", 0)) == []


@pytest.mark.parametrize("scheme", ["socket", "rfc2217"])
@pytest.mark.parametrize("key", ["link", "console"])
def test_a_password_in_a_url_is_refused_and_not_repeated(scheme: str, key: str) -> None:
    other = '\nlink = { url = "/dev/null" }' if key == "console" else ""
    secret = f'{key} = {{ url = "{scheme}://someone:${{WORD}}@127.0.0.1:1?logging=debug" }}{other}'
    boards, (told,) = one(secret, {"WORD": "geheim"})
    assert boards == {}
    assert "nothing sends" in told
    assert "geheim" not in told
    assert "someone" not in told


def test_an_at_sign_elsewhere_is_no_password() -> None:
    assert one('link = { url = "hwgrep://a@b" }')[1] == []
    assert one('link = { url = "/dev/serial/by-id/x@y" }')[1] == []


def test_a_zero_byte_in_a_port_is_told() -> None:
    assert one('link = { url = "/dev/a\\u0000b" }')[1] == [
        "f:2: board.b.link.url holds a zero byte. Write the port's name as text."
    ]


def test_a_folder_that_was_removed_has_no_board_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(InputError) as caught:
        find(Path())
    assert caught.value.code == "NO_BOARD_FILE"
