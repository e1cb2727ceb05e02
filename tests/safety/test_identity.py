"""Who acts is what the system, a key or a checked token says; who approves is what the operator's file says."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gameday.errors import SafetyRefusal, UsageError
from gameday.safety.identity import (
    Actor,
    Operators,
    Statement,
    check_approver,
    current_actor,
    is_signed_by,
    make_key,
    own_key,
    read_operators,
    same_person,
    sign,
    statement_fault,
)
from gameday.safety.identity.ci import CI_VARIABLE
from gameday.safety.identity.keys import KEY_VARIABLE

ISSUER = "https://ci.example"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nobody's key, and no token."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv(CI_VARIABLE, raising=False)
    return tmp_path


def said(actor: Actor, content: str = "c" * 64) -> Statement:
    return Statement("CR-1", "approved", content, "2027-01-01T00:00:00+00:00", "because", actor)


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=200))
def test_a_signature_is_of_those_bytes_and_that_key_alone(message: bytes, other: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        one, two = (make_key(Path(folder) / name) for name in "ab")
    signature = one.sign(message)
    assert is_signed_by(one.public, signature, message)
    assert not is_signed_by(two.public, signature, message)
    assert not is_signed_by(one.public, signature, message + other)
    assert not is_signed_by(one.public, signature[:-4], message)
    assert not is_signed_by("ed25519:AAAA", signature, message)


def test_any_field_changed_after_it_was_signed_is_found_out(home: Path) -> None:
    key = make_key(home / "gameday" / "identity.pem")
    statement = sign(said(Actor("key", key.public, "ana")), key)
    assert statement_fault(statement) == ""
    for name in ("subject", "act", "content", "at", "reason"):
        other: dict[str, Any] = {name: "other"}
        assert statement_fault(replace(statement, **other))
    for name in ("user", "person"):
        changed: dict[str, Any] = {name: "other"}
        assert statement_fault(replace(statement, actor=replace(statement.actor, **changed)))
    assert statement_fault(replace(statement, signature=""))
    assert statement_fault(replace(statement, actor=Actor("user", "ana", "ana")))
    assert Statement.of_mapping(json.loads(json.dumps(asdict(statement)))) == statement


def test_without_a_key_one_is_the_systems_user_whatever_the_environment_says(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "somebody-else")
    actor, key = current_actor(Operators())
    assert (actor.kind, key) == ("user", None)
    assert actor.name != "somebody-else"


def test_a_key_that_others_can_read_is_refused(home: Path) -> None:
    key = make_key(home / "gameday" / "identity.pem")
    assert stat.S_IMODE(key.file.stat().st_mode) == 0o600
    assert own_key() is not None
    key.file.chmod(0o640)
    with pytest.raises(SafetyRefusal, match="chmod 600"):
        own_key()


@pytest.mark.parametrize("text", ["", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_file_that_holds_no_key_is_an_error_that_names_it(
    text: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "own.pem"
    file.write_text(text)
    file.chmod(0o600)
    monkeypatch.setenv(KEY_VARIABLE, str(file))
    with pytest.raises(UsageError, match=r"own\.pem"):
        own_key()


def test_a_key_is_never_overwritten_and_one_that_is_named_must_be_there(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_key(home / "k.pem")
    with pytest.raises(UsageError, match="not overwritten"):
        make_key(home / "k.pem")
    monkeypatch.setenv(KEY_VARIABLE, str(first.file))
    again = own_key()
    assert again is not None
    assert again.public == first.public
    monkeypatch.setenv(KEY_VARIABLE, str(home / "gone.pem"))
    with pytest.raises(UsageError, match="is not there"):
        own_key()


# --- the operator's file -------------------------------------------------------------------------


def operators(**approvers: dict[str, Any]) -> Operators:
    return Operators.model_validate({"approvers": approvers, "source": "the file"})


def test_without_an_operators_file_nobody_approves_and_only_the_embedded_shop_has_a_rule(
    tmp_path: Path,
) -> None:
    built_in = read_operators(tmp_path / "none.yaml")
    assert not built_in.approvers
    [rule] = built_in.auto_approve.values()
    facts = {"event": "e", "usd": 5.0, "is_compared": True}
    assert rule.refuses(target="embedded shop", **facts) == ""  # type: ignore[arg-type]
    assert rule.refuses(target="given target", **facts) != ""  # type: ignore[arg-type]


def _owned(path: Path, mode: int) -> Path:
    path.chmod(mode)
    return path


@pytest.mark.skipif(os.getuid() != 0, reason="only root can own the operator's file")
def test_an_operators_file_that_others_could_have_written_is_refused(tmp_path: Path) -> None:
    file = Path("/run/gameday-test-operators.yaml")
    try:
        file.write_text("approvers: {}\n")
        assert read_operators(_owned(file, 0o644)).source == str(file)
        for mode in (0o664, 0o646):
            with pytest.raises(SafetyRefusal, match="writable by nobody else"):
                read_operators(_owned(file, mode))
        os.chown(file, 65534, 0)
        with pytest.raises(SafetyRefusal, match="belong to root"):
            read_operators(_owned(file, 0o644))
    finally:
        file.unlink()
    loose = tmp_path / "etc"
    loose.mkdir()
    loose.chmod(0o777)
    (loose / "targets.yaml").write_text("approvers: {}\n")
    with pytest.raises(SafetyRefusal, match="writable by nobody else"):
        read_operators(loose / "targets.yaml")


_WRONG = [
    ("approvers: {ana: {}}", "ana: give `key` or `ci`"),
    ("approvers: {ana: {key: ed25519:short}}", "32 bytes"),
    ("approver: {}", "approver"),
    ("auto_approve: {cheap: {}}", "most_usd"),
    ("auto_approve: {cheap: {most_usd: 5, basis: hope}}", "basis"),
    ("sha256: abc", "unknown keys sha256"),
    ("- a list", "is no mapping"),
    ("a: [", "is not YAML"),
]


@pytest.mark.parametrize(("text", "told"), _WRONG)
@pytest.mark.skipif(os.getuid() != 0, reason="only root can own the operator's file")
def test_an_operators_file_that_is_wrong_says_where(text: str, told: str) -> None:
    file = Path("/run/gameday-test-operators.yaml")
    try:
        file.write_text(text)
        with pytest.raises(UsageError, match=told) as error:
            read_operators(_owned(file, 0o644))
        assert str(file) in str(error.value)
    finally:
        file.unlink()


_AS_WRITTEN = """
import subprocess, sys
from pathlib import Path
etc = Path("/etc/gameday")
subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/etc"], check=True)
etc.mkdir(mode=0o755)
(etc / "targets.yaml").write_text("approvers: {}\\n")
(etc / "targets.yaml").chmod(0o644)
from gameday.safety.identity import read_operators
print(read_operators().source)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a mount namespace without more")
def test_the_fixed_path_is_read_where_it_is_there() -> None:
    """In a mount namespace of its own: nothing is written to this machine's /etc."""
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", _AS_WRITTEN], capture_output=True, text=True
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no mount namespace here: {done.stderr.strip()[-200:]}")
    assert done.stdout.strip() == "/etc/gameday/targets.yaml", done.stderr
    assert not Path("/etc/gameday").exists()


