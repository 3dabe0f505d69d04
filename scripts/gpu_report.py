#!/usr/bin/env python3
"""Builds for the GPU that is here, tests everything on it, measures, and writes one report.

    make gpu-report                            PYTHON=... names another than python3
    scripts/gpu_report.py --output FILE        by the Python that runs it

That Python needs torch with CUDA, and of requirements-dev.txt what builds, tests and runs; nothing
is installed or fetched. A step that fails or is late is told in the report, and the
others go on; the exit status is then 1. The report is written anew after each step.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "gpu-report"

# The whole of it, in seconds; the last step to begin gets what is left.
DEADLINE = 470
# Below this a step is not begun.
LEAST = 15
# What a failed step shows of its output.
SHOWN_LINES = 40
# The status of a step that this machine cannot do, such as compute-sanitizer on some.
UNAVAILABLE = 77

# Python tests that have to do with a device, in parts that run side by side.
PYTEST_PARTS = (
    "tests/ops/test_attention.py tests/ops/test_attention_weights.py",
    "tests/ops --ignore=tests/ops/test_attention.py --ignore=tests/ops/test_attention_weights.py "
    "--ignore=tests/ops/test_opcheck.py",
    "tests/ops/test_opcheck.py",
    "tests/nn tests/decoding tests/test_model.py tests/test_packed.py tests/test_directory.py",
    "tests/training",
    "tests/cli tests/test_reference.py tests/test_positions.py tests/test_seed.py",
)
# Without torch.compile, which takes minutes.
BENCHMARKS = (
    "attention layer_norm add_layer_norm feed_forward linear_cross_entropy embedding "
    "orthogonalize memory"
)


@dataclass(frozen=True)
class Step:
    """Something to do: commands that run side by side, each with a log of its own.

    Attributes:
        title: in the report.
        commands: each for the shell.
        limit: seconds.
        environment: besides that of this process.
    """

    title: str
    commands: Sequence[str]
    limit: int
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a step ended.

    Attributes:
        title: of the step.
        result: in a word or two.
        seconds: that it took.
        said: the last line of each of its commands.
        output: the end of what failed commands printed.
    """

    title: str
    result: str
    seconds: float
    said: Sequence[str] = ()
    output: str = ""

    @property
    def failed(self) -> bool:
        return self.result not in ("passed", "not available here")


def steps(architecture: str) -> Iterator[Step]:
    """All of them, in order."""
    python = shlex.quote(sys.executable)
    yield Step(
        "build",
        [
            f"{python} setup.py --quiet build_ext --inplace",
            f"cmake -S . -B build/gpu -G Ninja -DPT_KERNELS_ONLY=ON -DPT_TEST_GPU=ON "
            f"-DPT_CUDA_ARCHITECTURES={architecture} && cmake --build build/gpu --target gpu_tests",
        ],
        240,
        {"PYTRANSFORMER_CUDA": "1", "PYTRANSFORMER_CUDA_ARCHITECTURES": architecture},
    )
    yield Step("doctor", [f"{python} -m pytransformer doctor"], 60)
    yield Step(
        "Python tests",
        [f"{python} -m pytest --maxfail=20 -p no:cacheprovider {part}" for part in PYTEST_PARTS],
        120,
        {"PYTRANSFORMER_TEST_DEVICE": "cuda", "PYTRANSFORMER_CHECK": "1"},
    )
    yield Step(
        "kernels' own tests", ["ctest --test-dir build/gpu -L gpu -j 4 --output-on-failure"], 60
    )
    yield Step("benchmarks of ops", [_bench(f"{BENCHMARKS} --seconds 0.4 --no-compile", "ops")], 90)
    yield Step("benchmark of a training step", [_bench("train_step --seconds 2", "step")], 150)
    yield Step("compute-sanitizer", ["scripts/memcheck-gpu.sh build/gpu"], 95)


def _bench(arguments: str, name: str) -> str:
    files = f"--markdown {WORK / name}.md --json {WORK / name}.json"
    python = shlex.quote(sys.executable)
    return f"{python} -m pytransformer bench --device cuda {arguments} {files}"


def run(step: Step, seconds_left: float) -> Outcome:
    """Do a step, to its limit or the deadline at the latest."""
    limit = min(step.limit, seconds_left)
    if limit < LEAST:
        return Outcome(step.title, "not begun, no time was left", 0.0)
    began = time.monotonic()
    name = re.sub(r"[^a-z]+", "-", step.title.lower())
    logs = [WORK / f"{name}-{number}.log" for number in range(len(step.commands))]
    running = [
        _start(command, log, {**step.environment, "SECONDS_LEFT": str(int(limit))})
        for command, log in zip(step.commands, logs, strict=True)
    ]
    statuses = [_wait(process, began + limit) for process in running]
    outputs = [log.read_text(encoding="utf-8", errors="replace") for log in logs]
    failed = [
        output for output, status in zip(outputs, statuses, strict=True) if status not in _FINE
    ]
    return Outcome(
        step.title,
        _result(statuses),
        time.monotonic() - began,
        [line for output in outputs if (line := _last_line(output))],
        "\n".join("\n".join(output.splitlines()[-SHOWN_LINES:]) for output in failed),
    )


