r"""Rules of `history.urls`: which requests of an access log are a step.

A rule is `[METHOD ]TEMPLATE` or `[METHOD ]~PATTERN`: `/p/{id}`, `POST /checkout`,
`/index.php?route=checkout/cart`, `/?!route` (without that parameter), `~/p-[0-9]+`. Where a log holds what was
sent, the fields of a form or of JSON are parameters too, and a GraphQL operation is `operationName`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from gameday.scenario.faults import Fault, unknown

if TYPE_CHECKING:
    from gameday.scenario.model import Scenario

__all__ = ["UrlRule", "parse_url_rule", "url_faults"]

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_AUTOMATIC = frozenset(("HEAD", "OPTIONS"))
"""Methods that programs send by themselves (probes, CORS preflights): only a rule that names them takes them."""
_HOLE = re.compile(r"\{[^}]*\}")
_UNESCAPED_QUERY = re.compile(r"(?<!\\)\?[\w-]+=")


@dataclass(frozen=True, slots=True)
class UrlRule:
    """One rule: it takes a request where method, path and query fit."""

    text: str
    """As it was written."""
    method: str | None
    """None: any method but HEAD and OPTIONS."""
    path: re.Pattern[str]
    """Of the whole path; of path and query where `reads_whole`."""
    query: tuple[tuple[str, re.Pattern[str]], ...] = ()
    """Parameters a request must have, in any order, and the patterns of their values."""
    absent: frozenset[str] = frozenset()
    """Parameters that a request must not have."""
    reads_whole: bool = False
    holes: int = 0
    """Parts of the path that may be anything."""

    @property
    def reads_query(self) -> bool:
        """Whether requests of one path may differ for it."""
        return self.reads_whole or bool(self.query or self.absent)

    @property
    def rank(self) -> tuple[int, bool, int]:
        """Sort key of rules: the most specific first."""
        return -len(self.query) - self.reads_whole, self.method is None, self.holes

    def takes(self, method: str, path: str, query: str) -> bool:
        """Return whether a request is of this rule; `path` is without its query."""
        if method != self.method if self.method else method in _AUTOMATIC:
            return False
        if self.reads_whole:
            return self.path.fullmatch(f"{path}?{query}" if query else path) is not None
        if self.path.fullmatch(path) is None:
            return False
        if not self.query and not self.absent:
            return True
        parameters = parse_qsl(query, keep_blank_values=True)
        return all(name not in self.absent for name, _ in parameters) and all(
            any(name == key and value.fullmatch(text) for key, text in parameters)
            for name, value in self.query
        )


def parse_url_rule(text: str) -> UrlRule:
    """Return the rule that is written as `text`; ValueError says what is wrong with it and what to write."""
    method, blank, rest = text.partition(" ")
    if not blank or text.startswith(("/", "~")):
        method, rest = "", text
    rest = rest.strip()
    if not rest.startswith(("/", "~")) or (method and method not in _METHODS):
        raise ValueError(
            "must begin with / (a template) or ~ (a pattern), a method in capitals before it or not, "
            f"as in 'POST /checkout' (got {text})"
        )
    if rest.startswith("~"):
        return _pattern_rule(text, method or None, rest[1:])
    return _template_rule(text, method or None, rest)


def _template_rule(text: str, method: str | None, template: str) -> UrlRule:
    if "#" in template:
        raise ValueError(f"no server is sent what follows '#'; leave it out (got {text})")
    path, question, query = template.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    if question and not pairs:
        raise ValueError(f"names no parameter behind '?'; write it, or leave '?' out (got {text})")
    if strange := [name for name, value in pairs if name == "!" or (name[0:1] == "!" and value)]:
        raise ValueError(
            f"'{strange[0]}' must be !NAME, without a value: a parameter that is not there (got {text})"
        )
    wanted = tuple(
        (name, _template(value) if value else re.compile(".*"))
        for name, value in pairs
        if not name.startswith("!")
    )
    absent = frozenset(name[1:] for name, _ in pairs if name.startswith("!"))
    pattern = re.compile(_template(path.rstrip("/")).pattern + "/?")
    return UrlRule(text, method, pattern, wanted, absent, holes=len(_HOLE.findall(path)))


def _pattern_rule(text: str, method: str | None, pattern: str) -> UrlRule:
    try:
        compiled = re.compile(f"(?:{pattern}).*")
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no pattern: {error}") from None
    if _UNESCAPED_QUERY.search(pattern):
        raise ValueError(
            f"'?' in a pattern makes the letter before it optional; write \\? for the query (got {text})"
        )
    return UrlRule(
        text, method, compiled, reads_whole=r"\?" in pattern or "[?]" in pattern, holes=1
    )


def _template(text: str) -> re.Pattern[str]:
    """Return the pattern of a template whose `{...}` stand for anything but a slash."""
    return re.compile("[^/]+".join(map(re.escape, _HOLE.split(text))))


def url_faults(scenario: Scenario) -> Iterator[Fault]:
    """Yield what is wrong with `history.urls`."""
    taken: dict[str, str] = {}
    for step, texts in scenario.history.urls.items():
        path = ("history", "urls", step)
        yield from unknown(path, "step", step, scenario.steps)
        for number, text in enumerate(texts):
            if (other := taken.setdefault(text, step)) != step:
                yield (*path, number), f"is said of step '{other}' too; one request is one step"
            try:
                parse_url_rule(text)
            except ValueError as error:
                yield (*path, number), str(error)
