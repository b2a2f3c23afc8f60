# `make run` starts Taskline, `make test` proves it, `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --quiet --disable-pip-version-check
export TASKLINE_DATA_DIR ?= .data

# Each holds the time of the last installation, so that one happens again only when what it reads has changed.
INSTALLED := $(VENV)/installed
INSTALLED_DEV := $(VENV)/installed-dev

.PHONY: help run test faults faults-slow soak smooth audit screenshots check servers requirements clean
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s%s\n", $$1, $$2 }' Makefile

run: $(INSTALLED) ## Start Taskline on http://127.0.0.1:8000 (PORT=9000 changes the port); data in .data
	@exec $(BIN)/taskline dev

# A core each: most of what the tests do is start processes, and time is what the rows of the fault matrix measure.
PYTEST := $(BIN)/pytest --numprocesses auto --dist loadfile

test: check ## Run every check and test, on real servers and a real browser
	@echo "Servers and browser for the tests"
	@$(BIN)/python -m tests.servers install
	@echo "Tests"
	@$(PYTEST)

faults: $(INSTALLED_DEV) ## Break every part in turn, TIMES (1) over, and prove that nothing is lost (FAULTS_REPORT=file keeps the recovery times)
	@$(BIN)/python -m tests.servers install
	@for run in $$(seq $(or $(TIMES),1)); do $(PYTEST) tests/faults || exit 1; done

faults-slow: $(INSTALLED_DEV) ## The same with the timing of a usual installation, instead of a quick one
	@$(BIN)/python -m tests.servers install
	@FAULTS_PACE=default $(PYTEST) tests/faults

soak: $(INSTALLED_DEV) ## Random faults under load for MINUTES (10), then the ledger; SEED=… plays the same faults again
	@$(BIN)/python -m tests.servers install
	@$(BIN)/python -m tests.faults.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

smooth: $(INSTALLED_DEV) ## Measure frames and memory of Home with 200 live tasks, for MINUTES (10), on a machine that does nothing else
	@$(BIN)/python -m tests.servers install
	@$(BIN)/python -m tests.browser.measure_frames
	@$(BIN)/python -m tests.browser.measure_memory $(if $(MINUTES),--minutes $(MINUTES))

audit: $(INSTALLED_DEV) ## Run Lighthouse on the main pages; needs Node and asks the npm registry
	@$(BIN)/python -m tests.servers install
	@$(BIN)/python -m tests.browser.audit

screenshots: $(INSTALLED_DEV) ## Take the pictures of README, docs and the welcome page anew
	@$(BIN)/python -m tests.servers install
	@$(BIN)/python -m tests.browser.screenshots

check: $(INSTALLED_DEV) ## Run the quick checks only: lint, format, types, import rules
	@echo "Lint and format"
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check
	@echo "Types"
	@$(BIN)/mypy --no-error-summary
	@echo "Import rules"
	@said=$$($(BIN)/lint-imports) || { echo "$$said"; exit 1; }

servers: $(INSTALLED_DEV) ## Start PostgreSQL, Redis and RabbitMQ for development, until Ctrl-C
	@$(BIN)/python -m tests.servers install
	@exec $(BIN)/python -m tests.servers

# The universal form serves every Python and processor; the build system's own requirements are pinned with the others,
# so that installing the project itself asks no index. UPGRADE=--upgrade takes newer versions of everything.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --system-certs \
	$(UPGRADE) pyproject.toml -
BUILD_REQUIRES := $(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")'

requirements: $(INSTALLED_DEV) ## Pin again what pyproject.toml asks for (UPGRADE=--upgrade: in the newest versions)
	@$(PIP) install uv
	@$(BUILD_REQUIRES) | $(COMPILE) --output-file requirements.txt
	@$(BUILD_REQUIRES) | $(COMPILE) --group dev --output-file requirements-dev.txt

clean: ## Remove all that these commands made, except the data
	@rm -rf $(VENV) build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find app workers taskline migrations tests -name __pycache__ -prune -exec rm -rf {} +

$(INSTALLED): requirements.txt pyproject.toml setup.py | $(BIN)/python
	@echo "Installing what Taskline needs"
	@$(PIP) install --require-hashes --requirement requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(INSTALLED_DEV): requirements-dev.txt pyproject.toml setup.py | $(BIN)/python
	@echo "Installing what Taskline and its tests need"
	@$(PIP) install --require-hashes --requirement requirements-dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Taskline needs Python 3.11 or newer. On Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing python3-venv"; \
			export DEBIAN_FRONTEND=noninteractive; \
			apt-get install -qq -y python3-venv >/dev/null 2>&1 || { apt-get update -qq && apt-get install -qq -y python3-venv >/dev/null; }; \
		else \
			echo "Taskline needs Python's venv. On Debian: sudo apt-get install python3-venv" >&2; exit 1; \
		fi
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }
