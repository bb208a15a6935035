# Everything starts from a bare Python; whatever is missing is brought, once, into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv

help: ## what can be done here
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# The stamp is newer than the locks only after an install that went to its end.
$(VENV)/installed: requirements.lock requirements-bootstrap.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@echo "bringing the environment into $(VENV), once"
	@test -x $(UV) || { $(PYTHON) -m venv $(VENV) \
	    && $(BIN)/python -m pip install -q --require-hashes -r requirements-bootstrap.lock; }
	@$(UV) pip sync -q --require-hashes --python $(BIN)/python requirements.lock
	@$(UV) pip install -q --no-deps --python $(BIN)/python -e .
	@touch $@

install: $(VENV)/installed ## the environment, in .venv

up: install ## everything, until Ctrl-C
	@exec $(BIN)/certfold up

demo: install ## the whole story on real input, told step by step
	@exec $(BIN)/certfold demo

test: install ## all tests
	$(BIN)/python -m pytest

check: install ## what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest

bench: install ## how fast it is
	$(BIN)/python -m tests.benchmarks

chaos: install ## what it survives, at full size
	$(BIN)/python -m tests.chaos

containers: install ## all of it in containers, taken down and up again; needs Docker
	$(BIN)/python -m tests.compose

lock: install ## choose versions anew, of Python packages and of Kafka's archives
	$(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header --extra dev pyproject.toml -o requirements.lock
	$(BIN)/python -m certfold.embedded.jars

contract: install ## write the schemas of what others rely on into docs/
	$(BIN)/python -m certfold.contract

.PHONY: help install up demo test check bench chaos containers lock contract
