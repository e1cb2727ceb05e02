"""Selectors of values in a reply, checked when the scenario is read and not when a reply comes."""

from __future__ import annotations

import re

from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.parser import parse
from selectolax.lexbor import LexborHTMLParser, SelectolaxError

__all__ = ["check_css", "check_jsonpath", "split_css"]


_ATTRIBUTE = re.compile(r"(.+)@([A-Za-z_:][\w:.-]*)", re.DOTALL)


def split_css(selector: str) -> tuple[str, str]:
    """Return selector and attribute of `SELECTOR@ATTRIBUTE`; no attribute: empty."""
    found = _ATTRIBUTE.fullmatch(selector)
    return (found[1], found[2]) if found else (selector, "")


def check_jsonpath(path: str) -> str:
    """Return `path`; ValueError says what is wrong with it."""
    try:
        parse(path)
    except JSONPathError as error:
        raise ValueError(f"jsonpath: '{path}' cannot be read ({error})") from None
    return path


def check_css(selector: str) -> str:
    """Return `selector`; ValueError says that it is none."""
    try:
        LexborHTMLParser("<p></p>").css_first(selector)
    except SelectolaxError as error:
        raise ValueError(f"css: '{selector}' is no selector ({error})") from None
    return selector
