# `make demo` and `make test` need Python 3.11 or later and nothing else prepared.
PYTHON ?= python3
VENV ?= $(if $(filter python3,$(PYTHON)),.venv,.venv-$(notdir $(PYTHON)))
BIN := $(VENV)/bin

.PHONY: demo test test-slow format web clean

# One process of tests for each core, up to four, as each takes some gigabytes.
PYTEST := $(BIN)/python -m pytest --numprocesses=logical --maxprocesses=4 --dist=worksteal

$(VENV)/.installed: pyproject.toml constraints.txt Makefile
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	# gymnax 1.0.1 asks for JAX below 0.12, and its games run on 0.12; so the newest JAX is checked.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps gymnax==1.0.1
	# Only the C library of this wheel is used, so neither its dependencies (it pins numpy<2)
	# nor the Python it was built for (3.12 at the latest) matter.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --only-binary=:all: --python-version 3.12 --implementation cp --abi cp312 --upgrade \
	  --target "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
	  procgen-mirror==0.10.7
	touch $@

demo: $(VENV)/.installed
	$(BIN)/rlvision demo

# Every check that fits 15 minutes on two cores.
test: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(PYTEST)

test-slow: $(VENV)/.installed
	$(PYTEST) -m slow

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The page of the report; its bundle is committed. Needs Node 20 and npm.
web:
	cd web && npm ci && npm run check && npm test && npm run build

clean:
	rm -rf .venv .venv-* web/node_modules
