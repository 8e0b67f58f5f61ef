"""Where each key and value of a TOML file is written, as a line and a column of characters.

Parsing twice costs time, so this is only asked for once something has to be pointed at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

Path = tuple[str | int, ...]  # ("products", "EDR", "quantity", 1)

_STEP = re.compile(r'"((?:[^"\\]|\\.)*)"|\[(\d+)\]|([^.\[\]"]+)')
_NAMED = frozenset({"products", "vendors", "psa", "agreements", "profiles"})


def path_text(path: Path) -> str:
    """A path as people and `Policy` write it: `products."EDR".quantity[1]`."""
    text = ""
    for depth, step in enumerate(path):
        if isinstance(step, int):
            text += f"[{step}]"
            continue
        chosen = (depth == 1 and path[0] in _NAMED) or not re.fullmatch(r"[A-Za-z0-9_-]+", step)
        escaped = step.replace("\\", "\\\\").replace('"', '\\"')
        text += ("." if text else "") + (f'"{escaped}"' if chosen else step)
    return text


def parse_path(text: str) -> Path:
    """The reverse of `path_text`."""
    steps: list[str | int] = []
    for quoted, index, bare in _STEP.findall(text):
        if index:
            steps.append(int(index))
        else:
            steps.append(bare or re.sub(r"\\(.)", r"\1", quoted))
    return tuple(steps)


class Positions:
    """Finds the entries of one file. `data` is valid UTF-8 TOML without a byte order mark."""

    def __init__(self, data: bytes) -> None:
        import tree_sitter_toml
        from tree_sitter import Language, Parser

        self._lines = data.split(b"\n")
        self._nodes: dict[Path, tuple[Node, Node]] = {}  # path -> (key, value)
        self._counts: dict[Path, int] = {}  # `[[name]]` tables met so far
        tree = Parser(Language(tree_sitter_toml.language())).parse(data)
        for node in _children(tree.root_node):
            if node.type == "pair":
                self._pair((), node)
            elif node.type in ("table", "table_array_element"):
                self._table(node)

    def find(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Line and column, both from 1, of a value (or its key); else of what surrounds it."""
        while path and path not in self._nodes:
            path, key = path[:-1], True
        if not path:
            return 1, 1
        row, column = self._nodes[path][0 if key else 1].start_point
        return row + 1, len(self._lines[row][:column].decode("utf-8", "replace")) + 1

    def _table(self, node: Node) -> None:
        header, *pairs = _children(node) or [node]
        names = _names(header)
        if not names:
            return
        if node.type == "table_array_element":
            array = (*self._counted(names[:-1]), names[-1])
            self._counts[array] = self._counts.get(array, 0) + 1
            self._nodes.setdefault(array, (header, header))
        for length in range(1, len(names)):
            self._nodes.setdefault(self._counted(names[:length]), (header, header))
        base = self._counted(names)
        self._nodes[base] = (header, header)
        for pair in pairs:
            self._pair(base, pair)

    def _counted(self, names: list[str]) -> Path:
        """With the index of the `[[table]]` that is open: a.b -> a, 3, b."""
        path: Path = ()
        for name in names:
            path = (*path, name)
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        return path

    def _pair(self, base: Path, node: Node) -> None:
        parts = _children(node)
        if node.type != "pair" or len(parts) < 2:
            return
        key, value = parts[:2]
        names = _names(key)
        for length in range(1, len(names)):
            self._nodes.setdefault((*base, *names[:length]), (key, value))
        path = (*base, *names)
        self._nodes[path] = (key, value)
        self._value(path, value)

    def _value(self, path: Path, node: Node) -> None:
        if node.type == "inline_table":
            for child in _children(node):
                self._pair(path, child)
        elif node.type == "array":
            for index, child in enumerate(_children(node)):
                self._nodes[(*path, index)] = (child, child)
                self._value((*path, index), child)


def _children(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type not in ("comment", "ERROR")]


def _names(key: Node) -> list[str]:
    if key.type == "dotted_key":
        return [name for part in _children(key) for name in _names(part)]
    text = (key.text or b"").decode("utf-8", "replace")
    if key.type != "quoted_key":
        return [text]
    import tomli

    try:
        return list(tomli.loads(f"{text}=0"))
    except tomli.TOMLDecodeError:
        return [text]
