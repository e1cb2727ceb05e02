"""Files and folders of traces, of any format, as batches of spans in the order of their time."""

from __future__ import annotations

import gzip
import heapq
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from gameday.errors import HistoryError, UsageError
from gameday.history.traces.jaeger import spans_of_jaeger
from gameday.history.traces.otlp import messages_of, spans_of_json, spans_of_protobuf
from gameday.history.traces.span import Span
from gameday.history.traces.zipkin import spans_of_zipkin

__all__ = ["FilesRead", "batches_of_files", "spans_of_document", "trace_files"]

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_JSON_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*[\"}]|\[\s*[{\[\]])")
"""A message of protobuf begins with a line's end too, and its length may be a bracket."""
_LOOK = 256
_WRONG = (KeyError, ValueError, TypeError, AttributeError, OverflowError)
"""What reading a document of another shape raises."""


@dataclass(slots=True)
class FilesRead:
    """What could not be read of files, beside their spans."""

    malformed: int = 0
    """Lines or messages."""
    first_malformed: str = ""
    cut: list[str] = field(default_factory=list)
    """Where a server had more than it tells, in words."""


@dataclass(slots=True)
class _Batches:
    """The batches of one file, from one that was looked at already."""

    file: Path
    read: FilesRead

    def __iter__(self) -> Iterator[list[Span]]:
        with self.file.open("rb") as raw:
            is_gzip = raw.peek(2)[:2] == _GZIP
            stream: io.BufferedReader[Any] = raw
            if is_gzip:
                stream = io.BufferedReader(gzip.GzipFile(fileobj=raw))
            try:
                yield from _batches(stream, self.file, self.read)
            except (OSError, EOFError, ValueError) as error:
                raise HistoryError(f"{self.file}: {error}") from None


def trace_files(source: Path) -> list[Path]:
    """Return the files of a path, a file or a folder with all below it; UsageError where there is none."""
    if source.is_file():
        return [source]
    files = sorted(f for f in source.rglob("*") if f.is_file() and not f.name.startswith("."))
    if not files:
        raise UsageError(f"{source}: no such file, or a folder without any; check --traces")
    return files


def batches_of_files(files: list[Path], read: FilesRead) -> Iterator[list[Span]]:
    """Yield batches of spans of all files together, by the time at which each begins; note in `read` what is none.

    No more files are open at a time than overlap. HistoryError where a file holds no traces.
    """
    begun = []
    for number, file in enumerate(files):
        batch = next(iter(_Batches(file, FilesRead())), None)
        if batch:
            begun.append((_begins_ns(batch), number, iter(_Batches(file, read))))
    heapq.heapify(begun)
    while begun:
        _, number, batches = begun[0]
        batch = next(batches, None)
        if batch is None:
            heapq.heappop(begun)
        else:
            yield batch
            heapq.heapreplace(begun, (_begins_ns(batch), number, batches))


def _begins_ns(batch: list[Span]) -> int:
    return min(span.start_ns for span in batch)


def _batches(stream: io.BufferedReader[Any], file: Path, read: FilesRead) -> Iterator[list[Span]]:
    """Yield the batches of one file that is not compressed, none of them empty."""
    if _JSON_BEGINS.match(stream.peek(_LOOK)[:_LOOK]):
        yield from filter(None, _batches_of_json(stream, file, read))
        return
    for message in messages_of(stream):
        whole = message
        if message.startswith(_ZSTD):
            whole = pa.CompressedInputStream(pa.BufferReader(message), "zstd").read()
        if spans := spans_of_protobuf(whole):
            yield spans


def _batches_of_json(
    stream: io.BufferedReader[Any], file: Path, read: FilesRead
) -> Iterator[list[Span]]:
    """Yield the batches of JSON: of a document a line, or of one document."""
    first = stream.readline().removeprefix(b"\xef\xbb\xbf")
    while first and not first.strip():
        first = stream.readline()
    document = _parsed(first)
    if document is None:  # one document over several lines
        try:
            document = json.loads(first + stream.read())
        except ValueError as error:
            raise ValueError(f"is no whole JSON ({error})") from None
    yield spans_of_document(document)
    for line in stream:
        if line.strip():
            yield _spans_of_line(line, file, read)


def _spans_of_line(line: bytes, file: Path, read: FilesRead) -> list[Span]:
    try:
        return spans_of_document(json.loads(line))
    except ValueError as error:
        read.malformed += 1
        read.first_malformed = read.first_malformed or f"{file}: {error}"
        return []


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def spans_of_document(document: Any) -> list[Span]:
    """Return the spans of one JSON document of any format; ValueError where it is of none."""
    try:
        if isinstance(document, list):
            return spans_of_zipkin(document)
        if "data" in document or "spans" in document:
            return spans_of_jaeger(document)
        if not {"resourceSpans", "resource_spans", "batches", "trace"} & set(document):
            raise ValueError(f"has none of their keys, but {', '.join(list(document)[:5])}")
        return spans_of_json(document)
    except _WRONG as error:
        told = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"is no OTLP, Jaeger or Zipkin traces: {told}") from None
