"""Nothing secret stays in a run's folder: neither after its end nor after it was killed."""

from __future__ import annotations

import json
import stat
import tempfile
from html import escape
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gameday.errors import UsageError
from gameday.safety import Journal, allowed_target
from gameday.scenario import Scenario
from gameday.scenario.reading.assets import read_assets
from gameday.scenario.reading.load import read_scenario
from gameday.scenario.reading.secrets import secrets_of
from gameday.swarm.control.forget import RUN_SPEC_FILE, forget_killed, forget_run_spec
from gameday.swarm.control.run_spec import RunSpec, write_run_spec
from tests.support.small_runs import busy_shop
from tests.support.small_shop import flat_plan

SECRET = st.tuples(
    st.from_regex(r"[a-z]{3}[0-9]{2}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9!$+~_-]{6,20}", fullmatch=True),
).map("".join)
WHERE = ("header", "odd_header", "json", "form", "body", "query", "value", "user_info", "feed")


def shop_with(folder: Path, planted: dict[str, str]) -> Scenario:
    """Return a shop that holds a secret in each place where one may stand."""
    (folder / "people.csv").write_text(f"name,password\nada,{planted['feed']}\n")
    headers = {
        "Authorization": f"Bearer {planted['header']}",
        "X-Client": planted["odd_header"],
        "Content-Type": "application/x-www-form-urlencoded",
    }
    exchanges = [
        {"path": "/", "headers": headers, "query": {"key": planted["query"]}},
        {"path": "/a", "method": "POST", "json": {"deep": [{"note": planted["json"]}]}},
        {"path": "/b", "method": "POST", "form": {"login": "ada", "pin": planted["form"]}},
        {
            "path": "/c",
            "method": "POST",
            "body": f"a=1&password={planted['body']}&b={{lot}}",
            "headers": {"Content-Type": "text/plain"},
        },
    ]
    return busy_shop(
        folder,
        {
            "feeds": {"people": {"file": "people.csv"}},
            "steps": {"home": {"exchanges": exchanges}},
            "values": {"lot": {"choice": {planted["value"]: 1.0, "plain": 1.0}}},
            "observe": {
                "source": "prometheus",
                "url": f"http://bo:{planted['user_info']}@127.0.0.1:1",
            },
        },
    )


def begun(folder: Path, run: Path, planted: dict[str, str]) -> None:
    """Write a run's folder as it stands while load is out, each secret in each text, written in each way."""
    scenario = shop_with(folder, planted)
    run.mkdir(parents=True)
    assets = read_assets(scenario, folder)
    plan = flat_plan(scenario, 0.1)
    loaded = read_scenario(str(folder / "small.yaml"))
    write_run_spec(run / RUN_SPEC_FILE, RunSpec("r1", loaded, {}, 1, plan))
    secrets = secrets_of(scenario, assets, {})
    (run / "scenario.json").write_text(secrets.masked_scenario(scenario))
    said = list(planted.values())
    ways = [*said, *map(quote, said), *map(escape, said)]
    (run / "locust.log").write_text("\n".join(f"Traceback: '{way}' was sent" for way in ways))
    (run / "summary.json").write_text(json.dumps({"notes": ways, "seed": 1234567890}))
    (run / "report.html").write_text("".join(f"<p>{escape(way)}</p>" for way in ways))


def left(run: Path, planted: dict[str, str]) -> set[str]:
    """Return the places whose secret some file of the folder still holds."""
    texts = [
        file.read_bytes().decode(errors="replace") for file in run.rglob("*") if file.is_file()
    ]
    return {
        where
        for where, secret in planted.items()
        if any(way in text for text in texts for way in (secret, quote(secret), escape(secret)))
    }


@settings(max_examples=10, deadline=None, phases=(Phase.generate,))
@given(secrets=st.lists(SECRET, min_size=len(WHERE), max_size=len(WHERE), unique=True))
def test_a_planted_secret_is_in_no_file_after_the_end_nor_after_a_kill_and_the_next_run(
    secrets: list[str],
) -> None:
    planted = dict(zip(WHERE, secrets, strict=True))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = folder / "reports" / "small" / "r1"
        begun(folder, run, planted)
        assert left(run, planted) == set(WHERE)
        assert stat.S_IMODE((run / RUN_SPEC_FILE).stat().st_mode) == 0o600
        forget_killed(folder / "reports")
        assert left(run, planted) == set()
        assert not (run / RUN_SPEC_FILE).exists()
        assert json.loads((run / "summary.json").read_text())["seed"] == 1234567890
        shown = json.loads((run / "scenario.json").read_text())
        assert set(shown["steps"]) == {"home", "product", "checkout"}


def test_a_run_that_still_plays_keeps_what_it_needs(tmp_path: Path) -> None:
    run = tmp_path / "reports" / "small" / "r1"
    begun(tmp_path, run, {where: f"abc12{where}" for where in WHERE})
    journal = Journal(run / "journal.jsonl")
    forget_killed(tmp_path / "reports")
    assert (run / RUN_SPEC_FILE).is_file()
    journal.close()
    forget_killed(tmp_path / "reports")
    assert not (run / RUN_SPEC_FILE).exists()


def test_a_brief_cut_off_by_a_kill_or_of_another_version_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".swarm.7.json").write_text('{"scenario": "secr')
    (tmp_path / RUN_SPEC_FILE).write_text('{"other": 1}')
    forget_run_spec(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_environment_s_secrets_are_masked_and_its_folders_are_not(tmp_path: Path) -> None:
    scenario = busy_shop(tmp_path)
    environment = {"SHOP_API_KEY": "k3y-of-the-shop", "PWD": "/srv/shop", "LANG": "en_GB.UTF-8"}
    secrets = secrets_of(scenario, read_assets(scenario, tmp_path), environment)
    assert (
        secrets.mask("k3y-of-the-shop in /srv/shop, en_GB.UTF-8") == "*** in /srv/shop, en_GB.UTF-8"
    )


def test_names_words_numbers_and_dates_of_a_scenario_are_no_secrets(tmp_path: Path) -> None:
    shop = busy_shop(tmp_path)
    secrets = secrets_of(shop, read_assets(shop, tmp_path), {})
    text = (
        "checkout in main missed p99 of 2s at 2027-07-13T10:00Z, box 12345678, /product/{product}"
    )
    assert secrets.mask(text) == text


def test_the_hash_of_a_run_is_that_of_the_true_scenario(tmp_path: Path) -> None:
    planted = {where: f"abc12{where}" for where in WHERE}
    first = shop_with(tmp_path, planted).sha256()
    assert shop_with(tmp_path, planted | {"header": "other99secret"}).sha256() != first


def test_a_target_with_a_password_is_refused_and_the_password_is_not_repeated() -> None:
    with pytest.raises(UsageError, match="without a user and password") as caught:
        allowed_target("http://bo:hunter2@127.0.0.1:8080")
    assert "hunter2" not in str(caught.value)
