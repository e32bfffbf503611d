# Everything needs nothing but Python 3.11 or newer and make: each target sets itself up first, the demo
# with less than the tests, which take Ocean, ONNX and the tools besides.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SMALL := $(VENV)/.small
READY := $(VENV)/.ready
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable

.PHONY: demo demo-solvers test docs lint types arrows clean
.DEFAULT_GOAL := demo

demo: $(SMALL)  ## Constrained models, and networks by size, on real data; a report with a picture
	mkdir -p results
	$(BIN)/python benchmarks/constrained/measure.py --sets bundled --seconds 3 \
	  --methods "ours,oracle,perturbation,best of five,cqm_to_bqm,CP-SAT" --json results/constrained.json
	$(BIN)/qnn frontier digits --samples all --kib 0.25,0.5,1,2 --time-limit 10 \
	  --json results/demo.json --report results/demo.html

demo-solvers: $(SMALL)  ## Digits 3 against 8: QCGD and its rivals, in a table and in results/
	mkdir -p results
	$(BIN)/qnn compare digits:3,8 --inputs 16 --hidden 5 --samples 100 --seeds 5 \
	  --solvers qcgd,qcgd-pure,qcgd-cold,penalty,random,annealing,restricted,straight-through,exact \
	  --iterations 100 --reads 10 --sweeps 20 --penalties 0.3,1,3,10 \
	  --json results/solvers.json --report results/solvers.html

test: $(READY)  ## All tests and docstring examples, on all cores
	$(BIN)/python -m pytest -n auto --dist worksteal

docs: $(READY)  ## The documentation site, in docs/_build/html
	$(INSTALL) '.[docs]'
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

arrows: $(READY)
	$(BIN)/lint-imports --no-cache

clean:
	rm -rf $(VENV) docs/_build build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Remade when what is to be installed has changed.
$(SMALL): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is too old: Python 3.11 or newer is needed; name one with make PYTHON=..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[exact,plot]'
	touch $(SMALL)

$(READY): $(SMALL)
	$(INSTALL) '.[dev,exact,ocean,onnx,plot]'
	touch $(READY)
