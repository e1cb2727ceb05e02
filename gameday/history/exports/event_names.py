"""What types of events are called, and the names of steps that they are."""

from __future__ import annotations

import re
from functools import lru_cache

from gameday.errors import HistoryError

__all__ = ["named_step_of"]

_USUAL: dict[str, str | None] = {
    **dict.fromkeys(("homepage", "mainpage", "landingpage"), "home"),
    **dict.fromkeys(
        ("view", "viewitem", "productview", "productviewed", "productpage", "pdp"), "product"
    ),
    **dict.fromkeys(("productdetail", "productdetails", "detail"), "product"),
    **dict.fromkeys(
        ("addtocart", "addedtocart", "productadded", "addtobasket", "addtobag"), "cart"
    ),
    **dict.fromkeys(
        ("purchase", "order", "transaction", "ordercompleted", "orderplaced"), "checkout"
    ),
    **dict.fromkeys(("removefromcart", "productremoved", "removefrombasket"), None),
}
"""What event types are called, in small letters and digits alone -> our steps; None: no step of a customer.

Sources: logs that are published (REES46, Retailrocket), and what shops' tags are called."""


@lru_cache(maxsize=100_000)
def named_step_of(event: str) -> str | None:
    """Return the step that an event type is called as: usual names are known, others are written as steps are.

    HistoryError where nothing of its name can be written so.
    """
    plain = re.sub(r"[^a-z0-9]", "", event.lower())
    if plain in _USUAL:
        return _USUAL[plain]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", event).lower()
    name = re.sub(r"[^a-z0-9_]+", "-", words).strip("-_")
    if not name:
        raise HistoryError(
            f"the event type '{event}' cannot be the name of a step: --steps '{event}=STEP' says which it is"
        )
    return name if name[0].isalpha() else f"step-{name}"
