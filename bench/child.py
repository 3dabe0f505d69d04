"""Work in a process of its own, for what only a fresh process can tell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

_ROOT = Path(__file__).resolve().parents[1]


class Unavailable(Exception):
    """Something cannot be measured here; the message says what and why, in one line."""


def run_child(module: str, *arguments: str, preload: str | None = None) -> Any:
    """What ``python -m module arguments`` prints as JSON, on as many threads as this process.

    Args:
        module: of this source tree; it prints one line.
        arguments: of its command line.
        preload: a library for LD_PRELOAD.

    Raises:
        Unavailable: if it fails.
    """
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")])),
    }
    if preload is not None:
        environment["LD_PRELOAD"] = preload
    result = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        said = result.stderr.strip().splitlines()
        reason = said[-1] if said and result.returncode > 0 else _ending(result.returncode)
        raise Unavailable(f"{' '.join([module, *arguments])} failed: {reason}")
    return json.loads(result.stdout.splitlines()[-1])


def _ending(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"
