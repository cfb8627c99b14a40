# Everything runs in .venv; each target makes it when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: gimp demo test test-diffusion test-all check clean

# A photograph with a selection, through a real server on loopback. Light: no torch.
demo: $(VENV)/light
	@$(BIN)/frisket demo -o demo

# Frisket's menu in every GIMP 3 of this user. The plug-in starts the server of this checkout when it needs one.
gimp: $(VENV)/light
	@$(BIN)/frisket plugin install

# The everyday tests.
test: $(VENV)/dev
	$(BIN)/pytest -q -m "not slow and not gimp and not diffusion and not nets" -n 4 --dist loadfile

# Those of the engines with networks, on tiny models that they make themselves. It installs torch: 1 GB and more.
test-diffusion: $(VENV)/diffusion
	$(BIN)/pytest -q -m "diffusion or nets" -n auto --maxprocesses 4 --dist loadfile

# All tests: slow ones too, those of the engines with networks, and those inside the real GIMP 3 (Debian or Ubuntu, as root: it
# builds a tree for it).
test-all: $(VENV)/dev $(VENV)/diffusion
	bash tests/gimp/make_tree.sh
	bash tests/gimp/make_tree.sh '' forky
	$(BIN)/pytest -q

# Style and types.
check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Frisket needs Python 3.10 or newer; $(PYTHON) is `$(PYTHON) --version`. Try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv is missing here. On Debian and Ubuntu: apt install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/light: pyproject.toml | $(VENV)/bin/python
	@echo "Installing Frisket into $(VENV) (most of a first run's time) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

$(VENV)/dev: pyproject.toml | $(VENV)/bin/python
	@echo "Installing Frisket and its test tools into $(VENV) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/light

# TORCH: which build of torch to take, such as torch==2.13.0. Left out, the newest.
$(VENV)/diffusion: pyproject.toml | $(VENV)/dev
	@echo "Installing the extras for models ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check $(TORCH) -e '.[dev,diffusion,faces]'
	@touch $@

clean:
	rm -rf $(VENV) demo .pytest_cache .ruff_cache .hypothesis
