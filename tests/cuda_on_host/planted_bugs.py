"""Bugs, planted one by one in the text of the CUDA kernels: each has to be caught.

A test that cannot fail proves nothing. Each entry replaces one passage of a kernel's source, which
must be there exactly once, compiles the file as the tests do, links it with what they have built,
and runs the test until its first failure.

    make plant-bugs
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
KERNELS = Path("csrc/kernels/cuda")
TIMEOUT = 240  # seconds


class Bug(NamedTuple):
    name: str
    file: str  # of csrc/kernels/cuda, that is changed
    old: str
    new: str
    compiled: str  # the .cu that is compiled again
    test: str  # stem of the test that has to notice
    build: str  # plain, address or thread
    says: str  # part of what is printed


WRONG = "FAILED"  # numbers
RACE = "ThreadSanitizer: data race"

BUGS = [
    Bug(
        "no barrier between a tile's arrival and its use",
        "tiles.h",
        "copy_async_wait<0>();\n    __syncthreads();\n",
        "copy_async_wait<0>();\n",
        "attention_forward",
        "attention",
        "plain",
        WRONG,
    ),
    Bug(
        "an asynchronous copy is read one group too early",
        "tiles.h",
        "copy_async_wait<0>();\n    __syncthreads();\n",
        "copy_async_wait<1>();\n    __syncthreads();\n",
        "attention_forward",
        "attention",
        "plain",
        WRONG,
    ),
    Bug(
        "the next tile is copied over the one in use",
        "tiles.h",
        "begin(next, stage ^ 1)",
        "begin(next, stage)",
        "attention_forward",
        "attention",
        "plain",
        WRONG,
    ),
    Bug(
        "fragments in the wrong order",
        "tiles.h",
        "load_matrix_x4(b, tile.chunk(row + lane / 16 * 8 + lane % 8, col + lane / 8 % 2 * 8));",
        "load_matrix_x4(b, tile.chunk(row + lane % 16, col + lane / 16 * 8));",
        "attention_forward",
        "attention",
        "plain",
        WRONG,
    ),
    Bug(
        "a causal mask that shows one key too many",
        "attention_scores.h",
        "last + offset_ + right_ + 1)",
        "last + offset_ + right_ + 2)",
        "attention_forward",
        "attention",
        "plain",
        WRONG,
    ),
    Bug(
        "the output is not scaled when a maximum rises",
        "attention_forward.cu",
        "out_[r][n][i] *= shrink[i / 2];",
        "out_[r][n][i] *= 1.0f;",
        "attention_forward",
        "attention",
        "plain",
        WRONG,
    ),
    Bug(
        "a row that sees nothing",
        "attention_forward.cu",
        "base[half] = Score<float>::is_hidden(top[half]) ? 0.0f : top[half];",
        "base[half] = top[half];",
        "attention_forward",
        "attention",
        "plain",
        WRONG,
    ),
    Bug(
        "what is hidden and not finite reaches the output",
        "attention_forward.cu",
        "if (__syncthreads_or(!all) != 0) return false;",
        "if (all && false) return false;",
        "attention_forward",
        "attention",
        "plain",
        WRONG,
    ),
    Bug(
        "dropout draws for the wrong row",
        "attention_tiles.h",
        "uint32_t(query + lane / 4 + (odd ? 8 : 0))",
        "uint32_t(query + lane / 4 + (odd ? 0 : 8))",
        "attention_forward",
        "attention",
        "plain",
        WRONG,
    ),
    Bug(
        "a barrier that one warp skips",
        "tiles.h",
        "copy_async_wait<0>();\n    __syncthreads();\n    const int next",
        "copy_async_wait<0>();\n    if (threadIdx.x < 96) __syncthreads();\n    const int next",
        "attention_backward_keys",
        "attention",
        "plain",
        "other threads of the block are in __syncthreads",
    ),
    Bug(
        "a product of tiles that is not transposed",
        "tiles.h",
        "load_b_transposed(b, tile, row + 8 * k, col + 8 * n);",
        "load_b(b, tile, row + 8 * k, col + 8 * n);",
        "attention_backward_queries",
        "attention",
        "plain",
        WRONG,
    ),
    Bug(
        "rows beyond the end of a buffer are copied",
        "tiles.h",
        "const bool inside = row < rows && col < columns;",
        "const bool inside = col < columns;",
        "attention_forward",
        "attention",
        "address",
        "the source lies outside its buffer",
    ),
    Bug(
        "lanes read what others of their warp have yet to write",
        "attention_tiles.h",
        "  __syncwarp();\n",
        "",
        "attention_forward",
        "attention",
        "thread",
        RACE,
    ),
    Bug(
        "columns beyond the end of a row are read",
        "layer_norm_rows.h",
        "j < columns) body(i, j);",
        "j < columns + kSize) body(i, j);",
        "layer_norm_forward",
        "layer_norm",
        "address",
        "AddressSanitizer",
    ),
    Bug(
        "warps add up without waiting for each other",
        "lanes.h",
        "    __syncthreads();\n",
        "",
        "layer_norm_forward",
        "layer_norm",
        "plain",
        WRONG,
    ),
    Bug(
        "slots that do not alternate",
        "layer_norm_backward.cu",
        "shared.slots[row % 2]",
        "shared.slots[0]",
        "layer_norm_backward",
        "layer_norm",
        "thread",
        RACE,
    ),
    Bug(
        "blocks that write the same partial row",
        "layer_norm_backward.cu",
        "T* of_weight = partial + int64_t(blockIdx.x) * 2 * args.columns;",
        "T* of_weight = partial;",
        "layer_norm_backward",
        "layer_norm",
        "thread",
        RACE,
    ),
    Bug(
        "a column sum's warps add up without waiting for each other",
        "column_sums.cu",
        "lane * kSize + e] = sums[e];\n  __syncthreads();\n",
        "lane * kSize + e] = sums[e];\n",
        "column_sums",
        "rows",
        "plain",
        WRONG,
    ),
    Bug(
        "a round of the best columns that overwrites what others still read",
        "top_log_probs.cu",
        "shared.best[i % 2]",
        "shared.best[0]",
        "top_log_probs",
        "rows",
        "thread",
        RACE,
    ),
    Bug(
        "steps of a sort that do not wait for each other",
        "top_log_probs_many.cu",
        "          }\n        }\n        __syncthreads();\n",
        "          }\n        }\n",
        "top_log_probs_many",
        "rows",
        "plain",
        WRONG,
    ),
    Bug(
        "a turn takes once more what the last one ended with",
        "top_log_probs_many.cu",
        "rank >= least && rank < bound_",
        "rank >= least && rank <= bound_",
        "top_log_probs_many",
        "rows",
        "plain",
        WRONG,
    ),
    Bug(
        "0 ranks above -0",
        "top_log_probs_many.cu",
        "value == T(0) ? T(0) : value",
        "value",
        "top_log_probs_many",
        "rows",
        "plain",
        WRONG,
    ),
    Bug(
        "sums of a second table of tensors are written over those of the first",
        "sum_of_squares.cu",
        "queue, table, partial + done)",
        "queue, table, partial)",
        "sum_of_squares",
        "rows",
        "plain",
        WRONG,
    ),
    Bug(
        "every other piece of a frequent token is left out",
        "embedding_backward.cu",
        "order.tokens[i] == token; i += kChunk)",
        "order.tokens[i] == token; i += 2 * kChunk)",
        "embedding_backward",
        "embedding",
        "plain",
        WRONG,
    ),
    Bug(
        "tokens beyond the vocabulary are looked up",
        "embedding_forward.cu",
        "token >= 0 && token < args.vocabulary &&",
        "token >= 0 &&",
        "embedding_forward",
        "embedding",
        "address",
        "AddressSanitizer",
    ),
    Bug(
        "a tile of an operand is copied over the one that comes next",
        "matmul_block.h",
        "begin(first + tile + kStages, free)",
        "begin(first + tile + kStages, stage)",
        "matmul_bfloat16",
        "matmul",
        "plain",
        WRONG,
    ),
    Bug(
        "a tile of an operand is copied over one that other warps read",
        "matmul_block.h",
        "copy_async_wait<kStages - 2>();\n          __syncthreads();\n",
        "copy_async_wait<kStages - 2>();\n          __syncwarp();\n",
        "matmul_bfloat16",
        "matmul",
        "thread",
        RACE,
    ),
    Bug(
        "a bias that is one column off",
        "matmul_epilogue.h",
        "col, count_, false, bias_",
        "col + 1, count_ - 1, false, bias_",
        "matmul_bfloat16",
        "matmul",
        "plain",
        WRONG,
    ),
    Bug(
        "what lies behind k is not zero",
        "matmul_operands.h",
        "col + i < columns ?",
        "col + i < stride ?",
        "matmul_bfloat16",
        "matmul",
        "plain",
        WRONG,
    ),
    Bug(
        "parts of a sum that are written to the same place",
        "matmul_block.h",
        "row + blockIdx.y * args_.m",
        "row",
        "matmul_bfloat16",
        "matmul",
        "plain",
        WRONG,
    ),
    Bug(
        "rows beyond the end of an operand are read",
        "matmul_plain.cu",
        "const bool inside = row_ + i * row_step_ < rows_ && k_",
        "const bool inside = k_",
        "matmul_plain",
        "matmul",
        "address",
        "AddressSanitizer",
    ),
    Bug(
        "a boundary beyond the rows is believed",
        "attention_scores.h",
        "end = max(min(end, last), first);",
        "end = max(end, first);",
        "attention_forward",
        "attention",
        "address",
        "AddressSanitizer",
    ),
    Bug(
        "a sequence longer than the longest is believed",
        "attention_scores.h",
        "count = min(end - first, int(longest));",
        "count = end - first;",
        "attention_weights",
        "attention_weights",
        "address",
        "AddressSanitizer",
    ),
    Bug(
        "weights behind the end of a sequence are left as they were",
        "attention_weights.cu",
        "key < args.max_k; key += kWarp",
        "key < block.head.keys; key += kWarp",
        "attention_weights",
        "attention_weights",
        "plain",
        WRONG,
    ),
    Bug(
        "each lane takes its own part of a sum for the whole",
        "attention_weights.cu",
        "total[r] = lanes_sum(total[r]);",
        "total[r] = total[r];",
        "attention_weights",
        "attention_weights",
        "plain",
        WRONG,
    ),
    Bug(
        "statistics of all heads are written to the same place",
        "attention_weights.cu",
        "statistics[place.first + query] = {",
        "statistics[query] = {",
        "attention_weights",
        "attention_weights",
        "plain",
        WRONG,
    ),
    Bug(
        "a window that shows one key too many",
        "attention_plain.h",
        "key >= seen.end) return",
        "key > seen.end) return",
        "attention_weights",
        "attention_weights",
        "plain",
        WRONG,
    ),
    Bug(
        "keys beyond the end of a buffer are read",
        "attention_weights.cu",
        "args.k.row_stride, head.keys - own,",
        "args.k.row_stride, kOwn,",
        "attention_weights",
        "attention_weights",
        "address",
        "AddressSanitizer",
    ),
    Bug(
        "a tile of keys replaces one that other warps read",
        "attention_plain.h",
        "  __syncthreads();  // nobody reads the old one any more\n",
        "",
        "attention_weights",
        "attention_weights",
        "thread",
        RACE,
    ),
    Bug(
        "warps read the largest logit of others before it is there",
        "linear_cross_entropy.cu",
        "= top;\n    __syncthreads();\n",
        "= top;\n",
        "linear_cross_entropy",
        "linear_cross_entropy",
        "plain",
        WRONG,
    ),
    Bug(
        "a logit behind the vocabulary counts",
        "linear_cross_entropy.cu",
        "if (j + e >= columns_) continue;",
        "if (j + e > columns_) continue;",
        "linear_cross_entropy",
        "linear_cross_entropy",
        "plain",
        WRONG,
    ),
    Bug(
        "the gradient of the weight forgets the chunk before",
        "linear_cross_entropy.cu",
        "gradient_of_weight(grads, x, rows, first > 0)",
        "gradient_of_weight(grads, x, rows, false)",
        "linear_cross_entropy",
        "linear_cross_entropy",
        "plain",
        WRONG,
    ),
    Bug(
        "sums behind the end of a gradient are read",
        "linear_cross_entropy.cu",
        "load_up_to(from + at, n - at, true, x)",
        "load_up_to(from + at, kSize, true, x)",
        "linear_cross_entropy",
        "linear_cross_entropy",
        "address",
        "AddressSanitizer",
    ),
    Bug(
        "blocks that write the gradient of the same row",
        "linear_cross_entropy.cu",
        "logits + at, grads + at,",
        "logits + at, grads,",
        "linear_cross_entropy",
        "linear_cross_entropy",
        "plain",
        WRONG,
    ),
    Bug(
        "a sum of warps goes where others still read the largest logit",
        "linear_cross_entropy.cu",
        "warps_sum(sums, shared_.sums)",
        "warps_sum(sums, reinterpret_cast<T(&)[kWarps][2]>(shared_.largest))",
        "linear_cross_entropy",
        "linear_cross_entropy",
        "thread",
        RACE,
    ),
    Bug(
        "where vectors are chosen, one of the operands is forgotten",
        "layer_norm_forward.cu",
        "is_aligned(args.sum) && ",
        "",
        "layer_norm_forward",
        "layer_norm",
        "address",
        "misaligned address",
    ),
    Bug(
        "where vectors are chosen, an epilogue's operand is forgotten",
        "matmul_epilogue.h",
        " &&\n         is_aligned(args.epilogue.preactivation) && is_aligned(args.epilogue.saved)",
        " &&\n         is_aligned(args.epilogue.preactivation)",
        "matmul_plain",
        "matmul",
        "address",
        "misaligned address",
    ),
]

FLAGS = {
    "plain": ["-O1"],
    "address": ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "thread": ["-O1", "-g", "-fsanitize=thread"],
}


class Outcome(NamedTuple):
    caught: bool
    shown: str


def changed_sources(bug: Bug, to: Path) -> None:
    """The sources that kernels are compiled from, with the bug in them."""
    for part in ("csrc/kernels", "tests/cuda_on_host"):
        shutil.copytree(ROOT / part, to / part)
    path = to / KERNELS / bug.file
    text = path.read_text(encoding="utf-8")
    found = text.count(bug.old)
    if found != 1:
        raise SystemExit(
            f"{bug.name}: {KERNELS / bug.file} has {found} times what is replaced, not once;"
            f" the kernel has changed, so plant the bug anew:\n{bug.old}"
        )
    path.write_text(text.replace(bug.old, bug.new), encoding="utf-8")


def program(bug: Bug, build: Path, to: Path) -> Path:
    compiler = os.environ.get("CXX", "g++")
    flags = [*FLAGS[bug.build], "-std=gnu++20", "-fopenmp"]
    source, built, result = to / KERNELS / f"{bug.compiled}.cu", to / "changed.o", to / "program"
    on_host = ["-fno-strict-aliasing", "-w", "-DPT_CUDA_ON_HOST", f"-I{to / 'tests'}"]
    subprocess.run(
        [compiler, *flags, *on_host, "-x", "c++", "-c", str(source), "-o", str(built)], check=True
    )
    parts = build / "tests/kernels/CMakeFiles"
    linked = [
        parts / f"test_{bug.test}_cuda.dir/test_{bug.test}.cpp.o",
        parts / "cuda_tables.dir/cuda_tables.cpp.o",
        built,
        build / "tests/cuda_on_host/libpt_cuda_kernels_on_host.a",
        build / "tests/cuda_on_host/libpt_cuda_on_host.a",
    ]
    subprocess.run(
        [compiler, *flags, *map(str, linked), "-lpthread", "-o", str(result)], check=True
    )
    return result


def run(bug: Bug, build: Path) -> Outcome:
    with tempfile.TemporaryDirectory() as directory:
        to = Path(directory)
        changed_sources(bug, to)
        environment = {
            **os.environ,
            "PT_TEST_STOP": "1",
            "OMP_NUM_THREADS": "2",
            "TSAN_OPTIONS": "halt_on_error=1",
        }
        try:
            done = subprocess.run(
                [str(program(bug, build, to))],
                env=environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            return Outcome(False, f"still running after {TIMEOUT} s")
    printed = done.stdout + done.stderr
    lines = [line for line in printed.splitlines() if bug.says in line]
    if done.returncode != 0 and lines:
        return Outcome(True, lines[0].strip()[:120])
    return Outcome(
        False, f"exit status {done.returncode}, and no '{bug.says}' in:\n{printed[-600:]}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in FLAGS:
        parser.add_argument(
            f"--{name}", type=Path, required=True, metavar="BUILD", help=f"a {name} build directory"
        )
    parser.add_argument("names", nargs="*", help="parts of the names of bugs (default: all)")
    arguments = parser.parse_args()
    chosen = [
        bug
        for bug in BUGS
        if not arguments.names or any(name in bug.name for name in arguments.names)
    ]
    if not chosen:
        parser.error(f"no bug has a name with {' or '.join(arguments.names)}")
    missed = 0
    for bug in chosen:
        begin = time.monotonic()
        outcome = run(bug, getattr(arguments, bug.build))
        missed += not outcome.caught
        seconds = time.monotonic() - begin
        verdict = "caught" if outcome.caught else "MISSED"
        print(f"{verdict} {seconds:5.1f} s  {bug.name} ({bug.build}): {outcome.shown}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} planted bugs caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
