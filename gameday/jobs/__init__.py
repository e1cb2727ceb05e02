"""The room of the jobs that need several rooms: one file a verb, each on one screen and a door of its own.

Job:   do what a verb asks from first to last, room by room, and report progress through a callback.
In:    an order: typed, validated, with paths.    Out: typed products, files of a run.
Never: read options, print, catch the error tree to end a process.
"""

__all__: list[str] = []
