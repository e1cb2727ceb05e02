"""Products as JSON, and back: the one place where a typed answer becomes what files and `--json` hold."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import Field, PlainSerializer, TypeAdapter

__all__ = ["IsoInstant", "IsoMinute", "WhereKnown", "from_json", "to_json"]

Kind = TypeVar("Kind")

WhereKnown = Field(default=None, exclude_if=lambda value: value is None)
"""For a field that JSON leaves out where it is None: `name: Annotated[str | None, WhereKnown] = None`."""

IsoInstant = Annotated[datetime, PlainSerializer(datetime.isoformat)]
"""An instant that JSON has as `2027-07-13T01:00:00+00:00`."""
IsoMinute = Annotated[datetime, PlainSerializer(lambda at: f"{at:%Y-%m-%dT%H:%MZ}")]
"""An instant in UTC that JSON has as `2027-07-13T01:00Z`."""


def to_json(product: object, *, schema_version: int | None = None) -> dict[str, Any]:
    """Return a frozen dataclass as JSON's own types, fields in their order; a version comes first."""
    head = {} if schema_version is None else {"schema_version": schema_version}
    fields = TypeAdapter[Any](type(product)).dump_python(product, mode="json", by_alias=True)
    return {**head, **fields}


def from_json(kind: type[Kind], data: dict[str, Any]) -> Kind:
    """Return the product that `to_json` made `data` of; keys it does not know are left aside.

    pydantic.ValidationError where it is of another kind.
    """
    return TypeAdapter(kind).validate_python(data)
