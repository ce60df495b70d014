# What one can do with this clone; `make` alone lists it. Every recipe runs the programs of .venv, which sets itself up.

BIN := .venv/bin
PYTHON := $(BIN)/python
SOURCES := $(wildcard src bench scripts)
# Without bench/fleet.py, bench/fuzz.py and bench/mayhem.py, which by their nature take long.
BENCHES := blender claim dispatch flame pages screenshot

# The tests start hundreds of processes, each of which would else compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE
# In the order of the folders, what takes longest does not come last.
TESTS := $(PYTHON) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo dev test test-all check bench docs setup pins clean

help: ## List what one can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/.ready-run ## Run a farm with a worker for each protocol and show what they make; ONCE=1 ends when all is done
	@scripts/setup-bpy >/dev/null
	$(BIN)/sheepfold demo $(if $(ONCE),--once)

dev: .venv/.ready ## Serve a filled site that reloads, with pretend clients of every protocol
	$(BIN)/sheepfold dev

test: check ## Run the checks and all tests but the slow proofs
	$(TESTS) -m "not slow"

test-all: check ## Run the checks and all tests
	$(TESTS) --hypothesis-profile thorough

check: .venv/.ready ## Check style, types, the order of imports, and the ceilings
	$(PYTHON) -m ruff check --quiet .
	$(PYTHON) -m mypy $(SOURCES)
	$(BIN)/lint-imports --no-logo
	$(PYTHON) scripts/ceilings.py

bench: .venv/.ready ## Run the benchmarks; they print their figures
	@for name in $(BENCHES); do echo "== bench/$$name.py"; $(PYTHON) "bench/$$name.py" || exit 1; done

docs: .venv/.ready ## Check that links, paths and commands named in the docs exist
	$(PYTHON) scripts/check_docs.py

setup: ## Install what is missing from Debian, and everything into .venv
	scripts/setup dev

pins: ## Pin anew all that pyproject.toml asks for, by version and hash
	scripts/pins

clean: ## Remove .venv and all that tools have cached
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.ready-run: requirements/run.txt scripts/setup
	scripts/setup run

.venv/.ready: requirements/dev.txt requirements/run.txt scripts/setup
	scripts/setup dev
