"""From YAML to a Scenario: includes, positions, every fault at once, what-ifs and injections."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.scenario.reading.assets import Assets
    from gameday.scenario.reading.injections import (
        Injection,
        choose_injections,
        outages,
        parse_injections,
    )
    from gameday.scenario.reading.load import read_scenario
    from gameday.scenario.reading.loaded import LoadedScenario, scenario_of
    from gameday.scenario.reading.long_walks import share_cut
    from gameday.scenario.reading.plain_yaml import as_written, from_yaml, to_yaml
    from gameday.scenario.reading.secrets import Secrets, secrets_of
    from gameday.scenario.reading.selectors import split_css
    from gameday.scenario.reading.step_checks import CUSTOMER_WORDS
    from gameday.scenario.reading.variants import WhatIf, what_if
    from gameday.scenario.reading.yaml_source import is_file

__all__ = [
    "as_written",
    "LoadedScenario",
    "Assets",
    "CUSTOMER_WORDS",
    "Injection",
    "Secrets",
    "WhatIf",
    "choose_injections",
    "from_yaml",
    "is_file",
    "outages",
    "parse_injections",
    "read_scenario",
    "scenario_of",
    "secrets_of",
    "share_cut",
    "split_css",
    "to_yaml",
    "what_if",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Assets": "assets",
            "CUSTOMER_WORDS": "step_checks",
            "Injection": "injections",
            "Secrets": "secrets",
            "WhatIf": "variants",
            "as_written": "plain_yaml",
            "from_yaml": "plain_yaml",
            "choose_injections": "injections",
            "is_file": "yaml_source",
            "outages": "injections",
            "parse_injections": "injections",
            "read_scenario": "load",
            "LoadedScenario": "loaded",
            "scenario_of": "loaded",
            "secrets_of": "secrets",
            "share_cut": "long_walks",
            "split_css": "selectors",
            "to_yaml": "plain_yaml",
            "what_if": "variants",
        },
    )
