"""What several rooms' tests share."""

from tests.support.counts import NIGHT, examples

__all__ = ["NIGHT", "examples"]
