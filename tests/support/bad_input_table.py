"""Bad input, one row each, run through the real command. `python -m tests.support.bad_input_table`
prints the table as Markdown, as observed.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

from gameday.capacity import CapacityRequest, as_yaml
from gameday.capacity.living import placed_of, write_placed
from gameday.jobs.living import put_request
from gameday.ledger import Ledger, RunRow
from gameday.safety.identity import Actor, Statement
from tests.support.small_fair import FAIR, edited

__all__ = ["BAD", "BadInput", "Said", "ask", "furnished", "main"]

_SYNTHETIC = """\
  synthetic:
    days: 56
    sessions_per_day: {us: 800000}
    journeys: {visitor: 1.0}
"""
_START = datetime(2027, 6, 1, tzinfo=UTC)
_PROGRESS = re.compile(r"^(\S.* \.\.\.|    \S.*|  .{34} +[0-9.]+ s .*|Usage: .*|)$")


@dataclass(frozen=True)
class BadInput:
    """What is typed, and what must come of it."""

    what: str
    """For the table: the input in words."""
    typed: str
    """The arguments; {name} is a file of the furnished place."""
    code: int
    says: str
    """A pattern found in the message: where, what and the way out."""
    fsize: int | None = None
    """Bytes a file may have: a disk that is full."""
    setting: tuple[tuple[str, str], ...] = ()
    """Environment; {place} is filled in."""


@dataclass(frozen=True)
class Said:
    """What the command answered."""

    code: int
    error: str

    @property
    def message(self) -> str:
        """What it wrote to standard error, without progress and usage lines."""
        lines = [line for line in self.error.splitlines() if not _PROGRESS.match(line)]
        return "\n".join(lines)


REPLAY = "replay --event {fair} --out {out} "
MOVE = "capacity move CR-small-fair-2027-main-pay {to} --reason why --out {runs}"
REPLAY_TEAM = "replay --event {odd_team} --out {out} "


def _move(to: str) -> str:
    return MOVE.replace("{to}", to)


BAD: tuple[BadInput, ...] = (
    # the scenario
    BadInput(
        "no verb of that name", "replai --event primeday", 2, r"No such command 'replai'.*'replay'"
    ),
    BadInput("no event", "replay", 2, r"Missing option '--event'"),
    BadInput(
        "scenario misspelt",
        "replay --event primday",
        2,
        r"--event: .*'primday'; did you mean 'primeday'",
    ),
    BadInput(
        "scenario unknown", "replay --event zzz", 2, r"--event: no scenario called 'zzz'.*primeday"
    ),
    BadInput(
        "scenario file missing",
        "replay --event {place}/none.yaml",
        2,
        r"none\.yaml:1:1: no such scenario file",
    ),
    BadInput("a folder as scenario", "replay --event {place}", 2, r"--event|no such scenario"),
    BadInput("scenario is no YAML", "replay --event {torn_yaml}", 2, r"torn\.yaml:\d+:\d+: "),
    BadInput("scenario is empty", "replay --event {empty_yaml}", 2, r"empty\.yaml:\d+:\d+: "),
    BadInput("scenario is binary", "replay --event {binary_yaml}", 2, r"binary\.yaml:\d+:\d+: "),
    BadInput(
        "misspelt key",
        "replay --event {misspelt}",
        2,
        r"misspelt\.yaml:\d+:\d+: objectivs: .*did you mean 'objectives'",
    ),
    BadInput(
        "call of an unknown service",
        "replay --event {dangling}",
        2,
        r"dangling\.yaml:\d+:\d+: .*'stok'.*did you mean 'stock'",
    ),
    # flags
    BadInput("unknown flag", REPLAY + "--wndow peak", 2, r"--wndow.*--window"),
    BadInput("--speed below 1", REPLAY + "--speed 0.5", 2, r"--speed: must be 1x or more"),
    BadInput("--speed no number", REPLAY + "--speed fast", 2, r"--speed: must be a number.*as 20x"),
    BadInput(
        "--speed far too fast",
        REPLAY + "--speed 100000x",
        2,
        r"--speed .*too fast.*up to [0-9.]+x would do",
    ),
    BadInput(
        "--speed and --duration",
        REPLAY + "--speed 20x --duration 2m",
        2,
        r"--speed and --duration.*give one",
    ),
    BadInput("--duration without a unit", REPLAY + "--duration 5", 2, r"--duration: .*\(got '5'\)"),
    BadInput(
        "--duration longer than the window",
        REPLAY + "--duration 5h",
        2,
        r"--duration is longer than the window",
    ),
    BadInput("--scale 0", REPLAY + "--scale 0", 2, r"--scale: must be a number above 0"),
    BadInput("--scale a word", REPLAY + "--scale small", 2, r"--scale: .*as 0\.01, or auto"),
    BadInput(
        "--scale above the whole",
        "simulate --event {fair} --scale 5",
        2,
        r"--scale: must be at most 1",
    ),
    BadInput(
        "--cluster no address",
        "simulate --event {fair} --cluster nonsense",
        2,
        r"--cluster: must read tcp",
    ),
    BadInput(
        "--what-if autoscale.interval 0",
        "simulate --event {fair} --what-if pay.autoscale.interval=0s",
        2,
        r"--what-if .*interval",
    ),
    BadInput("--quantile p100", REPLAY + "--quantile p100", 2, r"--quantile: .*as p50 or p90"),
    BadInput("--quantile 0.9", REPLAY + "--quantile 0.9", 2, r"--quantile: .*as p50 or p90"),
    BadInput(
        "--window a word",
        REPLAY + "--window later",
        2,
        r"--window: must be peak, all, or START/END",
    ),
    BadInput(
        "--window outside the event",
        REPLAY + "--window 2027-01-01T00:00Z/2027-01-01T01:00Z",
        2,
        r"--window: .*outside the event",
    ),
    BadInput(
        "--window ends before it starts",
        REPLAY + "--window 2027-07-13T16:00Z/2027-07-13T15:00Z",
        2,
        r"--window: ends before",
    ),
    BadInput(
        "--window without a zone",
        REPLAY + "--window 2027-07-13T15:00/2027-07-13T16:00",
        2,
        r"--window: .*needs an offset, or a region",
    ),
    BadInput(
        "--window of an unknown region",
        REPLAY + "--window 2027-07-13T15:00@uss/2027-07-13T16:00@us",
        2,
        r"--window: unknown region 'uss'.*'us'",
    ),
    BadInput("--workers 0", REPLAY + "--workers 0", 2, r"'--workers'.*greater than or equal to 1"),
    BadInput("--seed negative", REPLAY + "--seed -1", 2, r"'--seed'.*greater than or equal to 0"),
    BadInput("--seed no number", REPLAY + "--seed dice", 2, r"'--seed'"),
    # targets
    BadInput(
        "--target not loopback",
        REPLAY + "--target http://10.0.0.1:80",
        6,
        r"--target http://10\.0\.0\.1:80: .*only loopback",
    ),
    BadInput(
        "--target a name that is nowhere",
        REPLAY + "--target http://shop.invalid",
        6,
        r"resolves to nowhere.*loopback",
    ),
    BadInput(
        "--target by another scheme",
        REPLAY + "--target ftp://127.0.0.1",
        2,
        r"--target: must be http\(s\)://HOST:PORT",
    ),
    BadInput(
        "--target with an impossible port",
        REPLAY + "--target http://127.0.0.1:99999",
        2,
        r"--target: .*99999",
    ),
    BadInput(
        "--target of an unknown stack",
        REPLAY + "--target mars=http://127.0.0.1:9",
        2,
        r"--target: unknown stack mars.*main",
    ),
    BadInput(
        "--target forbidden, --dry-run",
        REPLAY + "--target http://10.0.0.1:80 --dry-run",
        6,
        r"only loopback",
    ),
    # history
    BadInput(
        "history missing",
        REPLAY + "--history {place}/none.csv",
        2,
        r"none\.csv: no such file; check --history",
    ),
    BadInput(
        "history of another suffix",
        REPLAY + "--history {text}",
        2,
        r"past\.txt: must end in \.csv or \.parquet",
    ),
    BadInput(
        "history with a wrong column",
        "replay --event {own_past} --out {out} --history {wrong_column}",
        2,
        r"wrong-column\.csv: no column count; map it under history\.columns",
    ),
    BadInput(
        "history whose counts are text",
        "replay --event {own_past} --out {out} --history {words}",
        2,
        r"words\.csv: .*many",
    ),
    BadInput(
        "history too short",
        "replay --event {own_past} --out {out} --history {short}",
        2,
        r"short\.csv: .*days",
    ),
    BadInput(
        "history that is empty",
        "replay --event {own_past} --out {out} --history {empty_csv}",
        2,
        r"empty\.csv: ",
    ),
    BadInput(
        "history that is no Parquet",
        "replay --event {own_past} --out {out} --history {torn_parquet}",
        2,
        r"torn\.parquet: cannot be read as Parquet",
    ),
    # places
    BadInput(
        "--out is a file",
        "replay --event {fair} --out {text}",
        5,
        r"past\.txt.*cannot be written.*--out",
    ),
    BadInput(
        "--out cannot be written",
        "replay --event {fair} --out /proc/none",
        5,
        r"/proc/none.*cannot be written.*--out",
    ),
    BadInput(
        "--out and /tmp on a full disk",
        REPLAY,
        5,
        r"(cannot be written|cannot be opened).*free space",
        fsize=0,
    ),
    BadInput("disk full at the ledger", REPLAY, 5, r"free space or choose another", fsize=2_000),
    BadInput(
        "disk full at the second note", REPLAY, 5, r"free space or choose another", fsize=28_000
    ),
    BadInput(
        "disk full at the forecast", REPLAY, 5, r"cannot be written.*free space", fsize=60_000
    ),
    BadInput(
        "a folder where the lock should be",
        REPLAY,
        5,
        r"gameday-\d+\.lock",
        setting=(("TMPDIR", "{place}/locked"),),
    ),
    BadInput(
        "the ledger is no database", "runs --out {broken_ledger}", 5, r"ledger cannot be opened"
    ),
    BadInput("doctor: --out cannot be written", "doctor --out /proc/none", 5, r""),
    BadInput("init over a folder", "init {place}", 2, r"exists already; choose another folder"),
    BadInput(
        "init where nothing can be written",
        "init /proc/none/x",
        5,
        r"/proc/none/x: cannot be written",
    ),
    BadInput(
        "init from no bundled scenario",
        "init {place}/new --event {fair}",
        2,
        r"--event: must be one of .*primeday",
    ),
    # the shop
    BadInput(
        "shop: port taken",
        "shop --event {fair} --port {port}",
        5,
        r"port \d+ .*cannot be had.*--port",
    ),
    BadInput(
        "shop: unknown stack",
        "shop --event {fair} --stack mars",
        2,
        r"--stack: must be one of main \(got 'mars'\)",
    ),
    BadInput("shop: no such port", "shop --event {fair} --port 70000", 2, r"'--port'"),
    # runs
    BadInput("report of no run", "report --out {place}/none", 2, r"no run yet under .*--out"),
    BadInput(
        "report of an unknown run",
        "report 20270101T000000-none --out {runs}",
        2,
        r"no run '20270101T000000-none'.*`gameday runs`",
    ),
    BadInput("stop with nothing running", "stop --out {runs}", 2, r"kept is not running"),
    BadInput(
        "watch of an unknown run", "watch none --out {runs}", 2, r"no run 'none'.*`gameday runs`"
    ),
    BadInput(
        "findings of a run that did not end",
        "findings kept --out {runs}",
        2,
        r"did not end; nothing was judged",
    ),
    BadInput(
        "compare with an unknown run",
        "compare kept none --out {runs}",
        2,
        r"no run 'none'|did not end",
    ),
    BadInput("a run's manifest is torn", "stop {torn_run}", 2, r"run\.json"),
    BadInput("a run's summary is torn", "findings {torn_run}", 2, r"summary\.json"),
    # forecast, capacity
    BadInput(
        "forecast of an unknown step",
        "forecast show --event {fair} --step chekout",
        2,
        r"--step: unknown 'chekout'; did you mean 'checkout'",
    ),
    BadInput(
        "forecast of an unknown region",
        "forecast show --event {fair} --region mars",
        2,
        r"--region: unknown 'mars'.*us",
    ),
    BadInput(
        "an illegal move", _move("ordered"), 2, r"in_review may become .*approved.*, not ordered"
    ),
    BadInput(
        "approved by its proposer",
        _move("approved"),
        6,
        r"CR-\S+: user:\S+ may approve nothing: .*`gameday identity new`",
    ),
    BadInput("a move to no state", _move("aproved"), 2, r"may become .*approved.*not aproved"),
    BadInput("a move that a run alone makes", _move("superseded"), 2, r"a run alone makes"),
    BadInput(
        "a move without a reason", "capacity move CR-x in_review --out {runs}", 2, r"--reason"
    ),
    BadInput(
        "a move of an unknown request",
        "capacity move CR-x in_review --reason why --out {runs}",
        2,
        r"no request 'CR-x'.*`gameday capacity show`",
    ),
    BadInput(
        "an unknown order sheet",
        "capacity export kept --to pdf --out {runs}",
        2,
        r"--to: must be one of csv, markdown \(got 'pdf'\)",
    ),
    BadInput(
        "a request that is no YAML", "capacity show {bad_request}", 2, r"CR-a\.yaml: is not YAML"
    ),
    BadInput(
        "a request of unknown state",
        "capacity show {odd_request}",
        2,
        r"CR-\S+: .*state",
    ),
    BadInput("a request that is no text", "capacity show {binary_request}", 2, r"CR-a\.yaml: "),
    BadInput(
        "requests of an event without runs",
        "capacity show --event nobody --out {runs}",
        2,
        r"--event: no run of 'nobody' .*there are small-fair-2027",
    ),
    BadInput("an order without runs", "capacity apply --out {place}/none", 2, r"no run yet under "),
    BadInput("an audit of nothing", "capacity audit --out {place}/none", 2, r"no run yet under "),
    BadInput(
        "a receipt that is none",
        "capacity audit --receipt {text} --out {runs}",
        2,
        r"past\.txt: cannot be read",
    ),
    BadInput(
        "a chain of nothing", "trace F-17 --out {runs}", 2, r"no finding or request 'F-17' of small"
    ),
    BadInput(
        "a waiver of nothing",
        "waive F-17 --until 2099-01-01 --reason why --out {runs}",
        2,
        r"no finding 'F-17' of small-fair-2027",
    ),
    BadInput(
        "a waiver until no day",
        "waive F-17 --until soon --reason why --out {runs}",
        2,
        r"--until: must be a day, as 2027-06-30 \(got 'soon'\)",
    ),
    BadInput(
        "placed capacity that was edited",
        REPLAY + "--capacity {edited_capacity}",
        2,
        r"was edited after it was written; `gameday capacity apply`",
    ),
    BadInput(
        "placed capacity of another fleet",
        REPLAY + "--capacity {other_capacity}",
        2,
        r"does not fit the scenario: .*had 1 instances when it was ordered.* has 12 now",
    ),
    BadInput(
        "placed capacity that is none",
        REPLAY + "--capacity {text}",
        2,
        r"past\.txt: cannot be read",
    ),
    BadInput(
        "placed capacity, left out",
        REPLAY + "--capacity {other_capacity} --as-declared",
        2,
        r"--as-declared: .*leave out --capacity",
    ),
    BadInput(
        "a shop beside a target",
        REPLAY + "--shop {fair} --target http://127.0.0.1:1",
        2,
        r"--shop: .*leave out --target",
    ),
    BadInput("a loop of no round", "loop --event {fair} --max-rounds 0", 2, r"--max-rounds"),
    BadInput(
        "a team that owns nothing there is", REPLAY_TEAM, 2, r"there is no service 'pai'.*'pay'"
    ),
)


def _csv(rows: int, *, count: str = "count", value: str = "7") -> str:
    lines = [f"time,region,step,{count}"]
    for minute in range(rows):
        at = _START + timedelta(minutes=minute)
        lines += [f"{at:%Y-%m-%dT%H:%MZ},us,{s},{value}" for s in ("home", "cart", "checkout")]
    return "\n".join(lines) + "\n"


_SAID = Statement(
    *(
        "CR-small-fair-2027-main-pay",
        "in_review",
        "0" * 64,
        "2027-06-01T00:00:00+00:00",
        "game day",
    ),
    Actor("user", "ana", "ana"),
)


def _request(state: str) -> CapacityRequest:
    soon = datetime(2027, 7, 13, 14, tzinfo=UTC)
    return CapacityRequest(
        id="CR-small-fair-2027-main-pay",
        event="small-fair-2027",
        run="kept",
        stack="main",
        service="pay",
        state=state,
        findings=(),
        window_start=soon,
        window_end=soon + timedelta(hours=2),
        needed_by=soon,
        latest_order=soon,
        at_risk=False,
        instance="m8g.large",
        zones=3,
        instances_from=1,
        instances_to=3,
        servers_per_instance=1,
        offered={"p50": 1.2},
        servers_needed=3,
        zones_lost=1,
        sized_for="p90",
        bounds={"utilisation": 0.75},
        peak_utilisation={"before": 1.2, "after": 0.4},
        hourly_usd=0.2,
        total_usd=3.0,
        expires=soon,
        history=(_SAID,),
    )


def _run(folder: Path, **files: str | bytes) -> Path:
    """Write a run's folder: a manifest, and what else is given (`_` for `/`)."""
    named = {"run.json": '{"run_id": "kept", "verdict": "PASS", "pid": 1, "event": "fair"}'}
    for name, body in {**named, **{k.replace("__", "/"): v for k, v in files.items()}}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body if isinstance(body, bytes) else body.encode())
    return folder


