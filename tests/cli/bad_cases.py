"""Everything that is put in badly, and what is said to it: a table."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.operations import advisories
from gateway.workspace.folder import Workspace
from tests.cli.conftest import ADVISORY, no_passphrase


def edit(path: str, old: str, new: str) -> Callable[[Workspace], None]:
    def apply(workspace: Workspace) -> None:
        file = workspace.path / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return apply


def append(path: str, text: str) -> Callable[[Workspace], None]:
    def apply(workspace: Workspace) -> None:
        file = workspace.path / path
        file.write_text(file.read_text() + text)

    return apply


def put(path: str, data: bytes) -> Callable[[Workspace], None]:
    def apply(workspace: Workspace) -> None:
        (workspace.path / path).parent.mkdir(parents=True, exist_ok=True)
        (workspace.path / path).write_bytes(data)

    return apply


def remove(path: str) -> Callable[[Workspace], None]:
    return lambda workspace: (workspace.path / path).unlink()


def flip(path: str, offset: int) -> Callable[[Workspace], None]:
    def apply(workspace: Workspace) -> None:
        data = bytearray((workspace.path / path).read_bytes())
        data[offset] ^= 1
        (workspace.path / path).write_bytes(data)

    return apply


def approved(*roles: str) -> Callable[[Workspace], None]:
    def apply(workspace: Workspace) -> None:
        for role in roles:
            reviewed = advisories.review(workspace, ADVISORY, now=_now())
            advisories.approve(workspace, reviewed, role, no_passphrase)

    return apply


def both(*steps: Callable[[Workspace], None]) -> Callable[[Workspace], None]:
    def apply(workspace: Workspace) -> None:
        for step in steps:
            step(workspace)

    return apply


def nothing(_workspace: Workspace) -> None:
    pass


def _now() -> int:
    return int(time.time())


@dataclass(frozen=True)
class Case:
    name: str
    prepare: Callable[[Workspace], None]
    command: str
    status: int
    says: tuple[str, ...]


YAML = f"advisories/{ADVISORY}.yaml"
CASES = [
    Case(
        "misspelt key in the settings",
        edit("tocsin.toml", "exercise =", "exercize ="),
        "status",
        2,
        ("tocsin.toml:3", "'exercize'", "Did you mean 'exercise'?"),
    ),
    Case(
        "unknown key in the settings",
        append("tocsin.toml", "colour = 3\n"),
        "status",
        2,
        ("tocsin.toml:7", "'colour'", "Known: format, exercise"),
    ),
    Case(
        "wrong type in the settings",
        edit("tocsin.toml", "= true", '= "yes"'),
        "status",
        2,
        ("tocsin.toml:3", "true or false"),
    ),
    Case(
        "settings that are not TOML",
        append("tocsin.toml", "= =\n"),
        "status",
        2,
        ("tocsin.toml:7", "not TOML"),
    ),
    Case(
        "settings that are not UTF-8",
        put("tocsin.toml", b"a = 1\n\xff\xfe\n"),
        "status",
        2,
        ("tocsin.toml:2", "UTF-8"),
    ),
    Case(
        "settings without a format",
        put("tocsin.toml", b"exercise = true\n"),
        "status",
        2,
        ("tocsin.toml:1", "'format' is missing"),
    ),
    Case(
        "misspelt key of a product",
        edit("products.toml", "languages", "langauges"),
        "product list",
        2,
        ("products.toml:5", "'langauges'", "Did you mean 'languages'?"),
    ),
    Case(
        "a role that does not exist",
        edit("keys.toml", '["legal"]', '["legall"]'),
        "key list",
        2,
        ("keys.toml:", "'legall'", "'legal'"),
    ),
    Case(
        "a public key that is none",
        edit("keys.toml", 'public = "', 'public = "00'),
        "key list",
        2,
        ("keys.toml:", "not a public key"),
    ),
    Case(
        "misspelt key of an advisory",
        edit(YAML, "severity:", "severty:"),
        f"advisory check {ADVISORY}",
        2,
        (f"{ADVISORY}.yaml:", "severty", "severity"),
    ),
    Case(
        "an advisory that is not YAML",
        append(YAML, "\t: [\n"),
        f"advisory approve {ADVISORY} --key legal --yes",
        2,
        (f"{ADVISORY}.yaml:",),
    ),
    Case(
        "an advisory under a wrong name",
        put("advisories/EX-1.yaml", b"id: 5\n"),
        "advisory check EX-1",
        2,
        ("EX-1.yaml:1",),
    ),
    Case(
        "an advisory that is not there",
        nothing,
        "advisory check EX-2026-0002",
        2,
        ("There is no advisory", f"'{ADVISORY}'"),
    ),
    Case(
        "an image that is none",
        put("image.bin", b"not an image"),
        "patch add --product thermostat --image fleet/image.bin",
        2,
        ("fleet/image.bin", "not a whole MCUboot image"),
    ),
    Case(
        "an image that is not there",
        nothing,
        "patch add --product thermostat --image no.bin",
        2,
        ("no.bin", "cannot be read"),
    ),
    Case(
        "a product that is not there",
        nothing,
        "device add --product thermostatt",
        2,
        ("thermostatt", "Did you mean 'thermostat'?"),
    ),
    Case("a product that exists", nothing, "product add thermostat", 2, ("products.toml", "already")),
    Case(
        "a product id that cannot be a topic", nothing, "product add a/b", 2, ("'a/b' is not a product id",)
    ),
    Case(
        "a language that the product lacks",
        nothing,
        "device add --product thermostat --language ja",
        2,
        ("'ja'", "Choose from en"),
    ),
    Case(
        "a version that is none",
        nothing,
        "device add --product thermostat --version 1.4",
        2,
        ("'1.4' is not a version",),
    ),
    Case(
        "a key that exists",
        nothing,
        "key new legal --role legal --holder x --no-passphrase",
        2,
        ("legal", "already"),
    ),
    Case(
        "a key for no known role",
        nothing,
        "key new x --role legall --holder x --no-passphrase",
        2,
        ("legall",),
    ),
    Case(
        "no passphrase and nobody to ask",
        nothing,
        "key new x --role legal --holder x",
        2,
        ("TOCSIN_PASSPHRASE",),
    ),
    Case(
        "a key that is not there",
        nothing,
        f"advisory approve {ADVISORY} --key legall --yes",
        2,
        ("Did you mean 'legal'?",),
    ),
    Case(
        "a key without a say",
        nothing,
        f"advisory approve {ADVISORY} --key operator --yes",
        2,
        ("operator", "legal"),
    ),
    Case(
        "a private key that is gone",
        remove("keys/legal.pem"),
        f"advisory approve {ADVISORY} --key legal --yes",
        2,
        ("keys/legal.pem",),
    ),
    Case(
        "a private key that is none",
        put("keys/legal.pem", b"x"),
        f"advisory approve {ADVISORY} --key legal --yes",
        2,
        ("not a PKCS#8 PEM",),
    ),
    Case("approval without a yes", nothing, f"advisory approve {ADVISORY} --key legal", 2, ("--yes",)),
    Case(
        "publishing before any approval",
        nothing,
        f"advisory publish {ADVISORY}",
        2,
        ("Nobody has approved", "advisory approve"),
    ),
    Case(
        "publishing with an approval missing",
        approved("engineering", "legal"),
        f"advisory publish {ADVISORY}",
        3,
        ("communications", f"tocsin advisory approve {ADVISORY} --key communications"),
    ),
    Case(
        "an advisory changed after an approval",
        both(approved("engineering"), edit(YAML, "strangers", "people")),
        f"advisory approve {ADVISORY} --key legal --yes",
        2,
        (f"{ADVISORY}.yaml", "void", "--restart"),
    ),
    Case(
        "publishing what was changed after all approved",
        both(approved("engineering", "legal", "communications"), edit(YAML, "strangers", "people")),
        f"advisory publish {ADVISORY}",
        2,
        (f"{ADVISORY}.yaml", "void"),
    ),
    Case("a patch that is not there", nothing, "patch publish thermostat@9.9.9", 2, ("There is no patch",)),
    Case("a rollout without a patch", nothing, "rollout start --patch 7", 2, ("There is no patch '7'",)),
    Case("a rollout that is not there", nothing, "rollout cancel x", 2, ("There is no rollout 'x'",)),
    Case(
        "groups that are no numbers", nothing, "rollout start --patch 7 --groups ten", 2, ("--groups 10,90",)
    ),
    Case(
        "a draft root that nobody made",
        nothing,
        "root sign --key root-anna",
        2,
        ("no draft", "tocsin root new"),
    ),
    Case("a root of two years", nothing, "root rotate --days 800", 2, ("1 to 366 days",)),
    Case(
        "a file that is no document",
        put("x.cose", b"hello"),
        "verify fleet/x.cose",
        2,
        ("fleet/x.cose", "not a document"),
    ),
    Case("an option that does not exist", nothing, "status --jason", 2, ("--jason",)),
    Case("no broker known", nothing, "fleet run --for 1", 2, ("No broker is known", "tocsin serve")),
    Case("an address that is none", nothing, "fleet run --broker nonsense --for 1", 2, ("nonsense",)),
    Case("a broker that is not there", nothing, "serve --broker mqtt://127.0.0.1:1", 4, ("127.0.0.1:1",)),
    Case("a damaged root", flip("roots/1.cose", 200), "status --json", 0, ()),
    Case(
        "a damaged root, where it counts",
        flip("roots/1.cose", 200),
        "key list",
        5,
        ("roots/1.cose", "Restore"),
    ),
    Case("a root that is gone", remove("roots/1.cose"), f"advisory show {ADVISORY}", 2, ("no root yet",)),
    Case(
        "a damaged store", put("store.sqlite", b"This is not a store." * 100), "status", 5, ("store.sqlite",)
    ),
    Case("a store that is gone", remove("store.sqlite"), "status", 4, ("store.sqlite",)),
    Case("a list of products that is gone", remove("products.toml"), "product list", 5, ("products.toml",)),
    Case(
        "damaged approvals",
        both(approved("legal"), put(f"advisories/{ADVISORY}/r1/header.cose", b"x")),
        f"advisory show {ADVISORY}",
        5,
        (ADVISORY, "--restart"),
    ),
    Case("a damaged patch", put("patches/5.suit", b"x"), "patch show 5", 5, ("patches/5.suit",)),
]
