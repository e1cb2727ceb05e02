"""The embedded shop, instrumented with OpenTelemetry, on a clock that jumps: traces whose truth is known."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import numpy as np
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

from gameday.queueing import Attempt, Visit, build_cell
from gameday.scenario import Scenario
from gameday.scenario.blocks import Exchange
from gameday.shop.station import Asker, LiveServices
from tests.support.virtual_shop import in_virtual_time

__all__ = ["otlp_of", "traced"]

_PAST_NS = 1_790_000_000_000_000_000
_CURRENT: ContextVar[Span | None] = ContextVar("_CURRENT", default=None)


class _TracedServices(LiveServices):
    """Each try of a call is a client's span, each attempt a server's, each wait for a server a span in it."""

    def __init__(self, scenario: Scenario, seed: int, *, skew_s: dict[str, float]) -> None:
        self.cell = build_cell(scenario, "main", scale=1.0)
        super().__init__(scenario, self.cell, seed)
        self.ended_well: dict[int, bool] = {}
        """Identity of an attempt -> whether its work went well."""
        self.spans, self.skew_s = InMemorySpanExporter(), skew_s
        self.providers = {name: self._provider(name) for name in self.stations}

    def _provider(self, service: str) -> TracerProvider:
        resource = Resource({"service.name": service, "service.instance.id": f"{service}-1"})
        provider = TracerProvider(resource=resource)
        provider.add_span_processor(SimpleSpanProcessor(self.spans))
        return provider

    def _start(self, service: str, name: str, kind: SpanKind, at_s: float | None = None) -> Span:
        parent = _CURRENT.get()
        context = None if parent is None else set_span_in_context(parent)
        tracer = self.providers[service].get_tracer("shop")
        span = tracer.start_span(
            name, context=context, kind=kind, start_time=self._ns(service, at_s)
        )
        assert isinstance(span, Span)
        return span

    def _end(self, service: str, span: Span, *, is_well: bool = True) -> None:
        if not is_well:
            span.set_status(Status(StatusCode.ERROR))
        span.end(self._ns(service, None))

    def _ns(self, service: str, at_s: float | None) -> int:
        now_s = asyncio.get_running_loop().time() if at_s is None else at_s
        return _PAST_NS + round(1e9 * (now_s + self.skew_s.get(service, 0.0)))

    async def _try(self, visit: Visit, asker: Asker, number: int) -> bool:
        caller = _CURRENT.get()
        if caller is None:
            return await super()._try(visit, asker, number)
        service = str(caller.resource.attributes["service.name"])
        span = self._start(service, f"POST {visit.service}", SpanKind.CLIENT)
        token = _CURRENT.set(span)
        is_well = await super()._try(visit, asker, number)
        _CURRENT.reset(token)
        self._end(service, span, is_well=is_well)
        return is_well

    async def _serve(
        self, visit: Visit, asker: Asker, attempt: Attempt, turn: Any, seconds: float
    ) -> None:
        span = self._start(
            visit.service, f"serve {visit.service}", SpanKind.SERVER, attempt.since_s
        )
        token = _CURRENT.set(span)
        if (asked := _ASKED.get()) is not None and visit.number == 0:
            span.set_attributes({"http.request.method": asked.method, "url.path": asked.path})
        if turn is not None:
            wait = self._start(
                visit.service, "wait for a worker", SpanKind.INTERNAL, attempt.since_s
            )
            await asyncio.wait([turn])
            self._end(visit.service, wait)
        await super()._serve(visit, asker, attempt, turn, seconds)
        _CURRENT.reset(token)
        self._end(visit.service, span, is_well=self.ended_well.pop(id(attempt), False))

    async def _call_below(self, visit: Visit, asker: Asker, attempt: Attempt) -> bool:
        is_well = await super()._call_below(visit, asker, attempt)
        self.ended_well[id(attempt)] = is_well
        return is_well


_ASKED: ContextVar[Exchange | None] = ContextVar("_ASKED", default=None)


def traced(
    scenario: Scenario,
    requests: dict[str, int],
    *,
    per_s: float = 50.0,
    seed: int = 1,
    skew_s: dict[str, float] | None = None,
) -> list[ReadableSpan]:
    """Return the spans of requests of steps (step -> how many), that come as independent customers do."""
    rng = np.random.default_rng(seed)
    steps = rng.permutation([step for step, count in requests.items() for _ in range(count)])
    arrivals = np.cumsum(rng.exponential(1 / per_s, len(steps)))

    async def one(services: _TracedServices, at_s: float, step: str) -> None:
        await asyncio.sleep(at_s)
        exchanges = scenario.exchanges(step, None)
        for group, visits in zip(exchanges, services.cell.exchanges(step, None), strict=True):
            for exchange, visit in zip(group, visits, strict=True):
                _ASKED.set(exchange)
                await services.call(visit, services.next_asker())

    async def whole() -> list[ReadableSpan]:
        services = _TracedServices(scenario, seed, skew_s=skew_s or {})
        await asyncio.gather(
            *(one(services, at, str(s)) for at, s in zip(arrivals, steps, strict=True))
        )
        await asyncio.sleep(100.0)  # orphaned work ends
        return list(services.spans.get_finished_spans())

    return in_virtual_time(whole)


def otlp_of(spans: list[ReadableSpan]) -> bytes:
    """Return spans as one message of OTLP."""
    return encode_spans(spans).SerializeToString()