@contextlib.contextmanager
def furnished(place: Path) -> Iterator[dict[str, str]]:
    """Yield every name a typed row may use, with its file made, and a port that is taken."""
    at: dict[str, str] = {"place": str(place), "out": str(place / "out")}

    def put(key: str, name: str, body: str | bytes) -> None:
        (place / name).write_bytes(body if isinstance(body, bytes) else body.encode())
        at[key] = str(place / name)

    put("fair", "fair.yaml", FAIR)
    put(
        "own_past",
        "own-past.yaml",
        edited((_SYNTHETIC, "  columns: {region: region, step: step}\n")),
    )
    put("torn_yaml", "torn.yaml", "event: {name: [\n")
    put("empty_yaml", "empty.yaml", "")
    put("binary_yaml", "binary.yaml", b"\x00\xff\xfe\x01")
    put("misspelt", "misspelt.yaml", edited(("objectives:", "objectivs:")))
    put("dangling", "dangling.yaml", edited(("calls: [stock, pay]", "calls: [stok, pay]")))
    put("text", "past.txt", "time,count\n")
    put("wrong_column", "wrong-column.csv", _csv(10, count="visits"))
    put("words", "words.csv", _csv(10, value="many"))
    put("short", "short.csv", _csv(2 * 1440))
    put("empty_csv", "empty.csv", "")
    put("torn_parquet", "torn.parquet", b"PAR1 and no more")
    runs = place / "runs"
    kept = _run(runs / "small-fair-2027" / "kept")
    (kept / "capacity").mkdir()
    request = _request("in_review")
    (kept / "capacity" / f"{request.id}.yaml").write_text(as_yaml(request))
    ledger = Ledger(runs)
    ledger.record_run(RunRow("kept", "small-fair-2027", str(kept), "2027-01-01", "PASS", 0, 1))
    with ledger.changing() as changing:
        put_request(changing, request, "in_review")
    ledger.close()
    other, changed = runs / "other.yaml", runs / "edited.yaml"
    write_placed(placed_of("small-fair-2027", (request,)), other)
    changed.write_text(other.read_text().replace("instances_to: 3", "instances_to: 9"))
    at["other_capacity"], at["edited_capacity"] = str(other), str(changed)
    put("odd_team", "odd-team.yaml", FAIR + "teams: {paying: {contact: x, services: [pai]}}\n")
    at["runs"] = str(runs)
    at["torn_run"] = str(_run(place / "torn-run", **{"run.json": "{", "summary.json": "{"}))
    at["bad_request"] = str(_run(place / "bad-request", **{"capacity__CR-a.yaml": "a: [\n"}))
    at["binary_request"] = str(_run(place / "bin-request", **{"capacity__CR-a.yaml": b"\xff\xfe"}))
    odd = as_yaml(replace(request, state="dreaming"))
    at["odd_request"] = str(_run(place / "odd-request", **{"capacity__CR-b.yaml": odd}))
    (place / "broken").mkdir()
    (place / "broken" / "ledger.sqlite3").write_bytes(b"no database at all" * 100)
    at["broken_ledger"] = str(place / "broken")
    (place / "locked" / f"gameday-{os.getuid()}.lock").mkdir(parents=True)
    (place / "tmp").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at["port"] = str(taken.getsockname()[1])
        yield at


