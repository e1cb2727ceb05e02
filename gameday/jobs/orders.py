"""The orders of a run beside those that the shop itself has: what was confirmed and is not there,
what is there twice.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pandas as pd

from gameday.errors import UsageError
from gameday.jobs.past_runs import run_folder
from gameday.swarm import PlacedOrder

__all__ = ["Reconciled", "orders_text", "reconcile"]

_COLUMNS = ("key", "order_number", "customer", "stack", "time_utc", "outcome")
_SEPARATORS = (",", ";", "\t")
_NAMED = (("key", "idempotency_key"), ("order_number", "number"))
"""Further names of columns of keys and of numbers: such a column counts though it holds none of the run's."""
_LEAST_MATCHED = 0.02
"""Share of a run's orders that a column of the shop's file must hold to be taken for it. Ours:
other columns hold none."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A run's orders beside the shop's."""

    run: str
    matched_by: str
    """key or order_number."""
    column: str
    """Of the shop's file, that holds it."""
    placed: int
    confirmed: int
    unknown: int
    in_shop: int
    """Rows of the shop's file that are this run's."""
    confirmed_missing: tuple[str, ...]
    """Confirmed to a customer, and not in the shop's file."""
    unknown_there: tuple[str, ...]
    """In the shop's file though the customer never heard so."""
    twice: tuple[str, ...]
    """In the shop's file more than once."""
    not_of_run: int
    """Rows of the shop's file that this run did not place."""
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 where every confirmed order is there once; 1 where one is missing or twice."""
        return 1 if self.confirmed_missing or self.twice else 0


def orders_text(orders: Iterable[PlacedOrder]) -> str:
    """Return orders as the text of `orders.csv`."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for order in orders:
        at = f"{order.at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        rows.writerow([order.key, order.number, order.session, order.stack, at, order.outcome])
    return out.getvalue()


def reconcile(run: str | None, file: Path, reports: Path = Path("reports")) -> Reconciled:
    """Return a run's orders beside those in a CSV file of the shop's; UsageError where they cannot be compared.

    The column that holds keys or order numbers is found by its content.
    """
    folder = run_folder(run, reports)
    ours, theirs = _orders_of(folder), _table(file)
    matched_by, column = _matched(ours, theirs, file)
    return _compared(folder.name, ours, Counter(theirs[column]), matched_by, column)


def _compared(
    run: str, ours: pd.DataFrame, counts: Counter[str], matched_by: str, column: str
) -> Reconciled:
    """Return a run's orders beside the shop's; `counts`: how often the shop has each key or number."""
    is_confirmed = ours["outcome"] == "confirmed"
    is_known = ours[matched_by] != ""
    confirmed, unknown = (ours[is_known & of][matched_by] for of in (is_confirmed, ~is_confirmed))
    names = dict.fromkeys([*confirmed, *unknown])
    in_shop = sum(counts[name] for name in names)
    return Reconciled(
        run=run,
        matched_by=matched_by,
        column=column,
        placed=len(ours),
        confirmed=int(is_confirmed.sum()),
        unknown=int((~is_confirmed).sum()),
        in_shop=in_shop,
        confirmed_missing=tuple(name for name in confirmed if not counts[name]),
        unknown_there=tuple(name for name in unknown if counts[name]),
        twice=tuple(name for name in names if counts[name] > 1),
        not_of_run=counts.total() - in_shop,
        notes=tuple(_notes(ours[~is_known], matched_by)),
    )


def _notes(without: pd.DataFrame, matched_by: str) -> Iterator[str]:
    """Yield how many orders cannot be compared."""
    for outcome, count in Counter(without["outcome"]).items():
        yield f"{count} {outcome} orders of the run have no {matched_by} and are not compared"


def _orders_of(folder: Path) -> pd.DataFrame:
    file = folder / "orders.csv"
    if not file.is_file():
        raise UsageError(
            f"{folder}: there is no orders.csv: the run placed no order, or an earlier version played it"
        )
    return _table(file)


def _table(file: Path) -> pd.DataFrame:
    """Return a CSV file as text, its columns separated by comma, semicolon or tab, as its first line has them."""
    try:
        with file.open(encoding="utf-8-sig") as lines:
            head = lines.readline()
        separator = max(_SEPARATORS, key=head.count)
        return pd.read_csv(
            file, dtype=str, keep_default_na=False, sep=separator, encoding="utf-8-sig"
        )
    except (OSError, ValueError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise UsageError(f"--reconcile: {file} cannot be read as CSV ({error})") from None


def _matched(ours: pd.DataFrame, theirs: pd.DataFrame, file: Path) -> tuple[str, str]:
    """Return by what orders are compared, and the column of the shop's file that holds it."""
    shares = {
        (matched_by, str(column)): _found_share(ours[matched_by], theirs[column])
        for matched_by, column in product(("key", "order_number"), theirs.columns)
    }
    best = max(shares, key=lambda pair: shares[pair], default=None)
    if best is None or shares[best] < _LEAST_MATCHED:
        best = max(
            (pair for pair in shares if _is_named(*pair) and (ours[pair[0]] != "").any()),
            key=lambda pair: shares[pair],
            default=None,
        )
    if best is None:
        columns = ", ".join(map(str, theirs.columns))
        raise UsageError(
            f"--reconcile: no column of {file} holds keys or order numbers of this run (columns: {columns}); "
            "export the header Idempotency-Key, or the number that the order's page shows, of the run's time"
        )
    return best


def _is_named(matched_by: str, column: str) -> bool:
    """Return whether a column's name says that it holds keys, or order numbers."""
    name = column.lower().replace("-", "_").replace(" ", "_")
    return name == matched_by or (matched_by, name) in _NAMED


def _found_share(ours: pd.Series[str], theirs: pd.Series[str]) -> float:
    """Return the share of our names that stand among theirs."""
    names = {*ours} - {""}
    return len(names & {*theirs}) / max(1, len(names))
