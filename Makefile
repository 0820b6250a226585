# Two commands are all that a newcomer needs: make paper, make test.
SHELL := /bin/bash
PYTHON ?= python3.11
# An index of CPU-only torch wheels saves gigabytes where there is no GPU: make paper TORCH_INDEX=URL
TORCH_INDEX ?=
EXTRAS ?= models,workflow,dev
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: help paper test test-all smoke check environment latex image clean

help:
	@echo "make paper   set everything up, derive everything, end with results/embedded/paper/main.pdf"
	@echo "make test    everything that shows it works, without the slow tests"
	@echo "make test-all, make check, make smoke, make clean (removes .venv and caches, no results)"
	@echo "make image   a container image of the environment (envs/build.sh says what can be set)"

paper: environment latex
	snakemake paper --logger regen
	regen report

smoke: environment latex
	snakemake paper --configfile config/smoke.yaml --logger regen
	regen report --configfile config/smoke.yaml

test: environment latex
	python -m pytest -q -m "not slow"

test-all: environment latex
	python -m pytest -q

check: environment
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile rules
	snakemake --lint
	hadolint envs/Containerfile
	regen config check
	regen dvc --check

environment: $(VENV)/complete

# Remade when the pins change. The mark comes last, so that an interrupted install is gone over again.
$(VENV)/complete: constraints.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not installed; install it (apt-get install python3.11 python3.11-venv) or say make PYTHON=..."; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "error: $(PYTHON) cannot make environments; apt-get install python3.11-venv"; exit 2; }
	test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --constraint constraints.txt $(if $(TORCH_INDEX),--no-deps --index-url $(TORCH_INDEX)) torch
	$(VENV)/bin/pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

latex:
	@envs/latex.sh

image:
	@envs/build.sh

clean:
	rm -rf $(VENV) .snakemake .regen .pytest_cache .mypy_cache .ruff_cache
