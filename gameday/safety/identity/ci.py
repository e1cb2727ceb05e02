"""A CI job's identity: the OpenID Connect token in its environment, checked with the issuer's listed keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gameday.errors import SafetyRefusal

if TYPE_CHECKING:
    from jwt import PyJWK

    from gameday.safety.identity.operators import Issuer, Operators

__all__ = ["CI_VARIABLE", "ci_subject"]

CI_VARIABLE = "GAMEDAY_ID_TOKEN"
"""Environment variable in which a CI job's token stands, as GitLab's `id_tokens` and GitHub's request give it."""
_ALGORITHMS = ["RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA"]


def ci_subject(token: str, operators: Operators) -> str:
    """Return `issuer subject` of a token; SafetyRefusal unless a listed issuer signed it, for us, and for now."""
    import jwt  # few commands meet a token

    try:
        claimed = jwt.decode(token, options={"verify_signature": False})
        issuer = operators.ci_issuers.get(str(claimed.get("iss", "")))
        if issuer is None:
            raise SafetyRefusal(
                f"{CI_VARIABLE}: the operator's file lists no issuer '{claimed.get('iss', '')}' under ci_issuers"
            )
        claims = _checked(token, str(claimed["iss"]), issuer)
    except jwt.InvalidTokenError as error:
        raise SafetyRefusal(f"{CI_VARIABLE}: the token is not to be trusted ({error})") from None
    return f"{claims['iss']} {claims['sub']}"


def _checked(token: str, issuer: str, block: Issuer) -> dict[str, str]:
    """Return the claims of a token that one of the issuer's keys signed; jwt.InvalidTokenError: none did."""
    import jwt

    wanted = jwt.get_unverified_header(token).get("kid")
    fault = jwt.InvalidTokenError("no key of its issuer has its id")
    for key in _keys(block, wanted):
        try:
            return jwt.decode(
                token,
                key,
                algorithms=_ALGORITHMS,
                audience=block.audience,
                issuer=issuer,
                options={"require": ["exp", "sub", "iss", "aud"]},
            )
        except jwt.InvalidTokenError as error:
            fault = error
    raise fault


def _keys(block: Issuer, wanted: str | None) -> Iterator[PyJWK]:
    """Yield the issuer's keys that may have signed: those of the id that the token names, or all."""
    import jwt

    try:
        listed = jwt.PyJWKSet.from_json(json.dumps({"keys": block.keys})).keys
    except jwt.PyJWTError as error:
        raise SafetyRefusal(f"the operator's file: ci_issuers.keys: {error}") from None
    for key in listed:
        if wanted is None or key.key_id in (None, wanted):
            yield key