# --- who may approve -----------------------------------------------------------------------------


@pytest.fixture
def keys(home: Path) -> dict[str, str]:
    return {name: make_key(home / name).public for name in ("ana", "ben")}


def listed(keys: dict[str, str], **more: Any) -> Operators:
    return operators(**{name: {"key": key, **more} for name, key in keys.items()})


def actor_of(file: Operators, key: str, user: str = "shared") -> Actor:
    return Actor("key", key, user, file.person_of_key(key))


def test_a_listed_key_approves_and_nobody_else(keys: dict[str, str], home: Path) -> None:
    file = listed(keys)
    check_approver(actor_of(file, keys["ana"]), file, subject="CR-1")
    stranger = make_key(home / "c").public
    for actor in (
        actor_of(file, stranger),
        Actor("user", "ana", "ana"),
        Actor("user", "ana", "ana", "ana"),
        Actor("run", "r1", "ana"),
        Actor("policy", "cheap@1", "ana"),
    ):
        with pytest.raises(SafetyRefusal, match="may approve nothing"):
            check_approver(actor, file, subject="CR-1")


def test_an_approver_of_some_teams_approves_for_them_alone(keys: dict[str, str]) -> None:
    file = listed(keys, teams=["payments"])
    ana = actor_of(file, keys["ana"])
    check_approver(ana, file, subject="CR-1", team="payments")
    for team in ("buying", ""):
        with pytest.raises(SafetyRefusal, match="approves for payments only"):
            check_approver(ana, file, subject="CR-1", team=team)
    with pytest.raises(SafetyRefusal, match="has named ben"):
        check_approver(ana, file, subject="CR-1", team="payments", named=("ben",))


