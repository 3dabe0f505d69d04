"""``--device`` of the commands that compute."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """Declare ``--device``."""
    parser.add_argument(
        "--device",
        default="cpu",
        metavar="D",
        help="where to compute: cpu, cuda or cuda:N (default: %(default)s)",
    )


def device_of(args: argparse.Namespace) -> torch.device:
    """The device that was asked for.

    Raises:
        UserError: if this installation cannot compute there.
    """
    from pytransformer.devices import usable_device  # torch is slow to load

    return usable_device(args.device, "--device")
