# trialsim on a fresh Debian or macOS machine: `make demo`, then `make test`. Needs Python 3.11 or later and make.
#
#   make demo       simulate the shipped real trial and say where the results lie
#   make test       style, types, architecture and every test (under 15 minutes)
#   make test-fast  the tests that are not slow (under 3 minutes on two idle cores)
#   make test-exhaustive  more seeded slips and more trials of the twins than `make test` has time for
#   make lint       style, types and architecture only
#   make validation write docs/validation.md anew: figures of others beside ours
#   make bench      trials per second, beside the speed of the machine
#   make clean      remove what tools left behind; .venv and runs stay
#
# Another Python: make PYTHON=python3.12 demo

PYTHON ?= python3
VENV ?= .venv
PYTEST_WORKERS ?= 2
PYTEST_OPTIONS ?=

DEMO_OUT = runs/demo
DEMO_RUN = scenarios/actg175/actg175.yaml --designs fixed,sequential,drop_arm --truths fitted,no_effect --replicates 5000 --seed 1 --out $(DEMO_OUT)

# The pinned packages are built for these versions of Python.
SUPPORTED = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
PIP_INSTALL = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTEST = $(VENV)/bin/python -m pytest -n $(PYTEST_WORKERS) --dist worksteal $(PYTEST_OPTIONS)

.PHONY: help demo test test-all test-fast test-exhaustive lint validation bench clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/.core
	@rm -rf $(DEMO_OUT)
	$(VENV)/bin/python -m trialsim run $(DEMO_RUN)
	@echo
	@echo "The results lie in $(DEMO_OUT)/: open report.html; trials.parquet has a row for each trial."

test: lint test-all

test-all: $(VENV)/.dev
	$(PYTEST)

test-fast: $(VENV)/.dev
	$(PYTEST) -m "not slow and not exhaustive"

test-exhaustive: $(VENV)/.dev
	$(PYTEST) -m exhaustive

lint: $(VENV)/.dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

validation: $(VENV)/.dev
	$(VENV)/bin/python -m tests.validation.rows

bench: $(VENV)/.core
	@for file in benchmarks/bench_*.py; do \
	  if [ ! -f "$$file" ]; then echo "There is no benchmark in benchmarks/ yet." >&2; exit 1; fi; \
	  $(VENV)/bin/python "$$file" || exit 1; \
	done

clean:
	rm -rf .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find trialsim tests scenarios benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# What is installed, each step marked by an empty file so that it happens once.

$(VENV)/.made:
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { \
	  echo "trialsim needs Python 3.11 to 3.14, but $(PYTHON) is: `$(PYTHON) --version 2>&1 | head -n 1`." >&2; \
	  echo "Install one of these (Debian: apt install python3 python3-venv; macOS: brew install python@3.12)" >&2; \
	  echo "or name the one you have: make PYTHON=python3.12 demo" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: its venv module is missing (Debian: apt install python3-venv)." >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -c '$(SUPPORTED)' || { \
	  echo "$(VENV) holds an unsupported Python: remove the folder $(VENV) and run make again." >&2; exit 1; }
	@touch $@

# No build isolation: the build backend is pinned like everything else.
$(VENV)/.core: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing trialsim and what it needs into $(VENV) (once, some minutes) ..."
	@$(PIP_INSTALL) hatchling
	@$(PIP_INSTALL) --no-build-isolation --editable .
	@touch $@

# The tools, and what tests of learned policies and sampled models need, go in without the project itself, which a demo may
# be running at this moment (make -j2).
$(VENV)/.dev: $(VENV)/.core pyproject.toml constraints.txt
	@echo "Installing the development tools into $(VENV) (once, some minutes) ..."
	@$(VENV)/bin/python -c 'import tomllib; extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; print("\n".join(extras["dev"] + extras["ai"] + extras["gym"] + extras["bayes"]))' > $(VENV)/dev-requirements.txt
	@$(PIP_INSTALL) --requirement $(VENV)/dev-requirements.txt
	@touch $@
