"""`python -m tests.golden` writes the golden texts; `--check` only says which are stale."""

from __future__ import annotations

import difflib
import sys

from tests.golden import TOP, made, stale


def main() -> int:
    """Return 1 if a text is stale under --check, else 0."""
    late = stale()
    for file in late:
        before = file.read_text().splitlines() if file.is_file() else []
        after = made()[file].splitlines()
        name = str(file.relative_to(TOP))
        lines = difflib.unified_diff(before, after, name, name, lineterm="", n=1)
        sys.stdout.write("\n".join(list(lines)[:60]) + "\n")
        if "--check" not in sys.argv:
            file.write_text(made()[file])
    if late and "--check" in sys.argv:
        sys.stdout.write("stale: run `make golden` and review the diff\n")
        return 1
    return 0


raise SystemExit(main())
