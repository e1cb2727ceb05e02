"""The manifests for several hosts, held against published schemas that come in packages: offline."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from gameday import __version__

DEPLOY = Path(__file__).parents[2] / "locustfiles" / "deploy"
KUBERNETES = "1.31"


def documents(name: str) -> list[dict[str, Any]]:
    return list(YAML(typ="safe").load_all((DEPLOY / name).read_text()))


def test_the_compose_file_fits_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run(
        [*command, str(DEPLOY / "compose.yaml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_compose_file_with_a_slip_would_not_pass(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((DEPLOY / "compose.yaml").read_text().replace("image:", "imagee:", 1))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    assert subprocess.run([*command, str(wrong)], capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("number", range(5))
def test_every_kubernetes_object_fits_its_schema(number: int) -> None:
    objects = documents("kubernetes.yaml")
    assert len(objects) == 5
    kubernetes_validate.validate(objects[number], KUBERNETES, strict=True)


def test_a_kubernetes_object_with_a_slip_would_not_pass() -> None:
    wrong = documents("kubernetes.yaml")[3]
    wrong["spec"]["paralelism"] = 3
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes.yaml"])
def test_the_manifests_call_this_version_with_flags_there_are(name: str) -> None:
    text = (DEPLOY / name).read_text()
    assert set(re.findall(r"gameday:([\d.]+)", text)) == {__version__}
    help_text = (Path(__file__).parents[1] / "golden" / "help.txt").read_text()
    assert set(re.findall(r"gameday:([\d.]+)", (DEPLOY / "Dockerfile").read_text())) == {
        __version__
    }
    for flag in set(re.findall(r"(--[a-z]+)=", text)):
        assert flag in help_text, flag


def test_a_sidecar_does_not_keep_a_job_from_ending() -> None:
    """Only an init container that restarts always is ended with the Job's own containers."""
    jobs = [one for one in documents("kubernetes.yaml") if one["kind"] == "Job"]
    assert len(jobs) == 2
    for job in jobs:
        pod = job["spec"]["template"]["spec"]
        assert [one["name"] for one in pod["containers"]] == ["gameday"]
        assert [one["restartPolicy"] for one in pod["initContainers"]] == ["Always"]


def test_the_image_is_built_from_files_that_are_there() -> None:
    compose = documents("compose.yaml")[0]["services"]
    for service in compose.values():
        build = service["build"]
        assert (DEPLOY / build["context"] / build["dockerfile"]).resolve().is_file()
        assert (DEPLOY / build["context"] / "constraints.txt").resolve().is_file()


def test_every_process_of_a_run_has_its_key_from_a_secret_and_no_file_holds_a_key() -> None:
    compose = documents("compose.yaml")[0]
    assert compose["secrets"] == {"gameday-key": {"environment": "GAMEDAY_KEY"}}
    for service in compose["services"].values():
        assert service["secrets"] == ["gameday-key"]
        assert service["environment"] == {"GAMEDAY_KEY_FILE": "/run/secrets/gameday-key"}
    for job in (one for one in documents("kubernetes.yaml") if one["kind"] == "Job"):
        (gameday,) = job["spec"]["template"]["spec"]["containers"]
        key = {"secretKeyRef": {"name": "gameday-key", "key": "key"}}
        assert gameday["env"] == [{"name": "GAMEDAY_KEY", "valueFrom": key}]
    for name in ("compose.yaml", "kubernetes.yaml"):
        assert not re.search(r"[0-9a-f]{16}", (DEPLOY / name).read_text())
