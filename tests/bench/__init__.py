"""How fast it is: `python -m tests.bench` prints numbers with their conditions; nothing is judged."""
