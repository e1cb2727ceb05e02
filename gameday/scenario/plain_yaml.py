"""Plain data to YAML text and back, for files that people review; no positions, no includes."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

__all__ = ["from_yaml", "to_yaml"]


def to_yaml(data: dict[str, Any]) -> str:
    """Return `data` as YAML in its own order."""
    out, yaml = io.StringIO(), YAML()
    yaml.default_flow_style = False
    yaml.width = 100
    yaml.dump(data, out)
    return out.getvalue()


def from_yaml(text: str) -> dict[str, Any]:
    """Return the mapping that `text` holds; ValueError says in one line what it is not."""
    try:
        data = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ValueError(f"is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(data, dict):
        raise ValueError("is no mapping")
    return data
