"""What the model shows of trouble: shedding, retries, orphans, sold out, and servers added late."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gameday.queueing import build_cell
from gameday.queueing.limited_sales import Sale
from gameday.record.histograms import percentile
from gameday.record.intervals.of_replications import t_interval
from gameday.record.run_record import ATTEMPTS, LOADS, RunRecord
from gameday.scenario import Scenario
from gameday.simulate import RunControl, offered_erlangs, simulate
from gameday.simulate.offered import visits_per_s
from gameday.simulate.reference.customers import Customers
from gameday.simulate.reference.engine import run_reference
from gameday.traffic import Walks
from gameday.traffic.fit.by_type import steps_by_type
from gameday.vocabulary import SLOT_S, Seed, TimeGrid
from tests.support.small_shop import desk, flat_plan, load_small, merged, service, small_shop


def run(
    scenario: Scenario, per_s: float, *, seed: int = 1, slots: int = 3, **plan: Any
) -> RunRecord:
    return run_reference(
        scenario,
        flat_plan(scenario, per_s, seed=seed, slots=slots, **plan),
        "main",
        seed=Seed(seed),
    )


def ended(record: RunRecord, name: str, what: str) -> float:
    row = record.attempts[0, record.services.index(name)]
    return float(row[ATTEMPTS.index(what)].sum())


def same(one: RunRecord, other: RunRecord) -> bool:
    names = ("step_counts", "session_counts", "attempts", "loads", "latency", "visits")
    return all(np.array_equal(getattr(one, n), getattr(other, n), equal_nan=True) for n in names)


# --- chance -------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_record_and_another_seed_another(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop())
    plan = flat_plan(scenario, 5.0)
    one, again, other = (
        run_reference(scenario, plan, "main", seed=Seed(seed)) for seed in (1, 1, 2)
    )
    assert same(one, again)
    assert not same(one, other)
    # The plan's seed alone decides who comes and where they walk.
    np.testing.assert_array_equal(one.session_counts[0, 1], other.session_counts[0, 1])
    np.testing.assert_array_equal(one.step_counts[0, :, 0], other.step_counts[0, :, 0])


def test_planned_steps_are_those_of_the_walks(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop())
    plan = flat_plan(scenario, 5.0, lead_in=1)
    record = run_reference(scenario, plan, "main", seed=Seed(1))
    walked = Walks(scenario, plan).planned_steps(plan.arrivals())
    np.testing.assert_array_equal(record.step_counts[0, :, 0], walked[0])


def test_replications_differ_in_chance_and_do_not_depend_on_the_number_of_workers(
    tmp_path: Path,
) -> None:
    scenario = load_small(tmp_path, small_shop())
    plan = flat_plan(scenario, 2.0, slots=2)
    one = simulate(scenario, plan, seed=Seed(4), control=RunControl(workers=1))
    two = simulate(scenario, plan, seed=Seed(4), control=RunControl(workers=2))
    assert len(one) == len(two) == 10
    assert all(same(a, b) for a, b in zip(one, two, strict=True))
    assert not same(one[0], one[1])
    assert all(record.imbalances() == [] for record in one)


# --- servers ------------------------------------------------------------------------------------


@pytest.mark.nightly
def test_more_servers_never_shed_more_in_the_mean(tmp_path: Path) -> None:
    def shed(servers: int, seed: int) -> float:
        scenario = load_small(tmp_path, desk(servers=servers, queue_per_server=1))
        return ended(run(scenario, 30.0, slots=2, seed=seed), "desk", "shed")

    means = [np.mean([shed(servers, seed) for seed in range(2)]) for servers in (1, 2, 4)]
    assert means == sorted(means, reverse=True)
    assert means[0] > means[-1]


def test_with_common_random_numbers_a_wider_queue_sheds_no_more(tmp_path: Path) -> None:
    def shed(places: int) -> float:
        scenario = load_small(tmp_path, desk(servers=2, queue_per_server=places))
        return ended(run(scenario, 22.0), "desk", "shed")

    assert shed(0) > shed(2) > shed(8)


def test_light_load_offers_each_service_what_the_call_graph_says(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop())
    busy, arrived = [], []
    for seed in range(4):
        record = run(scenario, 20.0, slots=3, seed=seed)
        # Sessions under way are missing in the first slot.
        busy.append(record.loads[0, :, LOADS.index("busy_s"), 1:].mean(axis=1) / SLOT_S)
        arrived.append(record.attempts[0, :, 0, 1:].mean(axis=1) / SLOT_S)
    visits = scenario.journeys["shopper"].visits_per_session(scenario.step_names)
    steps = (20.0 * SLOT_S * visits)[None, :, None]
    erlangs = offered_erlangs(scenario, "main", {None: steps})[:, 0]
    rate = visits_per_s(scenario, "main", {None: steps})[:, 0]
    for index in range(3):
        band = t_interval([float(b[index]) for b in busy], level=0.999)
        assert band.low * 0.97 <= erlangs[index] <= band.high * 1.03
        band = t_interval([float(a[index]) for a in arrived], level=0.999)
        assert band.low * 0.97 <= rate[index] <= band.high * 1.03


def test_each_region_of_a_shared_stack_offers_its_own_product_mix(tmp_path: Path) -> None:
    shop = merged(
        small_shop(),
        {
            "regions": {"uk": {"zone": "Europe/London", "stack": "main"}},
            "history": {"synthetic": {"sessions_per_day": {"uk": 1.0}}},
            "products": {
                "plain": {"share": {"eu": 1.0, "uk": 0.0}},
                "dear": {"share": {"eu": 0.0, "uk": 1.0}, "calls": {"product": ["pay"]}},
            },
        },
    )
    scenario = load_small(tmp_path, shop)
    pay = list(scenario.services).index("pay")
    for region, expected in ((0, 0.0), (1, 10.0)):
        steps = np.zeros((2, 3, 1))
        steps[region, 1] = 10.0 * SLOT_S
        grid = TimeGrid(datetime(2026, 3, 10, tzinfo=UTC), 1)
        asked = [
            steps_by_type(scenario, grid, name, steps[r]) for r, name in enumerate(scenario.regions)
        ]
        by_type = {product: np.stack([part[product] for part in asked]) for product in asked[0]}
        assert visits_per_s(scenario, "main", by_type)[pay, 0] == pytest.approx(expected)


@pytest.mark.parametrize("scale", [pytest.param(1.0, marks=pytest.mark.nightly), 0.31, 0.04])
def test_a_cell_is_as_busy_as_the_full_scale(tmp_path: Path, scale: float) -> None:
    scenario = load_small(tmp_path, desk(servers=25, queue_per_server=500))
    records = [run(scenario, 150 * scale, scale=scale, seed=seed) for seed in range(2)]
    utilisation = [float(r.utilisation("main", "desk")[1:].mean()) for r in records]
    assert np.mean(utilisation) == pytest.approx(0.6, abs=0.07)
    station = build_cell(scenario, "main", scale=scale).stations["desk"]
    assert station.servers == max(1, round(25 * scale))


def test_autoscaling_adds_servers_only_after_its_delay_and_never_beyond_its_bound(
    tmp_path: Path,
) -> None:
    policy = {"target": 0.5, "interval": "20s", "delay": "90s", "max_factor": 2}
    scenario = load_small(tmp_path, desk(servers=4, queue_per_server=5, autoscale=policy))
    record = run(scenario, 60.0, slots=4)
    servers = record.loads[0, 0, LOADS.index("servers")]
    # Read at 20 s, at work at 110 s: 50 s of the second slot with the old four.
    np.testing.assert_allclose(servers, [4, 4 * 50 / 60 + 8 * 10 / 60, 8, 8])
    shed = record.attempts[0, 0, ATTEMPTS.index("shed")]
    assert shed[3] < shed[0] / 2


def test_an_idle_service_is_not_scaled(tmp_path: Path) -> None:
    policy = {"target": 0.5, "interval": "20s", "delay": "1s", "max_factor": 4}
    scenario = load_small(tmp_path, desk(servers=4, autoscale=policy))
    record = run(scenario, 2.0)
    np.testing.assert_allclose(record.loads[0, 0, LOADS.index("servers")], 4)


# --- trouble ------------------------------------------------------------------------------------


def test_retries_amplify_attempts_in_overload_and_not_at_rest(tmp_path: Path) -> None:
    def attempts_per_visit(per_s: float, attempts: int) -> float:
        retry = {"attempts": attempts, "backoff": "100ms"}
        scenario = load_small(tmp_path, desk(servers=4, queue_per_server=2, retry=retry))
        record = run(scenario, per_s, slots=2)
        return ended(record, "desk", "arrived") / record.session_counts[0, 1].sum()

    assert attempts_per_visit(8.0, 3) < 1.02
    assert attempts_per_visit(80.0, 0) == 1.0
    assert attempts_per_visit(80.0, 3) > 2.0


def test_a_timeout_shorter_than_the_work_orphans_it(tmp_path: Path) -> None:
    law = {"law": "deterministic", "mean": "200ms"}
    scenario = load_small(tmp_path, desk(servers=50, time=law, timeout="150ms"))
    record = run(scenario, 10.0, slots=2)
    assert ended(record, "desk", "done") == 0
    assert ended(record, "desk", "orphaned") == ended(record, "desk", "arrived")
    assert record.step_total("hit", "failed") == record.step_total("hit", "achieved")
    # Nobody waits for it, yet the servers do all of it.
    busy_s = record.loads[0, 0, LOADS.index("busy_s")].sum()
    assert busy_s == pytest.approx(0.2 * ended(record, "desk", "orphaned"), rel=0.01)


def test_a_timeout_in_the_queue_costs_no_server(tmp_path: Path) -> None:
    law = {"law": "deterministic", "mean": "1s"}
    scenario = load_small(
        tmp_path, desk(servers=1, queue_per_server=100, time=law, timeout="1500ms")
    )
    record = run(scenario, 10.0, slots=2)
    assert ended(record, "desk", "timed_out") > 0.8 * ended(record, "desk", "arrived")
    assert record.utilisation("main", "desk").max() <= 1 + 1e-9


def with_helper(call: str, **helper: Any) -> dict[str, Any]:
    """Return a desk that calls a service `helper` in the way `call` is written."""
    shop = desk(servers=60, mean="10ms")
    shop["services"]["helper"] = service(helper.pop("mean", "10ms"), **helper)
    shop["steps"]["hit"]["exchanges"] = [{"path": "/", "calls": [call]}]
    return shop


def test_a_failing_optional_call_fails_nothing_above_it(tmp_path: Path) -> None:
    starved = {"servers": 1, "queue_per_server": 0, "mean": "500ms"}
    needed = run(load_small(tmp_path, with_helper("helper", **starved)), 20.0, slots=2)
    spared = run(load_small(tmp_path, with_helper("helper?", **starved)), 20.0, slots=2)
    assert needed.step_total("hit", "failed") > 0.8 * needed.step_total("hit", "achieved")
    assert spared.step_total("hit", "done") == spared.step_total("hit", "achieved")
    assert ended(spared, "helper", "shed") > 0.8 * ended(spared, "helper", "arrived")
    assert ended(needed, "desk", "failed") == ended(needed, "helper", "shed")


def test_calls_in_a_group_run_together_and_calls_in_a_row_one_after_another(
    tmp_path: Path,
) -> None:
    fixed = {"law": "deterministic", "mean": "100ms"}

    def held_s(calls: Any) -> float:
        shop = desk(servers=500, time=fixed)
        for name in ("left", "right"):
            shop["services"][name] = service("1s", servers=500, time=fixed)
        shop["steps"]["hit"]["exchanges"] = [{"path": "/", "calls": calls}]
        record = run(load_small(tmp_path, shop), 10.0, slots=2)
        return float(record.loads[0, 0, 0].sum() / ended(record, "desk", "arrived"))

    assert held_s([["left", "right"]]) == pytest.approx(0.2, rel=0.01)
    assert held_s(["left", "right"]) == pytest.approx(0.3, rel=0.01)


def test_a_retry_meets_new_luck_in_the_services_below(tmp_path: Path) -> None:
    # The helper alone decides: half of its visits outlast the desk's timeout of 100 ms.
    shop = with_helper("helper", servers=2000, mean="144.27ms")
    shop["services"]["desk"] |= {
        "stacks": {"main": {"instances": 2000, "zones": 1, "instance": "box"}},
        "time": {"law": "deterministic", "mean": "1ms"},
        "timeout": "101ms",
        "retry": {"attempts": 3, "backoff": "1ms"},
    }
    record = run(load_small(tmp_path, shop), 40.0, slots=2)
    failed = record.step_total("hit", "failed") / record.step_total("hit", "achieved")
    assert failed == pytest.approx(0.5**4, abs=0.03)


def test_an_impatient_customer_leaves_and_the_session_is_abandoned(tmp_path: Path) -> None:
    law = {"law": "deterministic", "mean": "3s"}
    shop = merged(desk(servers=200, time=law), {"journeys": {"visitor": {"patience": "2s"}}})
    record = run(load_small(tmp_path, shop), 5.0, slots=2)
    assert record.step_total("hit", "abandoned") == record.step_total("hit", "achieved") > 0
    assert record.session_counts[0, 3].sum() == record.session_counts[0, 1].sum()


def test_the_speed_shortens_pauses_and_not_services(tmp_path: Path) -> None:
    scenario = load_small(tmp_path, small_shop())
    slow, fast = run(scenario, 10.0, slots=2), run(scenario, 10.0, slots=20, speed=10.0)
    for name in ("edge", "stock", "pay"):
        each = [
            float(r.loads[0, r.services.index(name), 0].sum() / ended(r, name, "arrived"))
            for r in (slow, fast)
        ]
        assert each[0] == pytest.approx(each[1], rel=0.15)


# --- stock --------------------------------------------------------------------------------------


def selling(folder: Path, stock: int) -> Scenario:
    return load_small(
        folder,
        small_shop(),
        {
            "products": {"toy": {"share": {"eu": 1.0}}},
            "launches": {
                "drop": {
                    "product": "toy",
                    "at": {"eu": "2026-03-10T00:00"},
                    "crowd": {"eu": 10},
                    "stock": {"eu": stock},
                    "half_life": "4m",
                }
            },
        },
    )


@pytest.mark.parametrize("stock", [0, 1, 40, 10**6])
def test_stock_is_sold_to_the_last_unit_and_never_oversold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stock: int
) -> None:
    left: list[dict[str, Sale]] = []
    begin = Customers.__init__

    def watched(self: Customers, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        left.append(self.sales)

    monkeypatch.setattr(Customers, "__init__", watched)
    record = run(selling(tmp_path, stock), 5.0, slots=6)
    sold = record.step_total("checkout", "done")
    assert 0 <= left[0]["toy"].left == stock - sold
    if stock <= 40:
        assert left[0]["toy"].left == 0
        assert record.step_total("checkout", "sold_out") > 0
    else:
        assert record.step_total("checkout", "sold_out") == 0
    assert record.imbalances() == []


def test_stock_is_scaled_by_scale_over_speed(tmp_path: Path) -> None:
    scenario = selling(tmp_path, 1000)
    record = run(scenario, 60.0, slots=10, speed=10.0, scale=0.2)
    assert record.step_total("checkout", "done") == 20


# --- what a step waits for ------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
def test_a_step_lasts_to_its_last_required_exchange(together: bool, tmp_path: Path) -> None:
    page: dict[str, Any] = {"path": "/"}
    banner: dict[str, Any] = {"path": "/banner", "required": False, "calls": ["stock"]}
    fixed = {"law": "deterministic", "mean": "100ms"}
    services = {
        "edge": {"time": fixed, "stacks": {"main": {"instances": 900}}},
        "stock": {"time": fixed | {"mean": "2s"}, "stacks": {"main": {"instances": 900}}},
    }
    steps = {"home": {"exchanges": [[page, banner]] if together else [page, banner]}}
    scenario = load_small(tmp_path, small_shop(), {"services": services, "steps": steps})
    plan = flat_plan(scenario, 3.0)
    record = run_reference(scenario, plan, "main", seed=Seed(1))
    home = record.response("main", "home")
    assert home.sum() > 100
    assert percentile(home, 1.0) == pytest.approx(0.1, rel=0.02)
    assert plan.nominal["main"]["home"].mean_s == pytest.approx(0.1)
    walked = record.step_total("home", "achieved") + record.step_total("product", "achieved")
    assert ended(record, "stock", "done") >= 0.9 * walked, "the banner is asked for all the same"
