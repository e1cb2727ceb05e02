"""What the command does, from Python: `python docs/python_api.py [SCENARIO]`; nothing is sent.

SCENARIO is a bundled scenario's name or a YAML file.
"""

import sys
import tempfile

import gameday


def main() -> None:
    """Forecast an event, plan its load, ask the model what one change would do, and publish the forecast."""
    event = sys.argv[1] if len(sys.argv) > 1 else "console-launch"
    seed = gameday.Seed(1)
    scenario = gameday.load_scenario(event)
    history = gameday.read_history(scenario, file=None, seed=seed)
    demand = gameday.forecast_demand(scenario, history)
    plan = gameday.plan_load(scenario, demand, seed=seed, options=gameday.ReplayOptions(speed=20.0))
    print(f"{int(plan.played.sum())} sessions in {plan.duration_s:.0f} s at {plan.speed:g}x")

    service = next(iter(scenario.services))
    rehearsal = gameday.rehearse(
        event,
        what_if=[f"{service}.instances = 100"],
        replications=2,
        budget_s=2.0,
        n_minus_one=False,
        progress=lambda line: print(f"  {line}", file=sys.stderr),
    )
    for stack, answer in rehearsal.stacks.items():
        first = answer.bottlenecks[0]
        print(f"{stack}: {first.service} breaks first in {first.is_first.mid:.0%} of replications")
    print(f"{len(gameday.to_json(rehearsal))} fields as JSON, exit code {rehearsal.exit_code()}")

    with tempfile.TemporaryDirectory() as folder:
        publication = gameday.publish(event, out=folder)
    highest = max(publication.peaks, key=lambda peak: peak.expected)
    print(
        f"{highest.team} in {highest.region}: {highest.expected:,.0f} a minute at {highest.instant}"
    )

    try:
        gameday.rehearse("no-such-event")
    except gameday.GamedayError as error:
        print(f"an error names the argument: {error}")


if __name__ == "__main__":
    main()
