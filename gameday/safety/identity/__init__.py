"""Who acts, and who may approve: one place for orders, waivers, plans and the team server."""

from typing import TYPE_CHECKING

from gameday.doors import opening

if TYPE_CHECKING:
    from gameday.safety.identity.actor import Actor, current_actor, run_actor
    from gameday.safety.identity.approval import check_approver, same_person
    from gameday.safety.identity.keys import Key, is_signed_by, key_file, make_key, own_key
    from gameday.safety.identity.operators import (
        OPERATORS_FILE,
        Approver,
        AutoApprove,
        Operators,
        read_operators,
    )
    from gameday.safety.identity.statement import Statement, sign, statement_fault

__all__ = [
    "OPERATORS_FILE",
    "Actor",
    "Approver",
    "AutoApprove",
    "Key",
    "Operators",
    "Statement",
    "check_approver",
    "current_actor",
    "is_signed_by",
    "key_file",
    "make_key",
    "own_key",
    "read_operators",
    "run_actor",
    "same_person",
    "sign",
    "statement_fault",
]

if not TYPE_CHECKING:
    __getattr__ = opening(
        __name__,
        {
            "Actor": "actor",
            "Approver": "operators",
            "AutoApprove": "operators",
            "Key": "keys",
            "OPERATORS_FILE": "operators",
            "Operators": "operators",
            "Statement": "statement",
            "check_approver": "approval",
            "current_actor": "actor",
            "is_signed_by": "keys",
            "key_file": "keys",
            "make_key": "keys",
            "own_key": "keys",
            "read_operators": "operators",
            "run_actor": "actor",
            "same_person": "approval",
            "sign": "statement",
            "statement_fault": "statement",
        },
    )
