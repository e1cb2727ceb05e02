"""Secrets in a recording: found by the names of fields and by the form of values, wherever else they recur.

Cards by Luhn's check digit (ISO/IEC 7812-1, annex B), web tokens by their form (RFC 7519).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote, unquote_plus

__all__ = ["EMAIL", "SecretValues", "kind_of_name", "kind_of_value", "looks_random", "words_of"]

EMAIL = re.compile(r"[\w.+%-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_TOKEN_TEXT = re.compile(r"\beyJ[\w-]{5,}(?:\.[\w-]*)*")
_BEARER = re.compile(r"\b(?:bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE)
_DIGITS = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
_OPAQUE = re.compile(r"[\w+/=.~-]{16,}")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_PASSWORDS = frozenset(
    ("pass", "password", "passwd", "pwd", "passphrase", "passcode", "kennwort", "passwort")
)
_SECRET_WORDS = frozenset(
    (
        "secret",
        "secrets",
        "token",
        "tokens",
        "cvv",
        "cvv2",
        "cvc",
        "cvn",
        "csc",
        "iban",
        "bic",
        "ssn",
        "otp",
        "totp",
        "pin",
        "signature",
        "sig",
        "credential",
        "credentials",
        "jwt",
        "csrf",
        "xsrf",
        "nonce",
        "sid",
        "session",
        "sessionid",
        "auth",
        "authorization",
        "authentication",
        "card",
        "cards",
        "cc",
        "pan",
        "mfa",
        "tan",
        "bearer",
        "exp",
        "expiry",
        "expiration",
        "voucher",
        "coupon",
        "giftcard",
        "passport",
        "tax",
        "vat",
        "apikey",
        "securitycode",
        "license",
        "licence",
        "routing",
        "birthday",
        "birthdate",
        "birth",
        "dob",
    )
)
_KEYS = frozenset(
    ("api", "access", "private", "subscription", "secret", "public", "client", "app", "functions")
)
_CODES = frozenset(
    (
        "sms",
        "verification",
        "verify",
        "security",
        "confirm",
        "confirmation",
        "access",
        "reset",
        "activation",
        "factor",
        "login",
        "time",
        "recovery",
        "backup",
        "promo",
        "gift",
        "discount",
        "invite",
        "referral",
        "pass",
    )
)
_EMAILS = frozenset(("email", "mail"))
_USERS = frozenset(("user", "username", "login", "account", "nickname", "handle"))
_NAMES = frozenset(
    (
        "firstname",
        "lastname",
        "surname",
        "givenname",
        "familyname",
        "fullname",
        "middlename",
        "holder",
        "cardholder",
        "recipient",
        "addressee",
        "phone",
        "telephone",
        "tel",
        "mobile",
        "fax",
        "street",
        "address",
        "address1",
        "address2",
        "line1",
        "line2",
        "addressline",
        "company",
    )
)
_PEOPLE = frozenset(
    (
        "customer",
        "user",
        "person",
        "contact",
        "billing",
        "shipping",
        "recipient",
        "account",
        "buyer",
        "guest",
        "address",
        "holder",
        "profile",
    )
)
_NAMED = frozenset(("first", "last", "given", "family", "full", "middle", "sur"))
_COMMON = frozenset(
    (
        "guest",
        "default",
        "user",
        "customer",
        "test",
        "true",
        "false",
        "none",
        "anonymous",
        "home",
        "work",
        "login",
        "account",
        "null",
    )
)
"""What fields of people may say without naming anybody."""
_WRAPPERS = frozenset(("value", "values", "text", "content", "raw", "string", "input", "data"))
"""What a field is called that only wraps the value of the field above: its name says nothing of what it holds."""
_LEAST_KNOWN = 4
"""Shorter secrets are not sought in texts: they would be found by chance."""


@lru_cache(maxsize=10_000)
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a field's name: `cardNumber`, `card_number` and `card-number` have the same."""
    return tuple(part.lower() for part in _PARTS.findall(name))


