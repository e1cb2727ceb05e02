"""How a function of the kernel is compiled: into the loop that calls it.

LLVM inlines a third of them of its own accord; all of them inlined, the tables' addresses stay in
registers and the loop runs a third faster (`make bench-simulate`, part fan_out).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

__all__ = ["inlined"]

_compiled = njit(forceinline=True, error_model="numpy")


def inlined(function: Callable[..., Any]) -> Any:
    """Return the kernel's form of a function; a division by zero gives inf or NaN, as numpy's does."""
    return _compiled(function)
