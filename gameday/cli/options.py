"""The options that verbs share, and how what a person types becomes a value."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gameday.errors import UsageError
from gameday.history.readers import readable_kinds

if TYPE_CHECKING:
    from gameday.swarm.control import Listen
    from gameday.traffic import ReplayOptions

__all__ = [
    "BudgetOption",
    "CalibrationOption",
    "CapacityOption",
    "DeclaredOption",
    "DemandOption",
    "DriftOption",
    "DurationOption",
    "EventOption",
    "HeaderOption",
    "HistoryOption",
    "InjectOption",
    "JsonOption",
    "LivesOption",
    "KeyOption",
    "LadderOption",
    "ListenOption",
    "OutOption",
    "QuantileOption",
    "RunArgument",
    "RivalsOption",
    "ScaleOption",
    "SeedOption",
    "ShopOption",
    "SpareOption",
    "SpeedOption",
    "WindowOption",
    "address_of",
    "asked_of",
    "check_folder",
    "drift_of",
    "headers_of",
    "ladder_of",
    "listen_of",
    "seconds_of",
    "targets_of",
]

EventOption = Annotated[str, typer.Option(help="a bundled scenario's name, or a YAML file")]
HistoryOption = Annotated[
    Path | None, typer.Option(help=f"{readable_kinds()}; default: a synthetic past")
]
CalibrationOption = Annotated[
    Path | None,
    typer.Option(
        help="overlay of `gameday calibrate`: what was measured in place of what is declared"
    ),
]
CapacityOption = Annotated[
    Path | None,
    typer.Option(
        "--capacity", help="file of `capacity apply`; default: the one beside the event's runs"
    ),
]
DeclaredOption = Annotated[
    bool, typer.Option("--as-declared", help="fleets as the scenario has them, whatever was placed")
]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        "--budget",
        help="wall time for what the model is asked after the load, as 5m; what it does not settle is said",
    ),
]
ShopOption = Annotated[
    Path | None,
    typer.Option(
        "--shop",
        help="scenario that the embedded shop is made of: a target that is not as declared",
    ),
]
DemandOption = Annotated[
    Path | None,
    typer.Option(
        help="counts a minute, region and step of the event itself, in the form of --history; nothing is forecast"
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, help="decides all chance in the run")]
WindowOption = Annotated[
    str, typer.Option(help="peak, all, or START/END (offset, or LOCAL@region)")
]
SpeedOption = Annotated[str | None, typer.Option(help="event time per wall time, as 20x")]
DurationOption = Annotated[
    str | None,
    typer.Option(
        help="wall time of the window, or of all steps of a ladder, as 2m; sets the speed"
    ),
]
ScaleOption = Annotated[str, typer.Option(help="share of full scale, as 0.01; or auto")]
InjectOption = Annotated[
    list[str] | None,
    typer.Option(
        help="as 'payment down at +10m for 5m'; may be repeated; nothing: not even the scenario's own"
    ),
]
SpareOption = Annotated[
    bool, typer.Option("--n-minus-one/--no-n-minus-one", help="what can be lost at the peak")
]
ListenOption = Annotated[
    str | None,
    typer.Option(help="HOST:PORT where `gameday worker`s join; PORT alone: on 127.0.0.1"),
]
KeyOption = Annotated[
    Path | None,
    typer.Option(
        help="file with the run's key, which workers must know; or GAMEDAY_KEY_FILE, GAMEDAY_KEY"
    ),
]
DriftOption = Annotated[
    str | None,
    typer.Option(
        "--allow-conversion-drift",
        help="let conversion differ by so much from the journeys', hour by hour, as 10%",
    ),
]
LadderOption = Annotated[
    str | None,
    typer.Option(
        help="play shares of the peak's load one after another, as 25,50,75,100%, to learn the target; no verdict"
    ),
]
QuantileOption = Annotated[
    str | None, typer.Option(help="of the event's peak, as p90: a day that strong")
]
RivalsOption = Annotated[
    str, typer.Option(help="names with commas; or `installed`: all there are; or `none`")
]
HeaderOption = Annotated[
    list[str] | None,
    typer.Option(
        help="of requests to a URL: 'NAME: VALUE'; ${env:NAME} and ${file:PATH} are filled in; repeatable"
    ),
]
LogFormatOption = Annotated[
    str | None,
    typer.Option(
        help="the server's own format string (nginx, httpd, gunicorn, Envoy, W3C, JSON), or a name of one; "
        "else told from the first lines"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
OutOption = Annotated[Path, typer.Option(help="folder of all runs")]
RunArgument = Annotated[str | None, typer.Argument(help="run id or its folder; default the newest")]
LivesOption = Annotated[
    str | None, typer.Option("--event", help="event, as runs name it; default: the newest run's")
]


def asked_of(
    window: str, speed: str | None, duration: str | None, scale: str, quantile: str | None
) -> ReplayOptions:
    """Return what was asked for; UsageError says which flag is wrong and how it is written."""
    from gameday.traffic import ReplayOptions

    if speed is not None and duration is not None:
        raise UsageError("--speed and --duration set the same thing; give one")
    number = None if speed is None else _positive("--speed", speed.rstrip("xX"), "as 20x")
    if number is not None and number < 1:
        raise UsageError(f"--speed: must be 1x or more (got {speed})")
    seconds = None if duration is None else seconds_of("--duration", duration)
    share = None if scale == "auto" else _positive("--scale", scale, "as 0.01, or auto")
    level = None if quantile is None else _level(quantile)
    return ReplayOptions(window, number, seconds, share, level)


def seconds_of(flag: str, text: str) -> float:
    """Return the seconds of a duration with its unit; UsageError says how it is written."""
    from gameday.scenario import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error} (got '{text}')") from None
    if seconds == 0:
        raise UsageError(f"{flag}: must be longer than nothing")
    return seconds


def headers_of(given: list[str] | None) -> dict[str, str]:
    """Return headers typed as `NAME: VALUE`; UsageError says how they are written."""
    from gameday.scenario import parse_header

    try:
        return dict(parse_header(text) for text in given or ())
    except ValueError as error:
        raise UsageError(f"--header: {error}") from None


def _positive(flag: str, text: str, how: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not 0 < number < 1e6:
        raise UsageError(f"{flag}: must be a number above 0, {how} (got '{text}')")
    return number


def _level(text: str) -> float:
    try:
        level = float(text.removeprefix("p")) / 100 if text.startswith("p") else float("nan")
    except ValueError:
        level = float("nan")
    if not 0 < level < 1:
        raise UsageError(f"--quantile: must be a quantile, as p50 or p90 (got '{text}')")
    return level


def ladder_of(text: str | None) -> tuple[float, ...]:
    """Return the shares of a ladder, ascending; UsageError says how they are written."""
    if text is None:
        return ()
    parts = text.replace("%", "").split(",")
    shares = [_positive("--ladder", part.strip(), "as 25,50,75,100%") for part in parts]
    if max(shares) <= 1:
        raise UsageError(f"--ladder: is in per cent, as 25,50,75,100% (got '{text}')")
    return tuple(share / 100 for share in shares)


def drift_of(text: str | None) -> float | None:
    """Return how far conversion may drift, a share; UsageError says how it is written."""
    if text is None:
        return None
    share = _positive("--allow-conversion-drift", text.rstrip("%"), "as 10%")
    return share / 100 if text.endswith("%") else share


def address_of(flag: str, text: str) -> tuple[str, int]:
    """Return host and port; UsageError says how they are written."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"{flag}: must be HOST:PORT, as in 127.0.0.1:5557 (got '{text}')")
    return host.strip("[]"), int(port)


