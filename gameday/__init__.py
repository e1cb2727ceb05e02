"""Rehearse a peak event: forecast, queueing model, Locust swarm, findings, capacity requests.

The folder list is the data flow; `jobs/replay.py` is the main job on one screen.
Importing this package loads nothing else: Locust patches the process it is imported in.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