_FINE = (0, UNAVAILABLE)
_LATE = None


def _start(command: str, log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("wb") as file:
        return subprocess.Popen(
            command,
            shell=True,
            cwd=ROOT,
            env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait(process: subprocess.Popen[bytes], until: float) -> int | None:
    """The exit status; of one that is late, ``_LATE``, and it and all that it started is ended."""
    try:
        return process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return _LATE


def _result(statuses: Sequence[int | None]) -> str:
    if any(status is _LATE for status in statuses):
        return "ended, its time was over"
    if bad := [status for status in statuses if status not in _FINE]:
        return f"FAILED with status {bad[0]}"
    return "not available here" if UNAVAILABLE in statuses else "passed"


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def sources() -> str:
    """The commit, or where there is none a checksum of what is compiled and run."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    if shutil.which("git"):
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return f"commit {found.stdout.strip()}"
    checksum = hashlib.sha256()
    for path in sorted((ROOT / "csrc").rglob("*")) + sorted((ROOT / "pytransformer").rglob("*.py")):
        if path.is_file() and path.name != "_built_for.py":
            checksum.update(path.relative_to(ROOT).as_posix().encode())
            checksum.update(path.read_bytes())
    return f"no commit is known here; sources {checksum.hexdigest()[:12]} (sha256)"


def page(facts: Sequence[tuple[str, str]], outcomes: Sequence[Outcome]) -> str:
    """The report in Markdown: what was run, what failed, and the pages of the benchmarks."""
    blocks = [
        f"# {facts[0][1]}: tests and benchmarks, {datetime.date.today().isoformat()}",
        "    make gpu-report",
        "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts)]),
        checks(outcomes),
    ]
    for outcome in outcomes:
        if outcome.output:
            blocks += [f'The end of what "{outcome.title}" printed:', f"```\n{outcome.output}\n```"]
    for name in ("ops", "step"):
        path = WORK / f"{name}.md"
        if path.is_file():
            found = path.read_text(encoding="utf-8").strip()
            blocks.append(re.sub("^#", "##", found, flags=re.MULTILINE))
    return "\n\n".join(blocks) + "\n"


def checks(outcomes: Sequence[Outcome]) -> str:
    """A table of the steps."""
    rows = []
    for one in outcomes:
        said = "; ".join(one.said).replace("|", r"\|")
        rows.append(f"| {one.title} | {one.result} | {one.seconds:.0f} | {said} |")
    return "\n".join(["| step | result | s | said last |", "|---|---|---:|---|", *rows])


def main() -> int:
    """Do all of it; 1 if a step failed, 2 if there is nothing to do it on."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="default: bench/results/DATE-GPU.md"
    )
    args = parser.parse_args()
    torch = require_gpu()
    properties = torch.cuda.get_device_properties(0)
    facts = [
        ("GPU", properties.name),
        ("sources", sources()),
        ("torch", f"{torch.__version__}, CUDA {torch.version.cuda}"),
        ("Python", sys.version.split()[0]),
        ("cores", str(len(os.sched_getaffinity(0)))),
    ]
    slug = re.sub(r"[^a-z0-9]+", "-", properties.name.lower()).strip("-")
    default = ROOT / "bench" / "results" / f"{datetime.date.today().isoformat()}-{slug}.md"
    output = args.output or default
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    end = time.monotonic() + DEADLINE
    outcomes: list[Outcome] = []
    for step in steps(architecture_of(properties.major, properties.minor)):
        print(f"==> {step.title}", flush=True)
        outcomes.append(run(step, end - time.monotonic()))
        print(
            f"{outcomes[-1].result}, {outcomes[-1].seconds:.0f} s\n{outcomes[-1].output}",
            flush=True,
        )
        output.write_text(page(facts, outcomes), encoding="utf-8")
        if step.title == "build" and outcomes[-1].failed:
            break
    print(f"\n{output}:\n\n{output.read_text(encoding='utf-8')}", end="")
    return 1 if any(outcome.failed for outcome in outcomes) else 0


def architecture_of(major: int, minor: int) -> str:
    """As nvcc names it; with what only that generation has, where there is such a thing."""
    return f"{major}{minor}{'a' if major in (9, 10) else ''}"


def require_gpu() -> ModuleType:
    """torch, if it sees a GPU and all that builds is here.

    Raises:
        SystemExit: with status 2, and a sentence that says what is missing.
    """
    try:
        import torch
    except ImportError:
        refuse(f"{sys.executable} has no torch")
    if torch.version.cuda is None:
        refuse(f"torch {torch.__version__} was built without CUDA")
    if not torch.cuda.is_available():
        refuse("torch sees no GPU; look at nvidia-smi")
    for tool in ("cmake", "ninja", "ctest", "c++", "nvcc"):
        if shutil.which(tool) is None:
            refuse(f"{tool} is not on the PATH")
    return torch


def refuse(what: str) -> NoReturn:
    print(
        f"gpu-report: {what}. It needs a Python that has torch with CUDA and the packages of "
        "requirements-dev.txt, name it with PYTHON=...; and nvcc of the CUDA toolkit.",
        file=sys.stderr,
    )
    raise SystemExit(2)


if __name__ == "__main__":
    sys.exit(main())
