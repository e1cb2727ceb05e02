"""Pydantic's errors in plain words: what is wrong, what was got, what to do."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

__all__ = ["Fault", "FaultPath", "did_you_mean", "fault_path", "fault_text", "unknown"]

FaultPath = tuple[str | int, ...]
"""Where in the document: keys, and positions in lists."""
Fault = tuple[FaultPath, str]
"""A path in the document and what is wrong there."""


_SHOWN = 60


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest candidate, else the list of them."""
    names = list(candidates)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; use one of: {', '.join(names)}" if names else ""


def fault_path(error: ErrorDetails, data: Any) -> FaultPath:
    """Return the error's path as a person wrote it: union tags and wrapped lists left out."""
    path: list[str | int] = []
    here: Any = data
    for part in error["loc"]:
        is_inside = part in here if isinstance(here, dict) else isinstance(here, list)
        if is_inside and (isinstance(here, dict) or (isinstance(part, int) and part < len(here))):
            here = here[part]
        elif isinstance(here, dict) and error["type"] == "missing" and part == error["loc"][-1]:
            here = None
        else:
            continue  # a union's tag, or the list that reading puts around a single exchange
        path.append(part)
    return tuple(path)


def fault_text(error: ErrorDetails, root: type[BaseModel]) -> str:
    """Return `what is wrong (got X); remedy` for one of pydantic's errors."""
    kind, context = error["type"], error.get("ctx", {})
    got = _got(error["input"])
    if error["input"] == "unknown":
        return "is not known yet; write it: the comment beside it says how to find it"
    if kind == "missing":
        return f"is missing; add `{error['loc'][-1]}:`"
    if kind == "extra_forbidden":
        near = did_you_mean(str(error["loc"][-1]), _fields_at(root, error["loc"][:-1]))
        return f"is not a field here{near}"
    if kind == "value_error":
        return f"{context['error']} {got}"
    if kind in ("literal_error", "union_tag_invalid"):
        return _unknown_value(context, error["input"])
    if kind == "union_tag_not_found":
        return f"needs its {context.get('discriminator', 'kind')} {got}"
    if kind == "string_pattern_mismatch":
        return f"must match {context['pattern']} {got}"
    message = error["msg"][0].lower() + error["msg"][1:]
    return f"{message.replace('input should be', 'must be')} {got}"


def _unknown_value(context: Mapping[str, Any], value: Any) -> str:
    """Return the fault of a value, or a union's tag, that is none of those pydantic expected."""
    options = str(context.get("expected") or context.get("expected_tags"))
    names = [name.strip(" '") for name in options.replace(" or ", ", ").split(",")]
    word = str(context.get("tag", value))
    return f"unknown value '{word}'{did_you_mean(word, names)}"


def _got(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return f"(got {text if len(text) <= _SHOWN else text[:_SHOWN] + '...'})"


def _fields_at(root: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """Return the field names of the block that `loc` leads to, for 'did you mean'."""
    models: list[type[BaseModel]] = [root]
    pending: list[Any] = [root]
    for part in loc:
        following: list[Any] = []
        for annotation in pending:
            following.extend(_step_into(annotation, part))
        pending = following or pending
    models = [m for a in pending for m in _models_in(a)]
    return sorted({f.alias or name for m in models for name, f in m.model_fields.items()})


def _step_into(annotation: Any, part: str | int) -> list[Any]:
    found: list[Any] = []
    for option in _options(annotation):
        origin = typing.get_origin(option)
        if isinstance(option, type) and issubclass(option, BaseModel):
            for name, model_field in option.model_fields.items():
                if part in (name, model_field.alias):
                    found.append(model_field.annotation)
        elif origin is dict:
            found.append(typing.get_args(option)[1])
        elif origin in (list, tuple):
            found.append(typing.get_args(option)[0])
    return found


def _options(annotation: Any) -> list[Any]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _options(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return [o for a in typing.get_args(annotation) for o in _options(a)]
    return [annotation]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    return [o for o in _options(annotation) if isinstance(o, type) and issubclass(o, BaseModel)]


def unknown(path: FaultPath, kind: str, name: str, known: Iterable[str]) -> list[Fault]:
    """Return the fault of a name of some `kind` that is none of those known; nothing if it is one."""
    names = list(known)
    if name in names:
        return []
    return [(path, f"unknown {kind} '{name}'{did_you_mean(name, names)}")]