def test_nobody_approves_what_they_asked_for(keys: dict[str, str]) -> None:
    file = listed(keys)
    ana, ben = (actor_of(file, keys[name]) for name in ("ana", "ben"))
    check_approver(ana, file, subject="CR-1", requesters=(ben,))
    for requester in (ana, Actor("user", "shared", "shared")):
        with pytest.raises(SafetyRefusal, match="somebody else must approve"):
            check_approver(ana, file, subject="CR-1", requesters=(ben, requester))
    check_approver(ana, file, subject="CR-1", requesters=(Actor("user", "cas", "cas"),))


def test_a_listed_user_is_the_same_person_as_their_key(keys: dict[str, str]) -> None:
    file = operators(ana={"key": keys["ana"], "user": "ana"})
    ana = actor_of(file, keys["ana"], user="elsewhere")
    assert same_person(ana, Actor("user", "ana", "ana"), file)
    assert not same_person(ana, Actor("user", "ben", "ben"), file)


# --- CI ------------------------------------------------------------------------------------------


def token(private: Ed25519PrivateKey, **claims: object) -> str:
    whole = {
        "iss": ISSUER,
        "sub": "project:shop",
        "aud": "gameday",
        "exp": int(time.time()) + 600,
        **claims,
    }
    return jwt.encode(
        {name: value for name, value in whole.items() if value is not None},
        private,
        algorithm="EdDSA",
        headers={"kid": "k1"},
    )


@pytest.fixture
def issuer() -> tuple[Ed25519PrivateKey, Operators]:
    private = Ed25519PrivateKey.generate()
    public = jwt.algorithms.OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    file = Operators.model_validate(
        {
            "ci_issuers": {ISSUER: {"audience": "gameday", "keys": [{**public, "kid": "k1"}]}},
            "approvers": {"pipeline": {"ci": f"{ISSUER} project:shop"}},
        }
    )
    return private, file


def test_a_ci_jobs_token_is_an_identity_and_may_be_an_approvers(
    home: Path, issuer: tuple[Ed25519PrivateKey, Operators], monkeypatch: pytest.MonkeyPatch
) -> None:
    private, file = issuer
    monkeypatch.setenv(CI_VARIABLE, token(private))
    actor, key = current_actor(file)
    assert (actor.kind, actor.person, key) == ("ci", "pipeline", None)
    check_approver(actor, file, subject="CR-1")


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"aud": "other"},
        {"iss": "https://elsewhere.example"},
        {"sub": None},
        {"exp": None},
        {"nbf": 32503680000},
    ],
    ids=str,
)
def test_a_token_that_is_old_of_another_or_for_another_is_refused(
    claims: dict[str, object],
    home: Path,
    issuer: tuple[Ed25519PrivateKey, Operators],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private, file = issuer
    monkeypatch.setenv(CI_VARIABLE, token(private, **claims))
    with pytest.raises(SafetyRefusal, match=CI_VARIABLE):
        current_actor(file)


def test_a_token_that_another_key_signed_or_nobody_did_is_refused(
    home: Path, issuer: tuple[Ed25519PrivateKey, Operators], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, file = issuer
    forged = token(Ed25519PrivateKey.generate())
    unsigned = jwt.encode(
        {"iss": ISSUER, "sub": "project:shop", "aud": "gameday"}, "", algorithm="none"
    )
    for text in (forged, unsigned, "no token at all", forged[:-6]):
        monkeypatch.setenv(CI_VARIABLE, text)
        with pytest.raises(SafetyRefusal, match=CI_VARIABLE):
            current_actor(file)
