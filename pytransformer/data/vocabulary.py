"""Learning a vocabulary with SentencePiece.

Sources: Sennrich et al. 2016 (BPE); Kudo 2018 (unigram).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from typing import Literal, get_args

import sentencepiece

from pytransformer.data.tokenizer import Tokenizer
from pytransformer.errors import UserError

ModelType = Literal["bpe", "unigram"]
MOST_PIECES = 2**30  # SentencePiece counts in int32, and a little further than asked

# Unigram training adds up in an order that follows the number of threads; a constant keeps the
# result the same on every machine.
_THREADS = 4


def train_tokenizer(
    lines: Iterable[str],
    vocab_size: int = 8000,
    model_type: ModelType = "bpe",
    *,
    character_coverage: float = 1.0,
    lowercase: bool = False,
    source_language: str = "",
    target_language: str = "",
) -> Tokenizer:
    """Learn a joint tokenizer; the same lines and options give the same tokenizer.

    Args:
        lines: sentences of both languages, in a fixed order; all of them are used.
        vocab_size: pieces to learn, ``</s>`` and ``<unk>`` included; ``<pad>`` comes on top, so the
            tokenizer's ``vocab_size`` is one more.
        model_type: ``bpe`` or ``unigram``.
        character_coverage: the share of the text's characters that get a piece of their own.
        lowercase: fold upper and lower case (Unicode case folding: German ß becomes ss). The rule
            is a part of the model, so every text that it reads is folded.
        source_language: a language code to keep with it.
        target_language: likewise.

    Raises:
        UserError: if the lines are too few for the vocabulary (with the largest possible size), or
            have too many characters for it (with the smallest).
        ValueError: if an option is out of range.
        Exception: whatever reading the lines raises.
    """
    if model_type not in get_args(ModelType):
        choices = " or ".join(get_args(ModelType))
        raise ValueError(f"model_type = {model_type!r}: must be {choices}")
    if not 3 <= vocab_size <= MOST_PIECES:
        raise ValueError(f"vocab_size = {vocab_size}: must be 3 to {MOST_PIECES}")
    if not 0.0 < character_coverage <= 1.0:
        raise ValueError(f"character_coverage = {character_coverage}: must be in (0, 1]")
    model = io.BytesIO()
    stopped: list[BaseException] = []
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_noting(lines, stopped),
            model_writer=model,
            vocab_size=vocab_size,
            model_type=model_type,
            character_coverage=character_coverage,
            normalization_rule_name="nmt_nfkc_cf" if lowercase else "nmt_nfkc",
            bos_id=-1,
            eos_id=0,
            unk_id=1,
            pad_id=-1,
            num_threads=_THREADS,
            minloglevel=2,
        )
    except RuntimeError as error:
        if stopped:
            raise stopped[0] from None
        raise UserError(_explain(str(error), vocab_size)) from error
    return Tokenizer.from_model(model.getvalue(), source_language, target_language)


def _noting(lines: Iterable[str], stopped: list[BaseException]) -> Iterator[str]:
    """The lines; SentencePiece makes a RuntimeError of what ends them, be it Ctrl-C."""
    try:
        yield from lines
    except BaseException as error:
        stopped.append(error)
        raise


def _explain(message: str, vocab_size: int) -> str:
    if found := re.search(r"too high .* value <= (\d+)", message):
        return (
            f"the text is too small for a vocabulary of {vocab_size} pieces; "
            f"the largest possible size is {found[1]}"
        )
    if found := re.search(r"required_chars\. \d+ vs (\d+)", message):
        return (
            f"a vocabulary of {vocab_size} pieces cannot hold every character of the text; "
            f"the smallest possible size is {found[1]}"
        )
    if "sentences_.empty()" in message or "all_chars_count" in message:
        return "there is no text to learn a vocabulary from; every line is empty or too long"
    return f"SentencePiece cannot learn a vocabulary of {vocab_size} pieces: {message}"
