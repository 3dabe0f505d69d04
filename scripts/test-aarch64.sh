#!/usr/bin/env bash
# Cross-compiles the kernels and their tests for aarch64, and runs the tests under qemu.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
command -v aarch64-linux-gnu-g++ > /dev/null || missing+=(g++-aarch64-linux-gnu)
command -v qemu-aarch64 > /dev/null || missing+=(qemu-user)
if ((${#missing[@]} > 0)); then
  echo "test-aarch64: ${missing[*]} missing; on Debian and Ubuntu: sudo apt install ${missing[*]}" >&2
  exit 1
fi

cmake -S . -B build/aarch64 -G Ninja -DPT_KERNELS_ONLY=ON \
  -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/aarch64-linux-gnu.cmake"
cmake --build build/aarch64
ctest --test-dir build/aarch64 --output-on-failure
