# Everything goes through here.  Python 3 and make are enough: the first target that needs more fetches it.
.DEFAULT_GOAL := help
.PHONY: help run check test chaos simulate noninterference mutants bench docs setup fmt lint rules
PYTHON := .venv/bin/python
READY := .venv/.ready
TOOLS := .venv/.ready-tools
ARGS ?=
# What is compiled is kept: the tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1 - /p' $(MAKEFILE_LIST)

run: $(READY) ## start the whole service on this machine: make run ARGS="--help"
	@exec .venv/bin/rapport up $(ARGS)

# What tries whole worlds, processes or many cases is left to `make test`; of properties few examples are tried.
check: rules ## format, lint, types, import rules and the tests that need no server (under two minutes)
	$(call types-and-tests,-n 2 --hypothesis-profile=quick -m "not servers and not long and not thorough")

test: rules ## the same checks and every test, on servers it starts itself
	$(call types-and-tests,-n 3)

# The types are looked at while the tests run, and told after them.
define types-and-tests
@mkdir -p build
@.venv/bin/mypy > build/types.log 2>&1 & types=$$!; \
$(PYTHON) -m pytest -q $(1); tests=$$?; \
wait $$types; types=$$?; cat build/types.log; exit $$((tests + types))
endef

chaos: $(TOOLS) ## kill, pause and cut off real processes, and recount: make chaos ARGS="--kills 100 --broker apache", or ARGS="withdrawals --runs 20"
	$(PYTHON) -m tests.chaos $(ARGS)

simulate: $(TOOLS) ## replay one simulated history: make simulate ARGS=827
	$(PYTHON) -m tests.simulation $(ARGS)

noninterference: $(TOOLS) ## compare worlds that differ only in what may not be used: make noninterference ARGS="--help"
	$(PYTHON) -m tests.noninterference $(ARGS)

mutants: $(TOOLS) ## take the guards of consent away one by one, and see which tests tell
	$(PYTHON) -m tests.mutants --report docs/reference/mutants.md $(ARGS)

bench: $(TOOLS) ## measure
	$(PYTHON) -m benchmarks $(ARGS)

docs: $(TOOLS) ## write the generated references: JSON schemas, OpenAPI, the fates of bad input
	$(PYTHON) -m commands.docs $(ARGS)
	$(PYTHON) -m tests.bad_input.page

fmt: $(TOOLS)
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

rules: $(TOOLS)
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/lint-imports

lint: rules
	.venv/bin/mypy

setup: $(TOOLS)

$(READY): uv.lock pyproject.toml scripts/setup scripts/find-python
	@scripts/setup

$(TOOLS): uv.lock pyproject.toml scripts/setup scripts/find-python
	@scripts/setup tools
