"""`python -m gameday.cli`: the command, for children of a run."""

from gameday.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main()
