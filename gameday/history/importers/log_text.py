"""What was read of access logs, in words: its lines, and why it may be wrong."""

from __future__ import annotations

from collections.abc import Iterator

from gameday.history.importers.log_summary import SHARED_BY, LogSummary

__all__ = ["describe_log", "log_doubts", "shared_addresses"]

_SHOWN = 5
"""So many kinds of requests, or words of robots, are listed by name."""
_MOST_SHARED, _LEAST_STEPS = 0.5, 100
"""Share of the steps from addresses that many share, and their number, at which customers are not told apart.

Ours."""
_OF_ONE_CUSTOMER = 60
"""Steps among the first that no one customer takes. Ours."""
_MANY_UNMAPPED = 0.25
"""Share of people's pages of no step from which on the map is doubted. Ours."""
_MANY_MALFORMED = 0.02
"""Share of malformed lines from which on the layout is doubted. Ours."""


def shared_addresses(summary: LogSummary) -> str | None:
    """Return a sentence where most steps come from addresses that many customers share, as a proxy's."""
    total = summary.addresses.total()
    shared = {who: n for who, n in summary.addresses.items() if _is_shared(summary, who, n, total)}
    count = sum(shared.values())
    if count < max(_LEAST_STEPS, _MOST_SHARED * total):
        return None
    first = max(shared, key=lambda who: shared[who])
    who = (
        f"one address, {first}"
        if len(shared) == 1
        else f"{len(shared)} addresses that many share, as {first}"
    )
    return (
        f"{count / total:.0%} of the first {total} steps come from {who}: behind a proxy or a delivery "
        f"network{_other_ways(summary)}, customers who share an address and a user agent are told as one, or as "
        "a robot. Name another field (`history import --client`), or let the server log the client's own address, "
        'as nginx does by "$http_x_forwarded_for" behind the user agent'
    )


def _is_shared(summary: LogSummary, who: str, steps: int, total: int) -> bool:
    """Return whether an address is too many customers' to be one household's."""
    has_many_agents = len(summary.agents.get(who, ())) >= SHARED_BY
    return has_many_agents or steps > _OF_ONE_CUSTOMER or steps >= _MOST_SHARED * total


def _other_ways(summary: LogSummary) -> str:
    """Return how many customers each field of the log tells."""
    told = {way: count for choice in summary.clients for way, count in choice.told.items()}
    return f" ({', '.join(f'{way} tells {n}' for way, n in told.items())})" if told else ""


def log_doubts(summary: LogSummary) -> Iterator[str]:
    """Yield why the result may be wrong, each with what to write to change it."""
    if sentence := shared_addresses(summary):
        yield sentence
    if not any(choice.name for choice in summary.clients):
        yield "no field of the log tells customers apart: all with one user agent are told as one"
    if summary.other_heads:
        yield (
            f"{summary.other_heads} lines say other #Fields than the first ones, by which all were read: give the "
            "lines behind each as a file of their own"
        )
    yield from _doubts_of_map(summary)
    read = max(1, summary.lines - summary.comments)
    if summary.malformed > _MANY_MALFORMED * read:
        yield (
            f"{summary.malformed} of {read} lines ({summary.malformed / read:.1%}) are not of the layout that was "
            "read; write the server's own with --log-format; lines of another layout belong in a file of their own"
        )


def _doubts_of_map(summary: LogSummary) -> Iterator[str]:
    """Yield what of the map of requests to steps is doubted."""
    total = summary.unmapped.total() - summary.calls_of_pages
    pages = summary.pages - summary.calls_of_pages
    if total > _MANY_UNMAPPED * pages:
        shown = ", ".join(f"{kind} {n}" for kind, n in summary.unmapped.most_common(_SHOWN))
        yield (
            f"{total} of {pages} requests of people ({total / pages:.1%}; pictures, styles, scripts and calls of "
            f"pages left out) are of no step, most: {shown}; write those that are steps under history.urls"
        )
    seen = {step for (_, step, is_robot), _ in summary.minutes.items() if not is_robot}
    if missing := [step for step in summary.scenario_steps if step not in seen]:
        yield (
            f"no request is {' or '.join(missing)}, where the scenario's journeys come; write what is it under "
            f"history.urls, as {missing[0]}: ['/path/{{id}}']"
        )


