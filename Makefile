# Everything runs in .venv, which is made on first use; a second call is instant.
#   make install    the project with its development tools
#   make demo       train, evaluate and draw on the built-in data set
#   make test       the default suite          make test-all   with the slow and multi-process tests
#   make check      lint, types and tests       make test-gpu   what needs a CUDA device
#   make site       docs/ as a site in build/site

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs

ifndef PYTHON
PYTHON := $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
endif

# Empty is unset: programs that tests start need not compile the package each time.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: install demo test test-all test-ddp test-gpu check lint types site clean

install: $(STAMP)

$(STAMP): setup.cfg pyproject.toml
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "python 3.11 or newer is needed, found '$(PYTHON)' $$($(or $(PYTHON),python3) --version 2>&1);" \
			"install it, or name it: make install PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: $(STAMP)
	$(BIN)/python scripts/demo.py

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --quiet --numprocesses auto --maxprocesses 8 --dist worksteal

test-all: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --quiet -m "not gpu"

test-ddp: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --quiet -m "ddp and not slow"

test-gpu: $(STAMP)
	$(BIN)/python -m pytest --quiet -m gpu

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy yolor_gp tests

check: lint types test

site: $(DOCS_STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
