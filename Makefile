# What a person does daily. Every target does its own set-up: a virtual environment in .venv, the
# pinned packages of requirements-dev.txt, and the compiled extension.
#
#   make PYTHON=python3.12 test                                     another Python
#   make TORCH_INDEX=https://download.pytorch.org/whl/cpu demo      torch without CUDA, far smaller

PYTHON ?= python3
TORCH_INDEX ?=
VENV = .venv
# The language that `make demo` translates into: de or ko.
TARGET = de
# What GPU `make test-gpu` compiles for: the one that is there, or a list as 90a.
GPU = native
# More arguments for `make demo` and `make test`, as in: make test ARGS="tests/ops -k attention"
ARGS =

BIN = $(VENV)/bin
# Tools come from the environment first: cmake, ninja, clang-format.
export PATH := $(abspath $(BIN)):$(PATH)

CXX_FILES = $(shell find csrc tests/cuda_on_host tests/gpu tests/kernels tests/primitives tests/subwords -name '*.cpp' -o -name '*.cu' -o -name '*.h' 2>/dev/null)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@echo "make TARGET, one of:"
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## train on built-in sentences, translate, score, draw (TARGET=ko for Korean)
	$(BIN)/pytransformer demo --target $(TARGET) --output runs/demo-$(TARGET) $(ARGS)

.PHONY: test
test: build ## build and run the tests
	$(BIN)/python -m pytest $(ARGS)

# The model and the search on a device that is pretended: what mixes devices fails as on a GPU.
.PHONY: test-devices
test-devices: build
	PYTRANSFORMER_TEST_DEVICE=pretended PYTRANSFORMER_CHECK=1 $(BIN)/python -m pytest \
	    tests/test_model.py tests/decoding/test_search.py \
	    -k "every_gradient or rows_and_logits or refused or same_result"

.PHONY: bench
bench: build ## time the ops and a training step against torch (ARGS="attention" for one of them)
	$(BIN)/pytransformer bench $(ARGS)

.PHONY: build
build: $(VENV)/.installed ## compile what has changed
	$(BIN)/python setup.py --quiet build_ext --inplace

.PHONY: lint
lint: $(VENV)/.requirements ## check style: ruff, clang-format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror $(CXX_FILES)

.PHONY: format
format: $(VENV)/.requirements ## rewrite the sources in that style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

.PHONY: typecheck
typecheck: $(VENV)/.requirements ## check types: mypy
	$(BIN)/mypy

CONFIGURE = cmake -S . -G Ninja -DPT_KERNELS_ONLY=ON

.PHONY: sanitize
sanitize: $(VENV)/.requirements ## run the kernels' tests under the address and undefined sanitizers
	$(CONFIGURE) -B build/sanitize -DCMAKE_BUILD_TYPE=Debug -DPT_SANITIZE=address,undefined
	cmake --build build/sanitize
	ctest --test-dir build/sanitize --output-on-failure

.PHONY: build-cuda-tests
build-cuda-tests: $(VENV)/.requirements
	$(CONFIGURE) -B build/cuda
	cmake --build build/cuda --target cuda_tests
	$(CONFIGURE) -B build/cuda-thread -DCMAKE_BUILD_TYPE=Debug -DPT_SANITIZE=thread
	cmake --build build/cuda-thread --target cuda_tests

.PHONY: test-cuda
test-cuda: build-cuda-tests ## run the CUDA kernels' tests on the CPU: no GPU is needed
	ctest --test-dir build/cuda --output-on-failure -L cuda
	TSAN_OPTIONS=halt_on_error=1 ctest --test-dir build/cuda-thread --output-on-failure -L cuda

# On a machine that has a GPU, tools from the PATH do, and no environment is made: cmake, ninja, nvcc.
.PHONY: build-gpu-tests
build-gpu-tests:
	@command -v nvcc > /dev/null || { \
	    echo "make: nvcc is not on the PATH; install the CUDA toolkit, 12.0 or newer"; exit 1; }
	@nvidia-smi -L > /dev/null 2>&1 || test -c /dev/nvidia0 || { \
	    echo "make: this machine has no NVIDIA GPU; make test-cuda runs these tests on the CPU"; exit 1; }
	$(CONFIGURE) -B build/gpu -DPT_TEST_GPU=ON -DPT_CUDA_ARCHITECTURES="$(GPU)"
	cmake --build build/gpu --target gpu_tests

.PHONY: test-gpu
test-gpu: build-gpu-tests ## run the CUDA kernels' tests on the GPU of this machine
	ctest --test-dir build/gpu --output-on-failure --parallel 4 -L gpu

.PHONY: memcheck-gpu
memcheck-gpu: build-gpu-tests ## run a part of them under compute-sanitizer
	scripts/memcheck-gpu.sh build/gpu

.PHONY: compile-cuda
compile-cuda: $(VENV)/.requirements ## compile the CUDA kernels by nvcc for every GPU; none may spill
	$(BIN)/python scripts/check_spills.py

.PHONY: plant-bugs
plant-bugs: build-cuda-tests ## change the CUDA kernels' text so that their tests have to fail
	$(CONFIGURE) -B build/sanitize -DCMAKE_BUILD_TYPE=Debug -DPT_SANITIZE=address,undefined
	cmake --build build/sanitize --target cuda_tests
	$(BIN)/python tests/cuda_on_host/planted_bugs.py --plain build/cuda --address build/sanitize \
	    --thread build/cuda-thread

# By a Python whose torch sees a GPU, without touching it; by that of .venv where python3 has none.
.PHONY: gpu-report
gpu-report: ## build, test and measure on the NVIDIA GPU that is here; the report goes to bench/results
	@if $(PYTHON) -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2> /dev/null; then \
	    $(PYTHON) scripts/gpu_report.py $(ARGS); \
	else \
	    $(MAKE) --no-print-directory $(VENV)/.requirements && $(BIN)/python scripts/gpu_report.py $(ARGS); \
	fi

.PHONY: test-aarch64
test-aarch64: $(VENV)/.requirements ## cross-compile the kernels' tests and run them under qemu
	scripts/test-aarch64.sh

.PHONY: ci
ci: ## everything that a change has to pass
	.ci/run

.PHONY: clean
clean: ## remove what was built, but not .venv
	rm -rf build dist *.egg-info pytransformer/_C.*.so pytransformer/_built_for.py
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -f $(VENV)/.installed

.PHONY: distclean
distclean: clean ## remove .venv too
	rm -rf $(VENV)

# Stamps: each step is done again only when what it depends on has changed.

$(VENV)/.created:
	@command -v $(PYTHON) > /dev/null || { \
	    echo "make: $(PYTHON) is not installed; install Python 3.11 or newer, or name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "make: $$($(PYTHON) --version) is too old; name Python 3.11 or newer: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
	    echo "make: $(PYTHON) has no venv; install it, on Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.isfile(sysconfig.get_path("include") + "/Python.h"))' || { \
	    echo "make: $(PYTHON) has no C headers; install them, on Debian and Ubuntu: sudo apt install python3-dev"; exit 1; }
	@command -v $${CXX:-c++} > /dev/null || { \
	    echo "make: no C++ compiler; install g++, or name one in CXX"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.requirements: requirements-dev.txt $(VENV)/.created
	$(BIN)/python -m pip install --disable-pip-version-check \
	    $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -r requirements-dev.txt
	@touch $@

$(VENV)/.installed: pyproject.toml setup.py $(VENV)/.requirements
	$(BIN)/python -m pip install --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@
