"""JSON documents of any trace format as spans; a span that is none is left out and noted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gameday.history.trace_formats.jaeger import span_of_jaeger
from gameday.history.trace_formats.otlp import rows_of_json, span_of_json
from gameday.history.trace_formats.span import Span
from gameday.history.trace_formats.zipkin import span_of_zipkin

__all__ = ["Malformed", "spans_of_document"]

_WRONG = (KeyError, ValueError, TypeError, AttributeError, OverflowError)
"""What reading a document of another shape raises."""
_OTLP_KEYS = frozenset(("resourceSpans", "resource_spans", "batches", "trace"))


@dataclass(slots=True)
class Malformed:
    """Lines and spans that are none."""

    malformed: int = 0
    first_malformed: str = ""

    def note(self, text: str) -> None:
        """Count one."""
        self.malformed += 1
        self.first_malformed = self.first_malformed or text


def spans_of_document(document: Any, malformed: Malformed) -> list[Span]:
    """Return the spans of one JSON document of any format; ValueError where it is of none, or holds an error."""
    try:
        if isinstance(document, list):
            spans = (s for row in document for s in (row if isinstance(row, list) else [row]))
            return list(_spans(span_of_zipkin, ((span,) for span in spans), malformed))
        if "data" in document or "spans" in document:
            return list(_spans(span_of_jaeger, _rows_of_jaeger(document), malformed))
        if _OTLP_KEYS & set(document):
            return list(_spans(span_of_json, rows_of_json(document), malformed))
    except _WRONG as error:
        told = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"is no OTLP, Jaeger or Zipkin traces: {told}") from None
    raise ValueError(
        f"is no OTLP, Jaeger or Zipkin traces: it has none of their keys, but {', '.join(list(document)[:5])}"
    )


def _rows_of_jaeger(document: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield each span with the processes of its trace; ValueError where the server tells an error instead."""
    if document.get("data", ()) is None:
        told = ", ".join(str(e.get("msg", e)) for e in document.get("errors") or ()) or "no data"
        raise ValueError(f"the server answered: {told}")
    for trace in document.get("data", [document]):
        processes = trace.get("processes") or {}
        for span in trace["spans"]:
            yield span, processes


def _spans(
    make: Callable[..., Span], rows: Iterable[tuple[Any, ...]], malformed: Malformed
) -> Iterator[Span]:
    """Yield the spans of rows; one that is none is noted, and all of them are an error."""
    made, wrong = 0, ""
    for row in rows:
        try:
            span = make(*row)
        except _WRONG as error:
            wrong = f"a span has no {error}" if isinstance(error, KeyError) else f"a span: {error}"
            malformed.note(wrong)
            continue
        made += 1
        yield span
    if wrong and not made:
        raise ValueError(wrong)
