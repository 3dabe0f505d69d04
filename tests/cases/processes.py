"""Several processes that train together, started as ``torchrun`` starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240

# Without asking what this machine is called, which not every one can answer.
LOCAL = {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}


def start(commands: Sequence[Sequence[str]]) -> list[subprocess.Popen[str]]:
    """Start Python with each command's arguments, as the processes of one group."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = {**LOCAL, "WORLD_SIZE": str(len(commands)), "MASTER_PORT": str(port)}
    return [
        subprocess.Popen(
            [sys.executable, *command],
            env={**os.environ, **places, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, command in enumerate(commands)
    ]


def finish(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Wait for all; each one's status, output and errors."""
    try:
        said = [process.communicate(timeout=SECONDS) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, *texts) for process, texts in zip(processes, said, strict=True)]


def train_together(size: int, config: Path, *options: str) -> list[tuple[int, str, str]]:
    """``pytransformer train`` in ``size`` processes."""
    command = ["-m", "pytransformer", "train", str(config), *options]
    return finish(start([command] * size))
