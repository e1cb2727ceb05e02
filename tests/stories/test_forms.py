"""The example scenario against a real site of CSRF-protected forms: plain, over TLS, by hand."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gameday.scenario import bundled_scenarios
from tests.support.form_site import running_site
from tests.support.program import Bench, assert_judged, assert_sound

pytestmark = pytest.mark.slow

EXAMPLES = next(iter(bundled_scenarios().values())).parent / "examples"
PEOPLE = EXAMPLES / "people.csv"
USERS = Path(__file__).parents[1] / "support" / "people_users.py"
Edit = tuple[str, str]


def forms(bench: Bench, *edits: Edit) -> str:
    """Write the example, edited, beside its feed and return its path."""
    text = (EXAMPLES / "forms.yaml").read_text()
    for old, new in (("peak: 20m", "peak: 8m"), ("for 15s", "for 5s"), *edits):
        assert old in text, old
        text = text.replace(old, new)
    shutil.copy(PEOPLE, bench.path)
    shutil.copy(USERS, bench.path)
    file = bench.path / "forms.yaml"
    file.write_text(text)
    return str(file)


def certificate(folder: Path) -> tuple[Path, Path]:
    """Return a certificate of our own authority for localhost, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate can be made")
    names = {name: str(folder / f"{name}.pem") for name in ("ca", "ca-key", "site", "site-key")}
    ask = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    for command in (
        [*ask, "-subj", "/CN=our own authority", "-keyout", names["ca-key"], "-out", names["ca"]],
        [
            *ask,
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-CA",
            names["ca"],
            "-CAkey",
            names["ca-key"],
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            names["site-key"],
            "-out",
            names["site"],
        ],
    ):
        subprocess.run(command, check=True, capture_output=True)
    return Path(names["site"]), Path(names["site-key"])


@pytest.mark.nightly
def test_customers_of_the_example_do_all_that_a_browser_does(bench: Bench) -> None:
    with running_site(PEOPLE) as site:
        run = bench.replay(forms(bench), "--target", site.url).wait()
    summary = assert_sound(run)
    assert site.refused == []
    rows = summary["books"]["steps"]
    assert len(site.orders) == rows["checkout"]["done"] > 40
    assert len(site.baskets) == rows["basket"]["done"]
    assert len(set(site.signed_in.values())) == len(site.people), "every person of the feed came"
    assert {quantity for _, quantity in site.baskets.values()} == {1, 2, 3}
    share = site.deliveries.count("express") / len(site.deliveries)
    assert 0.05 < share < 0.45, "a fifth of them, drawn"


@pytest.mark.nightly
def test_the_example_over_tls_with_an_authority_of_ones_own(bench: Bench) -> None:
    pair = certificate(bench.path)
    trusting = forms(bench, ("  ceilings:", "  connections: {ca_file: ca.pem}\n  ceilings:"))
    with running_site(PEOPLE, pair) as site:
        run = bench.replay(trusting, "--target", site.url).wait()
    summary = assert_sound(run)
    assert site.refused == []
    assert len(site.orders) == summary["books"]["steps"]["checkout"]["done"] > 40


@pytest.mark.nightly
def test_a_certificate_nobody_vouches_for_stops_the_run_before_it_begins(bench: Bench) -> None:
    pair = certificate(bench.path)
    with running_site(PEOPLE, pair) as site:
        run = bench.replay(forms(bench), "--target", site.url).wait()
    assert run.code == 5
    assert "certificate" in run.complained
    assert "ca_file" in run.complained
    assert site.orders == {}


@pytest.mark.nightly
def test_journeys_and_steps_written_in_python_run_at_the_forecasts_rate_in_the_same_records(
    bench: Bench,
) -> None:
    by_hand = forms(
        bench,
        ("    patience: 5s\n", "    patience: 5s\n    python: people_users:Buyer\n"),
    )
    with running_site(PEOPLE) as site:
        run = bench.replay(by_hand, "--target", site.url).wait()
    summary = assert_sound(run)
    assert site.refused == []
    rows = summary["books"]["steps"]
    assert len(site.orders) == rows["checkout"]["done"] > 40
    assert all(key.startswith("by-hand-") for key in site.orders)
    assert len(site.baskets) == rows["basket"]["done"]


@pytest.mark.nightly
def test_a_step_in_python_fails_under_its_own_name_and_leaves_loopback_for_nobody(
    bench: Bench,
) -> None:
    mixed = forms(
        bench,
        (
            "  sign-in:\n    exchanges:",
            "  sign-in:\n    python: people_users:Stranger\n    exchanges:",
        ),
        ("  product:\n    exchanges:", "  product:\n    python: people_users:Lost\n    exchanges:"),
        ("error rate of all steps > 50% for 10s", "p50 of all steps > 60s for 5s"),
    )
    with running_site(PEOPLE) as site:
        run = bench.replay(mixed, "--target", site.url).wait()
    summary = assert_judged(run, "FAIL", 1)
    rows = summary["books"]["steps"]
    assert rows["sign-in"]["done"] == rows["sign-in"]["sent"] > 40
    assert rows["product"]["failed"] == rows["product"]["sent"] > 40
    assert site.orders == {}
