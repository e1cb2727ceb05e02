"""The wait for the model at real speed is shown, bounded, and ends when a person asks for it."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from gameday.simulate.real_speed import wait_for


def never(_: str) -> None:
    raise AssertionError("there was nothing to wait for")


def test_a_model_that_is_done_is_not_waited_for() -> None:
    model: Future[Any] = Future()
    model.set_result(1)
    assert wait_for(model, lambda: 10, most_s=60, why_cut=lambda: "asked", tell=never) == ""


def test_the_wait_tells_how_far_the_model_is_and_how_long_it_is_waited_for() -> None:
    model: Future[Any] = Future()
    told = list[str]()

    def tell(text: str) -> None:
        told.append(text)
        model.set_result(1)

    assert wait_for(model, lambda: 3, most_s=60, why_cut=lambda: None, tell=tell) == ""
    assert told == ["3 of 10 replications, 0 s of at most 60 s"]


def test_the_wait_ends_at_its_limit_and_says_so() -> None:
    why = wait_for(Future(), lambda: 3, most_s=0, why_cut=lambda: None, tell=never)
    assert why == "it was not done 0 s after the load, the most it is waited for"


def test_a_person_ends_the_wait_at_once() -> None:
    asked = iter([None, None, "stopped by signal SIGINT"])
    told = list[str]()
    why = wait_for(Future(), lambda: 0, most_s=1e6, why_cut=lambda: next(asked), tell=told.append)
    assert why == "stopped by signal SIGINT"
    assert len(told) == 2
