# One command each; every one makes .venv first if it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: replay test quick warm nightly check bench bench-swarm bench-simulate bench-forecast bench-traffic bench-diagnosis bench-capacity golden readme clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@

replay: $(VENV)/.installed
	$(BIN)/gameday replay --event primeday || test $$? -eq 1

# The engine's machine code, made beforehand: a minute that would otherwise be every first test's.
warm: $(VENV)/.installed-test
	$(BIN)/python -c "from gameday.simulate.compiled.warm import make; make()"

# Three processes on two cores: those that play stories mostly wait.
test: $(VENV)/.installed-test warm
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not nightly and not alone" --durations=40 --durations-min=2
	$(BIN)/python -m pytest -m "alone and not nightly" -q

# For every few minutes: the rooms without processes, and the contracts of the house.
quick: $(VENV)/.installed-test warm
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not nightly and not slow" -q \
		tests/scenario tests/history tests/traffic tests/capacity tests/safety tests/ledger tests/house

check: $(VENV)/.installed-test
	$(BIN)/ruff format --check gameday tests locustfiles docs
	$(BIN)/ruff check gameday tests locustfiles docs
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.golden --check
	$(BIN)/python -m tests.golden.readme --check

bench: $(VENV)/.installed-test
	$(BIN)/python -m tests.bench

bench-swarm: $(VENV)/.installed-test
	$(BIN)/python -m tests.bench.swarm

bench-simulate: $(VENV)/.installed-test $(VENV)/rivals/.installed
	RIVALS=$(VENV)/rivals/bin/python $(BIN)/python -m tests.bench.simulate

bench-forecast: $(VENV)/.installed-test
	$(BIN)/python -m tests.bench.forecast
	$(BIN)/python -m tests.bench.forecast_sets

bench-capacity: $(VENV)/.installed-test
	$(BIN)/python -m tests.bench.capacity

bench-diagnosis: $(VENV)/.installed-test
	$(BIN)/python -m tests.bench.diagnosis

bench-traffic: $(VENV)/.installed-test
	$(BIN)/python -m tests.bench.traffic

$(VENV)/rivals/.installed:
	$(PYTHON) -m venv $(VENV)/rivals
	$(VENV)/rivals/bin/pip install --quiet --disable-pip-version-check simpy==4.1.1 ciw==3.2.7 cimba==0.9.6
	touch $@

nightly: $(VENV)/.installed-test
	GAMEDAY_TESTS=night EQUAL_SCENARIOS=500 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not alone"
	GAMEDAY_TESTS=night $(BIN)/python -m pytest -m alone

golden: $(VENV)/.installed-test
	$(BIN)/python -m tests.golden

readme: $(VENV)/.installed-test
	$(BIN)/python -m tests.golden.readme

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
