"""A person's Ed25519 key: a file that only they can read, and the public half that the operator lists."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from gameday.errors import PreflightFailed, SafetyRefusal, UsageError

__all__ = ["KEY_VARIABLE", "Key", "is_public", "is_signed_by", "key_file", "make_key", "own_key"]

KEY_VARIABLE = "GAMEDAY_IDENTITY"
"""Environment variable that names the key's file, where it is not the usual one."""
_PREFIX = "ed25519:"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Key:
    """A private key that was read."""

    public: str
    """`ed25519:` and the public half in base 64, as the operator's file lists it."""
    file: Path
    _private: Ed25519PrivateKey

    def sign(self, message: bytes) -> str:
        """Return the signature of `message` in base 64."""
        return base64.b64encode(self._private.sign(message)).decode()


def key_file() -> Path:
    """Return where the key of whoever runs this lies, whether or not it is there."""
    if named := os.environ.get(KEY_VARIABLE):
        return Path(named)
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "gameday" / "identity.pem"


def make_key(file: Path) -> Key:
    """Write a new key that only its owner can read, and return it; UsageError where there is a file already."""
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(pem)
    except FileExistsError:
        raise UsageError(
            f"{file}: is there already, and is not overwritten: what it signed could not be checked with another; "
            f"move it away, or name another file in {KEY_VARIABLE}"
        ) from None
    except OSError as error:
        raise PreflightFailed(f"{file}: cannot be written ({error.strerror})") from None
    return Key(_public(private), file, private)


def own_key() -> Key | None:
    """Return the key of whoever runs this; None: they have none.

    SafetyRefusal where others can read it, UsageError where it is none or is named and missing.
    """
    file = key_file()
    try:
        mode, pem = file.stat().st_mode, file.read_bytes()
    except FileNotFoundError:
        if KEY_VARIABLE in os.environ:
            raise UsageError(f"{KEY_VARIABLE}: {file} is not there") from None
        return None
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from None
    if mode & _OTHERS:
        raise SafetyRefusal(f"{file}: others can read or write this key; `chmod 600` it")
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(f"{file}: is no unencrypted private key in PEM") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageError(f"{file}: is no Ed25519 key; `gameday identity new` makes one")
    return Key(_public(private), file, private)


def _public(private: Ed25519PrivateKey) -> str:
    return _PREFIX + base64.b64encode(private.public_key().public_bytes_raw()).decode()


def is_public(text: str) -> bool:
    """Return whether a text is the public half of a key, as `Key.public` has it."""
    return _loaded(text) is not None


def _loaded(text: str) -> Ed25519PublicKey | None:
    if not text.startswith(_PREFIX):
        return None
    try:
        raw = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        return Ed25519PublicKey.from_public_bytes(raw)
    except (binascii.Error, ValueError):
        return None


def is_signed_by(public: str, signature: str, message: bytes) -> bool:
    """Return whether the holder of a public key signed `message`."""
    key = _loaded(public)
    if key is None:
        return False
    try:
        key.verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
