#!/usr/bin/env bash
# Links the whole extension for CUDA without a GPU: against a wheel of torch with CUDA that is only
# unpacked, not installed. What cannot be resolved fails, but for Python's own symbols.
#
#   scripts/link-cuda.sh torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl [CMAKE OPTION...]
#
# -DPT_CUDA_ARCHITECTURES= (with nothing behind it) compiles for every GPU, not for one.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ $# -lt 1 || ! -f $1 ]]; then
  echo "usage: scripts/link-cuda.sh WHEEL [CMAKE OPTION...], the wheel of a torch with CUDA, as" >&2
  echo "pip download --no-deps torch==2.13.0 fetches it" >&2
  exit 2
fi
WHEEL=$1
shift
BUILD=build/link-cuda
PYTHON=.venv/bin/python
export PATH="$PWD/.venv/bin:$PATH"

rm -rf "$BUILD"
mkdir -p "$BUILD"
unzip -q "$WHEEL" 'torch/include/*' 'torch/lib/*' -d "$BUILD"

# Warned of rather than refused: Python's symbols come from the interpreter.
cmake -G Ninja -S . -B "$BUILD/extension" -DPT_CUDA=ON -DPT_WERROR=ON \
  -DPT_TORCH_ROOT="$PWD/$BUILD/torch" -DPT_CUDA_ARCHITECTURES=90a \
  -DPython_EXECUTABLE="$PWD/$PYTHON" \
  -Dpybind11_DIR="$($PYTHON -c 'import pybind11; print(pybind11.get_cmake_dir())')" \
  -DCMAKE_MODULE_LINKER_FLAGS="-Wl,--no-undefined,--warn-unresolved-symbols,--allow-shlib-undefined" \
  "$@"
cmake --build "$BUILD/extension" --target _C | tee "$BUILD/build.log"

if grep 'undefined reference to' "$BUILD/build.log" | grep --invert-match 'to [`'"'"']_\?Py'; then
  echo "The extension needs what neither torch nor CUDA has: see above." >&2
  exit 1
fi
echo "The extension for CUDA links."