def kind_of_name(name: str, parents: tuple[str, ...] = ()) -> str | None:
    """Return what a field of this name holds: password | secret | email | user | person; None: anybody's."""
    above = {kind_of_name(parent) for parent in parents}
    for kind in ("password", "secret"):
        if kind in above:  # what a secret is made of is secret too
            return kind
    words = words_of(name)
    joined = "".join(words)
    if joined in _WRAPPERS and parents:
        return kind_of_name(parents[-1], parents[:-1])
    words_above = {word for parent in parents for word in words_of(parent)}
    every = words_above.union(words)
    if every & _PASSWORDS or re.search("passw(?:or)?d", joined):
        return "password"
    if every & _SECRET_WORDS or _is_secret(words, joined):
        return "secret"
    if _EMAILS.intersection(words) or joined == "email":
        return "email"
    is_of_people = any(_PEOPLE.intersection(words_of(parent)) for parent in parents)
    if _is_of_person(words, joined) or (joined == "name" and is_of_people):
        return "person"
    if joined in _USERS or ({"user", "login"} & set(words) and {"name", "id"} & set(words)):
        return "user"
    return None


def _is_secret(words: tuple[str, ...], joined: str) -> bool:
    """Return whether a name's own words are those of a key or a code that is nobody else's."""
    has = set(words)
    is_key = "key" in has and (has & _KEYS or words[0] in ("x", "ocp"))
    is_code = "code" in has and has & _CODES
    return joined in _SECRET_WORDS or joined in ("code", "key") or bool(is_key or is_code)


def _is_of_person(words: tuple[str, ...], joined: str) -> bool:
    """Return whether a name's own words are those of a person's name, address or telephone."""
    has = set(words)
    is_named = "name" in has and has & _NAMED
    is_contact = has & {"phone", "telephone", "mobile", "street", "surname"}
    return joined in _NAMES or bool(is_named or is_contact)


def kind_of_value(value: str) -> str | None:
    """Return what a value is by its look, wherever it stands: email | card | token; None: it has no such look."""
    if EMAIL.search(value):
        return "email"
    if any(_passes_luhn(found) for found in _DIGITS.findall(value)):
        return "card"
    if _TOKEN_TEXT.search(value) or _BEARER.search(value):
        return "token"
    return None


def looks_random(text: str) -> bool:
    """Return whether a text is a key or a token by its look: long, and no words between its dashes."""
    if not _OPAQUE.fullmatch(text):
        return False
    parts = [part for part in re.split(r"[-_.+/=~]", text) if part]
    if all(
        part.isdigit() or (part.isalpha() and part in (part.lower(), part.title()))
        for part in parts
    ):
        return any(len(part) >= 24 for part in parts if not part.isdigit())
    return True


def _passes_luhn(text: str) -> bool:
    digits = [int(c) for c in reversed(text) if c.isdigit()]
    doubled = (
        d if index % 2 == 0 else (2 * d - 9 if d > 4 else 2 * d) for index, d in enumerate(digits)
    )
    return sum(doubled) % 10 == 0


class SecretValues:
    """The secrets of a recording: one learned from a field is found in a path too."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._people: set[str] = set()

    def learn(self, value: str, kind: str) -> None:
        """Remember a secret; texts that are too short or too common to tell by are not."""
        plain = value.strip()
        if len(plain) < _LEAST_KNOWN or plain.lower() in _COMMON:
            return
        if kind == "cookie" and not (
            len(plain) >= 12 or (len(plain) >= 6 and re.search(r"\d", plain))
        ):
            return
        if kind in ("person", "user"):
            self._people |= {word.lower() for word in re.findall(r"\w{4,}", plain)} - _COMMON
            self._people.add(plain.lower())
        else:
            self._known |= {plain, *re.findall(r"[\w.+-]{4,}(?=(?:@|%40))", plain)}

    def holds(self, text: str) -> bool:
        """Return whether a text has a secret in it: a known one, or one by its look."""
        forms = {text, unquote(text), unquote_plus(text)}
        if any(kind_of_value(form) for form in forms):
            return True
        if any(secret in form for form in forms for secret in self._known):
            return True
        words = {w for form in forms for w in re.findall(r"\w+", form.lower().replace("_", " "))}
        return bool(words & self._people) or any(
            person in form.lower() for form in forms for person in self._people if " " in person
        )

    def learn_all(self, values: Iterable[tuple[str, str]]) -> None:
        """Remember pairs of a value and its kind."""
        for value, kind in values:
            self.learn(value, kind)
