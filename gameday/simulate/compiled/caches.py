"""What callers have kept in the compiled engine: least recently used first to go."""

from __future__ import annotations

from gameday.scenario.caller_policies import item_of
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.tables_at import item_at

__all__ = ["finds", "flush", "item", "keep"]

NONE = -1
_item_of = inlined(item_of)


@inlined
def item(sv, uniform):
    """Return what a caller asks for."""
    return _item_of(uniform, sv.keys, sv.skew, sv.key_share)


@inlined
def finds(w, sv, number):
    """Return whether the answer is kept; it has then been used latest."""
    if not item_at(w, sv.items_from + number).is_kept:
        return False
    _take_out(w, sv, number)
    _put_first(w, sv, number)
    return True


@inlined
def keep(w, sv, number):
    """Keep an answer; the one used longest ago goes if there is no room."""
    if item_at(w, sv.items_from + number).is_kept:
        _take_out(w, sv, number)
    _put_first(w, sv, number)
    if sv.kept > sv.entries:
        _take_out(w, sv, sv.item_oldest)


@inlined
def flush(w, sv):
    """Forget every answer."""
    while sv.item_oldest != NONE:
        _take_out(w, sv, sv.item_oldest)


@inlined
def _take_out(w, sv, number):
    one = item_at(w, sv.items_from + number)
    if one.older == NONE:
        sv.item_oldest = one.newer
    else:
        item_at(w, sv.items_from + one.older).newer = one.newer
    if one.newer == NONE:
        sv.item_newest = one.older
    else:
        item_at(w, sv.items_from + one.newer).older = one.older
    one.is_kept = 0
    sv.kept -= 1


@inlined
def _put_first(w, sv, number):
    one = item_at(w, sv.items_from + number)
    one.is_kept, one.older, one.newer = 1, sv.item_newest, NONE
    if sv.item_newest == NONE:
        sv.item_oldest = number
    else:
        item_at(w, sv.items_from + sv.item_newest).newer = number
    sv.item_newest = number
    sv.kept += 1
