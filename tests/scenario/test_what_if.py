"""What-ifs: a field of a service, instances everywhere or in one stack, more customers; else a fault."""

from __future__ import annotations

import pytest

from gameday.errors import UsageError
from gameday.scenario.reading import read_scenario
from gameday.scenario.reading.variants import what_if

PRIMEDAY = read_scenario("primeday")


def test_instances_change_in_every_stack_or_in_one() -> None:
    everywhere = what_if(PRIMEDAY, "checkout.instances = 40").scenario.services["checkout"]
    assert {fleet.instances for fleet in everywhere.stacks.values()} == {40}
    here = what_if(PRIMEDAY, "checkout.us.instances = 41").scenario.services["checkout"]
    assert here.stacks["us"].instances == 41
    assert here.stacks["in"].instances != 41


def test_several_changes_make_one_variant() -> None:
    variant = what_if(PRIMEDAY, "checkout.timeout = 2s, payment.retry = none, forecast = 1.3x")
    assert variant.factor == pytest.approx(1.3)
    assert variant.scenario.services["checkout"].timeout == 2.0
    assert variant.scenario.services["payment"].retry is None


def test_a_nested_field_and_a_law_are_changed_as_the_scenario_writes_them() -> None:
    variant = what_if(PRIMEDAY, "search.time.mean = 20ms, search.threads = asynchronous")
    assert variant.scenario.services["search"].time.mean == pytest.approx(0.02)
    assert variant.scenario.services["search"].is_asynchronous


def test_zones_count_for_balancing_and_for_what_a_lost_zone_takes() -> None:
    fleets = what_if(PRIMEDAY, "checkout.zones = 2").scenario.services["checkout"].stacks
    assert {fleet.zones for fleet in fleets.values()} == {2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("checkout.instances", "must read"),
        ("chekout.instances = 3", "did you mean 'checkout'"),
        ("checkout = 3", "a change reads"),
        ("checkout.instance = 3", "is not a field here"),
        ("checkout.instances = many", "instances"),
        ("checkout.instances = 0", "greater than or equal to 1"),
        ("checkout.us.zones = 0", "greater than or equal to 1"),
        ("checkout.tier = 2", "does not see tier"),
        ("checkout.instances = 99999999999999999999", "less than or equal to"),
        ("checkout.timeout = 2", "duration"),
        ("checkout.timeout.deep = 2s", "no fields of its own"),
        ("forecast = 2", "1.3x"),
        ("forecast = 0x", "1.3x"),
        ("forecast = 1000x", "1.3x"),
        ("checkout.retry.attempts = 1e400", "attempts"),
        ("", "must read"),
    ],
)
def test_what_cannot_be_changed_is_said_with_place_and_remedy(text: str, said: str) -> None:
    with pytest.raises(UsageError, match="--what-if") as caught:
        what_if(PRIMEDAY, text)
    assert said in str(caught.value)
