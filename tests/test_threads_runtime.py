"""Kernels run on torch's own threads: one OpenMP runtime, one number of threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.cases.backend import native_only
from tests.cases.threads import threads

# Uses both runtimes, if there were two, then lists the libraries that the process has mapped.
_LIST_RUNTIMES = """
import json, re, torch
import pytransformer as pt
x = torch.ones(64, 64)
pt.ops.linear(x, x), x @ x
paths = {line.split(maxsplit=5)[5].strip() for line in open("/proc/self/maps") if "/" in line}
print(json.dumps([p for p in paths if re.search(r"/lib(gomp|omp|iomp)[^/]*[.]so", p)]))
"""


@native_only
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no /proc to read libraries from")
def test_there_is_one_openmp_runtime() -> None:
    environment = {**os.environ, "PYTRANSFORMER_BACKEND": "native"}
    result = subprocess.run(
        [sys.executable, "-c", _LIST_RUNTIMES],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    runtimes = json.loads(result.stdout)
    assert len(runtimes) == 1, runtimes


@native_only
@pytest.mark.parametrize("count", [1, 2, 3])
def test_torch_governs_the_threads_of_kernels(count: int) -> None:
    from pytransformer import _C

    before = torch.get_num_threads()
    with threads(count):
        assert _C.omp_max_threads() == count
    assert _C.omp_max_threads() == before
