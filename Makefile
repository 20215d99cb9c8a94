# The whole interface of the project. Every command is idempotent and says what it does.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# As root nothing is prefixed; others need sudo, because network namespaces and chroots need root.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo -E)
STATE ?= build/demo
EVENTS ?=
CLOCK ?=
PORT ?=
LIVE ?= $(if $(EVENTS),0,1)
ONLY ?=
SIZE ?= 20000000
SECONDS ?= 600
# The quick ones first, then the whole demo: one worker has it for as long as the other has what follows.
TESTS ?= $(addprefix tests/,unit template playbooks warehouse dashboard system loader browser molecule)
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder
# The inventory of an environment (a second one has its own); one beside it, for other names or sizes; further words
# for Ansible.
BASE_INVENTORY ?= inventory
INVENTORY ?=
# Another environment's function has another name (docs/operations.md), and loading by the first one's would be no error.
FUNCTION ?= $(if $(filter inventory inventory/,$(BASE_INVENTORY)),SBW_Lamda_ETL)
ARGS ?=
WITH_CLIENTS ?=
PLAY = PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-playbook -i "$(BASE_INVENTORY)" $(if $(INVENTORY),-i "$(INVENTORY)") $(ARGS)

# A misspelt setting would be taken for none: whom `make erase CLIENTID=…` means is then not asked, but guessed.
SETTINGS := ARGS BASE_INVENTORY BIN CLIENT_ID CLOCK DRY_RUN EVENTS FROM FUNCTION INVENTORY LIVE LOCAL ONLY PORT PYTHON \
  RELOAD SECONDS SHELL SIZE STATE SUDO TESTS TO USER_ID VENV WITH_CLIENTS WORKERS
given_here = $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
unknown := $(filter-out $(SETTINGS) -%,$(given_here))
$(if $(unknown),$(error $(firstword $(unknown))= is no setting; these are: $(SETTINGS)))

.PHONY: help setup setup-test demo demo-down test test-fast bench fuzz lint lock deploy replace verify dashboard backfill erase replay-erasures destroy

help: ## List the commands.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: ## Install what the demo needs (Debian packages, a virtual environment).
	@PYTHON=$(PYTHON) ./setup.sh demo

setup-test: ## Install what the tests need as well.
	@PYTHON=$(PYTHON) ./setup.sh test

demo: setup ## Run the whole layer on this machine; EVENTS=DIR loads your files, CLOCK=60 seconds between runs.
	@$(SUDO) $(BIN)/python -m demo up --state $(STATE) $(if $(CLOCK),--clock-period $(CLOCK)) $(if $(PORT),--port $(PORT)) --live $(LIVE) $(if $(EVENTS),--events "$(EVENTS)")

demo-down: ## Stop the demo and leave nothing behind.
	@if [ -x $(BIN)/python ]; then $(SUDO) $(BIN)/python -m demo down --state $(STATE); else echo "no demo was set up here"; fi

deploy: setup ## Deploy everything into the AWS account of your credentials; again to bring it up to date.
	@$(SUDO) env $(PLAY) playbooks/site.yml

replace: setup ## Put another instance in the place of the warehouse's: today's image and SSM agent, same data and address.
	@$(SUDO) env $(PLAY) playbooks/replace.yml

verify: setup ## Look at a deployment as its users do.
	@env $(PLAY) playbooks/verify.yml

dashboard: setup ## Open a deployment's dashboard on this machine, until Enter is pressed.
	@env $(PLAY) $(if $(PORT),-e sbw_local_port=$(PORT)) playbooks/dashboard.yml

# A switch is 1, or 0 or nothing; what else it may mean is not guessed at.
on = $(if $(filter-out 0 1,$($(1))),$(error $(1)=$($(1)) is neither 1 nor 0),$(filter 1,$($(1))))
backfill: setup ## Load the key hours from FROM= to TO= (2026-01-01) day by day; DRY_RUN=1 only says what there is, RELOAD=1 loads again, LOCAL=1 runs here.
	@test -n "$(FROM)" -a -n "$(TO)" || { echo "FROM and TO are missing: make backfill FROM=2026-01-01 TO=2026-02-01" >&2; exit 2; }
	@test -n "$(FUNCTION)$(LOCAL)" || { echo "FUNCTION is missing: the name of the function that $(BASE_INVENTORY) makes" >&2; exit 2; }
	@$(BIN)/python -m etl_lambda $(if $(call on,LOCAL),--local,--function "$(FUNCTION)") --from "$(FROM)" --to "$(TO)" $(if $(call on,DRY_RUN),--dry-run) $(if $(call on,RELOAD),--reload)

# Ids go by the environment, of a name that nothing else has: CLIENT_ID counts on the command line alone.
given = $(if $(filter command,$(origin $(1))),$(value $(1)),$(value SBW_ERASE_$(1)))
erase: export SBW_ERASE_CLIENT_ID := $(call given,CLIENT_ID)
erase: export SBW_ERASE_USER_ID := $(call given,USER_ID)
erase: setup ## Erase a visitor, CLIENT_ID=, or an account, USER_ID= (WITH_CLIENTS=1: its visitors too), for good; DRY_RUN=1 says how much.
	@$(foreach id,CLIENT_ID USER_ID,$(if $(filter command,$(origin $(id))),$(if $(strip $(value $(id))),,$(error $(id)= is empty: whom to erase is not clear))))
	@env $(PLAY) $(if $(call on,WITH_CLIENTS),-e sbw_erase_with_clients=true) $(if $(call on,DRY_RUN),-e sbw_erase_dry_run=true) playbooks/erase.yml

replay-erasures: setup ## Erase again whoever was erased before: after a restore, before anything is loaded.
	@env $(PLAY) playbooks/replay_erasures.yml

destroy: setup ## Delete a deployment but its raw data and a snapshot; ARGS="-e sbw_destroy=sbw" says that you mean it.
	@env $(PLAY) playbooks/destroy.yml

test: setup-test ## Run every test.
	@$(SUDO) $(PYTEST) $(TESTS)

test-fast: setup-test ## Run the tests that need no container, no PostgreSQL and no root.
	@$(PYTEST) -q tests/unit tests/template

bench: setup-test ## Measure against what one would take instead, into build/bench.json; ONLY=loader a part, SIZE=200000 events.
	@PYTHON=$(PYTHON) ./setup.sh bench
	@$(SUDO) $(BIN)/python -m tests.bench $(if $(ONLY),--only "$(ONLY)") --size $(SIZE)

fuzz: ## Search for bytes that break a rule of the loader's mapping, from the corpus of awkward files on; SECONDS=600.
	@PYTHON=$(PYTHON) ./setup.sh fuzz
	@build/venv-fuzz/bin/python -m tests.corpus.fuzz --seconds $(SECONDS)

lint: setup-test ## Check the style of everything.
	@PYTHON=$(PYTHON) ./setup.sh checkov
	@BIN=$(BIN) ./lint.sh

lock: setup-test ## Pin the newest versions that fit pyproject.toml, the function's as well.
	@BIN=$(BIN) ./requirements/lock.sh
	@$(BIN)/python playbooks/files/build_lambda_zip.py lock
