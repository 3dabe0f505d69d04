"""``--threads`` of the commands that compute."""

from __future__ import annotations

import argparse

from pytransformer.errors import UserError

# Far beyond any machine; with many more the process ends without a word.
MAX_THREADS = 1024


def add_threads_argument(parser: argparse.ArgumentParser) -> None:
    """Declare ``--threads``."""
    parser.add_argument(
        "--threads", type=int, metavar="N", help="CPU threads (default: torch's choice)"
    )


def set_threads(threads: int | None) -> None:
    """Let torch, and so the kernels, use ``threads``; None leaves torch's choice.

    Raises:
        UserError: if the number is out of its range.
    """
    if threads is None:
        return
    if not 1 <= threads <= MAX_THREADS:
        raise UserError(f"--threads {threads}: must be at least 1 and at most {MAX_THREADS}")
    import torch  # slow to load, and the commands' parsers do without

    torch.set_num_threads(threads)
