"""What a run was asked for."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from bench.case import CPU

# Those that change what is measured.
_VARIABLES = ("LD_PRELOAD", "PYTRANSFORMER_ISA")


@dataclass(frozen=True)
class Settings:
    """The options of ``pytransformer bench``.

    Attributes:
        seconds: how long each case is timed, all its sides together.
        compile: whether torch.compile is one of the peers.
        device: where everything computes.
    """

    seconds: float = 3.0
    compile: bool = True
    device: torch.device = CPU

    @property
    def on_cuda(self) -> bool:
        return self.device.type == "cuda"

    def command(self, names: Sequence[str], threads: int) -> str:
        """The command that measures the same again, whatever files it writes."""
        words = [f"{name}={os.environ[name]}" for name in _VARIABLES if os.environ.get(name)]
        words += ["pytransformer", "bench", *names]
        words += ["--seconds", f"{self.seconds:g}", "--threads", str(threads)]
        if not self.compile:
            words.append("--no-compile")
        if self.device != CPU:
            words += ["--device", str(self.device)]
        return shlex.join(words)
