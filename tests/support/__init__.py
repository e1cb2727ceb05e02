"""What several rooms' tests share."""

from tests.support.counts import NIGHT, by_night, examples

__all__ = ["NIGHT", "by_night", "examples"]
