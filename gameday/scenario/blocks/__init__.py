"""The blocks of a scenario: steps, journeys, services, products, observation, history and forecast."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.scenario.blocks.forecasting import ForecastBlock, Stretch
    from gameday.scenario.blocks.history_block import Columns, Synthetic
    from gameday.scenario.blocks.journeys import COUNTDOWN, EXIT, Journey, Reaction, walked_visits
    from gameday.scenario.blocks.measured import Measured, MeasuredFields
    from gameday.scenario.blocks.observe import GAUGES, Observe
    from gameday.scenario.blocks.observed_sessions import ObservedSessions
    from gameday.scenario.blocks.services import Fleet, Lane, Service, Station
    from gameday.scenario.blocks.spread import Spread
    from gameday.scenario.blocks.steps import TEMPLATE_WORD, Call, Exchange, Extract, Step
    from gameday.scenario.blocks.template_values import Value
    from gameday.scenario.blocks.url_rules import UrlRule, parse_url_rule

__all__ = [
    "COUNTDOWN",
    "Call",
    "Columns",
    "EXIT",
    "Exchange",
    "Extract",
    "Fleet",
    "ForecastBlock",
    "GAUGES",
    "Journey",
    "Lane",
    "Measured",
    "MeasuredFields",
    "Reaction",
    "Service",
    "Spread",
    "Station",
    "Step",
    "Stretch",
    "Synthetic",
    "TEMPLATE_WORD",
    "UrlRule",
    "Value",
    "parse_url_rule",
    "Observe",
    "ObservedSessions",
    "walked_visits",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "COUNTDOWN": "journeys",
            "Call": "steps",
            "Columns": "history_block",
            "EXIT": "journeys",
            "Exchange": "steps",
            "Extract": "steps",
            "Fleet": "services",
            "ForecastBlock": "forecasting",
            "GAUGES": "observe",
            "Observe": "observe",
            "Journey": "journeys",
            "Lane": "services",
            "Measured": "measured",
            "MeasuredFields": "measured",
            "Reaction": "journeys",
            "Service": "services",
            "Spread": "spread",
            "Station": "services",
            "Step": "steps",
            "Stretch": "forecasting",
            "Synthetic": "history_block",
            "TEMPLATE_WORD": "steps",
            "UrlRule": "url_rules",
            "Value": "template_values",
            "parse_url_rule": "url_rules",
            "ObservedSessions": "observed_sessions",
            "walked_visits": "journeys",
        },
    )
