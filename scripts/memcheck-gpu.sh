#!/usr/bin/env bash
# Runs a part of the CUDA kernels' tests on the GPU under compute-sanitizer, in SECONDS_LEFT of the
# environment or else about 90 seconds: under memcheck, where every operand and every piece of
# scratch is an allocation of its own, whose end is known, and under racecheck, which watches shared
# memory. What there is no time for is told.
#
#   scripts/memcheck-gpu.sh [BUILD]      as make build-gpu-tests has built it, in build/gpu
#
# The exit status is 77 where compute-sanitizer is missing or refuses the device, 1 where it, or a
# test, has found something.
set -euo pipefail
cd "$(dirname "$0")/.."

TESTS=${1:-build/gpu}/tests/gpu
CANNOT=77
SECONDS_EACH=3  # of tests; loading the kernels comes on top
SECONDS_ALL=$((${SECONDS_LEFT:-95} - 10))  # nothing begins later
LOG=$(mktemp)
trap 'rm -f "$LOG"' EXIT

# The toolkit has it beside nvcc, which may not be on the PATH under this name.
SANITIZER=$(command -v compute-sanitizer || true)
for place in /usr/local/cuda/bin /usr/local/cuda/compute-sanitizer; do
  if [[ -z $SANITIZER && -x $place/compute-sanitizer ]]; then
    SANITIZER=$place/compute-sanitizer
  fi
done
if [[ -z $SANITIZER ]]; then
  echo "memcheck-gpu: compute-sanitizer is not installed; it comes with the CUDA toolkit"
  exit $CANNOT
fi

checked=0 failed=0 skipped=0

# check TOOL EVERY TEST: the test, one case in EVERY, under the tool.
check() {
  local tool=$1 every=$2 program=$TESTS/test_$3_gpu begin=$SECONDS
  local own=()
  if ((SECONDS > SECONDS_ALL)); then
    skipped=$((skipped + 1))
    return
  fi
  checked=$((checked + 1))
  if [[ $tool == memcheck ]]; then own=(PT_TEST_OWN_ALLOCATIONS=1); fi
  if env "${own[@]}" PT_TEST_EVERY="$every" PT_TEST_SECONDS=$SECONDS_EACH OMP_NUM_THREADS=2 \
    timeout 40 "$SANITIZER" --tool "$tool" --error-exitcode 1 --print-limit 20 "$program" \
    > "$LOG" 2>&1; then
    printf '%-10s %-22s %3d s  %s\n' "$tool" "$3" $((SECONDS - begin)) "$(grep 'cases' "$LOG" || true)"
    return
  fi
  if grep --quiet --ignore-case 'device not supported' "$LOG"; then
    echo "memcheck-gpu: compute-sanitizer refuses this device: Device not supported"
    exit $CANNOT
  fi
  echo "$tool $3 FAILED:"
  cat "$LOG"
  failed=$((failed + 1))
}

for stem in primitives attention matmul layer_norm embedding linear_cross_entropy attention_weights \
  rows; do
  check memcheck 20 "$stem"
  check racecheck 40 "$stem"
done
echo "memcheck-gpu: $checked runs, $failed failed; no time for $skipped more"
((failed == 0))
