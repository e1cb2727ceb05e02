"""A request's life: legal moves or none, approvals of a content alone, and what a new run makes of an order."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameday.capacity import CapacityRequest, as_json, from_mapping
from gameday.capacity.living import (
    MOVES,
    content_sha256,
    edited,
    expire,
    is_expired,
    is_open,
    met,
    moved,
    requesters,
    verified,
)
from gameday.capacity.living.life import BAND
from gameday.capacity.request import STATES
from gameday.capacity.schedule import ScheduledStep
from gameday.errors import UsageError
from gameday.safety.identity import Actor, Statement
from tests.support.bad_input_table import _request

RUN = Actor("run", "r2", "ana")
ANA = Actor("user", "ana", "ana")
AT = "2027-06-01T00:00:00+00:00"
ACTORS = (ANA, RUN, Actor("key", "ed25519:x", "ben"), Actor("policy", "cheap@1", "ana"))


def order(**changes: Any) -> CapacityRequest:
    """Return a draft of one service, 30 to 60 instances in three zones."""
    plain = {"instances_from": 30, "instances_to": 60, "state": "draft", "history": ()}
    return replace(_request("draft"), **{**plain, **changes})


def say(request: CapacityRequest, act: str, actor: Actor = ANA, content: str = "") -> Statement:
    return Statement(request.id, act, content or content_sha256(request), AT, "because", actor)


def walked(request: CapacityRequest, *states: str) -> CapacityRequest:
    for state in states:
        request = moved(
            request, say(request, state, RUN if state in ("verified", "expired") else ANA)
        )
    return request


PATHS = {
    "draft": (),
    "in_review": ("in_review",),
    "approved": ("in_review", "approved"),
    "rejected": ("in_review", "rejected"),
    "ordered": ("in_review", "approved", "ordered"),
    "active": ("in_review", "approved", "ordered", "active"),
    "verified": ("in_review", "approved", "ordered", "active", "verified"),
    "released": ("released",),
    "expired": ("expired",),
}


def in_state(state: str, **changes: Any) -> CapacityRequest:
    return walked(order(**changes), *PATHS[state])


@given(
    steps=st.lists(
        st.tuples(st.sampled_from([*STATES, "bought"]), st.sampled_from(ACTORS)), max_size=12
    )
)
def test_any_sequence_of_moves_is_legal_or_refused(steps: list[tuple[str, Actor]]) -> None:
    request = order()
    for state, actor in steps:
        before = request
        try:
            request = moved(request, say(request, state, actor))
        except UsageError:
            assert request is before
            continue
        assert state in MOVES[before.state]
        assert request.state == state
        assert request.history == (*before.history, request.history[-1])
        assert (state == "verified") <= (actor.kind == "run")


def test_every_state_is_in_the_table_can_be_reached_and_ends_somewhere() -> None:
    assert set(MOVES) == set(STATES)
    reached, new = {"draft"}, {"draft"}
    while new:
        new = {to for state in new for to in MOVES[state]} - reached
        reached |= new
    assert reached == set(MOVES)
    assert [state for state in STATES if not MOVES[state]] == [
        *("rejected", "expired", "superseded", "released")
    ]


_KEPT = {"state", "history", "record"}


@pytest.mark.parametrize("name", [f.name for f in fields(CapacityRequest) if f.name not in _KEPT])
def test_any_field_changed_after_approval_is_another_content(name: str) -> None:
    request = in_state("approved")
    value = getattr(request, name)
    other: Any
    if isinstance(value, bool):
        other = not value
    elif isinstance(value, (int, float)):
        other = value + 1
    elif isinstance(value, str):
        other = value + "x"
    elif isinstance(value, datetime):
        other = value + timedelta(minutes=1)
    elif isinstance(value, dict):
        other = {**value, "p1": 1.0}
    elif name == "findings":
        other = ("x",)
    elif name == "schedule":
        other = (
            ScheduledStep(request.needed_by, request.needed_by + timedelta(hours=1), 9, "sale"),
        )
    elif name in ("proof", "prediction"):
        other = replace(value, why_not="x")
    else:
        assert value is None, name
        other = request.needed_by
    changed = replace(request, **{name: other})
    assert content_sha256(changed) != content_sha256(request)
    approved = request.history[-1].content
    with pytest.raises(UsageError, match="was changed meanwhile"):
        moved(changed, say(changed, "ordered", content=approved))


def test_what_happens_to_a_request_is_no_part_of_its_content() -> None:
    request = order()
    assert {content_sha256(in_state(state)) for state in PATHS} == {content_sha256(request)}
    back = from_mapping(json.loads(as_json(in_state("verified"))), "here")
    assert content_sha256(back) == content_sha256(request)
    assert as_json(back) == as_json(in_state("verified"))


def test_an_edit_voids_an_approval_and_the_proof_and_its_cost_follows() -> None:
    request = in_state("approved")
    after = edited(request, replace(request, instances_to=9000))
    assert (after.state, after.instances_to, after.sized_by) == ("in_review", 9000, "hand")
    assert "edited" in after.proven
    assert not after.proof.objectives
    price = request.hourly_usd / request.added
    assert after.hourly_usd == pytest.approx(price * 8970)
    assert after.total_usd == pytest.approx(price * after.instance_hours)
    assert edited(order(), replace(order(), instances_to=63)).state == "draft"


def test_who_edits_asks_for_it_and_taking_it_back_to_a_draft_does_not_change_that() -> None:
    ben = Actor("user", "ben", "ben")
    request = order(history=(say(order(), "draft", RUN),))
    for act in ("edited", "draft"):
        said = say(request, act, ben)
        request = replace(request, history=(*request.history, said))
    assert requesters(request) == (ben,)


@pytest.mark.parametrize("state", ["ordered", "active", "verified", "rejected", "released"])
def test_what_was_ordered_or_has_ended_cannot_be_edited(state: str) -> None:
    request = in_state(state)
    with pytest.raises(UsageError, match="its file was edited"):
        edited(request, replace(request, instances_to=9000))


_FREE = {"instances_to", "schedule", *_KEPT}


@pytest.mark.parametrize("name", [f.name for f in fields(CapacityRequest) if f.name not in _FREE])
def test_nothing_but_how_many_and_when_can_be_edited(name: str) -> None:
    other: dict[str, Any] = {name: "other"}
    with pytest.raises(UsageError, match=f"{name} cannot be edited"):
        edited(order(), replace(order(), **other))


def test_what_an_edit_costs_is_known_where_only_a_schedule_differs_from_the_present_fleet() -> None:
    """As many at their most as there are now, and fewer in some hours: the price an hour is in the total."""
    start = order().needed_by
    hours = [
        ScheduledStep(start + timedelta(hours=n), start + timedelta(hours=n + 1), count, "sale")
        for n, count in enumerate((30, 20, 15))
    ]
    saving = order(instances_to=30, schedule=tuple(hours[:2]), hourly_usd=0.0, total_usd=-5.0)
    after = edited(saving, replace(saving, schedule=tuple(hours)))
    assert after.total_usd == pytest.approx(-0.5 * 25)


def test_an_edit_that_contradicts_itself_is_refused() -> None:
    hour = ScheduledStep(order().needed_by, order().needed_by + timedelta(hours=1), 50, "sale")
    with pytest.raises(UsageError, match=r"must be the most of its schedule \(50; got 60\)"):
        edited(order(), replace(order(), schedule=(hour,)))
    after = edited(order(), replace(order(), schedule=(hour,), instances_to=50))
    assert after.instance_hours == 20


def test_a_rejected_approver_of_before_may_not_pass_as_another_by_a_new_revision() -> None:
    """Requesters are of the present revision: who asked for an order that ended did not ask for this one."""
    superseded = met(in_state("active"), order(instances_to=90), actor=RUN, at=AT)
    assert superseded is not None
    assert requesters(superseded.request) == ()
    assert requesters(walked(superseded.request, "in_review")) == (ANA,)


# --- what a new run does -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state", ["draft", "in_review", "approved", "ordered", "active", "verified"]
)
@given(instances=st.integers(30, 120))
def test_a_need_within_the_band_confirms_and_changes_no_content(state: str, instances: int) -> None:
    old, new = in_state(state), order(instances_to=instances)
    change = met(old, new, actor=RUN, at=AT)
    assert change is not None
    is_within = abs(instances - 60) <= max(old.zones, BAND * 60)
    hours = new.instance_hours - old.instance_hours
    is_within = is_within and abs(hours) <= BAND * abs(old.instance_hours) + old.zones
    if is_within:
        assert (change.act, change.request.state) == ("confirmed", state)
        assert content_sha256(change.request) == content_sha256(old)
        return
    assert change.request.instances_to == instances
    if state in ("ordered", "active", "verified"):
        assert (change.act, change.request.state) == ("superseded", "draft")
        assert change.request.revision == old.revision + 1
        assert [said.act for said in change.request.history[-2:]] == ["superseded", "draft"]
    else:
        assert change.act == "amended"
        assert change.request.state == ("in_review" if state == "approved" else state)
        assert change.request.revision == old.revision
    assert str(60) in change.what or "instance-hours" in change.what


def test_a_run_that_bears_out_the_model_amends_what_was_asked_for_without() -> None:
    """Or a rule that asks for a compared model would refuse the request for ever."""
    old, new = order(model="not compared"), order(model="agrees")
    change = met(old, new, actor=RUN, at=AT)
    assert change is not None
    assert (change.act, change.request.state, change.request.model) == (
        "amended",
        "draft",
        "agrees",
    )
    placed = met(in_state("active", model="not compared"), new, actor=RUN, at=AT)
    assert placed is not None
    assert (placed.act, placed.request.state) == ("confirmed", "active")


def test_the_first_need_of_a_service_is_drafted() -> None:
    change = met(None, order(), actor=RUN, at=AT)
    assert change is not None
    assert (change.act, change.request.state, change.request.revision) == ("drafted", "draft", 1)
    assert met(None, None, actor=RUN, at=AT) is None


@pytest.mark.parametrize("state", ["expired", "released"])
def test_a_need_after_the_end_of_an_order_is_its_next_revision(state: str) -> None:
    change = met(in_state(state), order(), actor=RUN, at=AT)
    assert change is not None
    assert (change.act, change.request.state, change.request.revision) == ("drafted", "draft", 2)


def test_what_was_rejected_stays_so_until_the_need_is_another() -> None:
    same = met(in_state("rejected"), order(), actor=RUN, at=AT)
    other = met(in_state("rejected"), order(instances_to=90), actor=RUN, at=AT)
    assert same is not None
    assert other is not None
    assert (same.act, same.request.state) == ("confirmed", "rejected")
    assert (other.request.state, other.request.revision) == ("draft", 2)


@pytest.mark.parametrize("state", list(PATHS))
def test_a_need_that_is_gone_releases_what_is_open_and_nothing_else(state: str) -> None:
    old = in_state(state)
    change = met(old, None, actor=RUN, at=AT)
    if not is_open(old):
        assert change is None
        return
    assert change is not None
    assert (change.act, change.request.state) == ("released", "released")


def test_only_a_run_verifies_and_only_what_is_active() -> None:
    with pytest.raises(UsageError, match="a run alone"):
        moved(in_state("active"), say(order(), "verified", ANA))
    assert verified(in_state("active"), actor=RUN, at=AT, what="it held").state == "verified"
    for state in ("draft", "approved", "ordered"):
        with pytest.raises(UsageError, match="may become"):
            verified(in_state(state), actor=RUN, at=AT, what="it held")


def test_what_nobody_ordered_in_time_expires() -> None:
    late = datetime(2027, 8, 1, tzinfo=UTC)
    for state in ("draft", "in_review", "approved"):
        request = in_state(state)
        assert is_expired(request, late)
        assert not is_expired(request, request.expires)
        assert expire(request, actor=RUN, at=AT).request.state == "expired"
    assert not is_expired(in_state("ordered"), late)
