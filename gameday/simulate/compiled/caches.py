"""The callers' cache in the compiled engine: a linked list, least recently used first to go."""

from __future__ import annotations

from gameday.scenario.caller_policies import item_of
from gameday.simulate.compiled.inlined import inlined
from gameday.simulate.compiled.tables_at import item_at

__all__ = ["find_item", "flush_items", "item_of_uniform", "keep_item"]

NONE = -1
_item_of = inlined(item_of)


@inlined
def item_of_uniform(service, uniform):
    """Return the item a caller asks for, by a uniform number."""
    return _item_of(uniform, service.keys, service.skew, service.key_share)


@inlined
def find_item(world, service, number):
    """Return whether the cache holds an item; it then becomes the most recently used."""
    if not item_at(world, service.items_from + number).is_cached:
        return False
    _take_out(world, service, number)
    _put_first(world, service, number)
    return True


@inlined
def keep_item(world, service, number):
    """Put an item in the cache; the least recently used one goes if there is no room."""
    if item_at(world, service.items_from + number).is_cached:
        _take_out(world, service, number)
    _put_first(world, service, number)
    if service.cached > service.entries:
        _take_out(world, service, service.item_oldest)


@inlined
def flush_items(world, service):
    """Empty the cache."""
    while service.cached > 0:
        _take_out(world, service, service.item_oldest)


@inlined
def _take_out(world, service, number):
    entry = item_at(world, service.items_from + number)
    if entry.older == NONE:
        service.item_oldest = entry.newer
    else:
        item_at(world, service.items_from + entry.older).newer = entry.newer
    if entry.newer == NONE:
        service.item_newest = entry.older
    else:
        item_at(world, service.items_from + entry.newer).older = entry.older
    entry.is_cached = 0
    service.cached -= 1


@inlined
def _put_first(world, service, number):
    entry = item_at(world, service.items_from + number)
    entry.is_cached, entry.older, entry.newer = 1, service.item_newest, NONE
    if service.item_newest == NONE:
        service.item_oldest = number
    else:
        item_at(world, service.items_from + service.item_newest).newer = number
    service.item_newest = number
    service.cached += 1
