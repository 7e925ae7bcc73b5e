# The commands of this house. `make help` lists them.

BIN := .venv/bin
JOBS ?= 2
FAST := tests/unit tests/scenarios tests/contract tests/architecture tests/snapshots
TYPED := lab tools bench tests

.DEFAULT_GOAL := help
.PHONY: help run demo lab lab-down lab-break lab-story lab-shell test check bench screenshots clean setup venv rules

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

run: ## try it: the lab, where this machine can have it; else the demo, and it says which and why
	@tools/run

demo: venv ## simulated routers and an in-memory kernel: no root, no gobgpd; ARGS="--mode auto --seed 7"
	@$(BIN)/bgpmon demo $(ARGS)

lab: ## real routers, real gobgpd, the real kernel, in namespaces (root); GOBGPD=4.8; SOURCE=bmp: as Cilium's speaker
	@tools/setup lab
	@$(MAKE) --no-print-directory venv
	@$(BIN)/python -m lab up --gobgpd "$(or $(GOBGPD),3.10)" --source "$(or $(SOURCE),gobgp)"

lab-down: ## remove the lab
	@$(if $(wildcard $(BIN)/python),$(BIN)/python,python3) -m lab down

lab-break: ## break something in the lab: WHAT=kill-router; WHAT=help lists them
	@$(BIN)/python -m lab break "$(or $(WHAT),help)"

lab-story: ## change control in five minutes, on the running lab or on one made for it: a bad route, two people, the way back
	@tools/setup lab
	@$(MAKE) --no-print-directory venv
	@$(BIN)/python -m lab story --gobgpd "$(or $(GOBGPD),3.10)" --source "$(or $(SOURCE),gobgp)"

lab-shell: ## another shell in the running lab
	@$(BIN)/python -m lab shell

test: ## everything: set-up, rules, types, all tests
	@tools/setup test
	@$(MAKE) --no-print-directory venv rules
	@$(BIN)/pytest -n $(JOBS) --dist loadfile $(ARGS)

check: venv rules ## the fast half, under a minute
	@$(BIN)/pytest -q -n $(JOBS) --dist loadfile -m "not kernel and not daemons" $(FAST)

rules: # format, lint, types, import rules, generated code
	@$(BIN)/ruff format --check --quiet . || { $(BIN)/ruff format --check . ; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/mypy $(TYPED)
	@$(BIN)/lint-imports
	@$(BIN)/python protos/generate.py --check

bench: venv ## a full table to the kernel, against gobgpd alone (root); ARGS="--routes 500000 --gobgpd 4.8", "--what source"
	@$(BIN)/python -m bench $(ARGS)

screenshots: ## the pictures of the terminal UI and the recording of the story, all of them made anew (root for the lab's)
	@tools/setup test
	@$(MAKE) --no-print-directory venv
	@$(BIN)/python -m tools.screenshots $(ARGS)

clean: ## remove what the tools made, the virtual environment and the fetched packages too
	rm -rf .venv .cache .lab build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv: .venv/.ready
	@:

.venv/.ready: pyproject.toml constraints.txt
	@tools/venv

setup: # the Debian packages and the gobgpd binaries alone
	@tools/setup test
