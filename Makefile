# `make` alone says what there is. Everything a verb needs, it sets up: OS packages, the Python environment of the lock file, the machine image.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
# What the lab needs of the operating system; Debian 12's names.
OS_PACKAGES := ca-certificates curl debian-archive-keyring e2fsprogs iproute2 jq mmdebstrap python3-venv \
	qemu-system-x86 qemu-utils shellcheck sqop util-linux wrk xz-utils
PYTEST := $(BIN)/python -m pytest

.PHONY: help setup os-packages python-environment image up down test test-fast test-lab test-long check lint types format docs bench-stack clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

os-packages:
	@missing=""; for p in $(OS_PACKAGES); do \
	  dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  if ! command -v apt-get >/dev/null; then echo "make: this needs Debian 12 or later (no apt-get here); install by hand:$$missing" >&2; exit 1; fi; \
	  if [ "$$(id -u)" != 0 ]; then echo "make: OS packages are missing and only root may install them. Run: sudo apt-get install --no-install-recommends$$missing" >&2; exit 1; fi; \
	  echo "installing OS packages:$$missing"; \
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends $$missing >/dev/null; fi

$(VENV)/.synced: pyproject.toml uv.lock | os-packages
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make: Python 3.11 or later is needed, this is " + sys.version.split()[0])'
	@[ -x $(BIN)/uv ] || { echo "creating $(VENV)"; $(PYTHON) -m venv $(VENV); $(BIN)/python -m pip install --quiet uv==$(UV_VERSION); }
	@echo "syncing $(VENV) with uv.lock"
	@VIRTUAL_ENV= UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --quiet --locked --python $(BIN)/python
	@touch $@

python-environment: $(VENV)/.synced
setup: os-packages python-environment ## OS packages and the Python environment of the lock file

image: setup ## build the machine image, if its inputs changed
	@$(BIN)/lab image

up: setup ## bring the lab up: four machines, and a page at http://127.0.0.1:8080/
	@$(BIN)/lab up

down: python-environment ## stop the lab; nothing stays but its caches and logs
	@$(BIN)/lab down

test-fast: setup ## pure tests, program and cloud in process (a minute or two)
	$(PYTEST) -m "not machine and not image and not long"

test-lab: image ## tests that need the image or boot machines
	$(PYTEST) -m "(machine or image) and not long"

test: image ## every test but the long ones
	$(PYTEST) -m "not long"

test-long: image ## every test
	$(PYTEST)

lint: python-environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	git ls-files -z '*.sh' .ci/run | xargs -0 -r shellcheck

types: python-environment
	$(BIN)/mypy

check: setup lint types ## lint and types

format: python-environment ## put the code into the house's format
	$(BIN)/ruff check --fix . || true
	$(BIN)/ruff format .

docs: python-environment ## make docs/configuration.md of the schema, docs/policies.md of the rules
	$(BIN)/python -m components.configuration_docs
	$(BIN)/python -m policy.documentation

bench-stack: python-environment ## how fast the stack previews and grows; tables, and files in .lab/bench (10 minutes)
	$(BIN)/python -m bench.stack

clean: ## remove the environment and the lab's state (the image cache stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
