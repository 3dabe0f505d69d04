"""``pytransformer bench``: how fast the ops and a training step are on this machine."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from types import ModuleType

from pytransformer.cli.device import add_device_argument, device_of
from pytransformer.cli.threads import add_threads_argument, set_threads
from pytransformer.errors import UserError

HELP = "time the ops and a training step against torch, from a source tree"

_ROOT = Path(__file__).resolve().parents[2]

_EXAMPLES = """\
benchmarks:
  linear attention layer_norm add_layer_norm feed_forward linear_cross_entropy embedding
  orthogonalize train_step
                      beside torch and torch.compile; train_step also with tcmalloc, if installed
  memory              the most memory of a training step and of the loss, beside torch's
  overhead            where a training step's time goes
  scaling             time and memory by length, batch and threads
  instruction_sets    what each instruction set reaches of the best one's speed
  processes           two processes: summing gradients beside torch's ways, and two threads

examples:
  pytransformer bench                        everything, and torch.compile takes its time
  pytransformer bench --no-compile           without torch.compile, far sooner
  pytransformer bench attention linear       two of them
  pytransformer bench --device cuda          on a GPU
  pytransformer bench train_step --threads 1 --json report.json --markdown report.md
  LD_PRELOAD=libtcmalloc_minimal.so.4 pytransformer bench    all of it with tcmalloc, both sides
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``bench``."""
    parser.epilog = _EXAMPLES
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks (default: all)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=3.0,
        metavar="S",
        help="time for each case, all sides together (default: %(default)s)",
    )
    add_device_argument(parser)
    add_threads_argument(parser)
    parser.add_argument(
        "--no-compile",
        dest="compile",
        action="store_false",
        help="leave out torch.compile, which takes a while to compile",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON too")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="and as Markdown")


def run(args: argparse.Namespace) -> int:
    """Run the benchmarks that are named, or all.

    Raises:
        UserError: outside of a source tree, or for an unknown name.
    """
    main = _load()
    unknown = [name for name in args.names if name not in main.BENCHMARKS]
    if unknown:
        raise UserError(f"bench has no {unknown[0]}; choose from {', '.join(main.BENCHMARKS)}")
    if not args.seconds > 0:
        raise UserError(f"--seconds {args.seconds}: must be more than 0")
    set_threads(args.threads)
    device = device_of(args)
    if device.index is not None:
        raise UserError(f"--device {device}: choose the one for bench by CUDA_VISIBLE_DEVICES")
    misplaced = [name for name in args.names if name in main.ON_THE_CPU]
    if device.type == "cuda" and misplaced:
        raise UserError(f"--device {device}: {misplaced[0]} is about the CPU")
    settings = main.Settings(args.seconds, args.compile, device)
    main.run(args.names, settings, args.json, args.markdown)
    return 0


def _load() -> ModuleType:
    """``bench/main.py`` of the source tree that this package lies in; it is not installed."""
    if not (_ROOT / "bench" / "main.py").is_file():
        raise UserError(
            "bench runs from a source tree: clone the project, then `make build` and "
            "`.venv/bin/pytransformer bench`"
        )
    sys.path.insert(0, str(_ROOT))
    return importlib.import_module("bench.main")
