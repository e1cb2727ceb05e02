"""Plain data as YAML text and back, for files that people review; no positions, no includes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from gameday.scenario.blocks import Spread
from gameday.scenario.units import Duration

__all__ = ["as_written", "from_yaml", "to_yaml"]

_DURATION = Duration.__metadata__[0]  # type: ignore[attr-defined]
"""What marks a field as a duration."""


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
        raise ValueError(f"is not YAML: {_place(error)}") from None
    if not isinstance(data, dict):
        raise ValueError("is no mapping")
    return data


def _place(error: YAMLError) -> str:
    """Return line and column of what is no YAML, and what is wrong there."""
    if isinstance(error, MarkedYAMLError) and (mark := error.problem_mark or error.context_mark):
        what = " ".join((error.problem or error.context or "cannot be read").split())
        return f"{mark.line + 1}:{mark.column + 1}: {what}"
    return str(error).splitlines()[0]


def as_written(block: BaseModel) -> dict[str, Any]:
    """Return a block as plain data that the scenario's reader reads back, exact to six digits."""
    out = {}
    for name, field in type(block).model_fields.items():
        value = getattr(block, name)
        if value != field.default and value != field.get_default(call_default_factory=True):
            out[field.alias or name] = _plain(value, is_duration=_DURATION in field.metadata)
    return out


def _plain(value: Any, *, is_duration: bool) -> Any:
    if is_duration:
        return f"{value * 1000:.6f}".rstrip("0").rstrip(".") + "ms"
    if isinstance(value, Spread):
        return {name: float(f"{getattr(value, name):.6g}") for name in ("mid", "low", "high")}
    if isinstance(value, BaseModel):
        return as_written(value)
    if isinstance(value, dict):
        return {str(key): _plain(one, is_duration=False) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, is_duration=False) for one in value]
    return value
