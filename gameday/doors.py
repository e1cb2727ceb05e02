"""How a room gives its names without loading what stands behind them: a door that opens when it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["opening"]


def opening(room: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a room's module `__getattr__`: name -> the object, imported from the module that holds it.

    `names` maps each name that the room gives to one of the room's modules, `station` or `rules.saturation`.
    An unknown name is an AttributeError, as of any module. A name must not be that of a module of the room: once
    the module is loaded, Python would give the module instead (PEP 562).
    """

    def given(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        return getattr(import_module(f"{room}.{names[name]}"), name)

    return given