def describe_log(summary: LogSummary) -> Iterator[str]:
    """Yield the summary as lines of text."""
    steps = max(1, summary.minutes.total())
    for layout in summary.layouts:
        yield f"layout: {layout}"
    if names := [choice.name for choice in summary.clients if choice.name]:
        yield f"customers are told apart by {', '.join(names)} and their user agent"
    yield (
        f"{summary.lines} lines, {summary.size / 1e6:.1f} MB: {summary.of_people} steps of people, "
        f"{summary.of_robots} of robots, {summary.no_step} other requests, {summary.hops} redirects folded"
    )
    yield from _describe_agents(summary)
    yield from _describe_requests(summary)
    yield from _describe_columns(summary)
    if summary.empty:
        yield f"  {len(summary.empty)} files are empty: {', '.join(summary.empty[:_SHOWN])}"
    if summary.malformed:
        yield f"  {summary.malformed} malformed lines, the first: {summary.quoted}"
    if summary.not_http:
        yield f"  {summary.not_http} lines without a request (broken connections, other protocols) are left out"
    if summary.failed or summary.refused:
        yield (
            f"  {summary.failed} steps answered by 5xx and {summary.refused} by 4xx are kept as steps "
            f"({(summary.failed + summary.refused) / steps:.1%})"
        )


def _describe_agents(summary: LogSummary) -> Iterator[str]:
    steps = max(1, summary.minutes.total())
    if summary.of_robots:
        words = ", ".join(f"'{w}' {n}" for w, n in summary.robot_words.most_common(_SHOWN))
        yield (
            f"  left out as robots: {summary.of_robots} of {steps} steps ({summary.of_robots / steps:.1%}): "
            f"{summary.declared_robots} by their user agent{f' ({words})' if words else ''}, "
            f"{summary.of_robots - summary.declared_robots} of {len(summary.robots)} visitors with a robot's "
            "pace, or who asked for robots.txt"
        )
    if summary.app_words:
        words = ", ".join(f"{word} {n}" for word, n in summary.app_words.most_common(_SHOWN))
        yield (
            f"  kept as customers: {summary.app_words.total()} steps by libraries of apps ({words}); leave them "
            f"out with --robots {summary.app_words.most_common(1)[0][0]}=robot"
        )


def _describe_columns(summary: LogSummary) -> Iterator[str]:
    if summary.without_offset:
        yield (
            f"  times do not say how far from UTC they are: they were read as of {summary.zone}; --time-zone says "
            "another"
        )
    if coarse := [kind for kind, is_finer in summary.times.finer.items() if not is_finer]:
        yield (
            f"  durations ({', '.join(coarse)}) are whole seconds, and so is what is told of them; let the "
            "server log fractions (httpd: %D, nginx: $request_time)"
        )
    if summary.unitless:
        yield (
            f"  durations in {', '.join(summary.unitless)} are not read: nothing tells their unit; a format "
            "string (--log-format) or a name such as duration_ms does"
        )


def _describe_requests(summary: LogSummary) -> Iterator[str]:
    if summary.unmapped:
        total, shown = summary.unmapped.total(), summary.unmapped.most_common(_SHOWN)
        yield (
            f"  {total} requests of people are of no step ({total / summary.pages:.1%} of all but "
            f"{summary.assets} pictures, styles and scripts), most: "
            f"{', '.join(f'{kind} {n}' for kind, n in shown)}; name them in history.urls if they are one"
        )
    if summary.unmapped_of_robots or summary.unmapped_refused:
        yield (
            f"  of no step too: {summary.unmapped_of_robots} requests of robots, {summary.unmapped_refused} "
            "answered by 4xx or 5xx"
        )
    for counts, why in (
        (
            summary.parts,
            "right beside the one that is counted: a form before it is sent, calls of a page",
        ),
        (summary.uncounted, "by exchanges of the scenario other than the one that is counted"),
        (summary.shown_again, "forms sent in vain: shown again, where those that succeed redirect"),
    ):
        if counts:
            told = ", ".join(f"{step} {n}" for step, n in counts.items())
            yield f"  of a step, but no step more ({why}): {told}"
    if summary.tried:
        yield (
            f"  {', '.join(sorted(summary.tried))}: each is a try that was answered; a log does not tell "
            "which of them the shop refused within a page"
        )
    for step, count in summary.beside.items():
        yield (
            f"  {count} {step} came right behind another by a different rule of history.urls.{step}: if both "
            "are one action of a customer, keep one of the rules"
        )
