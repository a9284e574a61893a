"""Putting a translation into a file of facts, and leaving every other byte of the file as it was.

A file that is JSON all through, as long imports are, is written anew: it says the same as before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, Node

from advisories import jsonfile
from advisories.yamlfile import DEPTH_MAX
from keys.errors import InputError


def insert(text: str, language: str, words: Mapping[str, Any], *, where: str) -> str:
    """Return the file with the text of one language added or replaced.

    Args:
        text: a file that loads as facts.
        language: of the words.
        words: key -> value as in the file: a text, a map or a list of texts, or a list of maps of texts.
        where: the file's name, for messages.

    Raises:
        InputError: TEXTS_LAYOUT, for a file whose ``texts:`` is written in brackets.
    """
    found = jsonfile.load(text, DEPTH_MAX)
    if found is not None:
        texts = found.value["texts"] | {language: words}
        return found.head + jsonfile.write(found.value | {"texts": texts})
    texts = _value(YAML(typ="safe", pure=True).compose(text), "texts")
    if not isinstance(texts, MappingNode) or texts.flow_style:
        raise InputError(
            "TEXTS_LAYOUT",
            "'texts:' is written in brackets, so a language cannot be put in.",
            mend="Write each language on lines of its own.",
            where=where,
        )
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    indent = texts.value[0][0].start_mark.column
    block = [f"{' ' * indent}{language}:\n", *(f"{' ' * (indent + 2)}{line}\n" for line in _lines(words))]
    keys = [(key.value, key.start_mark.line) for key, _ in texts.value]
    begins = dict(keys)
    end = _said(texts.end_mark.line + (texts.end_mark.column > 0), 0, lines, indent)
    if language not in begins:
        return "".join([*lines[:end], *block, *lines[end:]])
    start = begins[language]
    after = _said(min((line for _, line in keys if line > start), default=end), start + 1, lines, indent)
    return "".join([*lines[:start], *block, *lines[after:]])


def _value(node: Node | None, key: str) -> Node | None:
    pairs = node.value if isinstance(node, MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _said(end: int, least: int, lines: list[str], indent: int) -> int:
    """Go back over blank lines and over comments about what follows, which are not indented deeper."""
    end = min(end, len(lines))
    while end > least:
        line = lines[end - 1]
        content = line.lstrip(" ")
        if content.strip() and not (content.startswith("#") and len(line) - len(content) <= indent):
            break
        end -= 1
    return end


def _lines(words: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for key, value in words.items():
        if isinstance(value, str):
            found.append(f"{key}: {_quoted(value)}")
            continue
        found.append(f"{key}:")
        if isinstance(value, Mapping):
            found += [f"  {_quoted(name)}: {_quoted(part)}" for name, part in value.items()]
            continue
        for item in value:
            if isinstance(item, str):
                found.append(f"  - {_quoted(item)}")
            else:
                pairs = [f"{name}: {_quoted(part)}" for name, part in item.items()]
                found += [f"  - {pairs[0]}", *(f"    {pair}" for pair in pairs[1:])]
    return found


def _quoted(text: str) -> str:
    """Return a text as YAML's double-quoted scalar, which reads JSON's escapes."""
    return jsonfile.safe(json.dumps(text, ensure_ascii=False))
