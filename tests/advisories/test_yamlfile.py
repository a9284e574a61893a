import io
from enum import IntEnum
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from ruamel.yaml import YAML

from advisories import yamlfile
from keys.errors import InputError


class Size(IntEnum):
    VERY_SMALL = 1
    LARGE = 2


class Wheel(BaseModel):
    model_config = ConfigDict(extra="forbid")
    spokes: int


class Cart(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: str
    size: Annotated[Size, BeforeValidator(yamlfile.choice(Size))] = Size.LARGE
    wheels: dict[str, Wheel] = Field(default_factory=dict)
    spare: Wheel | None = None
    notes: tuple[str, ...] = Field(default=(), strict=False)


def fault(text: str | bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        yamlfile.read(Cart, text, where="cart.yaml")
    return caught.value


def test_values_keep_their_plain_meaning_and_their_lines() -> None:
    value, lines = yamlfile.load(
        "a: 1\nb: [x, true, 2.5, null]\nc:\n  d: 2026-11-22\n  e: 'yes'\n  f: yes\n", where="f.yaml"
    )
    assert value == {"a": 1, "b": ["x", True, 2.5, None], "c": {"d": "2026-11-22", "e": "yes", "f": "yes"}}
    assert lines.place(("c", "d")) == "f.yaml:4"
    assert lines.line(("b", 2)) == 2
    assert lines.line(("c", "not there")) == 3
    assert lines.place(("nowhere",)) == "f.yaml:1"


@pytest.mark.parametrize(
    ("words", "text", "code", "line"),
    [
        ("a tab indents", "name: x\nwheels:\n\tleft: {spokes: 2}\n", "YAML_TAB", 3),
        ("a key stands twice", "name: x\nsize: large\nname: y\n", "YAML_DUPLICATE_KEY", 3),
        ("a key is not a word", "name: x\n? [a]\n: b\n", "YAML_KEY", 2),
        ("an anchor", "name: x\nwheels: &w\n  left: {spokes: 1}\n", "YAML_ALIAS", 2),
        ("an alias", "name: &n x\nsize: *n\n", "YAML_ALIAS", 1),
        ("an undefined alias", "name: *n\n", "YAML_SYNTAX", 1),
        ("a tag of its own", "name: !!python/object:x 1\n", "YAML_TAG", 1),
        ("a bracket that stays open", "name: [x\n", "YAML_SYNTAX", 2),
        ("a control character", "name: \x01\n", "YAML_SYNTAX", 1),
        ("two documents", "name: x\n---\nname: y\n", "YAML_SYNTAX", 2),
        ("nothing", "", "YAML_EMPTY", 1),
        ("only comments", "# x\n", "YAML_EMPTY", 1),
        ("an octal number", "name: x\nsize: 0o17\n", "YAML_VALUE", 2),
        ("a list instead of a map", "- name: x\n", "BAD_VALUE", 1),
        ("bytes in Latin-1", b"name: x\nsize: gro\xdf\n", "YAML_ENCODING", 2),
        ("too many bytes", "#" * (yamlfile.FILE_BYTES_MAX + 1), "YAML_TOO_BIG", 1),
        ("nested too deep", "name: " + "[" * 40 + "]" * 40 + "\n", "YAML_DEPTH", 1),
        ("nested absurdly deep", "name: " + "[" * 5000 + "]" * 5000 + "\n", "YAML_DEPTH", 1),
    ],
)
def test_a_file_with_more_than_one_meaning_is_refused_with_its_line(
    words: str, text: str | bytes, code: str, line: int
) -> None:
    error = fault(text)
    assert (error.code, error.where) == (code, f"cart.yaml:{line}"), words
    assert "\n" not in str(error)


@pytest.mark.parametrize("depth", [yamlfile.DEPTH_MAX - 1, yamlfile.DEPTH_MAX])
def test_nesting_up_to_the_limit_is_read(depth: int) -> None:
    value, _ = yamlfile.load("[" * depth + "]" * depth, where="f.yaml")
    for _ in range(depth - 1):
        value = value[0]
    assert value == []


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_file_may_have_as_many_bytes_as_the_limit(extra: int) -> None:
    padded = "name: x\n".ljust(yamlfile.YAML_BYTES_MAX + extra, "\n")
    if extra > 0:
        assert fault(padded).code == "YAML_TOO_BIG"
    else:
        assert yamlfile.read(Cart, padded, where="f").model.name == "x"


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_json_may_have_more(extra: int) -> None:
    padded = '{"name": "x"}'.ljust(yamlfile.FILE_BYTES_MAX + extra, "\n")
    if extra > 0:
        assert fault(padded).code == "YAML_TOO_BIG"
    else:
        assert yamlfile.read(Cart, padded, where="f").model.name == "x"


def test_a_byte_order_mark_is_no_fault() -> None:
    assert yamlfile.read(Cart, b"\xef\xbb\xbfname: x\n", where="f").model.name == "x"
    assert yamlfile.read(Cart, "\ufeffname: x\n", where="f").model.name == "x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nmae: x\n", "cart.yaml:1: There is no key 'nmae' here. Did you mean 'name'?"),
        (
            "name: x\nzzz: 1\n",
            "cart.yaml:2: There is no key 'zzz' here. Known: name, size, wheels, spare, notes.",
        ),
        (
            "name: x\nwheels:\n  left:\n    spoke: 1\n",
            "cart.yaml:4: There is no key 'spoke' here. Did you mean 'spokes'?",
        ),
        (
            "name: x\nspare:\n  spoks: 1\n",
            "cart.yaml:3: There is no key 'spoks' here. Did you mean 'spokes'?",
        ),
        ("size: large\n", "cart.yaml:1: The key 'name' is missing in the file. Add 'name:'."),
        ("name: x\nspare:\n  {}\n", "cart.yaml:2: The key 'spokes' is missing in spare. Add 'spokes:'."),
        (
            "name: x\nsize: larg\n",
            "cart.yaml:2: 'larg' is not one of very-small, large (size). Did you mean 'large'?",
        ),
        (
            "name: x\nsize: 2\n",
            "cart.yaml:2: '2' is not one of very-small, large (size). Known: very-small, large.",
        ),
        ("name: 1.4\n", 'cart.yaml:1: name must be a text. Put it in quotes: "1.4.2".'),
        ("name: x\nwheels: 3\n", "cart.yaml:2: wheels must be a map of keys and values."),
        ("name: x\nnotes: 3\n", "cart.yaml:2: notes must be a list."),
        ("name: x\nspare: 3\n", "cart.yaml:2: spare must be a map of keys and values."),
        (
            "name: x\nspare: {spokes: many}\n",
            "cart.yaml:2: spare.spokes: it should be a valid integer, unable to parse string as an integer.",
        ),
        ("name: x\nnotes: [a, b,\n  3]\n", 'cart.yaml:3: notes.2 must be a text. Put it in quotes: "1.4.2".'),
    ],
)
def test_a_fault_is_one_sentence_with_file_line_and_mend(text: str, said: str) -> None:
    assert str(fault(text)) == said


def test_a_misspelt_key_is_told_before_the_missing_one() -> None:
    assert fault("size: large\nnmae: x\n").code == "UNKNOWN_KEY"


def test_a_choice_reads_names_and_members() -> None:
    assert yamlfile.read(Cart, "name: x\nsize: very-small\n", where="f").model.size is Size.VERY_SMALL
    assert Cart(name="x", size=Size.LARGE).size is Size.LARGE


def test_keys_of_something_that_is_no_model_are_unknown() -> None:
    assert yamlfile.keys_at(Cart, ("notes",)) == []
    assert yamlfile.near_miss("x", []) == ""


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc xyzé日本,#-'\"", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abcdefß", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), PLAIN, min_size=1))
def test_what_a_yaml_writer_wrote_is_read_back(value: dict[str, object]) -> None:
    stream = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.dump(value, stream)
    assert yamlfile.load(stream.getvalue(), where="f")[0] == value


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_bytes_give_a_value_or_one_sentence(data: str | bytes) -> None:
    try:
        yamlfile.read(Cart, data, where="f.yaml")
    except InputError as error:
        said = f"{error.where}|{error}"
    else:
        said = "f.yaml:1|"
    assert said.startswith("f.yaml:")
    assert "\n" not in said
