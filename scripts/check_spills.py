#!/usr/bin/env python3
"""Builds the CUDA kernels for every GPU and fails where a main kernel spills registers.

A kernel that keeps registers in memory has outgrown its tiling. Those that run only where a result
was not finite (their names end in ``_carefully``) may.

    scripts/check_spills.py [CMAKE OPTION...]      -DPT_CUDA_ARCHITECTURES=90a for one of them
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "nvcc"
ENTRY = re.compile(r"Compiling entry function '(?P<name>\S+)' for '(?P<gpu>\S+)'")
SPILLS = re.compile(r"(?P<stores>\d+) bytes spill stores, (?P<loads>\d+) bytes spill loads")
REGISTERS = re.compile(r"Used (?P<registers>\d+) registers")


class Kernel(NamedTuple):
    gpu: str
    registers: int
    spilled: int  # bytes stored and loaded
    name: str


def build(options: list[str]) -> str:
    """What the compiler printed; everything is compiled anew, since only then does it print."""
    configure = ["cmake", "-G", "Ninja", "-S", str(ROOT), "-B", str(BUILD), *options]
    switches = ["-DPT_KERNELS_ONLY=ON", "-DPT_CUDA=ON", "-DPT_CUDA_RESOURCES=ON", "-DPT_WERROR=ON"]
    subprocess.run([*configure, *switches], check=True, stdout=subprocess.DEVNULL)
    compile_all = ["cmake", "--build", str(BUILD), "--clean-first", "--target", "pt_cuda_kernels"]
    done = subprocess.run(
        compile_all, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout[-8000:]}\nThe CUDA kernels do not compile.")
    return done.stdout


def kernels(printed: str) -> list[Kernel]:
    found: list[Kernel] = []
    name = gpu = ""
    spilled = 0
    for line in printed.splitlines():
        if match := ENTRY.search(line):
            name, gpu = match["name"], match["gpu"]
        elif match := SPILLS.search(line):
            spilled = int(match["stores"]) + int(match["loads"])
        elif match := REGISTERS.search(line):
            found.append(Kernel(gpu, int(match["registers"]), spilled, name))
    return found


def readable(names: list[str]) -> list[str]:
    """Without namespaces and arguments."""
    filtered = subprocess.run(
        ["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True
    )
    short = re.sub(r"pt::(cuda::)?|\(anonymous namespace\)::", "", filtered.stdout)
    return [re.sub(r"\(.*", "", line) for line in short.splitlines()]


def main() -> int:
    found = kernels(build(sys.argv[1:]))
    if not found:
        raise SystemExit("The compiler said nothing of any kernel: its output has changed.")
    named = [
        kernel._replace(name=name)
        for kernel, name in zip(found, readable([k.name for k in found]), strict=True)
    ]
    main_kernels = [kernel for kernel in named if "_carefully<" not in kernel.name]
    spilling = sorted(kernel for kernel in main_kernels if kernel.spilled)
    for kernel in spilling:
        resources = f"{kernel.registers:3} registers, {kernel.spilled:3} bytes spilled"
        print(f"{kernel.gpu:8} {resources}  {kernel.name}")
    gpus = sorted({kernel.gpu for kernel in named})
    print(
        f"{len(main_kernels)} kernels for {', '.join(gpus)}: {len(spilling)} spill registers; "
        f"{len(named) - len(main_kernels)} careful ones were not looked at"
    )
    return 1 if spilling else 0


if __name__ == "__main__":
    sys.exit(main())
