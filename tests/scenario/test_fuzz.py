"""Whatever stands in a scenario file: it loads, or it is a ScenarioError; nothing else ever."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from gameday.errors import ScenarioError
from gameday.queueing import build_cell
from gameday.scenario import Scenario, load_scenario
from tests.support import examples

if TYPE_CHECKING:
    from tests.scenario.conftest import Bench

Path = tuple[str | int, ...]

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        [
            "8s",
            "2d",
            "0s",
            "home",
            "cart",
            "edge",
            "us",
            "main",
            "p99",
            "exit",
            "1:30",
            "p99 of home < 1s",
            "{token}",
            "{who}",
            "2027-07-13T00:00",
            "UTC",
            "sale",
            "2027-05-01T00:00Z",
            "m8g.large",
            "price?",
            "/x",
            "exponential",
            "5",
            "",
        ]
    ),
)
KEYS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(["us", "home", "cart", "edge", "name", "other", "exit", "law", "mean", "main"]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
LIGHT = settings(
    max_examples=examples(50),
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # a fault is small as it is: no minutes of shrinking
    suppress_health_check=[HealthCheck.too_slow],
)


def paths_of(data: Any, above: Path = ()) -> Iterator[Path]:
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from paths_of(value, (*above, key))


def parent_of(data: Any, path: Path) -> Any:
    for key in path[:-1]:
        data = data[key]
    return data


def said_of(file: FilePath) -> list[str]:
    """Return the faults of `file`, none if it loads; any other exception fails the test."""
    try:
        load_scenario(str(file))
    except ScenarioError as error:
        return error.faults or ["an error without a fault"]
    return []


def loads_or_says(bench: Bench, data: Any) -> Scenario | None:
    """Load `data`; any exception but ScenarioError fails the test."""
    file = bench.write(json.dumps(data, indent=1))
    faults = said_of(file)
    assert all(fault.startswith(f"{file}:") for fault in faults)
    return None if faults else load_scenario(str(file))


@LIGHT
@given(chosen=st.data())
def test_a_dropped_key_loads_or_is_a_scenario_error(
    kept_bench: Bench, plain: Callable[[], dict[str, Any]], chosen: st.DataObject
) -> None:
    data = plain()
    path = chosen.draw(st.sampled_from(list(paths_of(data))))
    del parent_of(data, path)[path[-1]]
    loads_or_says(kept_bench, data)


@settings(LIGHT, max_examples=examples(200))
@given(chosen=st.data())
def test_values_replaced_by_anything_load_or_are_a_scenario_error(
    kept_bench: Bench, plain: Callable[[], dict[str, Any]], chosen: st.DataObject
) -> None:
    data = plain()
    for _ in range(chosen.draw(st.integers(1, 3))):
        path = chosen.draw(st.sampled_from(list(paths_of(data))))
        parent_of(data, path)[path[-1]] = chosen.draw(ANYTHING)
    loads_or_says(kept_bench, data)


@LIGHT
@given(chosen=st.data())
def test_an_added_key_is_a_scenario_error_or_loads(
    kept_bench: Bench, plain: Callable[[], dict[str, Any]], chosen: st.DataObject
) -> None:
    data = plain()
    holders = [p for p in paths_of(data) if isinstance(parent_of(data, (*p, 0)), dict)]
    path = chosen.draw(st.sampled_from(holders))
    parent_of(data, (*path, 0))[chosen.draw(KEYS)] = chosen.draw(ANYTHING)
    loads_or_says(kept_bench, data)


@settings(LIGHT, max_examples=examples(70))
@given(chosen=st.data())
def test_any_text_spliced_into_the_file_loads_or_is_a_scenario_error(
    kept_bench: Bench, chosen: st.DataObject
) -> None:
    text = kept_bench.text
    start = chosen.draw(st.integers(0, len(text)))
    end = min(len(text), start + chosen.draw(st.integers(0, 30)))
    splice = chosen.draw(st.text(max_size=8) | st.text("{}[]:&*!|>'\"#%@`,?- \n\t", max_size=8))
    file = kept_bench.folder / "spliced.yaml"
    file.write_bytes((text[:start] + splice + text[end:]).encode())
    assert all(fault.startswith(f"{file}:") for fault in said_of(file))


@LIGHT
@given(raw=st.binary(max_size=200))
def test_any_bytes_are_a_scenario_error(kept_bench: Bench, raw: bytes) -> None:
    file = kept_bench.folder / "raw.yaml"
    file.write_bytes(raw)
    assert said_of(file)


@settings(LIGHT, max_examples=examples(30))
@given(chosen=st.data(), scale=st.floats(1e-4, 2))
def test_a_scenario_that_loads_can_be_built_at_any_scale(
    kept_bench: Bench, plain: Callable[[], dict[str, Any]], chosen: st.DataObject, scale: float
) -> None:
    data = plain()
    spots = [p for p in paths_of(data["services"]) if p[-1] in ("mean", "cv", "instances", "time")]
    path = chosen.draw(st.sampled_from(spots))
    number = chosen.draw(st.integers(0, 500) | st.floats(0, 5, allow_nan=False))
    wordy = chosen.draw(st.sampled_from(["0ms", "1ms", "0.5s"]))
    value = number if path[-1] in ("cv", "instances") else wordy
    parent_of(data["services"], path)[path[-1]] = value
    scenario = loads_or_says(kept_bench, data)
    assume(scenario is not None)
    assert scenario is not None
    for stack in scenario.stack_names:
        assert build_cell(scenario, stack, scale=scale).stations
