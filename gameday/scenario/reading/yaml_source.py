"""YAML in, plain data and positions out: JSON's scalars only, every key's place remembered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

__all__ = ["Document", "Place", "is_file", "read_document"]

_JSON_SCALAR = re.compile(r"null|true|false|-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")

PathKey = tuple[str | int, ...]


_DEEPEST = 60
_MOST_NODES = 200_000


class _TooLarge(Exception):
    """The document was given up; the fault is in its list."""


def is_file(path: Path) -> bool:
    """Return whether `path` is a file; a name no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


@dataclass(frozen=True, slots=True)
class Place:
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
    places: dict[PathKey, Place] = field(default_factory=dict)
    faults: list[tuple[Place, str]] = field(default_factory=list)

    def place_of(self, path: PathKey) -> Place:
        """Return where `path` stands, or the nearest place above it that was written."""
        for cut in range(len(path), -1, -1):
            if path[:cut] in self.places:
                return self.places[path[:cut]]
        return Place("?", 1, 1)


def read_document(file: Path) -> Document:
    """Return the document of `file` with its includes merged under it (its own keys win)."""
    document = _read_file(file, shown=str(file), trail=(), read=set())
    document.data.pop("include", None)
    return document


def _read_file(file: Path, *, shown: str, trail: tuple[Path, ...], read: set[Path]) -> Document:
    """Return a file's document; `trail`: the files that include it; `read`: all that were read so far."""
    read.add(file.resolve())
    document = Document()
    document.places[()] = Place(shown, 1, 1)
    try:
        text = file.read_text(encoding="utf-8")
        root = YAML(typ="rt", pure=True).compose(text)
    except OSError as error:
        document.faults.append((document.places[()], f"cannot be read ({error.strerror})"))
        return document
    except UnicodeDecodeError as error:
        document.faults.append((document.places[()], f"is not UTF-8 text (byte {error.start})"))
        return document
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Place(shown, mark.line + 1, mark.column + 1) if mark else document.places[()]
        document.faults.append((at, f"is not YAML: {error.problem or error.context}"))
        return document
    except Exception as error:  # ruamel raises bare errors for reader faults
        document.faults.append((document.places[()], f"is not YAML: {str(error).splitlines()[0]}"))
        return document
    if not isinstance(root, MappingNode):
        document.faults.append((document.places[()], "must be a mapping; see `gameday schema`"))
        return document
    try:
        document.data = _construct(root, (), shown, document)
    except _TooLarge:
        return document
    return _merge_includes(document, file, shown, (*trail, file.resolve()), read)


def _construct(node: Node, path: PathKey, shown: str, document: Document) -> Any:
    mark = node.start_mark
    document.places.setdefault(path, Place(shown, mark.line + 1, mark.column + 1))
    if len(path) > _DEEPEST or len(document.places) > _MOST_NODES:
        document.faults.append(
            (document.places[path], "is nested too deep or too large; do not let aliases loop")
        )
        raise _TooLarge
    if isinstance(node, MappingNode):
        return _construct_mapping(node, path, shown, document)
    if isinstance(node, SequenceNode):
        return [_construct(n, (*path, i), shown, document) for i, n in enumerate(node.value)]
    assert isinstance(node, ScalarNode)
    text = node.value
    if node.style is None and _JSON_SCALAR.fullmatch(text):
        try:
            return json.loads(text)
        except ValueError:
            return text  # a number with more digits than Python reads
    return text


def _construct_mapping(
    node: MappingNode, path: PathKey, shown: str, document: Document
) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        at = Place(shown, key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if key in out:
            where = ".".join(str(p) for p in (*path, key))
            first = document.places[(*path, key)]
            document.faults.append((at, f"{where}: written twice; first at line {first.line}"))
            continue
        document.places[(*path, key)] = at
        out[key] = _construct(value_node, (*path, key), shown, document)
    return out


def _merge_includes(
    document: Document, file: Path, shown: str, trail: tuple[Path, ...], read: set[Path]
) -> Document:
    """Return `document` with its includes under it, the first on top.

    A file that was read before lies under the document already, higher up: merged again it would add nothing,
    and files that include one another's includes would be read exponentially often.
    """
    names = document.data.get("include", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        at = document.place_of(("include",))
        document.faults.append((at, "include: must be a list of files"))
        return document
    for index, name in enumerate(names):
        target = file.parent / name
        at = document.place_of(("include", index))
        if not is_file(target):
            document.faults.append((at, f"include.{index}: no such file (got '{name[:80]}')"))
            continue
        if target.resolve() in trail:
            document.faults.append((at, f"include.{index}: '{name}' includes itself"))
            continue
        if target.resolve() in read:
            continue
        if len(trail) > _DEEPEST:
            fault = f"include.{index}: more than {_DEEPEST} files include one another in a row"
            document.faults.append((at, fault))
            continue
        below = _read_file(target, shown=str(Path(shown).parent / name), trail=trail, read=read)
        below.data.pop("include", None)
        document.faults.extend(below.faults)
        document.data = _merged(document.data, below.data)
        for path, place in below.places.items():
            document.places.setdefault(path, place)
    return document


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
