# The commands of the project. Everything is installed into .venv from the lock file.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Modules are compiled once, not again by every process that is started.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check lint types fast fast-models slow waiting fast-then-slow lock images audit sbom install install-dev browser clean bench house

run: install  ## install everything, start Livery, print its address
	$(BIN)/python -m app

# Each test has one thread. Three run at once, since one mostly waits, and the types are looked at meanwhile.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q

test: install-dev browser  ## everything: lint, types, fast and slow tests
	$(MAKE) -j 4 lint types waiting fast-then-slow

check: install-dev  ## lint, types and the fast tests
	$(MAKE) -j 3 lint types fast fast-models

lint:  ## style and layout of the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types:
	$(BIN)/mypy

# Loading the model libraries takes longer than most tests, so those that need them share a process.
WITH_MODELS := tests/app/lora_files/test_key_formats.py $(addprefix tests/worker/,builtin image text test_own_language_models.py)
fast:
	$(PYTEST) -n 3 --dist worksteal -m "not slow and not gpu" $(addprefix --ignore=,$(WITH_MODELS))

fast-models:
	$(PYTEST) -m "not slow and not gpu" $(WITH_MODELS)

# These wait most of the time, for processes that they kill or pause, so they do it beside the others.
WAITING := tests/journeys/test_chaos.py $(addprefix tests/worker/,test_survival.py test_keeper.py test_supervisor.py)
slow:
	$(PYTEST) -n 3 --dist loadscope --no-loadscope-reorder -m "slow and not gpu" $(addprefix --ignore=,$(WAITING)) --durations=25

fast-then-slow:
	$(MAKE) -j 2 fast fast-models
	$(MAKE) slow

waiting:
	$(PYTEST) -m "slow and not gpu" $(WAITING) --durations=10

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(VENV)/bin/python:
	@echo "Making $(VENV) with $$($(PYTHON) --version)."
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Livery needs Python 3.11 or later. Install it, or name it: make PYTHON=python3.12 run')"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.installed: requirements.lock requirements-cuda.lock requirements-data.lock | $(VENV)/bin/python
	@$(BIN)/python -m app.install
	@touch $@

# With the tests' packages in one go; those that are there already take no time.
$(VENV)/.installed-dev: requirements.lock requirements-cuda.lock requirements-data.lock requirements-dev.lock | $(VENV)/bin/python
	@$(BIN)/python -m app.install --tests
	@touch $@ $(VENV)/.installed

browser:  ## a Chromium for the browser tests, from the system's packages where there is none
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	  || { apt-get update -qq && apt-get install -y -qq chromium; }

lock: install-dev  ## write what pyproject.toml asks for into the lock files, with hashes; UPGRADE=1 takes the newest
	$(BIN)/python -m tests.tools.lock $(if $(UPGRADE),--upgrade)

images:  ## name the container images by the digests that their tags have now (needs docker or skopeo)
	$(BIN)/python -m tests.tools.images

# In an environment of its own, so that what looks at Livery's packages is none of them.
$(VENV)/audit/.installed: requirements-audit.lock | $(VENV)/bin/python
	@$(BIN)/python -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip install -q --require-hashes --no-deps --only-binary=:all: -r requirements-audit.lock
	@touch $@

audit: install-dev $(VENV)/audit/.installed  ## ask the index for known flaws of every locked package
	$(BIN)/python -m tests.tools.audit

sbom: install-dev $(VENV)/audit/.installed  ## list what is installed, with licences, in sbom.json (CycloneDX)
	$(BIN)/python -m tests.tools.sbom

bench: install-dev  ## print what the benchmarks measure
	for name in start gallery claims streams upload plans layouts training_loop fusing; do $(BIN)/python -m tests.benchmarks.$$name || exit 1; done
	$(BIN)/python -m worker.engines.image.measuring.brand_effect --pictures tests/data/brand --held-out tests/data/brand_held_out

house: install-dev  ## print how the code is laid out: long modules and functions, twins, where families are named
	$(BIN)/python -m tests.tools.house

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build *.egg-info