def listen_of(text: str | None, key_file: Path | None, *, makes_key: bool) -> Listen | None:
    """Return where workers join, a port alone on loopback, and the key they must know.

    Where none is given, one is made and its file named.
    """
    from gameday.swarm.control import Listen, given_key, made_key

    if text is None:
        return None
    alone = text.removeprefix(":")
    host, port = address_of("--listen", f"127.0.0.1:{alone}" if alone.isdecimal() else text)
    key = given_key(key_file)
    if key is None and makes_key:
        key, made = made_key()
        typer.echo(
            f"workers need this run's key: copy {made} (gameday worker --key-file FILE)", err=True
        )
    return Listen(host, port, key or "")


def check_folder(out: Path) -> None:
    """Refuse a folder that cannot be written before the work is done, not after."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out: {out} cannot be written ({error.strerror})") from None
    if not os.access(out, os.W_OK):
        raise UsageError(f"--out: {out} cannot be written")


def targets_of(given: list[str]) -> dict[str, str] | None:
    """Return stack -> URL of what was typed as URL or STACK=URL; None where nothing was: the embedded shop."""
    if not given:
        return None
    targets: dict[str, str] = {}
    for text in given:
        stack, separator, url = text.partition("=")
        targets[stack if separator else ""] = url if separator else text
    return targets
