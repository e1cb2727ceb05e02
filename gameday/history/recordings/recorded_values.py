"""What stands for a recorded value: the customer's own, what an earlier reply gave, a choice, or itself."""

from __future__ import annotations

import re
from collections import Counter

from gameday.history.recordings.har import Recorded, Recording
from gameday.history.recordings.replied import find_extraction
from gameday.history.recordings.secrets import (
    EMAIL,
    SecretValues,
    kind_of_name,
    kind_of_value,
    looks_random,
    words_of,
)
from gameday.history.recordings.written_exchange import WrittenExchange
from gameday.scenario.blocks import TEMPLATE_WORD
from gameday.scenario.reading import CUSTOMER_WORDS

__all__ = ["PAIRED", "Numeric", "ValueWriter", "kind_of_text", "slug"]

_SOUGHT = re.compile(r"^(q|query|search|term|s|keyword)s?$", re.IGNORECASE)
_ITEM = re.compile(r"product|item|sku|article|variant", re.IGNORECASE)
_IDEMPOTENT = re.compile(r"idempotency|clientmutationid|requestid", re.IGNORECASE)
_IDS = frozenset(("id", "ids", "uuid", "guid", "ref", "reference", "no", "number", "hash", "key"))
_LEAST_DIGITS = 6
_BLANK = "CHANGE-ME"
"""Stands where a secret was."""
_MAIL = "{customer}@example.com"
"""Each customer's own address, at a domain that nobody has (RFC 2606)."""
_STAND_INS = (
    ({"first", "given", "firstname", "givenname"}, "Synthetic"),
    ({"last", "family", "surname", "lastname"}, "Customer"),
    ({"phone", "telephone", "tel", "mobile", "fax"}, "2025550100"),
    ({"street", "address", "line1", "line", "address1"}, "1 Test Street"),
)
"""Words of a person's field -> what is sent in place of the recorder's own."""
_PAIR = re.compile(r"""([\w-]+)(\\?["']?\s*[:=]\s*\\?["'])([^"'\\\r\n]*)""")
_NUMBER = re.compile(r"""([\w-]+)(\\?["']?\s*:\s*)(\d+)(?!\w)""")
_ELEMENT = re.compile(r"<([\w:.-]+)((?:\s[^<>]*)?>)([^<>]+)(?=</)")
_PART = re.compile(
    r'name="([^"]*)"([^\r\n]*(?:\r?\n[^\r\n]+)*\r?\n\r?\n)(.*?)(?=\r?\n--)', re.DOTALL
)
PAIRED = (_PAIR, _NUMBER, _ELEMENT, _PART)
"""Names with their values in text that is neither form nor JSON: GraphQL, XML, the parts of a multipart form."""


class Numeric(str):
    """A word that stands in JSON without quotes."""

    __slots__ = ()


