# Two commands do all: `make gan` runs the main job, `make test` the tests. Both set the project up first, once.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help gan test check ui docs gallery results clean
help:
	@echo "make gan    set up, then train a GAN on handwritten digits (3 minutes)"
	@echo "make test   set up, then lint, types and the fast tests (ALL=1: the slow ones too)"
	@echo "make ui     the dashboard of all runs"
	@echo "make docs   the documentation, in build/site"
	@echo "make clean  remove what the set-up made"

gan: $(READY)
	$(BIN)/python -m labs.gan_mnist $(ARGS)

test: check
	$(BIN)/python -m pytest -n 2 --dist loadfile $(if $(ALL),-m "") $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

ui: $(READY)
	$(BIN)/python -m labs ui

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	$(BIN)/python docs/tools/offline.py build/site
	@echo "open build/site/index.html"

# The gallery's page from recorded runs (ARGS="--record missing" runs what is missing); the results' from benchmarks.
gallery: $(READY)
	$(BIN)/python docs/tools/gallery.py --runs mlruns $(ARGS)

results: $(READY)
	$(BIN)/python docs/tools/results.py --readme README.md

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; point to one: make gan PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info
