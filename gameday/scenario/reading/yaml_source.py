"""YAML read as plain data with JSON's scalars, and the position of every key."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gameday.scenario.faults import FaultPath

__all__ = ["Document", "Position", "is_file", "read_document"]

_JSON_SCALAR = re.compile(r"null|true|false|-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")

Plain = dict[str, "Plain"] | list["Plain"] | str | int | float | bool | None
"""JSON's own types."""

_DEEPEST = 60
"""Of keys within keys, and of files that include one another: deeper is a loop."""
_MOST_NODES = 200_000
"""Of a file, aliases followed: more is a loop of aliases."""


class _TooLarge(Exception):
    """Reading a document ended early; the fault is in its list."""


def is_file(path: Path) -> bool:
    """Return whether `path` is a file; False too for a name that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class Position:
    """A position in a file, counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass
class Document:
    """What a scenario file and its includes say, and where each thing stands."""

    data: dict[str, Any] = field(default_factory=dict)
    positions: dict[FaultPath, Position] = field(default_factory=dict)
    faults: list[tuple[Position, str]] = field(default_factory=list)

    def position_of(self, path: FaultPath) -> Position:
        """Return where `path` stands, or the nearest key above it that was written."""
        for cut in range(len(path), -1, -1):
            if path[:cut] in self.positions:
                return self.positions[path[:cut]]
        return Position("?", 1, 1)


@dataclass(frozen=True, slots=True)
class _Source:
    """A file on its way into a document."""

    file: Path
    shown: str
    """Its name in messages."""
    includers: tuple[Path, ...] = ()
    """The files that include it, the outermost first."""
    seen: set[Path] = field(default_factory=set)
    """All files read so far for this document."""


def read_document(file: Path) -> Document:
    """Return the document of `file` with its includes merged under it (its own keys win)."""
    document = _read_file(_Source(file, str(file)))
    document.data.pop("include", None)
    return document


def _read_file(source: _Source) -> Document:
    """Return a file's document, its includes merged under it."""
    source.seen.add(source.file.resolve())
    document = Document(positions={(): Position(source.shown, 1, 1)})
    root = _compose(source.file, document)
    if root is None:
        return document
    try:
        document.data = _Construction(source.shown, document).mapping(root, ())
    except _TooLarge:
        return document
    return _merge_includes(document, source)


def _compose(file: Path, document: Document) -> MappingNode | None:
    """Return the root node of a YAML file; None, and a fault in the document, where it has none."""
    position = document.positions[()]
    try:
        root = YAML(typ="rt", pure=True).compose(file.read_text(encoding="utf-8"))
    except OSError as error:
        fault = f"cannot be read ({error.strerror})"
    except UnicodeDecodeError as error:
        fault = f"is not UTF-8 text (byte {error.start})"
    except MarkedYAMLError as error:
        if mark := error.problem_mark or error.context_mark:
            position = Position(position.file, mark.line + 1, mark.column + 1)
        fault = f"is not YAML: {error.problem or error.context}"
    except Exception as error:  # ruamel raises bare errors for reader faults
        fault = f"is not YAML: {str(error).splitlines()[0]}"
    else:
        if isinstance(root, MappingNode):
            return root
        fault = "must be a mapping; see `gameday schema`"
    document.faults.append((position, fault))
    return None


@dataclass(frozen=True, slots=True)
class _Construction:
    """Makes plain data of a file's YAML nodes and notes in the document where each stands."""

    shown: str
    document: Document

    def mapping(self, node: MappingNode, path: FaultPath) -> dict[str, Plain]:
        """Return a mapping; a key that is written twice is a fault, and the first counts."""
        self._note(node, path)
        out: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            here, position = (*path, key), self._position(key_node)
            if key in out:
                first, name = self.document.positions[here], ".".join(map(str, here))
                fault = f"{name}: written twice; first at line {first.line}"
                self.document.faults.append((position, fault))
                continue
            self.document.positions[here] = position
            out[key] = self._value(value_node, here)
        return out

    def _value(self, node: Node, path: FaultPath) -> Plain:
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        self._note(node, path)
        if isinstance(node, SequenceNode):
            return [self._value(n, (*path, i)) for i, n in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        return _scalar(node)

    def _note(self, node: Node, path: FaultPath) -> None:
        """Note where a node stands; _TooLarge, and a fault, where there are too many or they nest too deep."""
        document = self.document
        document.positions.setdefault(path, self._position(node))
        if len(path) > _DEEPEST or len(document.positions) > _MOST_NODES:
            document.faults.append(
                (
                    document.positions[path],
                    "is nested too deep or too large; do not let aliases loop",
                )
            )
            raise _TooLarge

    def _position(self, node: Node) -> Position:
        return Position(self.shown, node.start_mark.line + 1, node.start_mark.column + 1)


def _scalar(node: ScalarNode) -> Plain:
    """Return one of JSON's scalars where it is written as such, without quotes; else its text."""
    text: str = node.value
    if node.style is None and _JSON_SCALAR.fullmatch(text):
        try:
            scalar: Plain = json.loads(text)
        except ValueError:
            return text  # a number with more digits than Python reads
        return scalar
    return text


def _merge_includes(document: Document, source: _Source) -> Document:
    """Return `document` with its includes under it, the first on top.

    A file that was read before lies under the document already, higher up: merged again it would add nothing,
    and files that include one another's includes would be read exponentially often.
    """
    names = document.data.get("include", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        position = document.position_of(("include",))
        document.faults.append((position, "include: must be a list of files"))
        return document
    includers = (*source.includers, source.file.resolve())
    for index, name in enumerate(names):
        target = source.file.parent / name
        if (fault := _include_fault(target, name, includers, source.seen)) is not None:
            position = document.position_of(("include", index))
            document.faults.append((position, f"include.{index}: {fault}"))
        elif target.resolve() not in source.seen:
            shown = str(Path(source.shown).parent / name)
            _merge_under(document, _read_file(_Source(target, shown, includers, source.seen)))
    return document


def _include_fault(
    target: Path, name: str, includers: tuple[Path, ...], seen: set[Path]
) -> str | None:
    """Return why a file cannot be included; None where it can, or was already."""
    if not is_file(target):
        return f"no such file (got '{name[:80]}')"
    if target.resolve() in includers:
        return f"'{name}' includes itself"
    if target.resolve() not in seen and len(includers) > _DEEPEST:
        return f"more than {_DEEPEST} files include one another in a row"
    return None


def _merge_under(document: Document, below: Document) -> None:
    below.data.pop("include", None)
    document.faults.extend(below.faults)
    document.data = _merged(document.data, below.data)
    for path, position in below.positions.items():
        document.positions.setdefault(path, position)


def _merged(over: Any, under: Any) -> Any:
    """Return `under` with `over` written on it; mappings merge, everything else is replaced."""
    if isinstance(over, dict) and isinstance(under, dict):
        keys = [*under, *(key for key in over if key not in under)]
        return {
            key: _merged(over[key], under[key])
            if key in over and key in under
            else over.get(key, under.get(key))
            for key in keys
        }
    return over
