"""Plain data as YAML text and back, for files that people review; no positions, no includes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

__all__ = ["from_yaml", "to_yaml"]


def to_yaml(data: dict[str, Any], comments: Mapping[tuple[str, ...], str] | None = None) -> str:
    """Return `data` as YAML in its own order; `comments` stand beside the keys whose paths they have."""
    out, yaml = io.StringIO(), YAML()
    yaml.default_flow_style = False
    yaml.width = 100
    yaml.dump(_commented(data, comments, ()) if comments else data, out)
    return out.getvalue()


def _commented(data: Any, comments: Mapping[tuple[str, ...], str], path: tuple[str, ...]) -> Any:
    if not isinstance(data, dict):
        return data
    out = CommentedMap()
    for key, part in data.items():
        here = (*path, str(key))
        out[key] = _commented(part, comments, here)
        if here in comments:
            out.yaml_add_eol_comment(comments[here], key)
    return out


def from_yaml(text: str) -> dict[str, Any]:
    """Return the mapping that `text` holds; ValueError says in one line what it is not."""
    try:
        data = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ValueError(f"is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(data, dict):
        raise ValueError("is no mapping")
    return data