class ValueWriter:
    """Finds words for values; keeps what the scenario needs for them, and what a person must be told."""

    def __init__(self, recording: Recording, secrets: SecretValues) -> None:
        self._requests, self._secrets = recording.requests, secrets
        self.written: dict[int, WrittenExchange] = {}
        """Request -> its exchange, into which what it gives is written."""
        self._words: dict[str, str] = {}
        self._literals: dict[str, str] = {}
        self.values: dict[str, list[str]] = {}
        self.notes: list[str] = []
        self.where = ""
        """Method and path as written, of the request whose values are asked for."""

    def note(self, text: str) -> None:
        """Tell a person, once."""
        line = f"{self.where}: {text}" if self.where else text
        if line not in self.notes:
            self.notes.append(line)

    def substitute(
        self, name: str, value: str, request: Recorded, parents: tuple[str, ...] = ()
    ) -> str:
        """Return the template text that stands for a field's value."""
        kind = kind_of_name(name, parents)
        if kind == "password":
            self.note(f"{self.shown(name)} is {{password}}; sign-ins need accounts, as by `feeds`")
            return "{password}"
        if (word := self.extract(value, request, slug(name), _hints(name))) is not None:
            return "{" + word + "}"
        if _IDEMPOTENT.search("".join(words_of(name))):
            return "{order_key}"
        if not value:
            return value
        names = (kind_of_text(m[1], m[3]) for pattern in PAIRED for m in pattern.finditer(value))
        if kind is None and any(names):
            return self.substitute_in_text(value)
        if kind == "secret" or kind_of_value(value) in ("card", "token"):
            return self.blank(name)
        return self._substitute_person(name, value, kind)

    def _substitute_person(self, name: str, value: str, kind: str | None) -> str:
        """Return what stands for a value that may name the recorder: each customer has an own address and name."""
        if kind == "email" and not EMAIL.search(value):
            return "{customer}"
        if EMAIL.search(value):
            rest = EMAIL.sub("", value)
            is_secret = self._secrets.holds(rest)
            return self.blank(name) if is_secret else EMAIL.sub(_MAIL, self.escape(value))
        if kind in ("user", "person"):
            return self._person(name, kind)
        return self._substitute_plain(name, value)

    def _person(self, name: str, kind: str) -> str:
        """Return a made-up customer's own for what names the recorder."""
        if kind == "user":
            return "{customer}"
        has = set(words_of(name))
        text = next((text for words, text in _STAND_INS if has & words), "Synthetic Customer")
        self.note(f"{self.shown(name)} is '{text}' for everybody, not what was typed")
        return text

    def _substitute_plain(self, name: str, value: str) -> str:
        """Return a choice, or the value as it was."""
        if self._secrets.holds(value):
            return self.blank(name)
        if "{" not in value and (_SOUGHT.search(name) or _ITEM.search(name)):
            return "{" + self.add_choice(slug(name), value) + "}"
        if any(map(looks_random, re.split(r"[\s,;\"'<>()]+", value))):
            return self.blank(name)
        if is_id(name, value):
            self.note(
                f"{self.shown(name)} '{value}' is sent as recorded, the same by everybody: "
                "no earlier reply gave it"
            )
        return self.escape(value)

    def shown(self, name: str) -> str:
        """Return a field's name as it may be printed."""
        return _BLANK if self._secrets.holds(name) else name

    def blank(self, name: str) -> str:
        """Return the word for a secret that no reply gave; its value is not written."""
        self.note(f"{self.shown(name)} is not written; put test values under `values`")
        plain = slug(name) if not self._secrets.holds(name) else ""
        return "{" + self.add_choice(plain or "secret", _BLANK) + "}"

    def substitute_in_text(self, text: str) -> str:
        """Return text that is neither form nor JSON with words for the secrets named in it."""
        out = self.escape(text)
        for pattern in PAIRED:
            out = pattern.sub(self._substitute_pair, out)
        out = EMAIL.sub(lambda m: m[0] if m[0].endswith("@example.com") else _MAIL, out)
        return self.blank("text") if self._secrets.holds(out.replace(_MAIL, "")) else out

    def _substitute_pair(self, found: re.Match[str]) -> str:
        name, between, value = found.groups()
        kind = kind_of_text(name, value)
        if kind is None or not value.strip() or TEMPLATE_WORD.search(value):
            return found[0]
        word = {"password": "{password}", "email": _MAIL, "user": "{customer}"}.get(kind)
        if word is None:
            word = self._person(name, kind) if kind == "person" else self.blank(name)
        return found[0][: found.start(1) - found.start()] + name + between + word

    def escape(self, text: str) -> str:
        """Return text as a template that says it: what would be read as a word becomes one that says itself."""

        def word(found: re.Match[str]) -> str:
            known = self._literals.get(found[0])
            if known is None:
                known = self.add_choice(self._free("braces"), found[0])
                self._literals[found[0]] = known
            return "{" + known + "}"

        return TEMPLATE_WORD.sub(word, text)

    def _free(self, base: str) -> str:
        number = 1
        while (word := f"{base}-{number}") in self.values or word in self._words:
            number += 1
        return word

    def add_choice(self, wanted: str, value: str) -> str:
        """Return the word for what was chosen; the value is its first choice, others can be added."""
        is_free = re.fullmatch(r"[a-z][a-z0-9_-]*", wanted) and wanted not in CUSTOMER_WORDS
        word = wanted if is_free else f"any-{wanted}"
        if word in self._words:
            word = f"any-{word}"
        if value == _BLANK and self.values.get(word, [_BLANK]) != [_BLANK]:
            word = f"secret-{word}"
        texts = self.values.setdefault(word, [])
        if value not in texts:
            texts.append(value)
        return word

    def extract(
        self, value: str, request: Recorded, wanted: str, hints: frozenset[str] = frozenset()
    ) -> str | None:
        """Return the word for a value that an earlier reply gave, extracted there; None: none did."""
        written = self.written
        earlier = [r for r in self._requests if r.ended_s <= request.at_s and id(r) in written]
        for reply in reversed(earlier):
            rule = find_extraction(value, reply, hints)
            if rule is None or any(self._secrets.holds(text) for text in rule.values()):
                continue
            extracts = written[id(reply)].extract
            for word, other in extracts.items():
                if other == rule:
                    return word
            new = self._word(wanted)
            extracts[new] = rule
            return new
        return None

    def _word(self, wanted: str) -> str:
        base = wanted if re.fullmatch(r"[a-z][a-z0-9_-]*", wanted) else "value"
        base = "value" if self._secrets.holds(base) else base
        number = Counter(self._words.values())[base]
        word = f"{base}-{number + 1}" if number or base in CUSTOMER_WORDS else base
        while word in self.values or word in self._words:
            word += "-2"
        self._words[word] = base
        return word


def kind_of_text(name: str, value: str) -> str | None:
    """Return what a name and its value in free text hold; an element's name is without its namespace."""
    kind = kind_of_name(name.rpartition(":")[2])
    return kind or ("secret" if kind_of_value(value) in ("card", "token") else None)


def is_id(name: str, value: str) -> bool:
    """Return whether a value looks like the number of one thing of the shop."""
    words = words_of(name)
    return bool(words and words[-1] in _IDS) or bool(
        re.fullmatch(rf"\d{{{_LEAST_DIGITS},}}", value)
    )


def _hints(name: str) -> frozenset[str]:
    plain = "".join(words_of(name))
    return frozenset(
        {plain} if plain.endswith(("id", "no", "number", "key", "token", "ref")) else ()
    )


def slug(name: str) -> str:
    """Return a field's name as a word may be written."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:30].strip("-")