def ask(row: BadInput, at: dict[str, str]) -> Said:
    """Type the row and return what was answered: in this process, or its own if limits are set."""
    typed = row.typed.format_map(at).split()
    own = {"GAMEDAY_CACHE": f"{at['place']}/cache", "TMPDIR": f"{at['place']}/tmp", "NO_COLOR": "1"}
    own |= {name: value.format_map(at) for name, value in row.setting}
    if row.fsize is not None:
        return _ask_apart(typed, own, row.fsize)
    from gameday.cli.app import main as gameday

    said = io.StringIO()
    with (
        mock.patch.dict(os.environ, own),
        mock.patch.object(tempfile, "tempdir", None),
        mock.patch.object(sys, "argv", ["gameday", *typed]),
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        try:
            gameday()
        except SystemExit as end:
            return Said(int(end.code or 0), said.getvalue())
    raise AssertionError("main() came back without an exit code")


def _ask_apart(typed: list[str], own: dict[str, str], fsize: int) -> Said:
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({fsize}, {fsize}))\n"
        "from gameday.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code, *typed],
        env=os.environ | own,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Said(done.returncode, done.stderr)


def main() -> None:
    """Print every row as observed."""
    sys.stdout.write("| input | message | exit code |\n| --- | --- | --- |\n")
    with tempfile.TemporaryDirectory() as folder, furnished(Path(folder)) as at:
        for row in BAD:
            said = ask(row, at)
            text = said.message.replace(folder, "…").replace("\n", "<br>").replace("|", "\\|")
            sys.stdout.write(f"| {row.what} | {text[:300]} | {said.code} |\n")


if __name__ == "__main__":
    main()
