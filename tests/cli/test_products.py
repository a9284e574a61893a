"""The register of products: versions in order, end of support, and a file whose other lines stay."""

from __future__ import annotations

from datetime import date

import pytest

from gateway.operations import advisories
from gateway.operations.advisories import setting
from gateway.workspace.folder import Workspace
from tests.cli.conftest import ADVISORY, Tocsin


def test_versions_are_recorded_in_order_and_only_once(workspace: Workspace, tocsin: Tocsin) -> None:
    here = ("-w", workspace.path, "--json")
    for version in ("1.4.1", "1.2.0", "1.10.0", "1.4.1", "1.4.1+7"):
        ran = tocsin("product", "version", "add", "thermostat", version, *here)
        assert ran.status == 0, ran
    assert ran.json["product"]["versions"] == ["1.2.0", "1.4.1", "1.4.1+7", "1.10.0"]
    assert workspace.product("thermostat").versions == ("1.2.0", "1.4.1", "1.4.1+7", "1.10.0")
    assert workspace.product("doorbell").versions == ()
    assert tocsin("product", "end-of-support", "thermostat", "2030-12-31", *here).status == 0
    shown = tocsin("product", "show", "thermostat", "-w", workspace.path).out
    assert "1.2.0 1.4.1 1.4.1+7 1.10.0" in shown
    assert "2030-12-31" in shown
    assert "not decided" in tocsin("product", "show", "doorbell", "-w", workspace.path).out


def test_the_other_lines_of_the_file_stay(workspace: Workspace, tocsin: Tocsin) -> None:
    path = workspace.path / "products.toml"
    old = path.read_text()
    path.write_text(
        old.replace(
            "[thermostat]\n",
            "[thermostat] # ours\nversions = [\n  '1.0.0', # the first\n  '1.1.0',\n]\n# last\n",
        )
    )
    here = ("-w", workspace.path)
    assert tocsin("product", "version", "add", "thermostat", "1.2.0", *here).status == 0
    assert tocsin("product", "end-of-support", "thermostat", "2030-01-31", *here).status == 0
    assert tocsin("product", "end-of-support", "thermostat", "2031-01-31", *here).status == 0
    text = path.read_text()
    assert text.replace('versions = ["1.0.0", "1.1.0", "1.2.0"]\n', "").replace(
        'end_of_support = "2031-01-31"\n', ""
    ) == old.replace("[thermostat]\n", "[thermostat] # ours\n# last\n")


def test_a_setting_tells_what_the_register_says(workspace: Workspace, tocsin: Tocsin) -> None:
    here = ("-w", workspace.path)
    tocsin("product", "version", "add", "thermostat", "1.4.1", *here)
    tocsin("product", "end-of-support", "thermostat", "2030-01-31", *here)
    found = setting.current(workspace, advisories.load(workspace, ADVISORY).facts).products
    assert found["thermostat"].versions == ("1.4.1",)
    assert found["thermostat"].end_of_support == date(2030, 1, 31)
    assert found["doorbell"].end_of_support is None


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("version", "add", "thermostat", "1.4"), "BAD_VALUE"),
        (("version", "add", "thermostat", "1.4.300000"), "BAD_VALUE"),
        (("version", "add", "kettle", "1.4.0"), "NO_PRODUCT"),
        (("end-of-support", "thermostat", "31.1.2030"), "BAD_VALUE"),
        (("add", "kettle", "--name", "x" * 201), "BAD_VALUE"),
        (("add", "kettle", "--vendor", "x" * 201), "BAD_VALUE"),
        (("end-of-support", "thermostat", "2030-02-30"), "BAD_VALUE"),
        (("end-of-support", "kettle", "2030-01-31"), "NO_PRODUCT"),
        (("show", "kettle"), "NO_PRODUCT"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_written(
    workspace: Workspace, tocsin: Tocsin, words: tuple[str, ...], code: str
) -> None:
    before = (workspace.path / "products.toml").read_bytes()
    ran = tocsin("product", *words, "-w", workspace.path, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, code)
    assert (workspace.path / "products.toml").read_bytes() == before


@pytest.mark.parametrize(
    "line",
    [
        "versions = ['1.1.0', '1.0.0']",
        "versions = ['1.0.0', '1.0.0']",
        "versions = ['new']",
        "versions = [1.0]",
        "versions = '1.0.0'",
        "end_of_support = 2030-01-31",
        "end_of_support = 'soon'",
        "end_of_support = ''",
    ],
)
def test_a_file_that_says_something_else_is_refused_with_its_line(
    workspace: Workspace, tocsin: Tocsin, line: str
) -> None:
    path = workspace.path / "products.toml"
    path.write_text(path.read_text().replace("[doorbell]\n", f"[doorbell]\n{line}\n"))
    number = path.read_text().splitlines().index(line) + 1
    ran = tocsin("product", "list", "-w", workspace.path, "--json")
    assert (ran.status, ran.json["error"]["code"]) == (2, "BAD_VALUE")
    assert ran.json["error"]["where"] == f"{path}:{number}"


def test_a_key_in_a_table_of_one_line_is_left_alone(workspace: Workspace, tocsin: Tocsin) -> None:
    path = workspace.path / "products.toml"
    path.write_text(path.read_text() + "\n[kettle]\nname = 'K'\nlanguages = ['en']\n")
    path.write_text(f"kettle.versions = ['1.0.0']\n{path.read_text().replace('[kettle]', '[other]')}")
    before = path.read_bytes()
    ran = tocsin("product", "version", "add", "kettle", "1.1.0", "-w", workspace.path, "--json")
    assert ran.status == 2
    assert path.read_bytes() == before
