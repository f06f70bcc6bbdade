# Everything runs inside .venv, which `make setup` creates. `make` alone lists the targets.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# Without --no-compile pip would compile tens of thousands of modules of which few are ever imported.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile --constraint constraints.txt
# Many images set this for their own layers; here each process would compile torch again, which takes five seconds.
unexport PYTHONDONTWRITEBYTECODE
ARGS ?=
# Half of the time of a test is waiting for other processes: three tests on two cores.
PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 2) \* 3 / 2)

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run smoke tables report docs test pytest lint format assets clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing roftbench into $(VENV) (torch is large: a minute or two)"
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing roftbench and its development tools into $(VENV) (torch is large: a minute or two)"
	$(PIP) --editable '.[dev]'
	@touch $(VENV)/.installed $@

setup: $(VENV)/.installed ## Create .venv and install roftbench with pinned packages

setup-dev: $(VENV)/.installed-dev ## The same, with the tools that tests and checks need

run: setup ## Run ROFT-MOL on ESOL, all labels, scaffold split (ARGS="key=value …" for more)
	$(BIN)/roftbench run method=roftmol dataset=esol $(ARGS)

smoke: setup ## Run all nine methods on two data sets, three epochs each
	$(BIN)/roftbench run -m experiment=smoke $(ARGS)

tables: setup ## Make leaderboards from the records in results/
	$(BIN)/roftbench tables $(ARGS)

report: setup ## Write all records in results/ as one HTML page
	$(BIN)/roftbench report $(ARGS)

docs: setup-dev ## Generate docs/reference.md from the code and build the site in site/
	$(BIN)/python -m scripts.make_reference
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

lint: setup-dev ## Check format, lint rules, types and the order of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Side by side: the type checker, which occupies one core for a minute, would leave the others idle.
test: setup-dev ## Lint, type-check and run all tests, three processes on two cores (ARGS="-k name" for some of them)
	@$(MAKE) --no-print-directory --jobs=2 lint pytest

pytest:
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(PROCESSES) $(ARGS)

format: setup-dev ## Format the code and apply the fixes of the linter
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

assets: setup-dev ## Rebuild the bundled data sets from the released packages and compare
	$(BIN)/python -m scripts.build_assets --check

clean: ## Remove the environment and tool caches; results are kept
	rm -rf $(VENV) .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
