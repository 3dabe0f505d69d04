"""``pytransformer attend``: draw what a translation attended to."""

from __future__ import annotations

import argparse
from pathlib import Path

from pytransformer.cli.device import add_device_argument, device_of
from pytransformer.decoding.picture import draw_attention
from pytransformer.errors import UserError

HELP = "draw the cross-attention of one sentence and its translation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help="a model directory")
    parser.add_argument("sentence", metavar="SENTENCE", help="what to translate")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("attention.png"),
        metavar="FILE",
        help="the picture: .png, .svg or .pdf (default: %(default)s)",
    )
    parser.add_argument(
        "--layer", type=int, metavar="N", help="decoder layer, counted from 1 (default: the last)"
    )
    parser.add_argument(
        "--head",
        default="mean",
        metavar="N",
        help="attention head, counted from 1, or 'mean' of all (default: %(default)s)",
    )
    parser.add_argument(
        "--target", metavar="TEXT", help="a translation to look at in place of the model's own"
    )
    add_device_argument(parser)


def run(args: argparse.Namespace) -> int:
    if args.head != "mean" and not args.head.isdecimal():
        raise UserError(f"--head {args.head}: give a number, or 'mean'")
    draw_attention(
        args.model,
        args.sentence,
        args.output,
        layer=args.layer,
        head=None if args.head == "mean" else int(args.head),
        target=args.target,
        device=device_of(args),
    )
    print(f"wrote {args.output}")
    return 0
