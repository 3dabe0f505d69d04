"""sacreBLEU and chrF, with the signatures that make the figures comparable.

Sources: Papineni et al. 2002 (BLEU); Post 2018 (sacreBLEU); Popović 2015 (chrF).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sacrebleu

from pytransformer.errors import UserError

TOKENIZERS = ("13a", "none", "intl", "char", "zh", "ja-mecab", "ko-mecab")
"""sacreBLEU's tokenizers that need no download."""


@dataclass(frozen=True)
class Scores:
    """Corpus scores in percent, and how they were computed, in sacreBLEU's notation."""

    bleu: float
    bleu_signature: str
    chrf: float
    chrf_signature: str


def corpus_scores(
    translations: Sequence[str],
    references: Sequence[str],
    tokenize: str = "13a",
    lowercase: bool = False,
) -> Scores:
    """Score translations against one reference each.

    Args:
        translations: plain text, one sentence each.
        references: as many as translations, and at least one.
        tokenize: how BLEU cuts words, one of ``TOKENIZERS``; ``none`` for text that is tokenized
            already.
        lowercase: ignore case, for both scores.

    Raises:
        ValueError: if the counts differ or are 0, or the tokenizer is unknown.
        UserError: if the tokenizer needs a package that is not installed.
    """
    bleu, bleu_signature = corpus_bleu(translations, references, tokenize, lowercase)
    chrf = sacrebleu.CHRF(lowercase=lowercase)
    chrf_score = chrf.corpus_score(translations, [references])
    return Scores(bleu, bleu_signature, chrf_score.score, str(chrf.get_signature()))


def corpus_bleu(
    translations: Sequence[str],
    references: Sequence[str],
    tokenize: str = "13a",
    lowercase: bool = False,
) -> tuple[float, str]:
    """BLEU in percent and its signature; arguments and errors as of ``corpus_scores``."""
    if len(translations) != len(references) or not references:
        raise ValueError(
            f"{len(translations)} translations and {len(references)} references: give as many of "
            "one as of the other, and at least one"
        )
    if tokenize not in TOKENIZERS:
        raise ValueError(f"tokenize = {tokenize!r}: must be one of {', '.join(TOKENIZERS)}")
    try:
        # Without `force` it doubts that the text is meant to be tokenized.
        force = tokenize == "none"
        bleu = sacrebleu.BLEU(tokenize=tokenize, lowercase=lowercase, force=force)
    except (ImportError, RuntimeError) as error:
        language = tokenize.partition("-")[0]
        raise UserError(
            f"the tokenizer {tokenize!r} needs a package that is not installed; "
            f"run: pip install 'sacrebleu[{language}]'"
        ) from error
    score = bleu.corpus_score(translations, [references]).score
    return float(score), str(bleu.get_signature())
