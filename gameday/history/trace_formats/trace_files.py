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
from typing import Any, BinaryIO, cast

import pyarrow as pa

from gameday.errors import HistoryError, UsageError
from gameday.history.trace_formats.documents import Malformed, spans_of_document
from gameday.history.trace_formats.otlp import messages_of, spans_of_protobuf
from gameday.history.trace_formats.span import Span

__all__ = ["FilesRead", "batches_of_files", "files_of"]

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_JSON_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*[\"}]|\[\s*[{\[\]]|null)")
"""A message of protobuf begins with a line's end too, and its length may be a bracket."""
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]+")
_LOOK = 256


@dataclass(slots=True)
class FilesRead(Malformed):
    """What was read of files and servers, and what could not be, beside their spans."""

    documents: int = 0
    """Messages, lines or files."""
    no_traces: list[str] = field(default_factory=list)
    """Files of a folder that hold none."""
    cut: list[str] = field(default_factory=list)
    """What servers have and do not tell, in words."""


@dataclass(frozen=True, slots=True)
class _TraceFile:
    """One file; its batches are read from the beginning each time."""

    file: Path
    is_chosen: bool
    """It was named itself: then it must hold traces; a folder may hold other files."""

    def batches(self, read: FilesRead) -> Iterator[list[Span]]:
        """Yield the batches of spans, none of them empty; HistoryError where they cannot be read."""
        try:
            with self.file.open("rb") as raw:
                yield from filter(None, _batches(_unpacked(raw), self.file, read))
        except (OSError, EOFError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise HistoryError(f"{self.file}: {reason}") from None

    def first(self, read: FilesRead) -> list[Span] | None:
        """Return the first batch; None where there is none, which is noted of a folder's file."""
        try:
            return next(self.batches(FilesRead()), None)
        except HistoryError as error:
            if self.is_chosen:
                raise
            read.no_traces.append(str(error))
            return None


def files_of(source: Path) -> list[_TraceFile]:
    """Return the files of a path, a file or a folder with all below it; UsageError where there is none."""
    if source.is_file():
        return [_TraceFile(source, is_chosen=True)]
    files = sorted(f for f in source.rglob("*") if f.is_file() and not f.name.startswith("."))
    if not files:
        raise UsageError(f"{source}: no such file, or a folder without any; check --traces")
    return [_TraceFile(file, is_chosen=False) for file in files]


def batches_of_files(files: list[_TraceFile], read: FilesRead) -> Iterator[list[Span]]:
    """Yield batches of spans of all files together, by the time at which each begins; note in `read` what is none.

    No more files are open at a time than overlap. HistoryError where a file that was named holds no traces.
    """
    begun = []
    for number, file in enumerate(files):
        if batch := file.first(read):
            begun.append((_begins_ns(batch), number, file.batches(read)))
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


def _unpacked(raw: BinaryIO) -> io.BufferedReader[Any]:
    """Return what a file holds, unpacked where it is gzip or zstd."""
    buffered = cast("io.BufferedReader[Any]", raw)
    begins = buffered.peek(4)[:4]
    if begins.startswith(_GZIP):
        return io.BufferedReader(cast("Any", gzip.GzipFile(fileobj=raw)))
    if begins == _ZSTD:
        return io.BufferedReader(cast("Any", io.BytesIO(_unzstd(raw.read()))))
    return buffered


def _unzstd(data: bytes) -> bytes:
    try:
        return bytes(pa.CompressedInputStream(pa.BufferReader(data), "zstd").read())
    except pa.ArrowException as error:
        raise ValueError(f"is no whole zstd ({error})") from None


def _batches(stream: io.BufferedReader[Any], file: Path, read: FilesRead) -> Iterator[list[Span]]:
    """Yield the batches of one file that is not packed."""
    head = stream.peek(_LOOK)[:_LOOK]
    if _JSON_BEGINS.match(head):
        yield from _batches_of_json(stream, file, read)
        return
    if head and _TEXT.fullmatch(head):
        raise ValueError("is text, but no JSON of traces: leave it out")
    for message in messages_of(stream):
        whole = _unzstd(message) if message.startswith(_ZSTD) else message
        read.documents += 1
        if _JSON_BEGINS.match(whole):
            yield spans_of_document(json.loads(whole), read)
        else:
            yield spans_of_protobuf(whole)


def _batches_of_json(
    stream: io.BufferedReader[Any], file: Path, read: FilesRead
) -> Iterator[list[Span]]:
    """Yield the batches of JSON: of a document a line, or of one document."""
    first = stream.readline()
    document = _parsed(first)
    if document is None:  # one document over several lines, or a first line that was cut
        rest = stream.read()
        document = _parsed(first + rest)
        lines = [first, *rest.splitlines()]
        if document is None and not any(_parsed(line) is not None for line in lines):
            raise ValueError("is no whole JSON: it was cut, or is something else")
        stream = cast("io.BufferedReader[Any]", io.BytesIO(b"" if document is not None else rest))
        if document is None:
            read.note(f"{file}: line 1 is no whole JSON")
            document = {"resourceSpans": []}
    read.documents += 1
    yield spans_of_document(document, read)
    for number, line in enumerate(stream, start=2):
        if not line.strip():
            continue
        read.documents += 1
        try:
            yield spans_of_document(json.loads(line), read)
        except ValueError as error:
            read.note(f"{file}: line {number}: {error}")


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except ValueError:
        return None
