# Every target makes the environment that it needs; the only thing to have is Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
# rapidocr and easyocr are engines; easyocr brings PyTorch, which is large.
EXTRAS ?= embedded,tesseract
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
RUN_HOME ?= .arsip

.DEFAULT_GOAL := help
MINUTES ?= 60
SEED ?= 1
.PHONY: run test check bench soak clean help

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "arsip needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --editable '.[$(EXTRAS)]' --group test --group check --group samples
	@touch $(INSTALLED)

run: $(INSTALLED)  ## Ingest the samples on the embedded servers and search in them
	@ARSIP_HOME=$(abspath $(RUN_HOME)) ARSIP=$(BIN)/arsip sh scripts/tour.sh

test: $(INSTALLED)  ## Run the whole test suite; parts that need a missing server are skipped, with the reason
	$(BIN)/python -m pytest

check: $(INSTALLED)  ## Lint, format check, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED)  ## Short form of every benchmark; benchmarks/README.md has the long ones
	$(BIN)/python -m benchmarks --short
	@if [ -n "$$ARSIP_CORPUS" ]; then $(BIN)/python -m benchmarks.accuracy --pages 1 tesseract numbers; fi

soak: $(INSTALLED)  ## Kill and cut whatever there is for MINUTES (60), and audit that nothing was lost
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) --seed $(SEED)

clean:  ## Remove the environment, caches and the data of `make run`
	rm -rf $(VENV) $(RUN_HOME) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## This list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-7s %s\n", $$1, $$2}'
